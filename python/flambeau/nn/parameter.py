"""Tensors that a module owns: `Parameter`, `Buffer` and their shapeless forms."""

from collections import OrderedDict

import flambeau

from .. import _C

__all__ = [
    "Parameter",
    "UninitializedParameter",
    "is_lazy",
    "Buffer",
    "UninitializedBuffer",
    "UninitializedTensorMixin",
]

Tensor = _C.Tensor

# An engine that honours `__torch_function__` would otherwise hand results back as Parameters.
_no_torch_function = getattr(_C, "_disabled_torch_function_impl", None)


class _ParameterMeta(type(Tensor)):
    """Lets a tensor of a foreign subclass count as a Parameter when it is marked `_is_param`."""

    def __instancecheck__(self, instance):
        if self is Parameter and isinstance(instance, Tensor) and getattr(instance, "_is_param", False):
            return True
        return super().__instancecheck__(instance)


class _BufferMeta(type(Tensor)):
    """Lets a tensor of a foreign subclass count as a Buffer when it is marked `_is_buffer`."""

    def __instancecheck__(self, instance):
        if self is Buffer and isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False):
            return True
        return super().__instancecheck__(instance)


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor that a `Module` lists in `parameters()` as soon as it is assigned as an attribute.

    Args:
        data (Tensor): the values; shared, not copied. An empty tensor when None.
        requires_grad (bool): whether gradients are collected. Default: True, also under `no_grad`.
    """

    def __new__(cls, data=None, requires_grad=True):
        if data is None:
            data = flambeau.empty(0)
        if type(data) is Tensor or type(data) is Parameter:
            return Tensor._make_subclass(cls, data, requires_grad)
        # A custom subclass keeps its own type and is only marked.
        t = data.detach().requires_grad_(requires_grad)
        if type(t) is not type(data):
            raise RuntimeError(
                f"Creating a Parameter from an instance of type {type(data).__name__} "
                "requires that detach() returns an instance of the same type, but return "
                f"type {type(t).__name__} was found instead. To use the type as a "
                "Parameter, please correct the detach() semantics defined by "
                "its __torch_dispatch__() implementation."
            )
        t._is_param = True
        return t

    def __deepcopy__(self, memo):
        key = id(self)
        if key in memo:
            return memo[key]
        data = self.data.clone(memory_format=flambeau.preserve_format)
        result = type(self)(data, self.requires_grad)
        memo[key] = result
        return result

    def __repr__(self):
        # Shown as a plain tensor.
        return "Parameter containing:\n" + repr(self.detach().requires_grad_(self.requires_grad))

    def __reduce_ex__(self, proto):
        from flambeau import _utils

        hooks = OrderedDict()
        state = getattr(self, "__dict__", None)
        if not state:
            return (_utils._rebuild_parameter, (self.data, self.requires_grad, hooks))
        return (_utils._rebuild_parameter_with_state, (self.data, self.requires_grad, hooks, dict(state)))

    if _no_torch_function is not None:
        __torch_function__ = _no_torch_function


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that a `Module` registers as a buffer when it is assigned as an attribute.

    Args:
        data (Tensor): the values. An empty tensor when None.
        persistent (bool): whether `state_dict` includes it. Default: True
    """

    def __new__(cls, data=None, *, persistent=True):
        if data is None:
            data = flambeau.empty(0)
        t = data.detach().requires_grad_(data.requires_grad)
        t.persistent = persistent
        t._is_buffer = True
        return t

    if _no_torch_function is not None:
        __torch_function__ = _no_torch_function


class UninitializedTensorMixin:
    """What a tensor without a shape yet can do: move, change dtype and be materialised."""

    cls_to_become = None

    _allowed = frozenset(
        "__hash__ size copy_ is_complex is_floating_point half float double char short int long "
        "cuda cpu to get_device _has_compatible_shallow_copy_type __get__ __set__ is_pinned".split()
    )

    def materialize(self, shape, device=None, dtype=None):
        """Give the tensor its shape, and turn it into an ordinary parameter or buffer.

        Args:
            shape: sizes of the data, which are left uninitialised.
            device, dtype: default to those it was created with.
        """
        if device is None:
            device = self.data.device
        if dtype is None:
            dtype = self.data.dtype
        self.data = flambeau.empty(shape, device=device, dtype=dtype)
        self.__class__ = self.cls_to_become

    @property
    def shape(self):
        """Raises RuntimeError: there is no shape yet."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. "
            "This error usually happens in `load_state_dict` when trying to load "
            "an uninitialized parameter into an initialized one. "
            "Call `forward` to initialize the parameters before accessing their attributes."
        )

    def share_memory_(self):
        """Raises RuntimeError: there is no memory to share yet."""
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. "
            "Call `forward` to initialize the parameters before calling "
            "`module.share_memory()`."
        )

    def __repr__(self):
        return f"<{self.__class__.__name__}>"

    def __reduce_ex__(self, proto):
        return (self.__class__, (self.requires_grad,))

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        owner = type(func).__name__
        if name in cls._allowed or owner == "method-wrapper":
            return super().__torch_function__(func, types, args, kwargs or {})
        raise ValueError(
            f"Attempted to use an uninitialized parameter in {func}. "
            "This error happens when you are using a `LazyModule` or "
            f"explicitly manipulating `torch.nn.parameter.{cls.__name__}` "
            "objects. When using LazyModules Call `forward` with a dummy batch "
            "to initialize the parameters before calling torch functions"
        )


def is_lazy(param):
    """Whether `param` still waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known yet; see `LazyLinear` and the other lazy modules.

    Args:
        requires_grad (bool): whether gradients are collected once it is materialised.
        device, dtype: of the data to come.
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad=True, device=None, dtype=None):
        data = flambeau.empty(0, device=device, dtype=dtype)
        return Tensor._make_subclass(cls, data, requires_grad)

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        result = type(self)(self.requires_grad, self.data.device, self.data.dtype)
        memo[id(self)] = result
        return result


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape is not known yet.

    Args:
        requires_grad (bool): as for a tensor. Default: False
        device, dtype: of the data to come.
        persistent (bool): whether `state_dict` includes it. Default: True
    """

    cls_to_become = Tensor

    def __new__(cls, requires_grad=False, device=None, dtype=None, persistent=True):
        data = flambeau.empty(0, device=device, dtype=dtype)
        ret = Tensor._make_subclass(cls, data, requires_grad)
        ret.persistent = persistent
        ret._is_buffer = True
        return ret
