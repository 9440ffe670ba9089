//! The extension module `flambeau._C`: the native `Tensor` type and the binding of every operation.
//!
//! - `object`, `tensor_type`: the Python object of a tensor and its type. `object::{wrap, unwrap, Arg}` are the ways between a
//!   core tensor and its object; `method!` and `getter!` make entries of the type.
//! - `errors`: exceptions. `dtype`, `device`, `size`: the small value types.
//! - `number`: operators.
//! - `convert`, `storage`, `autograd`, `generator`: data from and to Python, and the objects of the autograd engine.
//! - `optim`: optimizer steps over whole parameter groups.

mod autograd;
mod bridge;
mod convert;
mod device;
mod dtype;
mod errors;
mod generator;
mod number;
mod object;
mod optim;
mod size;
mod storage;
mod tensor_type;

use pyo3::prelude::*;

#[pymodule]
#[pyo3(name = "_C")]
fn extension(m: &Bound<'_, PyModule>) -> PyResult<()> {
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
    ] {
        methods.extend(m);
        getters.extend(g);
    }
    tensor_type::register(m, methods, getters)?;
    convert::register(m)?;
    storage::register(m)?;
    autograd::register(m)?;
    generator::register(m)?;
    optim::register(m)
}
