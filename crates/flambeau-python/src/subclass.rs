//! `__torch_function__`: subclasses of `Tensor` that want to see calls, and results that keep a subclass.

use std::cell::Cell;
use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::args::message::Given;
use crate::args::spec::{Function, Surface};
use crate::object;
use crate::tensor_type::{GetFn, MethodFn};

/// How a subclass treats calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As if it were a plain tensor; `Parameter` does.
    Disabled,
    /// Results become of the subclass.
    Default,
    /// Its own `__torch_function__`.
    Custom,
}

thread_local! {
    /// Inside `DisableTorchFunctionSubclass`.
    static OFF: Cell<usize> = const { Cell::new(0) };
}

/// The type last found to be disabled: nearly always `Parameter`.
static LAST_DISABLED: AtomicPtr<PyTypeObject> = AtomicPtr::new(null_mut());
/// Types asked before. They are kept alive, so that an address means one type.
static KNOWN: Mutex<Vec<(usize, Kind)>> = Mutex::new(Vec::new());
/// Address of the `__torch_function__` that turns the protocol off.
static DISABLED_IMPL: AtomicUsize = AtomicUsize::new(0);
static NOWRAP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn kind(py: Python<'_>, ty: *mut PyTypeObject) -> Kind {
    if let Some(k) = KNOWN.lock().iter().find(|k| k.0 == ty as usize) {
        return k.1;
    }
    // SAFETY: a live type under the GIL.
    let class = unsafe { Bound::from_borrowed_ptr(py, ty.cast()) };
    let found = match class.getattr("__torch_function__") {
        Ok(f) if f.as_ptr() as usize == DISABLED_IMPL.load(Relaxed) => Kind::Disabled,
        Ok(f) => {
            // The inherited one is bound to the class: what it wraps tells whose it is.
            let base = object::tensor_type(py).getattr("__torch_function__");
            let same = |a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>| {
                a.is_instance_of::<pyo3::types::PyCFunction>()
                    && b.is_instance_of::<pyo3::types::PyCFunction>()
                    && a.getattr("__name__").is_ok_and(|n| n.to_string() == "__torch_function__")
            };
            if base.is_ok_and(|b| same(&f, &b)) { Kind::Default } else { Kind::Custom }
        }
        Err(_) => Kind::Disabled,
    };
    if found == Kind::Disabled {
        LAST_DISABLED.store(ty, Relaxed);
    }
    let mut known = KNOWN.lock();
    if known.len() < 256 {
        std::mem::forget(class);
        known.push((ty as usize, found));
    }
    found
}

/// What to do with a call that has tensors of subclasses.
pub enum Decision {
    /// Go on; results become of this class (null: plain tensors).
    Proceed(*mut PyTypeObject),
    /// A subclass gave the result.
    Done(*mut PyObject),
}

/// Asks the subclasses among `objs`, the placed arguments of an overload.
///
/// # Safety
/// Live arguments under the GIL.
#[cold]
pub unsafe fn decide(
    py: Python<'_>,
    f: &Function,
    objs: &[*mut PyObject],
    slf: *mut PyObject,
    given: Given<'_>,
) -> PyResult<Decision> {
    if OFF.get() > 0 {
        return Ok(Decision::Proceed(null_mut()));
    }
    let mut overloaded: Vec<Bound<'_, PyAny>> = Vec::new();
    let mut class: *mut PyTypeObject = null_mut();
    let mut custom = false;
    let mut see = |obj: *mut PyObject| {
        // SAFETY: live objects under the GIL.
        unsafe {
            let ty = ffi::Py_TYPE(obj);
            if ty == object::type_ptr() || ty == LAST_DISABLED.load(Relaxed) || !object::is_tensor(obj) {
                return;
            }
            match kind(py, ty) {
                Kind::Disabled => return,
                Kind::Default => {
                    if class.is_null() || ffi::PyType_IsSubtype(ty, class) != 0 {
                        class = ty;
                    }
                }
                Kind::Custom => custom = true,
            }
            insert(&mut overloaded, Bound::from_borrowed_ptr(py, obj));
        }
    };
    for &obj in objs {
        if obj.is_null() {
            continue;
        }
        // SAFETY: as above.
        unsafe {
            if ffi::PyTuple_Check(obj) != 0 || ffi::PyList_Check(obj) != 0 {
                for i in 0..ffi::PySequence_Size(obj) {
                    let item = Bound::from_owned_ptr_or_err(py, ffi::PySequence_GetItem(obj, i))?;
                    see(item.as_ptr());
                }
            } else {
                see(obj);
            }
        }
    }
    if !custom {
        return Ok(Decision::Proceed(class));
    }
    // SAFETY: by the contract.
    unsafe { ask(py, f, &overloaded, slf, given) }.map(Decision::Done)
}

