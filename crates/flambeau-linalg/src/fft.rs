//! Discrete Fourier transforms of any length: mixed radix for small factors, Bluestein's algorithm for the rest.

use std::f64::consts::PI;

use crate::{C64, Field};

/// A transform of one length and direction, with its tables.
pub struct Plan {
    n: usize,
    /// Small prime factors, or nothing where Bluestein's algorithm serves.
    factors: Vec<usize>,
    /// `exp(sign * 2 pi i k / n)`.
    roots: Vec<C64>,
    chirp: Option<Box<Chirp>>,
}

struct Chirp {
    /// `exp(sign * pi i k^2 / n)`.
    wave: Vec<C64>,
    /// The transform of the conjugate wave, over the inner length.
    spectrum: Vec<C64>,
    forward: Plan,
    backward: Plan,
}

/// Largest factor that is transformed directly.
const LARGEST: usize = 13;

impl Plan {
    /// Unscaled: `out[k] = sum_j x[j] exp(-+ 2 pi i j k / n)`, minus for `forward`.
    pub fn new(n: usize, forward: bool) -> Plan {
        let sign = if forward { -1.0 } else { 1.0 };
        let angle = |k: usize, n: usize| sign * 2.0 * PI * k as f64 / n as f64;
        let root = |k: usize| C64::new(angle(k, n).cos(), angle(k, n).sin());
        let mut factors = Vec::new();
        let mut rest = n;
        for p in [4, 2, 3, 5, 7, 11, 13] {
            while rest > 1 && rest.is_multiple_of(p) {
                factors.push(p);
                rest /= p;
            }
        }
        if rest <= 1 {
            return Plan { n, factors, roots: (0..n).map(root).collect(), chirp: None };
        }
        let inner = (2 * n - 1).next_power_of_two();
        // k^2 modulo 2n keeps the angle small and exact.
        let wave: Vec<C64> = (0..n)
            .map(|k| {
                let a = angle((k as u128 * k as u128 % (2 * n as u128)) as usize, 2 * n);
                C64::new(a.cos(), a.sin())
            })
            .collect();
        let (there, back) = (Plan::new(inner, true), Plan::new(inner, false));
        let mut spectrum = vec![C64::default(); inner];
        for (k, w) in wave.iter().enumerate() {
            spectrum[k] = w.conj();
            spectrum[(inner - k) % inner] = w.conj();
        }
        let mut scratch = vec![C64::default(); inner];
        there.run(&mut spectrum, &mut scratch);
        let chirp = Chirp { wave, spectrum, forward: there, backward: back };
        Plan { n, factors: Vec::new(), roots: Vec::new(), chirp: Some(Box::new(chirp)) }
    }

    /// Transforms `x` in place; `scratch` has the same length.
    pub fn run(&self, x: &mut [C64], scratch: &mut [C64]) {
        match &self.chirp {
            Some(c) => self.bluestein(c, x),
            None if self.n > 1 => {
                scratch.copy_from_slice(x);
                self.stage(scratch, x, self.n, 1, 0);
            }
            None => {}
        }
    }

    /// Decimation in time: `out[..n]` is the transform of `x[0], x[step], ...`.
    fn stage(&self, x: &[C64], out: &mut [C64], n: usize, step: usize, depth: usize) {
        if n == 1 {
            out[0] = x[0];
            return;
        }
        let p = self.factors[depth];
        let m = n / p;
        for r in 0..p {
            self.stage(&x[r * step..], &mut out[r * m..(r + 1) * m], m, step * p, depth + 1);
        }
        // A root of order n is every `step`-th root of order self.n.
        let mut t = [C64::default(); LARGEST];
        for k in 0..m {
            for r in 0..p {
                t[r] = out[r * m + k] * self.roots[r * k * step];
            }
            match p {
                2 => (out[k], out[m + k]) = (t[0] + t[1], t[0] - t[1]),
                4 => {
                    let (a, b, c, d) = (t[0] + t[2], t[0] - t[2], t[1] + t[3], t[1] - t[3]);
                    let i = self.roots[self.n / 4];
                    let d = d * i;
                    (out[k], out[m + k]) = (a + c, b + d);
                    (out[2 * m + k], out[3 * m + k]) = (a - c, b - d);
                }
                _ => {
                    for q in 0..p {
                        let mut s = t[0];
                        for (r, &v) in t.iter().enumerate().take(p).skip(1) {
                            s += v * self.roots[q * r % p * (self.n / p)];
                        }
                        out[q * m + k] = s;
                    }
                }
            }
        }
    }

    /// The transform as a convolution with a chirp, by transforms of a power of two.
    fn bluestein(&self, c: &Chirp, x: &mut [C64]) {
        let inner = c.spectrum.len();
        let (mut a, mut scratch) = (vec![C64::default(); inner], vec![C64::default(); inner]);
        for (a, (&x, &w)) in a.iter_mut().zip(x.iter().zip(&c.wave)) {
            *a = x * w;
        }
        c.forward.run(&mut a, &mut scratch);
        for (a, &s) in a.iter_mut().zip(&c.spectrum) {
            *a *= s;
        }
        c.backward.run(&mut a, &mut scratch);
        let by = 1.0 / inner as f64;
        for (x, (a, &w)) in x.iter_mut().zip(a.iter().zip(&c.wave)) {
            *x = a.scale(by) * w;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, random};

    #[test]
    fn as_defined() {
        for n in [1, 2, 3, 4, 5, 6, 8, 12, 13, 16, 17, 30, 34, 49, 64, 97, 121] {
            let x = random::<C64>(n, n as u64);
            for forward in [true, false] {
                let sign = if forward { -1.0 } else { 1.0 };
                let want: Vec<C64> = (0..n)
                    .map(|k| {
                        (0..n).fold(C64::default(), |s, j| {
                            let a = sign * 2.0 * PI * ((j * k) % n) as f64 / n as f64;
                            s + x[j] * C64::new(a.cos(), a.sin())
                        })
                    })
                    .collect();
                let mut got = x.clone();
                Plan::new(n, forward).run(&mut got, &mut vec![C64::default(); n]);
                close(&got, &want, 1e-11);
            }
        }
    }
}
