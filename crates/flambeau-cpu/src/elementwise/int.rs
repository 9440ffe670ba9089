//! Integers. Sums, products and bit operations have a body per width; the rest is computed in `i32`, `i64` or `u64`
//! and cut to the width, which gives the same bits.

use super::block::{Args, Body};
use crate::drive::GRAIN;
use crate::isa::{Isa, Kernel, pick, pick_small};
use flambeau_backend::DType;
use flambeau_backend::{BinaryOp, UnaryOp};
use std::marker::PhantomData;
use std::sync::atomic::Ordering::Relaxed;

/// Wrapping integer arithmetic.
pub trait Int: Copy + Ord + 'static {
    const ZERO: Self;
    const ONE: Self;
    const SIGNED: bool;
    const BITS: u32;
    fn of(x: f64) -> Self;
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    /// Truncated, for a divisor that is not zero.
    fn div(self, b: Self) -> Self;
    fn rem(self, b: Self) -> Self;
    fn and(self, b: Self) -> Self;
    fn or(self, b: Self) -> Self;
    fn xor(self, b: Self) -> Self;
    fn shl(self, b: u32) -> Self;
    fn shr(self, b: u32) -> Self;
    fn to_i64(self) -> i64;

    #[inline(always)]
    fn abs(self) -> Self {
        if self < Self::ZERO { Self::ZERO.sub(self) } else { self }
    }
}

macro_rules! int {
    ($($t:ident),*) => {$(
        impl Int for $t {
            const ZERO: $t = 0;
            const ONE: $t = 1;
            const SIGNED: bool = $t::MIN != 0;
            const BITS: u32 = $t::BITS;
            #[inline(always)]
            fn of(x: f64) -> $t { x as i64 as $t }
            #[inline(always)]
            fn add(self, b: $t) -> $t { self.wrapping_add(b) }
            #[inline(always)]
            fn sub(self, b: $t) -> $t { self.wrapping_sub(b) }
            #[inline(always)]
            fn mul(self, b: $t) -> $t { self.wrapping_mul(b) }
            #[inline(always)]
            fn div(self, b: $t) -> $t { self.wrapping_div(b) }
            #[inline(always)]
            fn rem(self, b: $t) -> $t { self.wrapping_rem(b) }
            #[inline(always)]
            fn and(self, b: $t) -> $t { self & b }
            #[inline(always)]
            fn or(self, b: $t) -> $t { self | b }
            #[inline(always)]
            fn xor(self, b: $t) -> $t { self ^ b }
            #[inline(always)]
            fn shl(self, b: u32) -> $t { self << b }
            #[inline(always)]
            fn shr(self, b: u32) -> $t { self >> b }
            #[inline(always)]
            fn to_i64(self) -> i64 { self as i64 }
        }
    )*};
}
int!(u8, u16, u32, u64, i32, i64);

trait Zip: 'static {
    /// `p`: parameters; `ok` becomes false at a division by zero.
    fn f<T: Int>(a: T, b: T, p: &[T; 4], ok: &mut bool) -> T;
}

struct ZipInt<O, T, const IN_PLACE: bool>(PhantomData<(O, T)>);

impl<O: Zip, T: Int, const IN_PLACE: bool> Kernel for ZipInt<O, T, IN_PLACE> {
    type Args = Args<3>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<3>) {
        // SAFETY: operands of type `T`; the output overlaps none, or is operand 1, then not read apart from it.
        unsafe {
            let p = (*a.p).f64.map(T::of);
            let (out, y) = (a.output::<T>(), a.input::<T>(2));
            let mut ok = true;
            if IN_PLACE && a.ptrs[0] == a.ptrs[1] {
                for (o, &y) in out.iter_mut().zip(y) {
                    *o = O::f(*o, y, &p, &mut ok);
                }
            } else {
                for ((o, &x), &y) in out.iter_mut().zip(a.input::<T>(1)).zip(y) {
                    *o = O::f(x, y, &p, &mut ok);
                }
            }
            if !ok {
                (*a.p).failed.store(true, Relaxed);
            }
        }
    }
}

