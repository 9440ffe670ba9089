//! The one entry of all operations: parses the arguments by the signature, crosses the boundary, packs the results.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use flambeau_core::op::{Outs, Params, Value};
use flambeau_core::schema::Type;
use flambeau_core::{Tensor, call};
use pyo3::ffi::{self, Py_ssize_t, PyObject, PyTypeObject};
use pyo3::prelude::*;
use smallvec::SmallVec;

use crate::args::check::{self, Noted};
use crate::args::convert;
use crate::args::message::{self, Given};
use crate::args::spec::{Function, MAX_PARAMS, Overload, Role};
use crate::errors::{IntoPyResult, guard};
use crate::object::{is_tensor, tensor_of, type_ptr};
use crate::results;
use crate::subclass::{self, Decision};

/// `self` of a Python function: says which operation it is.
#[repr(C)]
pub struct OpRef {
    ob: PyObject,
    pub function: *const Function,
}

/// All methods of `Tensor`, by the number of their thunk.
pub static METHODS: AtomicPtr<&'static Function> = AtomicPtr::new(null_mut());

/// Entry of functions.
///
/// # Safety
/// Called by CPython with an `OpRef`.
pub unsafe extern "C" fn function(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    n: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: by the contract.
    unsafe { run(&*(*slf.cast::<OpRef>()).function, null_mut(), args, n as usize, names) }
}

/// Entry of methods. A method descriptor has no place for data, so each has a thunk of its own.
///
/// # Safety
/// Called by CPython with a tensor; `METHODS` has more than `I` entries.
pub unsafe extern "C" fn method<const I: usize>(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    n: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: by the contract.
    unsafe { run(*METHODS.load(Relaxed).add(I), slf, args, n as usize, names) }
}

/// Runs a call.
///
/// # Safety
/// `args` holds `n` positional arguments and then one for each of `names`; all live; the GIL is held.
#[inline(never)]
pub unsafe fn run(
    f: &'static Function,
    slf: *mut PyObject,
    args: *const *mut PyObject,
    n: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: by the contract.
    unsafe {
        guard(|py| {
            let keywords = if names.is_null() { 0 } else { ffi::PyTuple_Size(names) as usize };
            let (positional, keywords) = if n + keywords == 0 {
                (&[][..], &[][..])
            } else {
                (std::slice::from_raw_parts(args, n), std::slice::from_raw_parts(args.add(n), keywords))
            };
            let mut failed = None;
            for o in &f.overloads {
                let mut objs = [null_mut(); MAX_PARAMS];
                let mut noted = Noted::default();
                let placed = match place(o, slf, positional, keywords, names, &mut objs, &mut noted) {
                    Ok(placed) => placed,
                    Err(e) => {
                        failed = Some(e);
                        break;
                    }
                };
                if let Some(varargs) = placed {
                    let objs = &objs[..o.params.len()];
                    let mut class = null_mut();
                    if noted.subclass {
                        let names = Bound::from_borrowed_ptr_or_opt(py, names);
                        let given = Given { positional, keywords, names: names.as_ref() };
                        match subclass::decide(py, f, objs, slf, given)? {
                            Decision::Proceed(c) => class = c,
                            Decision::Done(result) => return Ok(result),
                        }
                    }
                    let varargs = if varargs { Some(positional) } else { None };
                    return invoke(py, f, o, objs, varargs, noted.temporaries, class);
                }
            }
            let names = Bound::from_borrowed_ptr_or_opt(py, names);
            let given = || Given { positional, keywords, names: names.as_ref() };
            if let Some(result) = subclass::foreign(py, f, slf, given())? {
                return Ok(result);
            }
            Err(failed.unwrap_or_else(|| message::explain(f, given())))
        })
    }
}

