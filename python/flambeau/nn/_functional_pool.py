"""Pooling and resampling that are composites of tensor operations or of native functions."""

import math
import warnings

import flambeau

from .. import _C
from .._shown import shown_as
from ._functional_resize import interpolate

F = _C._nn


def _tuple(x, n):
    if isinstance(x, (tuple, list)):
        return tuple(x) * n if len(x) == 1 else tuple(x)
    return (x,) * n


def max_pool1d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """`max_pool1d`, always with the indices of the maxima."""
    return F.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """`max_pool2d`, always with the indices of the maxima."""
    return F.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool3d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """`max_pool3d`, always with the indices of the maxima."""
    return F.max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def adaptive_max_pool1d_with_indices(input, output_size, return_indices=False):
    """`adaptive_max_pool1d`, always with the indices of the maxima."""
    return F.adaptive_max_pool1d(input, output_size, True)


def adaptive_max_pool2d_with_indices(input, output_size, return_indices=False):
    """`adaptive_max_pool2d`, always with the indices of the maxima."""
    return F.adaptive_max_pool2d(input, output_size, True)


def adaptive_max_pool3d_with_indices(input, output_size, return_indices=False):
    """`adaptive_max_pool3d`, always with the indices of the maxima."""
    return F.adaptive_max_pool3d(input, output_size, True)


def _lp_pool(input, norm_type, kernel_size, stride, ceil_mode, n, avg_pool):
    kernel = _tuple(kernel_size, n)
    area = math.prod(kernel)
    if stride is not None:
        stride = _tuple(stride, n)
    out = avg_pool(input.pow(norm_type), kernel, stride, 0, ceil_mode)
    return (out.sign() * F.relu(out.abs())).mul(area).pow(1.0 / norm_type)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The `norm_type`-th root of the sum of powers over windows of (N, C, L)."""
    return _lp_pool(input, norm_type, kernel_size, stride, ceil_mode, 1, F.avg_pool1d)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The `norm_type`-th root of the sum of powers over windows of (N, C, H, W)."""
    return _lp_pool(input, norm_type, kernel_size, stride, ceil_mode, 2, F.avg_pool2d)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The `norm_type`-th root of the sum of powers over windows of (N, C, D, H, W)."""
    return _lp_pool(input, norm_type, kernel_size, stride, ceil_mode, 3, F.avg_pool3d)


def _unpool_size(input, kernel, stride, padding, output_size):
    """The spatial size that max unpooling fills: the default, or a checked `output_size`."""
    n = len(kernel)
    spatial = input.shape[-n:]
    default = [(spatial[d] - 1) * stride[d] + kernel[d] - 2 * padding[d] for d in range(n)]
    if output_size is None:
        return default
    size = list(output_size)
    if len(size) == n + 2:
        size = size[2:]
    if len(size) != n:
        raise ValueError(
            f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a length of "
            f"'{len(size)}'"
        )
    for d in range(n):
        low, high = default[d] - stride[d], default[d] + stride[d]
        if not low < size[d] < high:
            raise ValueError(f'invalid output_size "{size}" (dim {d} must be between {low} and {high})')
    return size


def _max_unpool(input, indices, kernel_size, stride, padding, output_size, n):
    # In one dimension PyTorch speaks of two.
    d = max(n, 2)
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(
            f"Input to max_unpooling{d}d should be a {d + 1}d or {d + 2}d Tensor, but got a tensor with "
            f"{input.dim() + d - n} dimensions."
        )
    kernel = _tuple(kernel_size, n)
    stride = _tuple(stride, n) if stride not in (None, []) else kernel
    if n == 3 and any(s <= 0 for s in stride):
        raise RuntimeError(f"strides should be greater than zero, but got stride: {list(stride)}")
    size = _unpool_size(input, kernel, stride, _tuple(padding, n), output_size)
    if indices.dtype != flambeau.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype}")
    if input.shape != indices.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) "
            f"but got indices tensor with shape: {list(indices.shape)}"
        )
    lead = input.shape[: input.dim() - n]
    total = math.prod(size)
    flat = indices.flatten(-n)
    if flat.numel() and not (0 <= int(flat.min()) and int(flat.max()) < total):
        bad = int(flat.max()) if int(flat.max()) >= total else int(flat.min())
        raise RuntimeError(
            f"Found an invalid max index: {bad} (output volumes are of size {'x'.join(str(s) for s in size)}"
        )
    out = input.new_zeros(*lead, total).scatter(-1, flat, input.flatten(-n))
    return out.reshape(*lead, *size)


def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Put values back where `max_pool1d` found them, and zeros elsewhere."""
    # One row of pixels.
    kernel = _tuple(kernel_size, 1)
    if input.dim() not in (2, 3) or input.shape != indices.shape or indices.dtype != flambeau.int64:
        return _max_unpool(input, indices, kernel_size, stride, padding, output_size, 1)
    stride = _tuple(stride, 1) if stride not in (None, []) else kernel
    size = _unpool_size(input, kernel, stride, _tuple(padding, 1), output_size)
    out = max_unpool2d(
        input.unsqueeze(-1),
        indices.unsqueeze(-1),
        (*kernel, 1),
        (*stride, 1),
        (*_tuple(padding, 1), 0),
        output_size=[*size, 1],
    )
    return out.squeeze(-1)


