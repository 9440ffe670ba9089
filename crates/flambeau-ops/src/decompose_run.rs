//! The kernels behind `decompose.rs`: batches of matrices handed to `flambeau-linalg`.

use flambeau_core::autograd::no_grad;
use flambeau_core::backend::Backend;
use flambeau_core::op::Inputs;
use flambeau_core::view::ViewOp;
use flambeau_core::{DType, Error, ErrorKind, Result, Tensor, call, check};
use flambeau_linalg::{self as engine, C64, Field};

use crate::operand::arg;

/// Numbers of a tensor as the algorithms take them.
pub(crate) trait Numbers: Field {
    fn read(t: &Tensor) -> Result<Vec<Self>>;
    fn tensor(data: &[Self], sizes: &[i64]) -> Result<Tensor>;
}

impl Numbers for f64 {
    fn read(t: &Tensor) -> Result<Vec<f64>> {
        t.to_vec()
    }

    fn tensor(data: &[f64], sizes: &[i64]) -> Result<Tensor> {
        Tensor::from_slice(data, sizes)
    }
}

impl Numbers for C64 {
    fn read(t: &Tensor) -> Result<Vec<C64>> {
        let pairs = no_grad(|| call::view(&ViewOp::AsReal, &t.packed(DType::C128)?))?;
        Ok(pairs.to_vec::<f64>()?.chunks_exact(2).map(|p| C64::new(p[0], p[1])).collect())
    }

    fn tensor(data: &[C64], sizes: &[i64]) -> Result<Tensor> {
        let pairs: Vec<f64> = data.iter().flat_map(|c| [c.re, c.im]).collect();
        let sizes: Vec<i64> = sizes.iter().copied().chain([2]).collect();
        no_grad(|| call::view(&ViewOp::AsComplex, &Tensor::from_slice(&pairs, &sizes)?))
    }
}

/// Runs a generic kernel for real or complex numbers.
macro_rules! by_type {
    ($t:expr, $f:ident($($a:expr),*)) => {
        if $t.dtype().is_complex() { $f::<C64>($($a),*) } else { $f::<f64>($($a),*) }
    };
}
pub(crate) use by_type;

pub(crate) fn write<T: Numbers>(b: &dyn Backend, out: &Tensor, data: &[T]) -> Result<()> {
    on_host(b)?;
    b.copy(T::tensor(data, out.sizes())?.raw(), out.raw())
}

fn write_ints(b: &dyn Backend, out: &Tensor, data: &[i64]) -> Result<()> {
    b.copy(Tensor::from_slice(data, out.sizes())?.raw(), out.raw())
}

/// The algorithms run on the CPU only.
fn on_host(b: &dyn Backend) -> Result<()> {
    check!(b.name() == "cpu", NotImplemented, "linear algebra is not implemented for device '{}'", b.name());
    Ok(())
}

/// How many matrices, and their rows and columns.
pub(crate) fn geometry(t: &Tensor) -> (usize, usize, usize) {
    let s = t.sizes();
    let (m, n) = (s[s.len() - 2] as usize, s[s.len() - 1] as usize);
    (s[..s.len() - 2].iter().product::<i64>() as usize, m, n)
}

pub(crate) fn linalg_error(text: String) -> Error {
    Error::new(ErrorKind::Linalg, text)
}

pub(crate) fn cholesky_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor]) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, n, _) = geometry(a);
    let mut data = T::read(a)?;
    let mut info = vec![0i64; batch];
    for i in 0..batch {
        if let Err(k) = engine::cholesky::factor(&mut data[i * n * n..(i + 1) * n * n], n) {
            info[i] = k as i64;
        }
    }
    write(b, &o[0], &data)?;
    write_ints(b, &o[1], &info)
}

pub(crate) fn lu_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor], pivot: bool) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, m, n) = geometry(a);
    let (mut data, k) = (T::read(a)?, m.min(n));
    let (mut pivots, mut rows, mut info) = (Vec::new(), Vec::new(), vec![0i64; batch]);
    for i in 0..batch {
        let part = &mut data[i * m * n..(i + 1) * m * n];
        let (p, _) = engine::lu::factor(part, m, n, pivot);
        info[i] = (0..k).find(|&j| part[j * n + j] == T::default()).map_or(0, |j| j as i64 + 1);
        rows.extend(engine::lu::permutation(&p, m).into_iter().map(|r| r as i64));
        pivots.extend(p.into_iter().map(|p| p as i64 + 1));
    }
    write(b, &o[0], &data)?;
    write_ints(b, &o[1], &pivots)?;
    write_ints(b, &o[2], &rows)?;
    write_ints(b, &o[3], &info)
}

pub(crate) fn qr_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor], complete: bool) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, m, n) = geometry(a);
    let mut data = T::read(a)?;
    let p = if complete { m } else { m.min(n) };
    let (mut qs, mut rs) = (Vec::with_capacity(batch * m * p), Vec::with_capacity(batch * p * n));
    for i in 0..batch {
        let part = &mut data[i * m * n..(i + 1) * m * n];
        let taus = engine::qr::factor(part, m, n);
        qs.extend(engine::qr::q(part, &taus, m, n, p));
        for row in 0..p {
            rs.extend((0..n).map(|j| if j < row { T::default() } else { part[row * n + j] }));
        }
    }
    write(b, &o[0], &qs)?;
    write(b, &o[1], &rs)
}

