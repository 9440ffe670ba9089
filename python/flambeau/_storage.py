"""Methods of ``UntypedStorage`` that are written in Python; put onto the native type at import."""

from . import _C

UntypedStorage = _C.UntypedStorage


def _new(self, *args, **kwargs):
    return UntypedStorage(*args, **kwargs)


def _type(self, dtype=None, non_blocking=False):
    if dtype is None:
        return "torch.storage.UntypedStorage"
    from .storage import TypedStorage

    return TypedStorage(wrap_storage=self, dtype=_C.uint8).type(dtype)


def _to(self, *, device, non_blocking=False):
    device = _C.device(device)
    if device == self.device:
        return self
    if device.type == "meta":
        return UntypedStorage(self.nbytes(), device=device)
    raise RuntimeError(f"a storage on {self.device} cannot be moved to {device}")


def _deepcopy(self, memo):
    found = memo.get(id(self))
    if found is None:
        found = memo[id(self)] = self.clone()
    return found


def _converts(name):
    def method(self):
        # The module with typed storages puts the real method in this one's place.
        from . import storage  # noqa: F401

        return getattr(UntypedStorage, name)(self)

    method.__name__ = name
    return method


def attach():
    """Puts the methods onto the type."""
    for name, function in {
        "new": _new,
        "type": _type,
        "to": _to,
        "__copy__": lambda self: self.clone(),
        "__deepcopy__": _deepcopy,
        "pin_memory": lambda self, device="cuda": self,
        "_untyped": lambda self: self,
    }.items():
        setattr(UntypedStorage, name, function)
    for name in (
        "double float half bfloat16 long int short char byte bool complex_double complex_float".split()
    ):
        setattr(UntypedStorage, name, _converts(name))
    for name in ("is_hpu", "is_sparse", "is_sparse_csr"):
        setattr(UntypedStorage, name, False)
    if not hasattr(UntypedStorage, "filename"):
        UntypedStorage.filename = None


attach()
