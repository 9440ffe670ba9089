//! Sizes and strides: broadcasting, contiguity, index arithmetic. Nothing here knows a tensor.

use smallvec::SmallVec;

use crate::error::Result;
use crate::{bail, check};

/// Sizes or strides, without the heap up to rank 5.
pub type Dims = SmallVec<[i64; 5]>;

/// `(2, 3)` as PyTorch prints a shape in messages: `[2, 3]`.
pub fn fmt(sizes: &[i64]) -> String {
    let parts: Vec<String> = sizes.iter().map(i64::to_string).collect();
    format!("[{}]", parts.join(", "))
}

/// [`Dims`] of a slice, without a call to copy a few numbers.
#[inline(always)]
pub fn dims(s: &[i64]) -> Dims {
    match *s {
        [] => Dims::new(),
        [a] => Dims::from_buf_and_len([a, 0, 0, 0, 0], 1),
        [a, b] => Dims::from_buf_and_len([a, b, 0, 0, 0], 2),
        [a, b, c] => Dims::from_buf_and_len([a, b, c, 0, 0], 3),
        [a, b, c, d] => Dims::from_buf_and_len([a, b, c, d, 0], 4),
        _ => Dims::from_slice(s),
    }
}

/// Whether two shapes are equal, without a call to compare a few numbers.
#[inline]
pub fn same(a: &[i64], b: &[i64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x == y)
}

#[inline]
pub fn numel(sizes: &[i64]) -> i64 {
    sizes.iter().product()
}

/// Checks sizes that a user gave: none negative, the product within an `i64` of bytes.
#[inline]
pub fn checked_numel(sizes: &[i64], element: usize) -> Result<usize> {
    match *sizes {
        [] => Ok(1),
        [n] if (0..1 << 40).contains(&n) => Ok(n as usize),
        [m, n] if (0..1 << 20).contains(&m) && (0..1 << 20).contains(&n) => Ok((m * n) as usize),
        _ => checked_numel_of_any(sizes, element),
    }
}

fn checked_numel_of_any(sizes: &[i64], element: usize) -> Result<usize> {
    let mut n: i64 = 1;
    for &s in sizes {
        check!(s >= 0, Runtime, "Trying to create tensor with negative dimension {s}: {}", fmt(sizes));
        n = match n.checked_mul(s) {
            Some(n) => n,
            None if sizes.contains(&0) => 0,
            None => bail!(Runtime, "Storage size calculation overflowed with sizes={}", fmt(sizes)),
        };
    }
    match (n as usize).checked_mul(element) {
        Some(b) if b <= isize::MAX as usize => Ok(n as usize),
        _ => bail!(Runtime, "Storage size calculation overflowed with sizes={}", fmt(sizes)),
    }
}

/// Row-major strides.
#[inline(always)]
pub fn contiguous_strides(sizes: &[i64]) -> Dims {
    match *sizes {
        [] => Dims::new(),
        [_] => Dims::from_buf_and_len([1, 0, 0, 0, 0], 1),
        [_, b] => Dims::from_buf_and_len([b.max(1), 1, 0, 0, 0], 2),
        _ => {
            let mut strides = Dims::from_elem(1, sizes.len());
            for d in (1..sizes.len()).rev() {
                // Only where another size is zero can this overflow.
                strides[d - 1] = strides[d].saturating_mul(sizes[d].max(1));
            }
            strides
        }
    }
}

#[inline]
pub fn is_contiguous(sizes: &[i64], strides: &[i64]) -> bool {
    let mut expected = 1;
    for d in (0..sizes.len()).rev() {
        if sizes[d] != 1 {
            if strides[d] != expected {
                return sizes.contains(&0);
            }
            expected = i64::saturating_mul(expected, sizes[d]);
        }
    }
    true
}

/// Contiguous in some order of the dimensions, so that memory can be walked as one run.
pub fn is_non_overlapping_and_dense(sizes: &[i64], strides: &[i64]) -> bool {
    if is_contiguous(sizes, strides) {
        return true;
    }
    let mut dims: SmallVec<[(i64, i64); 6]> =
        sizes.iter().zip(strides).filter(|(n, _)| **n != 1).map(|(n, s)| (*s, *n)).collect();
    dims.sort_unstable();
    let mut expected = 1;
    for (stride, size) in dims {
        if stride != expected {
            return false;
        }
        expected = i64::saturating_mul(expected, size);
    }
    true
}

