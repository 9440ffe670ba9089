//! Type stubs of the extension module, for editors and type checkers.

use std::collections::BTreeMap;
use std::fmt::Write;

use flambeau_core::op::{OpDef, Value, surface};
use flambeau_core::schema::{Param, Returns, Schema, Type};
use flambeau_core::{Result, Scalar};

const HEAD: &str = "\
# Written by `cargo run -p xtask -- gen` from the registry; do not edit.
from collections.abc import Sequence
from typing import Any, overload

Number = int | float | bool | complex

class dtype: ...
class device:
    type: str
    index: int | None
class layout: ...
class memory_format: ...
class Size(tuple[int, ...]): ...
class Generator: ...

";

/// Words that cannot be names of parameters.
const KEYWORDS: [&str; 4] = ["from", "in", "is", "lambda"];

fn annotation(p: &Param) -> String {
    let base = match p.ty {
        Type::Tensor => "Tensor",
        Type::TensorOrScalar => "Tensor | Number",
        Type::Tensors(false) => "Sequence[Tensor]",
        Type::Tensors(true) => "Sequence[Tensor | None]",
        Type::Scalar => "Number",
        Type::Int => "int",
        Type::Ints(None) => "Sequence[int]",
        Type::Ints(Some(_)) => "int | Sequence[int]",
        Type::Float => "float",
        Type::Floats => "Sequence[float]",
        Type::Bool => "bool",
        Type::Str => "str",
        Type::DType => "dtype",
        Type::Device => "device | str | int",
        Type::Layout => "layout",
        Type::MemoryFormat => "memory_format",
        Type::Generator => "Generator",
    };
    if p.nullable { format!("{base} | None") } else { base.into() }
}

fn default(v: &Value) -> String {
    match v {
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Int(i) | Value::Scalar(Scalar::Int(i)) => i.to_string(),
        Value::Float(f) | Value::Scalar(Scalar::Float(f)) if f.is_finite() => format!("{f:?}"),
        Value::Str(s) => format!("{:?}", &**s),
        Value::None => "None".into(),
        _ => "...".into(),
    }
}

fn returned(r: &Returns) -> String {
    match r {
        Returns::Tensor => "Tensor".into(),
        Returns::Tuple(names) => format!("tuple[{}]", vec!["Tensor"; names.len()].join(", ")),
        Returns::Plain(n) => format!("tuple[{}]", vec!["Tensor"; *n].join(", ")),
        Returns::List => "tuple[Tensor, ...]".into(),
        Returns::Bool => "bool".into(),
        Returns::Int => "int".into(),
        Returns::Float => "float".into(),
        Returns::Scalar => "Number".into(),
        Returns::Nothing => "None".into(),
    }
}

/// `(input: Tensor, dim: int = -1) -> Tensor`; a method's first tensor is `self`.
fn signature(s: &Schema, method: bool, inplace: bool) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut bound = !method;
    let mut star = false;
    for p in &s.params {
        if !bound && p.ty.is_tensor() {
            bound = true;
            parts.insert(0, "self".into());
            continue;
        }
        if inplace && p.name == "out" {
            continue;
        }
        if p.keyword_only && !star {
            star = true;
            parts.push("*".into());
        }
        let name = if KEYWORDS.contains(&p.name.as_str()) { format!("{}_", p.name) } else { p.name.clone() };
        let value = p.default.as_ref().map_or(String::new(), |v| format!(" = {}", default(v)));
        parts.push(format!("{name}: {}{value}", annotation(p)));
    }
    if parts.last().is_some_and(|p| p == "*") {
        parts.pop();
    }
    format!("({}) -> {}", parts.join(", "), returned(&s.returns))
}

type Names = BTreeMap<String, Vec<String>>;

fn collect(bit: u16, method: bool) -> Result<Names> {
    let mut names = Names::new();
    for op in flambeau_ops::registry() {
        if op.surfaces & bit == 0 || op.surfaces & surface::INTERNAL != 0 && bit != surface::INTERNAL {
            continue;
        }
        let s = Schema::parse(op.sig)?;
        for name in std::iter::once(s.name.as_str()).chain(op.aliases.iter().copied()) {
            push(&mut names, name, signature(&s, method, false));
            if writes(op, bit) {
                push(&mut names, &format!("{name}_"), signature(&s, method, true));
            }
        }
    }
    Ok(names)
}

fn writes(op: &OpDef, bit: u16) -> bool {
    op.surfaces & surface::INPLACE != 0 && bit & (surface::FUNCTION | surface::METHOD | surface::NN) != 0
}

fn push(names: &mut Names, name: &str, sig: String) {
    let list = names.entry(name.to_string()).or_default();
    if !list.contains(&sig) {
        list.push(sig);
    }
}

fn write(out: &mut String, names: &Names, is_static: bool) {
    for (name, sigs) in names {
        for sig in sigs {
            if is_static {
                out.push_str("    @staticmethod\n");
            }
            if sigs.len() > 1 {
                out.push_str("    @overload\n");
            }
            let _ = writeln!(out, "    def {name}{sig}: ...");
        }
    }
}

pub fn generate() -> Result<String> {
    let mut out = String::from(HEAD);
    out.push_str("class Tensor:\n    shape: Size\n    dtype: dtype\n    device: device\n    ndim: int\n    requires_grad: bool\n");
    out.push_str("    grad: Tensor | None\n    grad_fn: Any\n    is_leaf: bool\n    data: Tensor\n    T: Tensor\n    mT: Tensor\n");
    write(&mut out, &collect(surface::METHOD, true)?, false);
    let parts = [
        ("_functions", surface::FUNCTION),
        ("_nn", surface::NN),
        ("_special", surface::SPECIAL),
        ("_linalg", surface::LINALG),
    ];
    for (class, bit) in parts {
        let names = collect(bit, false)?;
        let _ = writeln!(out, "\nclass {class}:");
        if names.is_empty() {
            out.push_str("    ...\n");
        }
        write(&mut out, &names, true);
    }
    Ok(out)
}
