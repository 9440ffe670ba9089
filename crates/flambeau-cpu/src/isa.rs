//! One binary for every x86-64: the instruction set is chosen at run time.
//!
//! A kernel implements [`Kernel`]: its `run` is `#[inline(always)]` and generic over the level. [`pick`] returns the instance
//! compiled for this machine's level, where LLVM's vectoriser may use the wide registers.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Instruction set levels, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// What the target guarantees: SSE2 on x86-64, NEON on AArch64.
    Base = 1,
    /// AVX2, FMA, F16C, BMI.
    Avx2 = 2,
    /// AVX-512 F, BW, DQ, VL.
    Avx512 = 3,
}

static LEVEL: AtomicU8 = AtomicU8::new(0);

/// The level in use: the best that the machine has, or a lower one asked for by `FLAMBEAU_ISA=base|avx2|avx512`.
#[inline]
pub fn level() -> Level {
    match LEVEL.load(Relaxed) {
        1 => Level::Base,
        2 => Level::Avx2,
        3 => Level::Avx512,
        _ => detect(),
    }
}

#[cold]
fn detect() -> Level {
    let cap = match std::env::var("FLAMBEAU_ISA").as_deref() {
        Ok("base") => Level::Base,
        Ok("avx2") => Level::Avx2,
        _ => Level::Avx512,
    };
    let level = supported().min(cap);
    LEVEL.store(level as u8, Relaxed);
    level
}

/// The best level of this machine.
pub fn supported() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        let avx512 = avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if avx512 {
            return Level::Avx512;
        }
        if avx2 {
            return Level::Avx2;
        }
    }
    Level::Base
}

/// A level as a type, so that generic code can ask what it was compiled for.
pub trait Isa: Copy + 'static {
    const LEVEL: Level;
    /// Whether a fused multiply-add is one instruction.
    const FMA: bool;

    /// `a*b + c`, fused where the machine can.
    #[inline(always)]
    fn fma32(a: f32, b: f32, c: f32) -> f32 {
        if Self::FMA { a.mul_add(b, c) } else { a * b + c }
    }

    /// `a*b + c`, fused where the machine can.
    #[inline(always)]
    fn fma64(a: f64, b: f64, c: f64) -> f64 {
        if Self::FMA { a.mul_add(b, c) } else { a * b + c }
    }
}

/// See [`Level::Base`].
#[derive(Clone, Copy)]
pub struct Base;
/// See [`Level::Avx2`].
#[derive(Clone, Copy)]
pub struct Avx2;
/// See [`Level::Avx512`].
#[derive(Clone, Copy)]
pub struct Avx512;

impl Isa for Base {
    const LEVEL: Level = Level::Base;
    const FMA: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
}
impl Isa for Avx2 {
    const LEVEL: Level = Level::Avx2;
    const FMA: bool = true;
}
impl Isa for Avx512 {
    const LEVEL: Level = Level::Avx512;
    const FMA: bool = true;
}

/// A body to be compiled once per level. `run`, and all that it calls, must be `#[inline(always)]`.
pub trait Kernel {
    type Args;
    type Out;

    /// # Safety
    /// What the arguments' pointers must satisfy is the kernel's own contract.
    unsafe fn run<I: Isa>(args: Self::Args) -> Self::Out;
}

/// A compiled instance of a [`Kernel`].
pub type Instance<K> = unsafe fn(<K as Kernel>::Args) -> <K as Kernel>::Out;

unsafe fn base<K: Kernel>(args: K::Args) -> K::Out {
    // SAFETY: the caller keeps the kernel's contract.
    unsafe { K::run::<Base>(args) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn avx2<K: Kernel>(args: K::Args) -> K::Out {
    // SAFETY: the caller keeps the kernel's contract.
    unsafe { K::run::<Avx2>(args) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn avx512<K: Kernel>(args: K::Args) -> K::Out {
    // SAFETY: the caller keeps the kernel's contract.
    unsafe { K::run::<Avx512>(args) }
}

/// The instance for this machine.
#[inline]
pub fn pick<K: Kernel>() -> Instance<K> {
    match level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::<K>,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::<K>,
        _ => base::<K>,
    }
}

/// As [`pick`] without an AVX-512 copy, for rare kernels: smaller code.
#[inline]
pub fn pick_small<K: Kernel>() -> Instance<K> {
    match level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Avx2 => avx2::<K>,
        _ => base::<K>,
    }
}

/// Runs a kernel's best instance.
///
/// # Safety
/// The kernel's contract.
#[inline]
pub unsafe fn call<K: Kernel>(args: K::Args) -> K::Out {
    // SAFETY: the instance is one that this machine supports; the rest is the caller's.
    unsafe { pick::<K>()(args) }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Which;
    impl Kernel for Which {
        type Args = ();
        type Out = Level;
        #[inline(always)]
        unsafe fn run<I: Isa>(_: ()) -> Level {
            I::LEVEL
        }
    }

    #[test]
    fn picks_the_cached_level() {
        // SAFETY: no pointers.
        assert_eq!(unsafe { call::<Which>(()) }, level());
        assert!(level() <= supported());
    }
}