/// Strides of a channels-last tensor (rank 4 or 5), or `None` for another rank.
pub fn channels_last_strides(sizes: &[i64]) -> Option<Dims> {
    let n = sizes.len();
    if n != 4 && n != 5 {
        return None;
    }
    let mut strides = Dims::from_elem(1, n);
    let mut acc = sizes[1].max(1);
    for d in (2..n).rev() {
        strides[d] = acc;
        acc *= sizes[d].max(1);
    }
    strides[0] = acc;
    Some(strides)
}

/// Whether strides say channels-last as PyTorch reads them (`suggest_memory_format`): gaps are allowed, and where sizes of
/// one leave it open the answer is no.
pub fn suggests_channels_last(sizes: &[i64], strides: &[i64]) -> bool {
    let order: &[usize] = match sizes.len() {
        4 => &[1, 3, 2, 0],
        5 => &[1, 4, 3, 2, 0],
        _ => return false,
    };
    if strides[1] == 0 {
        return false;
    }
    let mut least = 0;
    for &d in order {
        if sizes[d] == 0 || strides[d] < least || (d == 0 && least == strides[1]) {
            return false;
        }
        least = strides[d] * sizes[d].max(1);
    }
    true
}

pub fn is_channels_last(sizes: &[i64], strides: &[i64]) -> bool {
    match channels_last_strides(sizes) {
        Some(want) => (0..sizes.len()).all(|d| sizes[d] == 1 || strides[d] == want[d]),
        None => false,
    }
}

/// Whether two positions share memory: a zero stride over more than one element, or strides too small for the sizes.
pub fn has_internal_overlap(sizes: &[i64], strides: &[i64]) -> bool {
    !sizes.contains(&0)
        && sizes.iter().zip(strides).any(|(n, s)| *n > 1 && *s == 0)
        && !is_non_overlapping_and_dense(sizes, strides)
}

/// The common shape of two operands, with PyTorch's message where there is none.
pub fn broadcast(a: &[i64], b: &[i64]) -> Result<Dims> {
    if a == b {
        return Ok(Dims::from_slice(a));
    }
    let n = a.len().max(b.len());
    let mut out = Dims::from_elem(1, n);
    for i in (0..n).rev() {
        let x = if i + a.len() >= n { a[i + a.len() - n] } else { 1 };
        let y = if i + b.len() >= n { b[i + b.len() - n] } else { 1 };
        out[i] = if x == y || y == 1 {
            x
        } else if x == 1 {
            y
        } else {
            bail!(
                Runtime,
                "The size of tensor a ({x}) must match the size of tensor b ({y}) at non-singleton dimension {i}"
            )
        };
    }
    Ok(out)
}

/// Strides that make `sizes` look like `to`; `None` if they cannot be expanded.
pub fn expand_strides(sizes: &[i64], strides: &[i64], to: &[i64]) -> Option<Dims> {
    let lead = to.len().checked_sub(sizes.len())?;
    let mut out = Dims::from_elem(0, to.len());
    for d in 0..sizes.len() {
        out[lead + d] = if sizes[d] == to[lead + d] {
            strides[d]
        } else if sizes[d] == 1 {
            0
        } else {
            return None;
        };
    }
    Some(out)
}

/// `[from..]` can be broadcast to `to`.
pub fn is_expandable(from: &[i64], to: &[i64]) -> bool {
    from.len() <= to.len() && from.iter().rev().zip(to.iter().rev()).all(|(f, t)| f == t || *f == 1)
}

/// `dim` in `0..ndim`, counting from the end when negative; rank 0 counts as rank 1.
#[inline]
pub fn wrap_dim(dim: i64, ndim: usize) -> Result<usize> {
    let n = ndim.max(1) as i64;
    if dim >= -n && dim < n {
        return Ok((if dim < 0 { dim + n } else { dim }) as usize);
    }
    bail!(Index, "Dimension out of range (expected to be in range of [{}, {}], but got {dim})", -n, n - 1)
}

/// Each of `dims` wrapped, as a mask; all dimensions when empty. Doubles are refused.
pub fn wrap_dims(dims: &[i64], ndim: usize) -> Result<SmallVec<[bool; 8]>> {
    let mut mask: SmallVec<[bool; 8]> = SmallVec::from_elem(dims.is_empty(), ndim.max(1));
    for &d in dims {
        let d = wrap_dim(d, ndim)?;
        check!(!mask[d], Runtime, "dim {d} appears multiple times in the list of dims");
        mask[d] = true;
    }
    mask.truncate(ndim);
    Ok(mask)
}