/// Hands a call to the classes of the objects, one after the other, until one takes it.
///
/// # Safety
/// Live arguments under the GIL.
unsafe fn ask(
    py: Python<'_>,
    f: &Function,
    overloaded: &[Bound<'_, PyAny>],
    slf: *mut PyObject,
    given: Given<'_>,
) -> PyResult<*mut PyObject> {
    let types: Vec<Bound<'_, PyType>> = overloaded.iter().map(|o| o.get_type()).collect();
    let types = PyTuple::new(py, types)?;
    // SAFETY: live arguments under the GIL.
    let borrowed = |p: &*mut PyObject| unsafe { Bound::from_borrowed_ptr(py, *p) };
    let mut args: Vec<Bound<'_, PyAny>> = Vec::new();
    if !slf.is_null() {
        args.push(borrowed(&slf));
    }
    args.extend(given.positional.iter().map(borrowed));
    let args = PyTuple::new(py, args)?;
    let kwargs = PyDict::new(py);
    if let Some(names) = given.names {
        for (i, v) in given.keywords.iter().enumerate() {
            kwargs.set_item(names.get_item(i)?, borrowed(v))?;
        }
    }
    let func = function_object(py, f)?;
    for arg in overloaded {
        let hook = arg.get_type().getattr("__torch_function__")?;
        let result = if kwargs.is_empty() {
            hook.call1((&func, &types, &args))
        } else {
            hook.call1((&func, &types, &args, &kwargs))
        }?;
        if !result.is(py.NotImplemented()) {
            return Ok(result.into_ptr());
        }
    }
    Err(no_implementation(&format!("torch.{}", f.label), &overloaded.iter().map(|o| o.get_type()).collect::<Vec<_>>()))
}

/// A call whose arguments fit no overload, but among them objects that are no tensors and have a `__torch_function__`:
/// their answer.
///
/// # Safety
/// Live arguments under the GIL.
#[cold]
pub unsafe fn foreign(
    py: Python<'_>,
    f: &Function,
    slf: *mut PyObject,
    given: Given<'_>,
) -> PyResult<Option<*mut PyObject>> {
    let mut overloaded: Vec<Bound<'_, PyAny>> = Vec::new();
    let mut strangers = false;
    let mut see = |obj: Bound<'_, PyAny>| -> PyResult<()> {
        if takes_part(&obj)? {
            strangers |= object::unwrap(&obj).is_none();
            insert(&mut overloaded, obj.unbind().into_bound(py));
        }
        Ok(())
    };
    for &p in [slf].iter().filter(|p| !p.is_null()).chain(given.positional).chain(given.keywords) {
        // SAFETY: by the contract.
        let obj = unsafe { Bound::from_borrowed_ptr(py, p) };
        if obj.is_exact_instance_of::<PyTuple>() || obj.is_exact_instance_of::<pyo3::types::PyList>() {
            obj.try_iter()?.try_for_each(|item| see(item?))?;
        } else {
            see(obj)?;
        }
    }
    if !strangers {
        return Ok(None);
    }
    // SAFETY: by the contract.
    unsafe { ask(py, f, &overloaded, slf, given) }.map(Some)
}

