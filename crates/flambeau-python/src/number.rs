//! The type's number, comparison and sequence slots: `x + y`, `x < y`, `len(x)`, `bool(x)`.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;
use std::sync::{Once, OnceLock};

use flambeau_core::op::{OpDef, Params};
use flambeau_core::schema::Type;
use flambeau_core::{DType, Scalar, Tensor, call1};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi::{self, PyObject, PyType_Slot};
use pyo3::prelude::*;

use crate::args::check::is_number;
use crate::args::spec::{Function, Role, Surface};
use crate::entry::{is_operand, run_on, takes_part};
use crate::errors::{IntoPyResult, guard, guard_int, warn_once};
use crate::object::{is_tensor, tensor_of, type_ptr, wrap_ptr};
use crate::{publish, results, subclass};

/// How an operator with the tensor on the right is computed.
#[derive(Clone, Copy)]
enum Reflected {
    /// `f(other, self)` as a function.
    Function(&'static str),
    /// `f(self, other)` as a method: a commutative or a reversed operation.
    Method(&'static str),
    /// `other / self` is `self.reciprocal() * other`, as in PyTorch.
    Reciprocal,
}

struct Operator {
    method: &'static str,
    reflected: Reflected,
    /// Both operands must be tensors.
    tensors: bool,
}

const fn op(method: &'static str, reflected: Reflected) -> Operator {
    Operator { method, reflected, tensors: false }
}

const ADD: usize = 0;
const SUB: usize = 1;
const MUL: usize = 2;
const DIV: usize = 3;
const FLOOR: usize = 4;
const MOD: usize = 5;
const AND: usize = 6;
const OR: usize = 7;
const XOR: usize = 8;
const LSHIFT: usize = 9;
const RSHIFT: usize = 10;
const MATMUL: usize = 11;
const POW: usize = 12;
const COUNT: usize = 13;

const OPERATORS: [Operator; COUNT] = [
    op("add", Reflected::Method("add")),
    op("sub", Reflected::Function("rsub")),
    op("mul", Reflected::Method("mul")),
    op("div", Reflected::Reciprocal),
    op("floor_divide", Reflected::Function("floor_divide")),
    op("remainder", Reflected::Function("remainder")),
    op("bitwise_and", Reflected::Method("bitwise_and")),
    op("bitwise_or", Reflected::Method("bitwise_or")),
    op("bitwise_xor", Reflected::Method("bitwise_xor")),
    op("bitwise_left_shift", Reflected::Function("bitwise_left_shift")),
    op("bitwise_right_shift", Reflected::Function("bitwise_right_shift")),
    Operator { method: "matmul", reflected: Reflected::Function("matmul"), tensors: true },
    op("pow", Reflected::Function("pow")),
];

/// The functions behind the operators, found once.
struct Table {
    forward: [Option<&'static Function>; COUNT],
    inplace: [Option<&'static Function>; COUNT],
    reflected: [Option<&'static Function>; COUNT],
    compare: [Option<&'static Function>; 6],
    /// The row behind `forward` and its parameters, where the core has a short way for it.
    short: [Option<(&'static OpDef, Params)>; COUNT],
    neg: Option<&'static Function>,
    abs: Option<&'static Function>,
    invert: Option<&'static Function>,
    reciprocal: Option<&'static Function>,
}

static TABLE: OnceLock<Table> = OnceLock::new();

fn functions() -> &'static Table {
    TABLE.get_or_init(|| {
        let method = |name: &str| publish::find(Surface::Method, name);
        let function = |name: &str| publish::find(Surface::Function, name);
        let mut t = Table {
            forward: [None; COUNT],
            inplace: [None; COUNT],
            reflected: [None; COUNT],
            compare: ["lt", "le", "eq", "ne", "gt", "ge"].map(method),
            short: [const { None }; COUNT],
            neg: method("neg"),
            abs: method("abs"),
            invert: method("bitwise_not"),
            reciprocal: method("reciprocal"),
        };
        for (i, o) in OPERATORS.iter().enumerate() {
            t.forward[i] = method(o.method);
            t.short[i] = t.forward[i].and_then(short);
            t.inplace[i] = method(&format!("{}_", o.method));
            t.reflected[i] = match o.reflected {
                Reflected::Function(n) => function(n),
                Reflected::Method(n) => method(n),
                Reflected::Reciprocal => method("mul"),
            };
        }
        t
    })
}

/// What `f` calls on a tensor and a tensor or number alone, if the core has a short way for it.
fn short(f: &'static Function) -> Option<(&'static OpDef, Params)> {
    let o = f.overloads.first().filter(|o| o.op.quick.is_some())?;
    let [first, second, rest @ ..] = &o.params[..] else { return None };
    let operands = (first.ty, second.ty) == (Type::Tensor, Type::TensorOrScalar) && rest.iter().all(|p| p.optional);
    let plain = rest.iter().filter(|p| p.role == Role::Plain);
    operands.then(|| (o.op, plain.map(|p| p.default.clone()).collect()))
}

/// An operator on plain tensors, or one and a float: what [`run_on`] would do, without looking for an overload. Null: not that.
///
/// # Safety
/// Live objects under the GIL.
#[inline]
unsafe fn shortly(t: &Table, i: usize, a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: by the contract.
    unsafe {
        let Some((op, params)) = &t.short[i] else { return null_mut() };
        let tensor = |obj| ffi::Py_TYPE(obj) == type_ptr();
        if !tensor(a) || !(tensor(b) || ffi::PyFloat_CheckExact(b) != 0) {
            return null_mut();
        }
        guard(|py| {
            let number;
            let second = if tensor(b) {
                tensor_of(b)
            } else {
                number = Tensor::wrapped(Scalar::Float(ffi::PyFloat_AsDouble(b))).py()?;
                &number
            };
            let y = wrap_ptr(call1(op, &[Some(tensor_of(a)), Some(second)], params.clone()).py()?);
            if y.is_null() { Err(PyErr::fetch(py)) } else { Ok(y) }
        })
    }
}

fn not_implemented() -> *mut PyObject {
    // SAFETY: an immortal object; the caller gets a reference of its own.
    unsafe {
        let r = ffi::Py_NotImplemented();
        ffi::Py_INCREF(r);
        r
    }
}

/// Operators that a subclass sees under their own names; the others it sees as the operation.
const FLOOR_NAMES: (&CStr, &CStr) = (c"__floordiv__", c"__rfloordiv__");

fn reflected_name(i: usize) -> Option<&'static CStr> {
    Some(match i {
        SUB => c"__rsub__",
        DIV => c"__rdiv__",
        FLOOR => FLOOR_NAMES.1,
        MOD => c"__rmod__",
        LSHIFT => c"__rlshift__",
        RSHIFT => c"__rrshift__",
        MATMUL => c"__rmatmul__",
        POW => c"__rpow__",
        _ => return None,
    })
}

/// What the class of `slf` makes of an operator: null if it has no say.
#[cold]
unsafe fn handled(slf: *mut PyObject, name: &CStr, args: &[*mut PyObject]) -> PyResult<*mut PyObject> {
    // SAFETY: the callers' live objects under the GIL.
    unsafe {
        let py = Python::assume_attached();
        let args: Vec<_> = args.iter().map(|a| Bound::from_borrowed_ptr(py, *a)).collect();
        let done = subclass::operator(&Bound::from_borrowed_ptr(py, slf), name, &args.iter().collect::<Vec<_>>())?;
        Ok(done.map_or(null_mut(), Bound::into_ptr))
    }
}

/// As [`handled`] for a slot that returns an object: the class's result, or that of `plain`.
unsafe fn slot_or(
    slf: *mut PyObject,
    name: &CStr,
    args: &[*mut PyObject],
    plain: impl FnOnce() -> *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the callers' live objects under the GIL.
    unsafe {
        if subclass::concerns(slf) {
            match handled(slf, name, args) {
                Ok(p) if p.is_null() => {}
                Ok(p) => return p,
                Err(e) => return guard(|_| Err(e)),
            }
        }
    }
    plain()
}

unsafe fn operand(obj: *mut PyObject, i: usize) -> bool {
    // SAFETY: a live object under the GIL.
    unsafe { if OPERATORS[i].tensors { is_tensor(obj) || takes_part(obj) } else { is_operand(obj) } }
}

unsafe extern "C" fn binary<const I: usize>(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: CPython passes live objects, one of them a tensor, under the GIL.
    unsafe {
        let t = functions();
        if t.short[I].is_some() {
            let y = shortly(t, I, a, b);
            if !y.is_null() || !ffi::PyErr_Occurred().is_null() {
                return y;
            }
        }
        if is_tensor(a) {
            if I == FLOOR && subclass::concerns(a) && operand(b, I) {
                return slot_or(a, FLOOR_NAMES.0, &[b], || match t.forward[I] {
                    Some(f) => run_on(f, a, &[b]),
                    _ => not_implemented(),
                });
            }
            return match t.forward[I] {
                Some(f) if operand(b, I) => run_on(f, a, &[b]),
                _ => not_implemented(),
            };
        }
        let Some(f) = t.reflected[I] else { return not_implemented() };
        if !operand(a, I) {
            // As in PyTorch the quotient is a product, which the other operand may know how to make.
            if I == DIV && crate::convert::is_array(a) {
                return times_reciprocal(t, b, a);
            }
            return not_implemented();
        }
        if subclass::concerns(b)
            && let Some(name) = reflected_name(I)
        {
            match handled(b, name, &[a]) {
                Ok(p) if p.is_null() => {}
                Ok(p) => return p,
                Err(e) => return guard(|_| Err(e)),
            }
        }
        match OPERATORS[I].reflected {
            // `rsub(self, other)` is `other - self`.
            Reflected::Function("rsub") => run_on(f, null_mut(), &[b, a]),
            Reflected::Function(_) => run_on(f, null_mut(), &[a, b]),
            Reflected::Method(_) => {
                let y = shortly(t, I, b, a);
                if !y.is_null() || !ffi::PyErr_Occurred().is_null() { y } else { run_on(f, b, &[a]) }
            }
            Reflected::Reciprocal => {
                let Some(reciprocal) = t.reciprocal else { return not_implemented() };
                let r = run_on(reciprocal, b, &[]);
                if r.is_null() {
                    return r;
                }
                let y = run_on(f, r, &[a]);
                ffi::Py_DECREF(r);
                y
            }
        }
    }
}

/// `b.reciprocal() * a`, by Python's own rules.
unsafe fn times_reciprocal(t: &Table, b: *mut PyObject, a: *mut PyObject) -> *mut PyObject {
    // SAFETY: live objects under the GIL, `b` a tensor.
    unsafe {
        let Some(reciprocal) = t.reciprocal else { return not_implemented() };
        let r = run_on(reciprocal, b, &[]);
        if r.is_null() {
            return r;
        }
        let y = ffi::PyNumber_Multiply(r, a);
        ffi::Py_DECREF(r);
        y
    }
}

unsafe extern "C" fn inplace<const I: usize>(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: as `binary`; `a` is a tensor.
    unsafe {
        match functions().inplace[I] {
            Some(f) if operand(b, I) => run_on(f, a, &[b]),
            _ => not_implemented(),
        }
    }
}

unsafe extern "C" fn power(a: *mut PyObject, b: *mut PyObject, modulus: *mut PyObject) -> *mut PyObject {
    // SAFETY: as `binary`.
    unsafe { if modulus == ffi::Py_None() { binary::<POW>(a, b) } else { not_implemented() } }
}

unsafe extern "C" fn inplace_power(a: *mut PyObject, b: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: as `binary`.
    unsafe { inplace::<POW>(a, b) }
}

unsafe fn unary(f: Option<&'static Function>, a: *mut PyObject) -> *mut PyObject {
    // SAFETY: a live tensor under the GIL.
    unsafe {
        match f {
            Some(f) => run_on(f, a, &[]),
            None => not_implemented(),
        }
    }
}

unsafe extern "C" fn negative(a: *mut PyObject) -> *mut PyObject {
    // SAFETY: a live tensor under the GIL.
    unsafe { unary(functions().neg, a) }
}

unsafe extern "C" fn positive(a: *mut PyObject) -> *mut PyObject {
    // SAFETY: a live tensor under the GIL.
    unsafe {
        guard(|_| {
            if tensor_of(a).dtype() == DType::Bool {
                return Err(PyRuntimeError::new_err("The `+` operator, on a bool tensor is not supported."));
            }
            ffi::Py_INCREF(a);
            Ok(a)
        })
    }
}

unsafe extern "C" fn absolute(a: *mut PyObject) -> *mut PyObject {
    // SAFETY: a live tensor under the GIL.
    unsafe { unary(functions().abs, a) }
}

unsafe extern "C" fn invert(a: *mut PyObject) -> *mut PyObject {
    // SAFETY: a live tensor under the GIL.
    unsafe {
        let dtype = tensor_of(a).dtype();
        if dtype.is_float() || dtype.is_complex() {
            return guard(|_| {
                Err(PyTypeError::new_err("~ (operator.invert) is only implemented on integer and Boolean-type tensors"))
            });
        }
        unary(functions().invert, a)
    }
}

unsafe extern "C" fn compare(a: *mut PyObject, b: *mut PyObject, how: c_int) -> *mut PyObject {
    // SAFETY: CPython passes live objects, the first a tensor, under the GIL.
    unsafe {
        if how == ffi::Py_EQ && subclass::concerns(a) && is_operand(b) {
            return slot_or(a, c"__eq__", &[b], || elementwise(a, b, how));
        }
        elementwise(a, b, how)
    }
}

unsafe fn elementwise(a: *mut PyObject, b: *mut PyObject, how: c_int) -> *mut PyObject {
    // SAFETY: as `compare`.
    unsafe {
        match functions().compare[how as usize] {
            Some(f) if is_operand(b) => run_on(f, a, &[b]),
            // An array compares as the tensor over its memory; else Python would compare identities.
            Some(f) if how == ffi::Py_EQ && crate::convert::is_array(b) => guard(|py| {
                let other = crate::convert::from_numpy_array(&Bound::from_borrowed_ptr(py, b))?;
                let other = crate::object::wrap(py, other)?;
                Ok(Bound::from_owned_ptr_or_err(py, run_on(f, a, &[other.as_ptr()]))?.into_ptr())
            }),
            _ => not_implemented(),
        }
    }
}

/// By identity, as `==` is elementwise.
unsafe extern "C" fn hash(a: *mut PyObject) -> ffi::Py_hash_t {
    a as ffi::Py_hash_t
}

unsafe extern "C" fn truth(a: *mut PyObject) -> c_int {
    // SAFETY: a live tensor under the GIL.
    unsafe {
        guard_int(|py| {
            if let Some(r) = given(py, a, c"__bool__", &[])? {
                return Ok(r.is_truthy()? as c_int);
            }
            let t = tensor_of(a);
            match t.numel() {
                1 => Ok(t.item().py()?.to_bool() as c_int),
                0 => Err(PyRuntimeError::new_err("Boolean value of Tensor with no values is ambiguous")),
                _ => Err(PyRuntimeError::new_err("Boolean value of Tensor with more than one value is ambiguous")),
            }
        })
    }
}

/// PyTorch's warning, once, where a number leaves its history behind.
pub(crate) fn warn_of_gradient(py: Python<'_>) -> PyResult<()> {
    static ONCE: Once = Once::new();
    warn_once(
        py,
        &ONCE,
        c"Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\nConsider using \
          tensor.detach() first.",
    )
}

/// What a subclass's handler gives for a slot, if there is one.
unsafe fn given<'py>(
    py: Python<'py>,
    a: *mut PyObject,
    name: &CStr,
    args: &[*mut PyObject],
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: the callers' live objects under the GIL.
    unsafe {
        if !subclass::concerns(a) {
            return Ok(None);
        }
        let p = handled(a, name, args)?;
        Ok(if p.is_null() { None } else { Some(Bound::from_owned_ptr(py, p)) })
    }
}

/// The one element, for `int(x)`, `float(x)`, `complex(x)`.
fn element(obj: &Bound<'_, PyAny>) -> PyResult<Scalar> {
    let t = crate::object::expect(obj, "item", "self")?;
    if t.numel() != 1 {
        return Err(PyValueError::new_err("only one element tensors can be converted to Python scalars"));
    }
    t.item().py()
}

unsafe extern "C" fn int(a: *mut PyObject) -> *mut PyObject {
    // SAFETY: a live tensor under the GIL.
    unsafe {
        guard(|py| {
            if let Some(r) = given(py, a, c"__int__", &[])? {
                return Ok(r.into_ptr());
            }
            let s = match element(&Bound::from_borrowed_ptr(py, a))? {
                // Python's own conversion: arbitrary size, errors for inf and nan.
                Scalar::Float(f) => return Ok(f.into_pyobject(py)?.call_method0("__int__")?.into_ptr()),
                Scalar::Complex(re, im) if im != 0.0 || re.fract() != 0.0 && !re.is_finite() => {
                    return Err(PyRuntimeError::new_err("value cannot be converted to type int64_t without overflow"));
                }
                s => Scalar::Int(s.to_i64()),
            };
            Ok(results::number(py, s)?.into_ptr())
        })
    }
}

unsafe extern "C" fn float(a: *mut PyObject) -> *mut PyObject {
    // SAFETY: a live tensor under the GIL.
    unsafe {
        guard(|py| {
            if let Some(r) = given(py, a, c"__float__", &[])? {
                return Ok(r.into_ptr());
            }
            if tensor_of(a).requires_grad() {
                warn_of_gradient(py)?;
            }
            let s = element(&Bound::from_borrowed_ptr(py, a))?;
            if let Scalar::Complex(_, im) = s
                && im != 0.0
            {
                return Err(PyRuntimeError::new_err("value cannot be converted to type double without overflow"));
            }
            Ok(results::number(py, Scalar::Float(s.to_f64()))?.into_ptr())
        })
    }
}

unsafe extern "C" fn index(a: *mut PyObject) -> *mut PyObject {
    // SAFETY: a live tensor under the GIL.
    unsafe {
        guard(|py| {
            if let Some(r) = given(py, a, c"__index__", &[])? {
                return Ok(r.into_ptr());
            }
            let t = tensor_of(a);
            if t.numel() != 1 || !(t.dtype().is_int() || t.dtype() == DType::Bool) {
                return Err(PyTypeError::new_err(
                    "only integer tensors of a single element can be converted to an index",
                ));
            }
            Ok(results::number(py, Scalar::Int(t.item().py()?.to_i64()))?.into_ptr())
        })
    }
}

/// `complex(x)`.
fn complex<'py>(
    slf: &Bound<'py, PyAny>,
    _: &Bound<'py, pyo3::types::PyTuple>,
    _: Option<&Bound<'py, pyo3::types::PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    if crate::object::expect(slf, "__complex__", "self")?.requires_grad() {
        warn_of_gradient(slf.py())?;
    }
    let (re, im) = element(slf)?.to_complex();
    results::number(slf.py(), Scalar::Complex(re, im))
}

unsafe extern "C" fn length(a: *mut PyObject) -> ffi::Py_ssize_t {
    // SAFETY: a live tensor under the GIL.
    unsafe {
        guard_int(|py| {
            if let Some(r) = given(py, a, c"__len__", &[])? {
                return r.extract::<ffi::Py_ssize_t>();
            }
            match tensor_of(a).sizes().first() {
                Some(&n) => Ok(n as ffi::Py_ssize_t),
                None => Err(PyTypeError::new_err("len() of a 0-d tensor")),
            }
        })
    }
}

unsafe extern "C" fn contains(a: *mut PyObject, item: *mut PyObject) -> c_int {
    // SAFETY: live objects, the first a tensor, under the GIL.
    unsafe {
        guard_int(|py| {
            if let Some(r) = given(py, a, c"__contains__", &[item])? {
                return Ok(r.is_truthy()? as c_int);
            }
            if !is_tensor(item) && !is_number(item) {
                let ty = Bound::from_borrowed_ptr(py, item).get_type();
                return Err(PyRuntimeError::new_err(format!(
                    "Tensor.__contains__ only supports Tensor or scalar, but you passed in a {}.",
                    ty.repr()?
                )));
            }
            let eq = Bound::from_owned_ptr_or_err(py, compare(a, item, ffi::Py_EQ))?;
            let any = eq.call_method0("any")?;
            Ok(any.is_truthy()? as c_int)
        })
    }
}

pub fn methods() -> Vec<ffi::PyMethodDef> {
    vec![crate::method!(c"__complex__", complex, c"The one element as a Python complex number.")]
}

pub fn slots() -> Vec<PyType_Slot> {
    let slot = |slot: c_int, pfunc: *mut c_void| PyType_Slot { slot, pfunc };
    vec![
        slot(ffi::Py_nb_add, binary::<ADD> as *mut c_void),
        slot(ffi::Py_nb_subtract, binary::<SUB> as *mut c_void),
        slot(ffi::Py_nb_multiply, binary::<MUL> as *mut c_void),
        slot(ffi::Py_nb_true_divide, binary::<DIV> as *mut c_void),
        slot(ffi::Py_nb_floor_divide, binary::<FLOOR> as *mut c_void),
        slot(ffi::Py_nb_remainder, binary::<MOD> as *mut c_void),
        slot(ffi::Py_nb_and, binary::<AND> as *mut c_void),
        slot(ffi::Py_nb_or, binary::<OR> as *mut c_void),
        slot(ffi::Py_nb_xor, binary::<XOR> as *mut c_void),
        slot(ffi::Py_nb_lshift, binary::<LSHIFT> as *mut c_void),
        slot(ffi::Py_nb_rshift, binary::<RSHIFT> as *mut c_void),
        slot(ffi::Py_nb_matrix_multiply, binary::<MATMUL> as *mut c_void),
        slot(ffi::Py_nb_power, power as *mut c_void),
        slot(ffi::Py_nb_inplace_add, inplace::<ADD> as *mut c_void),
        slot(ffi::Py_nb_inplace_subtract, inplace::<SUB> as *mut c_void),
        slot(ffi::Py_nb_inplace_multiply, inplace::<MUL> as *mut c_void),
        slot(ffi::Py_nb_inplace_true_divide, inplace::<DIV> as *mut c_void),
        slot(ffi::Py_nb_inplace_floor_divide, inplace::<FLOOR> as *mut c_void),
        slot(ffi::Py_nb_inplace_remainder, inplace::<MOD> as *mut c_void),
        slot(ffi::Py_nb_inplace_and, inplace::<AND> as *mut c_void),
        slot(ffi::Py_nb_inplace_or, inplace::<OR> as *mut c_void),
        slot(ffi::Py_nb_inplace_xor, inplace::<XOR> as *mut c_void),
        slot(ffi::Py_nb_inplace_lshift, inplace::<LSHIFT> as *mut c_void),
        slot(ffi::Py_nb_inplace_rshift, inplace::<RSHIFT> as *mut c_void),
        slot(ffi::Py_nb_inplace_power, inplace_power as *mut c_void),
        slot(ffi::Py_nb_negative, negative as *mut c_void),
        slot(ffi::Py_nb_positive, positive as *mut c_void),
        slot(ffi::Py_nb_absolute, absolute as *mut c_void),
        slot(ffi::Py_nb_invert, invert as *mut c_void),
        slot(ffi::Py_nb_bool, truth as *mut c_void),
        slot(ffi::Py_nb_int, int as *mut c_void),
        slot(ffi::Py_nb_float, float as *mut c_void),
        slot(ffi::Py_nb_index, index as *mut c_void),
        slot(ffi::Py_tp_richcompare, compare as *mut c_void),
        slot(ffi::Py_tp_hash, hash as *mut c_void),
        slot(ffi::Py_mp_length, length as *mut c_void),
        slot(ffi::Py_sq_contains, contains as *mut c_void),
    ]
}
