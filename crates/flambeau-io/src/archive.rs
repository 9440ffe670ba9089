//! Zip archives of records, read with sizes that the file can back and written with aligned contents.

use crate::error::{Error, Result};
use std::io::{Read, Seek, SeekFrom, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

fn zip_error(e: zip::result::ZipError) -> Error {
    match e {
        zip::result::ZipError::Io(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => Error::Io(e),
        e => Error::format(format!("not a valid zip archive: {e}")),
    }
}

pub(crate) struct Archive<R> {
    zip: ZipArchive<R>,
    length: u64,
}

impl<R: Read + Seek> Archive<R> {
    pub fn open(mut reader: R) -> Result<Self> {
        let length = reader.seek(SeekFrom::End(0))?;
        reader.rewind()?;
        Ok(Archive { zip: ZipArchive::new(reader).map_err(zip_error)?, length })
    }

    pub fn names(&self) -> Vec<String> {
        self.zip.file_names().filter_map(|n| Some(n.ok()?.into_owned())).collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// The whole record, its checksum verified.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut file = self.zip.by_name(name).map_err(|e| match e {
            zip::result::ZipError::FileNotFound => Error::format(format!("file in archive is not found: {name}")),
            e => zip_error(e),
        })?;
        let size = file.size();
        // Deflate shrinks at most 1032 to 1: a larger claim is a lie, and not one to reserve memory for.
        let room = match file.compression() {
            CompressionMethod::Stored => self.length,
            _ => self.length.saturating_mul(1040),
        };
        if size > room {
            return Err(Error::format(format!("{name} claims {size} bytes in an archive of {}", self.length)));
        }
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size as usize)
            .map_err(|_| Error::format(format!("{name}: not enough memory for {size} bytes")))?;
        let read = (&mut file).take(size.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|e| Error::format(format!("{name} is damaged: {e}")))?;
        if bytes.len() as u64 != size {
            return Err(Error::format(format!("{name} is damaged: {} of {size} bytes", bytes.len())));
        }
        Ok(bytes)
    }
}

/// A writer of stored records whose contents start at multiples of 64 bytes.
pub(crate) struct Builder<W: Write + Seek> {
    zip: ZipWriter<W>,
}

pub(crate) const ALIGNMENT: u16 = 64;
/// The id of PyTorch's padding field, "FB".
const PADDING_ID: u16 = 0x4246;

impl<W: Write + Seek> Builder<W> {
    pub fn new(writer: W) -> Self {
        Builder { zip: ZipWriter::new(writer) }
    }

    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes.len() as u64 >= u32::MAX as u64)
            .with_alignment_and_header_id(ALIGNMENT, PADDING_ID);
        self.zip.start_file(name, options).map_err(zip_error)?;
        self.zip.write_all(bytes)?;
        Ok(())
    }

    pub fn finish(self) -> Result<W> {
        self.zip.finish().map_err(zip_error)
    }
}
