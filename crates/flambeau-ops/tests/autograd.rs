//! The engine's semantics: what may be written in place, when gradients accumulate, what hooks see, what is an error.

mod common;

use std::any::Any;
use std::sync::{Arc, Mutex};

use common::{numbers, same};
use flambeau_core::autograd::{self, CustomBackward, InferenceGuard, Node, NodeHook, TensorHook};
use flambeau_core::shared::Shared;
use flambeau_core::view::ViewOp;
use flambeau_core::{Result, Tensor, call, call_inplace, params};
use flambeau_ops::binary::{add, add_scalar, mul, mul_scalar};
use flambeau_ops::copy::{clone, copy_};
use flambeau_ops::reduce::sum;
use flambeau_ops::unary::{exp, sin, sqrt};
use flambeau_ops::view::{alias, expand, narrow, select, split, transpose, view};

fn vector(v: &[f64]) -> Tensor {
    flambeau_ops::init();
    Tensor::from_slice(v, &[v.len() as i64]).expect("a vector")
}

fn leaf(v: &[f64]) -> Tensor {
    let t = vector(v);
    t.set_requires_grad(true).expect("a float leaf");
    t
}

fn total(t: &Tensor) -> Result<Tensor> {
    sum(t, &[], false)
}

fn back(t: &Tensor) -> Result<()> {
    autograd::backward(std::slice::from_ref(t), &[], false, false, None)
}

fn grad_of(t: &Tensor) -> Vec<f64> {
    numbers(&t.grad().expect("a gradient"))
}

fn message<T>(r: Result<T>) -> String {
    r.err().expect("an error").message().to_string()
}

fn times_(x: &Tensor, by: f64) -> Result<Tensor> {
    call_inplace(&flambeau_ops::binary::mul::OP, &[Some(x), Some(&Tensor::wrapped(by.into())?)], params![])
}

fn plus_(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    call_inplace(&flambeau_ops::binary::add::OP, &[Some(x), Some(y)], params![])
}

#[test]
fn a_graph_is_freed_unless_retained() -> Result<()> {
    let x = leaf(&[1.0, 2.0]);
    let y = total(&mul(&x, &x)?)?;
    autograd::backward(std::slice::from_ref(&y), &[], true, false, None)?;
    back(&y)?;
    assert_eq!(grad_of(&x), [4.0, 8.0]);
    let text = message(back(&y));
    assert!(text.starts_with("Trying to backward through the graph a second time"), "{text}");
    // Where nothing was saved, a second pass is as good as the first.
    let z = total(&add(&x, &x)?)?;
    back(&z)?;
    back(&z)?;
    assert_eq!(grad_of(&x), [8.0, 12.0]);
    Ok(())
}

#[test]
fn a_saved_tensor_must_not_change() -> Result<()> {
    let x = leaf(&[1.0, 2.0]);
    let y = mul_scalar(&x, 2.0)?;
    let z = total(&mul(&y, &y)?)?;
    times_(&y, 3.0)?;
    assert_eq!(
        message(back(&z)),
        "one of the variables needed for gradient computation has been modified by an inplace operation: \
         [torch.DoubleTensor [2]], which is output 0 of Mul, is at version 1; expected version 0 instead. Hint: \
         enable anomaly detection to find the operation that failed to compute its gradient, with \
         torch.autograd.set_detect_anomaly(True, check_nan=False)."
    );
    // An output that was saved, too.
    let y = exp(&x)?;
    let z = total(&y)?;
    times_(&y, 3.0)?;
    assert!(message(back(&z)).contains("is output 0 of Exp, is at version 1"));
    Ok(())
}

#[test]
fn what_is_not_saved_may_change() -> Result<()> {
    let x = leaf(&[1.0, 2.0]);
    let y = exp(&x)?;
    let z = add_scalar(&y, 1.0)?;
    times_(&z, 2.0)?;
    back(&total(&z)?)?;
    common::close(&grad_of(&x), &[2.0 * 1f64.exp(), 2.0 * 2f64.exp()], 1e-14, 1.0).expect("twice the exponential");
    Ok(())
}

