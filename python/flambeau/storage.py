"""Storages: the memory under tensors, as bytes and, for old code, as elements of one type."""

import warnings

from . import _C
from ._C import UntypedStorage
from ._utils import STORAGE_DTYPES, STORAGE_NAMES, dtype_name

__all__ = ["TypedStorage", "UntypedStorage", *STORAGE_DTYPES]

_warned = False


def _reset_warn_typed_storage_removal():
    """Lets the next use of a typed storage warn again."""
    global _warned
    _warned = False


def warn_deprecated():
    """PyTorch's warning about typed storages, once."""
    global _warned
    if _warned:
        return
    _warned = True
    warnings.warn(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only "
        "storage class. This should only matter to you if you are using storages directly.  To access "
        "UntypedStorage directly, use tensor.untyped_storage() instead of tensor.storage()",
        stacklevel=3,
    )


def legacy_type(dtype):
    """The old storage class of a dtype, such as ``FloatStorage``; None for newer dtypes."""
    return globals().get(STORAGE_NAMES.get(dtype_name(dtype)))


class TypedStorage:
    """An untyped storage seen as elements of one dtype; kept for old code.

    Args:
        *args: nothing, a number of elements, or a sequence of values.
        wrap_storage: an untyped storage to look into instead of making one.
        dtype: of the elements. Default: ``torch.get_default_dtype()``
        device: where a new storage lies.

    Raises:
        TypeError: for data that are no numbers.
        RuntimeError: for more than one positional argument, or data beside ``wrap_storage``.
    """

    def __init__(self, *args, wrap_storage=None, dtype=None, device=None, _internal=False):
        self.dtype = _C.get_default_dtype() if dtype is None else dtype
        if wrap_storage is not None:
            if args:
                raise RuntimeError("No positional arguments should be given when using 'wrap_storage'")
            if not isinstance(wrap_storage, UntypedStorage):
                raise TypeError(
                    f"Argument 'wrap_storage' must be UntypedStorage, but got {type(wrap_storage)}"
                )
            self._untyped_storage = wrap_storage
        elif len(args) > 1:
            raise RuntimeError(f"Too many positional arguments given: {len(args)}, expected at most 1")
        elif not args:
            self._untyped_storage = UntypedStorage(0, device=device)
        elif isinstance(args[0], int):
            self._untyped_storage = UntypedStorage(args[0] * self.dtype.itemsize, device=device)
        elif isinstance(args[0], UntypedStorage):
            self._untyped_storage = args[0]
        else:
            data = _C.tensor(args[0], dtype=self.dtype, device=device)
            self._untyped_storage = data.untyped_storage()

    @classmethod
    def from_buffer(cls, buffer, byte_order="native", count=-1, offset=0):
        """A storage with a copy of a buffer's bytes, turned around where ``byte_order`` is another."""
        import sys

        dtype = getattr(cls, "dtype", None) or _C.get_default_dtype()
        size = dtype.itemsize
        data = memoryview(buffer).cast("B")[offset:]
        count = len(data) // size if count < 0 else count
        if count * size > len(data):
            raise ValueError(
                f"buffer has only {len(data) // size} elements after offset {offset}, but specified a size "
                f"of {count}"
            )
        made = TypedStorage(wrap_storage=_C._storage_from_buffer(bytes(data[: count * size])), dtype=dtype)
        if byte_order not in ("native", sys.byteorder):
            made._untyped_storage.byteswap(dtype)
        return made

    def _elements(self):
        n = len(self)
        return _C._tensor_from_storage(self._untyped_storage, self.dtype, 0, (n,), (1,))

    def untyped(self):
        """The bytes."""
        return self._untyped_storage

    @property
    def device(self):
        return self._untyped_storage.device

    @property
    def filename(self):
        return self._untyped_storage.filename

    is_cuda = is_hpu = is_sparse = False

    @property
    def _cdata(self):
        return self._untyped_storage._cdata

    def data_ptr(self):
        return self._untyped_storage.data_ptr()

    def element_size(self):
        return self.dtype.itemsize

    def nbytes(self):
        return self._untyped_storage.nbytes()

    def __len__(self):
        return self._untyped_storage.nbytes() // self.dtype.itemsize

    def size(self):
        return len(self)

    def _index(self, index):
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        if not isinstance(index, int):
            raise RuntimeError(f"can't index a {type(self)} with {type(index)}")
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} out of range for storage of size {len(self)}")
        return index

    def __getitem__(self, index):
        return self._elements()[self._index(index)].item()

    def __setitem__(self, index, value):
        self._elements()[index if isinstance(index, slice) else self._index(index)] = value

    def __iter__(self):
        return iter(self.tolist())

    def tolist(self):
        return self._elements().tolist()

    def _wrap(self, untyped, dtype=None):
        return TypedStorage(wrap_storage=untyped, dtype=self.dtype if dtype is None else dtype)

    def clone(self):
        """A copy."""
        return self._wrap(self._untyped_storage.clone())

    def __copy__(self):
        return self.clone()

    def __deepcopy__(self, memo):
        import copy

        return self._wrap(copy.deepcopy(self._untyped_storage, memo))

    def cpu(self):
        return self

    def to(self, *, device, non_blocking=False):
        """The storage on a device."""
        return self._wrap(self._untyped_storage.to(device=device, non_blocking=non_blocking))

    def _to(self, dtype):
        if dtype == self.dtype:
            return self
        return self._wrap(self._elements().to(dtype).untyped_storage(), dtype)

    def type(self, dtype=None, non_blocking=False):
        """The name of the old storage class; with ``dtype`` (or such a name) the elements converted to it."""
        if dtype is None:
            return f"torch.{self.pickle_storage_type()}"
        if isinstance(dtype, str):
            dtype = globals()[dtype.rsplit(".", 1)[-1]]
        return self._to(getattr(dtype, "dtype", dtype))

    def new(self, *args, **kwargs):
        """A new storage of the same type."""
        return TypedStorage(*args, dtype=self.dtype, **kwargs)

    def fill_(self, value):
        self._elements().fill_(value)
        return self

    def copy_(self, source, non_blocking=None):
        if isinstance(source, UntypedStorage):
            self._untyped_storage.copy_(source)
        else:
            self._elements().copy_(source._elements())
        return self

    def resize_(self, size):
        self._untyped_storage.resize_(size * self.dtype.itemsize)

    def is_shared(self):
        return self._untyped_storage.is_shared()

    def share_memory_(self):
        self._untyped_storage.share_memory_()
        return self

    def is_pinned(self, device="cuda"):
        return False

    def pin_memory(self, device="cuda"):
        return self

    def pickle_storage_type(self):
        """The name of the old storage class of this dtype.

        Raises:
            KeyError: for newer dtypes, which have none.
        """
        try:
            return STORAGE_NAMES[dtype_name(self.dtype)]
        except KeyError:
            raise KeyError(f"dtype {self.dtype} is not recognized") from None

    def __eq__(self, other):
        if not isinstance(other, TypedStorage):
            return False
        return self._untyped_storage == other._untyped_storage and self.dtype == other.dtype

    def __hash__(self):
        return hash(self._untyped_storage)

    def __repr__(self):
        items = " \n" if len(self) == 0 else "".join(f" {value}\n" for value in self.tolist())
        kind = f"torch.storage.TypedStorage(dtype={self.dtype}, device={self.device})"
        return f"{items}[{kind} of size {len(self)}]"

    __str__ = __repr__


