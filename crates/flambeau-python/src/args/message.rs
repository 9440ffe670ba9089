//! The texts of `TypeError`s for wrong arguments, word for word PyTorch's.

use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

use super::check::{self, Noted};
use super::spec::{Function, Overload, Surface};
use flambeau_core::schema::Type;

/// The arguments of one call as CPython hands them over.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub positional: &'a [*mut PyObject],
    /// Values of keywords, in the order of `names`.
    pub keywords: &'a [*mut PyObject],
    pub names: Option<&'a Bound<'a, PyAny>>,
}

impl Given<'_> {
    fn keyword_names(&self) -> Vec<String> {
        let Some(names) = self.names else { return Vec::new() };
        (0..self.keywords.len()).map(|i| names.get_item(i).map(|n| n.to_string()).unwrap_or_default()).collect()
    }

    fn keyword(&self, p: &super::spec::Param) -> Option<*mut PyObject> {
        let names = self.names?;
        let find = |key: *mut PyObject| {
            (0..self.keywords.len()).find(|&i| {
                // SAFETY: both are live strings under the GIL.
                names.get_item(i).is_ok_and(|n| unsafe { same_name(n.as_ptr(), key) })
            })
        };
        std::iter::once(p.key).chain(p.aliases).filter(|k| !k.is_null()).find_map(find).map(|i| self.keywords[i])
    }
}

/// # Safety
/// Two live strings; the GIL is held.
#[inline]
pub unsafe fn same_name(a: *mut PyObject, b: *mut PyObject) -> bool {
    // SAFETY: by the contract.
    unsafe { a == b || ffi::PyUnicode_Compare(a, b) == 0 }
}

/// The name of an object's type as PyTorch's messages show it.
pub fn type_name(obj: &Bound<'_, PyAny>) -> String {
    let ty = obj.get_type();
    let name = ty.name().map(|n| n.to_string()).unwrap_or_default();
    let module = ty.module().map(|m| m.to_string()).unwrap_or_default();
    // SAFETY: a live type.
    let heap = unsafe { ffi::PyType_GetFlags(ty.as_type_ptr()) & ffi::Py_TPFLAGS_HEAPTYPE != 0 };
    match module.as_str() {
        "flambeau" if name != "Tensor" && heap => format!("torch.{name}"),
        "builtins" => name,
        _ if heap => name,
        _ => format!("{module}.{name}"),
    }
}

fn type_name_ptr(obj: *mut PyObject) -> String {
    // SAFETY: a live argument under the GIL.
    unsafe { type_name(&Bound::from_borrowed_ptr(Python::assume_attached(), obj)) }
}

/// Functions that have a deprecated second signature in PyTorch, which shows in their messages.
const DEPRECATED_TWIN: [&str; 12] =
    ["add", "sub", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "baddbmm", "add_", "sub_", "addmm_"];

/// The error for arguments that no overload takes.
#[cold]
pub fn explain(f: &Function, given: Given<'_>) -> PyErr {
    let total = given.positional.len() + given.keywords.len();
    if f.overloads.len() == 1 && !DEPRECATED_TWIN.contains(&f.name) {
        return mismatch(f, &f.overloads[0], given);
    }
    let plausible: Vec<&Overload> =
        f.overloads.iter().filter(|o| total >= o.min_args && total <= o.visible().count()).collect();
    if let [only] = plausible[..] {
        return mismatch(f, only, given);
    }
    PyTypeError::new_err(no_match(f, given))
}

/// Why one overload does not take the arguments.
fn mismatch(f: &Function, o: &Overload, given: Given<'_>) -> PyErr {
    let label = &f.label;
    let given_n = given.positional.len();
    let limit = o.positional.len();
    let too_many = || {
        let text = if f.surface == Surface::Method && o.visible().count() == 0 {
            format!("Tensor.{label}() takes no arguments ({given_n} given)")
        } else if o.min_args < limit {
            format!("{label}() takes from {} to {limit} positional arguments but {given_n} were given", o.min_args)
        } else {
            format!(
                "{label}() takes {limit} positional argument{} but {given_n} {} given",
                if limit == 1 { "" } else { "s" },
                if given_n == 1 { "was" } else { "were" }
            )
        };
        PyTypeError::new_err(text)
    };
    if f.surface == Surface::Method && o.visible().count() == 0 && !given.keywords.is_empty() {
        return PyTypeError::new_err(format!("Tensor.{label}() takes no keyword arguments"));
    }
    if given_n > limit && !o.varargs {
        return too_many();
    }
    let mut at = 0;
    for (i, p) in o.visible().enumerate() {
        let (obj, by_name) = if at < given_n {
            if p.keyword_only {
                return too_many();
            }
            (Some(given.positional[at]), false)
        } else {
            (given.keyword(p), true)
        };
        let Some(obj) = obj else {
            if p.optional {
                continue;
            }
            return missing(f, o, i);
        };
        let mut noted = Noted::default();
        // SAFETY: a live argument under the GIL.
        let fits = unsafe {
            (obj == ffi::Py_None() && p.nullable)
                || match check::fits(p, obj, &mut noted) {
                    Ok(fits) => fits,
                    Err(e) => return e,
                }
        };
        let varargs = o.varargs && at == 0 && !by_name;
        if !fits {
            if let (Type::Tensors(_), Some(bad)) = (p.ty, noted.failed) {
                return check::not_a_tensor(obj, bad, i);
            }
            // SAFETY: as above.
            if varargs && unsafe { check::is_index(obj) } {
                at = given_n;
                continue;
            }
            let position = if by_name { String::new() } else { format!(" (position {})", at + 1) };
            let what = match noted.failed {
                Some(bad) => {
                    // SAFETY: as above.
                    let list = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), obj) };
                    let element = list.get_item(bad).map(|e| type_name(&e)).unwrap_or_default();
                    format!("must be {}, but found element of type {element} at pos {bad}", p.type_name)
                }
                None => format!("must be {}, not {}", p.type_name, type_name_ptr(obj)),
            };
            return PyTypeError::new_err(format!("{label}(): argument '{}'{position} {what}", p.name));
        }
        if !by_name {
            at += 1;
        }
    }
    if at < given_n {
        return too_many();
    }
    for name in given.keyword_names() {
        match o.visible().position(|p| p.name == name) {
            None => return PyTypeError::new_err(format!("{label}() got an unexpected keyword argument '{name}'")),
            Some(i) if i < given_n => {
                return PyTypeError::new_err(format!("{label}() got multiple values for argument '{name}'"));
            }
            Some(_) => {}
        }
    }
    PyTypeError::new_err(format!("{label}(): invalid keyword arguments"))
}