#[test]
fn leaves_are_not_written() -> Result<()> {
    let x = leaf(&[1.0, 2.0]);
    assert_eq!(message(times_(&x, 2.0)), "a leaf Variable that requires grad is being used in an in-place operation.");
    let v = narrow(&x, 0, 0, 1)?;
    assert_eq!(
        message(times_(&v, 2.0)),
        "a view of a leaf Variable that requires grad is being used in an in-place operation."
    );
    autograd::no_grad(|| times_(&x, 2.0))?;
    assert_eq!(numbers(&x), [2.0, 4.0]);
    assert!(x.requires_grad() && x.is_leaf());
    Ok(())
}

#[test]
fn views_made_without_recording_are_not_written_with() -> Result<()> {
    let x = leaf(&[1.0, 2.0]);
    let y = clone(&x)?;
    let v = autograd::no_grad(|| narrow(&y, 0, 0, 1))?;
    assert!(!v.requires_grad());
    assert!(
        message(times_(&v, 2.0)).starts_with("A view was created in no_grad mode and is being modified inplace with")
    );
    autograd::no_grad(|| times_(&v, 2.0))?;
    assert_eq!(numbers(&y), [2.0, 2.0]);
    let parts = split(&y, 1, 0)?;
    assert!(
        message(times_(&parts[0], 2.0)).contains("is a view and is being modified inplace. This view is the output of")
    );
    Ok(())
}

#[test]
fn an_unused_input_is_an_error_or_none() -> Result<()> {
    let (x, z) = (leaf(&[1.0]), leaf(&[2.0]));
    let y = total(&mul(&x, &x)?)?;
    let ask = |allow| autograd::grad(std::slice::from_ref(&y), &[], &[x.clone(), z.clone()], true, false, allow);
    assert_eq!(
        message(ask(false)),
        "The differentiated Tensor at index 1 appears to not have been used in the graph. Set allow_unused=True if this is \
         the desired behavior."
    );
    let got = ask(true)?;
    assert_eq!(numbers(got[0].as_ref().expect("used")), [2.0]);
    assert!(got[1].is_none() && x.grad().is_none());
    let plain = vector(&[1.0]);
    assert!(message(autograd::grad(&[y], &[], &[plain], true, false, true)).contains("does not require grad"));
    Ok(())
}

#[test]
fn roots_and_seeds_are_checked() -> Result<()> {
    let x = leaf(&[1.0, 2.0]);
    assert_eq!(message(back(&mul(&x, &x)?)), "grad can be implicitly created only for scalar outputs");
    assert_eq!(
        message(back(&vector(&[1.0]))),
        "element 0 of tensors does not require grad and does not have a grad_fn"
    );
    let seed = Some(vector(&[1.0]));
    let text = message(autograd::backward(&[mul(&x, &x)?], &[seed], false, false, None));
    assert!(text.starts_with("Mismatch in shape: grad_output[0] has a shape of torch.Size([1])"), "{text}");
    Ok(())
}

#[test]
fn gradients_of_gradients() -> Result<()> {
    let x = leaf(&[0.5, 2.0]);
    let y = total(&mul(&mul(&x, &x)?, &x)?)?;
    let g = autograd::grad(&[y], &[], std::slice::from_ref(&x), true, true, false)?.remove(0).expect("used");
    assert!(g.requires_grad());
    let h = autograd::grad(&[total(&g)?], &[], std::slice::from_ref(&x), true, true, false)?.remove(0).expect("used");
    assert_eq!(numbers(&h), [3.0, 12.0]);
    let k = autograd::grad(&[total(&h)?], &[], std::slice::from_ref(&x), false, false, false)?.remove(0).expect("used");
    assert_eq!(numbers(&k), [6.0, 6.0]);
    assert!(!k.requires_grad() && x.grad().is_none());
    Ok(())
}