macro_rules! zips {
    ($($name:ident($a:ident, $b:ident, $p:ident, $ok:ident) $e:expr;)*) => {$(
        struct $name;
        impl Zip for $name {
            #[inline(always)]
            fn f<T: Int>($a: T, $b: T, $p: &[T; 4], $ok: &mut bool) -> T {
                $e
            }
        }
    )*};
}

#[inline(always)]
fn divide<T: Int>(a: T, b: T, ok: &mut bool, f: impl FnOnce(T, T) -> T) -> T {
    if b == T::ZERO {
        *ok = false;
        return T::ZERO;
    }
    f(a, b)
}

#[inline(always)]
fn gcd<T: Int>(a: T, b: T) -> T {
    let (mut a, mut b) = (a.abs(), b.abs());
    while a != T::ZERO {
        (a, b) = (b.rem(a), a);
    }
    b
}

#[inline(always)]
fn power<T: Int>(a: T, b: T) -> T {
    if b < T::ZERO {
        // Only units have an inverse.
        return if a == T::ONE {
            T::ONE
        } else if T::SIGNED && a == T::ZERO.sub(T::ONE) {
            if b.and(T::ONE) == T::ZERO { T::ONE } else { a }
        } else {
            T::ZERO
        };
    }
    let (mut base, mut left, mut y) = (a, b, T::ONE);
    while left != T::ZERO {
        if left.and(T::ONE) != T::ZERO {
            y = y.mul(base);
        }
        base = base.mul(base);
        left = left.shr(1);
    }
    y
}

zips! {
    Add(a, b, _p, _ok) a.add(b);
    Sub(a, b, _p, _ok) a.sub(b);
    AddScaled(a, b, p, _ok) a.add(b.mul(p[0]));
    SubScaled(a, b, p, _ok) a.sub(b.mul(p[0]));
    Mul(a, b, _p, _ok) a.mul(b);
    And(a, b, _p, _ok) a.and(b);
    Or(a, b, _p, _ok) a.or(b);
    Xor(a, b, _p, _ok) a.xor(b);
    DivTrunc(a, b, _p, ok) divide(a, b, ok, T::div);
    DivFloor(a, b, _p, ok) divide(a, b, ok, |a, b| {
        let q = a.div(b);
        if a.rem(b) != T::ZERO && (a < T::ZERO) != (b < T::ZERO) { q.sub(T::ONE) } else { q }
    });
    Remainder(a, b, _p, ok) divide(a, b, ok, |a, b| {
        let r = a.rem(b);
        if r != T::ZERO && (r < T::ZERO) != (b < T::ZERO) { r.add(b) } else { r }
    });
    Fmod(a, b, _p, ok) divide(a, b, ok, T::rem);
    Pow(a, b, _p, _ok) power(a, b);
    Max(a, b, _p, _ok) a.max(b);
    Min(a, b, _p, _ok) a.min(b);
    // p[1]: the stored type's bits.
    Shl(a, b, p, _ok) {
        let out = b < T::ZERO || b >= p[1];
        if out { T::ZERO } else { a.shl(b.to_i64() as u32 & (T::BITS - 1)) }
    };
    Shr(a, b, p, _ok) {
        let out = b < T::ZERO || b >= p[1];
        if out {
            if a < T::ZERO { T::ZERO.sub(T::ONE) } else { T::ZERO }
        } else {
            a.shr(b.to_i64() as u32 & (T::BITS - 1))
        }
    };
    Gcd(a, b, _p, _ok) gcd(a, b);
    Lcm(a, b, _p, _ok) {
        let g = gcd(a, b);
        if g == T::ZERO { g } else { a.div(g).mul(b).abs() }
    };
    Heaviside(a, b, _p, _ok) {
        let y = if a > T::ZERO { T::ONE } else { T::ZERO };
        if a == T::ZERO { b } else { y }
    };
}

