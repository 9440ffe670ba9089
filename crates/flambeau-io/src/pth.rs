//! PyTorch's checkpoint files: what `torch.save` writes, what `torch.load(weights_only=True)` accepts.
//!
//! The zip format of PyTorch 1.6 and later is read and written; the older format is read.

use crate::archive::{ALIGNMENT, Archive, Builder};
use crate::atomic::replace;
use crate::error::{Error, Result};
use crate::pickle::{Storages, pickle, unpickle};
use crate::value::Value;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Loads a checkpoint.
///
/// # Errors
/// `Io` if the file cannot be read, `Unsafe` if it names anything but plain data, `Format` if it is damaged.
pub fn load(path: impl AsRef<Path>) -> Result<Value> {
    read(BufReader::new(File::open(path)?))
}

/// Saves `value` as `torch.save` does: storages once each, tensors as views of them. A file that was there is replaced
/// only once all is written.
///
/// # Errors
/// `Unsupported` for values nested more than 200 deep or storages viewed as two dtypes.
pub fn save(path: impl AsRef<Path>, value: &Value) -> Result<()> {
    let path = path.as_ref();
    // As PyTorch does, records lie in a folder named like the file.
    let folder = path.file_stem().and_then(|s| s.to_str()).filter(|s| !s.is_empty()).unwrap_or("archive");
    replace(path, |file| write(file, folder, value))
}

/// As [`load`], from any seekable reader positioned anywhere.
pub fn read<R: Read + Seek>(mut reader: R) -> Result<Value> {
    reader.rewind()?;
    let mut magic = [0; 4];
    let n = read_up_to(&mut reader, &mut magic)?;
    reader.rewind()?;
    match &magic[..n] {
        b"PK\x03\x04" | b"PK\x05\x06" => read_zip(reader),
        [] => Err(Error::format("Ran out of input")),
        _ => legacy::read(reader),
    }
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match reader.read(&mut buffer[n..])? {
            0 => break,
            k => n += k,
        }
    }
    Ok(n)
}

struct Records<R> {
    archive: Archive<R>,
    folder: String,
    big_endian: bool,
}

impl<R: Read + Seek> Storages for Records<R> {
    fn load(&mut self, key: &str, bytes: usize) -> Result<Vec<u8>> {
        let data = self.archive.read(&format!("{}/data/{key}", self.folder))?;
        if data.len() != bytes {
            return Err(Error::format(format!("storage {key} holds {} bytes, {bytes} expected", data.len())));
        }
        if self.big_endian && bytes > 0 {
            return Err(Error::format("checkpoints saved on a big-endian machine are not supported"));
        }
        Ok(data)
    }
}

fn read_zip<R: Read + Seek>(reader: R) -> Result<Value> {
    let mut archive = Archive::open(reader)?;
    let names = archive.names();
    if names.iter().any(|n| n.ends_with("/constants.pkl")) {
        return Err(Error::Unsafe(
            "Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``".into(),
        ));
    }
    let folder = names
        .iter()
        .find_map(|n| n.strip_suffix("/data.pkl"))
        .ok_or_else(|| Error::format("file in archive is not found: data.pkl"))?
        .to_string();
    let order = format!("{folder}/byteorder");
    let big_endian = archive.has(&order) && archive.read(&order)? == b"big";
    let data = archive.read(&format!("{folder}/data.pkl"))?;
    let (value, _) = unpickle(&data, &mut Records { archive, folder, big_endian })?;
    Ok(value)
}

/// As [`save`], to any seekable writer; records lie in `folder` inside the archive. Returns the writer.
pub fn write<W: Write + Seek>(writer: W, folder: &str, value: &Value) -> Result<W> {
    let (data, storages) = pickle(value)?;
    let mut zip = Builder::new(writer);
    let mut id = Id::default();
    let mut add = |zip: &mut Builder<W>, name: &str, bytes: &[u8]| {
        id.update(name, bytes.len());
        zip.add(&format!("{folder}/{name}"), bytes)
    };
    add(&mut zip, "data.pkl", &data)?;
    add(&mut zip, ".format_version", b"1")?;
    add(&mut zip, ".storage_alignment", ALIGNMENT.to_string().as_bytes())?;
    add(&mut zip, "byteorder", b"little")?;
    for (i, storage) in storages.iter().enumerate() {
        add(&mut zip, &format!("data/{i}"), &storage.bytes)?;
    }
    add(&mut zip, "version", b"3\n")?;
    id.data(&data);
    zip.add(&format!("{folder}/.data/serialization_id"), id.text().as_bytes())?;
    zip.finish()
}

