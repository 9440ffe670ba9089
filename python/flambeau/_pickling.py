"""Writes objects as pickles that refer to flambeau's classes and tensors by PyTorch's names.

Tensors are reduced to calls of functions such as torch._utils._rebuild_tensor_v2, which need not exist here:
they are stood for by objects in modules whose names start with a random token, and the token is cut out of
the finished pickle. Python's fast pickler does the rest. Globals of other flambeau modules (whole pickled
models) are renamed afterwards.
"""

import sys
from sys import intern

import flambeau

from ._utils import STORAGE_NAMES, dtype_name

_Operation = type(flambeau._C._functions.add.__self__)
_token = None
_stand_ins = {}


def _stand_in(module, name):
    """An object that is pickled as the global ``module.name``."""
    global _token
    try:
        return _stand_ins[module, name]
    except KeyError:
        pass
    import os
    from types import ModuleType

    if _token is None:
        _token = "_" + os.urandom(12).hex() + "_"
    hidden = _token + module
    # The pickler imports the module to check it, and with it its package.
    for path in (hidden.split(".")[0], hidden):
        if path not in sys.modules:
            sys.modules[path] = ModuleType(path)
    # A class, since the pickler writes classes by name and calls nothing on them.
    found = type(name, (), {"__module__": hidden, "__qualname__": name})
    setattr(sys.modules[hidden], name, found)
    _stand_ins[module, name] = found
    return found


class _StorageRef:
    """A storage in the arguments of a rebuild function; pickled as a persistent id."""

    __slots__ = ("storage", "type_name", "itemsize", "dtype")

    def __init__(self, storage, type_name, dtype):
        self.storage = storage
        self.type_name = type_name
        self.dtype = dtype


def _storage_identity(storage):
    identity = getattr(storage, "_cdata", None)
    if identity is None:
        identity = storage.data_ptr() or id(storage)
    return identity


class StorageTable:
    """The storages of one file: each gets a key, and tensors that share one keep sharing it."""

    def __init__(self, legacy=False):
        self.legacy = legacy
        self.keys = {}
        self.storages = {}
        self.dtypes = {}
        # Storages must not be freed while the file is written: another one could take their address.
        self.alive = []

    def persistent_id(self, ref):
        storage, dtype = ref.storage, ref.dtype
        self.alive.append(storage)
        identity = _storage_identity(storage)
        if storage.nbytes() and self.dtypes.setdefault(identity, dtype) != dtype:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different types"
            )
        key = self.keys.setdefault(identity, str(len(self.keys)))
        self.storages[key] = (storage, dtype)
        module = "torch.storage" if ref.type_name == "UntypedStorage" else "torch"
        numel = storage.nbytes() // dtype.itemsize
        device = storage.device
        # Interned, so that equal locations are one object and the pickle names each once.
        location = intern(device.type if device.type in ("cpu", "meta") else str(device))
        result = ("storage", _stand_in(module, ref.type_name), key, location, numel)
        return result + (None,) if self.legacy else result


def _tensor_parts(tensor):
    """Rebuild function and arguments of a plain tensor."""
    from collections import OrderedDict

    dtype = tensor.dtype
    name = dtype_name(dtype)
    if tensor.device.type == "meta":
        stand_in = _stand_in("torch._utils", "_rebuild_meta_tensor_no_storage")
        return stand_in, (
            _stand_in("torch", name),
            tuple(tensor.shape),
            tensor.stride(),
            tensor.requires_grad,
        )
    if tensor.layout != flambeau.strided:
        if tensor.layout != flambeau.sparse_coo:
            raise NotImplementedError(f"sparse tensor __reduce_ex__ for layout `{tensor.layout}`")
        data = (tensor._indices(), tensor._values(), tensor.size(), tensor.is_coalesced())
        return _stand_in("torch._utils", "_rebuild_sparse_tensor"), (tensor.layout, data)

    metadata = {}
    for flag in ("conj", "neg"):
        is_set = getattr(tensor, "is_" + flag, None)
        if is_set is not None and is_set():
            metadata[flag] = True
    storage = tensor.untyped_storage()
    layout = (
        tensor.storage_offset(),
        tuple(tensor.shape),
        tensor.stride(),
        tensor.requires_grad,
        OrderedDict(),
    )
    if name in STORAGE_NAMES:
        args = (_StorageRef(storage, STORAGE_NAMES[name], dtype), *layout)
        rebuild = "_rebuild_tensor_v2"
    else:
        args = (_StorageRef(storage, "UntypedStorage", flambeau.uint8), *layout, _stand_in("torch", name))
        rebuild = "_rebuild_tensor_v3"
    return _stand_in("torch._utils", rebuild), (*args, metadata) if metadata else args


