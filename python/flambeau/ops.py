"""Operations by the names of PyTorch's dispatcher: ``ops.aten.add``, ``ops.aten.add.Tensor``.

A name means the public function, the function of ``nn.functional`` or the tensor's method of that name, whose
argument parser finds the overload; what has no public function is written here. Nothing is registered and no
library is loaded: an operation that is not there is an AttributeError.
"""

import builtins

import flambeau

__all__ = ["aten"]


def _wide(x):
    """In the precision that 16-bit floats are computed in."""
    return x.float() if x.dtype in (flambeau.float16, flambeau.bfloat16) else x


def _softmax_backward_data(grad_output, output, dim, input_dtype):
    g, y = _wide(grad_output), _wide(output)
    product = g * y
    return (product - y * product.sum(dim, True)).to(input_dtype)


def _log_softmax_backward_data(grad_output, output, dim, input_dtype):
    g, y = _wide(grad_output), _wide(output)
    return (g - y.exp() * g.sum(dim, True)).to(input_dtype)


def _safe_softmax(self, dim, dtype=None):
    """``softmax``, zero along slices that are minus infinity throughout."""
    empty = (self == -float("inf")).all(dim, keepdim=True)
    # Filled before too, so that no gradient passes through what has no softmax.
    return flambeau.softmax(self.masked_fill(empty, 0.0), dim, dtype=dtype).masked_fill(empty, 0.0)


def native_dropout_backward(grad_output, mask, scale):
    return grad_output * mask * scale


def max_pool2d_with_indices_backward(
    grad_output, self, kernel_size, stride, padding, dilation, ceil_mode, indices
):
    flat = flambeau.zeros_like(self).flatten(-2)
    flat = flat.scatter_add(-1, indices.flatten(-2), grad_output.flatten(-2)).reshape(self.shape)
    # A function of the input too, if a constant one.
    return flambeau.where(flambeau.zeros_like(self, dtype=flambeau.bool), self, flat)


def slice(self, dim=0, start=None, end=None, step=1):
    """A view of every ``step``-th slice along ``dim`` from ``start`` to before ``end``."""
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    self.size(dim)  # IndexError where there is no such dimension
    whole = builtins.slice(None)
    return self[(whole,) * (dim % self.dim()) + (builtins.slice(start, end, step),)]


def _batch_norm_with_update(input, weight, bias, running_mean, running_var, momentum, eps):
    found = flambeau.native_batch_norm(input, weight, bias, running_mean, running_var, True, momentum, eps)
    return (*found, flambeau.empty(0, dtype=flambeau.uint8))


_OWN = {
    f.__name__: f
    for f in (
        _softmax_backward_data,
        _log_softmax_backward_data,
        _safe_softmax,
        native_dropout_backward,
        max_pool2d_with_indices_backward,
        slice,
        _batch_norm_with_update,
    )
}


class _Packet:
    """An operation with all its overloads: calling it, or any of them, lets the arguments choose."""

    def __init__(self, namespace, name, function):
        self.__name__, self._qualified, self._function = name, f"{namespace}.{name}", function

    def __call__(self, *args, **kwargs):
        return self._function(*args, **kwargs)

    def __getattr__(self, name):
        # Python asks for names of this form by itself.
        if name.startswith("_"):
            raise AttributeError(f"The underlying op of '{self._qualified}' has no overload name '{name}'")
        overload = _Overload(self._qualified, name, self._function)
        setattr(self, name, overload)
        return overload

    def __repr__(self):
        return f"<OpOverloadPacket(op='{self._qualified}')>"

    def __str__(self):
        return self._qualified


class _Overload:
    def __init__(self, qualified, name, function):
        self.__name__ = f"{qualified.rsplit('.', 1)[-1]}.{name}"
        self._op, self._overloadname, self._function = qualified, name, function

    def __call__(self, *args, **kwargs):
        return self._function(*args, **kwargs)

    def __repr__(self):
        return f"<OpOverload(op='{self._op}', overload='{self._overloadname}')>"

    def __str__(self):
        return f"{self._op}.{self._overloadname}"


class _Namespace:
    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        function = None if name.startswith("__") else self._find(name)
        if function is None:
            raise AttributeError(f"'_OpNamespace' '{self._name}' object has no attribute '{name}'")
        packet = _Packet(self._name, name, function)
        setattr(self, name, packet)
        return packet

    def _find(self, name):
        if self._name != "aten":
            return None
        for place in (flambeau, flambeau.nn.functional, flambeau.Tensor):
            function = _OWN.get(name) or getattr(place, name, None)
            if callable(function) and not isinstance(function, type):
                return function
        return None


aten = _Namespace("aten")


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return _Namespace(name)