/// Adds an object of a class that is not there yet; subclasses come before what they derive from.
fn insert<'py>(overloaded: &mut Vec<Bound<'py, PyAny>>, obj: Bound<'py, PyAny>) {
    let ty = obj.get_type_ptr();
    if overloaded.iter().any(|o| o.get_type_ptr() == ty) {
        return;
    }
    // SAFETY: live types under the GIL.
    let at = overloaded.iter().position(|o| unsafe { ffi::PyType_IsSubtype(ty, o.get_type_ptr()) != 0 });
    overloaded.insert(at.unwrap_or(overloaded.len()), obj);
}

/// None if no argument of a Python function takes part in the protocol, lists and tuples looked into one level deep; else
/// those that do and all plain tensors.
#[pyfunction]
fn _torch_function_args<'py>(
    args: &Bound<'py, PyTuple>,
    kwargs: &Bound<'py, PyDict>,
) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
    if OFF.get() > 0 {
        return Ok(None);
    }
    let (mut found, mut concerned) = (Vec::new(), false);
    let mut note = |obj: Bound<'py, PyAny>| -> PyResult<()> {
        let takes_part = takes_part(&obj)?;
        concerned |= takes_part;
        if takes_part || obj.get_type_ptr() == object::type_ptr() {
            found.push(obj);
        }
        Ok(())
    };
    let mut see = |obj: Bound<'py, PyAny>| -> PyResult<()> {
        // SAFETY: live objects under the GIL.
        let list = unsafe { ffi::PyList_CheckExact(obj.as_ptr()) != 0 || ffi::PyTuple_CheckExact(obj.as_ptr()) != 0 };
        if list {
            for item in obj.try_iter()? {
                note(item?)?;
            }
            return Ok(());
        }
        note(obj)
    };
    for obj in args {
        see(obj)?;
    }
    for (_, obj) in kwargs {
        see(obj)?;
    }
    Ok(concerned.then_some(found))
}

/// Whether an object may be of a subclass that wants to see what is done with it.
///
/// # Safety
/// A live object; the GIL is held.
#[inline(always)]
pub(crate) unsafe fn concerns(obj: *mut PyObject) -> bool {
    // SAFETY: by the contract.
    let ty = unsafe { ffi::Py_TYPE(obj) };
    ty != object::type_ptr() && ty != LAST_DISABLED.load(Relaxed) && OFF.get() == 0
}

fn class_kind(slf: &Bound<'_, PyAny>) -> Kind {
    // A class method's object is a type, not a tensor.
    match object::unwrap(slf) {
        // SAFETY: a live object under the GIL.
        Some(_) => kind(slf.py(), unsafe { ffi::Py_TYPE(slf.as_ptr()) }),
        None => Kind::Disabled,
    }
}

/// Hands a call to the handler of an object's class.
fn hand_over<'py>(
    slf: &Bound<'py, PyAny>,
    func: Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let types = PyTuple::new(py, [slf.get_type()])?;
    let hook = slf.get_type().getattr("__torch_function__")?;
    let result = match kwargs {
        Some(kwargs) => hook.call1((&func, types, args, kwargs)),
        None => hook.call1((&func, types, args)),
    }?;
    if result.is(py.NotImplemented()) {
        return Err(no_implementation(&func.str()?.to_string(), &[slf.get_type()]));
    }
    Ok(result)
}

