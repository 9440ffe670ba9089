//! Samples for rows that are made of other rows, which need no more than that they are called as they are meant to be.

use flambeau_core::op::{Params, Samples, Value};
use flambeau_core::{Tensor, params};

use super::composites_linear::{MATRICES, PRODUCTS};

pub(super) type Draw = fn(&mut Samples);

/// Rows without an input to vary: what they make is checked by value in tests/ops and tests/convert.
pub const FACTORIES: &[&str] = &[
    "arange_start",
    "arange",
    "empty",
    "empty_like",
    "empty_strided",
    "eye",
    "fft_fftfreq",
    "fft_rfftfreq",
    "full",
    "full_like",
    "linspace",
    "linspace_tensor",
    "logspace",
    "logspace_tensor",
    "new_empty",
    "new_empty_strided",
    "new_full",
    "new_ones",
    "new_zeros",
    "ones",
    "ones_like",
    "tril_indices",
    "triu_indices",
    "zeros",
    "zeros_like",
];

/// Rows whose results two calls do not share: checked against PyTorch's streams in tests/random.
pub const RANDOM: &[&str] = &[
    "rand",
    "randn",
    "randint",
    "randint_low",
    "randperm",
    "rand_like",
    "randn_like",
    "randint_like",
    "randint_like_low",
    "normal_numbers",
    "normal_tensors",
    "normal_mean",
    "normal_std",
    "bernoulli",
    "bernoulli_p",
    "multinomial",
    "uniform_",
    "normal_",
    "bernoulli_",
    "bernoulli_tensor_",
    "exponential_",
    "geometric_",
    "cauchy_",
    "log_normal_",
    "random_",
    "random_to_",
    "random_from_",
    "poisson_",
    "binomial_",
    "standard_gamma",
    "sample_dirichlet",
    "dropout",
    "dropout_function",
    "feature_dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
];

/// Rows that write into their first input, and so are no functions of it: checked as the in-place forms that they are.
pub const WRITERS: &[&str] = &["copy_", "fill_", "zero_"];

pub fn of(name: &str) -> Option<Draw> {
    TABLE.iter().flat_map(|t| t.iter()).find(|(n, _)| *n == name).map(|(_, f)| *f)
}

pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|t| t.iter()).map(|(n, _)| *n)
}

/// Numbers of these sizes, a gradient for each.
pub(super) fn put(s: &mut Samples, sizes: &[&[i64]], p: Params) {
    let x: Vec<Tensor> = sizes.iter().map(|sizes| s.normal(sizes)).collect();
    with(s, x, p, (1 << sizes.len()) - 1);
}

pub(super) fn with(s: &mut Samples, x: Vec<Tensor>, p: Params, grad: u16) {
    s.push(x.into_iter().map(Some).collect(), p, grad);
}

fn ints(v: &[i64], sizes: &[i64]) -> Tensor {
    Tensor::from_slice(v, sizes).expect("as many as sizes say")
}

fn bools(v: &[bool], sizes: &[i64]) -> Tensor {
    Tensor::from_slice(v, sizes).expect("as many as sizes say")
}

fn number(v: f64) -> Tensor {
    Tensor::wrapped(v.into()).expect("a number")
}

fn complex(s: &mut Samples, sizes: &[i64]) -> Tensor {
    let pairs = s.normal(&[sizes, &[2]].concat());
    flambeau_core::call::view(&flambeau_core::view::ViewOp::AsComplex, &pairs).expect("pairs").detach()
}

fn borders(s: &Samples) -> Tensor {
    Tensor::from_slice(&[-0.5, 0.0, 0.5], &[3]).expect("three numbers").cast_raw(s.dtype).expect("casts")
}

pub(super) const NOTHING: Value = Value::None;

static TABLE: &[&[(&str, Draw)]] =
    &[ELEMENTWISE, REDUCTIONS, SHAPES, INDICES, PRODUCTS, MATRICES, TRANSFORMS, LAYERS, LOSSES];

