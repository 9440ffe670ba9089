//! PyTorch's names of nodes, for the rows whose own name says something else: rows split where PyTorch has overloads, and
//! kernels that serve several public functions.

const NAMES: &[(&str, &str)] = &[
    ("true_div", "DivBackward0"),
    ("pow_number", "PowBackward0"),
    ("pow_tensor", "PowBackward1"),
    ("square", "PowBackward0"),
    ("rsub", "RsubBackward1"),
    ("zero_", "ZeroBackward0"),
    ("fill_", "FillBackward0"),
    ("index_fill", "IndexFillBackward0"),
    ("index_put", "IndexPutBackward0"),
    ("index_put_masked", "IndexPutBackward0"),
    ("prelu", "PreluKernelBackward0"),
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
    ("cross_entropy", "NllLossBackward0"),
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
    ("adjoint", "TransposeBackward0"),
    ("squeeze", "SqueezeBackward0"),
    ("squeeze_dims", "SqueezeBackward2"),
];

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