fn no_implementation(name: &str, types: &[Bound<'_, PyType>]) -> PyErr {
    let names: Vec<String> = types.iter().map(|t| t.repr().map_or_else(|_| "?".into(), |r| r.to_string())).collect();
    PyTypeError::new_err(format!(
        "Multiple dispatch failed for '{name}'; all __torch_function__ handlers returned NotImplemented:\n\n  - {}\n\nFor \
         more information, try re-running with TORCH_LOGS=not_implemented",
        names.join("\n  - ")
    ))
}

/// Attributes whose tensors keep their own class.
const OWN_CLASS: [&CStr; 3] = [c"grad", c"_grad", c"_base"];

/// Whether a function is the getter of such an attribute.
fn keeps_class(func: &Bound<'_, PyAny>) -> bool {
    let name_of = |o: &Bound<'_, PyAny>| o.getattr("__name__").map_or_else(|_| String::new(), |n| n.to_string());
    name_of(func) == "__get__"
        && func.getattr("__self__").is_ok_and(|d| {
            let name = name_of(&d);
            OWN_CLASS.iter().any(|own| own.to_bytes() == name.as_bytes())
        })
}

fn descriptor<'py>(py: Python<'py>, name: &CStr, verb: &str) -> PyResult<Bound<'py, PyAny>> {
    object::tensor_type(py).getattr(name.to_str().unwrap_or_default())?.getattr(verb)
}

/// A getter of an object that [`concerns`] us: the value if its class gave one. `f` computes what may be a tensor.
#[cold]
pub fn get<'py>(f: Option<GetFn>, name: &CStr, slf: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = slf.py();
    match (class_kind(slf), f) {
        (Kind::Custom, _) => {
            hand_over(slf, descriptor(py, name, "__get__")?, &PyTuple::new(py, [slf])?, None).map(Some)
        }
        (Kind::Default, Some(f)) if !OWN_CLASS.contains(&name) => {
            let value = {
                let _off = Off::new();
                f(slf)?
            };
            convert(&value, &slf.get_type()).map(Some)
        }
        _ => Ok(None),
    }
}

/// A setter, or a deletion: whether the class did it.
#[cold]
pub fn set(name: &CStr, slf: &Bound<'_, PyAny>, value: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
    if class_kind(slf) != Kind::Custom {
        return Ok(false);
    }
    let verb = if value.is_some() { "__set__" } else { "__delete__" };
    let args = PyTuple::new(slf.py(), std::iter::once(slf).chain(value).collect::<Vec<_>>())?;
    hand_over(slf, descriptor(slf.py(), name, verb)?, &args, None).map(|_| true)
}

/// A method that is not an operation: the result if the class gave one.
#[cold]
pub fn method<'py>(
    f: MethodFn,
    name: &CStr,
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = slf.py();
    if name == c"as_subclass" {
        return Ok(None);
    }
    match class_kind(slf) {
        Kind::Disabled => Ok(None),
        Kind::Custom => {
            let func = object::tensor_type(py).getattr(name.to_str().unwrap_or_default())?;
            let all = PyTuple::new(py, std::iter::once(slf.clone()).chain(args.iter()).collect::<Vec<_>>())?;
            hand_over(slf, func, &all, kwargs).map(Some)
        }
        Kind::Default => {
            let result = {
                let _off = Off::new();
                f(slf, args, kwargs)?
            };
            convert(&result, &slf.get_type()).map(Some)
        }
    }
}

