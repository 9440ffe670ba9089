//! A small part of Python: enough to make every tensor of tests/printing/recorded.json in Rust. An expression outside of
//! it is a panic, so that no case can be left out unseen.

use flambeau::prelude::*;
use flambeau::{Device, Scalar, Tensor, ops};
use flambeau_core::view::ViewOp;

/// What an expression gives.
#[derive(Clone)]
enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Complex(f64, f64),
    List(Vec<Value>),
    Text(String),
    Tensor(Tensor),
    /// `torch.float64`, or the path of a function that is yet to be called.
    Name(String),
    Method(Tensor, String),
}

/// The tensor that an expression makes, and whether it is a `Parameter`.
pub fn tensor(source: &str) -> (Tensor, bool) {
    let mut p = Parser { rest: source, parameter: false };
    let value = p.sum();
    assert!(p.rest.trim().is_empty(), "left over: {}", p.rest);
    match value {
        Value::Tensor(t) => (t, p.parameter),
        _ => panic!("{source} is no tensor"),
    }
}

struct Parser<'a> {
    rest: &'a str,
    parameter: bool,
}

impl<'a> Parser<'a> {
    fn take(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) {
        assert!(self.take(token), "expected {token} before {}", self.rest);
    }

    fn word(&mut self, part: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn sum(&mut self) -> Value {
        let mut value = self.product();
        loop {
            if self.take("+") {
                value = binary(value, self.product(), '+');
            } else if self.take("-") {
                value = binary(value, self.product(), '-');
            } else {
                return value;
            }
        }
    }

    fn product(&mut self) -> Value {
        let mut value = self.unary();
        loop {
            if self.take("**") {
                let (Value::Int(base), Value::Int(exponent)) = (value, self.unary()) else {
                    panic!("a power of what?")
                };
                value = Value::Int(base.pow(exponent as u32));
            } else if self.take("*") {
                value = binary(value, self.unary(), '*');
            } else if self.take("/") {
                value = binary(value, self.unary(), '/');
            } else {
                return value;
            }
        }
    }

    fn unary(&mut self) -> Value {
        if !self.take("-") {
            return self.postfix();
        }
        match self.unary() {
            Value::Int(v) => Value::Int(-v),
            Value::Float(v) => Value::Float(-v),
            Value::Complex(re, im) => Value::Complex(-re, -im),
            _ => panic!("minus what?"),
        }
    }

    fn postfix(&mut self) -> Value {
        let mut value = self.atom();
        loop {
            if self.rest.starts_with('.') {
                self.rest = &self.rest[1..];
                let name = self.word(|c| c.is_alphanumeric() || c == '_');
                value = match value {
                    Value::Tensor(t) => Value::Method(t, name.into()),
                    Value::Name(path) => Value::Name(format!("{path}.{name}")),
                    _ => panic!("an attribute {name} of what?"),
                };
            } else if self.rest.starts_with('(') {
                self.rest = &self.rest[1..];
                let (args, named) = self.arguments();
                value = self.call(value, args, named);
            } else if self.rest.starts_with('[') {
                let Value::Tensor(t) = value else { panic!("an index of what?") };
                self.rest = &self.rest[1..];
                value = Value::Tensor(self.sliced(t));
            } else {
                return value;
            }
        }
    }

    fn atom(&mut self) -> Value {
        self.rest = self.rest.trim_start();
        if self.take("[") {
            return Value::List(self.items("]"));
        }
        if self.take("(") {
            let items = self.items(")");
            // `(1, 2)` and `(3,)` are tuples, `(x + y)` is not: every tuple of the table has a comma.
            return match items.as_slice() {
                [Value::Tensor(t)] => Value::Tensor(t.clone()),
                _ => Value::List(items),
            };
        }
        if self.take("'") {
            let text = self.word(|c| c != '\'').to_string();
            self.expect("'");
            return Value::Text(text);
        }
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            return self.number();
        }
        match self.word(|c| c.is_alphanumeric() || c == '_') {
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            name => Value::Name(name.into()),
        }
    }

