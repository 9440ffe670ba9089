"""Hugging Face's safetensors files: named tensors and text metadata, nothing that could run.

The functions have the names and the behaviour of ``safetensors.torch``; files are the same byte for byte.
Format: https://github.com/huggingface/safetensors#format
"""

import flambeau

from .._atomic import replacing

__all__ = ["load", "load_file", "load_model", "safe_open", "save", "save_file", "save_model"]

_MAX_HEADER = 100_000_000

# In the format's own order: tensors of later dtypes come first in a file.
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "I16": "int16",
    "U16": "uint16",
    "F16": "float16",
    "BF16": "bfloat16",
    "I32": "int32",
    "U32": "uint32",
    "F32": "float32",
    "C64": "complex64",
    "F64": "float64",
    "I64": "int64",
    "U64": "uint64",
}
_NAMES = {f"torch.{name}": (rank, code) for rank, (code, name) in enumerate(_DTYPES.items())}


class SafetensorError(Exception):
    """A file that is damaged, or holds what flambeau has no counterpart for."""


# Writing.


def _check(tensors):
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    owners = {}
    for name, tensor in tensors.items():
        if not isinstance(tensor, flambeau.Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(tensor)}")
        if tensor.layout != flambeau.strided:
            raise ValueError(
                f"You are trying to save a sparse tensor: `{name}`, which the format does not have"
            )
        if tensor.numel() and not tensor.is_meta:
            owners.setdefault(tensor.untyped_storage()._cdata, []).append(name)
    shared = [set(names) for names in owners.values() if len(names) > 1 and _overlap(tensors, names)]
    if shared:
        raise RuntimeError(
            "Some tensors share memory, this will lead to duplicate memory on disk and potential "
            "differences when "
            f"loading them again: {shared}. A potential way to correctly save your model is to use "
            "`save_model`. "
            "More information at https://huggingface.co/docs/safetensors/torch_shared_tensors "
        )


def _overlap(tensors, names):
    """Whether any of the tensors, which view one storage, have bytes in common."""
    spans = sorted(_span(tensors[name]) for name in names)
    return any(after[0] < before[1] for before, after in zip(spans, spans[1:]))


def _span(tensor):
    size = tensor.dtype.itemsize
    start = tensor.storage_offset()
    last = start + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride()))
    return start * size, (last + 1) * size


def _bytes_of(name, tensor):
    if not tensor.is_contiguous():
        raise ValueError(
            f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. It either means "
            "you are "
            "trying to save tensors which are reference of each other in which case it's recommended to save "
            "only the "
            "full tensors, and reslice at load time, or simply call `.contiguous()` on your tensor to pack "
            "it before "
            "saving."
        )
    tensor = tensor.detach().cpu()
    if tensor.numel() == 0:
        return b""
    start, end = _span(tensor)
    return memoryview(tensor.untyped_storage())[start:end]


