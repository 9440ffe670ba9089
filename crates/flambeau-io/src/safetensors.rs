//! Hugging Face's safetensors: named tensors and text metadata, nothing else.

use crate::atomic::replace_path;
use crate::error::{Error, Result};
use crate::value::RawTensor;
use ::safetensors::tensor::{Dtype, Metadata, View};
use ::safetensors::{SafeTensorError, serialize, serialize_to_file};
use flambeau_core::DType;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// The format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SafeTensorsFile {
    /// In the file's order of memory.
    pub tensors: Vec<(String, RawTensor)>,
    pub metadata: HashMap<String, String>,
}

fn error(e: SafeTensorError) -> Error {
    match e {
        SafeTensorError::IoError(e) => Error::Io(e),
        e => Error::Unsupported(e.to_string()),
    }
}

/// Loads all tensors of a file, each with a storage of its own.
///
/// # Errors
/// `Io` if the file cannot be read, `Format` if it is damaged or has a dtype without a counterpart.
pub fn load(path: impl AsRef<Path>) -> Result<SafeTensorsFile> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    read(BufReader::new(file), length)
}

/// As [`load`], from a reader of `length` bytes.
pub fn read(mut reader: impl Read, length: u64) -> Result<SafeTensorsFile> {
    let bad = |what: &str| Error::format(format!("Error while deserializing header: {what}"));
    let mut word = [0; 8];
    if length < 8 {
        return Err(bad("header too small"));
    }
    reader.read_exact(&mut word)?;
    let header_len = u64::from_le_bytes(word);
    if header_len > MAX_HEADER || header_len > length - 8 {
        return Err(bad("header too large"));
    }
    let mut header = vec![0; header_len as usize];
    reader.read_exact(&mut header)?;
    // Checks that the tensors follow each other without gaps and have the sizes that their shapes and dtypes need.
    let info: Metadata = serde_json::from_slice(&header).map_err(|e| bad(&e.to_string()))?;
    let names = info.offset_keys();
    let end = names.last().and_then(|n| info.info(n)).map_or(0, |t| t.data_offsets.1);
    if end as u64 != length - 8 - header_len {
        return Err(bad("incomplete metadata, file not fully covered"));
    }
    let mut tensors = Vec::with_capacity(names.len());
    for name in names {
        let Some(t) = info.info(&name) else { continue };
        let dtype = PAIRS.iter().find(|p| p.1 == t.dtype).map(|p| p.0);
        let dtype = dtype.ok_or_else(|| Error::format(format!("{name}: dtype {:?} is not supported", t.dtype)))?;
        let mut bytes = vec![0; t.data_offsets.1 - t.data_offsets.0];
        reader.read_exact(&mut bytes)?;
        let sizes = t.shape.iter().map(|&n| i64::try_from(n)).collect::<Result<_, _>>();
        let sizes = sizes.map_err(|_| Error::format(format!("{name}: invalid shape {:?}", t.shape)))?;
        tensors.push((name, RawTensor::contiguous(dtype, sizes, bytes)?));
    }
    Ok(SafeTensorsFile { tensors, metadata: info.metadata().clone().unwrap_or_default() })
}

struct Elements<'a>(&'a RawTensor, Dtype, Vec<usize>);

impl View for Elements<'_> {
    fn dtype(&self) -> Dtype {
        self.1
    }

    fn shape(&self) -> &[usize] {
        &self.2
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.to_bytes()
    }

    fn data_len(&self) -> usize {
        self.0.numel() * self.0.dtype().size()
    }
}

fn views(tensors: &[(String, RawTensor)]) -> Result<Vec<(&str, Elements<'_>)>> {
    let view = |(name, t): &'_ (String, RawTensor)| -> Result<Dtype> {
        if t.conj || t.neg {
            return Err(Error::Unsupported(format!("{name}: resolve the conjugate or negative bit before saving")));
        }
        let pair = PAIRS.iter().find(|p| p.0 == t.dtype());
        pair.map(|p| p.1).ok_or_else(|| Error::Unsupported(format!("{name}: safetensors has no {}", t.dtype())))
    };
    tensors
        .iter()
        .map(|pair| {
            let dtype = view(pair)?;
            Ok((&pair.0[..], Elements(&pair.1, dtype, pair.1.sizes().iter().map(|&n| n as usize).collect())))
        })
        .collect()
}

/// Saves tensors, each as its own row-major elements: what was shared is written twice, and loads as two.
pub fn save(path: impl AsRef<Path>, tensors: &[(String, RawTensor)], metadata: HashMap<String, String>) -> Result<()> {
    let metadata = (!metadata.is_empty()).then_some(metadata);
    let views = views(tensors)?;
    // The crate writes to a path; the file that it makes is moved into place.
    replace_path(path.as_ref(), |part| serialize_to_file(views, metadata, part).map_err(error))
}

/// As [`save`], to memory.
pub fn write(tensors: &[(String, RawTensor)], metadata: HashMap<String, String>) -> Result<Vec<u8>> {
    let metadata = (!metadata.is_empty()).then_some(metadata);
    serialize(views(tensors)?, metadata).map_err(error)
}

/// `complex32` and `complex128` have no name in the format.
const PAIRS: [(DType, Dtype); 19] = [
    (DType::Bool, Dtype::BOOL),
    (DType::U8, Dtype::U8),
    (DType::I8, Dtype::I8),
    (DType::U16, Dtype::U16),
    (DType::I16, Dtype::I16),
    (DType::U32, Dtype::U32),
    (DType::I32, Dtype::I32),
    (DType::U64, Dtype::U64),
    (DType::I64, Dtype::I64),
    (DType::F16, Dtype::F16),
    (DType::BF16, Dtype::BF16),
    (DType::F32, Dtype::F32),
    (DType::F64, Dtype::F64),
    (DType::C64, Dtype::C64),
    (DType::F8E5M2, Dtype::F8_E5M2),
    (DType::F8E4M3FN, Dtype::F8_E4M3),
    (DType::F8E5M2FNUZ, Dtype::F8_E5M2FNUZ),
    (DType::F8E4M3FNUZ, Dtype::F8_E4M3FNUZ),
    (DType::F8E8M0FNU, Dtype::F8_E8M0),
];