/// Puts each argument in the place of its parameter. `None` if the overload does not take them, else whether the
/// positional arguments together are one list of ints.
#[inline]
unsafe fn place(
    o: &Overload,
    slf: *mut PyObject,
    positional: &[*mut PyObject],
    keywords: &[*mut PyObject],
    names: *mut PyObject,
    objs: &mut [*mut PyObject; MAX_PARAMS],
    noted: &mut Noted,
) -> PyResult<Option<bool>> {
    // SAFETY: live objects under the GIL.
    unsafe {
        let mut varargs = false;
        if positional.len() > o.positional.len() && !o.varargs {
            return Ok(None);
        }
        if let Some(b) = o.bound {
            objs[b] = slf;
        }
        if o.varargs && !positional.is_empty() {
            let p = &o.params[o.positional[0] as usize];
            let first = positional[0];
            let list = (first == ffi::Py_None() && p.nullable) || check::fits(p, first, noted)?;
            if list && positional.len() == 1 {
                objs[o.positional[0] as usize] = first;
            } else if check::is_index(first) {
                varargs = true;
                objs[o.positional[0] as usize] = first;
            } else {
                return Ok(None);
            }
        } else {
            for (&obj, &at) in positional.iter().zip(&o.positional) {
                objs[at as usize] = obj;
            }
        }
        for (i, &obj) in keywords.iter().enumerate() {
            let Some(at) = find(o, ffi::PyTuple_GetItem(names, i as isize)) else { return Ok(None) };
            if !objs[at].is_null() {
                return Ok(None);
            }
            objs[at] = obj;
        }
        for (i, p) in o.params.iter().enumerate() {
            let obj = objs[i];
            if obj.is_null() {
                if !p.optional {
                    return Ok(None);
                }
            } else if (obj == ffi::Py_None() && p.nullable) || (varargs && o.positional[0] as usize == i) {
                continue;
            } else if !check::fits(p, obj, noted)? {
                if let (Type::Tensors(_), Some(bad)) = (p.ty, noted.failed) {
                    return Err(check::not_a_tensor(obj, bad, i));
                }
                return Ok(None);
            }
        }
        // Of operands that may each be a number, one is a tensor.
        if o.needs_tensor && !objs[..o.params.len()].iter().any(|&obj| !obj.is_null() && is_tensor(obj)) {
            return Ok(None);
        }
        Ok(Some(varargs))
    }
}

/// The parameter of a keyword.
#[inline]
unsafe fn find(o: &Overload, name: *mut PyObject) -> Option<usize> {
    let free = |i: &usize| Some(*i) != o.bound;
    let by = |f: &dyn Fn(&crate::args::spec::Param) -> bool| o.params.iter().position(f).filter(free);
    // SAFETY: interned names and a live string.
    unsafe {
        o.params
            .iter()
            .position(|p| p.key == name)
            .filter(free)
            .or_else(|| by(&|p| message::same_name(p.key, name)))
            .or_else(|| by(&|p| p.aliases.iter().any(|&a| !a.is_null() && message::same_name(a, name))))
    }
}

/// Crosses the boundary with placed arguments.
#[inline]
unsafe fn invoke(
    py: Python<'_>,
    f: &Function,
    o: &Overload,
    objs: &[*mut PyObject],
    varargs: Option<&[*mut PyObject]>,
    temporaries: bool,
    class: *mut PyTypeObject,
) -> PyResult<*mut PyObject> {
    // SAFETY: arguments that fit their parameters, live under the GIL.
    unsafe {
        let given = |i: usize| !objs[i].is_null() && objs[i] != ffi::Py_None();
        let mut held = convert::Held::new();
        if temporaries {
            for (i, p) in o.params.iter().enumerate() {
                if given(i) && p.role == Role::Plain {
                    convert::temporaries(p, objs[i], &mut held)?;
                }
            }
        }
        let mut held = held.iter();
        let mut inputs: SmallVec<[Option<&Tensor>; 4]> = SmallVec::new();
        let mut params = Params::new();
        let mut inplace = o.inplace;
        let mut requires_grad = false;
        let mut out: *mut PyObject = null_mut();
        for (i, p) in o.params.iter().enumerate() {
            let obj = objs[i];
            match p.role {
                Role::Plain => match p.ty {
                    Type::Tensor => inputs.push(if given(i) { Some(tensor_of(obj)) } else { None }),
                    Type::TensorOrScalar => inputs.push(if !given(i) {
                        None
                    } else if is_tensor(obj) {
                        Some(tensor_of(obj))
                    } else {
                        held.next().and_then(Option::as_ref)
                    }),
                    Type::Tensors(_) => {
                        let n = if given(i) { ffi::PySequence_Size(obj) } else { 0 };
                        inputs.extend(held.by_ref().take(n as usize).map(Option::as_ref));
                        params.push(Value::Int(n as i64));
                    }
                    _ if obj.is_null() => params.push(match (&p.default, p.ty) {
                        (Value::None, Type::Device) if o.factory => crate::device::default_value(),
                        (v, _) => v.clone(),
                    }),
                    _ if obj == ffi::Py_None() => params.push(match p.ty {
                        Type::Device if o.factory => crate::device::default_value(),
                        _ => Value::None,
                    }),
                    _ => params.push(match varargs {
                        Some(all) if o.positional[0] as usize == i => convert::int_arguments(&f.label, p, all)?,
                        _ => convert::value(&f.label, p, obj)?,
                    }),
                },
                Role::Out if given(i) => out = obj,
                Role::Inplace => inplace |= obj == ffi::Py_True(),
                Role::RequiresGrad => requires_grad = obj == ffi::Py_True(),
                Role::Out | Role::Ignored => {}
            }
        }
        if !out.is_null() {
            return call_out(o, &inputs, params, out);
        }
        let outs = if inplace {
            Outs::from_iter([call::call_inplace(o.op, &inputs, params).py()?])
        } else {
            call::call(o.op, &inputs, params).py()?
        };
        if requires_grad {
            for t in &outs {
                t.set_requires_grad(true).py()?;
            }
        }
        results::pack(py, &o.returns, o.tuple_type, outs, class)
    }
}

