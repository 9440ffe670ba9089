//! Tensors as text, against PyTorch's (tests/tools/record_printing.py).

use super::*;
use flambeau::print::{Options, format};

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
    assert_eq!(cases.len(), 217);
    let mut wrong = Vec::new();
    for case in cases {
        let (expression, want) = (case[0].as_str().unwrap(), case[2].as_str().unwrap());
        let (t, parameter) = super::expression::tensor(expression);
        // Rust has no class of parameters: theirs is the tensor's own text.
        let head = if parameter { "Parameter containing:\n" } else { "" };
        let got = format!("{head}{}", format(&t, &options(&case[1])).unwrap());
        if got != want {
            wrong.push(format!("{expression} {}\n{got}\n--- PyTorch:\n{want}", case[1]));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

#[test]
fn display_is_for_println() {
    let x = Tensor::from_slice(&[1.5f32, -2.0], &[2]).unwrap();
    assert_eq!(format!("x = {}", x.display()), "x = tensor([ 1.5000, -2.0000])");
}
