//! Reads the signature strings of operations: `softmax(Tensor input, int dim, ScalarType? dtype=None) -> Tensor`.
//!
//! The language bindings and the generators of documentation share this parser, so that a signature is written once.

use crate::error::Result;
use crate::op::Value;
use crate::scalar::Scalar;
use crate::{bail, check};

/// The type of a parameter, without its optionality.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Tensor,
    /// A tensor, or a number that takes part in type promotion by its category only.
    TensorOrScalar,
    /// A list of tensors; with holes if `true` (`Tensor?[]`).
    Tensors(bool),
    Scalar,
    Int,
    /// A list of ints; with a length, one int stands for that many equal ones.
    Ints(Option<usize>),
    Float,
    Floats,
    Bool,
    Str,
    DType,
    Device,
    Layout,
    MemoryFormat,
    Generator,
}

impl Type {
    /// The name in PyTorch's messages.
    pub fn name(self) -> &'static str {
        match self {
            Type::Tensor | Type::TensorOrScalar => "Tensor",
            Type::Tensors(_) => "tuple of Tensors",
            Type::Scalar => "Number",
            Type::Int => "int",
            Type::Ints(_) => "tuple of ints",
            Type::Float => "float",
            Type::Floats => "tuple of floats",
            Type::Bool => "bool",
            Type::Str => "str",
            Type::DType => "torch.dtype",
            Type::Device => "torch.device",
            Type::Layout => "torch.layout",
            Type::MemoryFormat => "torch.memory_format",
            Type::Generator => "torch.Generator",
        }
    }

    /// Whether arguments of this type are tensors to the boundary.
    pub fn is_tensor(self) -> bool {
        matches!(self, Type::Tensor | Type::TensorOrScalar | Type::Tensors(_))
    }
}

/// One parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    pub name: String,
    pub ty: Type,
    /// `None` is a valid argument (`int?`).
    pub nullable: bool,
    /// Where there is one, the parameter may be left out.
    pub default: Option<Value>,
    pub keyword_only: bool,
}

impl Param {
    /// As PyTorch's messages show it: `int dim`, `bool keepdim = False`.
    pub fn describe(&self) -> String {
        match &self.default {
            None => format!("{} {}", self.ty.name(), self.name),
            Some(v) => format!("{} {} = {}", self.ty.name(), self.name, show(v)),
        }
    }
}

fn show(v: &Value) -> String {
    match v {
        Value::None => "None".into(),
        Value::Bool(b) => if *b { "True" } else { "False" }.into(),
        Value::Int(i) | Value::Scalar(Scalar::Int(i)) => i.to_string(),
        Value::Float(f) | Value::Scalar(Scalar::Float(f)) => float(*f),
        Value::Str(s) => format!("\"{s}\""),
        Value::Ints(v) => v.first().map_or("None".into(), |i| i.to_string()),
        _ => "None".into(),
    }
}

fn float(f: f64) -> String {
    if f.is_finite() && f.fract() == 0.0 && f.abs() < 1e16 { format!("{f}") } else { format!("{f:?}") }
}

/// What an operation gives back.
#[derive(Clone, PartialEq, Debug)]
pub enum Returns {
    Tensor,
    /// Several tensors; with names, a named tuple.
    Tuple(Vec<String>),
    /// `n` tensors without names.
    Plain(usize),
    /// A tuple of any length.
    List,
    Bool,
    Int,
    Float,
    /// A 0-dimensional result as a number.
    Scalar,
    Nothing,
}

/// A parsed signature.
#[derive(Clone, PartialEq, Debug)]
pub struct Schema {
    pub name: String,
    pub params: Vec<Param>,
    pub returns: Returns,
}

impl Schema {
    /// The public name alone, without parsing the rest.
    pub fn name_of(sig: &str) -> &str {
        sig.split('(').next().unwrap_or(sig).trim()
    }

    /// Parses a whole signature. A malformed one is a `ValueError` that names what is wrong.
    pub fn parse(sig: &str) -> Result<Schema> {
        let open = find(sig, sig.find('('), "has no parameter list")?;
        let close = find(sig, closing(sig, open), "has an unclosed parenthesis")?;
        let arrow = sig[close + 1..].trim();
        let returns = match arrow.strip_prefix("->") {
            Some(text) => returns(sig, text.trim())?,
            None => bail!(Value, "signature '{sig}' has no '->'"),
        };
        let mut params = Vec::new();
        let mut keyword_only = false;
        for part in split(&sig[open + 1..close]) {
            if part == "*" {
                check!(!keyword_only, Value, "signature '{sig}' has two '*'");
                keyword_only = true;
            } else {
                params.push(param(sig, part, keyword_only)?);
            }
        }
        Ok(Schema { name: sig[..open].trim().to_string(), params, returns })
    }
}