pub(crate) fn geqrf_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor]) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, m, n) = geometry(a);
    let (mut data, mut taus) = (T::read(a)?, Vec::new());
    for i in 0..batch {
        taus.extend(engine::qr::factor(&mut data[i * m * n..(i + 1) * m * n], m, n));
    }
    write(b, &o[0], &data)?;
    write(b, &o[1], &taus)
}

fn no_convergence(name: &str, finite: bool, i: usize, batch: usize) -> Error {
    let element = if batch > 1 { format!("(Batch element {i}): ") } else { String::new() };
    let why = if finite {
        "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated singular values."
    } else {
        "The algorithm failed to converge because the input matrix contained non-finite values."
    };
    linalg_error(format!("{name}: {element}{why}"))
}

fn finite<T: Field>(a: &[T]) -> bool {
    a.iter().all(|x| x.size().is_finite())
}

pub(crate) fn eigh_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor]) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, n, _) = geometry(a);
    let data = T::read(a)?;
    let (mut values, mut vectors) = (Vec::new(), Vec::new());
    for i in 0..batch {
        let part = &data[i * n * n..(i + 1) * n * n];
        let (l, v) =
            engine::eigh::eigh(part, n, true).map_err(|_| no_convergence("linalg.eigh", finite(part), i, batch))?;
        values.extend(l);
        vectors.extend(v);
    }
    write(b, &o[0], &values)?;
    write(b, &o[1], &vectors)
}

pub(crate) fn svd_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor], full: bool) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, m, n) = geometry(a);
    let data = T::read(a)?;
    let (mut us, mut ss, mut vs) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..batch {
        let part = &data[i * m * n..(i + 1) * m * n];
        let (u, s, v) =
            engine::svd::svd(part, m, n, full).map_err(|_| no_convergence("linalg.svd", finite(part), i, batch))?;
        us.extend(u);
        ss.extend(s);
        vs.extend(v);
    }
    write(b, &o[0], &us)?;
    write(b, &o[1], &ss)?;
    write(b, &o[2], &vs)
}

pub(crate) fn eig_run(b: &dyn Backend, x: Inputs, o: &[Tensor]) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, n, _) = geometry(a);
    let data = C64::read(a)?;
    check!(finite(&data), Runtime, "torch.linalg.eig: input tensor should not contain infs or NaNs.");
    let (mut values, mut vectors) = (Vec::new(), Vec::new());
    for i in 0..batch {
        let (l, v) = engine::eig::eig(&data[i * n * n..(i + 1) * n * n], n, true)
            .map_err(|_| no_convergence("linalg.eig", true, i, batch))?;
        values.extend(l);
        vectors.extend(v);
    }
    write(b, &o[0], &values)?;
    write(b, &o[1], &vectors)
}

pub(crate) fn solve_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor]) -> Result<()> {
    let (a, rhs) = (arg(x, 0)?, arg(x, 1)?);
    let (batch, n, _) = geometry(a);
    let r = rhs.sizes()[rhs.ndim() - 1] as usize;
    let (mut lu, mut y) = (T::read(a)?, T::read(rhs)?);
    let mut info = vec![0i64; batch];
    for i in 0..batch {
        let part = &mut lu[i * n * n..(i + 1) * n * n];
        let (pivots, _) = engine::lu::factor(part, n, n, true);
        info[i] = (0..n).find(|&j| part[j * n + j] == T::default()).map_or(0, |j| j as i64 + 1);
        engine::lu::solve(part, &pivots, &mut y[i * n * r..(i + 1) * n * r], n, r);
    }
    write(b, &o[0], &y)?;
    write_ints(b, &o[1], &info)
}

pub(crate) fn triangular_run<T: Numbers>(
    b: &dyn Backend,
    x: Inputs,
    o: &[Tensor],
    upper: bool,
    unit: bool,
) -> Result<()> {
    let (a, rhs) = (arg(x, 0)?, arg(x, 1)?);
    let (batch, n, _) = geometry(a);
    let r = rhs.sizes()[rhs.ndim() - 1] as usize;
    let (a, mut y) = (T::read(a)?, T::read(rhs)?);
    for i in 0..batch {
        engine::triangular::solve(
            &a[i * n * n..(i + 1) * n * n],
            &mut y[i * n * r..(i + 1) * n * r],
            n,
            r,
            upper,
            unit,
        );
    }
    write(b, &o[0], &y)
}

/// Sign (a unit number) and logarithm of the modulus of the determinant; the determinant itself as a product.
pub(crate) fn det_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor]) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, n, _) = geometry(a);
    let mut data = T::read(a)?;
    let (mut dets, mut signs, mut logs) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..batch {
        let part = &mut data[i * n * n..(i + 1) * n * n];
        let (_, odd) = engine::lu::factor(part, n, n, true);
        let first = T::real(if odd { -1.0 } else { 1.0 });
        let (mut det, mut sign, mut log) = (first, first, 0.0);
        for k in 0..n {
            let d = part[k * n + k];
            det *= d;
            let size = d.modulus();
            sign = if size == 0.0 { T::default() } else { sign * d.scale(1.0 / size) };
            log += size.ln();
        }
        dets.push(det);
        signs.push(sign);
        logs.push(log);
    }
    write(b, &o[0], &dets)?;
    write(b, &o[1], &signs)?;
    write(b, &o[2], &logs)
}
