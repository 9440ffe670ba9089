"""An unpickler that can only make tensors and plain containers.

It interprets the few instructions that saved state dicts consist of. Names are looked up in a list of allowed
ones, only allowed functions are called, and only plain containers, tensors and allowed types are filled;
anything else raises UnpicklingError. A file can therefore not run code.
"""

from collections import Counter, OrderedDict
from struct import Struct
from types import BuiltinFunctionType

import flambeau

from . import _utils

BLOCKED_MODULES = ("sys", "os", "posix", "nt")

_user_globals = []


def add_safe_globals(safe_globals):
    """Allows more classes and functions; items are those, or tuples of one and its full name in files."""
    for item in safe_globals:
        if not any(item is known for known in _user_globals):
            _user_globals.append(item)


def get_safe_globals():
    """The classes and functions that the user allowed."""
    return list(_user_globals)


def clear_safe_globals():
    """Takes back all allowances of the user."""
    _user_globals.clear()


class safe_globals:
    """Context manager that allows classes and functions inside a ``with`` block."""

    def __init__(self, safe_globals):
        self.safe_globals = safe_globals

    def __enter__(self):
        add_safe_globals(self.safe_globals)

    def __exit__(self, exc_type, exc_value, traceback):
        given = {id(item) for item in self.safe_globals}
        _user_globals[:] = [item for item in _user_globals if id(item) not in given]


def user_globals():
    """Full name -> object that the user allowed."""
    table = {}
    for item in _user_globals:
        if isinstance(item, tuple):
            if len(item) != 2:
                raise ValueError(
                    "Expected tuple of length 2 (global, str of callable full path), "
                    f"but got tuple of length: {len(item)}"
                )
            value, name = item
            if type(name) is not str:
                raise TypeError(
                    f"Expected second item in tuple to be str of callable full path, but got: {type(name)}"
                )
        else:
            # The operations' functions are built in: their qualified names are not those of globals.
            own = item.__name__ if isinstance(item, BuiltinFunctionType) else item.__qualname__
            value, name = item, f"{item.__module__}.{own}"
        table[name] = value
        # flambeau's own classes are saved under PyTorch's names.
        if name.startswith("flambeau."):
            table["torch" + name[len("flambeau") :]] = value
    return table


_default_globals = {}

_REBUILDERS = (
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
    "_rebuild_tensor",
    "_rebuild_tensor_v2",
    "_rebuild_tensor_v3",
    "_rebuild_sparse_tensor",
    "_rebuild_meta_tensor_no_storage",
    "_rebuild_device_tensor_from_cpu_tensor",
)
_DTYPES = """float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex128 complex64 complex32
uint16 uint32 uint64 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu""".split()


def _encode(text, encoding="latin1", *ignored):
    # Protocol 2 writes bytes as text to be encoded; codecs with side effects or cost are not for files to
    # choose.
    if encoding not in ("latin1", "latin-1", "ascii", "utf-8", "utf8"):
        raise _error(f"Unsupported encoding {encoding!r}")
    return text.encode(encoding)


def default_globals():
    """Full name -> object for everything that is allowed without asking."""
    if _default_globals:
        return _default_globals
    table = {
        "collections.OrderedDict": OrderedDict,
        "collections.Counter": Counter,
        "torch.nn.parameter.Parameter": flambeau.nn.Parameter,
        "torch.serialization._get_layout": get_layout,
        "torch.Size": flambeau.Size,
        "torch.Tensor": flambeau.Tensor,
        "torch.device": flambeau.device,
        "_codecs.encode": _encode,
        "builtins.bytearray": bytearray,
        "builtins.set": set,
        "builtins.complex": complex,
        "torch._tensor._rebuild_from_type_v2": _utils._rebuild_from_type_v2,
        "torch.storage.UntypedStorage": _utils.StorageType("UntypedStorage"),
        "torch.storage.TypedStorage": _utils.StorageType("TypedStorage"),
    }
    for name in _DTYPES:
        dtype = getattr(flambeau, name, None)
        if dtype is not None:
            table["torch." + name] = dtype
    for name in _utils.STORAGE_DTYPES:
        storage = _utils.StorageType(name)
        table["torch." + name] = storage
        table["torch.cuda." + name] = storage
    for name in _REBUILDERS:
        table["torch._utils." + name] = getattr(_utils, name)
    _default_globals.update(table)
    return _default_globals


def get_layout(name):
    """The memory layout of that name, such as "torch.strided"."""
    layout = getattr(flambeau, name.rsplit(".", 1)[-1], None)
    if type(layout) is not type(flambeau.strided):
        raise KeyError(name)
    return layout


def _error(message):
    from pickle import UnpicklingError

    return UnpicklingError(message)


