//! Tensors as text, as PyTorch prints them.

use std::fmt;

use flambeau_core::autograd::no_grad;
use flambeau_core::call::view;
use flambeau_core::view::ViewOp;
use flambeau_core::{DType, Result, Tensor, default_dtype};
use flambeau_ops::shape::cat;
use flambeau_ops::view::narrow;

/// How tensors are printed; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct Options {
    /// Digits after the point.
    pub precision: usize,
    /// The number of elements above which only the edges are shown.
    pub threshold: i64,
    /// How many elements at each edge of a dimension.
    pub edgeitems: i64,
    /// Characters in a line.
    pub linewidth: usize,
    /// Scientific notation always, never, or where the numbers ask for it.
    pub sci_mode: Option<bool>,
}

impl Default for Options {
    fn default() -> Self {
        Options { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80, sci_mode: None }
    }
}

/// A tensor to be printed: what [`TensorMethods::display`](crate::TensorMethods::display) returns.
pub struct Shown<'a>(pub(crate) &'a Tensor);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format(self.0, &Options::default()) {
            Ok(text) => f.write_str(&text),
            Err(e) => write!(f, "tensor(<{e}>)"),
        }
    }
}

/// The text of a tensor under given options.
///
/// # Errors
/// Only where memory is short or a device fails.
pub fn format(t: &Tensor, o: &Options) -> Result<String> {
    const PREFIX: &str = "tensor(";
    let dtype = t.dtype();
    let default = default_dtype();
    let mut implied = dtype == default || dtype == default.to_complex() || matches!(dtype, DType::I64 | DType::Bool);
    let mut suffixes = Vec::new();
    if !t.device().is_cpu() {
        suffixes.push(format!("device='{}'", t.device()));
    }
    let sizes: Vec<String> = t.sizes().iter().map(i64::to_string).collect();
    let size = format!("size=({}{})", sizes.join(", "), if sizes.len() == 1 { "," } else { "" });
    if t.device().is_meta() || t.numel() == 0 {
        // The shape is not to be seen, nor are numbers that would tell an integer from a float.
        if t.device().is_meta() || t.ndim() != 1 {
            suffixes.push(size);
        }
        implied = dtype == default;
    } else if o.edgeitems == 0 {
        suffixes.push(size);
    }
    if !implied {
        suffixes.push(format!("dtype=torch.{}", dtype.name()));
    }
    let numbers = if t.device().is_meta() { "...".into() } else { no_grad(|| contents(&t.detach(), o))? };
    match t.grad_fn() {
        Some(node) => suffixes.push(format!("grad_fn=<{}>", node.short_name())),
        None if t.requires_grad() => suffixes.push("requires_grad=True".into()),
        None => {}
    }
    Ok(with_suffixes(format!("{PREFIX}{numbers}"), &suffixes, PREFIX.len(), o.linewidth))
}

/// Appends what follows the numbers, each in the same line where it fits.
fn with_suffixes(mut text: String, suffixes: &[String], indent: usize, linewidth: usize) -> String {
    let mut length = match text.rfind('\n') {
        Some(i) => text.len() - i + 1,
        None => text.len() + 2,
    };
    for s in suffixes {
        if length + s.len() + 2 > linewidth {
            text += &format!(",\n{}{s}", " ".repeat(indent));
            length = indent + s.len();
        } else {
            text += &format!(", {s}");
            length += s.len() + 2;
        }
    }
    text + ")"
}

fn contents(t: &Tensor, o: &Options) -> Result<String> {
    const PREFIX: usize = "tensor(".len();
    if t.numel() == 0 {
        return Ok("[]".into());
    }
    let summarize = t.numel() > o.threshold;
    if summarize && o.edgeitems == 0 {
        return Ok("[...]".into());
    }
    let shown = if summarize { edges(t, o.edgeitems)? } else { t.clone() };
    let (items, width) = texts(&shown, o)?;
    let shortened = t.sizes().iter().map(|&n| summarize && n > 2 * o.edgeitems).collect();
    let writer = Writer { sizes: shown.sizes(), shortened, edge: o.edgeitems as usize, width, o };
    Ok(writer.text(&items, 0, PREFIX))
}

/// The elements that are shown of a tensor too large to be shown whole.
fn edges(t: &Tensor, edge: i64) -> Result<Tensor> {
    let mut out = t.clone();
    for dim in 0..t.ndim() {
        let n = t.sizes()[dim];
        if n > 2 * edge {
            let d = dim as i64;
            out = cat(&[&narrow(&out, d, 0, edge)?, &narrow(&out, d, n - edge, edge)?], d)?;
        }
    }
    Ok(out)
}

