"""How saved tensors are rebuilt, and under which of PyTorch's names they are saved."""

import flambeau

# Storage classes name a file's element types; newer types are saved with untyped storages instead.
STORAGE_NAMES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "bfloat16": "BFloat16Storage",
    "complex128": "ComplexDoubleStorage",
    "complex64": "ComplexFloatStorage",
}
STORAGE_DTYPES = {storage: dtype for dtype, storage in STORAGE_NAMES.items()}


def dtype_name(dtype):
    """ "float32" for flambeau.float32."""
    return str(dtype).rsplit(".", 1)[-1]


class StorageType:
    """Stands in an unpickled file for a storage class such as torch.FloatStorage."""

    def __init__(self, name):
        if name in ("UntypedStorage", "TypedStorage"):
            self.dtype = flambeau.uint8
        elif name in STORAGE_DTYPES:
            self.dtype = getattr(flambeau, STORAGE_DTYPES[name])
        else:
            raise KeyError(name)
        self.name = name

    def __repr__(self):
        return f"StorageType(dtype={self.dtype})"


class LoadedStorage:
    """A storage out of a file with its element type; what the rebuild functions take.

    ``untyped`` is None for tensors that are to be on the meta device, ``start`` counts elements into the
    storage.
    """

    __slots__ = ("untyped", "dtype", "numel", "start", "used")

    def __init__(self, untyped, dtype, numel, start=0):
        self.untyped = untyped
        self.dtype = dtype
        self.numel = numel
        self.start = start
        self.used = False

    @property
    def _untyped_storage(self):
        return self.untyped


def bare_storages(value):
    """Puts storages of their own, that no tensor was made of, in place of their stand-ins in containers."""
    if isinstance(value, LoadedStorage):
        from .storage import TypedStorage

        # Typed also where bytes were saved, as in PyTorch.
        return TypedStorage(wrap_storage=value.untyped, dtype=value.dtype)
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = bare_storages(item)
    elif isinstance(value, list):
        value[:] = [bare_storages(item) for item in value]
    elif type(value) is tuple:
        return tuple(bare_storages(item) for item in value)
    return value


def _check_layout(storage, offset, size, stride, dtype):
    """Refuses a tensor that would reach outside its storage: files are not to be trusted."""
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
        raise RuntimeError(f"Invalid tensor layout in file: size {size}, stride {stride}, offset {offset}")
    if 0 in size:
        return
    last = offset + sum((length - 1) * step for length, step in zip(size, stride))
    itemsize = dtype.itemsize
    if (last + 1) * itemsize > storage.numel * storage.dtype.itemsize:
        raise RuntimeError(
            f"Trying to resize storage that is not resizable: size {list(size)}, stride {list(stride)} and "
            f"storage offset {offset} need {(last + 1) * itemsize} bytes, but the storage has "
            f"{storage.numel * storage.dtype.itemsize}"
        )


def _make(storage, storage_offset, size, stride, dtype):
    if not isinstance(storage, LoadedStorage):
        raise RuntimeError(f"Expected a storage, but got {type(storage).__name__}")
    storage.used = True
    size, stride = tuple(size), tuple(stride)
    _check_layout(storage, storage_offset, size, stride, dtype)
    if storage.untyped is None:
        return flambeau.empty_strided(size, stride, dtype=dtype, device="meta")
    offset = storage_offset + storage.start
    return flambeau._C._tensor_from_storage(storage.untyped, dtype, offset, size, stride)


def _finish(tensor, requires_grad, backward_hooks, metadata):
    if metadata:
        if metadata.get("conj"):
            tensor = flambeau.conj(tensor)
        if metadata.get("neg"):
            tensor = flambeau._neg_view(tensor)
    if requires_grad:
        tensor.requires_grad_(True)
    if backward_hooks:
        tensor._backward_hooks = backward_hooks
    return tensor


def _rebuild_tensor(storage, storage_offset, size, stride):
    return _make(storage, storage_offset, size, stride, storage.dtype)


def _rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks, metadata=None):
    tensor = _make(storage, storage_offset, size, stride, storage.dtype)
    return _finish(tensor, requires_grad, backward_hooks, metadata)


def _rebuild_tensor_v3(
    storage, storage_offset, size, stride, requires_grad, backward_hooks, dtype, metadata=None
):
    tensor = _make(storage, storage_offset, size, stride, dtype)
    return _finish(tensor, requires_grad, backward_hooks, metadata)


