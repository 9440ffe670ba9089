//! Running sums, products and extremes.

use crate::isa::{self, Isa, Kernel};
use crate::reduce::{Plan, Shared, TILE};
use crate::value::{Float, Num, Value, float_dtype, int_dtype, real_dtype};
use flambeau_backend::{DType, Error, Result};
use flambeau_backend::{Raw, ScanOp};
use std::marker::PhantomData;

/// Elements whose prefixes are formed together, by doubling steps instead of one chain.
const GROUP: usize = 8;

/// How elements enter and leave a running state.
trait Running: 'static {
    type T: Value;
    type S: Num;
    fn enter(x: Self::T) -> Self::S;
    fn leave(s: Self::S) -> Self::T;
}

/// Integers, by size: they wrap.
struct Wrapping<T>(PhantomData<T>);
impl<T: Value<A = T> + Num> Running for Wrapping<T> {
    type T = T;
    type S = T;
    #[inline(always)]
    fn enter(x: T) -> T {
        x
    }
    #[inline(always)]
    fn leave(s: T) -> T {
        s
    }
}

/// Floats, in double precision.
struct Double<T>(PhantomData<T>);
impl<T: Value<A: Float>> Running for Double<T> {
    type T = T;
    type S = f64;
    #[inline(always)]
    fn enter(x: T) -> f64 {
        x.up().f64()
    }
    #[inline(always)]
    fn leave(s: f64) -> T {
        T::down(T::A::of(s))
    }
}

#[inline(always)]
fn step<S: Num, const PROD: bool>(a: S, b: S) -> S {
    if PROD { a.times(b) } else { a.plus(b) }
}

struct Lines<T, S> {
    x: *const T,
    xs: isize,
    out: *mut T,
    os: isize,
    n: usize,
    w: usize,
    state: *mut S,
}

struct Accumulate<R, const PROD: bool>(PhantomData<R>);

impl<R: Running, const PROD: bool> Kernel for Accumulate<R, PROD> {
    type Args = Lines<R::T, R::S>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(l: Lines<R::T, R::S>) {
        let start = if PROD { R::S::ONE } else { R::S::ZERO };
        // SAFETY: the caller vouches for `n` rows of `w` elements and for `w` states.
        unsafe {
            if l.w > 1 {
                let state = std::slice::from_raw_parts_mut(l.state, l.w);
                state.fill(start);
                for i in 0..l.n as isize {
                    let x = std::slice::from_raw_parts(l.x.offset(i * l.xs), l.w);
                    let out = std::slice::from_raw_parts_mut(l.out.offset(i * l.os), l.w);
                    for j in 0..l.w {
                        let s = step::<R::S, PROD>(state[j], R::enter(x[j]));
                        state[j] = s;
                        out[j] = R::leave(s);
                    }
                }
                return;
            }
            let mut carry = start;
            let mut i = 0;
            if l.xs == 1 && l.os == 1 {
                while i + GROUP <= l.n {
                    let x = *l.x.add(i).cast::<[R::T; GROUP]>();
                    let mut s: [R::S; GROUP] = std::array::from_fn(|k| R::enter(x[k]));
                    let mut reach = 1;
                    while reach < GROUP {
                        let p = s;
                        s = std::array::from_fn(
                            |k| if k >= reach { step::<R::S, PROD>(p[k - reach], p[k]) } else { p[k] },
                        );
                        reach *= 2;
                    }
                    *l.out.add(i).cast::<[R::T; GROUP]>() =
                        std::array::from_fn(|k| R::leave(step::<R::S, PROD>(carry, s[k])));
                    carry = step::<R::S, PROD>(carry, s[GROUP - 1]);
                    i += GROUP;
                }
            }
            while i < l.n {
                carry = step::<R::S, PROD>(carry, R::enter(*l.x.offset(i as isize * l.xs)));
                l.out.offset(i as isize * l.os).write(R::leave(carry));
                i += 1;
            }
        }
    }
}

fn stride(x: Raw, dim: usize) -> isize {
    x.strides.get(dim).map_or(1, |&s| s as isize)
}

fn accumulate<R: Running, const PROD: bool>(x: Raw, out: Raw, dim: usize) {
    let plan = Plan::lines(&x, [&out], dim, TILE);
    let (input, output, os) = (Shared(x.ptr.cast::<R::T>()), Shared(out.ptr.cast::<R::T>()), stride(out, dim));
    plan.for_tiles(
        2,
        || vec![R::S::ZERO; plan.width()],
        |state, tile| {
            // SAFETY: the plan stays inside the views; tiles have disjoint outputs.
            unsafe {
                let (x, out) = (input.get().offset(tile.x).cast_const(), output.get().offset(tile.out[0]));
                let (n, w, state) = (plan.count, tile.w, state.as_mut_ptr());
                isa::call::<Accumulate<R, PROD>>(Lines { x, xs: plan.red[0].1, out, os, n, w, state });
            }
        },
    );
}

