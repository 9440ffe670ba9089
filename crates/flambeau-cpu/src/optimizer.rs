//! Optimizer steps: everything that a step does to an element, while it is in registers.

use crate::Cpu;
use crate::isa::{self, Isa, Kernel};
use crate::math::Real;
use crate::parallel::par_range;
use flambeau_backend::{AdadeltaStep, AdamStep, Optimizers, Raw, RmspropStep, SgdStep};
use flambeau_backend::{DType, Error, Result};
use std::marker::PhantomData;

/// Elements below which one thread does it all.
const GRAIN: usize = 32 * 1024;

/// An update of `N` arrays, of which the second, the gradient, is only read.
trait Step<T: Real, const N: usize>: Copy + Send + Sync {
    /// The new values of the arrays from the old ones.
    fn update<I: Isa>(&self, at: [T; N]) -> [T; N];
    /// Whether the last array is written only: its old values are not looked at.
    const FRESH: bool = false;
}

struct Pass<S, T, const N: usize>(PhantomData<(S, T)>);

impl<T: Real, S: Step<T, N>, const N: usize> Kernel for Pass<S, T, N> {
    type Args = (S, [*mut T; N], usize);
    type Out = ();

    /// # Safety
    /// Every pointer is valid for as many elements, and the arrays do not overlap.
    #[inline(always)]
    unsafe fn run<I: Isa>((step, arrays, n): Self::Args) {
        // Blocks of a fixed length, read whole before any is written: no two arrays need be told apart.
        const LANES: usize = 32;
        let mut i = 0;
        while i + LANES <= n {
            let mut block = [[T::ZERO; LANES]; N];
            for k in 0..N {
                if !(S::FRESH && k == N - 1) {
                    // SAFETY: `i + LANES <= n`.
                    block[k] = unsafe { arrays[k].add(i).cast::<[T; LANES]>().read_unaligned() };
                }
            }
            let mut new = [[T::ZERO; LANES]; N];
            for j in 0..LANES {
                let mut at = [T::ZERO; N];
                for k in 0..N {
                    at[k] = block[k][j];
                }
                let out = step.update::<I>(at);
                for k in 0..N {
                    new[k][j] = out[k];
                }
            }
            for k in 0..N {
                if k != 1 {
                    // SAFETY: as above.
                    unsafe { arrays[k].add(i).cast::<[T; LANES]>().write_unaligned(new[k]) };
                }
            }
            i += LANES;
        }
        while i < n {
            let mut at = [T::ZERO; N];
            for k in 0..N {
                if !(S::FRESH && k == N - 1) {
                    // SAFETY: `i < n`.
                    at[k] = unsafe { arrays[k].add(i).read() };
                }
            }
            let out = step.update::<I>(at);
            for k in 0..N {
                if k != 1 {
                    // SAFETY: `i < n`.
                    unsafe { arrays[k].add(i).write(out[k]) };
                }
            }
            i += 1;
        }
    }
}

/// Runs a step over whole arrays, in parallel where they are long.
fn run<T: Real, S: Step<T, N>, const N: usize>(step: S, arrays: [Raw; N]) {
    let n = arrays[0].numel();
    let instance = isa::pick::<Pass<S, T, N>>();
    let address = arrays.map(|a| a.ptr as usize);
    par_range(n, GRAIN, |r| {
        let from = address.map(|a| (a as *mut T).wrapping_add(r.start));
        // SAFETY: the trait's contract: dense arrays of `n` elements of `T` that do not overlap; ranges are disjoint.
        unsafe { instance((step, from, r.len())) }
    });
}

macro_rules! by_dtype {
    ($name:literal, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F64 => {
                type $T = f64;
                $body
            }
            other => return Err(Error::dtype($name, other)),
        }
    };
}

/// What every step begins with: the gradient's sign and the parameter's share in it.
#[derive(Clone, Copy)]
struct Gradient<T> {
    sign: T,
    decay: T,
    decays: bool,
}

impl<T: Real> Gradient<T> {
    fn new(maximize: bool, weight_decay: f64) -> Self {
        let sign = if maximize { -T::ONE } else { T::ONE };
        Gradient { sign, decay: T::of(weight_decay), decays: weight_decay != 0.0 }
    }

    #[inline(always)]
    fn of<I: Isa>(&self, p: T, g: T) -> T {
        let g = g * self.sign;
        // Not by a decay of zero: an infinite parameter would give NaN.
        let decayed = p.fma::<I>(self.decay, g);
        if self.decays { decayed } else { g }
    }
}

/// `p - lr*g`
#[derive(Clone, Copy)]
struct Plain<T> {
    g: Gradient<T>,
    minus_lr: T,
}

impl<T: Real> Step<T, 2> for Plain<T> {
    #[inline(always)]
    fn update<I: Isa>(&self, [p, g]: [T; 2]) -> [T; 2] {
        [self.g.of::<I>(p, g).fma::<I>(self.minus_lr, p), g]
    }
}

#[derive(Clone, Copy)]
struct Momentum<T, const FIRST: bool> {
    g: Gradient<T>,
    minus_lr: T,
    momentum: T,
    share: T,
    nesterov: bool,
}

