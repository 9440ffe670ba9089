//! What an operation is to the boundary: one static row.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::autograd::Vjp;
use crate::backend::{Backend, BinaryOp};
use crate::device::Device;
use crate::dtype::DType;
use crate::error::Result;
use crate::layout::{Dims, dims};
use crate::random::Generator;
use crate::scalar::Scalar;
use crate::tensor::Tensor;
use crate::view::ViewOp;

/// A parameter of an operation that is not a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Scalar(Scalar),
    Ints(Arc<[i64]>),
    Floats(Arc<[f64]>),
    Str(Arc<str>),
    DType(DType),
    Device(Device),
    Generator(Generator),
}

/// The parameters of one call, in the order of the row's signature.
pub type Params = SmallVec<[Value; 2]>;
/// Tensor arguments in order; an absent optional one is `None`, a list is spread with its length in the params.
pub type Inputs<'a> = &'a [Option<&'a Tensor>];
pub type Outs = SmallVec<[Tensor; 2]>;

/// What `infer` says of one output.
#[derive(Clone, Debug)]
pub struct Meta {
    pub sizes: Dims,
    /// Row-major when `None`.
    pub strides: Option<Box<Dims>>,
    pub dtype: DType,
    pub device: Device,
}

impl Meta {
    pub fn new(sizes: &[i64], dtype: DType, device: Device) -> Meta {
        Meta { sizes: dims(sizes), strides: None, dtype, device }
    }

    /// The shape, strides' order, dtype and device of `x`.
    pub fn like(x: &Tensor) -> Meta {
        let strides = match x.is_contiguous() {
            true => None,
            false => kept_strides(x.sizes(), x.strides()).map(Box::new),
        };
        Meta { sizes: dims(x.sizes()), strides, dtype: x.dtype(), device: x.device() }
    }

    /// As [`like`](Meta::like) for what copies rather than computes: strides without gaps are kept to the letter, also those
    /// of dimensions of size one.
    pub fn copying(x: &Tensor) -> Meta {
        let mut m = Meta::like(x);
        if x.sizes().iter().any(|&n| n < 2) {
            m.strides = kept_strides(x.sizes(), x.strides()).map(Box::new);
        }
        m
    }

    /// Channels-last where `x` is, else row-major: for windows, norms and joins.
    pub fn suggested(x: &Tensor, sizes: &[i64], dtype: DType) -> Meta {
        let mut m = Meta::new(sizes, dtype, x.device());
        if crate::layout::suggests_channels_last(x.sizes(), x.strides()) {
            m.strides = crate::layout::channels_last_strides(sizes).map(Box::new);
        }
        m
    }

    pub fn with_dtype(mut self, dtype: DType) -> Meta {
        self.dtype = dtype;
        self
    }
}

/// The strides of a copy in the same memory format, `None` for row-major.
pub fn kept_strides(sizes: &[i64], strides: &[i64]) -> Option<Dims> {
    let kept = dense_strides(sizes, strides);
    (kept != crate::layout::contiguous_strides(sizes)).then_some(kept)
}

/// Gapless strides in the order of memory that the given strides have (row-major where that is unclear), so that the
/// result of an elementwise operation keeps its operand's memory format.
pub fn dense_strides(sizes: &[i64], strides: &[i64]) -> Dims {
    if crate::layout::is_non_overlapping_and_dense(sizes, strides) {
        return Dims::from_slice(strides);
    }
    iterated_strides(sizes, &[Dims::from_slice(strides)]).unwrap_or_else(|| crate::layout::contiguous_strides(sizes))
}

/// The strides of an elementwise result, `None` for row-major, as PyTorch chooses them; each operand is `(sizes, strides)`
/// before broadcasting. Operands that are alike hand theirs on, otherwise [`iterated_strides`] decides.
pub fn elementwise_strides(sizes: &[i64], operands: &[(&[i64], &[i64])]) -> Option<Dims> {
    use crate::layout::{channels_last_strides, expand_strides, is_channels_last, is_non_overlapping_and_dense};
    if operands.iter().all(|o| o.0 == sizes) {
        if operands.iter().all(|(n, s)| crate::layout::is_contiguous(n, s)) {
            return None;
        }
        if operands.iter().all(|(n, s)| is_channels_last(n, s)) {
            return channels_last_strides(sizes);
        }
        let first = operands[0].1;
        if operands.iter().all(|o| o.1 == first) && is_non_overlapping_and_dense(sizes, first) {
            return Some(Dims::from_slice(first));
        }
    }
    let expanded: Vec<Dims> = operands.iter().filter_map(|(n, s)| expand_strides(n, s, sizes)).collect();
    iterated_strides(sizes, &expanded)
}

/// The order of memory that PyTorch gives the result of walking over operands together, `None` for row-major: the first
/// operand that tells two dimensions apart decides. The operands' strides are expanded to `sizes`, zero where they
/// broadcast.
pub fn iterated_strides(sizes: &[i64], operands: &[Dims]) -> Option<Dims> {
    // Below zero: `a` lies inside `b`; above: outside; zero: nobody can tell.
    let compare = |a: usize, b: usize| -> i32 {
        for s in operands {
            if s[a] == 0 || s[b] == 0 {
                continue;
            }
            if s[a] != s[b] {
                return if s[a] < s[b] { -1 } else { 1 };
            }
            if sizes[a] > sizes[b] {
                return 1;
            }
        }
        0
    };
    // Innermost first.
    let mut order: SmallVec<[usize; 8]> = (0..sizes.len()).rev().collect();
    for i in 1..order.len() {
        let mut moving = i;
        for j in (0..i).rev() {
            match compare(order[j], order[moving]) {
                1 => {
                    order.swap(j, moving);
                    moving = j;
                }
                -1 => break,
                _ => {}
            }
        }
    }
    if order.iter().rev().copied().eq(0..sizes.len()) {
        return None;
    }
    let mut out = Dims::from_elem(0, sizes.len());
    let mut acc = 1;
    for d in order {
        out[d] = acc;
        // Only where another size is zero can this overflow.
        acc = i64::saturating_mul(acc, sizes[d]);
    }
    Some(out)
}

pub type Metas = SmallVec<[Meta; 1]>;
pub type Infer = fn(Inputs, &Params) -> Result<Metas>;
pub type Run = fn(&dyn Backend, Inputs, &[Tensor], &Params) -> Result<()>;
pub type Compose = fn(Inputs, &Params) -> Result<Outs>;
pub type MakeView = fn(&Tensor, &Params) -> Result<ViewOp>;
/// Gradients for each input, `None` where none flows.
pub type Grads = SmallVec<[Option<Tensor>; 3]>;
pub type VjpFn = fn(&Vjp) -> Result<Grads>;

/// How an operation is carried out.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A new layout over the same memory.
    View(MakeView),
    /// A kernel that fills outputs; pure, so in-place and `out=` run the same kernel.
    Kernel { infer: Infer, run: Run },
    /// Other operations.
    Composite(Compose),
}

