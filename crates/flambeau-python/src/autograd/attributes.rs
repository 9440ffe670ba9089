//! `grad_fn._saved_self` and kin: what a node keeps, under the names of its operation's signature.

use flambeau_core::autograd::Node;
use flambeau_core::op::Value;
use flambeau_core::schema::{Returns, Schema, Type};
use flambeau_core::shared::Shared;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::passes::PySaved;
use crate::bridge::optional_tensor_out;
use crate::convert::scalar_out;
use crate::errors::IntoPyResult;

/// What an attribute stands for.
enum Kept {
    /// A saved tensor, by its place.
    Tensor(usize),
    /// A parameter, by its place.
    Param(usize),
}

/// The names of what a node keeps, as PyTorch has them: the first tensor is `self`, a single result `result`.
fn names(node: &Node) -> Vec<(String, Kept)> {
    let Some((op, params)) = node.operation() else { return Vec::new() };
    let Ok(schema) = Schema::parse(op.sig) else { return Vec::new() };
    if schema.params.iter().any(|p| matches!(p.ty, Type::Tensors(_))) {
        // Lists are spread over places that the signature does not tell.
        return Vec::new();
    }
    let mut out = Vec::new();
    let (mut tensors, mut values, mut place) = (0, 0, 0);
    for p in &schema.params {
        if p.ty.is_tensor() {
            if op.saves.inputs >> tensors & 1 != 0 {
                let name = if tensors == 0 && p.name == "input" { "self" } else { &p.name };
                out.push((name.to_string(), Kept::Tensor(place)));
                place += 1;
            }
            tensors += 1;
        } else if values < params.len() {
            out.push((p.name.clone(), Kept::Param(values)));
            values += 1;
        }
    }
    for i in 0..16 {
        if op.saves.outputs >> i & 1 != 0 {
            let name = match &schema.returns {
                Returns::Tuple(names) if i < names.len() => names[i].clone(),
                Returns::Plain(_) | Returns::Tuple(_) => format!("result{i}"),
                _ => "result".into(),
            };
            out.push((name, Kept::Tensor(place)));
            place += 1;
        }
    }
    out
}

fn value_out<'py>(py: Python<'py>, v: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match v {
        Value::Bool(b) => b.into_pyobject(py)?.to_owned().into_any(),
        Value::Int(i) => i.into_pyobject(py)?.into_any(),
        Value::Float(f) => f.into_pyobject(py)?.into_any(),
        Value::Scalar(s) => scalar_out(py, *s)?,
        Value::Ints(v) => PyTuple::new(py, v.iter())?.into_any(),
        Value::Floats(v) => PyTuple::new(py, v.iter())?.into_any(),
        Value::Str(s) => s.as_ref().into_pyobject(py)?.into_any(),
        Value::DType(d) => crate::dtype::object(py, *d).clone().into_any(),
        Value::Device(d) => crate::device::object(py, *d).into_any(),
        Value::None | Value::Generator(_) => py.None().into_bound(py),
    })
}

/// The value of `_saved_<name>` or `_raw_saved_<name>`; `None` where the node keeps nothing of that name.
pub fn get<'py>(py: Python<'py>, node: &Shared<Node>, attribute: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (raw, wanted) = match (attribute.strip_prefix("_saved_"), attribute.strip_prefix("_raw_saved_")) {
        (Some(name), _) => (false, name),
        (_, Some(name)) => (true, name),
        _ => return Ok(None),
    };
    let Some((_, kept)) = names(node).into_iter().find(|(name, _)| name == wanted) else { return Ok(None) };
    Ok(Some(match kept {
        Kept::Tensor(place) if raw => Bound::new(py, PySaved::of(node.clone(), place))?.into_any(),
        Kept::Tensor(place) => optional_tensor_out(py, node.saved_at(place).py()?)?,
        Kept::Param(_) if raw => return Ok(None),
        Kept::Param(i) => match node.operation() {
            Some((_, params)) => value_out(py, &params[i])?,
            None => return Ok(None),
        },
    }))
}

/// All attributes that [`get`] has for a node.
pub fn list(node: &Node) -> Vec<String> {
    let mut out = Vec::new();
    for (name, kept) in names(node) {
        if matches!(kept, Kept::Tensor(_)) {
            out.push(format!("_raw_saved_{name}"));
        }
        out.push(format!("_saved_{name}"));
    }
    out
}