static ELEMENTWISE: &[(&str, Draw)] = &[
    ("gelu", |s| {
        for how in ["none", "tanh"] {
            put(s, &[&[2, 3]], params![how])
        }
    }),
    ("elu", |s| put(s, &[&[2, 3]], params![1.5])),
    ("selu", |s| put(s, &[&[2, 3]], params![])),
    ("celu", |s| put(s, &[&[2, 3]], params![1.5])),
    ("relu6", |s| put(s, &[&[2, 3]], params![])),
    ("softsign", |s| put(s, &[&[2, 3]], params![])),
    ("tanhshrink", |s| put(s, &[&[2, 3]], params![])),
    ("prelu_kernel", |s| put(s, &[&[2, 3], &[1, 3]], params![])),
    ("prelu", |s| {
        for w in [&[1i64][..], &[3]] {
            put(s, &[&[2, 3, 2], w], params![])
        }
    }),
    ("glu", |s| put(s, &[&[2, 4]], params![-1])),
    ("rsub", |s| {
        put(s, &[&[2, 3], &[3]], params![2.0]);
        let x = s.normal(&[2]);
        with(s, vec![x, number(1.5)], params![1], 1);
    }),
    ("add_number", |s| {
        let x = s.normal(&[2, 3]);
        with(s, vec![x, number(1.5)], params![], 1);
    }),
    ("sub_number", |s| {
        let x = s.normal(&[2, 3]);
        with(s, vec![x, number(1.5)], params![], 1);
    }),
    ("mul_number", |s| {
        let x = s.normal(&[2, 3]);
        with(s, vec![x, number(1.5)], params![], 1);
    }),
    ("div_number", |s| {
        let x = s.normal(&[2, 3]);
        with(s, vec![x, number(1.5)], params![], 1);
    }),
    ("true_divide", |s| {
        let x = vec![s.normal(&[2, 3]), s.uniform(&[3], 0.5, 2.0)];
        with(s, x, params![], 3);
    }),
    ("clamp", |s| {
        put(s, &[&[2, 3], &[3]], params![]);
        let x = s.normal(&[5]);
        with(s, vec![x, number(-0.5), number(0.25)], params![], 1);
    }),
    ("clamp_min", |s| put(s, &[&[2, 3], &[3]], params![])),
    ("clamp_max", |s| put(s, &[&[2, 3], &[3]], params![])),
    ("positive", |s| put(s, &[&[2, 3]], params![])),
    ("isposinf", |s| put(s, &[&[2, 3]], params![])),
    ("isneginf", |s| put(s, &[&[2, 3]], params![])),
    ("isreal", |s| put(s, &[&[2, 3]], params![])),
    ("isclose", |s| put(s, &[&[2, 3], &[3]], params![1e-5, 1e-8, false])),
    ("allclose", |s| put(s, &[&[2, 3], &[3]], params![1e-5, 1e-8, false])),
    ("isin", |s| {
        let x = vec![s.ints(&[2, 3], 0, 4), s.ints(&[3], 0, 4)];
        with(s, x, params![false, true], 0);
    }),
    ("max_other", |s| put(s, &[&[2, 3], &[3]], params![])),
    ("min_other", |s| put(s, &[&[2, 3], &[3]], params![])),
    ("contiguous", |s| put(s, &[&[2, 3]], params![])),
    ("fill", |s| put(s, &[&[2, 3], &[]], params![])),
    ("conj", |s| put(s, &[&[2, 3]], params![])),
    ("resolve_conj", |s| put(s, &[&[2, 3]], params![])),
    ("real", |s| put(s, &[&[2, 3]], params![])),
    ("imag", |s| {
        let x = complex(s, &[2, 3]);
        with(s, vec![x], params![], 1);
    }),
    ("dirichlet_grad", |s| {
        let x = vec![s.uniform(&[2, 3], 0.1, 0.9), s.uniform(&[3], 0.5, 2.0), s.uniform(&[3], 2.5, 4.0)];
        with(s, x, params![], 0);
    }),
    ("standard_gamma_grad", |s| {
        let x = vec![s.uniform(&[2, 3], 0.5, 2.0), s.uniform(&[2, 3], 0.1, 4.0)];
        with(s, x, params![], 0);
    }),
    ("bucketize", |s| {
        let x = vec![s.normal(&[2, 3]), borders(s)];
        with(s, x, params![false, true], 0);
    }),
    ("searchsorted", |s| {
        let x = vec![borders(s), s.normal(&[2, 3])];
        with(s, x, params![false, false, NOTHING], 0);
    }),
];

