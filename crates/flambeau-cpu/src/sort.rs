//! Sorting, the largest few, and binary search.
//!
//! An element becomes an unsigned key whose order is the element's (NaN last, both zeros equal). Key and position are packed into
//! one integer, so that any sort of the integers is a stable sort of the elements: radix for long lines.

use crate::parallel::par_range;
use crate::reduce::{Plan, Shared};
use crate::value::{Value, real_dtype};
use flambeau_backend::Raw;
use flambeau_backend::{DType, Error, Result};

/// Lines below this length are sorted by comparisons.
const RADIX_FROM: usize = 4096;
const DIGIT: u32 = 11;

/// Unsigned keys.
trait Key: Value {
    /// Bits of the largest key.
    const BITS: u32;
    fn key(self) -> u64;
}

macro_rules! int_key {
    ($($t:ident => $u:ident, $flip:expr;)*) => {$(
        impl Key for $t {
            const BITS: u32 = $t::BITS;
            #[inline(always)]
            fn key(self) -> u64 { (self as $u ^ $flip) as u64 }
        }
    )*};
}
int_key! {
    u8 => u8, 0; u16 => u16, 0; u32 => u32, 0; u64 => u64, 0;
    i8 => u8, 1 << 7; i16 => u16, 1 << 15; i32 => u32, 1 << 31; i64 => u64, 1 << 63;
}

macro_rules! float_key {
    ($t:ident, $u:ident, $i:ident, $bits:literal) => {
        impl Key for $t {
            const BITS: u32 = $bits;
            #[inline(always)]
            fn key(self) -> u64 {
                // Adding zero makes -0 positive.
                let b = (self + (0 as $i as $t)).to_bits();
                let k = b ^ (((b as $i >> ($bits - 1)) as $u) | 1 << ($bits - 1));
                (if self.is_nan() { $u::MAX } else { k }) as u64
            }
        }
    };
}
float_key!(f32, u32, i32, 32);
float_key!(f64, u64, i64, 64);

macro_rules! half_key {
    ($($t:ty),*) => {$(
        impl Key for $t {
            const BITS: u32 = 32;
            #[inline(always)]
            fn key(self) -> u64 { self.up().key() }
        }
    )*};
}
half_key!(half::bf16, half::f16);

/// A key above a position.
trait Item: Copy + Ord + Default {
    fn pack(key: u64, bits: u32, at: usize) -> Self;
    fn at(self, bits: u32) -> usize;
    fn digit(self, shift: u32) -> usize;
}
macro_rules! item {
    ($($t:ident)*) => {$(
        impl Item for $t {
            #[inline(always)]
            fn pack(key: u64, bits: u32, at: usize) -> $t { ((key as $t) << bits) | at as $t }
            #[inline(always)]
            fn at(self, bits: u32) -> usize { (self & ((1 << bits) - 1)) as usize }
            #[inline(always)]
            fn digit(self, shift: u32) -> usize { (self >> shift) as usize & ((1 << DIGIT) - 1) }
        }
    )*};
}
item!(u64 u128);

/// Sorts by the bits `low..high`; `other` is as long as `items`. The result is in `items`.
fn radix<P: Item>(items: &mut Vec<P>, other: &mut Vec<P>, low: u32, high: u32) {
    const SIZE: usize = 1 << DIGIT;
    let passes = (high - low).div_ceil(DIGIT) as usize;
    let mut counts = vec![0usize; passes * SIZE];
    for &v in items.iter() {
        for p in 0..passes {
            counts[p * SIZE + v.digit(low + p as u32 * DIGIT)] += 1;
        }
    }
    for p in 0..passes {
        let places = &mut counts[p * SIZE..(p + 1) * SIZE];
        if places.contains(&items.len()) {
            continue; // All have the same digit.
        }
        let mut sum = 0;
        for c in places.iter_mut() {
            sum += std::mem::replace(c, sum);
        }
        for &v in items.iter() {
            let place = &mut places[v.digit(low + p as u32 * DIGIT)];
            other[*place] = v;
            *place += 1;
        }
        std::mem::swap(items, other);
    }
}

struct Buffers {
    keys: Vec<u64>,
    narrow: [Vec<u64>; 2],
    wide: [Vec<u128>; 2],
}

impl Buffers {
    fn new() -> Self {
        Buffers { keys: Vec::new(), narrow: [Vec::new(), Vec::new()], wide: [Vec::new(), Vec::new()] }
    }
}

/// Bits that hold every number below `n`.
fn bits_for(n: usize) -> u32 {
    usize::BITS - n.saturating_sub(1).leading_zeros()
}

