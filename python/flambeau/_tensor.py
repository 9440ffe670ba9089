"""Methods of ``Tensor`` that are written in Python; put onto the native type when the package is imported."""

import copy
import functools
import sys
import warnings

from . import _C

Tensor = _C.Tensor

# What the element types were called before dtypes: `torch.FloatTensor` and so on.
_OLD_NAMES = {
    "float32": "FloatTensor",
    "float64": "DoubleTensor",
    "float16": "HalfTensor",
    "bfloat16": "BFloat16Tensor",
    "uint8": "ByteTensor",
    "int8": "CharTensor",
    "int16": "ShortTensor",
    "int32": "IntTensor",
    "int64": "LongTensor",
    "bool": "BoolTensor",
    "complex64": "ComplexFloatTensor",
    "complex128": "ComplexDoubleTensor",
}


class _TypedMeta(type):
    """``isinstance(x, torch.FloatTensor)`` asks for the dtype; calling it makes a tensor of it."""

    def __instancecheck__(cls, other):
        return isinstance(other, Tensor) and other.dtype is cls.dtype and other.device.type == cls._kind

    def __call__(cls, *args, **kwargs):
        if cls._kind != "cpu":
            kwargs.setdefault("device", cls._kind)
        return _C._legacy_tensor(cls.dtype, *args, **kwargs)

    def __repr__(cls):
        return f"<class 'torch.{cls._prefix}{cls.__name__}'>"

    @property
    def _kind(cls):
        return "cuda" if cls._prefix else "cpu"

    @property
    def is_cuda(cls):
        return cls._prefix != ""

    @property
    def layout(cls):
        return _C.strided

    is_sparse = False


def typed(prefix=""):
    """The old constructors by name; with ``prefix`` "cuda." those of CUDA."""
    for name, old in _OLD_NAMES.items():
        dtype = getattr(_C, name)
        doc = f"The old constructor of {name} tensors: of sizes, data, a tensor or a storage."
        scope = {"dtype": dtype, "_prefix": prefix, "__doc__": doc, "__module__": "flambeau"}
        yield old, _TypedMeta(old, (), scope)


TYPED = dict(typed())
"""``FloatTensor`` and its kin, by name."""


def _type(self, dtype=None, non_blocking=False):
    """The old name of the tensor's type; with ``dtype`` (or an old type) the tensor converted to it."""
    if dtype is None:
        name = str(self.dtype).removeprefix("torch.")
        # Newer types have no class, but a name made in the same way.
        old = _OLD_NAMES.get(name) or name.capitalize().replace("Uint", "UInt") + "Tensor"
        kind = self.device.type
        return f"torch.{old}" if kind == "cpu" else f"torch.{kind}.{old}"
    if isinstance(dtype, _TypedMeta):
        dtype = dtype.dtype
    elif isinstance(dtype, str):
        found = TYPED.get(dtype.removeprefix("torch."))
        if found is None:
            raise ValueError(f"invalid type: '{dtype}'")
        dtype = found.dtype
    elif not isinstance(dtype, type(_C.float32)):
        raise TypeError("dtype must be a type, str, or dtype object")
    return self.to(dtype)


def _repr(self, *, tensor_contents=None):
    from . import _tensor_str

    return _tensor_str._str(self, tensor_contents=tensor_contents)


def _format(self, spec):
    # Only a single number of a plain tensor takes a format.
    if self.dim() == 0 and not self.is_meta and type(self) is Tensor:
        return self.item().__format__(spec)
    if spec:
        raise TypeError(f"unsupported format string passed to {type(self).__name__}.__format__")
    return str(self)


def _dir(self):
    names = set(dir(type(self)))
    names.update(self.__dict__)
    return sorted(name for name in names if not name[0].isdigit())


def _reversed(self):
    return self if self.dim() == 0 else self.flip(0)


def _iter(self):
    if self.dim() == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


def _array_wrap(self, array, context=None, return_scalar=False):
    if array.dtype == bool:
        array = array.astype("uint8")
    return _C.from_numpy(array)


def _state(tensor):
    """Attributes that the user set, without the hooks."""
    return {k: v for k, v in tensor.__dict__.items() if k not in _HOOKS}


_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def _deepcopy(self, memo):
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
            "moment.  If you were attempting to deepcopy a module, this may be because of a "
            "torch.nn.utils.weight_norm "
            "usage, see https://github.com/pytorch/pytorch/pull/103001"
        )
    if id(self) in memo:
        return memo[id(self)]
    with _C.no_grad():
        if self.device.type == "meta":
            new = _C._functions.empty_strided(
                tuple(self.size()), self.stride(), dtype=self.dtype, device="meta"
            )
        else:
            # Tensors that share a storage share the copy of it.
            key = ("flambeau storage", self.untyped_storage()._cdata)
            storage = memo.get(key)
            if storage is None:
                storage = memo[key] = self.untyped_storage().clone()
            new = _C._tensor_from_storage(
                storage, self.dtype, self.storage_offset(), tuple(self.size()), self.stride()
            )
        if type(self) is not Tensor:
            new = new.as_subclass(type(self))
    memo[id(self)] = new
    if self.requires_grad:
        new.requires_grad_()
    if self.grad is not None:
        new.grad = copy.deepcopy(self.grad, memo)
    for name, value in _state(self).items():
        setattr(new, name, copy.deepcopy(value, memo))
    return new


