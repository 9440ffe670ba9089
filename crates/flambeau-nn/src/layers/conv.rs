//! Convolutions.

use flambeau_core::backend::ConvParams;
use flambeau_core::{Result, Tensor, call1, check, params};

use super::{Sizes, fields, parameter};
use crate::module::{Forward, Module, Parameter};
use crate::{functional, init};

/// How a convolution's window moves; padding is with zeros.
///
/// ```
/// use flambeau_nn::ConvOptions;
/// let options = ConvOptions::<2>::new(3).stride(2).padding([1, 0]).bias(false);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions<const N: usize> {
    kernel: [i64; N],
    stride: [i64; N],
    padding: [i64; N],
    output_padding: [i64; N],
    dilation: [i64; N],
    groups: i64,
    bias: bool,
    same: bool,
}

impl<const N: usize> ConvOptions<N> {
    /// A window of this size, by steps of one without padding.
    pub fn new(kernel: impl Sizes<N>) -> Self {
        ConvOptions {
            kernel: kernel.sizes(),
            stride: [1; N],
            padding: [0; N],
            output_padding: [0; N],
            dilation: [1; N],
            groups: 1,
            bias: true,
            same: false,
        }
    }

    pub fn stride(mut self, n: impl Sizes<N>) -> Self {
        self.stride = n.sizes();
        self
    }

    pub fn padding(mut self, n: impl Sizes<N>) -> Self {
        self.padding = n.sizes();
        self
    }

    /// As much padding as keeps the input's size, for steps of one (`padding='same'`).
    pub fn padding_same(mut self) -> Self {
        self.same = true;
        self
    }

    /// More rows at one side of a transposed convolution's output.
    pub fn output_padding(mut self, n: impl Sizes<N>) -> Self {
        self.output_padding = n.sizes();
        self
    }

    pub fn dilation(mut self, n: impl Sizes<N>) -> Self {
        self.dilation = n.sizes();
        self
    }

    pub fn groups(mut self, n: i64) -> Self {
        self.groups = n;
        self
    }

    pub fn bias(mut self, on: bool) -> Self {
        self.bias = on;
        self
    }

    fn params(&self) -> ConvParams {
        let three = |a: &[i64; N], rest: i64| {
            let mut out = [rest; 3];
            out[..N].copy_from_slice(a);
            out
        };
        ConvParams {
            nd: N,
            stride: three(&self.stride, 1),
            padding: three(&self.padding, 0),
            dilation: three(&self.dilation, 1),
            groups: self.groups,
        }
    }
}

/// Weight and bias with PyTorch's checks and first values; `transposed` weights are `(in, out/groups, ...)`.
fn weights<const N: usize>(
    input: i64,
    output: i64,
    o: &ConvOptions<N>,
    transposed: bool,
) -> Result<(Parameter, Option<Parameter>)> {
    check!(o.groups > 0, Value, "groups must be a positive integer");
    check!(input % o.groups == 0, Value, "in_channels must be divisible by groups");
    check!(output % o.groups == 0, Value, "out_channels must be divisible by groups");
    check!(!o.same || o.stride == [1; N], Value, "padding='same' is not supported for strided convolutions");
    check!(!o.same || !transposed, Value, "padding='same' is not supported for transposed convolutions");
    let mut sizes = if transposed { vec![input, output / o.groups] } else { vec![output, input / o.groups] };
    sizes.extend(o.kernel);
    let weight = parameter(&sizes)?;
    let bias = o.bias.then(|| parameter(&[output])).transpose()?;
    init::default_(&weight, bias.as_deref())?;
    Ok((weight, bias))
}

macro_rules! conv {
    ($($(#[$doc:meta])* $name:ident, $n:literal, $transposed:literal, $same:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name {
            pub weight: Parameter,
            pub bias: Option<Parameter>,
            options: ConvOptions<$n>,
        }

        impl $name {
            /// Steps of one, no padding, with a bias.
            pub fn new(in_channels: i64, out_channels: i64, kernel: impl Sizes<$n>) -> Result<Self> {
                Self::with(in_channels, out_channels, ConvOptions::new(kernel))
            }

            pub fn with(in_channels: i64, out_channels: i64, options: ConvOptions<$n>) -> Result<Self> {
                let (weight, bias) = weights(in_channels, out_channels, &options, $transposed)?;
                Ok(Self { weight, bias, options })
            }
        }

        impl Module for $name {
            fields!(weight, bias);
        }

        impl Forward for $name {
            fn forward(&self, x: &Tensor) -> Result<Tensor> {
                let (w, b, p) = (&self.weight, self.bias.as_deref(), self.options.params());
                if $transposed {
                    let mut extra = [0; 3];
                    extra[..$n].copy_from_slice(&self.options.output_padding);
                    functional::conv_transpose(x, w, b, &p, extra)
                } else if self.options.same {
                    let o = &self.options;
                    let p = params![&o.stride[..], "same", &o.dilation[..], o.groups];
                    call1(&flambeau_ops::conv::$same::OP, &[Some(x), Some(w), b], p)
                } else {
                    functional::conv(x, w, b, &p)
                }
            }
        }
    )*};
}

conv! {
    /// A convolution over `(n, c, l)`.
    Conv1d, 1, false, conv1d_padding;
    /// A convolution over `(n, c, h, w)`.
    Conv2d, 2, false, conv2d_padding;
    /// A convolution over `(n, c, d, h, w)`.
    Conv3d, 3, false, conv3d_padding;
    /// The gradient of [`Conv1d`] for its input, as a layer of its own.
    ConvTranspose1d, 1, true, conv1d_padding;
    /// The gradient of [`Conv2d`] for its input, as a layer of its own.
    ConvTranspose2d, 2, true, conv2d_padding;
    /// The gradient of [`Conv3d`] for its input, as a layer of its own.
    ConvTranspose3d, 3, true, conv3d_padding;
}
