//! The kernels behind `decompose.rs`: batches of matrices handed to `flambeau-linalg`.

use flambeau_core::backend::Backend;
use flambeau_core::op::Inputs;
use flambeau_core::{DType, Error, ErrorKind, Result, Tensor, check};
use flambeau_linalg::{self as engine, C32, C64, Field, Float, Real};

use crate::operand::arg;

/// Numbers as they lie in a tensor's memory.
pub(crate) trait Stored: Copy + Default {
    const DTYPE: DType;
}

impl Stored for f32 {
    const DTYPE: DType = DType::F32;
}
impl Stored for f64 {
    const DTYPE: DType = DType::F64;
}
impl Stored for C32 {
    const DTYPE: DType = DType::C64;
}
impl Stored for C64 {
    const DTYPE: DType = DType::C128;
}

/// Numbers as the algorithms take them.
pub(crate) trait Numbers: Field<Real: Stored> + Stored {}
impl<T: Field<Real: Stored> + Stored> Numbers for T {}

/// The numbers of a tensor in row-major order, converted.
pub(crate) fn read<T: Stored>(t: &Tensor) -> Result<Vec<T>> {
    let t = t.packed(T::DTYPE)?;
    let n = t.numel() as usize;
    let mut out = vec![T::default(); n];
    if n > 0 {
        // SAFETY: `packed` gives `n` contiguous elements of this dtype, which `T` has the layout of.
        unsafe { std::ptr::copy_nonoverlapping(t.data_ptr().cast::<T>(), out.as_mut_ptr(), n) };
    }
    Ok(out)
}

/// Has `f` fill an output in row-major order: in its own memory where that is laid out so, else by a copy.
pub(crate) fn fill<T: Stored>(b: &dyn Backend, out: &Tensor, f: impl FnOnce(&mut [T])) -> Result<()> {
    on_host(b)?;
    let n = out.numel() as usize;
    if n == 0 {
        return Ok(());
    }
    if out.dtype() == T::DTYPE && out.is_contiguous() {
        // SAFETY: `n` contiguous elements of this dtype, which nothing else uses while the kernel that they are the output of runs.
        f(unsafe { std::slice::from_raw_parts_mut(out.data_ptr().cast::<T>(), n) });
        return Ok(());
    }
    let mut data = vec![T::default(); n];
    f(&mut data);
    let t = Tensor::empty(out.sizes(), T::DTYPE, out.device())?;
    // SAFETY: a fresh block of `n` elements of this dtype.
    unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), t.data_ptr().cast::<T>(), n) };
    b.copy(t.raw(), out.raw())
}

/// Runs a generic kernel for real or complex numbers. Complex ones of single precision are computed in double.
macro_rules! by_type {
    ($t:expr, $f:ident($($a:expr),*)) => {
        match $t.dtype() {
            DType::F32 => $f::<f32>($($a),*),
            DType::F64 => $f::<f64>($($a),*),
            _ => $f::<C64>($($a),*),
        }
    };
}
pub(crate) use by_type;

pub(crate) fn write<T: Stored>(b: &dyn Backend, out: &Tensor, data: &[T]) -> Result<()> {
    fill(b, out, |room| room.copy_from_slice(data))
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
    let mut data = read::<T>(a)?;
    let mut info = vec![0i64; batch];
    for i in 0..batch {
        if let Err(k) = T::cholesky(&mut data[i * n * n..(i + 1) * n * n], n) {
            info[i] = k as i64;
        }
    }
    write(b, &o[0], &data)?;
    write_ints(b, &o[1], &info)
}

