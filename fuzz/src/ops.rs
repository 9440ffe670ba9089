//! Operations with random arguments, run through the dispatch boundary as every front door does.

use std::sync::LazyLock;

use crate::Outcome;
use crate::input::Input;
use flambeau_core::layout::{Dims, contiguous_strides};
use flambeau_core::op::{Kind, OpDef, Params, Value, surface};
use flambeau_core::schema::{Schema, Type};
use flambeau_core::shared::Shared;
use flambeau_core::storage::Storage;
use flambeau_core::view::Layout;
use flambeau_core::{DType, Device, Tensor, call};

/// Views with more elements are not gone on with, results not looked at: `expand` makes them for nothing.
const LARGE: i64 = 1 << 12;
/// Guards around a tensor's memory, in bytes.
const MARGIN: usize = 256;
const GUARD: u8 = 0xa5;

struct Row {
    op: &'static OpDef,
    schema: Schema,
}

/// Internal rows trust the composites that call them: they are reached through those.
fn rows_where(keep: impl Fn(&OpDef) -> bool) -> Vec<Row> {
    flambeau_ops::init();
    let rows = flambeau_ops::registry().iter().filter(|op| op.surfaces & surface::INTERNAL == 0 && keep(op));
    rows.map(|op| Row { op, schema: Schema::parse(op.sig).expect("signatures of rows parse") }).collect()
}

static VIEWS: LazyLock<Vec<Row>> = LazyLock::new(|| rows_where(|op| matches!(op.kind, Kind::View(_))));
static INDEXING: LazyLock<Vec<Row>> = LazyLock::new(|| {
    const WORDS: [&str; 14] = [
        "index",
        "gather",
        "scatter",
        "select",
        "take",
        "put",
        "masked",
        "embedding",
        "one_hot",
        "nonzero",
        "narrow",
        "where",
        "unfold",
        "diagonal",
    ];
    rows_where(|op| WORDS.iter().any(|w| op.name.contains(w)))
});
/// All but what makes tensors as large, or works as long, as it is told, which is the caller's own wish.
static ALL: LazyLock<Vec<Row>> = LazyLock::new(|| {
    const MAKERS: [&str; 32] = [
        "polynomial",
        "empty",
        "zeros",
        "ones",
        "full",
        "rand",
        "eye",
        "arange",
        "linspace",
        "logspace",
        "range",
        "repeat",
        "tile",
        "pad",
        "indices",
        "vander",
        "expand",
        "resize",
        "new_",
        "one_hot",
        "diag",
        "multinomial",
        "window",
        "combinations",
        "cartesian",
        "kron",
        "interpolate",
        "upsample",
        "bincount",
        "tensordot",
        "as_strided",
        "conv",
    ];
    rows_where(|op| !MAKERS.iter().any(|w| op.name.contains(w)))
});

/// A tensor inside a larger block whose rest is known.
struct Guarded {
    storage: Shared<Storage>,
    start: usize,
    end: usize,
}

impl Guarded {
    fn check(&self) -> Outcome {
        // SAFETY: the storage owns its bytes, and nothing writes to them here.
        let bytes = unsafe { std::slice::from_raw_parts(self.storage.ptr(), self.storage.nbytes()) };
        let outside = bytes[..self.start].iter().chain(&bytes[self.end..]);
        if outside.copied().all(|b| b == GUARD) { Ok(()) } else { Err("bytes around the tensor were written".into()) }
    }
}

fn tensor(input: &mut Input, sizes: &[i64], dtype: DType) -> Option<(Tensor, Guarded)> {
    let n: i64 = sizes.iter().product();
    let item = dtype.size();
    let nbytes = 2 * MARGIN + n as usize * item;
    let storage = Storage::new(nbytes, Device::CPU).ok()?;
    // SAFETY: a fresh block of this many bytes, written before it is read. Only 0 and 1 are values of a bool.
    unsafe {
        std::ptr::write_bytes(storage.ptr(), GUARD, nbytes);
        let salt = input.byte();
        for i in 0..n as usize * item {
            let b = (i as u8).wrapping_mul(37).wrapping_add(salt);
            storage.ptr().add(MARGIN + i).write(if dtype == DType::Bool { b & 1 } else { b });
        }
    }
    let (start, end) = (MARGIN, MARGIN + n as usize * item);
    let layout = Layout {
        sizes: sizes.iter().copied().collect(),
        strides: contiguous_strides(sizes),
        offset: (MARGIN / item) as i64,
        dtype,
    };
    let t = Tensor::from_storage(storage.clone(), layout).ok()?;
    Some((t, Guarded { storage, start, end }))
}