static REDUCTIONS: &[(&str, Draw)] = &[
    ("max", |s| put(s, &[&[2, 3]], params![])),
    ("min", |s| put(s, &[&[2, 3]], params![])),
    ("aminmax", |s| {
        put(s, &[&[2, 3]], params![1, true]);
        put(s, &[&[2, 3]], params![NOTHING, false]);
    }),
    ("var", |s| put(s, &[&[2, 3]], params![[1i64], 1.0, true])),
    ("std", |s| put(s, &[&[2, 3]], params![NOTHING, 0.0, false])),
    ("var_mean", |s| put(s, &[&[2, 3]], params![[0i64], 1.0, false])),
    ("std_mean", |s| put(s, &[&[2, 3]], params![[1i64], 1.0, true])),
    ("var_unbiased", |s| put(s, &[&[2, 3]], params![true])),
    ("std_unbiased", |s| put(s, &[&[2, 3]], params![false])),
    ("var_mean_unbiased", |s| put(s, &[&[2, 3]], params![true])),
    ("std_mean_unbiased", |s| put(s, &[&[2, 3]], params![false])),
    ("var_dim", |s| put(s, &[&[2, 3]], params![[1i64], true, false])),
    ("std_dim", |s| put(s, &[&[2, 3]], params![[1i64], false, true])),
    ("var_mean_dim", |s| put(s, &[&[2, 3]], params![[1i64], true, true])),
    ("std_mean_dim", |s| put(s, &[&[2, 3]], params![[0i64], false, false])),
    ("argsort", |s| put(s, &[&[2, 3]], params![-1, true, true])),
    ("histc", |s| {
        let x = s.normal(&[7]);
        with(s, vec![x], params![4, -1.0, 1.0], 0);
    }),
    ("histogram", |s| {
        let x = vec![s.normal(&[2, 3]), s.uniform(&[2, 3], 0.0, 1.0)];
        with(s, x, params![4, NOTHING, true], 0);
    }),
    ("histogram_bins", |s| {
        let x = vec![s.normal(&[7]), borders(s), s.uniform(&[7], 0.0, 1.0)];
        with(s, x, params![false], 0);
    }),
    ("histogramdd_bins", |s| {
        let (x, b) = (s.normal(&[7, 2]), borders(s));
        s.push(vec![Some(x), Some(b.clone()), Some(b), None], params![2, true], 0);
    }),
    ("histogramdd_even", |s| {
        let x = s.normal(&[7, 2]);
        s.push(vec![Some(x), None], params![[2i64, 3], NOTHING, false], 0);
    }),
    ("unique_dim", |s| {
        let x = ints(&[1, 2, 0, 1, 1, 2], &[3, 2]);
        with(s, vec![x.clone()], params![0, false], 0);
        with(s, vec![x], params![0, true], 0);
    }),
];