pub(crate) fn lu_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor], pivot: bool) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, m, n) = geometry(a);
    let (mut data, k) = (read::<T>(a)?, m.min(n));
    let (mut pivots, mut rows, mut info) = (Vec::new(), Vec::new(), vec![0i64; batch]);
    for i in 0..batch {
        let part = &mut data[i * m * n..(i + 1) * m * n];
        let (p, _) = T::lu(part, m, n, pivot);
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
    let mut data = read::<T>(a)?;
    let p = if complete { m } else { m.min(n) };
    let (mut qs, mut rs) = (Vec::with_capacity(batch * m * p), Vec::with_capacity(batch * p * n));
    for i in 0..batch {
        let part = &mut data[i * m * n..(i + 1) * m * n];
        let taus = T::qr(part, m, n);
        qs.extend(T::q(part, &taus, m, n, p));
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
    let (mut data, mut taus) = (read::<T>(a)?, Vec::new());
    for i in 0..batch {
        taus.extend(T::qr(&mut data[i * m * n..(i + 1) * m * n], m, n));
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
    a.iter().all(|x| Float::is_finite(x.size()))
}

pub(crate) fn eigh_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor]) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, n, _) = geometry(a);
    let mut data = read::<T>(a)?;
    let (mut values, mut vectors) = (Vec::new(), Vec::new());
    for i in 0..batch {
        let part = &mut data[i * n * n..(i + 1) * n * n];
        // A Hermitian matrix has a real diagonal: as in LAPACK, an imaginary part there does not count.
        part.iter_mut().step_by(n + 1).for_each(|d| *d = T::real(d.re()));
        let (l, v) = T::eigh(part, n).map_err(|_| no_convergence("linalg.eigh", finite(&*part), i, batch))?;
        values.extend(l);
        vectors.extend(v);
    }
    write(b, &o[0], &values)?;
    write(b, &o[1], &vectors)
}

pub(crate) fn svd_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor], full: bool) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, m, n) = geometry(a);
    let data = read::<T>(a)?;
    let (mut us, mut ss, mut vs) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..batch {
        let part = &data[i * m * n..(i + 1) * m * n];
        let (u, s, v) = T::svd(part, m, n, full).map_err(|_| no_convergence("linalg.svd", finite(part), i, batch))?;
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
    let data = read::<C64>(a)?;
    check!(finite(&data), Runtime, "torch.linalg.eig: input tensor should not contain infs or NaNs.");
    let (mut values, mut vectors) = (Vec::new(), Vec::new());
    for i in 0..batch {
        let (l, v) = engine::eig::eig(&data[i * n * n..(i + 1) * n * n], n)
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
    let (mut lu, mut y) = (read::<T>(a)?, read::<T>(rhs)?);
    let mut info = vec![0i64; batch];
    for i in 0..batch {
        let part = &mut lu[i * n * n..(i + 1) * n * n];
        let (pivots, _) = T::lu(part, n, n, true);
        info[i] = (0..n).find(|&j| part[j * n + j] == T::default()).map_or(0, |j| j as i64 + 1);
        T::lu_solve(part, &pivots, &mut y[i * n * r..(i + 1) * n * r], n, r);
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
    let (a, mut y) = (read::<T>(a)?, read::<T>(rhs)?);
    for i in 0..batch {
        T::triangular(&a[i * n * n..(i + 1) * n * n], &mut y[i * n * r..(i + 1) * n * r], n, r, upper, unit);
    }
    write(b, &o[0], &y)
}

/// Sign (a unit number) and logarithm of the modulus of the determinant; the determinant itself as a product.
pub(crate) fn det_run<T: Numbers>(b: &dyn Backend, x: Inputs, o: &[Tensor]) -> Result<()> {
    let a = arg(x, 0)?;
    let (batch, n, _) = geometry(a);
    let mut data = read::<T>(a)?;
    let (mut dets, mut signs, mut logs) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..batch {
        let part = &mut data[i * n * n..(i + 1) * n * n];
        let (_, odd) = T::lu(part, n, n, true);
        let zero = T::Real::of(0.0);
        let first = T::real(T::Real::of(if odd { -1.0 } else { 1.0 }));
        let (mut det, mut sign, mut log) = (first, first, zero);
        for k in 0..n {
            let d = part[k * n + k];
            det *= d;
            let size = d.modulus();
            sign = if size == zero { T::default() } else { sign * d.over(size) };
            log += Float::ln(size);
        }
        dets.push(det);
        signs.push(sign);
        logs.push(log);
    }
    write(b, &o[0], &dets)?;
    write(b, &o[1], &signs)?;
    write(b, &o[2], &logs)
}
