//! Tensors as text, against PyTorch's (tests/tools/record_printing.py).

use super::*;
use flambeau::print::{Options, format};

/// Elements of a nested Python list, its shape, and the dtype they ask for.
fn literal(text: &str) -> Option<(Vec<f64>, Vec<i64>, DType)> {
    let text = text.replace("float('nan')", "nan").replace("float('inf')", "inf").replace(' ', "");
    if text.contains(['j', 'o', 'x', '*']) {
        return None;
    }
    let (mut values, mut counts, mut depth, mut shape) = (Vec::new(), vec![0i64; 8], 0usize, Vec::new());
    let mut dtype = DType::I64;
    let mut token = String::new();
    for c in text.chars() {
        if matches!(c, '[' | ']' | ',') && !token.is_empty() {
            push(&mut values, &mut dtype, &token)?;
            token.clear();
            counts[depth] += 1;
        }
        match c {
            '[' => {
                depth += 1;
                counts[depth] = 0;
                shape.resize(shape.len().max(depth), 0);
            }
            ']' => {
                shape[depth - 1] = counts[depth];
                depth -= 1;
                counts[depth] += 1;
            }
            ',' => {}
            c => token.push(c),
        }
    }
    if !token.is_empty() {
        push(&mut values, &mut dtype, &token)?;
    }
    if values.is_empty() {
        dtype = DType::F32;
    }
    Some((values, shape, dtype))
}

fn push(values: &mut Vec<f64>, dtype: &mut DType, token: &str) -> Option<()> {
    let v = match token {
        "True" | "False" => {
            *dtype = DType::Bool;
            (token == "True") as u8 as f64
        }
        t => {
            if t.contains(['.', 'e', 'n']) {
                *dtype = DType::F32;
            }
            t.parse().ok()?
        }
    };
    values.push(v);
    Some(())
}

fn sizes(text: &str) -> Option<Vec<i64>> {
    text.split(',').map(|n| n.trim().parse().ok()).collect()
}

/// Evaluates the simpler expressions of the table.
fn make(expression: &str) -> Option<Tensor> {
    let rest = expression.strip_prefix("torch.")?;
    let (name, rest) = rest.split_once('(')?;
    let mut end = 1;
    let at = rest.char_indices().find(|(_, c)| {
        end += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        end == 0
    });
    let (inside, mut chain) = (&rest[..at?.0], &rest[at?.0 + 1..]);
    let (inside, grad) = match inside.strip_suffix(", requires_grad=True") {
        Some(i) => (i, true),
        None => (inside, false),
    };
    let mut t = match name {
        "tensor" => {
            let (text, dtype) = match inside.split_once(", dtype=torch.") {
                Some((text, d)) => (text, Some(DType::from_name(d)?)),
                None => (inside, None),
            };
            let (values, shape, natural) = literal(text)?;
            let wide = Tensor::from_slice(&values, &shape).ok()?;
            wide.to_dtype(dtype.unwrap_or(natural)).ok()?
        }
        "arange" => {
            let t = arange(0, inside.trim_end_matches('.').parse().ok()?).ok()?;
            if inside.ends_with('.') { t.to_dtype(DType::F32).ok()? } else { t }
        }
        "ones" => ones(&sizes(inside)?).ok()?,
        "empty" if inside.ends_with(", device='meta'") => {
            Tensor::empty(&sizes(inside.strip_suffix(", device='meta'")?)?, DType::F32, Device::META).ok()?
        }
        "empty" => Tensor::empty(&sizes(inside)?, DType::F32, Device::CPU).ok()?,
        _ => return None,
    };
    if grad {
        t = t.requires_grad_().ok()?;
    }
    while !chain.is_empty() {
        if let Some(k) = chain.strip_prefix(" * ") {
            t = (&t * k.parse::<i64>().ok()?).ok()?;
            chain = "";
            continue;
        }
        if let Some(k) = chain.strip_prefix(" / ") {
            t = (&t / k.parse::<i64>().ok()?).ok()?;
            chain = "";
            continue;
        }
        if let Some(k) = chain.strip_prefix(" + ") {
            t = (&t + k.parse::<i64>().ok()?).ok()?;
            chain = "";
            continue;
        }
        let (method, rest) = chain.strip_prefix('.')?.split_once('(')?;
        let (inside, rest) = rest.split_once(')')?;
        t = match method {
            "reshape" => t.reshape(&sizes(inside)?).ok()?,
            "t" => t.t().ok()?,
            "sum" => t.sum().ok()?,
            "detach" => t.detach(),
            "to" => t.to_dtype(DType::from_name(inside.strip_prefix("torch.")?)?).ok()?,
            _ => return None,
        };
        chain = rest;
    }
    Some(t)
}

fn options(v: &Value) -> Options {
    let mut o = Options::default();
    match v.get("profile").and_then(Value::as_str) {
        Some("short") => (o.precision, o.edgeitems) = (2, 2),
        Some("full") => o.threshold = i64::MAX,
        _ => {}
    }
    let n = |key: &str| v.get(key).and_then(Value::as_i64);
    o.precision = n("precision").map_or(o.precision, |n| n as usize);
    o.linewidth = n("linewidth").map_or(o.linewidth, |n| n as usize);
    o.threshold = n("threshold").unwrap_or(o.threshold);
    o.edgeitems = n("edgeitems").unwrap_or(o.edgeitems);
    o.sci_mode = v.get("sci_mode").and_then(Value::as_bool);
    o
}

#[test]
fn tensors_print_as_in_pytorch() {
    let table = json("tests/printing/recorded.json");
    let cases = table["cases"].as_array().unwrap();
    let mut count = 0;
    for case in cases {
        let (expression, want) = (case[0].as_str().unwrap(), case[2].as_str().unwrap());
        if let Some(t) = make(expression) {
            assert_eq!(format(&t, &options(&case[1])).unwrap(), want, "{expression} {}", case[1]);
            count += 1;
        }
    }
    assert!(count > 150, "only {count} of {} cases were evaluated", cases.len());
}

#[test]
fn display_is_for_println() {
    let x = Tensor::from_slice(&[1.5f32, -2.0], &[2]).unwrap();
    assert_eq!(format!("x = {}", x.display()), "x = tensor([ 1.5000, -2.0000])");
}