_CONVERSIONS = {
    "double": "float64",
    "float": "float32",
    "half": "float16",
    "bfloat16": "bfloat16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "char": "int8",
    "byte": "uint8",
    "bool": "bool",
    "complex_double": "complex128",
    "complex_float": "complex64",
}


def _conversions():
    def typed(dtype):
        return lambda self: self._to(dtype)

    def untyped(dtype):
        # The bytes are numbers from 0 to 255.
        return lambda self: TypedStorage(wrap_storage=self, dtype=_C.uint8)._to(dtype)

    for name, dtype in _CONVERSIONS.items():
        for cls, make in ((TypedStorage, typed), (UntypedStorage, untyped)):
            method = make(getattr(_C, dtype))
            method.__name__, method.__doc__ = name, f"The elements converted to {dtype}."
            setattr(cls, name, method)


_conversions()


class _LegacyMeta(type):
    """``isinstance(s, FloatStorage)`` asks for the dtype; calling it makes a typed storage of it."""

    def __instancecheck__(cls, other):
        return isinstance(other, TypedStorage) and other.dtype == cls.dtype

    def __call__(cls, *args, wrap_storage=None, device=None):
        return TypedStorage(*args, wrap_storage=wrap_storage, dtype=cls.dtype, device=device)

    def __repr__(cls):
        return f"<class 'torch.{cls.__name__}'>"


def _legacy_classes():
    for name, dtype in STORAGE_DTYPES.items():
        doc = f"The old class of storages of {dtype} elements."
        scope = {"dtype": getattr(_C, dtype), "__doc__": doc, "__module__": __name__}
        scope["from_buffer"] = classmethod(TypedStorage.from_buffer.__func__)
        yield name, _LegacyMeta(name, (), scope)


globals().update(_legacy_classes())
