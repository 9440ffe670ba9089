//! Sampling of images and volumes at given places, and affine grids of places (Jaderberg et al., 2015).

use flambeau_core::op::{Inputs, Kind, OpDef, Outs, Params, ParamsExt};
use flambeau_core::{DType, Result, Tensor, check, params};

use crate::binary::{add, add_scalar, mul, mul_scalar, sub};
use crate::copy::to_dtype;
use crate::operand::*;
use crate::unary;
use crate::view::{expand, reshape, select, unsqueeze};

const BILINEAR: i64 = 0;
const NEAREST: i64 = 1;
const ZEROS: i64 = 0;
const BORDER: i64 = 1;

/// From `[-1, 1]` to positions in a dimension of `n`.
fn unnormalised(x: &Tensor, n: i64, align: bool) -> Result<Tensor> {
    if align {
        mul_scalar(&add_scalar(x, 1.0)?, (n - 1) as f64 / 2.0)
    } else {
        mul_scalar(&add_scalar(&mul_scalar(&add_scalar(x, 1.0)?, n as f64)?, -1.0)?, 0.5)
    }
}

/// Positions outside moved inside, as the padding mode says.
fn padded(x: &Tensor, n: i64, padding: i64, align: bool) -> Result<Tensor> {
    if padding == ZEROS {
        return Ok(x.clone());
    }
    let inside = if padding == BORDER { x.clone() } else { reflected(x, n, align)? };
    crate::ternary::clamp(&inside, 0.0, (n - 1) as f64)
}

fn reflected(x: &Tensor, n: i64, align: bool) -> Result<Tensor> {
    let (low, span) = if align { (0.0, (n - 1) as f64) } else { (-0.5, n as f64) };
    if span <= 0.0 {
        return mul_scalar(x, 0.0);
    }
    let away = unary::abs(&add_scalar(x, -low)?)?;
    let extra = crate::binary::fmod(&away, &Tensor::wrapped(span.into())?)?;
    let flips = unary::floor(&mul_scalar(&away, 1.0 / span)?)?.detach();
    let odd = crate::binary::fmod(&flips, &Tensor::wrapped(2.0.into())?)?;
    let even = crate::binary::eq_scalar(&odd, 0.0)?;
    let there = add_scalar(&extra, low)?;
    let back = add_scalar(&mul_scalar(&extra, -1.0)?, span + low)?;
    crate::ternary::where_(&even, &there, &back)
}

/// The elements of `flat` (`n, c, places`) at whole coordinates (each `n, l`); zero outside.
fn fetch(flat: &Tensor, sizes: &[i64], at: &[Tensor]) -> Result<Tensor> {
    let mut index: Option<Tensor> = None;
    let mut inside: Option<Tensor> = None;
    for (x, &n) in at.iter().zip(sizes) {
        let x = x.detach();
        let ok = crate::binary::logical_and(
            &crate::binary::ge_scalar(&x, 0.0)?,
            &crate::binary::le_scalar(&x, (n - 1) as f64)?,
        )?;
        // NaN is outside too.
        let safe = crate::ternary::where_(&ok, &x, &crate::create::zeros_like(&x)?)?;
        let whole = to_dtype(&safe, DType::I64)?;
        index = Some(match index {
            None => whole,
            Some(i) => add(&mul(&i, &Tensor::wrapped(n.into())?)?, &whole)?,
        });
        inside = Some(match inside {
            None => ok,
            Some(i) => crate::binary::logical_and(&i, &ok)?,
        });
    }
    let (Some(index), Some(inside)) = (index, inside) else { return Ok(flat.clone()) };
    let wide = [flat.sizes()[0], flat.sizes()[1], index.sizes()[1]];
    let values = crate::index::gather(flat, 2, &expand(&unsqueeze(&index, 1)?, &wide)?)?;
    mul(&values, &to_dtype(&unsqueeze(&inside, 1)?, values.dtype())?)
}

/// Keys' weights (1981, a = -0.75) of the four neighbours at distance `t` past the second.
fn cubic(t: &Tensor) -> Result<[Tensor; 4]> {
    let a = -0.75;
    let poly = |x: &Tensor, c: [f64; 4]| -> Result<Tensor> {
        let mut y = add_scalar(&mul_scalar(x, c[0])?, c[1])?;
        for &k in &c[2..] {
            y = add_scalar(&mul(&y, x)?, k)?;
        }
        Ok(y)
    };
    let (near, far) = ([a + 2.0, -(a + 3.0), 0.0, 1.0], [a, -5.0 * a, 8.0 * a, -4.0 * a]);
    let rest = add_scalar(&mul_scalar(t, -1.0)?, 1.0)?;
    Ok([poly(&add_scalar(t, 1.0)?, far)?, poly(t, near)?, poly(&rest, near)?, poly(&add_scalar(&rest, 1.0)?, far)?])
}