/// Whether any of the objects is a tensor of a subclass that takes part in the protocol, or another object with a
/// `__torch_function__`.
#[pyfunction]
fn _has_torch_function(objects: &Bound<'_, PyAny>) -> PyResult<bool> {
    for obj in objects.try_iter()? {
        if takes_part(&obj?)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// As `_has_torch_function`, of one object.
#[pyfunction]
fn _has_torch_function_unary(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    takes_part(object)
}

pub(crate) fn takes_part(obj: &Bound<'_, PyAny>) -> PyResult<bool> {
    // SAFETY: a live object under the GIL.
    if !unsafe { concerns(obj.as_ptr()) } {
        return Ok(false);
    }
    if object::unwrap(obj).is_some() {
        return Ok(class_kind(obj) != Kind::Disabled);
    }
    // Plain values are asked by the million; none of them has the method.
    let plain = obj.is_none()
        || obj.is_exact_instance_of::<pyo3::types::PyInt>()
        || obj.is_exact_instance_of::<pyo3::types::PyFloat>()
        || obj.is_exact_instance_of::<pyo3::types::PyString>()
        || obj.is_exact_instance_of::<PyTuple>()
        || obj.is_exact_instance_of::<pyo3::types::PyBool>()
        || obj.is_exact_instance_of::<PyType>();
    if plain {
        return Ok(false);
    }
    match obj.get_type().getattr_opt("__torch_function__")? {
        Some(f) => Ok(f.as_ptr() as usize != DISABLED_IMPL.load(Relaxed)),
        None => Ok(false),
    }
}

/// Whether an object's class treats operators in its own way: the result if its handler gave one.
#[inline]
pub fn operator<'py>(
    slf: &Bound<'py, PyAny>,
    name: &std::ffi::CStr,
    args: &[&Bound<'py, PyAny>],
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: a live object under the GIL.
    let ty = unsafe { ffi::Py_TYPE(slf.as_ptr()) };
    if ty == object::type_ptr() || ty == LAST_DISABLED.load(Relaxed) || OFF.get() > 0 {
        return Ok(None);
    }
    let py = slf.py();
    if kind(py, ty) != Kind::Custom {
        return Ok(None);
    }
    let func = object::tensor_type(py).getattr(name.to_str().unwrap_or_default())?;
    let all = PyTuple::new(py, std::iter::once(slf).chain(args.iter().copied()).collect::<Vec<_>>())?;
    hand_over(slf, func, &all, None).map(Some)
}

/// The object of a result that takes the class of the tensor it came from.
#[inline]
pub fn wrap_like<'py>(slf: &Bound<'py, PyAny>, t: flambeau_core::Tensor) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: a live object under the GIL.
    let ty = unsafe { ffi::Py_TYPE(slf.as_ptr()) };
    let plain = ty == object::type_ptr() || ty == LAST_DISABLED.load(Relaxed) || OFF.get() > 0;
    if plain || !t.front().is_null() || kind(slf.py(), ty) != Kind::Default {
        return object::wrap(slf.py(), t);
    }
    crate::tensor_type::wrap_with_class(&slf.get_type(), t)
}

/// The public object of a function, as a subclass's handler sees it.
fn function_object<'py>(py: Python<'py>, f: &Function) -> PyResult<Bound<'py, PyAny>> {
    let known = f.object.load(Relaxed);
    if !known.is_null() {
        // SAFETY: kept for the whole process.
        return Ok(unsafe { Bound::from_borrowed_ptr(py, known) });
    }
    match f.surface {
        Surface::Method => object::tensor_type(py).getattr(f.name),
        _ => Err(PyTypeError::new_err(format!("{} has no public object", f.label))),
    }
}

/// `Tensor.__torch_function__(func, types, args=(), kwargs=None)`: calls `func` and turns results into the class.
fn default_torch_function<'py>(
    cls: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = args.py();
    let get = |i: usize, name: &str| match args.get_item(i) {
        Ok(v) => Ok(Some(v)),
        Err(_) => kwargs.map_or(Ok(None), |k| k.get_item(name)),
    };
    let func = get(0, "func")?.ok_or_else(|| PyTypeError::new_err("__torch_function__() needs a function"))?;
    let class = cls.cast::<PyType>()?;
    if let Some(types) = get(1, "types")? {
        for ty in types.try_iter()? {
            if !class.is_subclass(&ty?)? {
                return Ok(py.NotImplemented().into_bound(py));
            }
        }
    }
    let call_args = match get(2, "args")? {
        Some(a) => a.try_iter()?.collect::<PyResult<Vec<_>>>()?,
        None => Vec::new(),
    };
    let call_kwargs = get(3, "kwargs")?.filter(|k| !k.is_none());
    let call_kwargs = call_kwargs.as_ref().map(|k| k.cast::<PyDict>()).transpose()?;
    let result = {
        let _off = Off::new();
        func.call(PyTuple::new(py, call_args)?, call_kwargs)?
    };
    if keeps_class(&func) || NOWRAP.get(py).is_some_and(|set| set.bind(py).contains(&func).unwrap_or(false)) {
        return Ok(result);
    }
    convert(&result, class)
}

