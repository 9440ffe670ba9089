//! PyTorch's names of nodes, for the rows whose own name says something else: rows split where PyTorch has overloads, and
//! kernels that serve several public functions.

use flambeau_core::autograd::{Edges, Node, Shown};
use flambeau_core::op::{Inputs, Params, ParamsExt};

const NAMES: &[(&str, &str)] = &[
    ("true_div", "DivBackward0"),
    ("pow_number", "PowBackward0"),
    ("pow_tensor", "PowBackward1"),
    ("square", "PowBackward0"),
    ("rsub", "RsubBackward1"),
    ("zero_", "ZeroBackward0"),
    ("fill_", "FillBackward2"),
    ("index_fill", "IndexFillBackward0"),
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
    ("smooth_l1_loss", "SmoothL1LossBackward0"),
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
    ("clamp", 0b110),
    ("index_add", 0b10),
    ("index_add_kernel", 0b10),
    ("index_copy", 0b10),
    ("index_fill", 0b110),
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
];

type Show = fn(&Node, &Params) -> Shown;

const SHOWN: &[(&str, Show)] = &[
    ("pow_tensor", |n, _| match n.was_number(0) {
        true => Shown { name: Some("PowBackward2"), next: Some(n.visible(1)) },
        false => Shown::default(),
    }),
    ("remainder", |n, _| by_number(n, "RemainderBackward0", "RemainderBackward1")),
    ("fmod", |n, _| by_number(n, "FmodBackward0", "FmodBackward1")),
    ("clamp_below", |n, _| bounded(n, "ClampMinBackward0", "ClampMinBackward1")),
    ("clamp_above", |n, _| bounded(n, "ClampMaxBackward0", "ClampMaxBackward1")),
    ("clamp_tensor", |n, _| match n.was_number(1) && n.was_number(2) {
        true => named("ClampBackward1", n.visible(0b110)),
        false => named("ClampBackward0", n.visible(0)),
    }),
    ("lerp", |n, _| match n.was_number(2) {
        true => named("LerpBackward0", n.visible(0b100)),
        false => named("LerpBackward1", n.visible(0)),
    }),
    ("masked_fill", |n, _| match n.next().get(2) {
        Some(Some(_)) => named("MaskedFillBackward1", n.visible(0b10)),
        _ => named("MaskedFillBackward0", n.visible(0b110)),
    }),
    ("scatter", |n, _| match has_edge(n, 2) {
        true => named("ScatterBackward0", n.visible(0b10)),
        false => named("ScatterBackward1", n.visible(0b110)),
    }),
    ("round", |n, p| match p.int(0) {
        0 => Shown::default(),
        _ => named("RoundBackward1", n.visible(0)),
    }),
    ("sum", |n, p| over_dims(n, p, "SumBackward1")),
    ("mean", |n, p| over_dims(n, p, "MeanBackward1")),
    ("prod", |n, p| over_dims(n, p, "ProdBackward1")),
    ("index_put", |n, _| {
        let next = n.next();
        let ends = [next.first(), next.last()];
        Shown { name: None, next: Some(ends.into_iter().flatten().cloned().collect()) }
    }),
    ("convolution_kernel", |n, _| convolution(n)),
    ("conv_input", |n, _| convolution(n)),
    ("max_pool_kernel", |n, _| windows(n, "MaxPool2DWithIndicesBackward0", "MaxPool3DWithIndicesBackward0")),
    ("avg_pool_kernel", |n, _| windows(n, "AvgPool2DBackward0", "AvgPool3DBackward0")),
    ("adaptive_avg_kernel", |n, p| match p.ints(0) {
        [1, 1] | [1, 1, 1] => named("MeanBackward1", n.visible(0)),
        _ => windows(n, "AdaptiveAvgPool2DBackward0", "AdaptiveAvgPool3DBackward0"),
    }),
    ("adaptive_max_kernel", |n, _| windows(n, "AdaptiveMaxPool2DBackward0", "AdaptiveMaxPool3DBackward0")),
    ("linear_kernel", |n, _| linear(n)),
    ("solve_kernel", |n, _| Shown { name: None, next: Some(n.visible(0)) }),
];

fn named(name: &'static str, next: Edges) -> Shown {
    Shown { name: Some(name), next: Some(next) }
}

