//! Tensors by name, to and from files: the layer between plain data and [`Tensor`].

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use flambeau_core::shared::Shared;
use flambeau_core::storage::Storage;
use flambeau_core::view::Layout;
use flambeau_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::value::{Dict, DictKind, RawStorage, RawTensor, Value};
use crate::{pth, safetensors};

/// Tensors with their names, in order.
pub type Named = Vec<(String, Tensor)>;

/// Storages already converted: tensors that share memory share it in the file, and again when loaded.
#[derive(Default)]
struct Sharing {
    raw: HashMap<usize, Arc<RawStorage>>,
    made: HashMap<usize, Shared<Storage>>,
}

impl Sharing {
    fn raw(&mut self, t: &Tensor) -> Result<RawTensor> {
        if !t.device().is_cpu() {
            return Err(Error::Unsupported(format!("a tensor on {} cannot be saved; copy it to the CPU", t.device())));
        }
        let storage = t.storage();
        let raw = self.raw.entry(Shared::as_ptr(storage) as usize).or_insert_with(|| {
            let n = if storage.ptr().is_null() { 0 } else { storage.nbytes() };
            let bytes = if n == 0 {
                Vec::new()
            } else {
                // SAFETY: a CPU storage holds `nbytes` readable bytes while it lives.
                unsafe { std::slice::from_raw_parts(storage.ptr(), n) }.to_vec()
            };
            RawStorage::new(bytes)
        });
        RawTensor::new(raw.clone(), t.dtype(), t.offset(), t.sizes().to_vec(), t.strides().to_vec())
    }

    fn tensor(&mut self, t: &RawTensor) -> Result<Tensor> {
        if t.conj || t.neg {
            return Err(Error::Unsupported("tensors with the lazy conjugate or negative bit are not supported".into()));
        }
        let fail = |e: flambeau_core::Error| Error::Format(e.message().to_string());
        let storage = match self.made.get(&(Arc::as_ptr(t.storage()) as usize)) {
            Some(s) => s.clone(),
            None => {
                let bytes = &t.storage().bytes;
                let new = Storage::new(bytes.len(), Device::CPU).map_err(fail)?;
                if !bytes.is_empty() {
                    // SAFETY: a fresh block of exactly that many bytes.
                    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), new.ptr(), bytes.len()) };
                }
                self.made.insert(Arc::as_ptr(t.storage()) as usize, new.clone());
                new
            }
        };
        let layout = Layout {
            sizes: t.sizes().iter().copied().collect(),
            strides: t.strides().iter().copied().collect(),
            offset: t.offset() as i64,
            dtype: t.dtype(),
        };
        let out = Tensor::from_storage(storage, layout).map_err(fail)?;
        if t.requires_grad {
            out.set_requires_grad(true).map_err(fail)?;
        }
        Ok(out)
    }
}

/// A state dict as `Module.state_dict()` returns it; `versions` are the modules' versions by prefix.
///
/// # Errors
/// `Unsupported` for tensors that are not on the CPU.
pub fn to_value(tensors: &[(String, Tensor)], versions: &[(String, i64)]) -> Result<Value> {
    let (mut dict, mut shared) = (Dict::ordered(), Sharing::default());
    for (name, t) in tensors {
        dict.push(name.as_str(), shared.raw(t)?);
    }
    if !versions.is_empty() {
        let mut metadata = Dict::ordered();
        for (prefix, version) in versions {
            let mut entry = Dict { kind: DictKind::Plain, ..Dict::default() };
            entry.push("version", *version);
            metadata.push(prefix.as_str(), entry);
        }
        dict.attributes.push((Value::from("_metadata"), Value::Dict(metadata)));
    }
    Ok(Value::Dict(dict))
}

/// The tensors of a state dict, and the modules' versions if it has them.
///
/// # Errors
/// `Format` for anything but a dict of tensors by name.
pub fn from_value(value: &Value) -> Result<(Named, Vec<(String, i64)>)> {
    let Value::Dict(dict) = value else {
        return Err(Error::Format("the checkpoint does not hold a dict of tensors".into()));
    };
    let (mut tensors, mut shared) = (Vec::with_capacity(dict.len()), Sharing::default());
    for (key, entry) in &dict.entries {
        let (Value::Str(name), Value::Tensor(t)) = (key, entry) else {
            return Err(Error::Format(format!(
                "the checkpoint is not a state dict: its entry {key:?} is not a tensor with a name"
            )));
        };
        tensors.push((name.clone(), shared.tensor(t)?));
    }
    let mut versions = Vec::new();
    for (key, metadata) in &dict.attributes {
        if *key == Value::from("_metadata")
            && let Value::Dict(metadata) = metadata
        {
            for (prefix, entry) in &metadata.entries {
                if let (Value::Str(prefix), Value::Dict(entry)) = (prefix, entry)
                    && let Some(Value::Int(version)) = entry.get("version")
                {
                    versions.push((prefix.clone(), *version));
                }
            }
        }
    }
    Ok((tensors, versions))
}

/// Saves a state dict as `torch.save(module.state_dict(), path)` does.
///
/// # Errors
/// `Io` where the file cannot be written, `Unsupported` for tensors that are not on the CPU.
pub fn save_pth(path: impl AsRef<Path>, tensors: &[(String, Tensor)], versions: &[(String, i64)]) -> Result<()> {
    pth::save(path, &to_value(tensors, versions)?)
}

/// Loads a state dict that `torch.save` or [`save_pth`] wrote.
///
/// # Errors
/// As [`pth::load`] and [`from_value`].
pub fn load_pth(path: impl AsRef<Path>) -> Result<(Named, Vec<(String, i64)>)> {
    from_value(&pth::load(path)?)
}

/// Saves tensors as safetensors.
///
/// # Errors
/// `Io` where the file cannot be written, `Unsupported` for dtypes that the format does not know.
pub fn save_safetensors(path: impl AsRef<Path>, tensors: &[(String, Tensor)]) -> Result<()> {
    let mut shared = Sharing::default();
    let raw = tensors.iter().map(|(n, t)| Ok((n.clone(), shared.raw(t)?))).collect::<Result<Vec<_>>>()?;
    safetensors::save(path, &raw, HashMap::new())
}

/// Loads a safetensors file.
///
/// # Errors
/// As [`safetensors::load`].
pub fn load_safetensors(path: impl AsRef<Path>) -> Result<Named> {
    let file = safetensors::load(path)?;
    let mut shared = Sharing::default();
    file.tensors.iter().map(|(n, t)| Ok((n.clone(), shared.tensor(t)?))).collect()
}