#[test]
fn a_million_nodes_come_and_go() -> Result<()> {
    let run = || -> Result<()> {
        let x = leaf(&[1.0]);
        let mut y = mul_scalar(&x, 1.0)?;
        for i in 0..1_000_000 {
            let next = y.detach();
            if i % 16 == 0 {
                y = alias(&y)?;
            } else {
                autograd::pass_through("Step", &y, &next);
                y = next;
            }
        }
        back(&total(&y)?)?;
        assert_eq!(grad_of(&x), [1.0]);
        // And once without a pass, with saved tensors between the nodes.
        let mut z = mul_scalar(&x, 1.0)?;
        for _ in 0..50_000 {
            z = sin(&z)?;
        }
        drop(z);
        Ok(())
    };
    // A small stack: recursion anywhere would overflow it.
    let thread =
        std::thread::Builder::new().stack_size(256 << 10).spawn(move || run().map_err(|e| e.message().to_string()));
    thread.expect("a thread").join().expect("no panic").expect("no error");
    Ok(())
}

#[test]
fn accumulated_gradients_share_no_memory() -> Result<()> {
    let (x, z) = (leaf(&[1.0, 2.0]), leaf(&[3.0, 4.0]));
    let seed = vector(&[1.0, 1.0]);
    autograd::backward(&[add(&x, &z)?], &[Some(seed.clone())], false, false, None)?;
    let (a, b) = (x.grad().expect("a gradient"), z.grad().expect("a gradient"));
    times_(&a, 10.0)?;
    assert_eq!(numbers(&b), [1.0, 1.0]);
    assert_eq!(numbers(&seed), [1.0, 1.0]);
    // A seed that nobody else holds, one leaf: may be kept, and must be a plain tensor.
    let y = leaf(&[1.0, 2.0]);
    back(&total(&y)?)?;
    assert_eq!(y.grad().expect("a gradient").strides(), [1]);
    assert!(!y.grad().expect("a gradient").requires_grad());
    // The second pass adds in place to the same object.
    let first = y.grad().expect("a gradient");
    back(&total(&y)?)?;
    assert!(y.grad().expect("a gradient").is(&first));
    assert_eq!(numbers(&first), [2.0, 2.0]);
    // With create_graph the sum is a new tensor.
    autograd::backward(&[total(&mul(&y, &y)?)?], &[], false, true, None)?;
    assert!(!y.grad().expect("a gradient").is(&first));
    assert_eq!((numbers(&first), grad_of(&y)), (vec![2.0, 2.0], vec![4.0, 6.0]));
    Ok(())
}

#[test]
fn a_gradient_that_two_paths_share_is_not_added_into() -> Result<()> {
    let x = leaf(&[1.0, 2.0]);
    let y = mul_scalar(&x, 1.0)?;
    // One incoming gradient reaches `y` twice and `x` once more.
    let z = add(&add(&y, &y)?, &x)?;
    let seed = vector(&[1.0, 10.0]);
    autograd::backward(&[z], &[Some(seed.clone())], false, false, None)?;
    assert_eq!((grad_of(&x), numbers(&seed)), (vec![3.0, 30.0], vec![1.0, 10.0]));
    Ok(())
}

#[test]
fn detached_tensors_share_the_version_and_data_does_not() -> Result<()> {
    let x = leaf(&[1.0, 2.0]);
    let y = exp(&x)?;
    let d = y.detach();
    assert!(!d.requires_grad() && d.is_leaf());
    times_(&d, 2.0)?;
    assert_eq!((y.version(), d.version()), (1, 1));
    assert!(message(back(&total(&y)?)).contains("modified by an inplace operation"));
    let y = exp(&x)?;
    times_(&y.data(), 0.0)?;
    assert_eq!((y.version(), numbers(&y)), (0, vec![0.0, 0.0]));
    back(&total(&y)?)?;
    assert_eq!(grad_of(&x), [0.0, 0.0]);
    assert!(message(narrow(&y, 0, 0, 1)?.detach_()).starts_with("Can't detach views in-place."));
    y.detach_()?;
    assert!(y.is_leaf() && !y.requires_grad());
    Ok(())
}

#[test]
fn flags_of_leaves() -> Result<()> {
    let x = leaf(&[1.0]);
    let y = mul(&x, &x)?;
    assert!(
        message(y.set_requires_grad(false)).starts_with("you can only change requires_grad flags of leaf variables.")
    );
    let i = Tensor::from_slice(&[1i64], &[1])?;
    assert_eq!(
        message(i.set_requires_grad(true)),
        "only Tensors of floating point and complex dtype can require gradients"
    );
    assert!(y.grad().is_none());
    y.retain_grad()?;
    assert!(y.retains_grad());
    back(&total(&y)?)?;
    assert_eq!((grad_of(&y), grad_of(&x)), (vec![1.0], vec![2.0]));
    assert!(
        message(vector(&[1.0]).retain_grad()).starts_with("can't retain_grad on Tensor that has requires_grad=False")
    );
    Ok(())
}