@shown_as("MaxUnpool2DBackward0")
def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Put values back where `max_pool2d` found them, and zeros elsewhere."""
    return _max_unpool(input, indices, kernel_size, stride, padding, output_size, 2)


@shown_as("MaxUnpool3DBackward0")
def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Put values back where `max_pool3d` found them, and zeros elsewhere."""
    return _max_unpool(input, indices, kernel_size, stride, padding, output_size, 3)


def _fractional_max_pool(input, kernel_size, output_size, output_ratio, samples, n):
    name = f"fractional_max_pool{n}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(f"{name}: Expected {n + 1}D or {n + 2}D tensor, but got: {list(input.shape)}")
    kernel = _tuple(kernel_size, n)
    if output_size is None:
        ratio = _tuple(output_ratio, n)
        output_size = [int(input.size(d - n) * ratio[d]) for d in range(n)]
    out = _tuple(output_size, n)
    x = input if input.dim() == n + 2 else input.unsqueeze(0)
    batch, channels = x.shape[:2]
    if samples is None:
        samples = flambeau.rand(batch, channels, n, dtype=x.dtype, device=x.device)

    # Pseudo-random window starts per image and channel, from one number u a dimension (Graham, 2015). The
    # numbers
    # in `samples` are for the last dimension first.
    flat = None
    for d in range(n):
        size = x.size(2 + d)
        if out[d] + kernel[d] - 1 > size:
            what = ("time", "height", "width")[d - n]
            raise RuntimeError(f"{name}(): pool {what} {kernel[d]} too large relative to input {what} {size}")
        u = samples[:, :, n - 1 - d].to(flambeau.double if x.dtype == flambeau.double else flambeau.float)
        starts = flambeau.full(
            (batch, channels, out[d]), size - kernel[d], dtype=flambeau.long, device=x.device
        )
        if out[d] > 1:
            alpha = (size - kernel[d]) / (out[d] - 1)
            i = flambeau.arange(out[d] - 1, device=x.device, dtype=u.dtype)
            u = u.unsqueeze(-1)
            starts[:, :, :-1] = ((i + u) * alpha).long() - (u * alpha).long()
        index = starts.unsqueeze(-1) + flambeau.arange(kernel[d], device=x.device)
        view = [batch, channels] + [1] * (2 * n)
        view[2 + d], view[2 + n + d] = out[d], kernel[d]
        index = index.reshape(view)
        flat = index if flat is None else flat * size + index
    shape = (batch, channels, *out)
    flat = flat.expand(batch, channels, *out, *kernel).flatten(2)
    area = math.prod(kernel)
    windows = x.flatten(2).gather(2, flat).reshape(*shape, area)
    best, arg = windows.max(-1)
    indices = flat.reshape(*shape, area).gather(-1, arg.unsqueeze(-1)).squeeze(-1)
    if input.dim() == n + 1:
        best, indices = best.squeeze(0), indices.squeeze(0)
    _C._show_as(best, f"FractionalMaxPool{n}DBackward0", input)
    return best, indices


def fractional_max_pool2d_with_indices(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """`fractional_max_pool2d`, always with the indices of the maxima."""
    return _fractional_max_pool(input, kernel_size, output_size, output_ratio, _random_samples, 2)


def fractional_max_pool3d_with_indices(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """`fractional_max_pool3d`, always with the indices of the maxima."""
    return _fractional_max_pool(input, kernel_size, output_size, output_ratio, _random_samples, 3)


def fractional_max_pool2d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """Maximum over windows at random steps, to a given size or ratio of the input's (Graham, 2015)."""
    res = _fractional_max_pool(input, kernel_size, output_size, output_ratio, _random_samples, 2)
    return res if return_indices else res[0]


def fractional_max_pool3d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """`fractional_max_pool2d` for volumes."""
    res = _fractional_max_pool(input, kernel_size, output_size, output_ratio, _random_samples, 3)
    return res if return_indices else res[0]


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """Deprecated name of `interpolate`."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """Deprecated: `interpolate` with mode "nearest"."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input, size=None, scale_factor=None):
    """Deprecated: `interpolate` with mode "bilinear" and aligned corners."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