def _rebuild_parameter(data, requires_grad, backward_hooks):
    return _finish(flambeau.nn.Parameter(data, requires_grad), False, backward_hooks, None)


def _rebuild_parameter_with_state(data, requires_grad, backward_hooks, state):
    return _set_obj_state(_rebuild_parameter(data, requires_grad, backward_hooks), state)


def _rebuild_from_type_v2(func, new_type, args, state):
    tensor = func(*args)
    if not isinstance(tensor, flambeau.Tensor):
        raise RuntimeError(f"Expected a tensor, but {func} gave {type(tensor).__name__}")
    if type(tensor) is not new_type:
        tensor = tensor.as_subclass(new_type)
    own = getattr(type(tensor), "__setstate__", None)
    if own is not None and own is not getattr(flambeau.Tensor, "__setstate__", None):
        tensor.__setstate__(state)
        return tensor
    return _set_obj_state(tensor, state)


def _set_obj_state(obj, state):
    if isinstance(state, tuple):
        if len(state) != 2:
            raise RuntimeError(f"Invalid serialized state: {state}")
        attributes, slots = state
    else:
        attributes, slots = state, None
    for part in (attributes, slots):
        for name, value in (part or {}).items():
            setattr(obj, name, value)
    return obj


def _rebuild_meta_tensor_no_storage(dtype, size, stride, requires_grad):
    tensor = flambeau.empty_strided(tuple(size), tuple(stride), dtype=dtype, device="meta")
    return tensor.requires_grad_(True) if requires_grad else tensor


def _rebuild_device_tensor_from_cpu_tensor(data, dtype, device, requires_grad):
    tensor = data.to(device=device, dtype=dtype)
    return tensor.requires_grad_(True) if requires_grad else tensor


def _rebuild_sparse_tensor(layout, data):
    # The indices of a file may point anywhere, so they are checked (on the meta device there are none).
    check = data[0].device.type != "meta"
    if layout == flambeau.sparse_coo:
        indices, values, size, *coalesced = data
        tensor = flambeau.sparse_coo_tensor(indices, values, size, check_invariants=check)
        return tensor._coalesced_(True) if coalesced and coalesced[0] else tensor
    compressed, plain, values, size = data
    return flambeau.sparse_compressed_tensor(
        compressed, plain, values, size, layout=layout, check_invariants=check
    )


def _rebuild_from_storage(storage, dtype, offset, size, stride, requires_grad):
    """The tensor that :func:`_reduce_tensor` took apart."""
    tensor = flambeau._C._tensor_from_storage(storage, dtype, offset, size, stride)
    return tensor.requires_grad_(True) if requires_grad else tensor


def _reduce_tensor(tensor):
    """What ``Tensor.__reduce_ex__`` gives ``pickle`` and ``copy``: the storage and the layout over it, so
    that a shallow copy shares memory and a pickled view keeps its strides. :func:`flambeau.save` does not go
    through it.
    """
    layout = tuple(tensor.size()), tensor.stride()
    if tensor.is_meta:
        return _rebuild_meta_tensor_no_storage, (tensor.dtype, *layout, tensor.requires_grad)
    args = (tensor.untyped_storage(), tensor.dtype, tensor.storage_offset(), *layout, tensor.requires_grad)
    return _rebuild_from_storage, args


class KeyErrorMessage(str):
    """A text that is shown as it is; KeyError shows the repr of its argument."""

    def __repr__(self):
        return self


class ExceptionWrapper:
    """An exception with its traceback, as text, that can travel to another process or thread.

    Args:
        exc_info: as ``sys.exc_info()`` gives it, the default.
        where: where the exception happened.
    """

    def __init__(self, exc_info=None, where="in background"):
        import sys
        import traceback

        if exc_info is None:
            exc_info = sys.exc_info()
        self.exc_type = exc_info[0]
        self.exc_msg = "".join(traceback.format_exception(*exc_info))
        self.where = where

    def reraise(self):
        """Raises an exception of the same type, whose message holds the original traceback; RuntimeError
        where the type cannot be made of a message alone.
        """
        message = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is KeyError:
            message = KeyErrorMessage(message)
        elif getattr(self.exc_type, "message", None):
            raise self.exc_type(message=message)
        try:
            exception = self.exc_type(message)
        except Exception:
            raise RuntimeError(message) from None
        raise exception


def storage_bytes(storage):
    """A writable, flat view of a CPU storage's bytes."""
    return memoryview(storage).cast("B")