/// An identifier of 40 digits for the file, from its records' names and sizes and its pickle (FNV-1a, twice).
struct Id([u64; 2]);

impl Default for Id {
    fn default() -> Self {
        Id([0xcbf2_9ce4_8422_2325, 0x8422_2325_cbf2_9ce4])
    }
}

impl Id {
    fn data(&mut self, bytes: &[u8]) {
        for half in &mut self.0 {
            *half = bytes.iter().fold(*half, |h, &b| (h ^ b as u64).wrapping_mul(0x0000_0100_0000_01b3));
        }
    }

    fn update(&mut self, name: &str, len: usize) {
        self.data(name.as_bytes());
        self.data(&(len as u64).to_le_bytes());
    }

    fn text(&self) -> String {
        format!("{:020}{:020}", self.0[0], self.0[1])
    }
}

/// The format before PyTorch 1.6: five pickles one after the other, then the storages.
mod legacy {
    use super::*;
    use std::collections::HashMap;

    const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    const VERSION: i64 = 1001;

    /// Sizes are known before contents are: first every storage is given zeros and its size noted.
    #[derive(Default)]
    struct Sizes {
        bytes: HashMap<String, usize>,
        room: usize,
    }

    impl Storages for Sizes {
        fn load(&mut self, key: &str, bytes: usize) -> Result<Vec<u8>> {
            self.room = self
                .room
                .checked_sub(bytes)
                .ok_or_else(|| Error::format("the checkpoint's storages are larger than the file"))?;
            self.bytes.insert(key.to_string(), bytes);
            Ok(vec![0; bytes])
        }
    }

    struct Contents(HashMap<String, Vec<u8>>);

    impl Storages for Contents {
        fn load(&mut self, key: &str, bytes: usize) -> Result<Vec<u8>> {
            let data = self.0.remove(key).filter(|d| d.len() == bytes);
            data.ok_or_else(|| Error::format(format!("storage {key} is missing")))
        }
    }

    struct Nothing;

    impl Storages for Nothing {
        fn load(&mut self, _: &str, _: usize) -> Result<Vec<u8>> {
            Err(Error::format("a storage where none can be"))
        }
    }

    pub(super) fn read<R: Read + Seek>(mut reader: R) -> Result<Value> {
        let length = reader.seek(SeekFrom::End(0))? as usize;
        reader.rewind()?;
        let mut data = Vec::with_capacity(length);
        reader.read_to_end(&mut data)?;
        let not_ours = || Error::format("Invalid magic number; corrupt file?");
        let mut at = 0;
        let mut next = |storages: &mut dyn Storages| -> Result<(Value, usize)> {
            let start = at;
            let (value, n) = unpickle(&data[at..], storages)?;
            at += n;
            Ok((value, start))
        };
        match next(&mut Nothing) {
            Ok((Value::BigInt(m), _)) if m == MAGIC => {}
            Err(e @ Error::Unsafe(_)) => return Err(e),
            _ => return Err(not_ours()),
        }
        if next(&mut Nothing)?.0 != Value::Int(VERSION) {
            return Err(Error::format("Invalid protocol version"));
        }
        match next(&mut Nothing)?.0 {
            Value::Dict(info) if info.get("little_endian") == Some(&Value::Bool(true)) => {}
            _ => return Err(Error::format("checkpoints saved on a big-endian machine are not supported")),
        }
        let mut sizes = Sizes { room: length, ..Sizes::default() };
        let (_, object) = next(&mut sizes)?;
        let (keys, _) = next(&mut Nothing)?;
        let Value::List(keys) = keys else { return Err(Error::format("the list of storages is missing")) };
        let mut contents = HashMap::new();
        for key in keys {
            let Value::Str(key) = key else { return Err(Error::format("a storage's key is not a string")) };
            let &bytes = sizes.bytes.get(&key).ok_or_else(|| Error::format(format!("unknown storage {key}")))?;
            // A count of elements of 8 bytes, then the elements.
            let start = at + 8;
            let slice = start.checked_add(bytes).and_then(|end| data.get(start..end));
            contents.insert(key, slice.ok_or_else(|| Error::format("unexpected end of file"))?.to_vec());
            at = start + bytes;
        }
        Ok(unpickle(&data[object..], &mut Contents(contents))?.0)
    }
}
