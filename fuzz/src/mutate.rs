//! Mutations of byte strings: small damage, moved blocks, pieces of other inputs, numbers at their limits.

/// A small generator (xorshift64*): runs repeat from their seed.
pub struct Rng(pub u64);

impl Rng {
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() >> 11) as usize % n.max(1)
    }
}

/// The longest input.
const MOST: usize = 1 << 14;

/// A damaged copy of one of the corpus, or noise.
pub fn next(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    if corpus.is_empty() || rng.below(50) == 0 {
        let n = rng.below(200);
        return (0..n).map(|_| rng.bits() as u8).collect();
    }
    let mut data = corpus[rng.below(corpus.len())].clone();
    for _ in 0..=rng.below(4) * rng.below(4) {
        change(rng, &mut data, corpus);
    }
    data.truncate(MOST);
    data
}

fn change(rng: &mut Rng, data: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    if data.is_empty() {
        data.push(rng.bits() as u8);
        return;
    }
    let at = rng.below(data.len());
    let n = 1 + rng.below(8.min(data.len() - at));
    match rng.below(9) {
        0 => data[at] ^= 1 << rng.below(8),
        1 => data[at] = rng.bits() as u8,
        2 => {
            data.drain(at..at + n);
        }
        3 => {
            let block: Vec<u8> = (0..n).map(|_| rng.bits() as u8).collect();
            data.splice(at..at, block);
        }
        4 => {
            let long = 1 + rng.below(64.min(data.len() - at));
            let block = data[at..at + long].to_vec();
            let to = rng.below(data.len());
            data.splice(to..to, block);
        }
        5 => {
            let value = [
                0u64,
                1,
                0x7f,
                0x80,
                0xff,
                0x7fff,
                0xffff,
                0x7fff_ffff,
                0x8000_0000,
                0xffff_ffff,
                u64::MAX >> 1,
                u64::MAX,
            ][rng.below(12)];
            let width = [1, 2, 4, 8][rng.below(4)];
            for (to, from) in data[at..].iter_mut().zip(&value.to_le_bytes()[..width]) {
                *to = *from;
            }
        }
        6 => {
            let other = &corpus[rng.below(corpus.len())];
            if !other.is_empty() {
                let from = rng.below(other.len());
                let long = 1 + rng.below(64.min(other.len() - from));
                data.splice(at..at, other[from..from + long].iter().copied());
            }
        }
        7 => data.truncate(at),
        _ => data[at] = data[at].wrapping_add([1, 255, 16, 240][rng.below(4)]),
    }
}
