//! Devices and the table of their backends.

use std::fmt;
use std::sync::OnceLock;

use crate::backend::Backend;
use crate::error::{Error, Result};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum DeviceKind {
    Cpu,
    /// Shapes and dtypes without data.
    Meta,
    Cuda,
}

/// Where a tensor lives: a kind and, where there are several, an index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Device {
    pub kind: DeviceKind,
    pub index: Option<u8>,
}

impl Device {
    pub const CPU: Device = Device { kind: DeviceKind::Cpu, index: None };
    pub const META: Device = Device { kind: DeviceKind::Meta, index: None };

    #[inline]
    pub fn is_cpu(self) -> bool {
        self.kind == DeviceKind::Cpu
    }

    #[inline]
    pub fn is_meta(self) -> bool {
        self.kind == DeviceKind::Meta
    }

    pub const fn type_name(self) -> &'static str {
        match self.kind {
            DeviceKind::Cpu => "cpu",
            DeviceKind::Meta => "meta",
            DeviceKind::Cuda => "cuda",
        }
    }

    /// Parses `cpu`, `meta`, `cuda` or `cuda:1`.
    pub fn parse(text: &str) -> Result<Device> {
        let invalid = || Error::runtime(format!("Invalid device string: '{text}'"));
        let (name, index) = match text.split_once(':') {
            None => (text, None),
            Some((name, index)) => {
                if index.len() > 1 && index.starts_with('0') || !index.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(invalid());
                }
                (name, Some(index.parse::<u8>().map_err(|_| invalid())?))
            }
        };
        let kind = match name {
            "cpu" => DeviceKind::Cpu,
            "meta" => DeviceKind::Meta,
            "cuda" => DeviceKind::Cuda,
            "" => return Err(invalid()),
            other => {
                return Err(Error::runtime(format!(
                    "Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, \
                     vulkan, mps, meta, hpu, mtia, privateuseone device type at start of device string: {other}"
                )));
            }
        };
        Ok(Device { kind, index })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name())?;
        match self.index {
            Some(i) => write!(f, ":{i}"),
            None => Ok(()),
        }
    }
}

const KINDS: usize = 3;
static BACKENDS: [OnceLock<&'static dyn Backend>; KINDS] = [const { OnceLock::new() }; KINDS];

/// Installs the kernels of a device kind. The first registration stays.
pub fn register_backend(kind: DeviceKind, backend: &'static dyn Backend) {
    let _ = BACKENDS[kind as usize].set(backend);
}

/// The kernels of a device, or PyTorch's error where the device is not there.
#[inline]
pub fn backend(device: Device) -> Result<&'static dyn Backend> {
    match BACKENDS[device.kind as usize].get() {
        Some(b) => Ok(*b),
        None => Err(absent(device)),
    }
}

#[cold]
fn absent(device: Device) -> Error {
    match device.kind {
        DeviceKind::Cuda => {
            Error::runtime("Torch not compiled with CUDA enabled: no CUDA backend is installed in flambeau")
        }
        DeviceKind::Meta => Error::not_implemented("Cannot copy out of meta tensor; no data!"),
        DeviceKind::Cpu => Error::runtime("no CPU backend is registered; call flambeau_ops::init() first"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing() {
        assert_eq!(Device::parse("cpu").unwrap(), Device::CPU);
        assert_eq!(Device::parse("cuda:1").unwrap().to_string(), "cuda:1");
        for bad in ["", "cpu:", "cuda:01", "tpuu", "cuda:-1"] {
            assert!(Device::parse(bad).is_err(), "{bad}");
        }
    }
}