fn find(sig: &str, at: Option<usize>, what: &str) -> Result<usize> {
    match at {
        Some(i) => Ok(i),
        None => bail!(Value, "signature '{sig}' {what}"),
    }
}

/// Where the parenthesis at `open` closes.
fn closing(s: &str, open: usize) -> Option<usize> {
    let (mut depth, mut quoted) = (0, false);
    for (i, c) in s.char_indices().skip_while(|(i, _)| *i < open) {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

/// The parts between commas that are not inside brackets or quotes.
fn split(s: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut start) = (0, false, 0);
    let mut parts = Vec::new();
    for (i, c) in s.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '[' | '(' if !quoted => depth += 1,
            ']' | ')' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(s[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(s[start..].trim());
    parts.retain(|p| !p.is_empty());
    parts
}

fn param(sig: &str, text: &str, keyword_only: bool) -> Result<Param> {
    let (decl, default) = match text.split_once('=') {
        Some((d, v)) => (d.trim(), Some(v.trim())),
        None => (text, None),
    };
    let Some((ty, name)) = decl.rsplit_once(' ') else {
        bail!(Value, "parameter '{text}' of signature '{sig}' has no type")
    };
    let (ty, nullable) = type_of(sig, ty.trim())?;
    let default = match default {
        Some(d) => Some(literal(sig, d, ty)?),
        None => None,
    };
    // PyTorch takes None wherever it is the default.
    let nullable = nullable || default == Some(Value::None);
    Ok(Param { name: name.to_string(), ty, nullable, default, keyword_only })
}

fn type_of(sig: &str, text: &str) -> Result<(Type, bool)> {
    let (base, nullable) = match text.strip_suffix('?') {
        Some(b) => (b, true),
        None => (text, false),
    };
    let ty = match base {
        "Tensor" => Type::Tensor,
        "Tensor|Scalar" => Type::TensorOrScalar,
        "Tensor[]" => Type::Tensors(false),
        // Several tensors to write into: `(Tensor, Tensor)? out`.
        _ if base.starts_with("(Tensor") && base.ends_with(')') => Type::Tensors(false),
        "Tensor?[]" => Type::Tensors(true),
        "Scalar" => Type::Scalar,
        "int" => Type::Int,
        "int[]" => Type::Ints(None),
        "float" => Type::Float,
        "float[]" => Type::Floats,
        "bool" => Type::Bool,
        "str" => Type::Str,
        "ScalarType" => Type::DType,
        "Device" => Type::Device,
        "Layout" => Type::Layout,
        "MemoryFormat" => Type::MemoryFormat,
        "Generator" => Type::Generator,
        _ => match base.strip_prefix("int[").and_then(|b| b.strip_suffix(']')).map(str::parse) {
            Some(Ok(n)) => Type::Ints(Some(n)),
            _ => bail!(Value, "unknown type '{text}' in signature '{sig}'"),
        },
    };
    Ok((ty, nullable))
}

fn literal(sig: &str, text: &str, ty: Type) -> Result<Value> {
    if text == "None" {
        return Ok(Value::None);
    }
    let bad = || crate::Error::value(format!("bad default '{text}' in signature '{sig}'"));
    let int = |t: &str| t.trim().parse::<i64>().map_err(|_| bad());
    let real = |t: &str| match t {
        "inf" => Ok(f64::INFINITY),
        "-inf" => Ok(f64::NEG_INFINITY),
        "nan" => Ok(f64::NAN),
        t => t.trim().parse::<f64>().map_err(|_| bad()),
    };
    let list = || text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).map(split);
    Ok(match ty {
        Type::Bool => match text {
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            _ => return Err(bad()),
        },
        Type::Int => Value::Int(int(text)?),
        Type::Float => Value::Float(real(text)?),
        Type::Scalar | Type::TensorOrScalar => Value::Scalar(match text {
            "True" => Scalar::Bool(true),
            "False" => Scalar::Bool(false),
            t => t.parse().map(Scalar::Int).or_else(|_| real(t).map(Scalar::Float))?,
        }),
        Type::Ints(n) => match list() {
            Some(items) => Value::Ints(items.into_iter().map(int).collect::<Result<Vec<_>>>()?.into()),
            None => Value::Ints(vec![int(text)?; n.unwrap_or(1)].into()),
        },
        Type::Floats => match list() {
            Some(items) => Value::Floats(items.into_iter().map(real).collect::<Result<Vec<_>>>()?.into()),
            None => return Err(bad()),
        },
        Type::Str => match text.strip_prefix(['\'', '"']).and_then(|t| t.strip_suffix(['\'', '"'])) {
            Some(t) => Value::Str(t.into()),
            None => return Err(bad()),
        },
        Type::MemoryFormat => Value::Int(match text.strip_prefix("torch.").unwrap_or(text) {
            "contiguous_format" => 0,
            "preserve_format" => 1,
            "channels_last" => 2,
            "channels_last_3d" => 3,
            _ => return Err(bad()),
        }),
        Type::DType => Value::DType(crate::DType::from_name(text).ok_or_else(bad)?),
        Type::Tensor | Type::Tensors(_) | Type::Device | Type::Layout | Type::Generator => return Err(bad()),
    })
}

fn returns(sig: &str, text: &str) -> Result<Returns> {
    Ok(match text {
        "Tensor" => Returns::Tensor,
        "Tensor[]" => Returns::List,
        "bool" => Returns::Bool,
        "int" => Returns::Int,
        "float" => Returns::Float,
        "Scalar" => Returns::Scalar,
        "()" | "None" => Returns::Nothing,
        _ => {
            let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) else {
                bail!(Value, "unknown result '{text}' in signature '{sig}'")
            };
            let parts = split(inner);
            check!(
                parts.iter().all(|p| p.split(' ').next() == Some("Tensor")),
                Value,
                "a result of '{sig}' is not a Tensor"
            );
            let names: Vec<String> = parts.iter().filter_map(|p| p.split_once(' ')).map(|p| p.1.to_string()).collect();
            match names.len() {
                0 => Returns::Plain(parts.len()),
                n if n == parts.len() => Returns::Tuple(names),
                _ => bail!(Value, "some results of '{sig}' have names and some do not"),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_signature() {
        let s = Schema::parse("softmax(Tensor input, int dim, *, ScalarType? dtype=None) -> Tensor").unwrap();
        assert_eq!(s.name, "softmax");
        assert_eq!(s.returns, Returns::Tensor);
        let [input, dim, dtype] = &s.params[..] else { panic!("three parameters") };
        assert_eq!((input.ty, input.nullable, input.keyword_only), (Type::Tensor, false, false));
        assert_eq!((dim.ty, dim.default.clone()), (Type::Int, None));
        assert_eq!((dtype.ty, dtype.nullable, dtype.keyword_only), (Type::DType, true, true));
        assert_eq!(dtype.default, Some(Value::None));
        assert_eq!(dtype.describe(), "torch.dtype dtype = None");
    }

    #[test]
    fn types_and_defaults() {
        let s = Schema::parse(
            "f(Tensor?[] xs, Tensor|Scalar? min=None, int[2] k=1, int[] d=[0, 1], float e=1e-05, str m='a,(b', Scalar \
             alpha=1, float p=inf, bool b=False, MemoryFormat? f=None) -> (Tensor values, Tensor indices)",
        )
        .unwrap();
        let ty: Vec<Type> = s.params.iter().map(|p| p.ty).collect();
        use Type::*;
        assert_eq!(
            ty,
            [Tensors(true), TensorOrScalar, Ints(Some(2)), Ints(None), Float, Str, Scalar, Float, Bool, MemoryFormat]
        );
        let d = |i: usize| s.params[i].default.clone();
        assert_eq!(d(0), None);
        assert!(s.params[1].nullable);
        assert_eq!(d(2), Some(Value::from([1, 1])));
        assert_eq!(d(3), Some(Value::from([0, 1])));
        assert_eq!(d(4), Some(Value::Float(1e-5)));
        assert_eq!(d(5), Some(Value::from("a,(b")));
        assert_eq!(d(6), Some(Value::Scalar(super::Scalar::Int(1))));
        assert_eq!(d(7), Some(Value::Float(f64::INFINITY)));
        assert_eq!(s.returns, Returns::Tuple(vec!["values".into(), "indices".into()]));
        assert_eq!(s.params[2].describe(), "tuple of ints k = 1");
        assert_eq!(s.params[5].describe(), "str m = \"a,(b\"");
    }

    #[test]
    fn results() {
        for (text, want) in [
            ("f() -> Tensor[]", Returns::List),
            ("f() -> (Tensor, Tensor)", Returns::Plain(2)),
            ("f() -> bool", Returns::Bool),
            ("f() -> ()", Returns::Nothing),
        ] {
            assert_eq!(Schema::parse(text).unwrap().returns, want);
        }
    }

    #[test]
    fn malformed_signatures_are_refused() {
        for bad in [
            "f",
            "f(Tensor x)",
            "f(Tensor x -> Tensor",
            "f(x) -> Tensor",
            "f(Tensor x, *, *, int y) -> Tensor",
            "f(Foo x) -> Tensor",
            "f(int x=a) -> Tensor",
            "f(bool x=1) -> Tensor",
            "f(Tensor x=1) -> Tensor",
            "f() -> Foo",
            "f() -> (Tensor a, Tensor)",
            "f() -> (int a)",
        ] {
            assert!(Schema::parse(bad).is_err(), "{bad}");
        }
    }
}