/// What becomes of gradients.
#[derive(Clone, Copy)]
pub enum Diff {
    /// Written in tensor operations, so that it can be differentiated again.
    Vjp(VjpFn),
    /// By differentiating the decomposition.
    Decompose,
    /// Piecewise constant or integer-valued: results never require a gradient.
    Never,
    /// Through the operations that it is made of.
    Through,
}

/// Which tensors a node keeps: bits over inputs and over outputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Saves {
    pub inputs: u16,
    pub outputs: u16,
    /// Of two factors: keep one only if the other one's gradient is wanted.
    pub cross: bool,
}

/// Bits for [`OpDef::surfaces`]: where the operation appears.
pub mod surface {
    /// `torch.name`
    pub const FUNCTION: u16 = 1;
    /// `Tensor.name`
    pub const METHOD: u16 = 2;
    /// `Tensor.name_` (and `torch.name_` where the function exists)
    pub const INPLACE: u16 = 4;
    /// `torch.nn.functional.name`
    pub const NN: u16 = 8;
    pub const SPECIAL: u16 = 16;
    pub const LINALG: u16 = 32;
    /// Only inside the engine.
    pub const INTERNAL: u16 = 64;
}

/// One operation: everything there is to say about it, in one place.
pub struct OpDef {
    /// The engine's name, unique; the public one is the signature's.
    pub name: &'static str,
    /// PyTorch's name of its node, where it is not made from `name`.
    pub node: &'static str,
    /// Inputs that PyTorch's node has no edge for, as bits: indices, masks.
    pub hidden: u16,
    /// How a node of the row shows itself where that depends on the call.
    pub shown: Option<fn(&crate::autograd::Node, &Params) -> crate::autograd::Shown>,
    /// The name of a composite's node where it depends on the call; empty for none.
    pub label: Option<fn(Inputs, &Params) -> &'static str>,
    /// The name of the node of an in-place call, where it is another one.
    pub node_inplace: &'static str,
    /// PyTorch's signature: `softmax(Tensor input, int dim, ScalarType? dtype=None) -> Tensor`.
    pub sig: &'static str,
    pub doc: &'static str,
    /// Other public names that mean the same (`absolute` for `abs`).
    pub aliases: &'static [&'static str],
    pub surfaces: u16,
    pub kind: Kind,
    /// The kernel that small contiguous operands of one float type may go to directly.
    pub quick: Option<BinaryOp>,
    pub diff: Diff,
    pub saves: Saves,
    /// Outputs that can carry a gradient, as bits.
    pub diff_outputs: u16,
    /// The meaning of a fused operation in other operations.
    pub decompose: Option<Compose>,
    /// Argument sets for the registry-driven tests.
    pub samples: Option<fn(&mut Samples)>,
}

