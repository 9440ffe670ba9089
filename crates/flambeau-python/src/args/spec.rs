//! Signatures made ready for fast parsing.

use std::ptr::null_mut;

use flambeau_core::op::{OpDef, Value, surface};
use flambeau_core::schema::{self, Returns, Schema, Type};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

/// More parameters than any operation has.
pub const MAX_PARAMS: usize = 32;

/// What happens to an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Goes to the operation.
    Plain,
    /// Tensors that receive the results.
    Out,
    /// Set on the result.
    RequiresGrad,
    /// Writes into the first tensor when true.
    Inplace,
    /// Checked and dropped.
    Ignored,
}

pub struct Param {
    pub name: &'static str,
    /// The interned name.
    pub key: *mut PyObject,
    /// NumPy's names for it, null where there are none.
    pub aliases: [*mut PyObject; 3],
    pub ty: Type,
    pub role: Role,
    pub nullable: bool,
    pub optional: bool,
    pub keyword_only: bool,
    pub default: Value,
    /// As messages show it.
    pub text: String,
    pub type_name: &'static str,
}

/// On what name an operation is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Surface {
    Function,
    Method,
    Nn,
    Special,
    Linalg,
    /// For the Python package itself.
    Internal,
}

impl Surface {
    pub const ALL: [Surface; 6] =
        [Surface::Function, Surface::Method, Surface::Nn, Surface::Special, Surface::Linalg, Surface::Internal];

    pub fn bit(self) -> u16 {
        match self {
            Surface::Function => surface::FUNCTION,
            Surface::Method => surface::METHOD,
            Surface::Nn => surface::NN,
            Surface::Special => surface::SPECIAL,
            Surface::Linalg => surface::LINALG,
            Surface::Internal => surface::INTERNAL,
        }
    }
}

/// One way to call a function.
pub struct Overload {
    pub op: &'static OpDef,
    /// In the order of the signature, the bound tensor of a method among them.
    pub params: Vec<Param>,
    /// Which of `params` positional arguments go to.
    pub positional: Vec<u8>,
    /// Where the tensor of a method stands.
    pub bound: Option<usize>,
    /// How many arguments must be given.
    pub min_args: usize,
    /// Ints as positional arguments stand for one list: `x.view(2, 3)`.
    pub varargs: bool,
    /// Writes into its first tensor.
    pub inplace: bool,
    /// Has a device but no tensor to take it from.
    pub factory: bool,
    pub returns: Returns,
    /// Operands may each be a number, but not all of them.
    pub needs_tensor: bool,
    /// Builds the named tuples; null where there is none.
    pub tuple_type: *mut PyObject,
}

/// Everything behind one public name.
pub struct Function {
    pub name: &'static str,
    /// The name in messages: `special_erf` for `torch.special.erf`.
    pub label: String,
    pub surface: Surface,
    pub overloads: Vec<Overload>,
    /// The Python object (the function or method descriptor), for `__torch_function__`.
    pub object: std::sync::atomic::AtomicPtr<PyObject>,
    pub doc: &'static str,
}

// SAFETY: the raw pointers are interned strings and types that live as long as the process; all use is under the GIL.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// Functions whose tensors may also be numbers, as PyTorch allows: `torch.mul(2, x)`.
const NUMBERS_AS_TENSORS: [&str; 15] = [
    "add",
    "sub",
    "mul",
    "div",
    "divide",
    "multiply",
    "subtract",
    "true_divide",
    "floor_divide",
    "remainder",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_left_shift",
    "bitwise_right_shift",
];

/// Functions of two operands that may each be a number, but not both.
const ONE_TENSOR: [&str; 8] = [
    "remainder",
    "pow",
    "float_power",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_left_shift",
    "bitwise_right_shift",
];

fn intern(name: &str) -> *mut PyObject {
    let c = std::ffi::CString::new(name).unwrap_or_default();
    // SAFETY: called at import, under the GIL; interned strings are never given back.
    unsafe { ffi::PyUnicode_InternFromString(c.as_ptr()) }
}

fn aliases(name: &str) -> [*mut PyObject; 3] {
    let of = |a: &[&str]| {
        let mut out = [null_mut(); 3];
        for (slot, name) in out.iter_mut().zip(a) {
            *slot = intern(name);
        }
        out
    };
    match name {
        "dim" => of(&["axis"]),
        "keepdim" => of(&["keepdims"]),
        "input" => of(&["x", "a", "x1"]),
        "other" => of(&["x2"]),
        _ => of(&[]),
    }
}

