//! PyTorch's names of nodes, for the rows whose own name says something else: rows split where PyTorch has overloads, and
//! kernels that serve several public functions.

mod shown;

use flambeau_core::op::{Inputs, Params, ParamsExt};

use shown::{SHOWN, Show};
pub(crate) use shown::{batches, linear_of_copied, linear_of_spread, turned_back};

const NAMES: &[(&str, &str)] = &[
    ("true_div", "DivBackward0"),
    ("pow_number", "PowBackward0"),
    ("pow_tensor", "PowBackward1"),
    ("square", "PowBackward0"),
    ("rsub", "RsubBackward1"),
    ("zero_", "ZeroBackward0"),
    ("index_put", "IndexPutBackward0"),
    ("index_put_masked", "IndexPutBackward0"),
    ("prelu_kernel", "PreluKernelBackward0"),
    ("log1p", "Log1PBackward0"),
    ("where_select", "WhereBackward0"),
    ("index_add_kernel", "IndexAddBackward0"),
    ("cat_kernel", "CatBackward0"),
    ("stack", "StackBackward0"),
    ("embedding_kernel", "EmbeddingBackward0"),
    ("linear_kernel", "AddmmBackward0"),
    ("mv", "MvBackward0"),
    ("dot", "DotBackward0"),
    ("vdot", "VdotBackward0"),
    ("addmm", "AddmmBackward0"),
    ("addmv", "AddmvBackward0"),
    ("baddbmm", "BaddbmmBackward0"),
    ("addcmul", "AddcmulBackward0"),
    ("addcdiv", "AddcdivBackward0"),
    ("trace", "TraceBackward0"),
    ("cross", "LinalgCrossBackward0"),
    ("ctc_loss_kernel", "CtcLossBackward0"),
    ("lstm_layer", "MkldnnRnnLayerBackward0"),
    ("convolution_kernel", "ConvolutionBackward0"),
    ("conv_input", "ConvolutionBackward0"),
    ("conv_weight", "ConvolutionBackward0"),
    ("max_pool_kernel", "MaxPool2DWithIndicesBackward0"),
    ("avg_pool_kernel", "AvgPool2DBackward0"),
    ("adaptive_avg_kernel", "AdaptiveAvgPool2DBackward0"),
    ("batch_norm_kernel", "NativeBatchNormBackward0"),
    ("layer_norm_kernel", "NativeLayerNormBackward0"),
    ("group_norm", "NativeGroupNormBackward0"),
    ("pixel_shuffle", "PixelShuffleBackward0"),
    ("elu_kernel", "EluBackward0"),
    ("gelu_exact", "GeluBackward0"),
    ("gelu_tanh", "GeluBackward0"),
    ("logsigmoid", "LogSigmoidBackward0"),
    ("clamp_tensor", "ClampBackward1"),
    ("clamp_below", "ClampMinBackward0"),
    ("clamp_above", "ClampMaxBackward0"),
    ("var", "VarBackward0"),
    ("std", "StdBackward0"),
    ("norm_p", "LinalgVectorNormBackward0"),
    ("max", "MaxBackward1"),
    ("max_dim", "MaxBackward0"),
    ("min", "MinBackward1"),
    ("min_dim", "MinBackward0"),
    ("median", "MedianBackward0"),
    ("kthvalue", "KthvalueBackward0"),
    ("mse_loss", "MseLossBackward0"),
    ("huber_loss", "HuberLossBackward0"),
    ("soft_margin_loss", "SoftMarginLossBackward0"),
    ("binary_cross_entropy", "BinaryCrossEntropyBackward0"),
    ("binary_cross_entropy_with_logits", "BinaryCrossEntropyWithLogitsBackward0"),
    ("nll_loss", "NllLossBackward0"),
    ("roll", "RollBackward0"),
    ("repeat", "RepeatBackward0"),
    ("rot90", "Rot90Backward0"),
    ("take", "TakeBackward0"),
    ("masked_select", "MaskedSelectBackward0"),
    ("constant_pad_nd", "ConstantPadNdBackward0"),
    ("cast", "ToCopyBackward0"),
    ("copy", "torch::autograd::CopyBackwards"),
    ("strided_clone", "CloneBackward0"),
    ("t", "TBackward0"),
    ("transpose", "TransposeBackward0"),
    ("mt", "TransposeBackward0"),
    ("squeeze", "SqueezeBackward0"),
    ("squeeze_dim", "SqueezeBackward1"),
    ("squeeze_dims", "SqueezeBackward2"),
    ("permute", "PermuteBackward0"),
    ("conj_physical", "ConjBackward0"),
    ("logit", "LogitBackward0"),
    ("deg2rad", "Deg2RadBackward0"),
    ("rad2deg", "Rad2DegBackward0"),
    ("ldexp", "LdexpBackward0"),
    ("mvlgamma", "MvlgammaBackward0"),
    ("complex", "ComplexBackward0"),
    ("polar", "PolarBackward0"),
    ("celu", "CeluBackward0"),
    ("glu", "GluBackward0"),
    ("var_unbiased", "VarBackward0"),
    ("var_dim", "VarBackward0"),
    ("std_unbiased", "StdBackward0"),
    ("std_dim", "StdBackward0"),
    ("var_mean", "VarMeanBackward0"),
    ("var_mean_unbiased", "VarMeanBackward0"),
    ("var_mean_dim", "VarMeanBackward0"),
    ("std_mean", "StdMeanBackward0"),
    ("std_mean_unbiased", "StdMeanBackward0"),
    ("std_mean_dim", "StdMeanBackward0"),
    ("aminmax", "AminmaxBackward0"),
    ("median_dim", "MedianBackward1"),
    ("nanmedian", "NanmedianBackward0"),
    ("nanmedian_dim", "NanmedianBackward1"),
    ("mode", "ModeBackward0"),
    ("dist", "DistBackward0"),
    ("renorm", "RenormBackward0"),
    ("diag_embed", "DiagEmbedBackward0"),
    ("tile", "RepeatBackward0"),
    ("select_scatter", "SelectScatterBackward0"),
    ("slice_scatter", "SliceScatterBackward0"),
    ("diagonal_scatter", "DiagonalScatterBackward0"),
    ("as_strided_scatter", "AsStridedScatterBackward0"),
    ("masked_scatter", "MaskedScatterBackward0"),
    ("addr", "AddrBackward0"),
    ("addbmm", "AddbmmBackward0"),
    ("linalg_inv", "LinalgInvExBackward0"),
    ("inverse", "LinalgInvExBackward0"),
    ("inv_ex", "LinalgInvExBackward0"),
    ("linalg_solve", "LinalgSolveExBackward0"),
    ("solve_ex", "LinalgSolveExBackward0"),
    ("solve_kernel", "LinalgSolveExBackward0"),
    ("solve_triangular_kernel", "LinalgSolveTriangularBackward0"),
    ("cholesky_kernel", "LinalgCholeskyExBackward0"),
    ("cholesky_solve", "CholeskySolveBackward0"),
    ("cholesky_inverse", "CholeskyInverseBackward0"),
    ("det", "LinalgDetBackward0"),
    ("det_kernel", "LinalgSlogdetBackward0"),
    ("eigh_kernel", "LinalgEighBackward0"),
    ("eig_kernel", "LinalgEigBackward0"),
    ("svd_kernel", "LinalgSvdBackward0"),
    ("qr_kernel", "LinalgQrBackward0"),
    ("pinv_kernel", "LinalgPinvBackward0"),
    ("linalg_lu", "LinalgLuBackward0"),
    ("lu_factor", "LinalgLuFactorExBackward0"),
    ("lu_factor_ex", "LinalgLuFactorExBackward0"),
    ("matrix_exp", "LinalgMatrixExpBackward0"),
    ("householder_product", "LinalgHouseholderProductBackward0"),
    ("im2col_kernel", "Im2ColBackward0"),
    ("col2im_kernel", "Col2ImBackward0"),
    ("floor_divide", NOT_IMPLEMENTED),
    ("heaviside", NOT_IMPLEMENTED),
    ("fft_r2c", "FftR2CBackward0"),
    ("fft_c2r", "FftC2RBackward0"),
    ("i1", "SpecialI1Backward0"),
    ("i0e", "SpecialI0EBackward0"),
    ("i1e", "SpecialI1EBackward0"),
    ("ndtri", "SpecialNdtriBackward0"),
    ("log_ndtr", "SpecialLogNdtrBackward0"),
    ("erfcx", "SpecialErfcxBackward0"),
    ("entr", "SpecialEntrBackward0"),
    ("softmax_backward", "SoftmaxBackwardDataBackward0"),
    ("log_softmax_backward", "LogSoftmaxBackwardDataBackward0"),
    ("gelu_exact_backward", "GeluBackwardBackward0"),
    ("gelu_tanh_backward", "GeluBackwardBackward0"),
    ("put", "PutBackward0"),
    ("unique", "Unique2Backward0"),
    ("scatter_extreme", "ScatterReduceBackward0"),
    ("index_reduce", "IndexReduceBackward0"),
    ("linalg_cross", "LinalgCrossBackward0"),
    ("lstsq_kernel", "LinalgLstsqBackward0"),
    ("linalg_lu_solve", "LinalgLuSolveBackward0"),
    ("bernoulli", "BernoulliBackward0"),
];