static SHAPES: &[(&str, Draw)] = &[
    ("adjoint", |s| put(s, &[&[2, 3]], params![])),
    ("expand_as", |s| put(s, &[&[1, 3], &[2, 3]], params![])),
    ("broadcast_to", |s| put(s, &[&[1, 3]], params![[2i64, 3]])),
    ("squeeze_dims", |s| put(s, &[&[1, 3, 1]], params![[0i64, 1]])),
    ("squeeze", |s| put(s, &[&[1, 3, 1]], params![])),
    ("narrow_at", |s| {
        let x = vec![s.normal(&[4, 2]), ints(&[1], &[])];
        with(s, x, params![0, 2], 1);
    }),
    ("view_as", |s| {
        // A view needs memory in one piece.
        let x = vec![s.normal(&[6]), s.normal(&[2, 3])];
        with(s, x, params![], 1);
    }),
    ("reshape_as", |s| put(s, &[&[2, 3], &[3, 2]], params![])),
    ("flatten", |s| put(s, &[&[2, 3, 2]], params![1, -1])),
    ("unflatten", |s| put(s, &[&[2, 6]], params![1, [2i64, -1]])),
    ("ravel", |s| put(s, &[&[2, 3]], params![])),
    ("movedim", |s| put(s, &[&[2, 3, 4]], params![[0i64, 1], [2i64, 0]])),
    ("split_sizes", |s| put(s, &[&[2, 3]], params![[1i64, 2], 1])),
    ("split", |s| put(s, &[&[5, 2]], params![2, 0])),
    ("split_list", |s| put(s, &[&[2, 3]], params![[1i64, 2], 1])),
    ("chunk", |s| put(s, &[&[5, 2]], params![2, 0])),
    ("unbind", |s| put(s, &[&[2, 3]], params![1])),
    ("cat", |s| put(s, &[&[2, 3], &[2, 1]], params![2, 1])),
    ("stack", |s| put(s, &[&[2, 3], &[2, 3]], params![2, 1])),
    ("hstack", |s| put(s, &[&[2, 3], &[2, 1]], params![2])),
    ("vstack", |s| put(s, &[&[3], &[2, 3]], params![2])),
    ("dstack", |s| put(s, &[&[2, 3], &[2, 3]], params![2])),
    ("column_stack", |s| put(s, &[&[2], &[2, 3]], params![2])),
    ("fliplr", |s| put(s, &[&[2, 3]], params![])),
    ("flipud", |s| put(s, &[&[2, 3]], params![])),
    ("roll", |s| {
        put(s, &[&[2, 3]], params![[1i64], [1i64]]);
        let none: [i64; 0] = [];
        put(s, &[&[2, 3]], params![[2i64], none]);
    }),
    ("repeat", |s| put(s, &[&[2, 3]], params![[2i64, 1, 2]])),
    ("tile", |s| put(s, &[&[2, 3]], params![[2i64]])),
    ("repeat_interleave", |s| put(s, &[&[2, 3]], params![2, 1, NOTHING])),
    ("repeat_interleave_tensor", |s| {
        let x = vec![s.normal(&[2, 3]), ints(&[1, 0, 2], &[3])];
        with(s, x, params![1, NOTHING], 1);
    }),
    ("atleast_1d", |s| put(s, &[&[]], params![])),
    ("atleast_2d", |s| put(s, &[&[3]], params![])),
    ("atleast_3d", |s| put(s, &[&[2, 3]], params![])),
    ("constant_pad_nd", |s| put(s, &[&[2, 3]], params![[1i64, -1, 0, 2], 0.5])),
    ("meshgrid", |s| put(s, &[&[2], &[3]], params![2, "xy"])),
    ("broadcast_tensors", |s| put(s, &[&[2, 1], &[3]], params![2])),
    ("rot90", |s| put(s, &[&[2, 3]], params![1, [0i64, 1]])),
    ("chunk_cat", |s| put(s, &[&[3, 2], &[5, 2]], params![2, 0, 2])),
    ("alias_copy", |s| put(s, &[&[2, 3]], params![])),
    ("detach_copy", |s| {
        let x = s.normal(&[2, 3]);
        with(s, vec![x], params![], 0);
    }),
    ("view_copy", |s| put(s, &[&[2, 3]], params![[3i64, -1]])),
    ("view_as_complex_copy", |s| put(s, &[&[3, 2]], params![])),
    ("view_as_real_copy", |s| {
        let x = complex(s, &[2, 3]);
        with(s, vec![x], params![], 1);
    }),
    ("as_strided_copy", |s| put(s, &[&[6]], params![[2i64, 2], [2i64, 1], 1])),
    ("permute_copy", |s| put(s, &[&[2, 3]], params![[1i64, 0]])),
    ("transpose_copy", |s| put(s, &[&[2, 3]], params![0, 1])),
    ("t_copy", |s| put(s, &[&[2, 3]], params![])),
    ("unsqueeze_copy", |s| put(s, &[&[2, 3]], params![1])),
    ("squeeze_copy_dims", |s| put(s, &[&[1, 3, 1]], params![[0i64]])),
    ("squeeze_copy", |s| put(s, &[&[1, 3, 1]], params![])),
    ("unfold_copy", |s| put(s, &[&[5]], params![0, 3, 1])),
    ("diagonal_copy", |s| put(s, &[&[3, 4]], params![1, 0, 1])),
    ("select_copy", |s| put(s, &[&[2, 3]], params![1, -1])),
    ("split_copy", |s| put(s, &[&[5, 2]], params![2, 0])),
    ("split_with_sizes_copy", |s| put(s, &[&[2, 3]], params![[1i64, 2], 1])),
    ("unbind_copy", |s| put(s, &[&[2, 3]], params![1])),
    ("expand_copy", |s| put(s, &[&[1, 3]], params![[2i64, 3], false])),
    ("narrow_copy", |s| put(s, &[&[4, 2]], params![0, 1, 2])),
    ("slice_copy", |s| put(s, &[&[5, 2]], params![0, 1, NOTHING, 2])),
    ("unsafe_split", |s| put(s, &[&[5, 2]], params![2, 0])),
    ("unsafe_split_with_sizes", |s| put(s, &[&[2, 3]], params![[1i64, 2], 1])),
    ("unsafe_chunk", |s| put(s, &[&[5, 2]], params![2, 0])),
];

