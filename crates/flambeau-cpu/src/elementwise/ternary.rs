//! `out = f(a, b, c)`.

use super::block::{Args, Body};
use super::int::{Int, computed};
use crate::drive::GRAIN;
use crate::isa::{Isa, Kernel, pick, pick_small};
use crate::math::Real;
use flambeau_backend::DType;
use flambeau_backend::TernaryOp;
use std::marker::PhantomData;

trait Ternary: 'static {
    fn f<I: Isa, T: Real>(a: T, b: T, c: T, p: &[T; 4]) -> T;
}

struct Zip<O, T>(PhantomData<(O, T)>);

impl<O: Ternary, T: Real> Kernel for Zip<O, T> {
    type Args = Args<4>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<4>) {
        // SAFETY: operands of type `T`; the output overlaps none, or is `a` itself and then `a` is not read apart from it.
        unsafe {
            let (out, y, z, p) = (a.output::<T>(), a.input::<T>(2), a.input::<T>(3), a.params::<T>());
            if a.ptrs[0] == a.ptrs[1] {
                for ((o, &y), &z) in out.iter_mut().zip(y).zip(z) {
                    *o = O::f::<I, T>(*o, y, z, &p);
                }
                return;
            }
            for (((o, &x), &y), &z) in out.iter_mut().zip(a.input::<T>(1)).zip(y).zip(z) {
                *o = O::f::<I, T>(x, y, z, &p);
            }
        }
    }
}

macro_rules! bodies {
    ($($name:ident($a:ident, $b:ident, $c:ident, $p:ident) $e:expr;)*) => {$(
        struct $name;
        impl Ternary for $name {
            #[inline(always)]
            fn f<I: Isa, T: Real>($a: T, $b: T, $c: T, $p: &[T; 4]) -> T {
                $e
            }
        }
    )*};
}

bodies! {
    Addcmul(a, b, c, p) (p[0] * b).fma::<I>(c, a);
    Addcdiv(a, b, c, p) a + p[0] * b / c;
    Lerp(a, b, w, _p) {
        let d = b - a;
        let near = w.fma::<I>(d, a);
        let far = (-d).fma::<I>(T::ONE - w, b);
        if w.abs() < T::HALF { near } else { far }
    };
    Clamp(a, lo, hi, _p) {
        let y = if a < lo { lo } else { a };
        let y = if y > hi { hi } else { y };
        let y = if hi.is_nan() { hi } else { y };
        if lo.is_nan() { lo } else { y }
    };
}

struct ClampInt<T>(PhantomData<T>);

impl<T: Int> Kernel for ClampInt<T> {
    type Args = Args<4>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<4>) {
        // SAFETY: operands of type `T` without overlap.
        let (out, x, lo, hi) = unsafe { (a.output::<T>(), a.input::<T>(1), a.input::<T>(2), a.input::<T>(3)) };
        for (((o, &x), &lo), &hi) in out.iter_mut().zip(x).zip(lo).zip(hi) {
            *o = x.max(lo).min(hi);
        }
    }
}

struct AddcmulInt<T>(PhantomData<T>);

impl<T: Int> Kernel for AddcmulInt<T> {
    type Args = Args<4>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<4>) {
        // SAFETY: operands of type `T` without overlap.
        let (out, x, y, z) = unsafe { (a.output::<T>(), a.input::<T>(1), a.input::<T>(2), a.input::<T>(3)) };
        // SAFETY: valid while the body runs.
        let p = T::of(unsafe { (*a.p).f64[0] });
        for (((o, &x), &y), &z) in out.iter_mut().zip(x).zip(y).zip(z) {
            *o = x.add(p.mul(y).mul(z));
        }
    }
}

struct Where<T>(PhantomData<T>);

impl<T: Copy + 'static> Kernel for Where<T> {
    type Args = Args<4>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<4>) {
        // SAFETY: a bool condition, the others of `T`'s size, no overlap.
        let (out, c, x, y) = unsafe { (a.output::<T>(), a.input::<u8>(1), a.input::<T>(2), a.input::<T>(3)) };
        for (((o, &c), &x), &y) in out.iter_mut().zip(c).zip(x).zip(y) {
            *o = if c != 0 { x } else { y };
        }
    }
}

fn fast<O: Ternary>(t: DType) -> unsafe fn(Args<4>) {
    if t == DType::F64 { pick::<Zip<O, f64>>() } else { pick::<Zip<O, f32>>() }
}

/// The body of `op` for real operands of dtype `t`; for `Where` any dtype.
pub fn body(op: TernaryOp, t: DType) -> Option<Body<4>> {
    if op == TernaryOp::Where {
        let run: unsafe fn(Args<4>) = match t.size() {
            1 => pick::<Where<u8>>(),
            2 => pick::<Where<u16>>(),
            4 => pick::<Where<u32>>(),
            8 => pick::<Where<u64>>(),
            _ => pick_small::<Where<[u64; 2]>>(),
        };
        return Some(Body { run, dtypes: [t, DType::Bool, t, t], in_place: false, grain: GRAIN });
    }
    if t.is_float() {
        let c = if t == DType::F64 { t } else { DType::F32 };
        let run = match op {
            TernaryOp::Addcmul => fast::<Addcmul>(c),
            TernaryOp::Addcdiv => fast::<Addcdiv>(c),
            TernaryOp::Lerp => fast::<Lerp>(c),
            _ => fast::<Clamp>(c),
        };
        return Some(Body { run, dtypes: [c; 4], in_place: true, grain: GRAIN });
    }
    if !t.is_int() {
        return None;
    }
    let c = computed(t);
    let run: unsafe fn(Args<4>) = match (op, c) {
        (TernaryOp::Addcmul, DType::I32) => pick_small::<AddcmulInt<i32>>(),
        (TernaryOp::Addcmul, _) => pick_small::<AddcmulInt<i64>>(),
        (TernaryOp::Clamp, DType::I32) => pick_small::<ClampInt<i32>>(),
        (TernaryOp::Clamp, DType::I64) => pick_small::<ClampInt<i64>>(),
        (TernaryOp::Clamp, _) => pick_small::<ClampInt<u64>>(),
        _ => return None,
    };
    let c = if op == TernaryOp::Addcmul && c == DType::U64 { DType::I64 } else { c };
    Some(Body { run, dtypes: [c; 4], in_place: false, grain: GRAIN })
}
