//! Moving values between a plane and flat positions in it: max pooling's gradient, unpooling.

use super::geometry::{Volume, same_planes};
use crate::index::first::First;
use crate::number::{Acc, with_number, with_size};
use crate::parallel::par_range;
use flambeau_backend::Raw;
use flambeau_backend::{DType, Error, Result, check};

fn checked(name: &str, small: Raw, idx: Raw, large: Raw, nd: usize) -> Result<[Volume; 3]> {
    check!(small.dtype == large.dtype, Runtime, "{name}: the output's dtype differs from the input's");
    check!(idx.dtype == DType::I64, Runtime, "{name}: positions are int64");
    check!(small.sizes == idx.sizes, Runtime, "{name}: values and positions differ in size");
    same_planes(small, large)?;
    Ok([Volume::new(small, nd)?, Volume::new(idx, nd)?, Volume::new(large, nd)?])
}

#[cold]
fn invalid(position: i64, dims: [usize; 3], nd: usize) -> Error {
    let [d, h, w] = dims;
    let size = match nd {
        1 => format!("{w}x1"),
        2 => format!("{h}x{w}"),
        _ => format!("{d}x{h}x{w}"),
    };
    Error::runtime(format!("Found an invalid max index: {position} (output volumes are of size {size})"))
}

pub(super) fn plane_scatter(g: Raw, idx: Raw, out: Raw, nd: usize) -> Result<()> {
    let [gv, iv, ov] = checked("plane_scatter", g, idx, out, nd)?;
    if out.numel() == 0 && g.numel() == 0 {
        return Ok(());
    }
    let error = First::new();
    with_number!(g.dtype, "plane_scatter", T => {
        par_range(ov.planes, ov.grain(), |planes| {
            let (mut plane, mut grads, mut positions) = (Vec::new(), Vec::new(), Vec::new());
            for p in planes {
                // SAFETY: planes are inside the operands, each one thread's.
                unsafe {
                    let (grads, positions) = (gv.read::<T>(p, &mut grads), iv.read::<i64>(p, &mut positions));
                    ov.sum::<T>(p, &mut plane, |plane| {
                        for (&v, &at) in grads.iter().zip(positions) {
                            match plane.get_mut(at as usize) {
                                Some(slot) => *slot = slot.plus(v),
                                None => return error.set(p, at),
                            }
                        }
                    });
                }
            }
        });
        error.take().map_or(Ok(()), |at| Err(invalid(at, ov.dims, nd)))
    })
}

pub(super) fn plane_gather(x: Raw, idx: Raw, out: Raw, nd: usize) -> Result<()> {
    let [ov, iv, xv] = checked("plane_gather", out, idx, x, nd)?;
    let error = First::new();
    let volume = xv.volume();
    let dense = xv.dense();
    with_size!(x.dtype, T => {
        par_range(ov.planes, ov.grain(), |planes| {
            let mut positions = Vec::new();
            'planes: for p in planes {
                // SAFETY: planes are inside the operands.
                let positions = unsafe { iv.read::<i64>(p, &mut positions) };
                for (r, row) in positions.chunks_exact(ov.dims[2].max(1)).enumerate() {
                    let to = ov.plane(p) + ov.row(r);
                    for (w, &at) in row.iter().enumerate() {
                        if at as u64 >= volume as u64 {
                            error.set(p, at);
                            continue 'planes;
                        }
                        let from = if dense {
                            at as isize
                        } else {
                            let (r, w) = (at as usize / xv.dims[2], at as usize % xv.dims[2]);
                            xv.row(r) + w as isize * xv.strides[2]
                        };
                        // SAFETY: `at` is inside the plane.
                        unsafe {
                            let v = xv.ptr.cast::<T>().offset(xv.plane(p) + from).read_unaligned();
                            ov.ptr.cast::<T>().offset(to + w as isize * ov.strides[2]).write_unaligned(v);
                        }
                    }
                }
            }
        });
    });
    error.take().map_or(Ok(()), |at| Err(invalid(at, xv.dims, nd)))
}