impl<T: Real, const FIRST: bool> Step<T, 3> for Momentum<T, FIRST> {
    const FRESH: bool = FIRST;

    #[inline(always)]
    fn update<I: Isa>(&self, [p, g, b]: [T; 3]) -> [T; 3] {
        let d = self.g.of::<I>(p, g);
        let b = if FIRST { d } else { d.fma::<I>(self.share, b * self.momentum) };
        let ahead = b.fma::<I>(self.momentum, d);
        let d = if self.nesterov { ahead } else { b };
        [d.fma::<I>(self.minus_lr, p), g, b]
    }
}

#[derive(Clone, Copy)]
struct Adam<T> {
    g: Gradient<T>,
    keep: T,
    share1: T,
    beta2: T,
    share2: T,
    root_correction: T,
    eps: T,
    minus_step: T,
    /// `lerp` works from the nearer end.
    far: bool,
}

impl<T: Real> Adam<T> {
    fn new(s: &AdamStep) -> Self {
        let decay = if s.decoupled { 0.0 } else { s.weight_decay };
        let keep = if s.decoupled { 1.0 - s.lr * s.weight_decay } else { 1.0 };
        let share1 = 1.0 - s.beta1;
        Adam {
            g: Gradient::new(s.maximize, decay),
            keep: T::of(keep),
            share1: T::of(if share1.abs() < 0.5 { share1 } else { share1 - 1.0 }),
            beta2: T::of(s.beta2),
            share2: T::of(1.0 - s.beta2),
            root_correction: T::of((1.0 - s.beta2.powf(s.step)).sqrt()),
            eps: T::of(s.eps),
            minus_step: T::of(-(s.lr / (1.0 - s.beta1.powf(s.step)))),
            far: share1.abs() >= 0.5,
        }
    }

    /// The new parameter's parts: the decayed parameter and the two means.
    #[inline(always)]
    fn means<I: Isa>(&self, p: T, g: T, m: T, v: T) -> (T, T, T) {
        let d = self.g.of::<I>(p, g);
        let base = if self.far { d } else { m };
        let m = (d - m).fma::<I>(self.share1, base);
        let v = (d * d).fma::<I>(self.share2, v * self.beta2);
        (p * self.keep, m, v)
    }

    #[inline(always)]
    fn moved(&self, p: T, m: T, v: T) -> T {
        let spread = v.sqrt() / self.root_correction + self.eps;
        p + self.minus_step * m / spread
    }
}

impl<T: Real> Step<T, 4> for Adam<T> {
    #[inline(always)]
    fn update<I: Isa>(&self, [p, g, m, v]: [T; 4]) -> [T; 4] {
        let (p, m, v) = self.means::<I>(p, g, m, v);
        [self.moved(p, m, v), g, m, v]
    }
}

/// With the largest mean square so far (amsgrad).
impl<T: Real> Step<T, 5> for Adam<T> {
    #[inline(always)]
    fn update<I: Isa>(&self, [p, g, m, v, top]: [T; 5]) -> [T; 5] {
        let (p, m, v) = self.means::<I>(p, g, m, v);
        let top = if v > top || v.is_nan() { v } else { top };
        [self.moved(p, m, top), g, m, v, top]
    }
}

#[derive(Clone, Copy)]
struct Adadelta<T> {
    g: Gradient<T>,
    rho: T,
    share: T,
    eps: T,
    minus_lr: T,
}

impl<T: Real> Step<T, 4> for Adadelta<T> {
    #[inline(always)]
    fn update<I: Isa>(&self, [p, g, v, u]: [T; 4]) -> [T; 4] {
        let d = self.g.of::<I>(p, g);
        let v = (d * d).fma::<I>(self.share, v * self.rho);
        let delta = (u + self.eps).sqrt() / (v + self.eps).sqrt() * d;
        let u = (delta * delta).fma::<I>(self.share, u * self.rho);
        [delta.fma::<I>(self.minus_lr, p), g, v, u]
    }
}

#[derive(Clone, Copy)]
struct Rmsprop<T> {
    g: Gradient<T>,
    alpha: T,
    share: T,
    lerp: T,
    far: bool,
    eps: T,
    momentum: T,
    minus_lr: T,
}

impl<T: Real> Rmsprop<T> {
    #[inline(always)]
    fn square<I: Isa>(&self, d: T, v: T) -> T {
        (d * d).fma::<I>(self.share, v * self.alpha)
    }

    #[inline(always)]
    fn mean<I: Isa>(&self, d: T, m: T) -> T {
        let base = if self.far { d } else { m };
        (d - m).fma::<I>(self.lerp, base)
    }

    #[inline(always)]
    fn direct(&self, p: T, d: T, root: T) -> T {
        p + self.minus_lr * d / root
    }
}

impl<T: Real> Step<T, 3> for Rmsprop<T> {
    #[inline(always)]
    fn update<I: Isa>(&self, [p, g, v]: [T; 3]) -> [T; 3] {
        let d = self.g.of::<I>(p, g);
        let v = self.square::<I>(d, v);
        [self.direct(p, d, v.sqrt() + self.eps), g, v]
    }
}