impl OpDef {
    /// `SoftmaxBackward0`: the name of its node in a graph.
    pub fn node_name(&self) -> String {
        if !self.node.is_empty() {
            return self.node.into();
        }
        let mut out = String::new();
        for part in self.name.split('_') {
            let mut chars = part.chars();
            if let Some(c) = chars.next() {
                out.extend(c.to_uppercase());
                out.extend(chars);
            }
        }
        out + "Backward0"
    }
}

/// One call for the tests: tensors, parameters, and which of the tensors to differentiate by.
pub struct Sample {
    pub inputs: Vec<Option<Tensor>>,
    pub params: Params,
    /// Bits over inputs: those the gradient is checked for.
    pub grad: u16,
}

/// Collects samples; random numbers come from a fixed stream.
pub struct Samples {
    pub list: Vec<Sample>,
    pub rng: crate::generator::GeneratorState,
    pub dtype: DType,
}

impl Samples {
    pub fn new(dtype: DType) -> Samples {
        Samples { list: Vec::new(), rng: crate::generator::GeneratorState::new(7), dtype }
    }

    pub fn push(&mut self, inputs: Vec<Option<Tensor>>, params: Params, grad: u16) {
        self.list.push(Sample { inputs, params, grad });
    }

    /// Numbers in `[low, high)`.
    pub fn uniform(&mut self, sizes: &[i64], low: f64, high: f64) -> Tensor {
        let n = crate::layout::numel(sizes) as usize;
        let values: Vec<f64> =
            (0..n).map(|_| low + (high - low) * (self.rng.random() >> 8) as f64 / (1u32 << 24) as f64).collect();
        let t = Tensor::from_slice(&values, sizes).expect("sample sizes are valid");
        if self.dtype == DType::F64 { t } else { t.cast_raw(self.dtype).expect("a float64 tensor casts") }
    }

    /// Numbers in `[-1, 1)`.
    pub fn normal(&mut self, sizes: &[i64]) -> Tensor {
        self.uniform(sizes, -1.0, 1.0)
    }

    /// Integers in `[low, high)`.
    pub fn ints(&mut self, sizes: &[i64], low: i64, high: i64) -> Tensor {
        let n = crate::layout::numel(sizes) as usize;
        let values: Vec<i64> = (0..n).map(|_| low + (self.rng.random() as i64) % (high - low)).collect();
        Tensor::from_slice(&values, sizes).expect("sample sizes are valid")
    }
}

/// Reads parameters by position; the row's signature guarantees the kind.
pub trait ParamsExt {
    fn int(&self, i: usize) -> i64;
    fn opt_int(&self, i: usize) -> Option<i64>;
    fn float(&self, i: usize) -> f64;
    fn opt_float(&self, i: usize) -> Option<f64>;
    fn bool(&self, i: usize) -> bool;
    fn ints(&self, i: usize) -> &[i64];
    fn opt_ints(&self, i: usize) -> Option<&[i64]>;
    fn str(&self, i: usize) -> &str;
    fn scalar(&self, i: usize) -> Scalar;
    fn opt_scalar(&self, i: usize) -> Option<Scalar>;
    fn dtype(&self, i: usize) -> Option<DType>;
    fn device(&self, i: usize) -> Option<Device>;
    fn generator(&self, i: usize) -> Option<Generator>;
}

