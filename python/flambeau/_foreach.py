"""The ``_foreach_*`` functions: one operation on each tensor of a list.

PyTorch fuses them on GPUs; on a CPU it runs them one by one, as this does.
"""

import flambeau

_UNARY = (
    "abs acos asin atan ceil clone cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg "
    "reciprocal round "
    "rsqrt sigmoid sign sin sinh sqrt tan tanh trunc"
).split()


def _lists(name, first, *others):
    """Checks that all lists have one length, which is not zero."""
    if len(first) == 0:
        raise RuntimeError("Tensor list must have at least one tensor.")
    for other in others:
        if isinstance(other, (list, tuple)) and len(other) != len(first):
            what = "Tensor list must have same number of elements as scalar list."
            if other and isinstance(other[0], flambeau.Tensor):
                what = f"Tensor lists must have the same number of tensors, got {len(first)} and {len(other)}"
            raise RuntimeError(what)


def _spread(value, n):
    """One value for each tensor."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * n


def _numbers(values):
    """The elements of a one-dimensional tensor of scalars, as `addcmul` and `addcdiv` take it."""
    if isinstance(values, flambeau.Tensor):
        if values.dim() != 1:
            raise RuntimeError(
                "Expected packed scalar Tensor to be of dimension 1. Got " + f"{values.dim()} instead."
            )
        return values.tolist()
    return values


def _publish(name, function, inplace):
    def foreach(self, *args, **kwargs):
        return tuple(function(self, *args, **kwargs))

    def foreach_(self, *args, **kwargs):
        inplace(self, *args, **kwargs)
        return self

    for f, suffix in ((foreach, ""), (foreach_, "_")):
        if suffix and inplace is None:
            continue
        f.__name__ = f.__qualname__ = f"_foreach_{name}{suffix}"
        f.__doc__ = f"``{name}{suffix}`` on each tensor of the list."
        globals()[f.__name__] = f


def _unary(name):
    plain, written = getattr(flambeau.Tensor, name), getattr(flambeau.Tensor, name + "_", None)

    def function(self):
        _lists(name, self)
        return [plain(t) for t in self]

    def inplace(self):
        _lists(name, self)
        for t in self:
            written(t)

    _publish(name, function, inplace if written else None)


def _binary(name, method=None, with_alpha=False):
    method = method or name
    plain, written = getattr(flambeau.Tensor, method), getattr(flambeau.Tensor, method + "_", None)

    def operands(self, other, alpha):
        _lists(name, self, other)
        extra = {} if alpha is None or not with_alpha else {"alpha": alpha}
        return zip(self, _spread(other, len(self))), extra

    def function(self, other, *, alpha=None):
        pairs, extra = operands(self, other, alpha)
        return [plain(a, b, **extra) for a, b in pairs]

    def inplace(self, other, *, alpha=None):
        pairs, extra = operands(self, other, alpha)
        for a, b in pairs:
            if written is not None:
                written(a, b, **extra)
            else:
                a.copy_(plain(a, b, **extra))

    _publish(name, function, inplace)


def _extreme(name, compare, limit):
    # Where both are equal, a clamp hands all of the gradient on, the larger and the smaller of two half of
    # it.
    shares = name in ("maximum", "minimum")

    def one(a, b):
        if shares and a.requires_grad and not isinstance(b, flambeau.Tensor):
            b = flambeau.tensor(b, dtype=a.dtype)
        return compare(a, b) if isinstance(b, flambeau.Tensor) else limit(a, b)

    def function(self, other):
        _lists(name, self, other)
        return [one(a, b) for a, b in zip(self, _spread(other, len(self)))]

    def inplace(self, other):
        for a, y in zip(self, function(self, other)):
            a.copy_(y)

    _publish(name, function, inplace)


def _pointwise(name):
    plain, written = getattr(flambeau.Tensor, name), getattr(flambeau.Tensor, name + "_")

    def operands(self, tensor1, tensor2, value, scalars):
        value = _numbers(value if scalars is None else scalars)
        _lists(name, self, tensor1, tensor2, value)
        return zip(self, tensor1, tensor2, _spread(value, len(self)))

    def function(self, tensor1, tensor2, value=1, *, scalars=None):
        return [plain(a, b, c, value=v) for a, b, c, v in operands(self, tensor1, tensor2, value, scalars)]

    def inplace(self, tensor1, tensor2, value=1, *, scalars=None):
        for a, b, c, v in operands(self, tensor1, tensor2, value, scalars):
            written(a, b, c, value=v)

    _publish(name, function, inplace)


def _lerp(self, tensors1, weight):
    _lists("lerp", self, tensors1, weight)
    return [a.lerp(b, w) for a, b, w in zip(self, tensors1, _spread(weight, len(self)))]


def _lerp_(self, tensors1, weight):
    _lists("lerp", self, tensors1, weight)
    for a, b, w in zip(self, tensors1, _spread(weight, len(self))):
        a.lerp_(b, w)


def _norm(self, ord=2, dtype=None):
    _lists("norm", self)
    return [flambeau.linalg.vector_norm(t, ord, dtype=dtype) for t in self]


def _max(self):
    _lists("max", self)
    return [t.max() for t in self]


def _powsum(self, ord=2, dtype=None):
    _lists("powsum", self)
    return [(t if dtype is None else t.to(dtype)).abs().pow(ord).sum() for t in self]


def _mm(self, mat2):
    _lists("mm", self, mat2)
    return [a.mm(b) for a, b in zip(self, mat2)]


def _zero_(self):
    _lists("zero", self)
    for t in self:
        t.zero_()


def _copy(self, src, non_blocking=False):
    _lists("copy", self, src)
    return [flambeau.empty_like(a).copy_(b) for a, b in zip(self, src)]


def _copy_(self, src, non_blocking=False):
    _lists("copy", self, src)
    for a, b in zip(self, src):
        a.copy_(b)


def _power(base, exponent):
    if isinstance(exponent, bool) and base.dtype is flambeau.bool:
        # Unlike `pow`, defined for two bools.
        return base.clone() if exponent else flambeau.ones_like(base)
    return base.pow(exponent)


def _pow(self, exponent):
    _lists("pow", self, exponent)
    return [_power(a, b) for a, b in zip(self, _spread(exponent, len(self)))]


def _foreach_pow(self, exponent):
    """``pow`` on each tensor of the list; ``self`` may be a number."""
    if not isinstance(self, (list, tuple)):
        return tuple(flambeau.pow(self, e) for e in exponent)
    return tuple(_pow(self, exponent))


def _foreach_pow_(self, exponent):
    """``pow_`` on each tensor of the list."""
    _lists("pow", self, exponent)
    for a, b in zip(self, _spread(exponent, len(self))):
        a.pow_(b)
    return self


for _name in _UNARY:
    if hasattr(flambeau.Tensor, _name):
        _unary(_name)
for _name in ("add", "sub"):
    _binary(_name, with_alpha=True)
for _name in ("mul", "div"):
    _binary(_name)
_extreme("maximum", flambeau.maximum, flambeau.clamp_min)
_extreme("minimum", flambeau.minimum, flambeau.clamp_max)
_extreme("clamp_min", flambeau.maximum, flambeau.clamp_min)
_extreme("clamp_max", flambeau.minimum, flambeau.clamp_max)
for _name in ("addcmul", "addcdiv"):
    _pointwise(_name)
_publish("lerp", _lerp, _lerp_)
_publish("norm", _norm, None)
_publish("max", _max, None)
_publish("powsum", _powsum, None)
_publish("mm", _mm, None)
_publish("copy", _copy, _copy_)


def _foreach_zero_(self):
    """``zero_`` on each tensor of the list."""
    _zero_(self)
    return self


__all__ = sorted(_n for _n in list(globals()) if _n.startswith("_foreach_"))
