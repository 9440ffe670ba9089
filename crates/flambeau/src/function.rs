//! Operations with a gradient of one's own.

use std::any::Any;
use std::sync::Mutex;

use flambeau_core::autograd::{CustomBackward, Node, grad_enabled, no_grad};
use flambeau_core::{Error, Result, Tensor};

/// An operation whose gradient is written by hand: `torch.autograd.Function`.
///
/// ```
/// use flambeau::prelude::*;
///
/// /// Rounds, and passes gradients straight through.
/// struct StraightThrough;
///
/// impl Function for StraightThrough {
///     type Saved = ();
///     fn forward(inputs: &[&Tensor]) -> Result<(Tensor, ())> {
///         Ok((inputs[0].round()?, ()))
///     }
///     fn backward(_: &(), grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
///         Ok(vec![Some(grad.clone())])
///     }
/// }
///
/// let x = Tensor::from_slice(&[0.4f32, 1.7], &[2])?;
/// x.set_requires_grad(true)?;
/// let y = apply::<StraightThrough>(&[&x])?;
/// assert_eq!(y.to_vec::<f32>()?, [0.0, 2.0]);
/// y.mul(3.0)?.sum()?.backward()?;
/// assert_eq!(x.grad().unwrap().to_vec::<f32>()?, [3.0, 3.0]);
/// # Ok::<(), Error>(())
/// ```
pub trait Function: 'static {
    /// What the backward pass needs: tensors, sizes, settings.
    type Saved: Send + 'static;

    /// Computes the result; what happens inside is not recorded.
    fn forward(inputs: &[&Tensor]) -> Result<(Tensor, Self::Saved)>;

    /// From the gradient of the result, one gradient per input (`None` where none flows). Written in tensor operations, it can
    /// be differentiated again.
    fn backward(saved: &Self::Saved, grad: &Tensor) -> Result<Vec<Option<Tensor>>>;
}

struct Step<F: Function> {
    /// `None` once a pass that does not retain the graph went by.
    saved: Mutex<Option<F::Saved>>,
    inputs: usize,
}

impl<F: Function> CustomBackward for Step<F> {
    fn name(&self) -> String {
        let name = std::any::type_name::<F>();
        format!("{}Backward", name.rsplit("::").next().unwrap_or(name))
    }

    fn backward(&self, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(Some(grad)) = grads.first() else { return Ok(vec![None; self.inputs]) };
        let saved = self.saved.lock().unwrap_or_else(|e| e.into_inner());
        let Some(saved) = &*saved else {
            return Err(Error::runtime(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have already \
                 been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). \
                 Specify retain_graph=True if you need to backward through the graph a second time or if you need to access \
                 saved tensors after calling backward.",
            ));
        };
        let out = F::backward(saved, grad)?;
        flambeau_core::check!(
            out.len() == self.inputs,
            Runtime,
            "function {} returned an incorrect number of gradients (expected {}, got {})",
            self.name(),
            self.inputs,
            out.len()
        );
        Ok(out)
    }

    fn release(&self) {
        *self.saved.lock().unwrap_or_else(|e| e.into_inner()) = None;
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Calls a [`Function`].
///
/// # Errors
/// What its `forward` fails with.
pub fn apply<F: Function>(inputs: &[&Tensor]) -> Result<Tensor> {
    let (y, saved) = no_grad(|| F::forward(inputs))?;
    let y = y.detach();
    if grad_enabled() && inputs.iter().any(|x| x.requires_grad()) {
        let step = Step::<F> { saved: Mutex::new(Some(saved)), inputs: inputs.len() };
        let edges: Vec<Option<&Tensor>> = inputs.iter().map(|x| Some(*x)).collect();
        let node = Node::custom(Box::new(step), &edges, &[&y]);
        y.attach(node, 0);
    }
    Ok(y)
}
