//! `torch.Generator`, and its state in PyTorch's byte layout.

use flambeau_core::generator::GeneratorState;
use flambeau_core::random::DEFAULT_SEED;
use flambeau_core::{DType, Device, Generator, Tensor};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi::{PyGetSetDef, PyMethodDef};
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::bridge::{optional_device, type_name};
use crate::errors::IntoPyResult;
use crate::object::{unwrap, wrap};

/// A stream of random numbers: MT19937 with PyTorch's seeding.
#[pyclass(name = "Generator", module = "flambeau._C", frozen, subclass, weakref)]
pub struct PyGenerator(pub Generator);

/// The generator inside a Python object.
pub fn extract(obj: &Bound<'_, PyAny>) -> Option<Generator> {
    obj.cast::<PyGenerator>().ok().map(|g| g.get().0.clone())
}

#[pymethods]
impl PyGenerator {
    #[new]
    #[pyo3(signature = (device = None))]
    fn new(device: Option<&Bound<'_, PyAny>>) -> PyResult<PyGenerator> {
        let device = optional_device("Generator", device)?.unwrap_or(Device::CPU);
        if !device.is_cpu() {
            return Err(PyRuntimeError::new_err(format!(
                "{} device type not an accelerator.",
                device.type_name().to_uppercase()
            )));
        }
        Ok(PyGenerator(Generator::new(DEFAULT_SEED)))
    }

    #[getter]
    fn device(&self, py: Python<'_>) -> Py<PyAny> {
        crate::device::object(py, Device::CPU).into_any().unbind()
    }

    /// Starts the stream that belongs to `seed`, an integer in [-2**63, 2**64). Returns the generator.
    fn manual_seed<'py>(slf: Bound<'py, Self>, seed: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        slf.get().0.manual_seed(seed_arg(seed)?);
        Ok(slf)
    }

    /// Seeds from the operating system's entropy and returns the seed.
    fn seed(&self) -> u64 {
        let seed = entropy();
        self.0.manual_seed(seed);
        seed
    }

    /// The seed that the stream was started with.
    fn initial_seed(&self) -> u64 {
        self.0.lock().seed()
    }

    /// The whole state as a uint8 tensor of 5056 bytes, exchangeable with PyTorch.
    fn get_state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let bytes = encode(&self.0.lock());
        wrap(py, Tensor::from_slice(&bytes, &[bytes.len() as i64]).py()?)
    }

    fn set_state(&self, new_state: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(t) = unwrap(new_state) else {
            return Err(PyTypeError::new_err(format!("expected a torch.ByteTensor, but got {}", type_name(new_state))));
        };
        if t.dtype() != DType::U8 || !t.device().is_cpu() || !t.is_contiguous() {
            return Err(PyTypeError::new_err("RNG state must be a torch.ByteTensor"));
        }
        let state = decode(&t.to_vec::<u8>().py()?)?;
        *self.0.lock() = state;
        Ok(())
    }

    /// A new generator that will give the same numbers.
    fn clone_state(&self) -> PyGenerator {
        let copy = Generator::new(DEFAULT_SEED);
        *copy.lock() = self.0.lock().clone();
        PyGenerator(copy)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (), Bound<'py, PyAny>)> {
        let state = slf.get().get_state(slf.py())?;
        Ok((slf.get_type().into_any(), (), state))
    }

    fn __setstate__(&self, state: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set_state(state)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        format!("<torch._C.Generator object at {:#x}>", slf.as_ptr() as usize)
    }
}

/// A seed as PyTorch reads one: negative numbers wrap around.
fn seed_arg(seed: &Bound<'_, PyAny>) -> PyResult<u64> {
    if !seed.is_instance_of::<PyInt>() && !seed.hasattr("__index__")? {
        return Err(PyRuntimeError::new_err(format!("manual_seed expected a long, but got {}", type_name(seed))));
    }
    if let Ok(v) = seed.extract::<i64>() {
        return Ok(v as u64);
    }
    seed.extract::<u64>().map_err(|_| PyValueError::new_err("Overflow when unpacking long long"))
}

/// 53 bits, so that the seed survives a double.
fn entropy() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // `RandomState` is keyed by the operating system's entropy.
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u128(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos()));
    hasher.finish() & ((1 << 53) - 1)
}

const BYTES: usize = 5056;
const STATE_AT: usize = 24;
const NORMAL_Y_AT: usize = STATE_AT + 8 * GeneratorState::N + 8;
const NORMAL_VALID_AT: usize = NORMAL_Y_AT + 16;
const FLOAT_AT: usize = BYTES - 8;

/// PyTorch's structure: seed u64, left i32, seeded i32, next u64, 624 words of u64, three doubles of a pending normal,
/// its validity i32, padding; then a pending float normal and its validity.
fn encode(g: &GeneratorState) -> [u8; BYTES] {
    let mut out = [0u8; BYTES];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    let (state, left, next) = g.engine();
    put(0, &g.seed().to_ne_bytes());
    put(8, &(left as i32).to_ne_bytes());
    put(12, &1i32.to_ne_bytes());
    put(16, &(next as u64).to_ne_bytes());
    for (i, &word) in state.iter().enumerate() {
        put(STATE_AT + 8 * i, &(word as u64).to_ne_bytes());
    }
    if let Some(v) = g.next_normal_f64 {
        put(NORMAL_Y_AT, &v.to_ne_bytes());
        put(NORMAL_VALID_AT, &1i32.to_ne_bytes());
    }
    if let Some(v) = g.next_normal_f32 {
        put(FLOAT_AT, &v.to_ne_bytes());
        put(FLOAT_AT + 4, &[1]);
    }
    out
}

fn decode(bytes: &[u8]) -> PyResult<GeneratorState> {
    if bytes.len() != BYTES {
        return Err(PyRuntimeError::new_err(format!(
            "Expected a CPUGeneratorImplState of size {BYTES} but found the input RNG state size to be {}",
            bytes.len()
        )));
    }
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let int = |at: usize| i32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let (left, seeded, next) = (int(8), int(12), word(16));
    let n = GeneratorState::N;
    if seeded != 1 || left <= 0 || left as usize > n || next as usize > n || (left > 1 && next as usize >= n) {
        return Err(PyRuntimeError::new_err("Invalid mt19937 state"));
    }
    let mut state = [0u32; GeneratorState::N];
    for (i, s) in state.iter_mut().enumerate() {
        *s = word(STATE_AT + 8 * i) as u32;
    }
    let mut g = GeneratorState::restore(word(0), state, left as u32, next as usize);
    if int(NORMAL_VALID_AT) != 0 {
        g.next_normal_f64 = Some(f64::from_bits(word(NORMAL_Y_AT)));
    }
    if bytes[FLOAT_AT + 4] != 0 {
        g.next_normal_f32 = Some(f32::from_ne_bytes(bytes[FLOAT_AT..FLOAT_AT + 4].try_into().expect("four bytes")));
    }
    Ok(g)
}

pub fn methods() -> Vec<PyMethodDef> {
    Vec::new()
}

pub fn getters() -> Vec<PyGetSetDef> {
    Vec::new()
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyGenerator>()?;
    m.add("default_generator", Bound::new(m.py(), PyGenerator(Generator::default_cpu()))?)
}
