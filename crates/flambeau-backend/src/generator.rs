//! The random number generator that PyTorch's CPU uses: MT19937 with the same seeding and the same cached normal.

/// Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998) plus the second half of a Box-Muller pair.
#[derive(Clone)]
pub struct GeneratorState {
    seed: u64,
    state: [u32; Self::N],
    left: u32,
    next: usize,
    /// The pending single-precision normal of a pair, as PyTorch caches it.
    pub next_normal_f32: Option<f32>,
    pub next_normal_f64: Option<f64>,
}

/// The output that a word of the state gives.
#[inline(always)]
fn temper(mut y: u32) -> u32 {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c_5680;
    y ^= (y << 15) & 0xefc6_0000;
    y ^ (y >> 18)
}

impl GeneratorState {
    pub const N: usize = 624;
    const M: usize = 397;

    /// Only the low 32 bits of the seed are used, as in PyTorch.
    pub fn new(seed: u64) -> Self {
        let mut state = [0u32; Self::N];
        state[0] = seed as u32;
        for j in 1..Self::N {
            state[j] = 1812433253u32.wrapping_mul(state[j - 1] ^ (state[j - 1] >> 30)).wrapping_add(j as u32);
        }
        GeneratorState { seed, state, left: 1, next: 0, next_normal_f32: None, next_normal_f64: None }
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn refill(&mut self) {
        fn twist(u: u32, v: u32) -> u32 {
            (((u & 0x8000_0000) | (v & 0x7fff_ffff)) >> 1) ^ (if v & 1 != 0 { 0x9908_b0df } else { 0 })
        }
        let s = &mut self.state;
        for j in 0..Self::N - Self::M {
            s[j] = s[j + Self::M] ^ twist(s[j], s[j + 1]);
        }
        for j in Self::N - Self::M..Self::N - 1 {
            s[j] = s[j + Self::M - Self::N] ^ twist(s[j], s[j + 1]);
        }
        s[Self::N - 1] = s[Self::M - 1] ^ twist(s[Self::N - 1], s[0]);
        self.left = Self::N as u32;
        self.next = 0;
    }

    /// The next 32 bits.
    #[inline]
    pub fn random(&mut self) -> u32 {
        self.left -= 1;
        if self.left == 0 {
            self.refill();
        }
        let y = self.state[self.next];
        self.next += 1;
        temper(y)
    }

    /// As many draws as `out` holds, in order.
    pub fn fill(&mut self, out: &mut [u32]) {
        let mut rest = out;
        while !rest.is_empty() {
            if self.left <= 1 {
                self.refill();
                self.left += 1;
            }
            let m = rest.len().min(self.left as usize - 1);
            let (now, later) = rest.split_at_mut(m);
            for (o, &y) in now.iter_mut().zip(&self.state[self.next..self.next + m]) {
                *o = temper(y);
            }
            self.next += m;
            self.left -= m as u32;
            rest = later;
        }
    }

    /// The next 64 bits: two draws, the first one high.
    #[inline]
    pub fn random64(&mut self) -> u64 {
        let hi = self.random() as u64;
        let lo = self.random() as u64;
        (hi << 32) | lo
    }

    /// The raw engine: `(state, left, next)`, for `get_rng_state`.
    pub fn engine(&self) -> (&[u32; Self::N], u32, usize) {
        (&self.state, self.left, self.next)
    }

    /// Puts an engine back as [`engine`](Self::engine) gave it.
    pub fn restore(seed: u64, state: [u32; Self::N], left: u32, next: usize) -> Self {
        GeneratorState { seed, state, left, next, next_normal_f32: None, next_normal_f64: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_single_draws() {
        let (mut a, mut b) = (GeneratorState::new(3), GeneratorState::new(3));
        for n in [0, 1, 5, 617, 624, 1, 623, 1250, 2] {
            let mut block = vec![0; n];
            a.fill(&mut block);
            assert!(block.iter().all(|&x| x == b.random()), "{n}");
            assert_eq!(a.engine(), b.engine());
        }
    }

    #[test]
    fn matches_the_published_sequence() {
        // First outputs of mt19937 with its default seed, and the C++ standard's 10000th value.
        let mut g = GeneratorState::new(5489);
        assert_eq!(g.random(), 3499211612);
        for _ in 1..9999 {
            g.random();
        }
        assert_eq!(g.random(), 4123659995);
    }
}