/// With a mean gradient.
#[derive(Clone, Copy)]
struct Centered<T>(Rmsprop<T>);

impl<T: Real> Step<T, 4> for Centered<T> {
    #[inline(always)]
    fn update<I: Isa>(&self, [p, g, v, m]: [T; 4]) -> [T; 4] {
        let d = self.0.g.of::<I>(p, g);
        let (v, m) = (self.0.square::<I>(d, v), self.0.mean::<I>(d, m));
        [self.0.direct(p, d, (v - m * m).sqrt() + self.0.eps), g, v, m]
    }
}

/// With a velocity.
#[derive(Clone, Copy)]
struct Moving<T>(Rmsprop<T>);

impl<T: Real> Step<T, 4> for Moving<T> {
    #[inline(always)]
    fn update<I: Isa>(&self, [p, g, v, b]: [T; 4]) -> [T; 4] {
        let d = self.0.g.of::<I>(p, g);
        let v = self.0.square::<I>(d, v);
        let b = b * self.0.momentum + d / (v.sqrt() + self.0.eps);
        [b.fma::<I>(self.0.minus_lr, p), g, v, b]
    }
}

/// With both.
#[derive(Clone, Copy)]
struct CenteredMoving<T>(Rmsprop<T>);

impl<T: Real> Step<T, 5> for CenteredMoving<T> {
    #[inline(always)]
    fn update<I: Isa>(&self, [p, g, v, m, b]: [T; 5]) -> [T; 5] {
        let d = self.0.g.of::<I>(p, g);
        let (v, m) = (self.0.square::<I>(d, v), self.0.mean::<I>(d, m));
        let b = b * self.0.momentum + d / ((v - m * m).sqrt() + self.0.eps);
        [b.fma::<I>(self.0.minus_lr, p), g, v, m, b]
    }
}

impl Optimizers for Cpu {
    fn sgd(&self, s: &SgdStep, param: Raw, grad: Raw, buffer: Option<Raw>) -> Result<()> {
        by_dtype!("sgd", param.dtype, T => {
            let g = Gradient::<T>::new(s.maximize, s.weight_decay);
            let minus_lr = T::of(-s.lr);
            let Some(buffer) = buffer else {
                run::<T, _, 2>(Plain { g, minus_lr }, [param, grad]);
                return Ok(());
            };
            let (momentum, share, nesterov) = (T::of(s.momentum), T::of(1.0 - s.dampening), s.nesterov);
            if s.first {
                run::<T, _, 3>(Momentum::<T, true> { g, minus_lr, momentum, share, nesterov }, [param, grad, buffer]);
            } else {
                run::<T, _, 3>(Momentum::<T, false> { g, minus_lr, momentum, share, nesterov }, [param, grad, buffer]);
            }
        });
        Ok(())
    }

    fn adam(&self, s: &AdamStep, param: Raw, grad: Raw, mean: Raw, square: Raw, largest: Option<Raw>) -> Result<()> {
        by_dtype!("adam", param.dtype, T => match largest {
            None => run::<T, _, 4>(Adam::new(s), [param, grad, mean, square]),
            Some(largest) => run::<T, _, 5>(Adam::new(s), [param, grad, mean, square, largest]),
        });
        Ok(())
    }

    fn adadelta(&self, s: &AdadeltaStep, param: Raw, grad: Raw, square: Raw, moved: Raw) -> Result<()> {
        by_dtype!("adadelta", param.dtype, T => {
            let step = Adadelta::<T> {
                g: Gradient::new(s.maximize, s.weight_decay),
                rho: T::of(s.rho),
                share: T::of(1.0 - s.rho),
                eps: T::of(s.eps),
                minus_lr: T::of(-s.lr),
            };
            run::<T, _, 4>(step, [param, grad, square, moved]);
        });
        Ok(())
    }

    fn rmsprop(
        &self,
        s: &RmspropStep,
        param: Raw,
        grad: Raw,
        square: Raw,
        mean: Option<Raw>,
        velocity: Option<Raw>,
    ) -> Result<()> {
        by_dtype!("rmsprop", param.dtype, T => {
            let share = 1.0 - s.alpha;
            let step = Rmsprop::<T> {
                g: Gradient::new(s.maximize, s.weight_decay),
                alpha: T::of(s.alpha),
                share: T::of(share),
                lerp: T::of(if share.abs() < 0.5 { share } else { share - 1.0 }),
                far: share.abs() >= 0.5,
                eps: T::of(s.eps),
                momentum: T::of(s.momentum),
                minus_lr: T::of(-s.lr),
            };
            match (mean, velocity) {
                (None, None) => run::<T, _, 3>(step, [param, grad, square]),
                (Some(m), None) => run::<T, _, 4>(Centered(step), [param, grad, square, m]),
                (None, Some(b)) => run::<T, _, 4>(Moving(step), [param, grad, square, b]),
                (Some(m), Some(b)) => run::<T, _, 5>(CenteredMoving(step), [param, grad, square, m, b]),
            }
        });
        Ok(())
    }
}
