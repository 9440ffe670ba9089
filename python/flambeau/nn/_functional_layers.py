"""Layers, distances and rearrangements that are composites of tensor operations."""

import math

import flambeau

from .. import _C
from .._shown import shown_as

F = _C._nn
Tensor = _C.Tensor


def _pair(x):
    return (
        (x[0], x[0])
        if isinstance(x, (tuple, list)) and len(x) == 1
        else tuple(x)
        if isinstance(x, (tuple, list))
        else (x, x)
    )


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """Divide by the p-norm along `dim`, or by `eps` where the norm is smaller."""
    norm = input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)
    if out is None:
        return input / norm
    return flambeau.div(input, norm, out=out)


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`; the inputs broadcast."""
    common = flambeau.promote_types(x1.dtype, x2.dtype)
    if not (common.is_floating_point or common.is_complex):
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {common}")
    x1, x2 = flambeau.broadcast_tensors(x1.to(common), x2.to(common))

    def unit(x):
        norm = flambeau.linalg.vector_norm(x, 2, dim, keepdim=True).clone()
        # The bound is no part of the graph: the gradient is the norm's.
        with flambeau.no_grad():
            norm.clamp_min_(eps)
        return x / norm

    return (unit(x1) * unit(x2)).sum(dim)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """p-norm of `x1 - x2 + eps` along the last dimension."""
    difference = _C._internal.add_number(x1 - x2, eps)
    distance = flambeau.norm(difference, p, -1, keepdim)
    _C._show_as(distance, "NormBackward1", difference)
    return distance


@shown_as("PdistBackward0")
def pdist(input, p=2):
    """p-norm distances between the rows of a matrix, each pair once: N (N - 1) / 2 values."""
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    i, j = flambeau.triu_indices(input.size(0), input.size(0), 1, device=input.device)
    return flambeau.linalg.vector_norm(input[i] - input[j], p, -1)


def bilinear(input1, input2, weight, bias=None):
    """y[o] = x1 . weight[o] . x2 + bias[o], for inputs (*, in1) and (*, in2) and a weight (out, in1, in2)."""
    if input1.dim() != input2.dim():
        raise RuntimeError(
            f"bilinear(): input dimensions do not match: got {input1.dim()} and {input2.dim()}"
        )
    for i in range(input1.dim() - 1):
        if input1.size(i) != input2.size(i):
            raise RuntimeError(
                f"bilinear(): input batch dimensions do not match at dim {i}: got {input1.size(i)} and "
                f"{input2.size(i)}"
            )
    for x, d, what in ((input1, 1, "input1"), (input2, 2, "input2")):
        if x.size(-1) != weight.size(d):
            raise RuntimeError(
                f"bilinear(): {what} size does not match weight size: got {x.size(-1)} but expected "
                f"{weight.size(d)}"
            )
    if bias is not None and bias.size(0) != weight.size(0):
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {bias.size(0)} but expected "
            f"{weight.size(0)}"
        )
    a = input1.reshape(-1, input1.size(-1))
    b = input2.reshape(-1, input2.size(-1))
    out = flambeau.einsum("ni,oij,nj->no", a, weight, b)
    _C._show_as(out, "TrilinearBackward0", a, weight, b)
    out = out.reshape(*input1.shape[:-1], weight.size(0))
    return out if bias is None else out + bias


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """A sample of the Gumbel-softmax distribution (Jang et al., 2017), differentiable in `logits`.

    With `hard` the result is one-hot and has the gradient of the soft sample.
    """
    gumbels = -flambeau.empty_like(logits).exponential_().log()
    y_soft = ((logits + gumbels) / tau).softmax(dim)
    if not hard:
        return y_soft
    index = y_soft.max(dim, keepdim=True)[1]
    y_hard = flambeau.zeros_like(logits).scatter_(dim, index, 1.0)
    return y_hard - y_soft.detach() + y_soft


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """Divide by (k + alpha * mean of squares over `size` neighbouring channels) ** beta (AlexNet, 2012)."""
    dim = input.dim()
    if dim < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality                          input (got {dim} dimensions)"
        )
    if input.numel() == 0:
        return input
    div = input.mul(input)
    if dim == 3:
        div = F.pad(div.unsqueeze(1), (0, 0, size // 2, (size - 1) // 2))
        div = F.avg_pool2d(div, (size, 1), stride=1).squeeze(1)
    else:
        sizes = input.size()
        div = div.reshape(sizes[0], 1, sizes[1], sizes[2], -1)
        div = F.pad(div, (0, 0, 0, 0, size // 2, (size - 1) // 2))
        div = F.avg_pool3d(div, (size, 1, 1), stride=1).squeeze(1).reshape(sizes)
    return input / div.mul(alpha).add(k).pow(beta)


def _check_p(p):
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _alpha_dropout(input, p, training, inplace, feature):
    _check_p(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return (
            input.zero_() if inplace else input * flambeau.zeros((), dtype=input.dtype, device=input.device)
        )
    # Keeps mean 0 and variance 1 after SELU, whose negative saturation value is -alpha (Klambauer et al.,
    # 2017).
    alpha = 1.7580993408473766
    a = 1.0 / math.sqrt((alpha * alpha * p + 1) * (1 - p))
    # A complex number is kept or dropped as a whole.
    real = input.real.dtype if input.is_complex() else input.dtype
    if feature:
        shape = [s if i < 2 else 1 for i, s in enumerate(input.size())]
        noise = flambeau.empty(shape, dtype=real, device=input.device)
    else:
        noise = flambeau.empty_like(input, dtype=real)
    noise.bernoulli_(1 - p)
    shift = noise.sub(1).mul_(alpha * a).add_(alpha * a * p)
    noise.mul_(a)
    return input.mul_(noise).add_(shift) if inplace else (input * noise).add_(shift)


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout for SELU networks: dropped values become its saturation value, and mean and variance are
    kept.
    """
    return _alpha_dropout(input, p, training, inplace, False)


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """`alpha_dropout` of whole channels (dimension 1)."""
    if training and input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return _alpha_dropout(input, p, training, inplace, True)


@shown_as("RreluWithNoiseBackward0")
def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """Leaky ReLU whose negative slope is drawn anew for each negative value; their mean outside of
    training.
    """
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        slope = (lower + upper) / 2
        return F.leaky_relu_(input, slope) if inplace else F.leaky_relu(input, slope).contiguous()
    with flambeau.no_grad():
        negative = input <= 0
        slopes = flambeau.empty(int(negative.sum()), dtype=flambeau.double, device=input.device)
        if input.dtype != flambeau.double:
            lower, upper = flambeau.tensor([lower, upper], dtype=flambeau.float).tolist()
        # Scaled in two steps: a fused product and sum would round otherwise than PyTorch here.
        slopes = slopes.uniform_().mul_(upper - lower).add_(lower).to(input.dtype)
        factor = flambeau.ones_like(input).masked_scatter(negative, slopes)
    return input.mul_(factor) if inplace else input.contiguous() * factor


def rrelu_(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """In-place `rrelu`."""
    return rrelu(input, lower, upper, training, inplace=True)


@shown_as("ChannelShuffleBackward0")
def channel_shuffle(input, groups):
    """Split the channels (dimension 1) into groups and interleave them (ShuffleNet, 2018)."""
    if input.dim() <= 2:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.size())}"
        )
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    n, c, *rest = input.shape
    if c % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups."
        )
    if input.numel() == 0:
        return input.view(input.shape)
    mixed = input.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(input.shape)
    return _formatted(mixed, input)


def _formatted(result, input):
    """The result in the memory format that the input suggests."""
    if input.dim() == 4 and input.numel() and input.to(memory_format=flambeau.channels_last) is input:
        return result.clone(memory_format=flambeau.channels_last)
    return result.contiguous()


native_channel_shuffle = channel_shuffle


@shown_as("PixelShuffleBackward0")
def pixel_shuffle(input, upscale_factor):
    """(*, C r r, H, W) to (*, C, H r, W r): channels become pixels (Shi et al., 2016)."""
    if input.dim() < 3:
        raise RuntimeError(
            "pixel_shuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.dim()} dimension(s)"
        )
    r = upscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *batch, c, h, w = input.shape
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
            f"upscale_factor, but input.size(-3)={c} is not divisible by {r * r}"
        )
    n = len(batch)
    x = input.reshape(*batch, c // (r * r), r, r, h, w)
    x = x.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    if r == 1:
        x = x.clone()
    return _formatted(x.reshape(*batch, c // (r * r), h * r, w * r), input)


@shown_as("PixelUnshuffleBackward0")
def pixel_unshuffle(input, downscale_factor):
    """(*, C, H r, W r) to (*, C r r, H, W): the inverse of `pixel_shuffle`."""
    if input.dim() < 3:
        raise RuntimeError(
            "pixel_unshuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.dim()} dimension(s)"
        )
    r = downscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *batch, c, h, w = input.shape
    for size, what, at in ((h, "height", -2), (w, "width", -1)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {what} to be divisible by downscale_factor, but "
                f"input.size({at})={size} is not divisible by {r}"
            )
    n = len(batch)
    x = input.reshape(*batch, c, h // r, r, w // r, r)
    x = x.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    if r == 1:
        x = x.clone()
    return _formatted(x.reshape(*batch, c * r * r, h // r, w // r), input)


def _blocks(size, kernel, dilation, padding, stride):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _check_block_args(**named):
    for name, pair in named.items():
        least = 0 if name == "padding" else 1
        if any(v < least for v in pair):
            what = "non-negative" if name == "padding" else "greater than zero"
            label = name.replace("_", " ")
            raise RuntimeError(
                f"{label} should be {what}, but got {name}_height: {pair[0]} {name}_width: {pair[1]}"
            )


@shown_as("Im2ColBackward0")
def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The sliding blocks of images as columns: (N, C, H, W) to (N, C kh kw, L); also without N."""
    k, d, p, s = _pair(kernel_size), _pair(dilation), _pair(padding), _pair(stride)
    _check_block_args(kernel_size=k, dilation=d, padding=p, stride=s)
    if input.dim() not in (3, 4):
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            "dimensions for "
            f"input, but got: {list(input.size())}"
        )
    x = input.unsqueeze(0) if input.dim() == 3 else input
    oh = _blocks(x.size(2), k[0], d[0], p[0], s[0])
    ow = _blocks(x.size(3), k[1], d[1], p[1], s[1])
    if oh < 1 or ow < 1:
        raise RuntimeError(
            f"Given input with spatial size ({x.size(2)}, {x.size(3)}), kernel_size={k}, dilation={d}, "
            f"padding={p}, "
            f"stride={s}, calculated shape of the array of sliding blocks as ({oh}, {ow}), but its "
            "components must "
            "be at least one."
        )
    n, c = x.shape[:2]
    if p != (0, 0):
        x = F.pad(x, (p[1], p[1], p[0], p[0]))
    columns = [
        x[
            :,
            :,
            i * d[0] : i * d[0] + s[0] * (oh - 1) + 1 : s[0],
            j * d[1] : j * d[1] + s[1] * (ow - 1) + 1 : s[1],
        ]
        for i in range(k[0])
        for j in range(k[1])
    ]
    out = flambeau.stack(columns, 2).reshape(n, c * k[0] * k[1], oh * ow)
    return out.squeeze(0) if input.dim() == 3 else out


@shown_as("Col2ImBackward0")
def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Add columns of sliding blocks back into images: (N, C kh kw, L) to (N, C, H, W); also without N."""
    size, k = _pair(output_size), _pair(kernel_size)
    d, p, s = _pair(dilation), _pair(padding), _pair(stride)
    _check_block_args(kernel_size=k, dilation=d, padding=p, stride=s)
    if input.dim() not in (2, 3):
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero "
            "dimensions for "
            f"input, but got: {list(input.size())}"
        )
    x = input.unsqueeze(0) if input.dim() == 2 else input
    n, planes, length = x.shape
    if planes % (k[0] * k[1]):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={planes} and kernel_size={k}."
        )
    oh = _blocks(size[0], k[0], d[0], p[0], s[0])
    ow = _blocks(size[1], k[1], d[1], p[1], s[1])
    if oh * ow != length or oh < 1 or ow < 1:
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={k}, dilation={d}, padding={p}, stride={s}, expected "
            "size of "
            f"input's dimension 2 to match the calculated number of sliding blocks {oh} * {ow} = "
            f"{oh * ow}, but got "
            f"input.size(2)={length}."
        )
    c = planes // (k[0] * k[1])
    blocks = x.reshape(n, c, k[0], k[1], oh, ow)
    out = x.new_zeros(n, c, size[0] + 2 * p[0], size[1] + 2 * p[1])
    for i in range(k[0]):
        for j in range(k[1]):
            rows = slice(i * d[0], i * d[0] + s[0] * (oh - 1) + 1, s[0])
            cols = slice(j * d[1], j * d[1] + s[1] * (ow - 1) + 1, s[1])
            out[:, :, rows, cols] += blocks[:, :, i, j]
    out = out[:, :, p[0] : p[0] + size[0], p[1] : p[1] + size[1]]
    out = out.contiguous() if p != (0, 0) else out
    return out.squeeze(0) if input.dim() == 2 else out


def embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """Sum, mean or maximum of the embeddings of each bag of indices.

    Args:
        input (LongTensor): (B, N), a bag a row; or (N), cut into bags that begin at `offsets`.
        weight (Tensor): (num_embeddings, dim).
        offsets (LongTensor, optional): needed exactly when `input` is one-dimensional.
        max_norm, norm_type: rows of `weight` with a larger norm are scaled down in place first.
        mode (str): "sum", "mean" or "max". Default: "mean"
        per_sample_weights (Tensor, optional): factors in the shape of `input`, for "sum" only.
        include_last_offset (bool): `offsets` ends with the number of indices.
        padding_idx (int, optional): an index that counts for nothing.
    """
    if weight.dtype == flambeau.long and input.is_floating_point():
        import warnings

        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. "
            "Usage `embedding_bag(weight, input, ...)` is deprecated, "
            "and should now be `embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        weight, input = input, weight
    if per_sample_weights is not None and input.size() != per_sample_weights.size():
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, "
            f"then it must have the same shape as the input ({input.shape})"
        )
    if weight.dim() != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}")
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed "
                "length "
                f"sequences. However, found offsets of type {type(offsets)}"
            )
        bags = input.size(0)
        bag = flambeau.arange(bags, device=input.device).repeat_interleave(input.size(1))
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    elif input.dim() == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.dim() != 1:
            raise ValueError("offsets has to be a 1D Tensor")
        if offsets.numel():
            if int(offsets[0]) != 0:
                raise RuntimeError(
                    "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
                    f"position 0. However, got {int(offsets[0])}"
                )
            if int(offsets[-1]) > input.numel():
                raise RuntimeError(
                    "offsets[-1] can not be greater than input's length "
                    f"({input.numel()}) but got offsets[-1] of {int(offsets[-1])}"
                )
        elif include_last_offset:
            raise RuntimeError("include_last_offset: number of offset should be at least 1")
        starts = offsets[:-1] if include_last_offset else offsets
        bags = starts.numel()
        place = flambeau.arange(input.numel(), device=input.device)
        bag = flambeau.searchsorted(starts.contiguous().to(flambeau.long), place, right=True) - 1
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max":
        if scale_grad_by_freq:
            raise ValueError("max mode does not support scaling the gradient by the frequency")
        if sparse:
            raise ValueError("max mode does not support sparse weights")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for "
            f"mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )
    if padding_idx is not None:
        n = weight.size(0)
        if not -n <= padding_idx < n:
            raise AssertionError(
                f"padding_idx must be within the number of embeddings, got {padding_idx} for {n} embeddings"
            )
        padding_idx %= n

    index = input.to(flambeau.long)
    rows = F.embedding(index, weight, None, max_norm, norm_type, scale_grad_by_freq, sparse)
    keep = flambeau.ones_like(index, dtype=flambeau.bool) if padding_idx is None else index != padding_idx
    # Reduced-precision sums are done in float32, as a kernel would.
    wide = rows.float() if rows.dtype in (flambeau.half, flambeau.bfloat16) else rows
    dim = weight.size(1)
    if mode == "max":
        spread = bag.unsqueeze(1).expand(-1, dim)
        low = wide.masked_fill(~keep.unsqueeze(1), -math.inf)
        best = wide.new_full((bags, dim), -math.inf).scatter_reduce(0, spread, low.detach(), "amax")
        # The first of equal maxima takes the gradient.
        place = flambeau.arange(index.numel(), device=index.device).unsqueeze(1).expand(-1, dim)
        hit = (low.detach() == best[bag]) & keep.unsqueeze(1)
        none = index.numel()
        first = place.new_full((bags, dim), none).scatter_reduce(
            0, spread, place.masked_fill(~hit, none), "amin"
        )
        chosen = flambeau.cat([wide, wide.new_zeros(1, dim)]).gather(0, first)
        return _as_bag(chosen.to(rows.dtype), weight)
    if per_sample_weights is not None:
        wide = wide * per_sample_weights.to(wide.dtype).unsqueeze(1)
    wide = wide.masked_fill(~keep.unsqueeze(1), 0)
    out = wide.new_zeros(bags, dim).index_add(0, bag, wide)
    if mode == "mean":
        count = wide.new_zeros(bags).index_add(0, bag, keep.to(wide.dtype)).clamp_min(1)
        out = out / count.unsqueeze(1)
    return _as_bag(out.to(rows.dtype), weight, per_sample_weights)


def _as_bag(out, weight, per_sample_weights=None):
    _C._show_as(out, "EmbeddingBagBackward0", weight, per_sample_weights)
    return out