/// Of operations whose gradient nobody has written.
const NOT_IMPLEMENTED: &str = "torch::autograd::NotImplemented";

/// Names that in-place calls have of their own.
const INPLACE: &[(&str, &str)] = &[
    ("elu_kernel", "EluBackward1"),
    ("elu", "EluBackward1"),
    ("selu", "EluBackward1"),
    ("celu", "CeluBackward1"),
    ("leaky_relu", "LeakyReluBackward1"),
    ("threshold", "ThresholdBackward1"),
];

/// Inputs without an edge in PyTorch's node, as bits.
const HIDDEN: &[(&str, u16)] = &[
    ("where_select", 0b1),
    ("index", !1),
    ("index_select", 0b10),
    ("gather", 0b10),
    ("scatter", 0b10),
    ("scatter_with", 0b10),
    ("scatter_add", 0b10),
    ("scatter_reduce", 0b10),
    ("index_put_masked", 0b10),
    ("index_add", 0b10),
    ("index_add_kernel", 0b10),
    ("index_copy", 0b10),
    ("index_fill", 0b10),
    ("take", 0b10),
    ("masked_select", 0b10),
    ("masked_scatter", 0b10),
    ("embedding_kernel", 0b10),
    ("batch_norm_kernel", 0b11000),
    ("mse_loss", 0b100),
    ("huber_loss", 0b100),
    ("binary_cross_entropy", 0b100),
    ("binary_cross_entropy_with_logits", 0b1100),
    ("nll_loss", 0b110),
    ("pinv_kernel", 0b10),
    ("scaled_dot_product_attention", 0b1000),
    ("ctc_loss_kernel", 0b1110),
    ("put", 0b10),
    ("scatter_extreme", 0b10),
    ("index_reduce", 0b10),
    ("linalg_lu_solve", 0b10),
];