impl ParamsExt for [Value] {
    #[inline]
    fn int(&self, i: usize) -> i64 {
        self.opt_int(i).unwrap_or(0)
    }

    #[inline]
    fn opt_int(&self, i: usize) -> Option<i64> {
        match self.get(i)? {
            Value::Int(v) => Some(*v),
            Value::Bool(v) => Some(*v as i64),
            Value::Scalar(s) => Some(s.to_i64()),
            Value::Ints(v) if v.len() == 1 => Some(v[0]),
            _ => None,
        }
    }

    #[inline]
    fn float(&self, i: usize) -> f64 {
        self.opt_float(i).unwrap_or(0.0)
    }

    #[inline]
    fn opt_float(&self, i: usize) -> Option<f64> {
        match self.get(i)? {
            Value::Float(v) => Some(*v),
            Value::Int(v) => Some(*v as f64),
            Value::Bool(v) => Some(*v as u8 as f64),
            Value::Scalar(s) => Some(s.to_f64()),
            _ => None,
        }
    }

    #[inline]
    fn bool(&self, i: usize) -> bool {
        matches!(self.get(i), Some(Value::Bool(true)))
    }

    fn ints(&self, i: usize) -> &[i64] {
        self.opt_ints(i).unwrap_or(&[])
    }

    fn opt_ints(&self, i: usize) -> Option<&[i64]> {
        match self.get(i)? {
            Value::Ints(v) => Some(v),
            Value::Int(v) => Some(std::slice::from_ref(v)),
            _ => None,
        }
    }

    fn str(&self, i: usize) -> &str {
        match self.get(i) {
            Some(Value::Str(s)) => s,
            _ => "",
        }
    }

    fn scalar(&self, i: usize) -> Scalar {
        self.opt_scalar(i).unwrap_or(Scalar::Int(0))
    }

    fn opt_scalar(&self, i: usize) -> Option<Scalar> {
        match self.get(i)? {
            Value::Scalar(s) => Some(*s),
            Value::Int(v) => Some(Scalar::Int(*v)),
            Value::Float(v) => Some(Scalar::Float(*v)),
            Value::Bool(v) => Some(Scalar::Bool(*v)),
            _ => None,
        }
    }

    fn dtype(&self, i: usize) -> Option<DType> {
        match self.get(i)? {
            Value::DType(d) => Some(*d),
            _ => None,
        }
    }

    fn device(&self, i: usize) -> Option<Device> {
        match self.get(i)? {
            Value::Device(d) => Some(*d),
            _ => None,
        }
    }

    fn generator(&self, i: usize) -> Option<Generator> {
        match self.get(i)? {
            Value::Generator(g) => Some(g.clone()),
            _ => None,
        }
    }
}

macro_rules! value_from {
    ($($t:ty, $x:ident => $e:expr);* $(;)?) => {$(
        impl From<$t> for Value {
            fn from($x: $t) -> Value { $e }
        }
    )*};
}
value_from! {
    bool, x => Value::Bool(x);
    i64, x => Value::Int(x);
    i32, x => Value::Int(x as i64);
    usize, x => Value::Int(x as i64);
    f64, x => Value::Float(x);
    Scalar, x => Value::Scalar(x);
    &[i64], x => Value::Ints(x.into());
    Vec<i64>, x => Value::Ints(x.into());
    Dims, x => Value::Ints(x.as_slice().into());
    &Dims, x => Value::Ints(x.as_slice().into());
    &[f64], x => Value::Floats(x.into());
    &str, x => Value::Str(x.into());
    DType, x => Value::DType(x);
    Device, x => Value::Device(x);
    Generator, x => Value::Generator(x);
}
impl<const N: usize> From<[i64; N]> for Value {
    fn from(x: [i64; N]) -> Value {
        Value::Ints(x.as_slice().into())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(x: Option<T>) -> Value {
        x.map_or(Value::None, Into::into)
    }
}

/// `params![dim, keepdim]` builds a [`Params`].
#[macro_export]
macro_rules! params {
    ($($e:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut p = $crate::op::Params::new();
        $(p.push($crate::op::Value::from($e));)*
        p
    }};
}