def _reduce(obj):
    """The reduction of a tensor, layout, dtype or operation; None for everything else."""
    from collections import OrderedDict

    cls = type(obj)
    if not isinstance(obj, flambeau.Tensor):
        if type(getattr(obj, "__self__", None)) is _Operation:
            return obj.__name__
        if cls is type(flambeau.strided):
            return _stand_in("torch.serialization", "_get_layout"), (str(obj).replace("flambeau.", "torch."),)
        return None
    parameter = flambeau.nn.Parameter
    if cls is not flambeau.Tensor and cls is not parameter:
        own = cls.__reduce_ex__
        if own is not flambeau.Tensor.__reduce_ex__ and own is not parameter.__reduce_ex__:
            return None
    from .utils.hooks import warn_if_has_hooks

    warn_if_has_hooks(obj)
    state = getattr(obj, "__dict__", None)
    if cls is flambeau.Tensor and not state:
        return _tensor_parts(obj)
    # isinstance(t, Parameter) may hold for marked tensors of other classes: the class decides.
    if issubclass(cls, parameter):
        data = obj.detach()
        data = data if type(data) is flambeau.Tensor else data.as_subclass(flambeau.Tensor)
        args = (data, obj.requires_grad, OrderedDict())
        if state:
            return _stand_in("torch._utils", "_rebuild_parameter_with_state"), (*args, dict(state))
        return _stand_in("torch._utils", "_rebuild_parameter"), args
    func, args = _tensor_parts(obj)
    return _stand_in("torch._tensor", "_rebuild_from_type_v2"), (func, cls, args, dict(state or {}))


def dumps(obj, table, pickle_module, protocol):
    """Pickles ``obj``; storages go into ``table``.

    Protocols above 3, which write names in a way that cannot be changed afterwards, are written as 3.
    """
    import io

    storage_types = tuple(
        found
        for found in (getattr(flambeau, name, None) for name in ("UntypedStorage", "TypedStorage"))
        if found is not None
    )

    class Pickler(pickle_module.Pickler):
        def persistent_id(self, value):
            cls = type(value)
            if cls is _StorageRef:
                return table.persistent_id(value)
            if isinstance(value, storage_types):
                return table.persistent_id(_reference(value))
            return None

        def reducer_override(self, value):
            reduced = _reduce(value)
            if reduced is not None:
                return reduced
            inherited = getattr(super(), "reducer_override", None)
            return NotImplemented if inherited is None else inherited(value)

    stream = io.BytesIO()
    Pickler(stream, protocol=min(protocol, 3)).dump(obj)
    data = stream.getvalue()
    if _token is not None:
        data = data.replace(_token.encode(), b"")
    return _rename_globals(data) if b"cflambeau" in data else data


def _reference(storage):
    """A bare storage, typed or untyped, as it is written."""
    inner = getattr(storage, "_untyped_storage", None)
    if inner is None:
        return _StorageRef(storage, "UntypedStorage", flambeau.uint8)
    return _StorageRef(inner, STORAGE_NAMES[dtype_name(storage.dtype)], storage.dtype)


# Where PyTorch has classes that are elsewhere here.
_MOVED = {
    "flambeau.nn.modules.attention": "torch.nn.modules.activation",
    "flambeau._C._nn": "torch.nn.functional",
}


def _torch_name(module, name):
    """A global of flambeau's as PyTorch's files name it: module and name on lines of their own."""
    if module.startswith("flambeau.optim.lr_scheduler."):
        moved = "torch.optim.lr_scheduler"
    elif name == "LinearCrossEntropyLoss":
        moved = "torch.nn.modules.loss"
    else:
        moved = _MOVED.get(module) or "torch" + module[len("flambeau") :]
    return f"{moved}\n{name}\n"


def _rename_globals(data):
    """Puts PyTorch's names for flambeau's in the names of globals, and only there."""
    from pickletools import genops

    pieces, done = [], 0
    for op, arg, position in genops(data):
        if op.name == "GLOBAL" and (arg.startswith("flambeau ") or arg.startswith("flambeau.")):
            pieces += [data[done:position], b"c" + _torch_name(*arg.split(" ", 1)).encode()]
            done = position + len(b"c" + arg.encode()) + 1
    return b"".join(pieces) + data[done:]