fn has_edge(n: &Node, i: usize) -> bool {
    matches!(n.next().get(i), Some(Some(_)))
}

/// Overloads for a number and for a tensor as the second operand.
fn by_number(n: &Node, number: &'static str, tensor: &'static str) -> Shown {
    match n.was_number(1) || !has_edge(n, 1) {
        true => named(number, n.visible(0b10)),
        false => named(tensor, n.visible(0)),
    }
}

fn bounded(n: &Node, number: &'static str, tensor: &'static str) -> Shown {
    match n.was_number(1) {
        true => named(number, n.visible(0b10)),
        false => named(tensor, n.visible(0)),
    }
}

/// Reductions over given dimensions are overloads of their own.
fn over_dims(n: &Node, p: &Params, name: &'static str) -> Shown {
    match p.opt_ints(0) {
        Some(dims) if !dims.is_empty() => named(name, n.visible(0)),
        _ => Shown::default(),
    }
}

/// With a place for the bias, whether there is one or not.
fn convolution(n: &Node) -> Shown {
    let mut next = n.visible(0);
    next.resize(3, None);
    Shown { name: None, next: Some(next) }
}

/// Windows over lines are windows over pictures of one row.
fn windows(n: &Node, flat: &'static str, deep: &'static str) -> Shown {
    match n.outputs()[0].sizes.len() {
        5 => named(deep, n.visible(0)),
        3 => {
            let picture = Node::stand_in("UnsqueezeBackward0", n.visible(0));
            named("SqueezeBackward1", smallvec::smallvec![Node::stand_in(flat, smallvec::smallvec![picture])])
        }
        _ => named(flat, n.visible(0)),
    }
}

/// One node stands for a product with the transposed weight, and for the views around it.
fn linear(n: &Node) -> Shown {
    let next = n.next();
    let edge = |i: usize| next.get(i).cloned().flatten();
    let rank = n.outputs()[0].sizes.len();
    let biased = next.len() > 2;
    let turned = edge(1).and_then(|e| Node::stand_in("TBackward0", smallvec::smallvec![Some(e)]));
    let rows = match rank {
        2 => edge(0),
        1 if !biased => edge(0).and_then(|e| Node::stand_in("UnsqueezeBackward0", smallvec::smallvec![Some(e)])),
        _ => edge(0).and_then(|e| Node::stand_in("ViewBackward0", smallvec::smallvec![Some(e)])),
    };
    let (product, operands): (_, Edges) = match biased {
        true => ("AddmmBackward0", smallvec::smallvec![edge(2), rows, turned]),
        false => ("MmBackward0", smallvec::smallvec![rows, turned]),
    };
    match rank {
        2 => named(product, operands),
        1 if !biased => named("SqueezeBackward4", smallvec::smallvec![Node::stand_in(product, operands)]),
        _ => named("UnsafeViewBackward0", smallvec::smallvec![Node::stand_in(product, operands)]),
    }
}

type Label = fn(Inputs, &Params) -> &'static str;

const LABELS: &[(&str, Label)] = &[
    ("clamp", |x, _| match x.iter().skip(1).flatten().all(|bound| bound.is_wrapped()) {
        true => "ClampBackward1",
        false => "",
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
    ("scatter_reduce", |_, p| if p.str(1) == "sum" { "ScatterReduceBackward0" } else { "" }),
    ("diag", |x, _| match x[0] {
        Some(t) if t.ndim() == 1 => "DiagEmbedBackward0",
        _ => "",
    }),
    ("pad", |x, p| {
        let pairs = p.ints(0).len() / 2;
        match (p.str(1), pairs) {
            ("constant", _) if p.ints(0).iter().any(|&n| n > 0) && x[0].is_some() => "ConstantPadNdBackward0",
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

pub const fn hidden_of(row: &str) -> u16 {
    let mut i = 0;
    while i < HIDDEN.len() {
        if same(HIDDEN[i].0.as_bytes(), row.as_bytes()) {
            return HIDDEN[i].1;
        }
        i += 1;
    }
    0
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
    let mut i = 0;
    while i < NAMES.len() {
        if same(NAMES[i].0.as_bytes(), row.as_bytes()) {
            return NAMES[i].1;
        }
        i += 1;
    }
    ""
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