/// Indices: small numbers, some of them wrong.
fn indices(input: &mut Input, sizes: &[i64]) -> Option<Tensor> {
    let dtype = input.pick(&[DType::I64, DType::I64, DType::I64, DType::I32, DType::Bool, DType::U8]);
    let n: i64 = sizes.iter().product();
    let t = Tensor::empty(sizes, dtype, Device::CPU).ok()?;
    for i in 0..n as usize {
        let v = if dtype == DType::I64 && input.one_in(40) { input.int() } else { input.below(5) as i64 - 1 };
        // SAFETY: `t` is a fresh row-major tensor of `n` elements of this type.
        unsafe {
            match dtype {
                DType::I64 => t.data_ptr().cast::<i64>().add(i).write(v),
                DType::I32 => t.data_ptr().cast::<i32>().add(i).write(v as i32),
                _ => t.data_ptr().add(i).write((v & 1) as u8),
            }
        }
    }
    Some(t)
}

/// An operand, and the guards around its memory if it has some.
fn operand(input: &mut Input, first: Option<&Tensor>, name: &str) -> Option<(Tensor, Option<Guarded>)> {
    let like = first.filter(|t| input.one_in(2) && t.numel() <= LARGE).map(|t| t.sizes().to_vec());
    let sizes = like.unwrap_or_else(|| input.sizes());
    if matches!(name, "index" | "indices" | "mask" | "condition" | "target" | "repeats" | "offsets") && !input.one_in(6)
    {
        return Some((indices(input, &sizes)?, None));
    }
    let dtype = match first {
        Some(t) if !input.one_in(5) => t.dtype(),
        _ if input.one_in(2) => DType::F32,
        _ => input.dtype(),
    };
    let (mut t, guard) = tensor(input, &sizes, dtype)?;
    for _ in 0..input.below(3) {
        t = viewed(input, &t).unwrap_or(t);
    }
    Some((t, Some(guard)))
}

/// A view of `t` by a random row with random arguments, if that is allowed. `as_strided` may look at the margins, where a
/// write is meant: such a view is not gone on with.
fn viewed(input: &mut Input, t: &Tensor) -> Option<Tensor> {
    let row = &VIEWS[input.below(VIEWS.len())];
    let params = params(input, &row.schema);
    call::call1(row.op, &[Some(t)], params).ok().filter(|y| y.numel() <= LARGE && (y.numel() == 0 || inside(y)))
}

/// Whether a tensor of few elements stays clear of its storage's margins.
fn inside(t: &Tensor) -> bool {
    let (item, nbytes) = (t.dtype().size() as i128, t.storage().nbytes() as i128);
    let (mut low, mut high) = (t.offset() as i128, t.offset() as i128);
    for (&n, &s) in t.sizes().iter().zip(t.strides()) {
        let far = (n as i128 - 1) * s as i128;
        if far < 0 { low += far } else { high += far }
    }
    low * item >= MARGIN as i128 && (high + 1) * item <= nbytes - MARGIN as i128
}

fn params(input: &mut Input, schema: &Schema) -> Params {
    let plain = schema.params.iter().filter(|p| !p.ty.is_tensor());
    plain
        .map(|p| match &p.default {
            Some(d) if input.one_in(3) => d.clone(),
            _ => input.value(p.ty, p.nullable),
        })
        .collect()
}

/// Reads a tensor's elements as raw bytes by its strides, and says whether all of them lie in its storage.
fn elements(t: &Tensor) -> Result<Vec<u8>, String> {
    let (item, n) = (t.dtype().size(), t.numel());
    let mut out = Vec::with_capacity(n as usize * item);
    let mut at = Dims::from_elem(0, t.ndim());
    for _ in 0..n {
        let place = t.offset() + at.iter().zip(t.strides()).map(|(i, s)| i * s).sum::<i64>();
        let start = place.checked_mul(item as i64).filter(|s| *s >= 0).ok_or("an element before its storage")? as usize;
        if start + item > t.storage().nbytes() {
            return Err(format!("an element at byte {start} of a storage of {}", t.storage().nbytes()));
        }
        // SAFETY: just checked to lie in the storage.
        out.extend(unsafe { std::slice::from_raw_parts(t.storage().ptr().add(start), item) });
        for d in (0..at.len()).rev() {
            at[d] += 1;
            if at[d] < t.sizes()[d] {
                break;
            }
            at[d] = 0;
        }
    }
    Ok(out)
}

/// A result is inside its storage, and its copy holds what its strides say.
fn check(t: &Tensor) -> Outcome {
    let numel =
        if t.sizes().contains(&0) { Some(0) } else { t.sizes().iter().try_fold(1i64, |a, &n| a.checked_mul(n)) };
    if t.sizes().iter().any(|n| *n < 0) || t.sizes().len() != t.strides().len() || numel != Some(t.numel()) {
        return Err(format!("sizes {:?} and strides {:?} of {} elements", t.sizes(), t.strides(), t.numel()));
    }
    if t.device().is_meta() || t.numel() > LARGE {
        return Ok(());
    }
    let by_strides = elements(t)?;
    let copy = flambeau_ops::copy::clone(t).map_err(|e| format!("a tensor cannot be copied: {e}"))?;
    if elements(&copy)? != by_strides {
        return Err("a copy differs from what it was made of".into());
    }
    Ok(())
}

