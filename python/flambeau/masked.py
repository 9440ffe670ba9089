"""Reductions and normalisations that leave masked elements out, under PyTorch's ``torch.masked`` names.

``mask`` is boolean and broadcasts to the input; True elements count. What a result means where nothing counts
is the operation's identity (0 for sums, -inf for maxima, NaN for means).
"""

import sys as _sys

import flambeau


def _dims(input, dim):
    """The dimensions as a tuple; all of them for None."""
    if dim is None or dim == ():
        return tuple(range(input.dim()))
    if input.dim() == 0:
        return ()
    return (dim,) if isinstance(dim, int) else tuple(dim)


def _filled(input, mask, value):
    """``value`` where the mask does not hold."""
    if mask is None:
        return input
    if mask.dtype != flambeau.bool:
        mask = mask.bool()
    return flambeau.where(mask.expand(input.shape) if mask.dim() <= input.dim() else mask, input, value)


def _cast(input, dtype):
    return input if dtype is None else input.to(dtype)


def _lowest(dtype):
    if dtype == flambeau.bool:
        return False
    return float("-inf") if dtype.is_floating_point else flambeau.iinfo(dtype).min


def _highest(dtype):
    if dtype == flambeau.bool:
        return True
    return float("inf") if dtype.is_floating_point else flambeau.iinfo(dtype).max


def _sums(input):
    return flambeau.int64 if not (input.is_floating_point() or input.is_complex()) else input.dtype


def _typed(input, value):
    """A number as a tensor of the input's dtype, so that `where` keeps it."""
    return flambeau.tensor(value, dtype=input.dtype)


def _count(input, mask, dims, keepdim):
    if mask is None:
        n = 1
        for d in dims:
            n *= input.size(d)
        return n
    return mask.expand(input.shape).sum(dims, keepdim=keepdim) if dims else mask.expand(input.shape).long()