    fn number(&mut self) -> Value {
        let text = self.rest;
        self.word(|c| c.is_ascii_digit() || c == '.');
        if self.rest.starts_with('e') {
            self.rest = &self.rest[1..];
            self.rest = self.rest.strip_prefix('-').unwrap_or(self.rest);
            self.word(|c| c.is_ascii_digit());
        }
        let text = &text[..text.len() - self.rest.len()];
        let float = || text.parse::<f64>().unwrap_or_else(|_| panic!("{text} is no number"));
        if self.rest.starts_with('j') {
            self.rest = &self.rest[1..];
            return Value::Complex(0.0, float());
        }
        text.parse().map(Value::Int).unwrap_or_else(|_| Value::Float(float()))
    }

    fn items(&mut self, end: &str) -> Vec<Value> {
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.sum());
            if !self.take(",") {
                self.expect(end);
                break;
            }
        }
        items
    }

    fn arguments(&mut self) -> (Vec<Value>, Vec<(String, Value)>) {
        let (mut args, mut named) = (Vec::new(), Vec::new());
        while !self.take(")") {
            self.rest = self.rest.trim_start();
            let before = self.rest;
            let name = self.word(|c| c.is_alphanumeric() || c == '_').to_string();
            if self.rest.starts_with('=') {
                self.rest = &self.rest[1..];
                let value = self.sum();
                named.push((name, value));
            } else {
                self.rest = before;
                args.push(self.sum());
            }
            if !self.take(",") {
                self.expect(")");
                break;
            }
        }
        (args, named)
    }

    /// `[:, ::2]`
    fn sliced(&mut self, mut t: Tensor) -> Tensor {
        let end = self.rest.find(']').expect("an end of the index");
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        for (dim, part) in text.split(',').enumerate() {
            let bounds: Vec<Option<i64>> = part.trim().split(':').map(|n| n.parse().ok()).collect();
            let step = bounds.get(2).copied().flatten().unwrap_or(1);
            let end = bounds.get(1).copied().flatten();
            let op: ViewOp = ops::view::slice_of(t.sizes()[dim], dim, bounds[0], end, step).unwrap();
            t = flambeau_core::call::view(&op, &t).unwrap();
        }
        t
    }

    fn call(&mut self, callee: Value, args: Vec<Value>, named: Vec<(String, Value)>) -> Value {
        let named = |name: &str| named.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let (t, default_grad) = match callee {
            Value::Method(t, name) => {
                let result = match name.as_str() {
                    "reshape" => t.reshape(&sizes(&args)).unwrap(),
                    "t" => t.t().unwrap(),
                    "sum" => t.sum().unwrap(),
                    "exp" => t.exp().unwrap(),
                    "detach" => t.detach(),
                    "conj" => ops::copy::conj(&t).unwrap(),
                    "to" => t.to_dtype(dtype(&args[0])).unwrap(),
                    other => panic!("no method {other}"),
                };
                return Value::Tensor(result);
            }
            Value::Name(name) => match name.as_str() {
                "float" => {
                    let Value::Text(text) = &args[0] else { panic!("float of what?") };
                    return Value::Float(text.parse().unwrap());
                }
                "complex" => return Value::Complex(parts(&args[0]).0, parts(&args[1]).0),
                "torch.nn.Parameter" => {
                    let Value::Tensor(t) = &args[0] else { panic!("a parameter of what?") };
                    self.parameter = true;
                    (t.detach(), true)
                }
                "torch.tensor" => (literal(&args[0], named("dtype").as_ref().map(dtype)), false),
                "torch.arange" => {
                    let t = arange(0, parts(&args[0]).0 as i64).unwrap();
                    (if let Value::Float(_) = args[0] { t.to_dtype(DType::F32).unwrap() } else { t }, false)
                }
                "torch.full" => {
                    let Value::Int(v) = args[1] else { panic!("full of what?") };
                    let natural = named("dtype").as_ref().map_or(DType::I64, dtype);
                    let Value::List(shape) = &args[0] else { panic!("a shape") };
                    (ops::create::full(&sizes(shape), Scalar::Int(v), natural, Device::CPU).unwrap(), false)
                }
                "torch.ones" | "torch.zeros" | "torch.empty" => {
                    let natural = named("dtype").as_ref().map_or(DType::F32, dtype);
                    let device = if named("device").is_some() { Device::META } else { Device::CPU };
                    let shape = match &args[..] {
                        [Value::List(shape)] => sizes(shape),
                        _ => sizes(&args),
                    };
                    let one = (name == "torch.ones") as i64;
                    (ops::create::full(&shape, Scalar::Int(one), natural, device).unwrap(), false)
                }
                other => panic!("no function {other}"),
            },
            _ => panic!("a call of what?"),
        };
        let grad = match named("requires_grad") {
            Some(Value::Bool(grad)) => grad,
            _ => default_grad,
        };
        Value::Tensor(if grad { t.requires_grad_().unwrap() } else { t })
    }
}