/// Calls `emit(rank, position)` for the sorted order of `keys`.
fn order(b: &mut Buffers, emit: impl FnMut(usize, usize)) {
    let keys = &b.keys;
    let low = keys.iter().copied().min().unwrap_or(0);
    let span = keys.iter().copied().max().unwrap_or(0) - low;
    let (key_bits, at_bits) = (u64::BITS - span.leading_zeros(), bits_for(keys.len()));
    fn run<P: Item>(
        keys: &[u64],
        low: u64,
        kb: u32,
        ab: u32,
        [v, o]: &mut [Vec<P>; 2],
        mut emit: impl FnMut(usize, usize),
    ) {
        v.clear();
        v.extend(keys.iter().enumerate().map(|(i, &k)| P::pack(k - low, ab, i)));
        if keys.len() < RADIX_FROM {
            v.sort_unstable();
        } else {
            o.resize(v.len(), P::default());
            radix(v, o, ab, ab + kb);
        }
        v.iter().enumerate().for_each(|(rank, p)| emit(rank, p.at(ab)));
    }
    if key_bits + at_bits <= 64 {
        run(keys, low, key_bits, at_bits, &mut b.narrow, emit);
    } else {
        run(keys, low, key_bits, at_bits, &mut b.wide, emit);
    }
}

fn stride(x: Raw, dim: usize) -> isize {
    x.strides.get(dim).map_or(1, |&s| s as isize)
}

fn check_indices(name: &str, x: Raw, values: Raw, indices: Raw) -> Result<()> {
    if indices.dtype != DType::I64 || values.dtype != x.dtype {
        return Err(Error::dtype(name, values.dtype));
    }
    Ok(())
}

/// See [`Reductions::sort`](flambeau_backend::Reductions::sort).
pub fn sort(x: Raw, values: Raw, indices: Raw, dim: usize, descending: bool) -> Result<()> {
    check_indices("sort", x, values, indices)?;
    real_dtype!(x.dtype, "sort", T => {
        let plan = Plan::lines(&x, [&values, &indices], dim, 1);
        lines::<T>(&plan, x, values, indices, dim, plan.count, descending);
        Ok(())
    })
}

/// Writes the first `k` of each sorted line.
fn lines<T: Key>(plan: &Plan<2>, x: Raw, values: Raw, indices: Raw, dim: usize, k: usize, descending: bool) {
    let (n, xs) = plan.red[0];
    let (vs, is) = (stride(values, dim), stride(indices, dim));
    let (input, vp, ip) =
        (Shared(x.ptr.cast::<T>()), Shared(values.ptr.cast::<T>()), Shared(indices.ptr.cast::<i64>()));
    let top = if T::BITS == 64 { u64::MAX } else { (1 << T::BITS) - 1 };
    plan.for_tiles(16, Buffers::new, |b, tile| {
        for j in 0..tile.w as isize {
            // SAFETY: the plan stays inside the views; lines have disjoint outputs.
            unsafe {
                let x = input.get().offset(tile.x + j * plan.cols.stride());
                let v = vp.get().offset(tile.out[0] + j * plan.cols.out(0));
                let p = ip.get().offset(tile.out[1] + j * plan.cols.out(1));
                let key = |i: usize| {
                    let k = (*x.offset(i as isize * xs)).key();
                    if descending { top - k } else { k }
                };
                let emit = |rank: usize, i: usize| {
                    v.offset(rank as isize * vs).write(*x.offset(i as isize * xs));
                    p.offset(rank as isize * is).write(i as i64);
                };
                if k == n {
                    b.keys.clear();
                    b.keys.extend((0..n).map(key));
                    order(b, emit);
                } else if T::BITS + bits_for(n) <= 64 {
                    select(&mut b.narrow[0], n, k, key, emit);
                } else {
                    select(&mut b.wide[0], n, k, key, emit);
                }
            }
        }
    });
}

/// Calls `emit` for the `k` smallest keys in order. Keeps a buffer of candidates below the `k`-th smallest so far.
#[inline(always)]
fn select<P: Item>(
    found: &mut Vec<P>,
    n: usize,
    k: usize,
    key: impl Fn(usize) -> u64,
    mut emit: impl FnMut(usize, usize),
) {
    const BLOCK: usize = 64;
    let bits = bits_for(n);
    let capacity = (4 * k).max(1024);
    let mut limit = u64::MAX;
    let mut full = false;
    found.clear();
    for from in (0..n).step_by(BLOCK) {
        let to = n.min(from + BLOCK);
        if full && !(from..to).fold(false, |any, i| any | (key(i) < limit)) {
            continue;
        }
        for i in from..to {
            let v = key(i);
            if v < limit || !full {
                found.push(P::pack(v, bits, i));
            }
        }
        if found.len() >= capacity {
            let (_, last, _) = found.select_nth_unstable(k - 1);
            limit = key(last.at(bits));
            found.truncate(k);
            full = true;
        }
    }
    if found.len() > k {
        found.select_nth_unstable(k - 1);
        found.truncate(k);
    }
    found.sort_unstable();
    found.iter().enumerate().for_each(|(rank, p)| emit(rank, p.at(bits)));
}