type Label = fn(Inputs, &Params) -> &'static str;

const LABELS: &[(&str, Label)] = &[
    ("clamp", |x, _| match x.iter().skip(1).flatten().all(|bound| bound.is_wrapped()) {
        true => "ClampBackward1",
        false => "ClampBackward0",
    }),
    ("index_fill", |x, _| match x[2] {
        Some(value) if !value.is_wrapped() => "IndexFillBackward1",
        _ => "IndexFillBackward0",
    }),
    ("fill_", |x, _| match x[1] {
        Some(value) if !value.is_wrapped() => "FillBackward3",
        _ => "FillBackward2",
    }),
    ("smooth_l1_loss", |_, p| if p.float(3) == 0.0 { "" } else { "SmoothL1LossBackward0" }),
    ("grid_sampler", |x, _| match x[0] {
        Some(t) if t.ndim() == 5 => "GridSampler3DBackward0",
        _ => "GridSampler2DBackward0",
    }),
    ("max_pool2d", |x, _| unbatched(x, 3, "MaxPool2DWithIndicesBackward0")),
    ("max_pool3d", |x, _| unbatched(x, 4, "MaxPool3DWithIndicesBackward0")),
    ("avg_pool2d", |x, _| unbatched(x, 3, "AvgPool2DBackward0")),
    ("avg_pool3d", |x, _| unbatched(x, 4, "AvgPool3DBackward0")),
    ("adaptive_max_pool2d", |x, _| unbatched(x, 3, "AdaptiveMaxPool2DBackward0")),
    ("adaptive_max_pool3d", |x, _| unbatched(x, 4, "AdaptiveMaxPool3DBackward0")),
    ("adaptive_avg_pool2d", |x, p| match p.ints(0).iter().all(|&n| n == 1) {
        true => unbatched(x, 3, "MeanBackward1"),
        false => unbatched(x, 3, "AdaptiveAvgPool2DBackward0"),
    }),
    ("adaptive_avg_pool3d", |x, p| match p.ints(0).iter().all(|&n| n == 1) {
        true => unbatched(x, 4, "MeanBackward1"),
        false => unbatched(x, 4, "AdaptiveAvgPool3DBackward0"),
    }),
    ("div", |_, p| match p.first() {
        None | Some(flambeau_core::op::Value::None) => "",
        Some(_) => "DivBackward2",
    }),
    ("rsub", |x, _| match x.get(1) {
        Some(Some(other)) if !other.is_wrapped() => "RsubBackward0",
        _ => "RsubBackward1",
    }),
    ("nll_loss", |x, _| match x[0] {
        Some(t) if t.ndim() <= 2 => "NllLossBackward0",
        Some(t) if t.ndim() == 4 => "NllLoss2DBackward0",
        _ => "",
    }),
    ("scatter_reduce", |_, _| "ScatterReduceBackward0"),
    ("diag", |x, _| match x[0] {
        Some(t) if t.ndim() == 1 => "DiagEmbedBackward0",
        _ => "DiagonalBackward0_copy",
    }),
    ("fft_c2c", |x, _| match x[0] {
        Some(t) if t.dtype().is_complex() => "FftC2CBackward0",
        _ => "FftR2CBackward0",
    }),
    ("pad", |x, p| {
        let pairs = p.ints(0).len() / 2;
        match (p.str(1), pairs) {
            ("constant", _) if p.ints(0).iter().any(|&n| n != 0) && x[0].is_some() => "ConstantPadNdBackward0",
            ("reflect", 1) => "ReflectionPad1DBackward0",
            ("reflect", 2) => "ReflectionPad2DBackward0",
            ("reflect", 3) => "ReflectionPad3DBackward0",
            ("replicate", 1) => "ReplicationPad1DBackward0",
            ("replicate", 2) => "ReplicationPad2DBackward0",
            ("replicate", 3) => "ReplicationPad3DBackward0",
            _ => "",
        }
    }),
    ("scaled_dot_product_attention", |x, p| match (x[0], x.get(3)) {
        (Some(q), mask)
            if q.ndim() == 4
                && q.dtype().is_float()
                && p.float(0) == 0.0
                && !mask.is_some_and(|m| m.is_some_and(|m| m.requires_grad())) =>
        {
            "ScaledDotProductFlashAttentionForCpuBackward0"
        }
        _ => "",
    }),
];

