//! The names that a pickle may refer to.

use crate::error::{Error, Result};
use flambeau_core::DType;

/// What an allowed name stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    Counter,
    Set,
    Bytes,
    ByteArray,
    Complex,
    /// `_codecs.encode`: how protocol 2 spells bytes.
    Encode,
    Size,
    Device,
    DType(DType),
    /// A storage class; `None` for untyped storages, counted in bytes.
    Storage(Option<DType>),
    Tensor,
    Parameter,
    RebuildTensor,
    RebuildTensorV2,
    RebuildTensorV3,
    RebuildParameter,
    RebuildParameterWithState,
    RebuildFromType,
}

pub(super) fn find(module: &str, name: &str) -> Result<Global> {
    Ok(match (module, name) {
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("collections", "Counter") => Global::Counter,
        ("builtins" | "__builtin__", "set" | "frozenset") => Global::Set,
        ("builtins" | "__builtin__", "bytes") => Global::Bytes,
        ("builtins" | "__builtin__", "bytearray") => Global::ByteArray,
        ("builtins" | "__builtin__", "complex") => Global::Complex,
        ("_codecs", "encode") => Global::Encode,
        ("torch", "Size") => Global::Size,
        ("torch", "device") => Global::Device,
        ("torch" | "torch._tensor", "Tensor") => Global::Tensor,
        ("torch.nn.parameter", "Parameter") => Global::Parameter,
        ("torch.storage", "UntypedStorage") => Global::Storage(None),
        ("torch._utils", "_rebuild_tensor") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensorV2,
        ("torch._utils", "_rebuild_tensor_v3") => Global::RebuildTensorV3,
        ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
        ("torch._utils", "_rebuild_parameter_with_state") => Global::RebuildParameterWithState,
        ("torch._tensor", "_rebuild_from_type_v2") => Global::RebuildFromType,
        ("torch" | "torch.cuda", _) => {
            let dtype = DType::ALL.into_iter().find(|d| match name.strip_suffix("Storage") {
                Some(class) => d.scalar_name() == class,
                None => module == "torch" && d.name() == name,
            });
            match dtype {
                Some(d) if name.ends_with("Storage") => Global::Storage(Some(d)),
                Some(d) => Global::DType(d),
                None => return Err(refuse(module, name)),
            }
        }
        _ => return Err(refuse(module, name)),
    })
}

#[cold]
fn refuse(module: &str, name: &str) -> Error {
    let known = ["_rebuild_qtensor", "_rebuild_sparse_tensor", "_rebuild_meta_tensor_no_storage"];
    if module == "torch._utils" && known.contains(&name) {
        return Error::Unsafe(format!("{module}.{name}: quantized, sparse and meta tensors cannot be loaded yet."));
    }
    Error::Unsafe(format!(
        "Unsupported global: GLOBAL {}.{} was not an allowed global by default.",
        module.escape_debug(),
        name.escape_debug()
    ))
}
