//! Operators, methods and gradients.

use super::*;

fn t(values: &[f32]) -> Tensor {
    Tensor::from_slice(values, &[values.len() as i64]).unwrap()
}

#[test]
fn operators_take_tensors_and_numbers_on_both_sides() -> Result<()> {
    let (a, b) = (t(&[1.0, 2.0]), t(&[3.0, -4.0]));
    assert_eq!(values(&(&a + &b)?), [4.0, -2.0]);
    assert_eq!(values(&(&a - 1)?), [0.0, 1.0]);
    assert_eq!(values(&(2.0 * &a)?), [2.0, 4.0]);
    assert_eq!(values(&(6 / &b)?), [2.0, -1.5]);
    assert_eq!(values(&(a.clone() * b.clone())?), [3.0, -8.0]);
    assert_eq!(values(&(-&a)?), [-1.0, -2.0]);
    // A number takes part by its category only.
    assert_eq!((&a * 2.0)?.dtype(), DType::F32);
    let i = arange(0, 3)?;
    assert_eq!((&i + 1)?.dtype(), DType::I64);
    assert_eq!((&i + 0.5)?.dtype(), DType::F32);
    assert_eq!((&i / 2)?.dtype(), DType::F32);
    Ok(())
}

#[test]
fn errors_are_pytorchs_and_not_panics() {
    let message = |r: Result<Tensor>| r.map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        message(&t(&[1.0, 2.0]) + &t(&[1.0, 2.0, 3.0])),
        "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0\n  in add(): shapes [2], [3]"
    );
    assert_eq!(message(t(&[1.0, 2.0]).reshape(&[3])), "shape '[3]' is invalid for input of size 2");
    let x = t(&[1.0, 2.0]).requires_grad_().unwrap();
    assert_eq!(x.backward().unwrap_err().to_string(), "grad can be implicitly created only for scalar outputs");
    assert_eq!(message(x.add_(1.0)), "a leaf Variable that requires grad is being used in an in-place operation.");
}

#[test]
fn gradients_flow_through_operators_and_accumulate() -> Result<()> {
    let x = t(&[1.0, 2.0, 3.0]).requires_grad_()?;
    let y = ((&x * &x)? * 0.5)?.sum()?;
    y.backward()?;
    assert_eq!(values(&x.grad().unwrap()), [1.0, 2.0, 3.0]);
    x.exp()?.sum()?.backward()?;
    let want: Vec<f64> = [1f64, 2.0, 3.0].iter().map(|v| v + v.exp()).collect();
    assert_close(&values(&x.grad().unwrap()), &want, 1e-6, "x.grad");
    let z = no_grad(|| &x * 2.0)?;
    assert!(!z.requires_grad());
    assert!(no_grad(|| enable_grad(|| &x * 2.0))?.requires_grad());
    Ok(())
}

#[test]
fn views_share_memory_and_in_place_writes_are_seen() -> Result<()> {
    let x = zeros(&[2, 3])?;
    x.select(0, 1)?.add_(5)?;
    assert_eq!(values(&x), [0.0, 0.0, 0.0, 5.0, 5.0, 5.0]);
    x.t()?.narrow(0, 2, 1)?.fill_(7.0)?;
    assert_eq!(values(&x), [0.0, 0.0, 7.0, 5.0, 5.0, 7.0]);
    assert_eq!(x.version(), 2);
    Ok(())
}

#[test]
fn draws_are_pytorchs() -> Result<()> {
    let _guard = seeded(3);
    let want = &recorded()["draws"];
    assert_eq!(values(&rand(&[5])?), numbers(&want["rand"]).iter().map(|v| *v as f32 as f64).collect::<Vec<_>>());
    assert_close(&values(&randn(&[20])?), &numbers(&want["randn"]), 1e-6, "randn");
    assert_eq!(values(&randint(-3, 9, &[7])?), numbers(&want["randint"]));
    assert_eq!(values(&randperm(11)?), numbers(&want["randperm"]));
    Ok(())
}

#[test]
fn batches_cover_a_dataset_once_in_any_order() -> Result<()> {
    let _guard = seeded(0);
    let data = TensorDataset::new([arange(0, 10)?, arange(10, 20)?])?;
    let collect = |shuffle| -> Result<Vec<f64>> {
        let mut out = Vec::new();
        let batches = data.batches(4, shuffle)?;
        assert_eq!(batches.len(), 3);
        for batch in batches {
            let batch = batch?;
            assert_eq!(values(&(&batch[1] - &batch[0])?), vec![10.0; batch[0].numel() as usize]);
            out.extend(values(&batch[0]));
        }
        Ok(out)
    };
    let ordered: Vec<f64> = (0..10).map(f64::from).collect();
    assert_eq!(collect(false)?, ordered);
    let mut shuffled = collect(true)?;
    assert_ne!(shuffled, ordered);
    shuffled.sort_by(f64::total_cmp);
    assert_eq!(shuffled, ordered);
    assert!(TensorDataset::new([arange(0, 3)?, arange(0, 4)?]).is_err());
    assert!(data.batches(0, false).is_err());
    Ok(())
}
