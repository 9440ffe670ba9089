"""How a module's tensors are moved and cast, in place."""

import warnings

import flambeau

from ... import _C
from ..parameter import Parameter

Tensor = _C.Tensor


def _shares_impl(a, b):
    """Whether `a.data = b` is possible: both real, or both without data."""
    return a.is_meta == b.is_meta


class ConvertMixin:
    """The part of `Module` that applies a function to every tensor: `to`, `float`, `cuda`, ..."""

    def _apply(self, fn, recurse=True):
        """Replace the data of every parameter, gradient and buffer by `fn` of it."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for key, param in self._parameters.items():
            if param is None:
                continue
            with flambeau.no_grad():
                new = fn(param)
            if _shares_impl(param, new):
                # The object stays, so an optimizer that holds it keeps working.
                param.data = new
                out = param
            else:
                out = self._parameters[key] = Parameter(new, param.requires_grad)
            grad = param.grad
            if grad is not None:
                with flambeau.no_grad():
                    new_grad = fn(grad)
                if _shares_impl(grad, new_grad):
                    grad.data = new_grad
                else:
                    out.grad = new_grad.requires_grad_(grad.requires_grad)
        for key, buf in self._buffers.items():
            if buf is not None:
                self._buffers[key] = fn(buf)
        return self

    def apply(self, fn):
        """Call `fn` on every child, deepest first, and on the module itself; returns the module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def cuda(self, device=None):
        """Move parameters and buffers to a GPU."""
        return self._apply(lambda t: t.cuda(device))

    def cpu(self):
        """Move parameters and buffers to the CPU."""
        return self._apply(lambda t: t.cpu())

    def ipu(self, device=None):
        """Move parameters and buffers to an IPU."""
        return self._apply(lambda t: t.ipu(device))

    def xpu(self, device=None):
        """Move parameters and buffers to an XPU."""
        return self._apply(lambda t: t.xpu(device))

    def mtia(self, device=None):
        """Move parameters and buffers to an MTIA device."""
        return self._apply(lambda t: t.mtia(device))

    def type(self, dst_type):
        """Cast all parameters and buffers to `dst_type`."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self):
        """Cast floating-point parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self):
        """Cast floating-point parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self):
        """Cast floating-point parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self):
        """Cast floating-point parameters and buffers to bfloat16."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def to_empty(self, *, device, recurse=True):
        """Move to `device` without copying: the values are undefined afterwards."""
        return self._apply(lambda t: flambeau.empty_like(t, device=device), recurse=recurse)

    def to(self, *args, **kwargs):
        """Move and cast parameters and buffers, in place; returns the module.

        Called as `to(device=None, dtype=None, non_blocking=False)`, `to(dtype, non_blocking=False)`,
        `to(tensor, non_blocking=False)` or `to(memory_format=...)`. Only floating-point and complex tensors
        are
        cast; integers are only moved.

        Raises:
            TypeError: `dtype` is neither floating-point nor complex.
        """
        device, dtype, non_blocking, memory_format = _parse_to(args, kwargs)
        if dtype is not None:
            if not (dtype.is_floating_point or dtype.is_complex):
                raise TypeError(
                    "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                    f"dtype={dtype}"
                )
            if dtype.is_complex:
                warnings.warn(
                    "Complex modules are a new feature under active development whose design may change, "
                    "and some modules might not work as expected when using complex tensors as parameters "
                    "or buffers. Please file an issue at "
                    "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml "
                    "if a complex module does not work as expected.",
                    stacklevel=2,
                )

        def convert(t):
            to_dtype = dtype if t.is_floating_point() or t.is_complex() else None
            if memory_format is not None and t.dim() in (4, 5):
                return t.to(device, to_dtype, non_blocking, memory_format=memory_format)
            return t.to(device, to_dtype, non_blocking)

        return self._apply(convert)

    def share_memory(self):
        """Move parameters and buffers into shared memory."""
        return self._apply(lambda t: t.share_memory_())


def _parse_to(args, kwargs):
    """Read the arguments of `Module.to`: (device, dtype, non_blocking, memory_format)."""
    kwargs = dict(kwargs)
    memory_format = kwargs.pop("memory_format", None)
    kwargs.pop("copy", None)
    device = dtype = None
    rest = list(args)
    if rest and isinstance(rest[0], Tensor) or "tensor" in kwargs:
        other = rest.pop(0) if rest else kwargs.pop("tensor")
        device, dtype = other.device, other.dtype
    elif rest and isinstance(rest[0], flambeau.dtype):
        dtype = rest.pop(0)
    else:
        if rest:
            device = rest.pop(0)
        if rest and (rest[0] is None or isinstance(rest[0], flambeau.dtype)):
            dtype = rest.pop(0)
    device = kwargs.pop("device", device)
    dtype = kwargs.pop("dtype", dtype)
    non_blocking = rest.pop(0) if rest else kwargs.pop("non_blocking", False)
    ok_device = device is None or isinstance(device, (str, int, flambeau.device))
    ok_dtype = dtype is None or isinstance(dtype, flambeau.dtype)
    if rest or kwargs or not ok_device or not ok_dtype or not isinstance(non_blocking, (bool, int)):
        given = ", ".join(
            [type(a).__name__ for a in args] + [f"{k}={type(v).__name__}" for k, v in kwargs.items()]
        )
        raise TypeError(
            f"to() received an invalid combination of arguments - got ({given}), but expected one of:\n"
            " * (torch.device device = None, torch.dtype dtype = None, bool non_blocking = False, "
            "bool copy = False, *, torch.memory_format memory_format = None)\n"
            " * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, "
            "torch.memory_format memory_format = None)\n"
            " * (Tensor tensor, bool non_blocking = False, bool copy = False, *, "
            "torch.memory_format memory_format = None)\n"
        )
    if isinstance(device, (str, int)):
        device = flambeau.device(device)
    return device, dtype, non_blocking, memory_format