static INDICES: &[(&str, Draw)] = &[
    ("argwhere", |s| with(s, vec![ints(&[1, 0, 2, 0], &[2, 2])], params![], 0)),
    ("nonzero_static", |s| with(s, vec![ints(&[1, 0, 2, 0], &[2, 2])], params![3, -1], 0)),
    ("unravel_index", |s| with(s, vec![ints(&[1, 5, 3], &[3])], params![[2i64, 3]], 0)),
    ("masked_select", |s| {
        let x = vec![s.normal(&[2, 3]), bools(&[true, false, true], &[3])];
        with(s, x, params![], 1);
    }),
    ("masked_scatter", |s| {
        let x = vec![s.normal(&[2, 3]), bools(&[true, false, true], &[3]), s.normal(&[5])];
        with(s, x, params![], 5);
    }),
    ("take", |s| {
        let x = vec![s.normal(&[2, 3]), ints(&[5, 0, 0, -1], &[2, 2])];
        with(s, x, params![], 1);
    }),
    ("take_along_dim", |s| {
        let x = vec![s.normal(&[2, 3]), ints(&[2, 0], &[2, 1])];
        with(s, x, params![1], 1);
    }),
    ("one_hot", |s| with(s, vec![ints(&[2, 0, 1], &[3])], params![4], 0)),
    ("scatter_value", |s| {
        let x = vec![s.normal(&[2, 3]), ints(&[2, 0], &[2, 1]), number(1.5)];
        with(s, x, params![1], 1);
    }),
    ("scatter_reduce", |s| {
        for how in ["sum", "mean", "amax", "prod"] {
            let x = vec![s.normal(&[2, 3]), ints(&[2, 0, 2, 0], &[2, 2]), s.normal(&[2, 2])];
            with(s, x, params![1, how, true], 5);
        }
    }),
    ("index_add", |s| {
        let x = vec![s.normal(&[2, 3]), ints(&[2, 0, 2], &[3]), s.normal(&[2, 3])];
        with(s, x, params![1, 2.0], 5);
    }),
    ("index_fill", |s| {
        let x = vec![s.normal(&[2, 3]), ints(&[2, 0], &[2]), s.normal(&[])];
        with(s, x, params![1], 5);
    }),
    ("index_reduce", |s| {
        for how in ["mean", "amax", "prod"] {
            let x = vec![s.normal(&[2, 3]), ints(&[2, 0, 2], &[3]), s.normal(&[2, 3])];
            with(s, x, params![1, how, true], 5);
        }
    }),
    ("embedding", |s| {
        let x = vec![s.normal(&[4, 2]), ints(&[3, 0, 3], &[3])];
        with(s, x, params![-1, false, false], 1);
    }),
    ("embedding_nn", |s| {
        let x = vec![ints(&[3, 0, 3], &[3]), s.normal(&[4, 2])];
        with(s, x, params![NOTHING, NOTHING, 2.0, false, false], 2);
    }),
    ("index_put_masked", |s| {
        let x = vec![s.normal(&[4, 3]), ints(&[3, 0, 3], &[3]), ints(&[0, 1, 0], &[3]), s.normal(&[3])];
        with(s, x, params![2, true], 9);
    }),
    ("scatter_with", |s| {
        // PyTorch has no gradient for it either.
        let x = vec![s.normal(&[2, 3]), ints(&[2, 0], &[2, 1]), s.normal(&[2, 1])];
        with(s, x, params![1, "multiply"], 0);
    }),
    ("segment_reduce", |s| {
        for how in ["sum", "mean", "max"] {
            let x = s.normal(&[5, 2]);
            s.push(vec![Some(x), Some(ints(&[2, 3], &[2])), None, None], params![how, 0, false, NOTHING], 1);
        }
    }),
];

