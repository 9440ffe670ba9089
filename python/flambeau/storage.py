"""Storages: the memory under tensors."""

import warnings

from . import _C
from ._C import UntypedStorage

__all__ = ["TypedStorage", "UntypedStorage"]


def warn_deprecated():
    """PyTorch's warning for every use of typed storages."""
    warnings.warn(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only "
        "storage "
        "class. This should only matter to you if you are using storages directly.  To access UntypedStorage "
        "directly, use tensor.untyped_storage() instead of tensor.storage()",
        stacklevel=3,
    )


class TypedStorage:
    """An untyped storage seen as elements of one dtype; kept for old code.

    Args:
        untyped: the bytes.
        dtype: what they are.
    """

    def __init__(self, untyped, dtype):
        self._untyped_storage = untyped
        self.dtype = dtype

    def _elements(self):
        n = len(self)
        return _C._tensor_from_storage(self._untyped_storage, self.dtype, 0, (n,), (1,))

    def untyped(self):
        return self._untyped_storage

    @property
    def device(self):
        return self._untyped_storage.device

    @property
    def is_cuda(self):
        return False

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

    size = __len__

    def __getitem__(self, index):
        found = self._elements()[index]
        return found.item() if isinstance(index, int) else TypedStorage(found.untyped_storage(), self.dtype)

    def __setitem__(self, index, value):
        self._elements()[index] = value

    def __iter__(self):
        return iter(self.tolist())

    def tolist(self):
        return self._elements().tolist()

    def clone(self):
        return TypedStorage(self._untyped_storage.clone(), self.dtype)

    def cpu(self):
        return self

    def fill_(self, value):
        self._elements().fill_(value)
        return self

    def copy_(self, source, non_blocking=None):
        self._elements().copy_(source._elements())
        return self

    def resize_(self, size):
        self._untyped_storage.resize_(size * self.dtype.itemsize)
        return self

    def pickle_storage_type(self):
        from ._utils import STORAGE_NAMES

        return STORAGE_NAMES[str(self.dtype).removeprefix("torch.")]

    def __eq__(self, other):
        return isinstance(other, TypedStorage) and (self._untyped_storage, self.dtype) == (
            other._untyped_storage,
            other.dtype,
        )

    def __hash__(self):
        return hash(self._untyped_storage)

    def __repr__(self):
        items = "".join(f" {value}\n" for value in self.tolist())
        kind = f"torch.storage.TypedStorage(dtype={self.dtype}, device={self.device})"
        return f"{items}[{kind} of size {len(self)}]"