/// Calls `f` with the offsets of each line in the operands.
fn each_line(x: Raw, outs: [&Raw; 2], dim: usize, cost: usize, f: impl Fn(isize, [isize; 2], usize, isize) + Sync) {
    let plan = Plan::lines(&x, outs, dim, TILE);
    plan.for_tiles(
        cost,
        || (),
        |_, tile| {
            for j in 0..tile.w as isize {
                let out = [0, 1].map(|k| tile.out[k] + j * plan.cols.out(k));
                f(tile.x + j * plan.cols.stride(), out, plan.count, plan.red[0].1);
            }
        },
    );
}

fn extreme<T: Value>(largest: bool, x: Raw, out: Raw, indices: Raw, dim: usize) {
    let (input, output) = (Shared(x.ptr.cast::<T>()), Shared(out.ptr.cast::<T>()));
    let (index, os, is) = (Shared(indices.ptr.cast::<i64>()), stride(out, dim), stride(indices, dim));
    each_line(x, [&out, &indices], dim, 4, |x, out, n, xs| {
        // SAFETY: lines lie inside the views and have disjoint outputs.
        unsafe {
            let x = input.get().offset(x);
            let mut best = *x;
            let mut at = 0;
            for i in 0..n as isize {
                let v = *x.offset(i * xs);
                let (a, b) = (v.up(), best.up());
                let nearer = if largest { a >= b } else { a <= b };
                if a.is_nan() || (nearer && !b.is_nan()) {
                    best = v;
                    at = i as i64;
                }
                output.get().offset(out[0] + i * os).write(best);
                index.get().offset(out[1] + i * is).write(at);
            }
        }
    });
}

fn logcumsumexp<T: Value<A: Float>>(x: Raw, out: Raw, dim: usize) {
    let (input, output, os) = (Shared(x.ptr.cast::<T>()), Shared(out.ptr.cast::<T>()), stride(out, dim));
    each_line(x, [&out, &out], dim, 32, |x, out, n, xs| {
        let mut s = f64::NEG_INFINITY;
        for i in 0..n as isize {
            // SAFETY: lines lie inside the views and have disjoint outputs.
            unsafe {
                let v = (*input.get().offset(x + i * xs)).up().f64();
                let (hi, lo) = if v > s { (v, s) } else { (s, v) };
                // Two equal infinities would give inf - inf.
                s = if hi == lo && hi.is_infinite() { hi } else { hi + (lo - hi).exp().ln_1p() };
                output.get().offset(out[0] + i * os).write(T::down(T::A::of(s)));
            }
        }
    });
}

/// See [`Reductions::scan`](flambeau_backend::Reductions::scan).
pub fn scan(op: ScanOp, x: Raw, out: Raw, indices: Option<Raw>, dim: usize) -> Result<()> {
    let name = match op {
        ScanOp::Sum => "cumsum_out_cpu",
        ScanOp::Prod => "cumprod_out_cpu",
        ScanOp::Max => "cummax_cpu",
        ScanOp::Min => "cummin_cpu",
        ScanOp::LogSumExp => "logcumsumexp_out_cpu",
    };
    if x.dtype != out.dtype {
        return Err(Error::dtype(name, out.dtype));
    }
    if x.sizes.contains(&0) {
        return Ok(());
    }
    match op {
        ScanOp::Sum | ScanOp::Prod if x.dtype.is_int() => int_dtype!(x.dtype, name, T => {
            if op == ScanOp::Sum {
                accumulate::<Wrapping<T>, false>(x, out, dim);
            } else {
                accumulate::<Wrapping<T>, true>(x, out, dim);
            }
            Ok(())
        }),
        // The parts of complex numbers add up independently.
        ScanOp::Sum if matches!(x.dtype, DType::C64 | DType::C128) => {
            crate::reduce::as_real(x, |x| crate::reduce::as_real(out, |out| scan(op, x, out, None, dim)))
        }
        ScanOp::Prod if x.dtype == DType::C64 => {
            complex_product::<f32>(x, out, dim);
            Ok(())
        }
        ScanOp::Prod if x.dtype == DType::C128 => {
            complex_product::<f64>(x, out, dim);
            Ok(())
        }
        ScanOp::Sum => float_dtype!(x.dtype, name, T => {
            accumulate::<Double<T>, false>(x, out, dim);
            Ok(())
        }),
        ScanOp::Prod => float_dtype!(x.dtype, name, T => {
            accumulate::<Double<T>, true>(x, out, dim);
            Ok(())
        }),
        ScanOp::Max | ScanOp::Min => {
            let Some(indices) = indices.filter(|i| i.dtype == DType::I64) else {
                return Err(Error::type_error(format!("{name}: expected an int64 output for the indices")));
            };
            real_dtype!(x.dtype, name, T => {
                extreme::<T>(op == ScanOp::Max, x, out, indices, dim);
                Ok(())
            })
        }
        ScanOp::LogSumExp => float_dtype!(x.dtype, name, T => {
            logcumsumexp::<T>(x, out, dim);
            Ok(())
        }),
    }
}