/// Chains of views, written to and differentiated through.
pub fn views(data: &[u8]) -> Outcome {
    let mut input = Input(data);
    let (sizes, dtype) = (input.sizes(), if input.one_in(2) { DType::F32 } else { input.dtype() });
    let Some((base, guard)) = tensor(&mut input, &sizes, dtype) else { return Ok(()) };
    let with_grad = dtype == DType::F32 && input.one_in(2);
    if with_grad {
        base.set_requires_grad(true).map_err(|e| e.to_string())?;
    }
    let mut t = base.clone();
    while !input.done() {
        let Some(next) = viewed(&mut input, &t) else { continue };
        check(&next)?;
        t = next;
    }
    if with_grad && t.dtype() == DType::F32 {
        let sum = flambeau_ops::reduce::sum(&t, &[], false).map_err(|e| format!("a view cannot be summed: {e}"))?;
        if sum.requires_grad() {
            sum.backward().map_err(|e| format!("a view cannot be differentiated: {e}"))?;
            if let Some(g) = base.grad() {
                check(&g)?;
                if g.sizes() != base.sizes() {
                    return Err(format!("a gradient of sizes {:?} for {:?}", g.sizes(), base.sizes()));
                }
            }
        }
    } else {
        let zero = flambeau_ops::find("zero_").ok_or("no row zero_")?;
        // Overlapping elements are refused.
        if call::call(zero, &[Some(&t)], Params::new()).is_ok() && elements(&t)?.iter().any(|&b| b != 0) {
            return Err("a view that was zeroed is not zero".into());
        }
    }
    guard.check()
}

fn run(row: &Row, input: &mut Input) -> Outcome {
    let mut tensors: Vec<Option<Tensor>> = Vec::new();
    let mut guards = Vec::new();
    let mut p = Params::new();
    for param in &row.schema.params {
        match param.ty {
            Type::Tensors(holes) => {
                let n = input.below(4);
                for _ in 0..n {
                    if holes && input.one_in(3) {
                        tensors.push(None);
                        continue;
                    }
                    let first = tensors.iter().flatten().next().cloned();
                    let Some((t, guard)) = operand(input, first.as_ref(), &param.name) else { return Ok(()) };
                    guards.extend(guard);
                    tensors.push(Some(t));
                }
                p.push(Value::Int(n as i64));
            }
            // `out` is not the row's business.
            ty if ty.is_tensor() && param.name == "out" => {}
            ty if ty.is_tensor() => {
                if param.nullable && input.one_in(2) {
                    tensors.push(None);
                    continue;
                }
                let first = tensors.iter().flatten().next().cloned();
                let Some((t, guard)) = operand(input, first.as_ref(), &param.name) else { return Ok(()) };
                guards.extend(guard);
                tensors.push(Some(t));
            }
            _ if matches!(&param.name[..], "requires_grad" | "layout" | "pin_memory" | "inplace") => {}
            _ => p.push(match &param.default {
                Some(d) if input.one_in(3) => d.clone(),
                _ => input.value(param.ty, param.nullable),
            }),
        }
    }
    let refs: Vec<Option<&Tensor>> = tensors.iter().map(Option::as_ref).collect();
    let in_place = row.op.surfaces & surface::INPLACE != 0 && input.one_in(3);
    let outs = if in_place {
        call::call_inplace(row.op, &refs, p).map(|t| vec![t])
    } else {
        call::call(row.op, &refs, p).map(|o| o.into_iter().collect())
    };
    for t in outs.iter().flatten() {
        check(t).map_err(|e| format!("{}: {e}", row.op.name))?;
    }
    guards.iter().try_for_each(|g| g.check().map_err(|e| format!("{}: {e}", row.op.name)))
}

/// Rows that index, on tensors between guarded margins.
pub fn indexing(data: &[u8]) -> Outcome {
    let mut input = Input(data);
    let row = &INDEXING[input.below(INDEXING.len())];
    run(row, &mut input)
}

/// Any row.
pub fn rows(data: &[u8]) -> Outcome {
    let mut input = Input(data);
    let n = input.byte() as usize | (input.byte() as usize) << 8;
    run(&ALL[n % ALL.len()], &mut input)
}

/// The name of the row that an input of `indexing` or `rows` runs, for reports.
pub fn row_of(target: &str, data: &[u8]) -> &'static str {
    let mut input = Input(data);
    match target {
        "indexing" => INDEXING[input.below(INDEXING.len())].op.name,
        "rows" => ALL[(input.byte() as usize | (input.byte() as usize) << 8) % ALL.len()].op.name,
        _ => "",
    }
}