fn sampled(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, grid) = (arg(x, 0)?, arg(x, 1)?);
    let (mode, padding, align) = (p.int(0), p.int(1), p.bool(2));
    let nd = t.ndim().saturating_sub(2);
    let shown = |t: &Tensor| flambeau_core::layout::fmt(t.sizes());
    check!(
        t.dtype() == grid.dtype(),
        Runtime,
        "grid_sampler(): expected input and grid to have same dtype, but input has {} and grid has {}",
        flambeau_core::c_name(t.dtype()),
        flambeau_core::c_name(grid.dtype())
    );
    check!(
        (nd == 2 || nd == 3) && t.ndim() == grid.ndim(),
        Runtime,
        "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes {} and grid \
         with sizes {}",
        shown(t),
        shown(grid)
    );
    check!(
        t.sizes()[0] == grid.sizes()[0],
        Runtime,
        "grid_sampler(): expected grid and input to have same batch size, but got input with sizes {} and grid with sizes {}",
        shown(t),
        shown(grid)
    );
    check!(
        grid.sizes()[nd + 1] == nd as i64,
        Runtime,
        "grid_sampler(): expected grid to have size {nd} in last dimension, but got grid with sizes {}",
        shown(grid)
    );
    for d in 2..t.ndim() {
        check!(
            t.sizes()[d] > 0,
            Runtime,
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes {} with dimension {d} being \
             empty",
            shown(t)
        );
    }
    let spatial = &t.sizes()[2..];
    let places: i64 = grid.sizes()[1..=nd].iter().product();
    let n = t.sizes()[0];
    let flat = reshape(t, &[n, t.sizes()[1], spatial.iter().product()])?;
    let list = reshape(grid, &[n, places, nd as i64])?;
    // The grid's last dimension is (x, y, z): the reverse of the image's.
    let mut at = Vec::new();
    for (d, &size) in spatial.iter().enumerate() {
        let raw = unnormalised(&select(&list, 2, (nd - 1 - d) as i64)?, size, align)?;
        at.push(if mode > NEAREST { raw } else { padded(&raw, size, padding, align)? });
    }
    // Per dimension: neighbours and their weights.
    let mut taps: Vec<Vec<(Tensor, Option<Tensor>)>> = Vec::new();
    for (x, &size) in at.iter().zip(spatial) {
        let floor = unary::floor(&x.detach())?;
        taps.push(match mode {
            NEAREST => vec![(unary::round(x)?, None)],
            BILINEAR => {
                let high = sub(x, &floor)?;
                let low = add_scalar(&mul_scalar(&high, -1.0)?, 1.0)?;
                vec![(floor.clone(), Some(low)), (add_scalar(&floor, 1.0)?, Some(high))]
            }
            _ => {
                let weights = cubic(&sub(x, &floor)?)?;
                let mut list = Vec::new();
                for (k, w) in weights.into_iter().enumerate() {
                    list.push((padded(&add_scalar(&floor, k as f64 - 1.0)?, size, padding, align)?, Some(w)));
                }
                list
            }
        });
    }
    let counts: Vec<usize> = taps.iter().map(Vec::len).collect();
    let mut total: Option<Tensor> = None;
    for k in 0..counts.iter().product::<usize>() {
        let (mut k, mut places, mut weight) = (k, Vec::new(), None::<Tensor>);
        for (d, &n) in counts.iter().enumerate() {
            let (x, w) = &taps[d][k % n];
            k /= n;
            places.push(x.clone());
            weight = match (weight, w) {
                (None, w) => w.clone(),
                (Some(a), Some(b)) => Some(mul(&a, b)?),
                (a, None) => a,
            };
        }
        let values = fetch(&flat, spatial, &places)?;
        let part = match weight {
            Some(w) => mul(&values, &unsqueeze(&w, 1)?)?,
            // The place decides nothing smoothly: its gradient is zero.
            None => values,
        };
        total = Some(match total {
            None => part,
            Some(y) => add(&y, &part)?,
        });
    }
    let mut y = total.map_or_else(|| Ok(flat.clone()), Ok)?;
    if mode == NEAREST && grid.requires_grad() {
        let nothing = crate::reduce::sum(&crate::ternary::zeros_through(&list)?, &[2], false)?;
        y = add(&y, &unsqueeze(&nothing, 1)?)?;
    }
    let sizes: Vec<i64> = t.sizes()[..2].iter().chain(&grid.sizes()[1..=nd]).copied().collect();
    one(reshape(&y, &sizes)?)
}

const fn row(sig: &'static str, doc: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, surfaces: F, kind: Kind::Composite(f), ..BASE }
}

const DOC: &str = "The input `(n, c, ...)` at places of `[-1, 1]`, the grid `(n, ..., d)`: mode 0 is linear, 1 nearest, 2 cubic; padding 0 is zeros, 1 border, 2 reflection.";

rows! { ROWS_ALL:
    grid_sampler = OpDef {
        samples: Some(|s| for (mode, padding) in [(0i64, 0i64), (0, 1), (1, 0), (2, 2)] {
            let (x, g) = (s.normal(&[1, 2, 4, 5]), s.uniform(&[1, 2, 3, 2], -0.9, 0.9));
            s.push(vec![Some(x), Some(g)], params![mode, padding, false], if mode == 1 { 1 } else { 3 });
        }),
        ..row("grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor", DOC, sampled)
    };
    grid_sampler_2d = row("grid_sampler_2d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor", DOC, sampled);
    grid_sampler_3d = row("grid_sampler_3d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor", DOC, sampled);
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