def sum(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The sum of the elements that count."""
    x = _cast(input, dtype or _sums(input))
    dims = _dims(x, dim)
    x = _filled(x, mask, _typed(x, 0))
    return x.sum(dims, keepdim=keepdim) if dims else x.clone()


def prod(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The product of the elements that count."""
    x = _cast(input, dtype or _sums(input))
    out = _filled(x, mask, _typed(x, 1))
    for d in sorted((d % max(x.dim(), 1) for d in _dims(x, dim)), reverse=True):
        out = out.prod(d, keepdim=keepdim)
    return out


def cumsum(input, dim, *, dtype=None, mask=None):
    """Cumulative sums of the elements that count."""
    x = _cast(input, dtype or _sums(input))
    return _filled(x, mask, _typed(x, 0)).cumsum(dim)


def cumprod(input, dim, *, dtype=None, mask=None):
    """Cumulative products of the elements that count."""
    x = _cast(input, dtype or _sums(input))
    return _filled(x, mask, _typed(x, 1)).cumprod(dim)


def amax(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The largest element that counts."""
    x = _cast(input, dtype)
    return _filled(x, mask, _typed(x, _lowest(x.dtype))).amax(_dims(x, dim), keepdim=keepdim)


def amin(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The smallest element that counts."""
    x = _cast(input, dtype)
    return _filled(x, mask, _typed(x, _highest(x.dtype))).amin(_dims(x, dim), keepdim=keepdim)


def argmax(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The position of the largest element that counts, in the input's dtype."""
    x = _cast(input, dtype)
    return _filled(x, mask, _typed(x, _lowest(x.dtype))).argmax(dim, keepdim=keepdim).to(x.dtype)


def argmin(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The position of the smallest element that counts, in the input's dtype."""
    x = _cast(input, dtype)
    return _filled(x, mask, _typed(x, _highest(x.dtype))).argmin(dim, keepdim=keepdim).to(x.dtype)


def mean(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The mean of the elements that count."""
    x = _cast(input, dtype)
    if not (x.is_floating_point() or x.is_complex()):
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex "
            "dtype"
        )
    dims = _dims(x, dim)
    return sum(x, dims, keepdim=keepdim, mask=mask) / _count(x, mask, dims, keepdim)


def median(input, dim=-1, *, keepdim=False, dtype=None, mask=None):
    """The (lower) median of the elements that count."""
    x = _cast(input, dtype)
    if not x.is_floating_point():
        raise ValueError(f"input must be a floating point tensor but got {x.dtype}")
    flat = dim is None
    result = _filled(x, mask, _typed(x, float("nan")))
    return result.reshape(-1).nanmedian(0).values if flat else result.nanmedian(dim, keepdim).values


def _moments(input, dim, unbiased, correction, keepdim, dtype, mask):
    correction = correction if correction is not None else int(unbiased is None or unbiased)
    x = _cast(input, dtype)
    if not (x.is_floating_point() or x.is_complex()):
        x = x.to(flambeau.float32)
    dims = _dims(x, dim)
    count = _count(x, mask, dims, True)
    centred = x - sum(x, dims, keepdim=True, mask=mask) / count
    squares = (centred * centred.conj()).real if x.is_complex() else centred * centred
    total = sum(squares, dims, keepdim=keepdim, mask=mask)
    free = _count(x, mask, dims, keepdim) - correction
    free = free.clamp_min(0).to(total.dtype) if isinstance(free, flambeau.Tensor) else max(free, 0)
    return (total / free).to(x.dtype)


def var(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """The variance of the elements that count."""
    return _moments(input, dim, unbiased, correction, keepdim, dtype, mask)


def std(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """The standard deviation of the elements that count."""
    return _moments(input, dim, unbiased, correction, keepdim, dtype, mask).sqrt()


def norm(input, ord=2.0, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The ``ord``-norm of the elements that count."""
    x = _cast(input, dtype)
    fill = float("inf") if float(ord) < 0 else 0
    return flambeau.linalg.vector_norm(_filled(x, mask, _typed(x, fill)), ord, _dims(x, dim), keepdim)


def softmax(input, dim, *, dtype=None, mask=None):
    """Softmax over the elements that count; the others are zero."""
    x = _cast(input, dtype)
    return flambeau.softmax(_filled(x, mask, _typed(x, float("-inf"))), dim)


def log_softmax(input, dim, *, dtype=None, mask=None):
    """The logarithm of `softmax`."""
    x = _cast(input, dtype)
    return flambeau.log_softmax(_filled(x, mask, _typed(x, float("-inf"))), dim)


def softmin(input, dim, *, dtype=None, mask=None):
    """Softmax of the negated input."""
    x = _cast(input, dtype)
    return flambeau.softmax(_filled(-x, mask, _typed(x, float("-inf"))), dim)


def normalize(input, ord, dim, *, eps=1e-12, dtype=None, mask=None):
    """The elements that count, divided by their norm."""
    x = _cast(input, dtype)
    length = norm(x, ord, dim, keepdim=True, mask=mask)
    return _filled(x, mask, _typed(x, 0)) / flambeau.maximum(length, length.new_full((), eps))


def logsumexp(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """log(sum(exp)) of the elements that count."""
    x = _cast(input, dtype)
    of = x.dtype
    # Integers have no number that stands for nothing: they are computed as floats.
    if not (x.is_floating_point() or x.is_complex()):
        x = x.to(flambeau.get_default_dtype())
    return _filled(x, mask, _typed(x, float("-inf"))).logsumexp(_dims(x, dim), keepdim=keepdim).to(of)


def logaddexp(input, other, *, dtype=None, input_mask=None, other_mask=None):
    """log(exp(input) + exp(other)), each where its mask holds."""
    a, b = _cast(input, dtype), _cast(other, dtype)
    low = float("-inf")
    return flambeau.logaddexp(_filled(a, input_mask, _typed(a, low)), _filled(b, other_mask, _typed(b, low)))


__all__ = sorted(_n for _n in list(globals()) if not _n.startswith("_") and _n != "flambeau")

# PyTorch's own name of the module that its documentation calls these functions by.
_ops = _sys.modules[f"{__name__}._ops"] = _sys.modules[__name__]
