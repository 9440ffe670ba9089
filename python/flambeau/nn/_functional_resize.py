"""Resampling of images and signals."""

import math
import warnings

import flambeau

from .._shown import shown_as

_MODES = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}


def _format_of(x):
    """The memory format that a result should have."""
    last = flambeau.channels_last if x.dim() == 4 else flambeau.channels_last_3d
    if x.dim() < 4 or x.to(memory_format=last) is not x:
        return flambeau.contiguous_format
    return last


def _sources(out, size, scale, align_corners):
    """The place in the input, as a float, that each output position reads from."""
    at = flambeau.arange(out, dtype=flambeau.float64)
    if align_corners:
        return at * ((size - 1) / (out - 1) if out > 1 else 0.0)
    return (at + 0.5) * (1 / scale if scale else size / out) - 0.5


def _weighted(x, dim, positions, weights):
    shape = [1] * x.dim()
    shape[dim] = -1
    total = None
    for at, weight in zip(positions, weights):
        part = x.index_select(dim, at) * weight.to(x.dtype).reshape(shape)
        total = part if total is None else total + part
    return total


def _linear(x, dim, out, scale, align_corners):
    size = x.size(dim)
    source = _sources(out, size, scale, align_corners).clamp_min(0)
    low = source.floor().long().clamp_max(size - 1)
    share = source - low
    return _weighted(x, dim, (low, (low + 1).clamp_max(size - 1)), (1 - share, share))


def _cubic(x, dim, out, scale, align_corners):
    """Keys' convolution (1981) with a = -0.75."""
    size = x.size(dim)
    source = _sources(out, size, scale, align_corners)
    base = source.floor()
    t = source - base
    a = -0.75

    def near(d):
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d):
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    weights = (far(t + 1), near(t), near(1 - t), far(2 - t))
    places = [(base.long() + k).clamp(0, size - 1) for k in (-1, 0, 1, 2)]
    return _weighted(x, dim, places, weights)


def _nearest(x, dim, out, scale, exact):
    size = x.size(dim)
    step = 1 / scale if scale else size / out
    at = flambeau.arange(out, dtype=flambeau.float32)
    at = ((at + 0.5) * step if exact else at * step).floor().long().clamp_max(size - 1)
    return x.index_select(dim, at)


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """The input ``(n, c, h, w)`` (or with a depth) at the places of ``grid`` ``(n, h_out, w_out, 2)`` in
    ``[-1, 1]``.

    ``mode``: "bilinear", "nearest" or "bicubic" (images only); ``padding_mode``: "zeros", "border" or
    "reflection".
    """
    modes = ("bilinear", "nearest", "bicubic")
    paddings = ("zeros", "border", "reflection")
    if mode not in modes:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: "
            f"'{mode}'"
        )
    if padding_mode not in paddings:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', "
            "but got: "
            f"'{padding_mode}'"
        )
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. "
            "Please "
            "specify align_corners=True if the old behavior is desired. See the documentation of grid_sample "
            "for details.",
            stacklevel=2,
        )
        align_corners = False
    return flambeau.grid_sampler(input, grid, modes.index(mode), paddings.index(padding_mode), align_corners)


@shown_as("AffineGridGeneratorBackward0")
def affine_grid(theta, size, align_corners=None):
    """Places for `grid_sample` from affine maps ``theta`` ``(n, 2, 3)`` or ``(n, 3, 4)``, for an output of
    ``size``."""
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    nd = len(size) - 2
    if nd not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got "
            "size "
            f"{size}."
        )
    if theta.dim() != 3 or theta.shape[-2] != nd or theta.shape[-1] != nd + 1:
        raise ValueError(
            f"Expected a batch of {nd}D affine matrices of shape Nx{nd}x{nd + 1} for size {size}. Got "
            f"{theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. "
            "Please "
            "specify align_corners=True if the old behavior is desired. See the documentation of grid_sample "
            "for details.",
            stacklevel=2,
        )
        align_corners = False
    axes = []
    for n in size[2:]:
        if n <= 1:
            axis = flambeau.zeros(n, dtype=theta.dtype)
        else:
            axis = flambeau.linspace(-1, 1, n, dtype=theta.dtype)
            axis = axis if align_corners else axis * ((n - 1) / n)
        axes.append(axis)
    # The last axis of the image is x.
    points = [a.reshape(-1) for a in flambeau.meshgrid(*axes, indexing="ij")][::-1]
    base = flambeau.stack([*points, flambeau.ones_like(points[0])], -1)
    return (base.expand(size[0], *base.shape) @ theta.mT).reshape(size[0], *size[2:], nd)


