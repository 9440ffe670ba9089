"""Saving and loading of objects with tensors, in PyTorch's file format."""

from contextlib import ExitStack, contextmanager

import flambeau

from . import _utils
from ._load_options import (
    LoadEndianness,
    assumed_order,
    byteorder,
    get_default_load_endianness,
    get_default_load_mmap,
    get_default_mmap_options,
    set_default_load_endianness,
    set_default_load_mmap,  # noqa: F401 - public without being listed
    set_default_mmap_options,
    writable_mapping,
)
from ._weights_only_unpickler import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)
from ._weights_only_unpickler import get_layout as _get_layout  # noqa: F401 - named in files

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "default_restore_location",
    "get_crc32_options",
    "get_default_load_endianness",
    "get_default_mmap_options",
    "get_safe_globals",
    "LoadEndianness",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "safe_globals",
    "save",
    "set_crc32_options",
    "set_default_load_endianness",
    "set_default_mmap_options",
]

LoadEndianness.__module__ = set_default_mmap_options.__module__ = __name__

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
DEFAULT_PROTOCOL = 2

_UNSAFE_MESSAGE = (
    "In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` from "
    "`False` to `True`. Re-running `torch.load` with `weights_only` set to `False` will likely succeed, "
    "but it can result in arbitrary code execution. Do it only if you got the file from a trusted source."
)
_DOCS_MESSAGE = (
    "\n\nCheck the documentation of torch.load to learn more about types accepted by default with "
    "weights_only https://pytorch.org/docs/stable/generated/torch.load.html."
)

_compute_crc32 = True


def get_crc32_options():
    """Whether :func:`save` computes checksums."""
    return _compute_crc32


def set_crc32_options(compute_crc32):
    """Chooses whether :func:`save` computes checksums. Without them files are written faster; unzip
    complains.
    """
    global _compute_crc32
    _compute_crc32 = compute_crc32


def _is_path(f):
    import os

    return isinstance(f, (str, os.PathLike))


# Saving.


def save(obj, f, pickle_module=None, pickle_protocol=DEFAULT_PROTOCOL, _use_new_zipfile_serialization=True):
    """Saves an object to a file that PyTorch, too, can load.

    Args:
        obj: tensors, containers, state dicts or anything that pickle takes.
        f: a path or a binary file. A file at a path is replaced only once all is written.
        pickle_module: module whose Pickler is used; the standard one unless given.
        pickle_protocol: protocol of the pickle; above 3 it is written as 3.

    Raises:
        AttributeError: if ``f`` is neither a path nor can be written to.
        RuntimeError: if the file cannot be created, or one storage is to be saved with two element types.
    """
    if pickle_module is None:
        import pickle as pickle_module
    if not _is_path(f) and not hasattr(f, "write"):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
        )
    if not _use_new_zipfile_serialization:
        with _opened(f, "wb") as file:
            _save_legacy(obj, file, pickle_module, pickle_protocol)
        return

    from ._archive import ArchiveWriter, archive_name
    from ._pickling import StorageTable, dumps

    table = StorageTable()
    data = dumps(obj, table, pickle_module, pickle_protocol)
    name = archive_name(f) if _is_path(f) else "archive"
    with _opened(f, "wb") as file:
        writer = ArchiveWriter(file, name, checksums=_compute_crc32)
        writer.write_record("data.pkl", data)
        writer.write_record(".format_version", b"1")
        writer.write_record(".storage_alignment", b"64")
        writer.write_record("byteorder", byteorder())
        for key, (storage, _) in table.storages.items():
            writer.write_record("data/" + key, _cpu_bytes(storage))
        writer.write_record("version", b"3\n")
        writer.write_record(".data/serialization_id", _serialization_id(writer))
        writer.finish()
        if not _is_path(f) and hasattr(f, "flush"):
            f.flush()


def _cpu_bytes(storage):
    if storage.device.type != "cpu":
        storage = storage.cpu()
    return _utils.storage_bytes(storage) if storage.nbytes() else b""


def _serialization_id(writer):
    """40 digits that tell files apart: checksums of the records' names and of their contents."""
    import zlib

    names = contents = 0
    for name, _, crc, size, _ in writer.entries:
        names = names * 31 + zlib.crc32(name)
        contents = contents * 31 + crc + size
    return f"{names % 2**64:020d}{contents % 2**64:020d}".encode()