fn complex_product<F: Float>(x: Raw, out: Raw, dim: usize) {
    let (input, output, os) = (Shared(x.ptr.cast::<[F; 2]>()), Shared(out.ptr.cast::<[F; 2]>()), stride(out, dim));
    each_line(x, [&out, &out], dim, 8, |x, out, n, xs| {
        let mut s = (1.0, 0.0);
        for i in 0..n as isize {
            // SAFETY: lines lie inside the views and have disjoint outputs.
            unsafe {
                let [a, b] = *input.get().offset(x + i * xs);
                let (a, b) = (a.f64(), b.f64());
                s = (s.0 * a - s.1 * b, s.0 * b + s.1 * a);
                output.get().offset(out[0] + i * os).write([F::of(s.0), F::of(s.1)]);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::Cpu;
    use crate::test_tensor::{Lcg, Tensor, assert_close, random_sizes};
    use flambeau_backend::DType::*;
    use flambeau_backend::{Reductions, ScanOp};

    fn running(op: ScanOp, v: &[f64]) -> Vec<f64> {
        (1..=v.len())
            .map(|n| match op {
                ScanOp::Sum => v[..n].iter().sum(),
                ScanOp::Prod => v[..n].iter().product(),
                ScanOp::LogSumExp => v[..n].iter().map(|x| x.exp()).sum::<f64>().ln(),
                ScanOp::Max => v[..n].iter().fold(f64::NEG_INFINITY, |a, &b| if a.is_nan() || a > b { a } else { b }),
                ScanOp::Min => v[..n].iter().fold(f64::INFINITY, |a, &b| if a.is_nan() || a < b { a } else { b }),
            })
            .collect()
    }

    #[test]
    fn every_scan_on_random_layouts() {
        let mut r = Lcg(31);
        let ops = [ScanOp::Sum, ScanOp::Prod, ScanOp::Max, ScanOp::Min, ScanOp::LogSumExp];
        for round in 0..600 {
            let op = ops[round % 5];
            let dtype = [F32, F64, BF16, F16, I64, I32, C64, C128][r.below(8) as usize];
            let float = dtype.is_float();
            if (op == ScanOp::LogSumExp && !float) || (dtype.is_complex() && op != ScanOp::Sum) {
                continue;
            }
            let mut sizes = random_sizes(&mut r);
            if r.below(6) == 0 {
                sizes = vec![7, 40]; // columns
            }
            if sizes.is_empty() {
                sizes.push(9);
            }
            let dim = r.below(sizes.len() as u64) as usize;
            let mut x = Tensor::random_layout(&mut r, dtype, &sizes, true);
            x.fill_with(|| match op {
                ScanOp::Prod if float => 1.0 + r.unit() / 64.0,
                ScanOp::Prod => 1.0 - 2.0 * r.below(2) as f64,
                ScanOp::Max | ScanOp::Min if float && r.below(60) == 0 => f64::NAN,
                _ if float || dtype.is_complex() => 2.0 * r.unit(),
                _ => r.below(200) as f64 - 100.0,
            });
            let out = Tensor::random_layout(&mut r, dtype, &sizes, false);
            let at = Tensor::random_layout(&mut r, I64, &sizes, false);
            Cpu.scan(op, x.raw(), out.raw(), Some(at.raw()), dim).unwrap();
            for head in x.indices().into_iter().filter(|h| h[dim] == 0) {
                let place = |k: i64| [&head[..dim], &[k], &head[dim + 1..]].concat();
                let v: Vec<f64> = (0..sizes[dim]).map(|k| x.get(&place(k))).collect();
                let scale = v.iter().map(|x| x.abs()).filter(|x| !x.is_nan()).sum::<f64>().max(1.0);
                for (k, want) in running(op, &v).into_iter().enumerate() {
                    let i = place(k as i64);
                    assert_close(dtype, out.get(&i), want, scale, &(op, &sizes, &x.strides, dim, k));
                    if matches!(op, ScanOp::Max | ScanOp::Min) {
                        let last = (0..=k).rev().find(|&j| v[j] == want || (v[j].is_nan() && want.is_nan()));
                        assert_eq!(at.get(&i), last.unwrap() as f64, "{op:?} {v:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn logcumsumexp_of_infinities() {
        let inf = f64::INFINITY;
        let mut x = Tensor::contiguous(F32, &[5]);
        let mut it = [-inf, -inf, 1.0, inf, 2.0].into_iter();
        x.fill_with(|| it.next().unwrap());
        let out = Tensor::contiguous(F32, &[5]);
        Cpu.scan(ScanOp::LogSumExp, x.raw(), out.raw(), None, 0).unwrap();
        assert_eq!(out.values(), [-inf, -inf, 1.0, inf, inf]);
    }
}
