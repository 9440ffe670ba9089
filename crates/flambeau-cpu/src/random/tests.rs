//! References recorded from PyTorch 2.15 (CPU, x86-64) with `torch.manual_seed(42)`: hashes (FNV-1a) of the bytes of 5, 100 and
//! 1003 draws into a fresh tensor.

use crate::Cpu;
use flambeau_backend::DType::{self, *};
use flambeau_backend::generator::GeneratorState;
use flambeau_backend::{Distribution, Random, Raw};

const RECORDED: &[(Distribution, DType, [u64; 3])] = &[
    (Distribution::Uniform { from: 0.0, to: 1.0 }, F32, [0x280af9eaf234580c, 0xbce2f386227c622e, 0x1a02f95bd3a5e793]),
    (Distribution::Uniform { from: -3.3, to: 7.1 }, F32, [0x3e13e609f2e22dfd, 0x37178aba8b2329d3, 0x15d8b467e8289901]),
    (Distribution::Normal { mean: 0.0, std: 1.0 }, F32, [0x0db62b496c414f74, 0x7ea02704af7a98a3, 0x9c442e01d3ef8bd0]),
    (Distribution::Normal { mean: 1.3, std: 0.7 }, F32, [0x9b97c2dd741eaee2, 0xb555fc56aafe6055, 0xf45acec27ff183e7]),
    (Distribution::Exponential { lambda: 2.7 }, F32, [0x95b37111d2ad1ead, 0x3e1f1c2c1e63de28, 0xd8216a1f5156c162]),
    (
        Distribution::Cauchy { median: 1.0, sigma: 2.0 },
        F32,
        [0xb4e61ccfe8f46f09, 0x63c8b4673604a741, 0x2fe42383fc3d8a33],
    ),
    (
        Distribution::LogNormal { mean: 0.3, std: 0.5 },
        F32,
        [0x21dde2335c7d3339, 0xb1a4cf8629c8400e, 0x17784cc4c994eaf4],
    ),
    (Distribution::Bernoulli { p: 0.3 }, F32, [0x18d92810e77e2195, 0xf6729b7eaccba9d5, 0x24decdbd42899d18]),
    (Distribution::Geometric { p: 0.3 }, F32, [0x203d45269347c632, 0xe2738874b6263235, 0x675ac9191570e7cd]),
    (Distribution::IntegersFull, F32, [0xe1dc85aa80e55a3f, 0x62dacc9c59db00a1, 0xc839714e4b88f7ab]),
    (Distribution::Integers { from: 3, range: 97 }, F32, [0xc1ed72158efdf45c, 0xfe91dbca93cd7d80, 0xbe86d1893996a7d2]),
    (Distribution::Uniform { from: 0.0, to: 1.0 }, F64, [0xde23955e5d15941b, 0x8d29b8698bdb457f, 0xaaeca20f14558066]),
    (Distribution::Uniform { from: -3.3, to: 7.1 }, F64, [0xc706878b147a19ba, 0x8dbd6b11bc0f93ab, 0x9f8192eda6b5d196]),
    (Distribution::Normal { mean: 0.0, std: 1.0 }, F64, [0xbe499b105e7a33bf, 0x2985aa2c3b212a90, 0x161380e92b413caf]),
    (Distribution::Normal { mean: 1.3, std: 0.7 }, F64, [0x32f842e927b8e24d, 0x54a13a87679ba13b, 0xe47a1e514b268f05]),
    (Distribution::Exponential { lambda: 2.7 }, F64, [0xa1dd895c3d53fc4f, 0x784e9fb0fe00c508, 0x31eb8a3c4803650e]),
    (
        Distribution::Cauchy { median: 1.0, sigma: 2.0 },
        F64,
        [0x8d182641d8cc163b, 0x4917759ee2e9f209, 0x6fcf8c536c992e78],
    ),
    (
        Distribution::LogNormal { mean: 0.3, std: 0.5 },
        F64,
        [0xd1d1a4e5faf48ec0, 0x556be1d3340fafdc, 0xc1dcd6950182ba03],
    ),
    (Distribution::Bernoulli { p: 0.3 }, F64, [0x33b1a90dcc60e505, 0xfba290d9242b5885, 0x08581a99a6bbd8b8]),
    (Distribution::Geometric { p: 0.3 }, F64, [0xb3d3a8086fa5151f, 0x14e8cf29c00a2deb, 0xe23d230e9e276efc]),
    (Distribution::IntegersFull, F64, [0xe391c3d120ff38d8, 0x9cab772f0215d20e, 0x5365751c0b905633]),
    (Distribution::Integers { from: 3, range: 97 }, F64, [0x09e09c0f075a3eea, 0xda56dc55bdec58c9, 0xf555080ae895e3be]),
    (Distribution::Uniform { from: 0.0, to: 1.0 }, BF16, [0xd7bc4f104df2b3da, 0x224646735cf6f990, 0xb72bc3e1db714f3b]),
    (Distribution::Uniform { from: -3.3, to: 7.1 }, BF16, [0x4911aec6383306bc, 0x39df76254f1715f4, 0x4387420278623cf3]),
    (Distribution::Normal { mean: 0.0, std: 1.0 }, BF16, [0x6092bdec9333a534, 0xd1979e55d1c7e93f, 0x5328f8bc130d495f]),
    (Distribution::Normal { mean: 1.3, std: 0.7 }, BF16, [0x289c5744f05f8c67, 0x1130197b08c000aa, 0xd363956af4884edc]),
    (Distribution::Exponential { lambda: 2.7 }, BF16, [0xd77adb4fbc33b745, 0xeae9d0e0128844fb, 0x382b16b5089b7923]),
    (
        Distribution::Cauchy { median: 1.0, sigma: 2.0 },
        BF16,
        [0x265c55c1ff981382, 0x76518cdb3170181d, 0x7d5ce0c4a9ad9627],
    ),
    (
        Distribution::LogNormal { mean: 0.3, std: 0.5 },
        BF16,
        [0x36659c7c3a419c6d, 0x25146d03f5deca12, 0xf1a80feda3d161d2],
    ),
    (Distribution::Bernoulli { p: 0.3 }, BF16, [0x0258aa7854b61bfd, 0x89f0029b221d3a5d, 0x687a3c6b784e56e0]),
    (Distribution::Geometric { p: 0.3 }, BF16, [0xdf3910e0ab3d99ba, 0x6e91f8a7acccc3c5, 0xdc1f3caba20ea455]),
    (Distribution::IntegersFull, BF16, [0xc6b230c45f2894c3, 0x84bcc1fa11ed3e0d, 0x8b00cdbda1ebfd33]),
    (Distribution::Integers { from: 3, range: 97 }, BF16, [0xb19608bce1837fc4, 0xdd58e84906c32ef8, 0x17011d5eef5264aa]),
    (Distribution::Uniform { from: 0.0, to: 1.0 }, F16, [0xce7b4334f49d9e77, 0xa9e5c829703c1756, 0xe9918714c3711480]),
    (Distribution::Uniform { from: -3.3, to: 7.1 }, F16, [0xc9903c4b225b295f, 0x6013c2b35271e1b9, 0x6e71820379e9b8cb]),
    (Distribution::Normal { mean: 0.0, std: 1.0 }, F16, [0x96c6201dfd060a7a, 0xa4de49801f86b0cd, 0xfb143a6979dfce4d]),
    (Distribution::Normal { mean: 1.3, std: 0.7 }, F16, [0x1297eeb19b626d7f, 0x85032c35fd73ee6e, 0x6ae9d66e22df5ba6]),
    (Distribution::Exponential { lambda: 2.7 }, F16, [0x211ad46ed485f25d, 0xeb07af8c98cc6b41, 0x9556e01e4fb65409]),
    (
        Distribution::Cauchy { median: 1.0, sigma: 2.0 },
        F16,
        [0xe3dc20e61eb1f9a6, 0xfbc80d8b59a8c8f1, 0x551848944b594186],
    ),
    (
        Distribution::LogNormal { mean: 0.3, std: 0.5 },
        F16,
        [0xfbf70397f322e068, 0x89f93e02de109095, 0x433c78ae02970fb0],
    ),
    (Distribution::Bernoulli { p: 0.3 }, F16, [0x3befedc7eb94002d, 0x2285c1cf79497a95, 0xe1cec46d32de4c09]),
    (Distribution::Geometric { p: 0.3 }, F16, [0x187841f43e61ade3, 0x82ba103104707b30, 0xb72226c42d761626]),
    (Distribution::IntegersFull, F16, [0x9295cc0acb2d5b49, 0x946fc1b3ed0cc7c4, 0xbe4b275ac8f8b7df]),
    (Distribution::Integers { from: 3, range: 97 }, F16, [0x88cf560ddf42564a, 0x14d6b4dffab94a40, 0x1aaa1b9d36630301]),
    (Distribution::Bernoulli { p: 0.3 }, I64, [0xcfe9b4b576c53005, 0xa527fff44e870105, 0x2a373e93039391a4]),
    (Distribution::Geometric { p: 0.3 }, I64, [0xa89f051a64ba6e08, 0xa23a50a0c10df1c7, 0xd75b7a72ad3c22c2]),
    (Distribution::IntegersFull, I64, [0x9f24bee61ed8aaa4, 0xf3e79acf85ea8795, 0x45569f421fa1a201]),
    (Distribution::Integers { from: 3, range: 97 }, I64, [0x1d75ec5c047e8323, 0x522175e649e416bd, 0xa714a2dce0b9a9e6]),
    (Distribution::Bernoulli { p: 0.3 }, U8, [0x6f6203b6f92d1ffb, 0x3f3fff37040b661b, 0x9c907cd17825b91c]),
    (Distribution::Geometric { p: 0.3 }, U8, [0x38cd9f6fb7995d1e, 0x66cc9ff6db850bd9, 0xbc6447753058758c]),
    (Distribution::IntegersFull, U8, [0x3b66093723d28716, 0x00ca279298b2a68f, 0x439bb5b1d6798d52]),
    (Distribution::Integers { from: 3, range: 97 }, U8, [0xbcd07d90a8e99cf5, 0x61d22cf99dc4b147, 0x77af685d5c83dbc6]),
    (
        Distribution::Integers { from: -5, range: 1 << 40 },
        I64,
        [0x246b62b92e2bc3be, 0xf50f85e0dd900aec, 0xa784044a6bb69702],
    ),
];

fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, &b| (h ^ b as u64).wrapping_mul(0x100_0000_01b3))
}

fn draw(kind: Distribution, t: DType, n: usize, g: &mut GeneratorState) -> Vec<u64> {
    let mut v = vec![0u64; (n * t.size()).div_ceil(8)];
    let out = Raw { ptr: v.as_mut_ptr().cast(), dtype: t, sizes: &[n as i64], strides: &[1] };
    Cpu.random(kind, g, out).unwrap();
    v
}

fn bytes(v: &[u64], n: usize) -> &[u8] {
    // SAFETY: the vector holds at least `n` bytes.
    unsafe { std::slice::from_raw_parts(v.as_ptr().cast(), n) }
}

#[test]
fn draws_are_pytorchs_bit_for_bit() {
    for &(kind, t, want) in RECORDED {
        for (n, want) in [5, 100, 1003].into_iter().zip(want) {
            let v = draw(kind, t, n, &mut GeneratorState::new(42));
            assert_eq!(hash(bytes(&v, n * t.size())), want, "{kind:?} {t} {n}");
        }
    }
}

#[test]
fn the_second_normal_of_a_pair_waits_in_the_generator() {
    let kind = Distribution::Normal { mean: 0.0, std: 1.0 };
    let mut g = GeneratorState::new(1);
    let together = draw(kind, F64, 6, &mut g);
    let mut g = GeneratorState::new(1);
    let mut apart = draw(kind, F64, 3, &mut g);
    assert!(g.next_normal_f64.is_some());
    apart.extend(draw(kind, F64, 3, &mut g));
    assert_eq!(together, apart);
}