static TRANSFORMS: &[(&str, Draw)] = &[
    ("fft_c2c", |s| put(s, &[&[2, 4]], params![[1i64], true, 1.0])),
    ("fft_r2c", |s| put(s, &[&[2, 4]], params![[1i64], 4, 1.0])),
    ("fft_c2r", |s| {
        let x = complex(s, &[2, 3]);
        with(s, vec![x], params![[1i64], 4, 1.0], 1);
    }),
    ("fft_fftn", |s| put(s, &[&[2, 3, 4]], params![NOTHING, [0i64, 2], "ortho"])),
    ("fft_ifftn", |s| put(s, &[&[2, 3, 4]], params![[2i64, 5], NOTHING, NOTHING])),
    ("fft_rfftn", |s| put(s, &[&[2, 3, 4]], params![NOTHING, [0i64, 2], "ortho"])),
    ("fft_ihfftn", |s| put(s, &[&[2, 3, 4]], params![NOTHING, [0i64, 2], NOTHING])),
    ("fft_irfftn", |s| put(s, &[&[2, 3, 4]], params![NOTHING, [0i64, 2], "forward"])),
    ("fft_hfftn", |s| put(s, &[&[2, 3, 4]], params![[2i64, 5], [0i64, 2], NOTHING])),
    ("fft_fftshift", |s| put(s, &[&[2, 3]], params![[1i64]])),
    ("fft_ifftshift", |s| put(s, &[&[2, 3]], params![NOTHING])),
    ("istft", |s| {
        let x = complex(s, &[2, 4, 5]);
        s.push(vec![Some(x), None], params![6, 2, NOTHING, true, false, NOTHING, NOTHING, false], 1);
    }),
];

