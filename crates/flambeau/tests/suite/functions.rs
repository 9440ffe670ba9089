//! Custom functions.

use super::*;

/// x cubed, with a gradient in tensor operations.
struct Cube;

impl Function for Cube {
    type Saved = Tensor;
    fn forward(x: &[&Tensor]) -> Result<(Tensor, Tensor)> {
        Ok((x[0].pow(3.0)?, x[0].clone()))
    }
    fn backward(x: &Tensor, g: &Tensor) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![Some((g * ((x * x)? * 3.0)?)?)])
    }
}

/// Returns its input itself, and too many gradients.
struct Wrong;

impl Function for Wrong {
    type Saved = ();
    fn forward(x: &[&Tensor]) -> Result<(Tensor, ())> {
        Ok((x[0].clone(), ()))
    }
    fn backward(_: &(), _: &Tensor) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![None, None])
    }
}

fn leaf() -> Tensor {
    Tensor::from_slice(&[2.0f64, -1.0], &[2]).unwrap().requires_grad_().unwrap()
}

#[test]
fn a_gradient_of_ones_own_can_be_differentiated_again() -> Result<()> {
    let x = leaf();
    let y = apply::<Cube>(&[&x])?;
    assert_eq!(values(&y), [8.0, -1.0]);
    assert_eq!(y.grad_fn().unwrap().name(), "CubeBackward");
    let g = flambeau::grad(&[y.sum()?], &[None], std::slice::from_ref(&x), true, true, false)?;
    let g = g[0].clone().unwrap();
    assert_eq!(values(&g), [12.0, 3.0]);
    g.sum()?.backward()?;
    assert_eq!(values(&x.grad().unwrap()), [12.0, -6.0]);
    Ok(())
}

#[test]
fn saved_values_are_freed_after_a_pass() -> Result<()> {
    let x = leaf();
    let y = apply::<Cube>(&[&x])?.sum()?;
    y.backward()?;
    let e = y.backward().unwrap_err().to_string();
    assert!(e.starts_with("Trying to backward through the graph a second time"), "{e}");
    Ok(())
}

#[test]
fn mistakes_of_a_function_are_errors() -> Result<()> {
    let x = leaf();
    let y = apply::<Wrong>(&[&x])?;
    assert!(!y.is(&x), "the input itself must not enter the graph as an output");
    let e = y.sum()?.backward().unwrap_err().to_string();
    assert!(e.contains("returned an incorrect number of gradients (expected 1, got 2)"), "{e}");
    assert!(apply::<Cube>(&[&x.detach()])?.grad_fn().is_none());
    Ok(())
}