/// The dtype in which operations that are not the same for all widths are computed.
pub fn computed(t: DType) -> DType {
    match t {
        DType::U32 | DType::I64 => DType::I64,
        DType::U64 => DType::U64,
        _ => DType::I32,
    }
}

/// An instance for the width of `t`, whatever the sign.
fn by_width<O: Zip>(t: DType) -> unsafe fn(Args<3>) {
    match t.size() {
        1 => pick::<ZipInt<O, u8, true>>(),
        2 => pick::<ZipInt<O, u16, true>>(),
        4 => pick::<ZipInt<O, u32, true>>(),
        _ => pick::<ZipInt<O, u64, true>>(),
    }
}

fn signed<O: Zip>(t: DType) -> unsafe fn(Args<3>) {
    match t {
        DType::I32 => pick_small::<ZipInt<O, i32, false>>(),
        DType::I64 => pick_small::<ZipInt<O, i64, false>>(),
        _ => pick_small::<ZipInt<O, u64, false>>(),
    }
}

/// The body of `op` for operands of integer dtype `t` or `Bool`; `p[1]` is set for shifts.
pub fn binary(op: BinaryOp, t: DType, p: &mut [f64; 4], given: usize) -> Option<Body<3>> {
    use BinaryOp as B;
    let scaled = given > 0 && p[0] != 1.0;
    let own: Option<unsafe fn(Args<3>)> = match op {
        // On bool: or, and; a - b is refused before.
        B::Add if t == DType::Bool => Some(by_width::<Or>(t)),
        B::Mul | B::Minimum | B::Fmin if t == DType::Bool => Some(by_width::<And>(t)),
        B::Maximum | B::Fmax if t == DType::Bool => Some(by_width::<Or>(t)),
        B::BitwiseAnd => Some(by_width::<And>(t)),
        B::BitwiseOr => Some(by_width::<Or>(t)),
        B::BitwiseXor => Some(by_width::<Xor>(t)),
        _ if t == DType::Bool && op != B::Heaviside => return None,
        B::Add if scaled => Some(by_width::<AddScaled>(t)),
        B::Add => Some(by_width::<Add>(t)),
        B::Sub if scaled => Some(by_width::<SubScaled>(t)),
        B::Sub => Some(by_width::<Sub>(t)),
        B::Mul => Some(by_width::<Mul>(t)),
        _ => None,
    };
    if let Some(run) = own {
        return Some(Body { run, dtypes: [t; 3], in_place: true, grain: GRAIN });
    }
    let c = computed(t);
    p[1] = 8.0 * t.size() as f64;
    let run = match op {
        B::DivTrunc => signed::<DivTrunc>(c),
        B::DivFloor => signed::<DivFloor>(c),
        B::Remainder => signed::<Remainder>(c),
        B::Fmod => signed::<Fmod>(c),
        B::Pow => signed::<Pow>(c),
        B::Maximum | B::Fmax => signed::<Max>(c),
        B::Minimum | B::Fmin => signed::<Min>(c),
        B::ShiftLeft => signed::<Shl>(c),
        B::ShiftRight => signed::<Shr>(c),
        B::Gcd => signed::<Gcd>(c),
        B::Lcm => signed::<Lcm>(c),
        B::Heaviside => signed::<Heaviside>(c),
        _ => return None,
    };
    Some(Body { run, dtypes: [c; 3], in_place: false, grain: GRAIN / 4 })
}

trait Map: 'static {
    fn f<T: Int>(x: T, p: &[T; 4]) -> T;
}

struct MapInt<O, T>(PhantomData<(O, T)>);

