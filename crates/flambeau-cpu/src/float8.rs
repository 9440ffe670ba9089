//! The five 8-bit floats of the OCP and FNUZ families ("FP8 Formats for Deep Learning", Micikevicius et al., 2022).

/// One format's numbers.
#[derive(Clone, Copy)]
pub struct Format {
    mantissa: u32,
    bias: i32,
    /// Largest finite magnitude's bits.
    max: u8,
    /// What an overflow becomes (without sign where `fnuz`).
    overflow: u8,
    /// No negative zero: its pattern is the one NaN.
    fnuz: bool,
}

/// `e5m2`, `e4m3fn`, `e5m2fnuz`, `e4m3fnuz`, `e8m0fnu`.
pub const FORMATS: [Format; 5] = [
    Format { mantissa: 2, bias: 15, max: 0x7b, overflow: 0x7c, fnuz: false },
    // Saturates, infinities included, as PyTorch does.
    Format { mantissa: 3, bias: 7, max: 0x7e, overflow: 0x7e, fnuz: false },
    Format { mantissa: 2, bias: 16, max: 0x7f, overflow: 0x80, fnuz: true },
    Format { mantissa: 3, bias: 8, max: 0x7f, overflow: 0x80, fnuz: true },
    Format { mantissa: 0, bias: 127, max: 0xfe, overflow: 0xff, fnuz: false },
];

/// To `f32`, exactly.
pub fn decode(f: Format, x: u8) -> f32 {
    if f.mantissa == 0 {
        // Powers of two from 2^-127; no sign, no zero.
        return match x {
            0xff => f32::NAN,
            0 => f32::from_bits(0x0040_0000),
            e => f32::from_bits((e as u32) << 23),
        };
    }
    let mag = x & 0x7f;
    let nan = if f.fnuz { x == 0x80 } else { mag > f.max.max(if f.mantissa == 2 { 0x7c } else { 0 }) };
    if nan {
        return f32::NAN;
    }
    let value = if mag > f.max {
        f32::INFINITY
    } else {
        let e = (mag >> f.mantissa) as i32;
        let m = (mag & ((1 << f.mantissa) - 1)) as f32 / (1u32 << f.mantissa) as f32;
        let (m, e) = if e == 0 { (m, 1) } else { (1.0 + m, e) };
        m * f32::from_bits(((e - f.bias + 127) as u32) << 23)
    };
    if x & 0x80 != 0 { -value } else { value }
}

/// From `f32`, half to even.
pub fn encode(f: Format, x: f32) -> u8 {
    let bits = x.to_bits();
    if f.mantissa == 0 {
        let e = (bits >> 23) & 0xff;
        if e == 0xff {
            return 0xff;
        }
        let m = bits & 0x7f_ffff;
        // Nearest power of two, ties up unless already at the smallest exponent's exact half.
        let up = if e == 0 { m > 0x40_0000 } else { m >= 0x40_0000 };
        return (e + up as u32) as u8;
    }
    let sign = ((bits >> 24) & 0x80) as u8;
    if x.is_nan() {
        return if f.fnuz { 0x80 } else { sign | 0x7f };
    }
    let a = bits & 0x7fff_ffff;
    let shift = 23 - f.mantissa;
    let smallest = ((1 - f.bias + 127) as u32) << 23;
    let mag = if a < smallest {
        // Multiples of the smallest subnormal, rounded by the addition of a number whose last place is that.
        let unit = f32::from_bits((((1 - f.bias - f.mantissa as i32) + 127 + 23) as u32) << 23);
        (f32::from_bits(a) + unit).to_bits() - unit.to_bits()
    } else {
        let odd = (a >> shift) & 1;
        let r = a + (1 << (shift - 1)) - 1 + odd;
        (r >> shift) - (((127 - f.bias) as u32) << f.mantissa)
    };
    if mag > f.max as u32 {
        return if f.fnuz { f.overflow } else { sign | f.overflow };
    }
    if f.fnuz && mag == 0 {
        return 0;
    }
    sign | mag as u8
}