/// The place of a row in a table, which ends where there is none.
macro_rules! find {
    ($table:ident, $row:ident, $none:expr) => {{
        let mut i = 0;
        loop {
            if i == $table.len() {
                break $none;
            }
            if same($table[i].0.as_bytes(), $row.as_bytes()) {
                break $table[i].1;
            }
            i += 1;
        }
    }};
}

pub const fn hidden_of(row: &str) -> u16 {
    find!(HIDDEN, row, 0)
}

pub const fn shown_of(row: &str) -> Option<Show> {
    let mut i = 0;
    while i < SHOWN.len() {
        if same(SHOWN[i].0.as_bytes(), row.as_bytes()) {
            return Some(SHOWN[i].1);
        }
        i += 1;
    }
    None
}

pub const fn label_of(row: &str) -> Option<Label> {
    let mut i = 0;
    while i < LABELS.len() {
        if same(LABELS[i].0.as_bytes(), row.as_bytes()) {
            return Some(LABELS[i].1);
        }
        i += 1;
    }
    None
}

/// The name of a row's node, or nothing where it is made from the row's own.
pub const fn name_of(row: &str) -> &'static str {
    find!(NAMES, row, "")
}

/// The name of the node of a row's in-place call, where it has one of its own.
pub const fn inplace_of(row: &str) -> &'static str {
    find!(INPLACE, row, "")
}

/// Without a batch the engine adds one; PyTorch's kernels need none.
fn unbatched(x: Inputs, ndim: usize, name: &'static str) -> &'static str {
    if x[0].is_some_and(|t| t.ndim() == ndim) { name } else { "" }
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