_RESIZED = {
    ("nearest", 1): "UpsampleNearest1DBackward0",
    ("nearest", 2): "UpsampleNearest2DBackward0",
    ("nearest", 3): "UpsampleNearest3DBackward0",
    ("nearest-exact", 1): "UpsampleNearestExact1DBackward0",
    ("nearest-exact", 2): "UpsampleNearestExact2DBackward0",
    ("nearest-exact", 3): "UpsampleNearestExact3DBackward0",
    ("linear", 1): "UpsampleLinear1DBackward0",
    ("bilinear", 2): "UpsampleBilinear2DBackward0",
    ("bicubic", 2): "UpsampleBicubic2DBackward0",
    ("trilinear", 3): "UpsampleTrilinear3DBackward0",
}


def _resized(input, size=None, scale_factor=None, mode="nearest", *args, **kwargs):
    return _RESIZED.get((mode, input.dim() - 2))


@shown_as(_resized)
def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    """Resamples ``(n, c, ...)`` to a spatial ``size``, or by ``scale_factor``.

    ``mode``: "nearest", "nearest-exact", "area", "linear" (one spatial dimension), "bilinear" and "bicubic"
    (two), "trilinear" (three).
    """
    nd = input.dim() - 2
    if nd not in (1, 2, 3) or mode not in _MODES and mode not in ("nearest", "area", "nearest-exact"):
        raise NotImplementedError(
            "Input Error: Only 3D, 4D and 5D input Tensors supported"
            f" (got {input.dim()}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | "
            "lanczos | area | nearest-exact"
            f" (got {mode})"
        )
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | "
                "bicubic | trilinear"
            )
    elif _MODES[mode] != nd:
        raise NotImplementedError(
            f"Got {input.dim()}D input, but {mode} mode needs {_MODES[mode] + 2}D input"
        )
    if antialias:
        raise NotImplementedError("interpolate(antialias=True) is not there yet")
    if (size is None) == (scale_factor is None):
        raise ValueError(
            "only one of size or scale_factor should be defined"
            if size is not None
            else "either size or scale_factor should be defined"
        )
    for name, value in (("size", size), ("scale_factor", scale_factor)):
        if isinstance(value, (list, tuple)) and len(value) != nd:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got input with "
                "spatial dimensions "
                f"of {list(input.shape[2:])} and {name} of {value}."
            )
    scales = [None] * nd
    if size is None:
        scales = (
            [float(s) for s in scale_factor]
            if isinstance(scale_factor, (list, tuple))
            else [float(scale_factor)] * nd
        )
        size = [math.floor(n * s) for n, s in zip(input.shape[2:], scales)]
        if recompute_scale_factor:
            scales = [None] * nd
    else:
        size = [int(s) for s in size] if isinstance(size, (list, tuple)) else [int(size)] * nd
    if any(n <= 0 for n in size):
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {list(input.shape[2:])} output "
            f"{size}"
        )
    if mode == "area":
        from . import functional

        return getattr(functional, f"adaptive_avg_pool{nd}d")(input, size)
    out = input
    for i, (n, scale) in enumerate(zip(size, scales)):
        if mode.startswith("nearest"):
            out = _nearest(out, i + 2, n, scale, mode == "nearest-exact")
        elif mode == "bicubic":
            out = _cubic(out, i + 2, n, scale, align_corners)
        else:
            out = _linear(out, i + 2, n, scale, align_corners)
    return out.contiguous(memory_format=_format_of(input))
