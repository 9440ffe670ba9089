//! Exactly rounded arithmetic on a few numbers, where choosing the best instructions would cost more than they save.

use std::ops::{Add, Div, Mul, Sub};

use flambeau_backend::BinaryOp;

/// Elements up to which [`run`] pays.
pub const MOST: usize = 32;

/// `out, a, b = ptrs`; whether the operation is one of those done here.
///
/// # Safety
/// Each pointer is aligned for `n` elements of `T`, readable or (the first) writable; `out` is no operand or one of them whole.
#[inline]
pub unsafe fn run<T>(op: BinaryOp, n: usize, ptrs: [*mut u8; 3]) -> bool
where
    T: Copy + Add<Output = T> + Sub<Output = T> + Mul<Output = T> + Div<Output = T>,
{
    // SAFETY: by the contract.
    unsafe {
        match op {
            BinaryOp::Add => each(n, ptrs, |a: T, b| a + b),
            BinaryOp::Sub => each(n, ptrs, |a: T, b| a - b),
            BinaryOp::Mul => each(n, ptrs, |a: T, b| a * b),
            BinaryOp::Div => each(n, ptrs, |a: T, b| a / b),
            _ => return false,
        }
    }
    true
}

/// # Safety
/// As for [`run`].
#[inline(always)]
unsafe fn each<T: Copy>(n: usize, [out, a, b]: [*mut u8; 3], f: impl Fn(T, T) -> T) {
    let (out, a, b) = (out.cast::<T>(), a.cast::<T>(), b.cast::<T>());
    for i in 0..n {
        // SAFETY: by the contract.
        unsafe { out.add(i).write(f(a.add(i).read(), b.add(i).read())) };
    }
}
