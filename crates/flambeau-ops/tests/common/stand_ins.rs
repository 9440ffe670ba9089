//! Kernels whose gradient holds for some inputs and outputs only, behind functions that have no such conditions: differences
//! can check the gradient of those. Each says why.

use flambeau_core::op::{Inputs, Kind, OpDef, Outs, Params, ParamsExt, Samples};
use flambeau_core::{Result, Tensor, call, params};
use flambeau_ops::binary::{add, eq_scalar, mul, mul_scalar};
use flambeau_ops::copy::{conj, to_dtype};
use flambeau_ops::create::eye;
use flambeau_ops::matmul::matmul;
use flambeau_ops::ternary::masked_fill;
use flambeau_ops::view::{mt, narrow};
use flambeau_ops::{init, operand};

pub struct StandIn {
    /// Under the name of the kernel's row.
    pub op: OpDef,
    /// Whether PyTorch's gradient can be differentiated again.
    pub twice: bool,
}

const fn row(name: &'static str, f: fn(Inputs, &Params) -> Result<Outs>, samples: fn(&mut Samples)) -> StandIn {
    let op = OpDef { name, kind: Kind::Composite(f), samples: Some(samples), ..operand::BASE };
    StandIn { op, twice: true }
}

pub static STAND_INS: [StandIn; 5] = [
    // Reads one triangle of a matrix whose other one moves with it.
    row(
        "cholesky_kernel",
        |x, _| keep(kernel("cholesky_kernel", &[positive(tensor(x, 0))?], params![])?, 1),
        |s| square(s, 0.0),
    ),
    // The same; and vectors are determined up to a sign or a phase.
    row(
        "eigh_kernel",
        |x, _| {
            let f = kernel("eigh_kernel", &[hermitian(tensor(x, 0))?], params![])?;
            let y = weighed(&f[1], &adjoint(&f[1])?)?;
            Ok(Outs::from_iter([f[0].clone(), y]))
        },
        |s| square(s, 2.0),
    ),
    // Pairs of vectors up to a sign or a phase, and of a full basis only those with a singular value.
    row(
        "svd_kernel",
        |x, p| {
            let f = kernel("svd_kernel", &[tensor(x, 0).clone()], params![p.bool(0)])?;
            let k = f[1].size(-1)?;
            let y = weighed(&narrow(&f[0], -1, 0, k)?, &narrow(&f[2], -2, 0, k)?)?;
            Ok(Outs::from_iter([f[1].clone(), y]))
        },
        |s| {
            for full in [false, true] {
                for sizes in [&[3i64, 3][..], &[4, 2], &[2, 2, 3]] {
                    let x = s.normal(sizes);
                    s.push(vec![Some(x)], params![full], 1);
                }
            }
        },
    ),
    // Vectors of unit length, up to a phase.
    row(
        "eig_kernel",
        |x, _| {
            let f = kernel("eig_kernel", &[tensor(x, 0).clone()], params![])?;
            let y = weighed(&f[1], &adjoint(&f[1])?)?;
            Ok(Outs::from_iter([f[0].clone(), y]))
        },
        |s| {
            square(s, 2.0);
            // Two eigenvalues that are each other's conjugate.
            let turn =
                Tensor::from_slice(&[1.0, -2.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0, -1.0], &[3, 3]).expect("nine numbers");
            let x = add(&mul_scalar(&s.normal(&[3, 3]), 0.3).expect("numbers"), &turn).expect("one shape");
            s.push(vec![Some(x)], params![], 1);
        },
    ),
    // Probabilities that add up to one: PyTorch's gradient has the one of a softmax in it.
    StandIn {
        twice: false,
        ..row(
            "ctc_loss_kernel",
            |x, p| {
                let lp = flambeau_ops::softmax::log_softmax(tensor(x, 0), -1)?;
                let rest: Vec<Tensor> = (1..4).map(|i| tensor(x, i).clone()).collect();
                let y = kernel("ctc_loss_kernel", &[&[lp], &rest[..]].concat(), p.clone())?;
                // What no alignment fits costs nothing if the caller says so.
                let impossible = eq_scalar(&y[0], if p.bool(1) { f64::INFINITY } else { -1.0 })?;
                Ok(Outs::from_iter([masked_fill(&y[0], &impossible, 0.0)?]))
            },
            |s| {
                let op = flambeau_ops::find("ctc_loss_kernel").expect("a row");
                op.samples.expect("has samples")(s);
                s.list.iter_mut().for_each(|s| s.grad = 1);
            },
        )
    },
];

/// What to compare of a row's results where not everything is determined.
pub fn of(op: &'static OpDef) -> &'static OpDef {
    STAND_INS.iter().map(|s| &s.op).find(|s| s.name == op.name).unwrap_or(op)
}

fn tensor<'a>(x: Inputs<'a>, i: usize) -> &'a Tensor {
    x[i].expect("samples are whole")
}

fn kernel(name: &str, x: &[Tensor], p: Params) -> Result<Outs> {
    init();
    let refs: Vec<Option<&Tensor>> = x.iter().map(Some).collect();
    call(flambeau_ops::find(name).expect("a row"), &refs, p)
}

fn keep(mut y: Outs, n: usize) -> Result<Outs> {
    y.truncate(n);
    Ok(y)
}

fn adjoint(x: &Tensor) -> Result<Tensor> {
    conj(&mt(x)?)
}

/// `A A^H` and half of one.
fn positive(a: &Tensor) -> Result<Tensor> {
    let one = call(&eye::OP, &[], params![a.size(-1)?, a.size(-1)?, a.dtype(), a.device()])?;
    add(&matmul(a, &adjoint(a)?)?, &mul_scalar(&one[0], 0.5)?)
}

fn hermitian(a: &Tensor) -> Result<Tensor> {
    mul_scalar(&add(a, &adjoint(a)?)?, 0.5)
}

/// `U diag(1, 2, ...) V`, which no phase of the vectors changes.
fn weighed(u: &Tensor, v: &Tensor) -> Result<Tensor> {
    let k = u.size(-1)?;
    let w: Vec<f64> = (1..=k).map(|i| i as f64).collect();
    matmul(&mul(u, &to_dtype(&Tensor::from_slice(&w, &[k])?, u.dtype())?)?, v)
}

/// Square matrices with `spread` times 0, 1, 2 ... on their diagonal, so that eigenvalues keep their distance.
fn square(s: &mut Samples, spread: f64) {
    for sizes in [&[3i64, 3][..], &[2, 2, 2]] {
        let n = sizes[0] as usize;
        let d: Vec<f64> = (0..n * n).map(|i| if i % (n + 1) == 0 { spread * (i / n) as f64 } else { 0.0 }).collect();
        let d = Tensor::from_slice(&d, &[n as i64, n as i64]).expect("a square");
        let x = add(&s.normal(sizes), &to_dtype(&d, s.dtype).expect("casts")).expect("one shape");
        s.push(vec![Some(x)], params![], 1);
    }
}