/// Each element's text, and the width that PyTorch counts an element as.
fn texts(t: &Tensor, o: &Options) -> Result<(Vec<String>, usize)> {
    let right = |items: Vec<String>| {
        let width = items.iter().map(String::len).max().unwrap_or(1);
        (items.into_iter().map(|s| format!("{s:>width$}")).collect(), width)
    };
    Ok(match t.dtype() {
        DType::Bool => {
            right(t.to_vec::<bool>()?.iter().map(|b| if *b { "True".into() } else { "False".into() }).collect())
        }
        DType::U64 => right(t.to_vec::<u64>()?.iter().map(u64::to_string).collect()),
        d if d.is_int() => right(t.to_vec::<i64>()?.iter().map(i64::to_string).collect()),
        d if d.is_complex() => {
            let parts = view(&ViewOp::AsReal, &t.cast_raw(DType::C128)?)?.to_vec::<f64>()?;
            let (re, im): (Vec<f64>, Vec<f64>) = parts.chunks_exact(2).map(|p| (p[0], p[1])).unzip();
            let (a, b) = (Float::of(&re, o), Float::of(&im, o));
            let join = |(x, y): (&f64, &f64)| {
                let y = b.text(*y);
                let y = y.trim_start();
                format!("{}{}{y}j", a.text(*x), if y.starts_with(['+', '-']) { "" } else { "+" })
            };
            (re.iter().zip(&im).map(join).collect(), a.width + b.width + 1)
        }
        _ => {
            let values = t.to_vec::<f64>()?;
            let form = Float::of(&values, o);
            (values.iter().map(|&v| form.text(v)).collect(), form.width)
        }
    })
}

/// Floating point numbers: whole, fixed or scientific, as suits all finite ones that are not zero.
struct Float {
    whole: bool,
    scientific: bool,
    precision: usize,
    width: usize,
}

impl Float {
    fn of(values: &[f64], o: &Options) -> Float {
        let mut form = Float { whole: true, scientific: false, precision: o.precision, width: 1 };
        let values: Vec<f64> = values.iter().copied().filter(|v| *v != 0.0 && v.is_finite()).collect();
        if values.is_empty() {
            return form;
        }
        form.whole = values.iter().all(|v| v.trunc() == *v);
        let (low, high) =
            values.iter().fold((f64::INFINITY, 0f64), |(low, high), v| (low.min(v.abs()), high.max(v.abs())));
        form.scientific = o.sci_mode.unwrap_or(high / low > 1000.0 || high > 1.0e8 || low < 1.0e-4);
        form.width = values.iter().map(|&v| form.plain(v).len()).max().unwrap_or(1);
        form
    }

    fn plain(&self, v: f64) -> String {
        if v.is_nan() {
            return "nan".into();
        }
        if v.is_infinite() {
            return if v > 0.0 { "inf".into() } else { "-inf".into() };
        }
        if self.scientific {
            let text = format!("{v:.*e}", self.precision);
            // C's form: a sign and at least two digits in the exponent.
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(d) => ('-', d),
                None => ('+', exponent),
            };
            return format!("{mantissa}e{sign}{digits:0>2}");
        }
        if self.whole { format!("{v:.0}.") } else { format!("{v:.*}", self.precision) }
    }

    fn text(&self, v: f64) -> String {
        format!("{:>w$}", self.plain(v), w = self.width)
    }
}

/// Lays out the texts of all elements.
struct Writer<'a> {
    sizes: &'a [i64],
    /// Dimensions of which only both edges are there; dots stand between them.
    shortened: Vec<bool>,
    edge: usize,
    width: usize,
    o: &'a Options,
}

impl Writer<'_> {
    fn text(&self, items: &[String], dim: usize, indent: usize) -> String {
        if dim == self.sizes.len() {
            return items[0].clone();
        }
        if dim == self.sizes.len() - 1 {
            return self.row(items, dim, indent);
        }
        let n = items.len() / self.sizes[dim] as usize;
        let mut parts: Vec<String> = items.chunks(n).map(|c| self.text(c, dim + 1, indent + 1)).collect();
        if self.shortened[dim] {
            parts.insert(self.edge, "...".into());
        }
        let gap = format!(",{}{}", "\n".repeat(self.sizes.len() - dim - 1), " ".repeat(indent + 1));
        format!("[{}]", parts.join(&gap))
    }

    fn row(&self, items: &[String], dim: usize, indent: usize) -> String {
        let mut items: Vec<&str> = items.iter().map(String::as_str).collect();
        if self.shortened[dim] {
            items.insert(self.edge, " ...");
        }
        let per_line = (self.o.linewidth.saturating_sub(indent) / (self.width + 2)).max(1);
        let lines: Vec<String> = items.chunks(per_line).map(|l| l.join(", ")).collect();
        format!("[{}]", lines.join(&format!(",\n{}", " ".repeat(indent + 1))))
    }
}