fn sizes(values: &[Value]) -> Vec<i64> {
    values.iter().map(|v| if let Value::Int(n) = v { *n } else { panic!("no size") }).collect()
}

fn dtype(value: &Value) -> DType {
    let Value::Name(name) = value else { panic!("no dtype") };
    DType::from_name(name.trim_start_matches("torch.")).unwrap_or_else(|| panic!("no dtype {name}"))
}

fn parts(value: &Value) -> (f64, f64) {
    match *value {
        Value::Bool(b) => (b as u8 as f64, 0.0),
        Value::Int(v) => (v as f64, 0.0),
        Value::Float(v) => (v, 0.0),
        Value::Complex(re, im) => (re, im),
        _ => panic!("no number"),
    }
}

fn binary(a: Value, b: Value, op: char) -> Value {
    match (a, b) {
        (Value::Tensor(t), b) => Value::Tensor(match (op, b) {
            ('+', Value::Int(k)) => (&t + k).unwrap(),
            ('*', Value::Int(k)) => (&t * k).unwrap(),
            ('*', Value::Float(k)) => (&t * k).unwrap(),
            ('/', Value::Int(k)) => (&t / k).unwrap(),
            _ => panic!("no such operation on a tensor: {op}"),
        }),
        (a, b) => {
            let ((a, x), (b, y)) = (parts(&a), parts(&b));
            match op {
                '+' => Value::Complex(a + b, x + y),
                '-' => Value::Complex(a - b, x - y),
                _ => panic!("no such operation on numbers: {op}"),
            }
        }
    }
}

/// `torch.tensor` of nested lists.
fn literal(value: &Value, asked: Option<DType>) -> Tensor {
    fn walk(v: &Value, depth: usize, shape: &mut Vec<i64>, flat: &mut Vec<(f64, f64)>, natural: &mut DType) {
        match v {
            Value::List(items) => {
                if shape.len() == depth {
                    shape.push(items.len() as i64);
                }
                items.iter().for_each(|v| walk(v, depth + 1, shape, flat, natural));
            }
            v => {
                let own = match v {
                    Value::Bool(_) => DType::Bool,
                    Value::Int(_) => DType::I64,
                    Value::Float(_) => DType::F32,
                    _ => DType::C64,
                };
                let rank = |d: &DType| [DType::Bool, DType::I64, DType::F32, DType::C64].iter().position(|x| x == d);
                if rank(&own) > rank(natural) {
                    *natural = own;
                }
                flat.push(parts(v));
            }
        }
    }
    let (mut shape, mut flat, mut natural) = (Vec::new(), Vec::new(), DType::Bool);
    walk(value, 0, &mut shape, &mut flat, &mut natural);
    if flat.is_empty() {
        natural = DType::F32;
    }
    let to = asked.unwrap_or(natural);
    let wide = if to.is_complex() {
        let bytes: Vec<u8> = flat.iter().flat_map(|(re, im)| [re.to_le_bytes(), im.to_le_bytes()].concat()).collect();
        Tensor::from_bytes(&bytes, DType::C128, &shape).unwrap()
    } else {
        Tensor::from_slice(&flat.iter().map(|v| v.0).collect::<Vec<f64>>(), &shape).unwrap()
    };
    wide.to_dtype(to).unwrap()
}
