//! Packing of lines that are contiguous along `k`: a transposition in registers.

use std::arch::x86_64::*;

/// Lines of `kc` floats as `[kc][width]`.
///
/// # Safety
/// As for `Panels::pack`; the machine has AVX2.
pub(crate) unsafe fn pack_f32(src: *const f32, line: isize, kc: usize, lines: usize, width: usize, dst: *mut f32) {
    // SAFETY: the caller's contract.
    unsafe {
        let mut j = 0;
        while j + 8 <= lines {
            lines8(src.offset(j as isize * line), line, kc, width, dst.add(j));
            j += 8;
        }
        for j in j..lines {
            let s = src.offset(j as isize * line);
            for p in 0..kc {
                *dst.add(p * width + j) = *s.add(p);
            }
        }
        super::matrix::zero_lines(dst, kc, lines, width);
    }
}

#[target_feature(enable = "avx2")]
unsafe fn lines8(src: *const f32, line: isize, kc: usize, width: usize, dst: *mut f32) {
    // SAFETY: eight lines of `kc` floats; the panel holds them.
    unsafe {
        let mut p = 0;
        while p + 8 <= kc {
            let mut r = [_mm256_setzero_ps(); 8];
            for i in 0..8 {
                r[i] = _mm256_loadu_ps(src.offset(i as isize * line).add(p));
            }
            let t0 = _mm256_unpacklo_ps(r[0], r[1]);
            let t1 = _mm256_unpackhi_ps(r[0], r[1]);
            let t2 = _mm256_unpacklo_ps(r[2], r[3]);
            let t3 = _mm256_unpackhi_ps(r[2], r[3]);
            let t4 = _mm256_unpacklo_ps(r[4], r[5]);
            let t5 = _mm256_unpackhi_ps(r[4], r[5]);
            let t6 = _mm256_unpacklo_ps(r[6], r[7]);
            let t7 = _mm256_unpackhi_ps(r[6], r[7]);
            let q0 = _mm256_shuffle_ps::<0x44>(t0, t2);
            let q1 = _mm256_shuffle_ps::<0xee>(t0, t2);
            let q2 = _mm256_shuffle_ps::<0x44>(t1, t3);
            let q3 = _mm256_shuffle_ps::<0xee>(t1, t3);
            let q4 = _mm256_shuffle_ps::<0x44>(t4, t6);
            let q5 = _mm256_shuffle_ps::<0xee>(t4, t6);
            let q6 = _mm256_shuffle_ps::<0x44>(t5, t7);
            let q7 = _mm256_shuffle_ps::<0xee>(t5, t7);
            let d = dst.add(p * width);
            _mm256_storeu_ps(d, _mm256_permute2f128_ps::<0x20>(q0, q4));
            _mm256_storeu_ps(d.add(width), _mm256_permute2f128_ps::<0x20>(q1, q5));
            _mm256_storeu_ps(d.add(2 * width), _mm256_permute2f128_ps::<0x20>(q2, q6));
            _mm256_storeu_ps(d.add(3 * width), _mm256_permute2f128_ps::<0x20>(q3, q7));
            _mm256_storeu_ps(d.add(4 * width), _mm256_permute2f128_ps::<0x31>(q0, q4));
            _mm256_storeu_ps(d.add(5 * width), _mm256_permute2f128_ps::<0x31>(q1, q5));
            _mm256_storeu_ps(d.add(6 * width), _mm256_permute2f128_ps::<0x31>(q2, q6));
            _mm256_storeu_ps(d.add(7 * width), _mm256_permute2f128_ps::<0x31>(q3, q7));
            p += 8;
        }
        for p in p..kc {
            for i in 0..8 {
                *dst.add(p * width + i) = *src.offset(i as isize * line).add(p);
            }
        }
    }
}