fn leak(s: String) -> &'static str {
    Box::leak(s.into_boxed_str())
}

impl Overload {
    /// Prepares a row for a surface; `inplace` for its underscore form.
    pub fn new(py: Python<'_>, op: &'static OpDef, on: Surface, inplace: bool) -> PyResult<Overload> {
        use crate::errors::IntoPyResult;
        let schema = Schema::parse(op.sig).py()?;
        let mut specs = schema.params;
        if inplace || on == Surface::Method {
            specs.retain(|p| p.name != "out");
        }
        let both = surface::NN | surface::INPLACE;
        if on == Surface::Nn && op.surfaces & both == both && !specs.iter().any(|p| p.name == "inplace") {
            let spec = schema::Param {
                name: "inplace".into(),
                ty: Type::Bool,
                nullable: false,
                default: Some(Value::Bool(false)),
                keyword_only: specs.iter().any(|p| p.keyword_only),
            };
            // A keyword-only parameter before it makes it keyword-only too; else it is the last positional one.
            specs.push(spec);
        }
        let bound = (on == Surface::Method).then(|| {
            let named = |n: &str| specs.iter().position(|p| p.name == n && p.ty.is_tensor());
            named("input").or(named("self")).or(specs.iter().position(|p| p.ty.is_tensor())).unwrap_or(0)
        });
        let many = !matches!(schema.returns, Returns::Tensor);
        let numbers = NUMBERS_AS_TENSORS.contains(&Schema::name_of(op.sig)) && on == Surface::Function;
        let params: Vec<Param> = specs
            .into_iter()
            .map(|p| {
                let role = match p.name.as_str() {
                    "out" if p.ty.is_tensor() => Role::Out,
                    "requires_grad" if p.ty == Type::Bool => Role::RequiresGrad,
                    "inplace" if p.ty == Type::Bool => Role::Inplace,
                    "layout" | "pin_memory" | "_stacklevel" => Role::Ignored,
                    _ => Role::Plain,
                };
                let ty = match (role, p.ty) {
                    (Role::Out, _) if many => Type::Tensors(false),
                    (Role::Plain, Type::Tensor) if numbers && !inplace => Type::TensorOrScalar,
                    (_, ty) => ty,
                };
                let text = schema::Param { ty, ..p.clone() }.describe();
                let name = leak(p.name);
                Param {
                    name,
                    key: intern(name),
                    aliases: aliases(name),
                    ty,
                    role,
                    nullable: p.nullable,
                    optional: p.default.is_some(),
                    keyword_only: p.keyword_only,
                    default: p.default.unwrap_or(Value::None),
                    text,
                    type_name: ty.name(),
                }
            })
            .collect();
        if params.len() > MAX_PARAMS {
            return Err(pyo3::exceptions::PySystemError::new_err(format!("{} has too many parameters", op.name)));
        }
        let free = |i: &usize| Some(*i) != bound;
        let positional: Vec<u8> =
            (0..params.len()).filter(free).filter(|&i| !params[i].keyword_only).map(|i| i as u8).collect();
        let varargs = positional.len() == 1 && matches!(params[positional[0] as usize].ty, Type::Ints(_));
        let min_args = (0..params.len()).filter(free).filter(|&i| !params[i].optional).count();
        let tuple_type = match &schema.returns {
            Returns::Tuple(names) => crate::results::tuple_type(py, &schema.name, names)?,
            _ => null_mut(),
        };
        let has = |f: fn(&Param) -> bool| params.iter().any(f);
        let factory = has(|p| p.ty == Type::Device)
            && !has(|p| p.role == Role::Plain && matches!(p.ty, Type::Tensor | Type::Tensors(_)));
        let needs_tensor = on == Surface::Function && ONE_TENSOR.contains(&Schema::name_of(op.sig));
        let returns = if inplace { Returns::Tensor } else { schema.returns };
        Ok(Overload {
            op,
            params,
            positional,
            bound,
            min_args,
            varargs,
            inplace,
            factory,
            returns,
            needs_tensor,
            tuple_type,
        })
    }

    /// The parameters that a caller gives, in order.
    pub fn visible(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().enumerate().filter(|(i, _)| Some(*i) != self.bound).map(|(_, p)| p)
    }

    /// `(Tensor input, *, Tensor out = None)`.
    pub fn describe(&self) -> String {
        let mut parts = Vec::new();
        let mut starred = false;
        for p in self.visible() {
            if p.keyword_only && !starred {
                starred = true;
                parts.push("*".to_string());
            }
            parts.push(p.text.clone());
        }
        format!("({})", parts.join(", "))
    }
}
