"""Functions that PyTorch keeps for old programs."""

import warnings

import flambeau

__all__ = ["range"]


def range(start, end, step=1, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """Deprecated: the numbers from ``start`` by ``step`` up to ``end``, that included. Use ``arange``.

    RuntimeError for a step of 0 or in the other direction.
    """
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is "
        "inconsistent with "
        "Python's range builtin. Instead, use torch.arange, which produces values in [start, end).",
        stacklevel=2,
    )
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    count = int((end - start) / step) + 1
    dtype = dtype or (flambeau.get_default_dtype() if out is None else out.dtype)
    wide = flambeau.float64 if dtype.is_floating_point else flambeau.int64
    values = (flambeau.arange(count, dtype=wide, device=device) * step + start).to(dtype)
    if out is not None:
        out.resize_(values.shape)
        return out.copy_(values)
    return values.requires_grad_() if requires_grad else values