#[inline(never)]
unsafe fn call_out(
    o: &Overload,
    inputs: &[Option<&Tensor>],
    mut params: Params,
    out: *mut PyObject,
) -> PyResult<*mut PyObject> {
    // SAFETY: `out` was checked to be a tensor or a list of tensors.
    unsafe {
        let mut held = convert::Held::new();
        if is_tensor(out) {
            held.push(Some(tensor_of(out).clone()));
        } else if let Some(p) = o.params.iter().find(|p| p.role == Role::Out) {
            convert::temporaries(p, out, &mut held)?;
        }
        let outs: Vec<Tensor> = held.into_iter().flatten().collect();
        if o.factory && outs.len() == 1 {
            // What is made without a dtype is made in that of `out`: random numbers depend on it.
            let plain = o.params.iter().filter(|p| p.role == Role::Plain);
            if let Some(i) = plain.into_iter().position(|p| p.ty == Type::DType)
                && matches!(params.get(i), Some(Value::None))
            {
                params[i] = Value::DType(outs[0].dtype());
            }
        }
        call::call_out(o.op, inputs, params, &outs).py()?;
        if o.tuple_type.is_null() {
            ffi::Py_INCREF(out);
            return Ok(out);
        }
        let py = Python::assume_attached();
        results::pack(py, &o.returns, o.tuple_type, outs.into_iter().collect(), null_mut())
    }
}

/// Calls a function on plain objects, for operators: `x + y` is `run2(add, x, y)`.
///
/// # Safety
/// Live objects; the GIL is held.
#[inline]
pub unsafe fn run_on(f: &'static Function, slf: *mut PyObject, args: &[*mut PyObject]) -> *mut PyObject {
    // SAFETY: by the contract.
    unsafe { run(f, slf, args.as_ptr(), args.len(), null_mut()) }
}

/// Whether an object can be an operand beside a tensor.
///
/// # Safety
/// A live object; the GIL is held.
#[inline]
pub unsafe fn is_operand(obj: *mut PyObject) -> bool {
    // SAFETY: by the contract.
    unsafe { ffi::Py_TYPE(obj) == type_ptr() || is_tensor(obj) || check::is_number(obj) || takes_part(obj) }
}

/// Whether an object that is no tensor has a `__torch_function__`.
///
/// # Safety
/// A live object; the GIL is held.
#[cold]
pub unsafe fn takes_part(obj: *mut PyObject) -> bool {
    // SAFETY: by the contract.
    unsafe {
        let obj = Bound::from_borrowed_ptr(Python::assume_attached(), obj);
        subclass::takes_part(&obj).unwrap_or(false)
    }
}