fn missing(f: &Function, o: &Overload, from: usize) -> PyErr {
    let names: Vec<String> =
        o.visible().skip(from).filter(|p| !p.optional).map(|p| format!("\"{}\"", p.name)).collect();
    PyTypeError::new_err(format!(
        "{}() missing {} required positional argument{}: {}",
        f.label,
        names.len(),
        // PyTorch's plural is the wrong way round, and people search for it.
        if names.len() == 1 { "s" } else { "" },
        names.join(", ")
    ))
}

fn arguments(given: Given<'_>) -> String {
    let mut out = String::from("(");
    for (i, a) in given.positional.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        out.push_str(&type_name_ptr(*a));
    }
    for (i, (name, value)) in given.keyword_names().iter().zip(given.keywords).enumerate() {
        if i > 0 || !given.positional.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&format!("{name}={}", type_name_ptr(*value)));
    }
    // With keywords alone PyTorch leaves a comma.
    if given.positional.is_empty() && !given.keywords.is_empty() {
        out.push_str(", ");
    }
    out + ")"
}

/// The parts of a printed signature, split as PyTorch splits them: the `*` counts, no parameter at all counts as one, and
/// a default's value passes for the name.
fn parts(o: &Overload) -> Vec<(String, String)> {
    let text = o.describe();
    text[1..text.len() - 1]
        .split(", ")
        .map(|p| match p.rsplit_once(' ') {
            Some((ty, name)) => (ty.to_string(), name.to_string()),
            None => (p.to_string(), String::new()),
        })
        .collect()
}

fn wrong_keywords(parts: &[(String, String)], given: Given<'_>) -> Vec<String> {
    let start = parts.len().saturating_sub(given.keywords.len());
    let mut names = given.keyword_names();
    names.retain(|n| !parts[start..].iter().any(|p| p.1 == *n));
    names
}

/// The given types, with those that do not fit between exclamation marks.
fn marked(parts: &[(String, String)], given: Given<'_>) -> String {
    let names = given.keyword_names();
    let one = |i: usize, part: &(String, String)| -> String {
        let (label, value) = if i < given.positional.len() {
            (String::new(), Some(given.positional[i]))
        } else {
            let at = names.iter().position(|n| *n == part.1);
            (format!("{}=", part.1), at.map(|k| given.keywords[k]))
        };
        let ty = value.map(type_name_ptr).unwrap_or_default();
        let fits = part.0 == ty || (part.0 == "float" && ty == "int");
        if fits { format!("{label}{ty}") } else { format!("!{label}{ty}!") }
    };
    let all: Vec<String> = parts.iter().enumerate().map(|(i, p)| one(i, p)).collect();
    format!("({})", all.join(", "))
}

fn no_match(f: &Function, given: Given<'_>) -> String {
    let total = given.positional.len() + given.keywords.len();
    let head = format!("{}() received an invalid combination of arguments - got ", f.label);
    if let [only] = &f.overloads[..] {
        let parts = parts(only);
        let wrong = wrong_keywords(&parts, given);
        if !wrong.is_empty() {
            return format!("{head}unrecognized keyword arguments: {}", wrong.join(", "));
        }
        let got = if parts.len() == total { marked(&parts, given) } else { arguments(given) };
        return format!("{head}{got}, but expected {}", only.describe());
    }
    let mut out = format!("{head}{}, but expected one of:\n", arguments(given));
    for o in &f.overloads {
        out.push_str(&format!(" * {}\n", o.describe()));
        let parts = parts(o);
        if parts.len() == total {
            let wrong = wrong_keywords(&parts, given);
            out.push_str("      didn't match because some of the ");
            if wrong.is_empty() {
                out.push_str(&format!("arguments have invalid types: {}\n", marked(&parts, given)));
            } else {
                out.push_str(&format!("keywords were incorrect: {}\n", wrong.join(", ")));
            }
        }
    }
    out
}