/// Replaces one `-1` in a requested shape.
pub fn infer_size(request: &[i64], numel: i64) -> Result<Dims> {
    let mut out = Dims::from_slice(request);
    let mut unknown = None;
    let mut known = 1i64;
    for (i, &s) in request.iter().enumerate() {
        if s == -1 {
            check!(unknown.is_none(), Runtime, "only one dimension can be inferred");
            unknown = Some(i);
        } else {
            check!(s >= 0, Runtime, "invalid shape dimension {s} at index {i} of shape {}", fmt(request));
            known = known.saturating_mul(s);
        }
    }
    if let Some(i) = unknown {
        check!(
            known != 0,
            Runtime,
            "cannot reshape tensor of 0 elements into shape {} because the unspecified dimension size -1 can be any \
             value and is ambiguous",
            fmt(request)
        );
        check!(numel % known == 0, Runtime, "shape '{}' is invalid for input of size {numel}", fmt(request));
        out[i] = numel / known;
    } else {
        check!(known == numel, Runtime, "shape '{}' is invalid for input of size {numel}", fmt(request));
    }
    Ok(out)
}

/// Strides under which the same memory has `to` as its sizes, if no copy is needed.
pub fn view_strides(sizes: &[i64], strides: &[i64], to: &[i64]) -> Option<Dims> {
    if sizes.contains(&0) {
        return Some(if sizes == to { Dims::from_slice(strides) } else { contiguous_strides(to) });
    }
    if sizes.is_empty() {
        return Some(Dims::from_elem(1, to.len()));
    }
    let mut out = Dims::from_elem(0, to.len());
    let mut view_d = to.len();
    // Walk runs of dimensions that are contiguous among themselves, from the innermost outwards.
    let mut chunk_base = *strides.last()?;
    let mut tensor_numel = 1i64;
    let mut view_numel = 1i64;
    for d in (0..sizes.len()).rev() {
        tensor_numel *= sizes[d];
        if d == 0 || (sizes[d - 1] != 1 && strides[d - 1] != tensor_numel * chunk_base) {
            while view_d > 0 && (view_numel < tensor_numel || to[view_d - 1] == 1) {
                view_d -= 1;
                out[view_d] = view_numel * chunk_base;
                view_numel *= to[view_d];
            }
            if view_numel != tensor_numel {
                return None;
            }
            if d > 0 {
                chunk_base = strides[d - 1];
                tensor_numel = 1;
                view_numel = 1;
            }
        }
    }
    (view_d == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_and_its_message() {
        assert_eq!(broadcast(&[2, 1, 3], &[4, 1]).unwrap().as_slice(), [2, 4, 3]);
        assert_eq!(broadcast(&[0], &[1]).unwrap().as_slice(), [0]);
        assert_eq!(
            broadcast(&[2, 3], &[2, 4]).unwrap_err().message(),
            "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1"
        );
    }

    #[test]
    fn views_without_copy() {
        assert_eq!(view_strides(&[2, 3, 4], &[12, 4, 1], &[6, 4]).unwrap().as_slice(), [4, 1]);
        // A transposed matrix cannot be flattened.
        assert!(view_strides(&[3, 2], &[1, 3], &[6]).is_none());
        // But each of its dimensions can be split.
        assert_eq!(view_strides(&[4, 2], &[1, 4], &[2, 2, 2]).unwrap().as_slice(), [2, 1, 4]);
        assert_eq!(view_strides(&[4, 2], &[1, 4], &[4, 1, 2, 1]).unwrap().len(), 4);
        // A dimension of size one does not part its neighbours, whatever its stride.
        assert_eq!(view_strides(&[2, 1, 3], &[6, 99, 2], &[6]).unwrap().as_slice(), [2]);
    }

    #[test]
    fn inferred_sizes() {
        assert_eq!(infer_size(&[2, -1], 6).unwrap().as_slice(), [2, 3]);
        assert!(infer_size(&[4, -1], 6).is_err());
        assert!(infer_size(&[-1, 0], 0).is_err());
    }

    #[test]
    fn dense_in_any_order() {
        assert!(is_non_overlapping_and_dense(&[2, 3], &[1, 2]));
        assert!(!is_non_overlapping_and_dense(&[2, 3], &[4, 1]));
        assert!(has_internal_overlap(&[2, 3], &[0, 1]));
    }
}