/// See [`Reductions::topk`](flambeau_backend::Reductions::topk).
pub fn topk(x: Raw, values: Raw, indices: Raw, dim: usize, largest: bool) -> Result<()> {
    check_indices("topk", x, values, indices)?;
    if values.numel() == 0 {
        return Ok(());
    }
    let (n, k) = (x.sizes.get(dim).map_or(1, |&n| n as usize), values.sizes.get(dim).map_or(1, |&n| n as usize));
    if k > n {
        return Err(Error::runtime("selected index k out of range"));
    }
    real_dtype!(x.dtype, "topk", T => {
        // The outputs' lines are shorter, which the walk across lines does not see.
        let mut sizes = x.sizes.to_vec();
        if let Some(s) = sizes.get_mut(dim) {
            *s = n as i64;
        }
        let (v, i) = (values.with_layout(&sizes, values.strides), indices.with_layout(&sizes, indices.strides));
        let plan = Plan::lines(&x, [&v, &i], dim, 1);
        lines::<T>(&plan, x, values, indices, dim, k, largest);
        Ok(())
    })
}

/// See [`Reductions::searchsorted`](flambeau_backend::Reductions::searchsorted).
pub fn searchsorted(sorted: Raw, v: Raw, out: Raw, right: bool) -> Result<()> {
    if out.dtype != DType::I64 || sorted.dtype != v.dtype {
        return Err(Error::dtype("searchsorted_out_cpu", out.dtype));
    }
    let rank = sorted.ndim();
    if rank == 0 || (rank > 1 && rank != v.ndim()) {
        return Err(Error::runtime(
            "searchsorted: boundaries tensor should be 1 dimension or match the values' leading sizes",
        ));
    }
    real_dtype!(v.dtype, "searchsorted_out_cpu", T => {
        let n = sorted.sizes[rank - 1] as usize;
        let step = sorted.strides[rank - 1] as isize;
        par_range(v.numel(), 1 << 10, |range| {
            let (sorted, v, out) = (&sorted, &v, &out);
            for flat in range {
                let (mut left, mut line, mut from, mut to) = (flat, 0, 0, 0);
                for d in (0..v.ndim()).rev() {
                    let i = (left % v.sizes[d] as usize) as i64;
                    left /= v.sizes[d] as usize;
                    from += i * v.strides[d];
                    to += i * out.strides[d];
                    if rank > 1 && d + 1 < rank {
                        line += i * sorted.strides[d];
                    }
                }
                // SAFETY: the offsets lie inside the views.
                unsafe {
                    let x = (*v.ptr.cast::<T>().offset(from as isize)).up();
                    let line = sorted.ptr.cast::<T>().offset(line as isize);
                    let (mut lo, mut len) = (0, n);
                    while len > 0 {
                        let half = len / 2;
                        let m = (*line.offset((lo + half) as isize * step)).up();
                        let after = if right { m > x } else { m >= x };
                        (lo, len) = if after { (lo, half) } else { (lo + half + 1, len - half - 1) };
                    }
                    out.ptr.cast::<i64>().offset(to as isize).write(lo as i64);
                }
            }
        });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use crate::Cpu;
    use crate::test_tensor::{Lcg, Tensor, random_sizes};
    use flambeau_backend::DType::{self, *};
    use flambeau_backend::Reductions;
    use std::cmp::Ordering;

    const DTYPES: [DType; 10] = [F32, F64, BF16, F16, I64, I32, I16, U8, I8, Bool];

    /// NaN last.
    fn compare(a: f64, b: f64) -> Ordering {
        a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
    }

    fn line(x: &Tensor, head: &[i64], dim: usize, n: i64) -> Vec<f64> {
        (0..n).map(|k| x.get(&[&head[..dim], &[k], &head[dim + 1..]].concat())).collect()
    }

    /// The stable order of a line.
    fn reference(v: &[f64], descending: bool) -> Vec<usize> {
        let mut order: Vec<usize> = (0..v.len()).collect();
        order.sort_by(|&a, &b| if descending { compare(v[b], v[a]) } else { compare(v[a], v[b]) });
        order
    }

    fn case(r: &mut Lcg, dtype: DType, sizes: &[i64]) -> Tensor {
        let mut x = Tensor::random_layout(r, dtype, sizes, true);
        let float = dtype.is_float();
        x.fill_with(|| match r.below(40) {
            0 if float => f64::NAN,
            1 if float => f64::INFINITY,
            2 if float => f64::NEG_INFINITY,
            3 if float => -0.0,
            4 => 0.0,
            n if n < 20 && dtype.is_signed() => -(r.below(100) as f64),
            20 if dtype == I64 => -(2f64.powi(62)),
            21 if dtype == I64 => 2f64.powi(62),
            _ => r.below(100) as f64,
        });
        x
    }

    #[test]
    fn sort_and_topk_are_stable_on_random_layouts() {
        let mut r = Lcg(21);
        for round in 0..600 {
            let dtype = DTYPES[round % DTYPES.len()];
            let mut sizes = random_sizes(&mut r);
            if sizes.is_empty() {
                sizes.push(3);
            }
            let dim = r.below(sizes.len() as u64) as usize;
            if round % 50 == 0 {
                sizes = vec![2, 5000 + round as i64];
            }
            let dim = if round % 50 == 0 { 1 } else { dim };
            let x = case(&mut r, dtype, &sizes);
            let descending = r.below(2) == 0;
            let k = r.below(sizes[dim] as u64 + 1) as i64;
            let mut short = sizes.clone();
            short[dim] = k;
            for (sizes, top) in [(&sizes, false), (&short, true)] {
                let (v, i) = (
                    Tensor::random_layout(&mut r, dtype, sizes, false),
                    Tensor::random_layout(&mut r, I64, sizes, false),
                );
                if top {
                    Cpu.topk(x.raw(), v.raw(), i.raw(), dim, descending).unwrap();
                } else {
                    Cpu.sort(x.raw(), v.raw(), i.raw(), dim, descending).unwrap();
                }
                for head in v.indices().into_iter().filter(|h| h[dim] == 0) {
                    let from = line(&x, &head, dim, x.sizes[dim]);
                    let want = reference(&from, descending);
                    let got = line(&i, &head, dim, sizes[dim]);
                    assert_eq!(
                        got,
                        want[..got.len()].iter().map(|&i| i as f64).collect::<Vec<_>>(),
                        "{dtype} {from:?}"
                    );
                    for (k, value) in line(&v, &head, dim, sizes[dim]).into_iter().enumerate() {
                        assert_eq!(value.to_bits(), from[want[k]].to_bits());
                    }
                }
            }
        }
    }

    #[test]
    fn topk_trims_its_buffer() {
        let mut r = Lcg(22);
        for (n, k) in [(20_000, 7), (20_000, 900), (5000, 5000)] {
            let mut x = Tensor::contiguous(F32, &[n]);
            // Rising values keep replacing what was found.
            let mut i = 0.0;
            x.fill_with(|| {
                i += 1.0;
                i + 50.0 * r.unit()
            });
            let (v, at) = (Tensor::contiguous(F32, &[k]), Tensor::contiguous(I64, &[k]));
            Cpu.topk(x.raw(), v.raw(), at.raw(), 0, true).unwrap();
            let want = reference(&x.values(), true);
            assert!(at.values().iter().zip(&want).all(|(&a, &b)| a == b as f64));
        }
    }

    #[test]
    fn scalars_sort() {
        let mut x = Tensor::contiguous(F32, &[]);
        x.set(&[], 3.0);
        let (v, i) = (Tensor::contiguous(F32, &[]), Tensor::contiguous(I64, &[]));
        Cpu.sort(x.raw(), v.raw(), i.raw(), 0, false).unwrap();
        assert_eq!((v.get(&[]), i.get(&[])), (3.0, 0.0));
    }

    #[test]
    fn searchsorted_finds_both_bounds() {
        let mut r = Lcg(23);
        for round in 0..200 {
            let dtype = [F32, I64, F64, I32, BF16][round % 5];
            let (rows, n, m) = (1 + r.below(4) as i64, r.below(30) as i64, r.below(10) as i64);
            let one = r.below(2) == 0;
            let mut sorted = Tensor::random_layout(&mut r, dtype, &if one { vec![n] } else { vec![rows, n] }, false);
            let mut at = 0.0;
            sorted.fill_with(|| {
                at += r.below(3) as f64;
                at
            });
            let mut v = Tensor::random_layout(&mut r, dtype, &[rows, m], true);
            v.fill_with(|| r.below(40) as f64);
            let out = Tensor::random_layout(&mut r, I64, &[rows, m], false);
            for right in [false, true] {
                Cpu.searchsorted(sorted.raw(), v.raw(), out.raw(), right).unwrap();
                for i in out.indices() {
                    let x = v.get(&i);
                    let row: Vec<f64> =
                        (0..n).map(|k| sorted.get(&if one { vec![k] } else { vec![i[0], k] })).collect();
                    let want = row.iter().filter(|&&s| if right { s <= x } else { s < x }).count();
                    assert_eq!(out.get(&i), want as f64);
                }
            }
        }
    }
}
