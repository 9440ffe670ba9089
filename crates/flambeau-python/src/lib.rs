//! The extension module `flambeau._C`: the native `Tensor` type and the binding of every operation.
//!
//! - `object`, `tensor_type`: the Python object of a tensor and its type. `object::{wrap, unwrap, Arg}` are the ways between a
//!   core tensor and its object; `method!` and `getter!` make entries of the type.
//! - `errors`: exceptions. `dtype`, `device`, `size`: the small value types.
//! - `args`, `entry`, `publish`, `results`: from a row's signature to Python functions and methods: arguments in, results out.
//! - `number`, `indexing`, `attrs`: operators, `x[i]`, attributes. `subclass`: `__torch_function__`.
//! - `convert`, `storage`, `autograd`, `generator`: data from and to Python, and the objects of the autograd engine.
//! - `shared`: storages in memory that processes share.
//! - `optim`: optimizer steps over whole parameter groups.

mod allocator;
mod args;
mod attrs;
mod autograd;
mod bridge;
mod casts;
mod convert;
mod device;
mod dtype;
mod entry;
mod errors;
mod generator;
mod indexing;
mod number;
mod object;
mod optim;
mod publish;
mod results;
mod shared;
mod size;
mod storage;
mod subclass;
mod tensor_type;
mod threads;
mod thunks;
mod typeinfo;

use std::ffi::CStr;

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

use pyo3::prelude::*;

#[pymodule]
#[pyo3(name = "_C")]
fn extension(m: &Bound<'_, PyModule>) -> PyResult<()> {
    flambeau_ops::init();
    threads::register(m)?;
    publish::build(m.py())?;
    errors::register(m)?;
    dtype::register(m)?;
    device::register(m)?;
    size::register(m)?;
    let mut methods = Vec::new();
    let mut getters = Vec::new();
    for (m, g) in [
        (convert::methods(), convert::getters()),
        (storage::methods(), storage::getters()),
        (autograd::methods(), autograd::getters()),
        (generator::methods(), generator::getters()),
        (subclass::methods(), Vec::new()),
        (number::methods(), Vec::new()),
        (attrs::methods(), attrs::getters()),
    ] {
        methods.extend(m);
        getters.extend(g);
    }
    // SAFETY: names of static method definitions.
    let taken = methods.iter().map(|d| unsafe { CStr::from_ptr(d.ml_name) }.to_string_lossy().into_owned());
    let taken: Vec<String> = taken.collect();
    methods.extend(publish::methods(&taken)?);
    tensor_type::register(m, methods, getters)?;
    subclass::register(m)?;
    attrs::register(m)?;
    typeinfo::register(m)?;
    publish::register(m)?;
    convert::register(m)?;
    storage::register(m)?;
    shared::register(m)?;
    autograd::register(m)?;
    generator::register(m)?;
    optim::register(m)
}