def _opened(f, mode):
    """A context manager for a path's file, or for a file that stays open."""
    import os
    from contextlib import nullcontext

    if not _is_path(f):
        return nullcontext(f)
    if "w" in mode:
        parent = os.path.dirname(os.fspath(f))
        if parent and not os.path.isdir(parent):
            raise RuntimeError(f"Parent directory {parent} does not exist.")
        return _replacing(f)
    return open(f, mode)


@contextmanager
def _replacing(f):
    """A path's new contents, which take the old one's place when all is written."""
    from ._atomic import replacing

    with ExitStack() as stack:
        try:
            file = stack.enter_context(replacing(f))
        except OSError as error:
            raise RuntimeError(f"open file failed with strerror: {error.strerror}") from error
        yield file


def _save_legacy(obj, file, pickle_module, protocol):
    """The format before 1.6: pickles in a row, then the storages in the order of their keys."""
    import sys

    from ._pickling import StorageTable, dumps

    table = StorageTable(legacy=True)
    data = dumps(obj, table, pickle_module, protocol)
    system = {
        "protocol_version": PROTOCOL_VERSION,
        "little_endian": sys.byteorder == "little",
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    keys = sorted(table.storages)
    for value in (MAGIC_NUMBER, PROTOCOL_VERSION, system):
        pickle_module.dump(value, file, protocol=protocol)
    file.write(data)
    pickle_module.dump(keys, file, protocol=protocol)
    for key in keys:
        storage, dtype = table.storages[key]
        file.write((storage.nbytes() // dtype.itemsize).to_bytes(8, "little"))
        file.write(_cpu_bytes(storage))


# Where storages go.


def default_restore_location(storage, location):
    """Moves a storage that was read to the CPU to the device that ``location`` names.

    Raises:
        RuntimeError: if there is no such device.
    """
    location = str(location)
    if location == "cpu":
        return storage
    kind = location.split(":")[0]
    if kind in ("cuda", "xpu", "hpu", "mps"):
        backend = getattr(flambeau, kind, None)
        if backend is None or not backend.is_available():
            name = kind.upper()
            raise RuntimeError(
                f"Attempting to deserialize object on a {name} device but torch.{kind}.is_available() is "
                "False. If you are running on a CPU-only machine, please use torch.load with "
                "map_location=torch.device('cpu') to map your storages to the CPU."
            )
        return storage.to(device=flambeau.device(location))
    raise RuntimeError(
        f"don't know how to restore data location of torch.storage.UntypedStorage (tagged with {location})"
    )


def _restorer(map_location):
    """A function (make storage, location) -> storage, or None for a storage on the meta device."""

    def to(make, location):
        return None if location == "meta" else default_restore_location(make(), location)

    if map_location is None:
        return to
    if isinstance(map_location, dict):
        return lambda make, location: to(make, str(map_location.get(location, location)))
    if isinstance(map_location, bytes):
        map_location = map_location.decode()
    if isinstance(map_location, (str, flambeau.device)):
        target = str(flambeau.device(map_location))
        return lambda make, location: to(make, target)

    def by_function(make, location):
        storage = make()
        moved = map_location(storage, location)
        return default_restore_location(storage, location) if moved is None else moved

    return by_function


# Loading.


def load(f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None, **pickle_load_args):
    """Loads what :func:`save` or ``torch.save`` wrote, in the zip format or the one before PyTorch 1.6.

    Args:
        f: a path or a seekable binary file.
        map_location: where tensors go: a device or its name, a dict of names, or a function of a storage and
            the name of its device.
        pickle_module: module whose Unpickler is used, only with ``weights_only=False``.
        weights_only: allow only tensors, plain containers and what :func:`add_safe_globals` named (the
            default). With False the file can run any code: only for files from a trusted source.
        mmap: tensors look into the file (given by its path), which is read where they are used; what is
            written to them stays in memory unless :func:`set_default_mmap_options` says otherwise. Default:
            False
        pickle_load_args: passed to the Unpickler with ``weights_only=False``.

    Raises:
        pickle.UnpicklingError: if the file holds what is not allowed, or is damaged.
        RuntimeError: if the file is damaged or names a device that does not exist.
    """
    weights_only = _resolve_weights_only(weights_only, pickle_module)
    if weights_only:
        if pickle_module is not None:
            raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
        if pickle_load_args:
            import warnings

            warnings.warn("pickle_load_args only works if `weights_only=False`.", stacklevel=2)
    elif pickle_module is None:
        import pickle as pickle_module
    if mmap and not _is_path(f):
        raise ValueError("f must be a file path in order to use the mmap argument")
    pickle_load_args.setdefault("encoding", "utf-8")

    from pickle import UnpicklingError

    if mmap is None:
        mmap = get_default_load_mmap() if _is_path(f) else False
    options = _Options(_restorer(map_location), None if weights_only else pickle_module, pickle_load_args)
    with _opened(f, "rb") as file:
        buffer = writable_mapping(file) if mmap else _contents(file)
        options.mapped = mmap
        try:
            if bytes(buffer[:4]) == b"PK\3\4":
                return _load_zip(buffer, options)
            if mmap:
                raise RuntimeError(
                    f"mmap can only be used with files saved with `torch.save({f}, "
                    "_use_new_zipfile_serialization=True), please torch.save your checkpoint with this "
                    "option in order to use mmap."
                )
            return _load_legacy(buffer, options)
        except UnpicklingError as error:
            if not weights_only:
                raise
            raise UnpicklingError(_explain(str(error))) from None


class _Options:
    """How to load: where storages go, and the pickle module (None: the restricted unpickler)."""

    def __init__(self, restore, pickle_module, pickle_args):
        self.restore = restore
        self.pickle_module = pickle_module
        self.pickle_args = pickle_args
        self.mapped = False


def _resolve_weights_only(weights_only, pickle_module):
    import os

    def is_set(name):
        return os.environ.get(name, "0").lower() in ("1", "y", "yes", "true")

    force, force_not = is_set("TORCH_FORCE_WEIGHTS_ONLY_LOAD"), is_set("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    if force and force_not:
        raise RuntimeError(
            "Only one of `TORCH_FORCE_WEIGHTS_ONLY_LOAD` or `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` should be "
            "set, but both were set."
        )
    if force:
        return True
    if weights_only is not None:
        return weights_only
    if force_not:
        import warnings

        warnings.warn(
            "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected, since the`weights_only` "
            "argument was not explicitly passed to `torch.load`, forcing weights_only=False.",
            UserWarning,
            stacklevel=3,
        )
        return False
    return pickle_module is None


def _explain(message):
    """What to do about a refusal, in PyTorch's words, which people search for."""
    import re

    if re.search(r"GLOBAL (\S+) was not an allowed global by default.", message):
        return (
            "Weights only load failed. This file can still be loaded, to do so you have two options, "
            "\033[1mdo those steps only if you trust the source of the checkpoint\033[0m. \n\t(1) "
            f"{_UNSAFE_MESSAGE}\n\t(2) Alternatively, to load with `weights_only=True` please check the "
            "recommended steps in the following error message.\n\tWeightsUnpickler error: "
            f"{message}{_DOCS_MESSAGE}"
        )
    text = f"Weights only load failed. {_UNSAFE_MESSAGE}\n"
    if not re.search(r"whose module (\S+) is blocked", message):
        text += (
            "Please file an issue with the following so that we can make `weights_only=True` compatible "
            "with your use case: WeightsUnpickler error: "
        )
    return f"{text}\n\n{message}{_DOCS_MESSAGE}"


def _is_aligned(data):
    """Whether elements can be read in place; files of other writers may have records anywhere."""
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(data)) % 16 == 0


def _contents(file):
    """A view of a file's bytes from its position on; files on disk are mapped, not read."""
    import mmap

    try:
        seek, position = file.seek, file.tell()
        seek(position)
    except (AttributeError, OSError) as error:
        if not isinstance(error, AttributeError) and "seek" not in str(error) and "tell" not in str(error):
            raise
        raise type(error)(
            f"{error}. You can only torch.load from a file that is seekable. Please pre-load the data into "
            "a buffer like io.BytesIO and try to load from it instead."
        ) from None
    getbuffer = getattr(file, "getbuffer", None)
    if getbuffer is not None:
        return getbuffer()[position:].toreadonly()
    # Only for plain files: those of gzip and the like have a file number too, but other contents.
    if type(file).__module__ in ("_io", "io") and hasattr(file, "fileno"):
        flags = mmap.MAP_PRIVATE | getattr(mmap, "MAP_POPULATE", 0) if hasattr(mmap, "MAP_PRIVATE") else None
        try:
            if flags is None:
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[position:]
            return memoryview(mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ))[position:]
        except (OSError, ValueError):
            pass  # empty, or not on a disk
    return memoryview(file.read())


def _load_zip(buffer, options):
    from ._archive import ArchiveReader

    archive = ArchiveReader(buffer)
    if "constants.pkl" in archive:
        raise RuntimeError(
            "the file is a TorchScript archive, which holds code: save the module's state_dict() with "
            "torch.save and load that instead"
        )
    order = bytes(archive.record("byteorder")) if "byteorder" in archive else assumed_order()
    if order not in (b"little", b"big"):
        raise ValueError("Unknown endianness type: " + order.decode(errors="replace"))
    swap = order != byteorder()
    loaded = {}
    references = []

    def persistent_load(name):
        _, kind, key, location, numel = _storage_name(name, 5)
        if key not in loaded:
            size = numel * kind.dtype.itemsize

            def make():
                data = archive.record(f"data/{key}")
                if len(data) != size:
                    raise RuntimeError(
                        f"storage {key} has {len(data)} bytes in the file, but its tensors expect {size}"
                    )
                data = _swapped(data, kind.dtype) if swap else data
                if options.mapped and size and not swap and not data.readonly and _is_aligned(data):
                    return flambeau._C._storage_over_buffer(data)
                return flambeau._C._storage_from_buffer(data)

            loaded[key] = options.restore(make, location), size
        untyped, size = loaded[key]
        count = min(numel, size // kind.dtype.itemsize)
        references.append(_utils.LoadedStorage(untyped, kind.dtype, count))
        return references[-1]

    data = bytes(archive.record("data.pkl", check=True))
    result = _unpickle(data, 0, options, persistent_load)[0]
    return result if all(reference.used for reference in references) else _utils.bare_storages(result)


def _storage_name(name, length):
    """Checks the tuple by which a pickle refers to a storage; of untrusted files it may be anything."""
    from pickle import UnpicklingError

    if not isinstance(name, tuple) or len(name) != length:
        raise UnpicklingError(f"Invalid name of a storage: {name!r}")
    tag, kind, key, location, numel, *rest = name
    tag, location, key = (v.decode("ascii") if isinstance(v, bytes) else v for v in (tag, location, key))
    if tag != "storage" or not isinstance(kind, _utils.StorageType):
        raise UnpicklingError(f"Unknown typename for persistent_load, expected 'storage' but got '{tag}'")
    if type(numel) is not int or numel < 0 or not isinstance(location, str) or not isinstance(key, str):
        raise UnpicklingError(f"Invalid name of a storage: {name!r}")
    return (tag, kind, key, location, numel, *rest)


def _swapped(data, dtype):
    """The bytes of numbers of the other byte order."""
    size = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
    swapped = bytearray(len(data))
    for i in range(size):
        swapped[i::size] = bytes(data)[size - 1 - i :: size]
    return swapped


def _unpickle(data, position, options, persistent_load=None):
    """Reads one pickle; returns the object and where the pickle ends."""
    if options.pickle_module is None:
        from ._weights_only_unpickler import Unpickler

        unpickler = Unpickler(
            data, position, encoding=options.pickle_args["encoding"], persistent_load=persistent_load
        )
        return unpickler.load(), unpickler.position

    import io

    class FullUnpickler(options.pickle_module.Unpickler):
        def find_class(self, module, name):
            return _find_class(module, name) or super().find_class(module, name)

    stream = io.BytesIO(data)
    stream.seek(position)
    unpickler = FullUnpickler(stream, **options.pickle_args)
    if persistent_load is not None:
        unpickler.persistent_load = persistent_load
    return unpickler.load(), stream.tell()


def _find_class(module, name):
    """flambeau's object of a name in PyTorch's modules; None for other modules."""
    import importlib

    from ._weights_only_unpickler import default_globals

    if module != "torch" and not module.startswith("torch."):
        return None
    found = default_globals().get(f"{module}.{name}")
    if found is not None:
        return found
    ours = "flambeau" + module[len("torch") :]
    places = [ours]
    # What lies in another module here is found where all of its kind are.
    if module.startswith("torch.nn."):
        places.append("flambeau.nn")
    elif module.startswith(("torch._C", "torch.functional")):
        places += ["flambeau.nn.functional", "flambeau"]
    for place in places:
        try:
            found = importlib.import_module(place)
            for part in name.split("."):
                found = getattr(found, part)
            break
        except (ImportError, AttributeError):
            continue
    else:
        raise AttributeError(f"the file refers to {module}.{name}, which flambeau does not have") from None
    return found


def _load_legacy(buffer, options):
    data = bytes(buffer)
    if len(data) > 262 and data[257:262] == b"ustar":
        raise RuntimeError(
            "Cannot load files saved in the legacy .tar format, of PyTorch before 0.1.10: load and save "
            "them again with a version of PyTorch before 2.0"
        )
    magic, position = _unpickle(data, 0, options)
    if magic != MAGIC_NUMBER:
        raise RuntimeError("Invalid magic number; corrupt file?")
    version, position = _unpickle(data, position, options)
    if version != PROTOCOL_VERSION:
        raise RuntimeError(f"Invalid protocol version: {version}")
    system, position = _unpickle(data, position, options)
    little = not isinstance(system, dict) or system.get("little_endian", True)
    swap = (b"little" if little else b"big") != byteorder()

    references = []
    made = {}  # key -> (storage on the CPU or None, its bytes, element type)

    def persistent_load(name):
        if isinstance(name, tuple) and name and name[0] in ("module", b"module"):
            return name[1]  # a module's class, beside its source, which only serves to warn
        _, kind, key, location, numel, view = _storage_name(name, 6)
        if key not in made:
            size = numel * kind.dtype.itemsize
            if size > len(data):
                raise RuntimeError(f"storage {key} has {size} bytes, more than the file")
            kept = []

            def make():
                kept.append(flambeau._C._storage_from_buffer(bytes(size)))
                return kept[0]

            restored = options.restore(make, location)
            made[key] = restored, kept[0] if kept else None, size, kind.dtype
        restored = made[key][0]
        start = 0
        if view is not None:
            _, start, numel = view
            whole = made[key][2] // kind.dtype.itemsize
            if not (type(start) is type(numel) is int and 0 <= start <= start + numel <= whole):
                raise RuntimeError(f"Invalid view of storage {key}: {view!r}")
        references.append(_utils.LoadedStorage(restored, kind.dtype, numel, start))
        return references[-1]

    result, position = _unpickle(data, position, options, persistent_load)
    keys, position = _unpickle(data, position, options)
    if not all(reference.used for reference in references):
        result = _utils.bare_storages(result)
    for key in keys:
        if key not in made:
            raise AssertionError(f"storage key {key!r} not found in deserialized_objects")
        restored, storage, size, dtype = made[key]
        count = int.from_bytes(data[position : position + 8], "little")
        position += 8
        content = data[position : position + size]
        if count * dtype.itemsize != size or len(content) != size:
            raise RuntimeError(f"unexpected EOF, the corrupted file lacks bytes of storage {key}")
        position += size
        if storage is not None and size:
            _utils.storage_bytes(storage)[:] = _swapped(content, dtype) if swap else content
            if restored is not storage:
                restored.copy_(storage)
    return result


def get_unsafe_globals_in_checkpoint(f):
    """The names in a file that ``load(weights_only=True)`` would refuse.

    Raises:
        ValueError: if the file is not in the zip format.
    """
    from ._archive import ArchiveReader
    from ._weights_only_unpickler import default_globals, names_in, user_globals

    with _opened(f, "rb") as file:
        buffer = _contents(file)
        if bytes(buffer[:4]) != b"PK\3\4":
            raise ValueError("Expected input to be a checkpoint returned by torch.save")
        archive = ArchiveReader(buffer)
        if "constants.pkl" in archive:
            raise ValueError(
                "Expected input to be a checkpoint returned by torch.save but got a torchscript checkpoint"
            )
        names = names_in(bytes(archive.record("data.pkl")))
    return sorted(names - set(default_globals()) - set(user_globals()))