static LAYERS: &[(&str, Draw)] = &[
    ("grid_sampler_2d", |s| {
        let x = vec![s.normal(&[1, 2, 4, 5]), s.uniform(&[1, 2, 3, 2], -0.9, 0.9)];
        with(s, x, params![2, 1, true], 3);
    }),
    ("grid_sampler_3d", |s| {
        for mode in [0, 2] {
            let x = vec![s.normal(&[1, 1, 3, 4, 3]), s.uniform(&[1, 1, 2, 1, 3], -0.9, 0.9)];
            with(s, x, params![mode, 0, false], 3);
        }
    }),
    ("conv1d", |s| put(s, &[&[2, 2, 5], &[4, 1, 3], &[4]], params![[2i64], [1i64], [1i64], 2])),
    ("conv2d", |s| put(s, &[&[1, 2, 4, 5], &[3, 2, 3, 2], &[3]], params![[1i64, 2], [1i64, 0], [1i64, 2], 1])),
    ("conv3d", |s| put(s, &[&[1, 1, 3, 3, 3], &[2, 1, 2, 2, 2], &[2]], params![[1i64], [0i64], [1i64], 1])),
    ("conv1d_padding", |s| put(s, &[&[2, 2, 5], &[4, 1, 3], &[4]], params![[1i64], "same", [1i64], 2])),
    ("conv2d_padding", |s| put(s, &[&[1, 2, 4, 5], &[3, 2, 3, 2], &[3]], params![[1i64], "same", [1i64], 1])),
    ("conv3d_padding", |s| put(s, &[&[1, 1, 3, 3, 3], &[2, 1, 2, 2, 2], &[2]], params![[1i64], "valid", [1i64], 1])),
    ("conv_transpose1d", |s| put(s, &[&[2, 2, 4], &[2, 1, 3], &[2]], params![[2i64], [1i64], [1i64], 2, [1i64]])),
    ("conv_transpose2d", |s| {
        put(s, &[&[1, 2, 3, 3], &[2, 2, 2, 3], &[2]], params![[2i64, 1], [0i64, 1], [1i64, 0], 1, [1i64]])
    }),
    ("conv_transpose3d", |s| {
        put(s, &[&[1, 1, 2, 2, 2], &[1, 2, 2, 2, 2], &[2]], params![[1i64], [0i64], [0i64], 1, [1i64]])
    }),
    ("max_pool1d", |s| put(s, &[&[2, 2, 6]], params![[2i64], [2i64], [1i64], [1i64], true])),
    ("max_pool2d", |s| put(s, &[&[1, 2, 4, 5]], params![[2i64, 3], NOTHING, [1i64, 1], [1i64], false])),
    ("max_pool3d", |s| put(s, &[&[1, 1, 3, 4, 4]], params![[2i64], [1i64], [0i64], [1i64], false])),
    ("avg_pool1d", |s| put(s, &[&[2, 2, 6]], params![[2i64], [2i64], [1i64], true, false])),
    ("avg_pool2d", |s| put(s, &[&[1, 2, 4, 5]], params![[2i64, 3], NOTHING, [1i64, 1], false, true, NOTHING])),
    ("avg_pool3d", |s| put(s, &[&[1, 1, 3, 4, 4]], params![[2i64], [1i64], [0i64], false, true, 3])),
    ("adaptive_avg_pool1d", |s| put(s, &[&[2, 2, 5]], params![[3i64]])),
    ("adaptive_avg_pool2d", |s| put(s, &[&[1, 2, 5, 4]], params![[3i64, 2]])),
    ("adaptive_avg_pool3d", |s| put(s, &[&[1, 1, 3, 4, 4]], params![[2i64, 3, 1]])),
    ("adaptive_max_pool1d", |s| put(s, &[&[2, 2, 5]], params![[3i64], true])),
    ("adaptive_max_pool2d", |s| put(s, &[&[1, 2, 5, 4]], params![[3i64, 2], false])),
    ("adaptive_max_pool3d", |s| put(s, &[&[1, 1, 3, 4, 4]], params![[2i64, 3, 1], true])),
    ("unfold_blocks", |s| put(s, &[&[1, 2, 4, 4]], params![[2i64, 3], [1i64], [1i64], [2i64]])),
    ("fold_blocks", |s| put(s, &[&[1, 8, 4]], params![[4i64, 4], [2i64, 2], [1i64], [0i64], [2i64]])),
    ("softmax_nn", |s| put(s, &[&[2, 3]], params![1, 3, NOTHING])),
    ("log_softmax_nn", |s| put(s, &[&[2, 3]], params![0, 3, NOTHING])),
    ("softmin", |s| put(s, &[&[2, 3]], params![-1, 3, NOTHING])),
    ("layer_norm", |s| put(s, &[&[2, 3, 4], &[4], &[4]], params![[4i64], 1e-5])),
    ("rms_norm", |s| put(s, &[&[2, 3, 4], &[4]], params![[4i64], NOTHING])),
    ("batch_norm", |s| {
        let x = vec![s.normal(&[3, 2, 2]), s.normal(&[2]), s.uniform(&[2], 0.5, 2.0), s.normal(&[2]), s.normal(&[2])];
        with(s, x, params![false, 0.1, 1e-5, false], 25);
    }),
    ("instance_norm", |s| {
        let (x, w, b) = (s.normal(&[2, 2, 4]), s.normal(&[2]), s.normal(&[2]));
        s.push(vec![Some(x), None, None, Some(w), Some(b)], params![true, 0.1, 1e-5, false], 25);
    }),
    ("native_batch_norm", |s| {
        let (x, w, b) = (s.normal(&[4, 2, 3]), s.normal(&[2]), s.normal(&[2]));
        s.push(vec![Some(x), Some(w), Some(b), None, None], params![true, 0.1, 1e-5], 7);
    }),
    ("native_layer_norm", |s| put(s, &[&[2, 3, 4], &[4], &[4]], params![[4i64], 1e-5])),
    ("native_group_norm", |s| put(s, &[&[2, 4, 3], &[4], &[4]], params![2, 4, 3, 2, 1e-5])),
    ("native_batch_norm_alone", |s| put(s, &[&[4, 2, 3], &[2], &[2]], params![true, 0.1, 1e-5])),
    ("scaled_dot_product_attention", |s| {
        put(s, &[&[2, 3, 4], &[2, 5, 4], &[2, 5, 4]], params![0.0, true, NOTHING, false])
    }),
];