def _current_name(module, name):
    """Module and name in Python 3 of a global; protocol 2 writes those of Python 2."""
    if module == "collections" or module.startswith("torch"):
        return module, name
    from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING

    return NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))


_INT32, _UINT32, _UINT16, _FLOAT64 = Struct("<i"), Struct("<I"), Struct("<H"), Struct(">d")
_MARK = object()


class Unpickler:
    """Reads one pickle out of a bytes-like object.

    Args:
        data: bytes that hold the pickle.
        position: where it starts.
        encoding: of the byte strings of Python 2; "bytes" leaves them as bytes.
        persistent_load: called with the tuple that names a storage.
    """

    def __init__(self, data, position=0, *, encoding="bytes", persistent_load=None):
        self.data = data
        self.position = position
        self.encoding = encoding
        self.persistent_load = persistent_load
        self.stack = []
        self.memo = {}
        self.allowed = None

    def load(self):
        """Returns the object; afterwards ``position`` is behind the pickle."""
        data, instructions = self.data, _INSTRUCTIONS
        try:
            while True:
                if self.position >= len(data):
                    raise EOFError
                code = data[self.position]
                self.position += 1
                if code == 0x2E:  # STOP
                    return self.stack.pop()
                instruction = instructions.get(code)
                if instruction is None:
                    raise _error(f"Unsupported operand {code}")
                instruction(self)
        except (IndexError, UnicodeDecodeError) as error:
            raise _error(f"pickle data is damaged: {error}") from None

    # Reading.

    def take(self, count):
        chunk = self.data[self.position : self.position + count]
        if len(chunk) != count:
            raise EOFError
        self.position += count
        return chunk

    def number(self, layout):
        return layout.unpack(self.take(layout.size))[0]

    def line(self):
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise EOFError
        text = self.data[self.position : end].decode()
        self.position = end + 1
        return text

    def pop_mark(self):
        stack = self.stack
        for start in range(len(stack) - 1, -1, -1):
            if stack[start] is _MARK:
                items = stack[start + 1 :]
                del stack[start:]
                return items
        raise _error("pickle data is damaged: no mark")

    def is_allowed(self, value):
        if self.allowed is None:
            self.allowed = {id(v) for table in (default_globals(), user_globals()) for v in table.values()}
        return id(value) in self.allowed

    # Instructions.

    def find_global(self):
        module, name = _current_name(self.line(), self.line())
        path = f"{module}.{name}"
        if module in BLOCKED_MODULES:
            raise _error(f"Trying to load unsupported GLOBAL {path} whose module {module} is blocked.")
        found = default_globals().get(path)
        if found is None:
            found = user_globals().get(path)
        if found is None:
            shown = name if module == "builtins" else path
            raise _error(
                f"Unsupported global: GLOBAL {shown} was not an allowed global by default. Please use "
                f"`torch.serialization.add_safe_globals([{shown}])` or the "
                f"`torch.serialization.safe_globals([{shown}])` context manager to allowlist this global "
                "if you trust this class/function."
            )
        self.stack.append(found)

    def new_object(self):
        args, cls = self.stack.pop(), self.stack.pop()
        if not isinstance(cls, type) or not self.is_allowed(cls):
            raise _error(
                "Can only create new object for nn.Parameter or classes allowlisted via `add_safe_globals` "
                f"but got {cls}"
            )
        self.stack.append(cls(*args) if cls is flambeau.nn.Parameter else cls.__new__(cls, *args))

    def call(self):
        args = self.stack.pop()
        function = self.stack[-1]
        if not self.is_allowed(function) or type(args) is not tuple:
            message = f"Trying to call reduce for unrecognized function {function}"
            if hasattr(function, "__self__"):
                message += f" which belongs to {function.__self__}"
            raise _error(message)
        self.stack[-1] = function(*args)

    def build(self):
        state = self.stack.pop()
        target = self.stack[-1]
        cls = type(target)
        if cls is OrderedDict:
            target.__dict__.update(state)
        elif cls is flambeau.nn.Parameter or self.is_allowed(cls) and cls is not flambeau.Tensor:
            if hasattr(target, "__setstate__"):
                target.__setstate__(state)
            else:
                attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
                target.__dict__.update(attributes or {})
                for name, value in (slots or {}).items():
                    setattr(target, name, value)
        else:
            raise _error(
                "Can only build Tensor, Parameter, OrderedDict or types allowlisted via `add_safe_globals`, "
                f"but got {cls}"
            )

    def list_target(self, verb):
        target = self.stack[-1]
        if type(target) is not list:
            raise _error(f"Can only {verb} lists, but got {type(target)}")
        return target

    def append_one(self):
        item = self.stack.pop()
        self.list_target("append to").append(item)

    def append_many(self):
        items = self.pop_mark()
        self.list_target("extend").extend(items)

    def dict_target(self, instruction):
        target = self.stack[-1]
        if type(target) not in (dict, OrderedDict, Counter):
            raise _error(
                f"Can only {instruction} for dict, collections.OrderedDict, collections.Counter, "
                f"but got {type(target)}"
            )
        return target

    def set_one(self):
        value, key = self.stack.pop(), self.stack.pop()
        self.dict_target("SETITEM")[key] = value

    def set_many(self):
        items = self.pop_mark()
        target = self.dict_target("SETITEMS")
        if len(items) % 2:
            raise _error("pickle data is damaged: a key without a value")
        for key, value in zip(items[::2], items[1::2]):
            target[key] = value

    def make_tuple(self, count):
        stack = self.stack
        if len(stack) < count:
            raise IndexError("stack is empty")
        stack[-count:] = [tuple(stack[-count:])]

    def text(self):
        length = self.number(_UINT32)
        self.stack.append(str(self.take(length), "utf-8", "surrogatepass"))

    def byte_string(self):
        value = bytes(self.take(self.take(1)[0]))
        self.stack.append(value if self.encoding == "bytes" else value.decode(self.encoding))

    def long_integer(self):
        self.stack.append(int.from_bytes(self.take(self.take(1)[0]), "little", signed=True))

    def storage(self):
        name = self.stack.pop()
        if type(name) not in (tuple, int):
            raise _error(f"persistent_load id must be tuple or int, but got {type(name)}")
        if type(name) is tuple and name and name[0] not in ("storage", b"storage"):
            raise _error(f"Only persistent_load of storage is allowed, but got {type(name[0])}")
        if self.persistent_load is None:
            raise _error("unsupported persistent id encountered")
        self.stack.append(self.persistent_load(name))

    def get(self, index):
        try:
            self.stack.append(self.memo[index])
        except KeyError:
            raise _error(f"Memo value not found at index {index}") from None

    def put(self, index):
        self.memo[index] = self.stack[-1]

    def protocol(self):
        version = self.take(1)[0]
        if version != 2:
            import warnings

            warnings.warn(
                f"Detected pickle protocol {version} in the checkpoint, which was not the default pickle "
                "protocol used by `torch.load` (2). The weights_only Unpickler might not support all "
                "instructions implemented by this protocol, please file an issue for adding support if "
                "you encounter this.",
                stacklevel=2,
            )


