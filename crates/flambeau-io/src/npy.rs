//! NumPy's array files: `.npy` holds one array, `.npz` an archive of them.

use crate::archive::{Archive, Builder};
use crate::atomic::replace;
use crate::error::{Error, Result};
use crate::value::{RawStorage, RawTensor, row_major};
use flambeau_core::DType;
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Loads one array.
///
/// # Errors
/// `Format` for damaged files and for arrays of objects, text, records or long doubles.
pub fn load(path: impl AsRef<Path>) -> Result<RawTensor> {
    read(&std::fs::read(path)?)
}

/// Saves one array, row-major.
pub fn save(path: impl AsRef<Path>, array: &RawTensor) -> Result<()> {
    let bytes = write(array)?;
    replace(path.as_ref(), |mut file| {
        file.write_all(&bytes)?;
        Ok(file)
    })
}

/// As [`load`], from memory.
pub fn read(bytes: &[u8]) -> Result<RawTensor> {
    let cut = || Error::format("the npy file is cut off");
    if !bytes.starts_with(MAGIC) {
        return Err(Error::format("not an npy file"));
    }
    let (length, start): (usize, usize) = match bytes.get(6).ok_or_else(cut)? {
        1 => (u16::from_le_bytes(word(bytes, 8).ok_or_else(cut)?) as usize, 10),
        2 | 3 => (u32::from_le_bytes(word(bytes, 8).ok_or_else(cut)?) as usize, 12),
        v => return Err(Error::format(format!("npy format version {v} is not supported"))),
    };
    let header = bytes.get(start..start.saturating_add(length)).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| Error::format("the npy header is not text"))?;
    let header = Header::parse(header)?;
    let (dtype, swap) = dtype_of(&header.descr)?;
    let count = header.shape.iter().try_fold(1i64, |n, &s| n.checked_mul(s)).unwrap_or(i64::MAX);
    let need = usize::try_from(count).ok().and_then(|n| n.checked_mul(dtype.size())).ok_or_else(cut)?;
    let start = start + length;
    let mut data = bytes.get(start..start.saturating_add(need)).ok_or_else(cut)?.to_vec();
    if swap {
        let part = if dtype.is_complex() { dtype.size() / 2 } else { dtype.size() };
        data.chunks_exact_mut(part).for_each(<[u8]>::reverse);
    }
    let mut strides = row_major(&header.shape);
    if header.fortran {
        let reversed: Vec<i64> = header.shape.iter().rev().copied().collect();
        strides = row_major(&reversed);
        strides.reverse();
    }
    RawTensor::new(RawStorage::new(data), dtype, 0, header.shape, strides)
}

fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// As [`save`], to memory.
pub fn write(array: &RawTensor) -> Result<Vec<u8>> {
    if array.conj || array.neg {
        return Err(Error::Unsupported("resolve the conjugate or negative bit before saving".into()));
    }
    let descr = NAMES.iter().find(|n| n.1 == array.dtype()).map(|n| n.0);
    let descr = descr
        .ok_or_else(|| Error::Unsupported(format!("Got unsupported ScalarType {}", array.dtype().scalar_name())))?;
    let order = if array.dtype().size() == 1 { '|' } else { '<' };
    let mut shape: String = array.sizes().iter().map(|n| format!("{n}, ")).collect();
    if array.sizes().len() == 1 {
        shape.pop();
    } else if !shape.is_empty() {
        shape.truncate(shape.len() - 2);
    }
    let mut header = format!("{{'descr': '{order}{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    // The data starts at a multiple of 64 bytes; the header ends in a line feed.
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.extend(std::iter::repeat_n(' ', length - 1 - header.len()));
    header.push('\n');
    let short = u16::try_from(header.len()).map_err(|_| Error::Unsupported("too many dimensions".into()))?;
    let mut out = Vec::with_capacity(10 + header.len() + array.numel() * array.dtype().size());
    out.extend(MAGIC);
    out.extend([1, 0]);
    out.extend(short.to_le_bytes());
    out.extend(header.as_bytes());
    out.extend_from_slice(&array.to_bytes());
    Ok(out)
}

/// Loads all arrays of an archive, in its order; compressed ones too.
pub fn load_npz(path: impl AsRef<Path>) -> Result<Vec<(String, RawTensor)>> {
    read_npz(BufReader::new(File::open(path)?))
}

/// As [`load_npz`], from any seekable reader.
pub fn read_npz(reader: impl Read + Seek) -> Result<Vec<(String, RawTensor)>> {
    let mut archive = Archive::open(reader)?;
    let arrays = archive.names().into_iter().filter(|n| n.ends_with(".npy"));
    arrays
        .map(|file| {
            let array = read(&archive.read(&file)?)?;
            Ok((file.trim_end_matches(".npy").to_string(), array))
        })
        .collect()
}

/// Saves arrays as `numpy.savez` does, not compressed.
pub fn save_npz(path: impl AsRef<Path>, arrays: &[(String, RawTensor)]) -> Result<()> {
    replace(path.as_ref(), |file| write_npz(file, arrays))
}

/// As [`save_npz`], to any seekable writer, which is returned.
pub fn write_npz<W: Write + Seek>(writer: W, arrays: &[(String, RawTensor)]) -> Result<W> {
    let mut zip = Builder::new(writer);
    for (name, array) in arrays {
        zip.add(&format!("{name}.npy"), &write(array)?)?;
    }
    zip.finish()
}

const NAMES: [(&str, DType); 14] = [
    ("b1", DType::Bool),
    ("u1", DType::U8),
    ("i1", DType::I8),
    ("u2", DType::U16),
    ("i2", DType::I16),
    ("u4", DType::U32),
    ("i4", DType::I32),
    ("u8", DType::U64),
    ("i8", DType::I64),
    ("f2", DType::F16),
    ("f4", DType::F32),
    ("f8", DType::F64),
    ("c8", DType::C64),
    ("c16", DType::C128),
];

/// The dtype of NumPy's description, and whether its bytes are big-endian.
fn dtype_of(descr: &str) -> Result<(DType, bool)> {
    let (order, name) = descr.split_at_checked(1).unwrap_or(("", descr));
    let found = NAMES.iter().find(|n| n.0 == name && matches!(order, "<" | ">" | "|" | "="));
    let found = found.ok_or_else(|| Error::format(format!("can't convert np.ndarray of type {descr:?}")))?;
    Ok((found.1, order == ">"))
}

struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<i64>,
}

impl Header {
    /// Reads the header's Python literal: a dict of a string, a bool and a tuple of integers.
    fn parse(text: &str) -> Result<Header> {
        let bad = || Error::format(format!("invalid npy header: {}", text.trim_end().escape_debug()));
        let field = |name: &str| -> Result<&str> {
            let at = text.find(&format!("'{name}'")).ok_or_else(bad)?;
            let rest = text[at + name.len() + 2..].trim_start();
            Ok(rest.strip_prefix(':').ok_or_else(bad)?.trim_start())
        };
        let descr = field("descr")?.strip_prefix('\'').and_then(|r| r.split_once('\'')).ok_or_else(bad)?.0;
        let fortran = match field("fortran_order")? {
            f if f.starts_with("True") => true,
            f if f.starts_with("False") => false,
            _ => return Err(bad()),
        };
        let shape = field("shape")?.strip_prefix('(').and_then(|r| r.split_once(')')).ok_or_else(bad)?.0;
        let sizes = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
        let shape = sizes.map(|s| s.trim_end_matches('L').parse::<i64>().ok().filter(|&n| n >= 0).ok_or_else(bad));
        Ok(Header { descr: descr.to_string(), fortran, shape: shape.collect::<Result<_>>()? })
    }
}