static LOSSES: &[(&str, Draw)] = &[
    ("nll_loss", |s| {
        let x = vec![s.normal(&[3, 4]), ints(&[1, -100, 3], &[3]), s.uniform(&[4], 0.5, 2.0)];
        with(s, x, params![NOTHING, -100, NOTHING, "mean"], 1);
    }),
    ("l1_loss", |s| {
        for how in ["mean", "sum", "none"] {
            put(s, &[&[2, 3], &[2, 3]], params![NOTHING, NOTHING, how])
        }
    }),
    ("huber_loss", |s| {
        for how in ["mean", "none"] {
            put(s, &[&[2, 3], &[2, 3]], params![how, 0.5])
        }
    }),
    ("binary_cross_entropy", |s| {
        let x = vec![s.uniform(&[2, 3], 0.1, 0.9), s.uniform(&[2, 3], 0.1, 0.9)];
        with(s, x, params![NOTHING, NOTHING, "mean"], 3);
    }),
    ("binary_cross_entropy_with_logits", |s| {
        let x = vec![s.normal(&[2, 3]), s.uniform(&[2, 3], 0.1, 0.9)];
        with(s, x, params![NOTHING, NOTHING, "sum"], 3);
    }),
    ("kl_div", |s| {
        put(s, &[&[2, 3], &[2, 3]], params![NOTHING, NOTHING, "batchmean", true]);
        let x = vec![s.normal(&[2, 3]), s.uniform(&[2, 3], 0.1, 0.9)];
        with(s, x, params![NOTHING, NOTHING, "sum", false], 3);
    }),
];