def _reduce_ex(self, protocol):
    from . import _utils
    from .utils.hooks import warn_if_has_hooks

    caller = sys._getframe(1)
    if caller.f_globals is globals():
        caller = caller.f_back  # the wrapper that `_overridable` made
    if type(self) is Tensor and caller and caller.f_globals.get("__name__") == "multiprocessing.reduction":
        # Sent to another process before `flambeau.multiprocessing` was imported.
        from .multiprocessing.reductions import reduce_unregistered

        return reduce_unregistered(self)
    warn_if_has_hooks(self)
    func, args = _utils._reduce_tensor(self)
    state = _state(self)
    if type(self) is Tensor and not state:
        return func, args
    return _utils._rebuild_from_type_v2, (func, type(self), args, state)


def _setstate(self, state):
    self.__dict__.update(state)


def _storage(self):
    from .storage import warn_deprecated

    warn_deprecated()
    return self._typed_storage()


def _typed_storage(self):
    from .storage import TypedStorage

    return TypedStorage(wrap_storage=self.untyped_storage(), dtype=self.dtype)


def _storage_type(self):
    from .storage import legacy_type

    return legacy_type(self.dtype)


def _rdiv(self, other):
    return self.reciprocal() * other


def _cuda_array_interface(self):
    raise AttributeError(
        f"Can't get __cuda_array_interface__ on non-CUDA tensor type: {self.type()} If CUDA data is required "
        "use tensor.cuda() to copy tensor to device memory."
    )


def _is_shared(self):
    """Whether the tensor's memory is shared between processes."""
    return self.untyped_storage().is_shared()


def _share_memory(self):
    """Moves the tensor's storage, with all views of it, to memory that processes share; returns the tensor.

    Nothing happens if it is there already. Storages in shared memory cannot be resized.
    """
    self.untyped_storage().share_memory_()
    return self


def _storage_share_memory(self):
    """Moves the storage to memory that processes share; returns it."""
    from .multiprocessing import get_sharing_strategy, shared

    if self.device.type == "cpu" and self.nbytes() and not self.is_shared():
        if get_sharing_strategy() == "file_system":
            shared.change_users(shared.share_name(self), -1)
        else:
            shared.share_fd(self)
    return self


def _new(self, *args, **kwargs):
    return _C._legacy_tensor(self.dtype, *args, **kwargs)


def _reinforce(self, *args, **kwargs):
    raise RuntimeError("reinforce() was removed. Use torch.distributions instead.")


def _module_load(self, other, assign=False):
    """What ``Module.load_state_dict`` puts in place of this tensor: itself with new values, or ``other``."""
    return other.detach() if assign else self.copy_(other)


def _volatile(self):
    warnings.warn("volatile was removed (Variable.volatile is always False)", stacklevel=2)
    return False


# These call nothing but methods that dispatch themselves.
_OWN_DISPATCH = ("__iter__", "_typed_storage", "__setstate__", "reinforce")


def _overridable(function):
    """The method with a way in for subclasses that have a ``__torch_function__``."""
    plain, concerned = Tensor, _C._has_torch_function_unary

    @functools.wraps(function)
    def method(self, *args, **kwargs):
        if type(self) is not plain and concerned(self):
            from .overrides import handle_torch_function

            return handle_torch_function(method, (self,), self, *args, **kwargs)
        return function(self, *args, **kwargs)

    return method


def _attach():
    for name, function in {
        "__repr__": _repr,
        "__format__": _format,
        "__dir__": _dir,
        "__reversed__": _reversed,
        "__iter__": _iter,
        "__array_wrap__": _array_wrap,
        "__deepcopy__": _deepcopy,
        "__reduce_ex__": _reduce_ex,
        "__setstate__": _setstate,
        "__rdiv__": _rdiv,
        "storage": _storage,
        "storage_type": _storage_type,
        "_typed_storage": _typed_storage,
        "is_shared": _is_shared,
        "module_load": _module_load,
        "share_memory_": _share_memory,
        "new": _new,
        "reinforce": _reinforce,
        "type": _type,
    }.items():
        function.__name__ = name
        function.__qualname__ = f"Tensor.{name}"
        if name not in _OWN_DISPATCH:
            function = _overridable(function)
        setattr(Tensor, name, function)
    Tensor._grad = Tensor.grad
    Tensor.__cuda_array_interface__ = property(_cuda_array_interface)
    _C.UntypedStorage.share_memory_ = _storage_share_memory
    Tensor.__array_priority__ = 1000  # so that NumPy's operators leave the operation to tensors
    Tensor.volatile = property(_volatile)
    for name in _HOOKS:
        setattr(Tensor, name, None)


_attach()
