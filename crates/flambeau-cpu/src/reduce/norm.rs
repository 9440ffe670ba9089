//! The Euclidean norm of contiguous `f32` lines, added in PyTorch's order.
//!
//! A running sum in `f32` falls short by up to 1e-4 on long lines. A more exact sum would be as cheap, but clipping by
//! the norm feeds its error back into every step of a training, whose losses could then not be PyTorch's.

use super::{Plan, Shared};
use flambeau_backend::Raw;

/// PyTorch's vectors have this many `f32`, whatever the processor.
const LANES: usize = 8;

/// Writes the norms and says so if the reduced dimensions are one contiguous run.
pub fn euclidean_f32(x: &Raw, out: &Raw) -> bool {
    let plan = Plan::new(x, [out]);
    if plan.count == 0 || plan.red.len() != 1 || (plan.red[0].1 != 1 && plan.count > 1) {
        return false;
    }
    let (input, output) = (Shared(x.ptr.cast::<f32>()), Shared(out.ptr.cast::<f32>()));
    plan.for_tiles(
        1,
        || (),
        |(), tile| {
            for j in 0..tile.w as isize {
                // SAFETY: the plan stays inside the views, its lines are contiguous; tiles have disjoint outputs.
                unsafe {
                    let line = input.get().offset(tile.x + j * plan.cols.stride());
                    let line = std::slice::from_raw_parts(line, plan.count);
                    output.get().offset(tile.out[0] + j * plan.cols.out(0)).write(sum_squares(line).sqrt());
                }
            }
        },
    );
    true
}

/// Eight running sums, added from the first to the last; then the rest, which PyTorch's compiler fused except for
/// whole groups of four.
fn sum_squares(line: &[f32]) -> f32 {
    let (vectors, rest) = line.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for v in vectors {
        for (a, &x) in lanes.iter_mut().zip(v) {
            *a += x * x;
        }
    }
    let sum = lanes[1..].iter().fold(lanes[0], |a, &b| a + b);
    let (four, last) = rest.split_at(rest.len() / 4 * 4);
    let sum = four.iter().fold(sum, |a, &x| a + x * x);
    last.iter().fold(sum, |a, &x| x.mul_add(x, a))
}

#[cfg(test)]
mod tests {
    use super::sum_squares;

    #[test]
    fn a_running_sum_forgets_what_is_below_its_last_bit() {
        // Eight lanes hold 2^24: each further one is rounded away.
        let mut line = vec![4096.0f32; 8];
        line.extend([1.0; 800]);
        assert_eq!(sum_squares(&line), 8.0 * 16_777_216.0);
    }

    #[test]
    fn the_last_three_are_fused() {
        // Rounding the second square first changes the last bit of the sum.
        let (a, b) = (846.0f32 / 1024.0, 1.974_679);
        let (plain, exact) = (a * a + b * b, (f64::from(a * a) + f64::from(b) * f64::from(b)) as f32);
        assert_ne!(plain, exact);
        for (n, expected) in [(4, plain), (5, exact), (7, exact), (8, plain), (12, plain), (13, exact)] {
            let mut line = vec![0.0f32; n];
            (line[0], line[n - 1]) = (a, b);
            assert_eq!(sum_squares(&line), expected);
        }
    }
}