_INSTRUCTIONS = {
    ord("c"): Unpickler.find_global,
    0x81: Unpickler.new_object,
    ord("R"): Unpickler.call,
    ord("b"): Unpickler.build,
    ord("a"): Unpickler.append_one,
    ord("e"): Unpickler.append_many,
    ord("s"): Unpickler.set_one,
    ord("u"): Unpickler.set_many,
    ord("("): lambda self: self.stack.append(_MARK),
    ord("t"): lambda self: self.stack.append(tuple(self.pop_mark())),
    0x85: lambda self: self.make_tuple(1),
    0x86: lambda self: self.make_tuple(2),
    0x87: lambda self: self.make_tuple(3),
    ord("N"): lambda self: self.stack.append(None),
    0x88: lambda self: self.stack.append(True),
    0x89: lambda self: self.stack.append(False),
    ord(")"): lambda self: self.stack.append(()),
    ord("]"): lambda self: self.stack.append([]),
    ord("}"): lambda self: self.stack.append({}),
    0x8F: lambda self: self.stack.append(set()),
    ord("J"): lambda self: self.stack.append(self.number(_INT32)),
    ord("K"): lambda self: self.stack.append(self.take(1)[0]),
    ord("M"): lambda self: self.stack.append(self.number(_UINT16)),
    ord("G"): lambda self: self.stack.append(self.number(_FLOAT64)),
    ord("X"): Unpickler.text,
    ord("U"): Unpickler.byte_string,
    0x8A: Unpickler.long_integer,
    ord("Q"): Unpickler.storage,
    ord("h"): lambda self: self.get(self.take(1)[0]),
    ord("j"): lambda self: self.get(self.number(_UINT32)),
    ord("q"): lambda self: self.put(self.take(1)[0]),
    ord("r"): lambda self: self.put(self.number(_UINT32)),
    0x80: Unpickler.protocol,
}


def names_in(data):
    """The full names that a pickle refers to, without loading it."""
    from pickletools import genops

    globals_ = [arg.split(" ", 1) for op, arg, _ in genops(data) if op.name == "GLOBAL"]
    return {".".join(_current_name(module, name)) for module, name in globals_}