#[test]
fn permutation_and_multinomial() {
    let mut v = vec![0i64; 1000];
    let out = Raw { ptr: v.as_mut_ptr().cast(), dtype: I64, sizes: &[1000], strides: &[1] };
    Cpu.permutation(&mut GeneratorState::new(42), out).unwrap();
    let b: Vec<u8> = v.iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(hash(&b), 0xac050cc352041a61);

    let mut w: Vec<f32> = (1..=100).map(|x| x as f32).collect();
    let weights = Raw { ptr: w.as_mut_ptr().cast(), dtype: F32, sizes: &[2, 50], strides: &[50, 1] };
    let mut picks = [[0i64; 6]; 2];
    let out = Raw { ptr: picks.as_mut_ptr().cast(), dtype: I64, sizes: &[2, 6], strides: &[6, 1] };
    Cpu.multinomial(weights, true, &mut GeneratorState::new(42), out).unwrap();
    assert_eq!(picks, [[11, 12, 17, 11, 36, 34], [48, 47, 5, 9, 10, 22]]);
    Cpu.multinomial(weights, false, &mut GeneratorState::new(42), out).unwrap();
    assert_eq!(picks, [[37, 24, 25, 47, 41, 20], [25, 38, 10, 48, 23, 42]]);
}

#[test]
fn bernoulli_of_a_tensor() {
    let mut p: Vec<f32> = (1..=100).map(|x| x as f32 / 100.0).collect();
    let p = Raw { ptr: p.as_mut_ptr().cast(), dtype: F32, sizes: &[100], strides: &[1] };
    let mut hits = [2u8; 100];
    let out = Raw { ptr: hits.as_mut_ptr(), dtype: Bool, sizes: &[100], strides: &[1] };
    Cpu.bernoulli_tensor(p, &mut GeneratorState::new(42), out).unwrap();
    let want = [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 0,
        0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1,
        1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ];
    assert_eq!(hits, want);
}

#[test]
fn bad_weights_are_refused() {
    let mut w = [1.0f32, -1.0, 0.0, 0.0];
    let mut picks = [0i64; 4];
    let out = Raw { ptr: picks.as_mut_ptr().cast(), dtype: I64, sizes: &[2, 2], strides: &[2, 1] };
    let weights = Raw { ptr: w.as_mut_ptr().cast(), dtype: F32, sizes: &[2, 2], strides: &[2, 1] };
    let e = Cpu.multinomial(weights, true, &mut GeneratorState::new(0), out).unwrap_err();
    assert!(e.message().contains("probability entry < 0"));
    w[1] = 1.0;
    let weights = Raw { ptr: w.as_mut_ptr().cast(), dtype: F32, sizes: &[2, 2], strides: &[2, 1] };
    let e = Cpu.multinomial(weights, true, &mut GeneratorState::new(0), out).unwrap_err();
    assert!(e.message().contains("sum of probabilities <= 0"));
}