impl<O: Map, T: Int> Kernel for MapInt<O, T> {
    type Args = Args<2>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<2>) {
        // SAFETY: operands of type `T` that do not overlap.
        let (out, x, p) = unsafe { (a.output::<T>(), a.input::<T>(1), (*a.p).f64.map(T::of)) };
        for (o, &x) in out.iter_mut().zip(x) {
            *o = O::f(x, &p);
        }
    }
}

macro_rules! maps {
    ($($name:ident($x:ident, $p:ident) $e:expr;)*) => {$(
        struct $name;
        impl Map for $name {
            #[inline(always)]
            fn f<T: Int>($x: T, $p: &[T; 4]) -> T {
                $e
            }
        }
    )*};
}

maps! {
    Neg(x, _p) T::ZERO.sub(x);
    Not(x, _p) T::ZERO.sub(T::ONE).sub(x);
    Same(x, _p) x;
    Flip(x, _p) x.xor(T::ONE);
    Abs(x, _p) x.abs();
    Sign(x, _p) {
        let y = if x > T::ZERO { T::ONE } else { T::ZERO };
        if x < T::ZERO { T::ZERO.sub(T::ONE) } else { y }
    };
    Square(x, _p) x.mul(x);
    Relu(x, _p) x.max(T::ZERO);
    Hardtanh(x, p) x.max(p[0]).min(p[1]);
    Threshold(x, p) if x <= p[0] { p[1] } else { x };
    Negative(x, _p) if x < T::ZERO { T::ONE } else { T::ZERO };
}

fn map_width<O: Map>(t: DType) -> unsafe fn(Args<2>) {
    match t.size() {
        1 => pick_small::<MapInt<O, u8>>(),
        2 => pick_small::<MapInt<O, u16>>(),
        4 => pick_small::<MapInt<O, u32>>(),
        _ => pick_small::<MapInt<O, u64>>(),
    }
}

fn map_signed<O: Map>(t: DType) -> unsafe fn(Args<2>) {
    match t {
        DType::I32 => pick_small::<MapInt<O, i32>>(),
        DType::I64 => pick_small::<MapInt<O, i64>>(),
        _ => pick_small::<MapInt<O, u64>>(),
    }
}

/// The body of `op` for an operand of integer dtype `t` or `Bool`, with an output of the same dtype.
pub fn unary(op: UnaryOp, t: DType) -> Option<Body<2>> {
    use UnaryOp as U;
    let own = match op {
        U::BitwiseNot if t == DType::Bool => Some(map_width::<Flip>(t)),
        U::Sgn | U::Sign | U::Conj if t == DType::Bool => Some(map_width::<Same>(t)),
        _ if t == DType::Bool => return None,
        U::Neg => Some(map_width::<Neg>(t)),
        U::BitwiseNot => Some(map_width::<Not>(t)),
        U::Ceil | U::Floor | U::Round | U::Trunc | U::Conj | U::NanToNum => Some(map_width::<Same>(t)),
        U::Square => Some(map_width::<Square>(t)),
        _ => None,
    };
    if let Some(run) = own {
        return Some(Body { run, dtypes: [t; 2], in_place: false, grain: GRAIN });
    }
    let c = computed(t);
    let run = match op {
        U::Abs => map_signed::<Abs>(c),
        U::Sgn | U::Sign => map_signed::<Sign>(c),
        U::Relu => map_signed::<Relu>(c),
        U::Hardtanh => map_signed::<Hardtanh>(c),
        U::Threshold => map_signed::<Threshold>(c),
        _ => return None,
    };
    Some(Body { run, dtypes: [c; 2], in_place: false, grain: GRAIN })
}

/// `x < 0` of any integer dtype, to bool.
pub fn signbit(t: DType) -> Body<2> {
    let c = computed(t);
    Body { run: map_signed::<Negative>(c), dtypes: [c, c], in_place: false, grain: GRAIN }
}

/// `!x` of a bool.
pub fn flip() -> Body<2> {
    Body { run: map_width::<Flip>(DType::Bool), dtypes: [DType::Bool; 2], in_place: false, grain: GRAIN }
}
