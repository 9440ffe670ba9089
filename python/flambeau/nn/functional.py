# ruff: noqa: F401
"""Layers as plain functions: what the modules of `flambeau.nn` compute, without their parameters.

Functions named in `NATIVE` come from the engine with PyTorch's signature and no Python frame in between; the
others are composites of tensor operations, written in the `_functional_*` files of this folder.
"""

import types

from .. import _C
from .._overridable import publish
from ._functional_attention import multi_head_attention_forward
from ._functional_layers import (
    alpha_dropout,
    bilinear,
    channel_shuffle,
    cosine_similarity,
    embedding_bag,
    feature_alpha_dropout,
    fold,
    gumbel_softmax,
    local_response_norm,
    native_channel_shuffle,
    normalize,
    pairwise_distance,
    pdist,
    pixel_shuffle,
    pixel_unshuffle,
    rrelu,
    rrelu_,
    unfold,
)
from ._functional_loss import (
    cosine_embedding_loss,
    ctc_loss,
    gaussian_nll_loss,
    hinge_embedding_loss,
    linear_cross_entropy,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from ._functional_resize import affine_grid, grid_sample, interpolate  # noqa: E402, F401
from ._functional_pool import (
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d_with_indices,
    fractional_max_pool2d,
    fractional_max_pool2d_with_indices,
    fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d_with_indices,
    max_pool2d_with_indices,
    max_pool3d_with_indices,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)

# Names that the engine provides at `flambeau._C._nn`, each with the signature of the function of the same
# name in
# torch.nn.functional. One that the engine lacks does not exist here either.
NATIVE = """
linear
conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d
relu relu_ relu6 gelu silu mish elu elu_ celu celu_ selu selu_ leaky_relu leaky_relu_ prelu
softplus logsigmoid hardtanh hardtanh_ hardswish hardsigmoid hardshrink softshrink tanhshrink softsign
threshold threshold_ glu tanh sigmoid softmax log_softmax softmin
layer_norm group_norm rms_norm batch_norm instance_norm
max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d
adaptive_avg_pool1d adaptive_max_pool1d
dropout dropout1d dropout2d dropout3d
embedding one_hot pad
cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss
binary_cross_entropy binary_cross_entropy_with_logits kl_div
scaled_dot_product_attention
""".split()

for _name in NATIVE:
    if hasattr(_C._nn, _name):
        globals()[_name] = getattr(_C._nn, _name)
del _name


def _sized(name, nd):
    """An adaptive pool whose `output_size` may hold None: that dimension keeps its size."""
    native = getattr(_C._nn, name, None)
    if native is None:
        return

    def size(input, output_size):
        if input.dim() <= nd:
            raise ValueError(f"Input dimension should be at least {nd + 1}")
        if isinstance(output_size, (list, tuple)) and None in output_size:
            kept = input.shape[-nd:]
            output_size = [kept[i] if s is None else s for i, s in enumerate(output_size)]
        elif output_size is None:
            output_size = input.shape[-nd:]
        return output_size

    if name.startswith("adaptive_avg"):

        def pool(input, output_size):
            return native(input, size(input, output_size))
    else:

        def pool(input, output_size, return_indices=False):
            return native(input, size(input, output_size), return_indices)

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = native.__doc__
    globals()[name] = pool


for _nd in (2, 3):
    _sized(f"adaptive_avg_pool{_nd}d", _nd)
    _sized(f"adaptive_max_pool{_nd}d", _nd)
del _nd

if "cross_entropy" in globals():
    cross_entropy_loss = globals()["cross_entropy"]


# Subclasses see these as a whole. Those that PyTorch has in C are told apart: handlers get their arguments as
# given.
_open = [
    _name
    for _name, _value in globals().items()
    if isinstance(_value, types.FunctionType) and not _name.startswith(("_", "upsample"))
]
_in_c = {
    "bilinear",
    "channel_shuffle",
    "cosine_similarity",
    "native_channel_shuffle",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "rrelu_",
}
publish(globals(), _open, __name__, _in_c)
del _open, _in_c


def __getattr__(name):
    if name in NATIVE:
        raise AttributeError(
            f"module 'flambeau.nn.functional' has no attribute '{name}': this build's engine does not "
            "provide it"
        )
    raise AttributeError(f"module 'flambeau.nn.functional' has no attribute '{name}'")