def _pieces(tensors, metadata):
    """The header and then each tensor's bytes."""
    import json

    _check(tensors)
    entries = []
    for name, tensor in tensors.items():
        found = _NAMES.get(str(tensor.dtype))
        if found is None:
            raise ValueError(f"{name}: the format has no {tensor.dtype}")
        entries.append((-found[0], name, found[1], tensor))
    entries.sort(key=lambda entry: entry[:2])
    header, at, pieces = {}, 0, []
    if metadata is not None:
        if not all(isinstance(k, str) and isinstance(v, str) for k, v in metadata.items()):
            raise SafetensorError("Error while serializing: metadata must be a dict of str to str")
        header["__metadata__"] = metadata
    for _, name, code, tensor in entries:
        data = _bytes_of(name, tensor)
        header[name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        pieces.append(data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return [len(text).to_bytes(8, "little"), text, *pieces]


def save(tensors, metadata=None):
    """Tensors as the bytes of a file.

    Args:
        tensors (dict[str, Tensor]): contiguous tensors that share no memory.
        metadata (dict[str, str], optional): free text.

    Returns:
        bytes

    Raises:
        ValueError: for tensors that are not contiguous, or of a dtype that the format does not have.
        RuntimeError: for tensors that share memory.
    """
    return b"".join(_pieces(tensors, metadata))


def save_file(tensors, filename, metadata=None):
    """As :func:`save`, into a file, which is replaced only when all is written."""
    pieces = _pieces(tensors, metadata)
    with replacing(filename) as file:
        for piece in pieces:
            file.write(piece)


# Reading.


def _bad(what):
    return SafetensorError(f"Error while deserializing header: {what}")


def _read_header(buffer):
    """Name -> (dtype, shape, start, end), the metadata, and where the data start; all of it checked."""
    import json

    if len(buffer) < 8:
        raise _bad("header too small")
    length = int.from_bytes(buffer[:8], "little")
    if length > _MAX_HEADER:
        raise _bad("header too large")
    if length > len(buffer) - 8:
        raise _bad("invalid header length")
    text = bytes(buffer[8 : 8 + length])
    try:
        header = json.loads(text.decode(), object_pairs_hook=_no_duplicates)
    except UnicodeDecodeError:
        raise _bad("invalid UTF-8 in header") from None
    except (ValueError, RecursionError) as error:
        raise _bad(f"invalid JSON in header: {error}") from None
    if not isinstance(header, dict) or not text.startswith(b"{"):
        raise _bad("invalid header start")
    metadata = header.pop("__metadata__", None)
    if metadata is not None and not (
        isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())
    ):
        raise _bad("invalid metadata")
    entries = {name: _entry(name, value) for name, value in header.items()}
    end = 0
    for name, (_, _, start, stop) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if start != end:
            raise _bad(f"invalid offset for tensor `{name}`")
        end = stop
    if end != len(buffer) - 8 - length:
        raise _bad("incomplete metadata, file not fully covered")
    return entries, metadata, 8 + length


def _no_duplicates(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _entry(name, value):
    def natural(n):
        return type(n) is int and 0 <= n < 2**63

    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise _bad(f"invalid tensor `{name}`")
    code, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(code, str) or code not in _DTYPES:
        raise _bad(f"dtype {code!r} of tensor `{name}` is not supported")
    if not isinstance(shape, list) or not all(map(natural, shape)) or len(shape) > 64:
        raise _bad(f"invalid shape of tensor `{name}`")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(natural, offsets)):
        raise _bad(f"invalid offset for tensor `{name}`")
    dtype = getattr(flambeau, _DTYPES[code])
    need = dtype.itemsize
    for n in shape:
        need *= n
    if offsets[1] - offsets[0] != need:
        raise _bad(f"info and data offsets of tensor `{name}` do not fit each other")
    return dtype, shape, offsets[0], offsets[1]


def _tensor(buffer, base, entry, device):
    dtype, shape, start, end = entry
    if str(device) == "meta":
        return flambeau.empty(shape, dtype=dtype, device="meta")
    stride, step = [], 1
    for n in reversed(shape):
        stride.insert(0, step)
        step *= max(n, 1)
    storage = flambeau._C._storage_from_buffer(buffer[base + start : base + end])
    tensor = flambeau._C._tensor_from_storage(storage, dtype, 0, tuple(shape), tuple(stride))
    return tensor if str(device) == "cpu" else tensor.to(device)


def _mapped(filename):
    """A view of a file's bytes, which are read when they are looked at."""
    import mmap

    with open(filename, "rb") as file:
        try:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (ValueError, OSError):
            return memoryview(file.read())


def load(data):
    """The tensors of a file's bytes.

    Args:
        data (bytes): the whole file.

    Returns:
        dict[str, Tensor]: in the order of their names.

    Raises:
        SafetensorError: for damaged data.
    """
    buffer = memoryview(data).cast("B")
    entries, _, base = _read_header(buffer)
    return {name: _tensor(buffer, base, entries[name], "cpu") for name in sorted(entries)}


def load_file(filename, device="cpu"):
    """As :func:`load`, of a file; the tensors go to ``device``."""
    buffer = _mapped(filename)
    entries, _, base = _read_header(buffer)
    return {name: _tensor(buffer, base, entries[name], device) for name in sorted(entries)}


class safe_open:
    """Opens a file whose tensors are read one by one. Used in a ``with`` statement.

    Args:
        filename: the path.
        framework (str): "pt" or "torch".
        device: where tensors go.

    Raises:
        FileNotFoundError: if there is no such file.
        SafetensorError: for a damaged file.
    """

    def __init__(self, filename, framework="pt", device="cpu"):
        if framework not in ("pt", "torch", "pytorch"):
            raise SafetensorError(f"framework {framework} is invalid: flambeau makes its own tensors")
        self._device = device
        self._buffer = _mapped(filename)
        self._entries, self._metadata, self._base = _read_header(self._buffer)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._buffer = None

    def keys(self):
        """The tensors' names, sorted."""
        return sorted(self._entries)

    def offset_keys(self):
        """The tensors' names in the order of their places in the file."""
        return sorted(self._entries, key=lambda name: self._entries[name][2:])

    def metadata(self):
        """The free text, or None."""
        return self._metadata

    def _entry(self, name):
        if self._buffer is None:
            raise SafetensorError("File is closed")
        if name not in self._entries:
            raise SafetensorError(f"File does not contain tensor {name}")
        return self._entries[name]

    def get_tensor(self, name):
        """One tensor."""
        return _tensor(self._buffer, self._base, self._entry(name), self._device)

    def get_slice(self, name):
        """One tensor to be indexed: ``f.get_slice(name)[2:4]``."""
        self._entry(name)
        return _Slice(self, name)


class _Slice:
    def __init__(self, file, name):
        self._file, self._name = file, name

    def get_shape(self):
        return list(self._file._entry(self._name)[1])

    def get_dtype(self):
        dtype = self._file._entry(self._name)[0]
        return _NAMES[str(dtype)][1]

    def __getitem__(self, index):
        return self._file.get_tensor(self._name)[index]


# Modules, whose parameters may share memory.


def save_model(model, filename, metadata=None, force_contiguous=True):
    """Saves a module's state; of names that share a tensor one is written and the others are noted.

    Args:
        model (Module): the module.
        filename: the path.
        metadata (dict[str, str], optional): free text.
        force_contiguous (bool): pack tensors that are not contiguous. Default: True
    """
    state = model.state_dict()
    kept, metadata = {}, dict(metadata or {})
    first = {}
    for name in sorted(state):
        tensor = state[name]
        key = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if tensor.numel() and key in first:
            metadata[name] = first[key]
            continue
        first[key] = name
        kept[name] = tensor.contiguous() if force_contiguous else tensor
    save_file(kept, filename, metadata=metadata or None)


def load_model(model, filename, strict=True, device="cpu"):
    """Loads what :func:`save_model` wrote into a module.

    Returns:
        tuple[set[str], list[str]]: names that the file lacks, and names that the module lacks.

    Raises:
        RuntimeError: with ``strict``, if there are any.
    """
    state = load_file(filename, device=device)
    own = model.state_dict()
    shared = {}
    for name, tensor in own.items():
        shared.setdefault((tensor.data_ptr(), tuple(tensor.shape), tensor.stride()), set()).add(name)
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = set(missing)
    for names in shared.values():
        if names & set(state):
            missing -= names
    if strict and (missing or unexpected):
        text = f"Error(s) in loading state_dict for {type(model).__name__}:"
        if missing:
            text += "\n    Missing key(s) in state_dict: " + ", ".join(
                f'"{name}"' for name in sorted(missing)
            )
        if unexpected:
            text += "\n    Unexpected key(s) in state_dict: " + ", ".join(
                f'"{n}"' for n in sorted(unexpected)
            )
        raise RuntimeError(text)
    return missing, list(unexpected)