#[test]
fn only_named_inputs_get_gradients() -> Result<()> {
    let (x, z) = (leaf(&[2.0]), leaf(&[3.0]));
    let y = mul(&x, &z)?;
    autograd::backward(&[total(&mul(&y, &x)?)?], &[], false, false, Some(&[x.clone(), y.clone()]))?;
    assert_eq!((grad_of(&x), grad_of(&y)), (vec![12.0], vec![2.0]));
    assert!(z.grad().is_none());
    Ok(())
}

#[test]
fn inference_tensors_stay_outside() -> Result<()> {
    let x = leaf(&[1.0]);
    let z = {
        let _on = InferenceGuard::new(true);
        mul(&x, &x)?
    };
    assert!(z.is_inference() && !z.requires_grad());
    assert!(message(times_(&z, 2.0)).starts_with("Inplace update to inference tensor outside InferenceMode"));
    assert!(message(mul(&x, &z)).starts_with("Inference tensors cannot be saved for backward."));
    back(&total(&add(&x, &z)?)?)?;
    assert_eq!(grad_of(&x), [1.0]);
    Ok(())
}

type Log = Arc<Mutex<Vec<String>>>;

/// Writes its name into a log and multiplies.
struct Note(&'static str, f64, Log);

impl TensorHook for Note {
    fn call(&self, g: &Tensor) -> Result<Option<Tensor>> {
        self.2.lock().expect("no panic").push(format!("{} {:?}", self.0, numbers(g)));
        if self.1 == 1.0 { Ok(None) } else { mul_scalar(g, self.1).map(Some) }
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl NodeHook for Note {
    fn call(&self, first: &[Option<Tensor>], second: Option<&[Option<Tensor>]>) -> Result<Option<Vec<Option<Tensor>>>> {
        let when = if second.is_some() { "after" } else { "before" };
        self.2.lock().expect("no panic").push(format!("{} {when} {}", self.0, first.len()));
        Ok(None)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn hooks_run_in_pytorchs_order() -> Result<()> {
    let log: Log = Arc::default();
    let note = |name, by| Arc::new(Note(name, by, log.clone()));
    let x = leaf(&[1.0]);
    let y = mul_scalar(&x, 2.0)?;
    let node = y.grad_fn().expect("recorded");
    node.add_pre_hook(note("node", 1.0));
    node.add_post_hook(note("node", 1.0));
    let gone = y.register_hook(note("gone", 1.0))?;
    y.register_hook(note("first", 3.0))?;
    y.register_hook(note("second", 5.0))?;
    y.retain_grad()?;
    gone.remove();
    x.register_hook(note("leaf", 7.0))?;
    x.register_post_accumulate_grad_hook(note("accumulated", 1.0))?;
    back(&total(&y)?)?;
    let expected = ["first [1.0]", "second [3.0]", "node before 1", "node after 2", "leaf [30.0]", "accumulated [1.0]"];
    assert_eq!(*log.lock().expect("no panic"), expected);
    // `retain_grad` sees what the hooks made of the gradient; `.grad` what the leaf's made of it.
    assert_eq!((grad_of(&y), grad_of(&x)), (vec![15.0], vec![210.0]));
    assert!(vector(&[1.0]).register_hook(note("none", 1.0)).is_err());
    Ok(())
}

/// `y = 3 x`, with a gradient of its own.
struct Triple(Log);

impl CustomBackward for Triple {
    fn name(&self) -> String {
        "TripleBackward".into()
    }
    fn backward(&self, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        self.0.lock().expect("no panic").push("backward".into());
        Ok(vec![grads[0].as_ref().map(|g| mul_scalar(g, 3.0)).transpose()?, None])
    }
    fn release(&self) {
        self.0.lock().expect("no panic").push("release".into());
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn a_custom_backward_pass() -> Result<()> {
    let log: Log = Arc::default();
    let x = leaf(&[1.0, 2.0]);
    let y = autograd::no_grad(|| mul_scalar(&x, 3.0))?;
    y.attach(Node::custom(Box::new(Triple(log.clone())), &[Some(&x), None], &[&y]), 0);
    assert_eq!(y.grad_fn().expect("attached").name(), "TripleBackward");
    autograd::backward(&[total(&mul(&y, &y)?)?], &[], true, false, None)?;
    assert_eq!(grad_of(&x), [18.0, 36.0]);
    back(&total(&y)?)?;
    assert_eq!(*log.lock().expect("no panic"), ["backward", "backward", "release"]);
    Ok(())
}

#[test]
fn nan_is_reported_in_anomaly_mode() -> Result<()> {
    let x = leaf(&[0.0]);
    let y = total(&mul_scalar(&sqrt(&x)?, 0.0)?)?;
    autograd::set_anomaly_mode(true, true);
    let text = message(back(&y));
    autograd::set_anomaly_mode(false, true);
    assert_eq!(text, "Function 'SqrtBackward0' returned nan values in its 0th output.");
    Ok(())
}

#[test]
fn a_view_follows_its_base() -> Result<()> {
    let x = leaf(&[1.0, 2.0, 3.0]);
    let base = clone(&x)?;
    let v = narrow(&base, 0, 1, 2)?;
    let before = v.grad_fn().expect("recorded");
    times_(&base, 10.0)?;
    let after = v.grad_fn().expect("recorded");
    assert!(!Shared::ptr_eq(&before, &after) && numbers(&v) == [20.0, 30.0]);
    back(&total(&v)?)?;
    assert_eq!(grad_of(&x), [0.0, 10.0, 10.0]);
    // A write through one view reaches another view of the same base.
    let base = clone(&x)?;
    let (a, b) = (narrow(&base, 0, 0, 2)?, narrow(&base, 0, 1, 2)?);
    plus_(&a, &mul_scalar(&x, 2.0).and_then(|t| narrow(&t, 0, 1, 2))?)?;
    assert_eq!(base.grad_fn().expect("recorded").name(), "torch::autograd::CopySlices");
    let g = autograd::grad(&[total(&mul(&b, &b)?)?], &[], std::slice::from_ref(&x), false, false, false)?
        .remove(0)
        .expect("used");
    // base = [x0 + 2 x1, x1 + 2 x2, x2]; b = base[1..]
    assert_eq!(numbers(&g), [0.0, 2.0 * 8.0, 4.0 * 8.0 + 6.0]);
    Ok(())
}

#[test]
fn a_base_without_gradient_takes_one_from_a_write() -> Result<()> {
    let x = leaf(&[5.0]);
    let base = vector(&[1.0, 2.0, 3.0]);
    let v = narrow(&base, 0, 1, 1)?;
    let w = narrow(&base, 0, 1, 2)?;
    copy_(&v, &x)?;
    assert!(base.requires_grad() && v.requires_grad() && w.requires_grad());
    back(&total(&mul(&base, &w.grad_fn().map_or(vector(&[1.0]), |_| vector(&[1.0, 7.0, 1.0])))?)?)?;
    assert_eq!(grad_of(&x), [7.0]);
    Ok(())
}

#[test]
fn overlapping_memory_is_not_written() -> Result<()> {
    let x = vector(&[1.0]);
    let wide = expand(&x, &[3])?;
    assert!(
        message(times_(&wide, 2.0))
            .starts_with("unsupported operation: more than one element of the written-to tensor")
    );
    // Nor are operands that overlap the target without being it, as in PyTorch.
    let partly = "unsupported operation: some elements of the input tensor and the written-to tensor";
    let y = vector(&[1.0, 2.0, 3.0, 4.0]);
    assert!(message(plus_(&narrow(&y, 0, 1, 3)?, &narrow(&y, 0, 0, 3)?)).starts_with(partly));
    let m = view(&vector(&[1.0, 2.0, 3.0, 4.0]), &[2, 2])?;
    assert!(message(plus_(&m, &transpose(&m, 0, 1)?)).starts_with(partly));
    assert_eq!(numbers(&m), [1.0, 2.0, 3.0, 4.0]);
    plus_(&m, &m)?;
    plus_(&narrow(&y, 0, 0, 2)?, &narrow(&y, 0, 2, 2)?)?;
    assert_eq!((numbers(&m), numbers(&y)), (vec![2.0, 4.0, 6.0, 8.0], vec![4.0, 6.0, 3.0, 4.0]));
    Ok(())
}

fn strided(sizes: &[i64], strides: &[i64], offset: i64) -> ViewOp {
    ViewOp::AsStrided { sizes: sizes.into(), strides: strides.into(), offset }
}

#[test]
fn as_strided_of_any_input() -> Result<()> {
    let x = leaf(&(0..12).map(|i| i as f64 * 0.5).collect::<Vec<_>>());
    let base = clone(&x)?;
    let m = view(&base, &[3, 4])?;
    let inputs = [base.clone(), transpose(&m, 0, 1)?, narrow(&m, 1, 1, 3)?, select(&m, 0, 1)?, m.clone()];
    for (i, input) in inputs.iter().enumerate() {
        // Rows of a Hankel matrix inside the second row, which every input but the last two covers in part.
        let op = strided(&[2, 3], &[1, 1], 4);
        let y = call::view(&op, input)?;
        assert_eq!(numbers(&y), [2.0, 2.5, 3.0, 2.5, 3.0, 3.5]);
        let c = flambeau_ops::view::reshape(&vector(&[1.0, 10.0, 100.0, 1e3, 1e4, 1e5]), &[2, 3])?;
        let loss = total(&mul(&c, &mul(&y, &y)?)?)?;
        let g = autograd::grad(&[loss], &[], std::slice::from_ref(&x), true, false, false)?.remove(0).expect("used");
        let mut expected = vec![0.0; 12];
        for (k, w) in [(4, 1.0), (5, 10.0), (6, 100.0), (5, 1e3), (6, 1e4), (7, 1e5)] {
            // What lies outside the input is no element of it.
            if !(i == 2 && k == 4) {
                expected[k] += 2.0 * w * k as f64 * 0.5;
            }
        }
        assert_eq!(numbers(&g), expected, "input {i}");
    }
    // An input that repeats itself: its copies share the gradient.
    let one = leaf(&[2.0]);
    let wide = expand(&one, &[3])?;
    let y = call::view(&strided(&[1], &[1], 0), &wide)?;
    let g = autograd::grad(&[total(&y)?], &[], &[wide], false, false, false)?.remove(0).expect("used");
    assert_eq!(numbers(&g), [1.0 / 3.0; 3]);
    Ok(())
}

#[test]
fn a_write_through_as_strided() -> Result<()> {
    let x = leaf(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let base = transpose(&view(&clone(&x)?, &[2, 3])?, 0, 1)?;
    // Memory places 1 and 4, through the transpose.
    let v = call::view(&strided(&[2], &[3], 1), &base)?;
    times_(&v, 10.0)?;
    assert_eq!(numbers(&base), [1.0, 4.0, 20.0, 50.0, 3.0, 6.0]);
    let g =
        autograd::grad(&[total(&mul(&base, &base)?)?], &[], std::slice::from_ref(&x), false, false, false)?.remove(0);
    assert_eq!(numbers(&g.expect("used")), [2.0, 400.0, 6.0, 8.0, 1000.0, 12.0]);
    Ok(())
}

#[test]
fn saved_originals_keep_their_history() -> Result<()> {
    // x * w in place keeps x for w's gradient; differentiated again it must lead back to x.
    let (x, w) = (leaf(&[2.0]), leaf(&[3.0]));
    let y = mul(&x, &x)?;
    let y = call_inplace(&flambeau_ops::binary::mul::OP, &[Some(&y), Some(&w)], params![])?;
    let gw = autograd::grad(&[total(&y)?], &[], &[w], true, true, false)?.remove(0).expect("used");
    let gx = autograd::grad(&[total(&gw)?], &[], &[x], false, false, false)?.remove(0).expect("used");
    assert_eq!(numbers(&gx), [4.0]);
    same(&gw, &vector(&[4.0]), 0.0, 1.0).expect("x squared");
    Ok(())
}
