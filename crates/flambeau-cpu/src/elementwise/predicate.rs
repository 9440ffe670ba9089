//! Comparisons and tests: bodies whose output is `bool`.

use super::block::{Args, Body};
use super::int::computed;
use crate::drive::GRAIN;
use crate::isa::{Isa, Kernel, pick};
use crate::math::Real;
use flambeau_backend::DType;
use flambeau_backend::{BinaryOp, UnaryOp};
use std::marker::PhantomData;

trait Compare: 'static {
    fn f<T: PartialOrd>(a: T, b: T) -> bool;
}

struct Zip<O, T>(PhantomData<(O, T)>);

impl<O: Compare, T: PartialOrd + Copy + 'static> Kernel for Zip<O, T> {
    type Args = Args<3>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<3>) {
        // SAFETY: inputs of type `T`, a bool output, no overlap.
        let (out, x, y) = unsafe { (a.output::<u8>(), a.input::<T>(1), a.input::<T>(2)) };
        for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
            *o = O::f(x, y) as u8;
        }
    }
}

macro_rules! compares {
    ($($name:ident $op:tt;)*) => {$(
        struct $name;
        impl Compare for $name {
            #[inline(always)]
            fn f<T: PartialOrd>(a: T, b: T) -> bool { a $op b }
        }
    )*};
}
compares! { Eq ==; Ne !=; Lt <; Le <=; Gt >; Ge >=; }

fn instance<O: Compare>(t: DType) -> (unsafe fn(Args<3>), DType) {
    use DType::*;
    match t {
        F32 | F16 | BF16 => (pick::<Zip<O, f32>>(), F32),
        F64 => (pick::<Zip<O, f64>>(), F64),
        U8 | Bool => (pick::<Zip<O, u8>>(), t),
        U64 => (pick::<Zip<O, u64>>(), U64),
        _ if t.is_float() => (pick::<Zip<O, f32>>(), F32),
        _ => match computed(t) {
            I32 => (pick::<Zip<O, i32>>(), I32),
            _ => (pick::<Zip<O, i64>>(), I64),
        },
    }
}

/// The body of a comparison or logical operation of real operands of dtype `t`.
pub fn binary(op: BinaryOp, t: DType) -> Option<Body<3>> {
    use BinaryOp as B;
    let (run, c) = match op {
        B::Eq => instance::<Eq>(t),
        B::Ne => instance::<Ne>(t),
        B::Lt => instance::<Lt>(t),
        B::Le => instance::<Le>(t),
        B::Gt => instance::<Gt>(t),
        B::Ge => instance::<Ge>(t),
        // Operands are converted to bool on the way in.
        B::LogicalAnd => return logical(BinaryOp::BitwiseAnd),
        B::LogicalOr => return logical(BinaryOp::BitwiseOr),
        B::LogicalXor => return logical(BinaryOp::BitwiseXor),
        _ => return None,
    };
    Some(Body { run, dtypes: [DType::Bool, c, c], in_place: false, grain: GRAIN })
}

fn logical(op: BinaryOp) -> Option<Body<3>> {
    super::int::binary(op, DType::Bool, &mut [0.0; 4], 0)
}

trait Test: 'static {
    fn f<T: Real>(x: T) -> bool;
}

struct Map<O, T>(PhantomData<(O, T)>);

impl<O: Test, T: Real> Kernel for Map<O, T> {
    type Args = Args<2>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<2>) {
        // SAFETY: an input of type `T`, a bool output, no overlap.
        let (out, x) = unsafe { (a.output::<u8>(), a.input::<T>(1)) };
        for (o, &x) in out.iter_mut().zip(x) {
            *o = O::f(x) as u8;
        }
    }
}

macro_rules! tests {
    ($($name:ident($x:ident) $e:expr;)*) => {$(
        struct $name;
        impl Test for $name {
            #[inline(always)]
            fn f<T: Real>($x: T) -> bool { $e }
        }
    )*};
}
tests! {
    IsNan(x) x.is_nan();
    IsInf(x) x.abs() == T::INFINITY;
    IsFinite(x) x.abs() < T::INFINITY;
    Signbit(x) x.negative();
}

fn test<O: Test>(t: DType) -> Body<2> {
    let (run, c) = match t {
        DType::F64 => (pick::<Map<O, f64>>(), DType::F64),
        _ => (pick::<Map<O, f32>>(), DType::F32),
    };
    Body { run, dtypes: [DType::Bool, c], in_place: false, grain: GRAIN }
}

/// The body of a test of a real operand of dtype `t`; `None` where it is not a test.
pub fn unary(op: UnaryOp, t: DType) -> Option<Body<2>> {
    use UnaryOp as U;
    Some(match op {
        U::LogicalNot => super::int::flip(),
        U::Signbit if !t.is_float() => super::int::signbit(t),
        U::Signbit => test::<Signbit>(t),
        U::IsNan => test::<IsNan>(t),
        U::IsInf => test::<IsInf>(t),
        U::IsFinite => test::<IsFinite>(t),
        _ => return None,
    })
}
