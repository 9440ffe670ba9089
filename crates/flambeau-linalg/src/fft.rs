//! Discrete Fourier transforms of any length, by `rustfft` and `realfft`, unscaled.

use std::cell::RefCell;
use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftDirection, FftPlanner};

/// Plans that a thread keeps of each kind.
const KEPT: usize = 16;

/// The most recent plans, newest last.
type Plans<K, P> = RefCell<Vec<(K, Arc<P>)>>;

fn recent<K: PartialEq + Copy, P: ?Sized>(plans: &Plans<K, P>, key: K, make: impl FnOnce() -> Arc<P>) -> Arc<P> {
    let mut plans = plans.borrow_mut();
    let plan = match plans.iter().position(|(k, _)| *k == key) {
        Some(at) => plans.remove(at).1,
        None => make(),
    };
    if plans.len() == KEPT {
        plans.remove(0);
    }
    plans.push((key, plan.clone()));
    plan
}

/// `f32` or `f64`.
pub trait Transform: Sized {
    /// Each `n` numbers of `x` in place: `out[k] = sum_j x[j] exp(-+ 2 pi i j k / n)`, minus for `forward`.
    fn complex(x: &mut [Complex<Self>], n: usize, forward: bool);
    /// The first `n / 2 + 1` numbers of the forward transform of each `n` real ones; `x` is used up.
    fn real(x: &mut [Self], out: &mut [Complex<Self>], n: usize);
    /// `n` real numbers from each `n / 2 + 1` of their spectrum; `x` is used up. The imaginary parts of the first number, and of
    /// an even length's last, do not count.
    fn half(x: &mut [Complex<Self>], out: &mut [Self], n: usize);
}

macro_rules! transform {
    ($t:ty) => {
        impl Transform for $t {
            fn complex(x: &mut [Complex<$t>], n: usize, forward: bool) {
                thread_local!(static PLANS: Plans<(usize, bool), dyn Fft<$t>> = const { RefCell::new(Vec::new()) });
                if n < 2 {
                    return;
                }
                let direction = if forward { FftDirection::Forward } else { FftDirection::Inverse };
                let plan = PLANS.with(|p| recent(p, (n, forward), || FftPlanner::new().plan_fft(n, direction)));
                plan.process_with_scratch(x, &mut vec![Complex::default(); plan.get_inplace_scratch_len()]);
            }

            fn real(x: &mut [$t], out: &mut [Complex<$t>], n: usize) {
                thread_local!(static PLANS: Plans<usize, dyn RealToComplex<$t>> = const { RefCell::new(Vec::new()) });
                let plan = PLANS.with(|p| recent(p, n, || RealFftPlanner::new().plan_fft_forward(n)));
                let mut scratch = plan.make_scratch_vec();
                for (x, out) in x.chunks_exact_mut(n).zip(out.chunks_exact_mut(n / 2 + 1)) {
                    plan.process_with_scratch(x, out, &mut scratch).expect("slices of the plan's lengths");
                }
            }

            fn half(x: &mut [Complex<$t>], out: &mut [$t], n: usize) {
                thread_local!(static PLANS: Plans<usize, dyn ComplexToReal<$t>> = const { RefCell::new(Vec::new()) });
                let plan = PLANS.with(|p| recent(p, n, || RealFftPlanner::new().plan_fft_inverse(n)));
                let mut scratch = plan.make_scratch_vec();
                for (x, out) in x.chunks_exact_mut(n / 2 + 1).zip(out.chunks_exact_mut(n)) {
                    x[0].im = 0.0;
                    if n.is_multiple_of(2) {
                        x[n / 2].im = 0.0;
                    }
                    plan.process_with_scratch(x, out, &mut scratch).expect("slices of the plan's lengths");
                }
            }
        }
    };
}

transform!(f32);
transform!(f64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::C64;
    use crate::testing::{close, random};
    use std::f64::consts::PI;

    #[test]
    fn as_defined() {
        for n in [1, 2, 3, 4, 5, 6, 8, 12, 13, 16, 17, 30, 34, 49, 64, 97, 121] {
            let x = random::<C64>(2 * n, n as u64);
            let dft = |x: &[C64], sign: f64| -> Vec<C64> {
                (0..n)
                    .map(|k| {
                        (0..n).fold(C64::default(), |s, j| {
                            let a = sign * 2.0 * PI * ((j * k) % n) as f64 / n as f64;
                            s + x[j] * C64::new(a.cos(), a.sin())
                        })
                    })
                    .collect()
            };
            for (forward, sign) in [(true, -1.0), (false, 1.0)] {
                let mut got = x.clone();
                f64::complex(&mut got, n, forward);
                close(&got, &[dft(&x[..n], sign), dft(&x[n..], sign)].concat(), 1e-11);
            }
            let m = n / 2 + 1;
            let mut real: Vec<f64> = x.iter().map(|x| x.re).collect();
            let want = dft(&real[n..].iter().map(|&x| C64::new(x, 0.0)).collect::<Vec<_>>(), -1.0);
            let (before, mut half) = (real.clone(), vec![C64::default(); 2 * m]);
            f64::real(&mut real, &mut half, n);
            close(&half[m..], &want[..m], 1e-11);
            half[m].im = 5.0;
            let mut back = vec![0.0; 2 * n];
            f64::half(&mut half, &mut back, n);
            close(&back, &before.iter().map(|x| x * n as f64).collect::<Vec<_>>(), 1e-10);
        }
    }

    #[test]
    fn plans_are_kept_within_bounds() {
        let plans: Plans<usize, str> = RefCell::new(Vec::new());
        for k in 0..40 {
            recent(&plans, k, || "made".into());
        }
        assert_eq!(plans.borrow().len(), KEPT);
        assert_eq!(&*recent(&plans, 30, || unreachable!()), "made");
        assert_eq!(plans.borrow().last().map(|p| p.0), Some(30));
    }
}
