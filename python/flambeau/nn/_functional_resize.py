"""Resampling of images and signals."""

import math

import flambeau

_MODES = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}


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

    ``mode``: "nearest", "nearest-exact", "area", "linear" (one spatial dimension), "bilinear" and "bicubic" (two),
    "trilinear" (three).
    """
    nd = input.dim() - 2
    if nd not in (1, 2, 3) or mode not in _MODES and mode not in ("nearest", "area", "nearest-exact"):
        raise NotImplementedError(
            "Input Error: Only 3D, 4D and 5D input Tensors supported"
            f" (got {input.dim()}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"
            f" (got {mode})"
        )
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
            )
    elif _MODES[mode] != nd:
        raise NotImplementedError(f"Got {input.dim()}D input, but {mode} mode needs {_MODES[mode] + 2}D input")
    if antialias:
        raise NotImplementedError("interpolate(antialias=True) is not there yet")
    if (size is None) == (scale_factor is None):
        raise ValueError(
            "only one of size or scale_factor should be defined" if size is not None
            else "either size or scale_factor should be defined"
        )
    for name, value in (("size", size), ("scale_factor", scale_factor)):
        if isinstance(value, (list, tuple)) and len(value) != nd:
            raise ValueError(
                f"Input and output must have the same number of spatial dimensions, but got input with spatial dimensions "
                f"of {list(input.shape[2:])} and {name} of {value}."
            )
    scales = [None] * nd
    if size is None:
        scales = [float(s) for s in scale_factor] if isinstance(scale_factor, (list, tuple)) else [float(scale_factor)] * nd
        size = [math.floor(n * s) for n, s in zip(input.shape[2:], scales)]
        if recompute_scale_factor:
            scales = [None] * nd
    else:
        size = [int(s) for s in size] if isinstance(size, (list, tuple)) else [int(size)] * nd
    if any(n <= 0 for n in size):
        raise RuntimeError(f"Input and output sizes should be greater than 0, but got input {list(input.shape[2:])} output {size}")
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
    return out