/// Tensors inside a result as objects of the class.
fn convert<'py>(obj: &Bound<'py, PyAny>, class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    if class.is(object::tensor_type(obj.py())) {
        return Ok(obj.clone());
    }
    if let Some(t) = object::unwrap(obj) {
        if obj.is_instance(class)? {
            return Ok(obj.clone());
        }
        let y = flambeau_core::call::view(&flambeau_core::view::ViewOp::Alias, t);
        return crate::tensor_type::wrap_with_class(class, crate::errors::IntoPyResult::py(y)?);
    }
    // Only plain tuples and lists, as PyTorch; a named tuple is rebuilt from its items.
    if obj.is_instance_of::<PyTuple>() || obj.is_instance_of::<pyo3::types::PyList>() {
        let items = obj.try_iter()?.map(|i| convert(&i?, class)).collect::<PyResult<Vec<_>>>()?;
        return obj.get_type().call1((pyo3::types::PyList::new(obj.py(), items)?,));
    }
    Ok(obj.clone())
}

/// Turns the protocol off on this thread until dropped.
struct Off;

impl Off {
    fn new() -> Off {
        OFF.set(OFF.get() + 1);
        Off
    }
}

impl Drop for Off {
    fn drop(&mut self) {
        OFF.set(OFF.get() - 1);
    }
}

/// A context in which tensors of subclasses count as plain tensors.
#[pyclass(name = "DisableTorchFunctionSubclass", module = "flambeau._C")]
struct DisableTorchFunctionSubclass;

#[pymethods]
impl DisableTorchFunctionSubclass {
    #[new]
    fn new() -> Self {
        DisableTorchFunctionSubclass
    }

    fn __enter__(&self) {
        OFF.set(OFF.get() + 1);
    }

    fn __exit__(&self, _ty: Bound<'_, PyAny>, _value: Bound<'_, PyAny>, _traceback: Bound<'_, PyAny>) {
        OFF.set(OFF.get().saturating_sub(1));
    }
}

/// Assigned to `__torch_function__`, it makes a subclass count as a plain tensor in every call.
#[pyfunction]
#[pyo3(signature = (func, types, args=None, kwargs=None))]
fn _disabled_torch_function_impl<'py>(
    func: &Bound<'py, PyAny>,
    types: &Bound<'py, PyAny>,
    args: Option<&Bound<'py, PyTuple>>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let _ = types;
    let _off = Off::new();
    func.call(args.cloned().unwrap_or_else(|| PyTuple::empty(func.py())), kwargs)
}

/// Functions whose results `__torch_function__` leaves alone.
#[pyfunction]
fn _set_nowrap_functions(functions: Bound<'_, PyAny>) {
    let _ = NOWRAP.set(functions.py(), functions.unbind());
}

pub fn methods() -> Vec<ffi::PyMethodDef> {
    let mut def = crate::method!(
        c"__torch_function__",
        default_torch_function,
        c"__torch_function__(func, types, args=(), kwargs=None)\n\nCalls `func`; tensors in its result become of this class."
    );
    def.ml_flags |= ffi::METH_CLASS;
    vec![def]
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<DisableTorchFunctionSubclass>()?;
    let disabled = wrap_pyfunction!(_disabled_torch_function_impl, m)?;
    DISABLED_IMPL.store(disabled.as_ptr() as usize, Relaxed);
    m.add_function(disabled)?;
    m.add_function(wrap_pyfunction!(_has_torch_function, m)?)?;
    m.add_function(wrap_pyfunction!(_has_torch_function_unary, m)?)?;
    m.add_function(wrap_pyfunction!(_torch_function_args, m)?)?;
    m.add_function(wrap_pyfunction!(_set_nowrap_functions, m)?)
}
