//! How the independent accumulators of one line become one number.

/// Accumulators of a line: enough that none waits for the addition before, few enough for registers.
pub const LANES: usize = 32;
/// Accumulators of what does not fill all lanes.
pub const FEW: usize = 8;

/// Joins the lanes pairwise, far ones first, so that LLVM keeps whole vectors as long as it can.
#[inline(always)]
pub fn tree<A: Copy>(lanes: &[A; LANES], few: &[A; FEW], join: impl Fn(A, A) -> A) -> A {
    let a16: [A; 16] = std::array::from_fn(|j| join(lanes[j], lanes[j + 16]));
    let a8: [A; 8] = std::array::from_fn(|j| join(join(a16[j], a16[j + 8]), few[j]));
    let a4: [A; 4] = std::array::from_fn(|j| join(a8[j], a8[j + 4]));
    join(join(a4[0], a4[2]), join(a4[1], a4[3]))
}
