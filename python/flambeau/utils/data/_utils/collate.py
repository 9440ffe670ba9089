"""From a list of samples to a batch."""

from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from copy import copy

import flambeau

__all__ = ["collate", "default_collate", "default_convert"]

default_collate_err_msg_format = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def _numpy_kind(value):
    """ "array", "scalar" or None, without importing numpy."""
    cls = type(value)
    if cls.__module__ != "numpy":
        return None
    if cls.__name__ == "ndarray":
        return "array"
    return None if cls.__name__ in ("str_", "string_", "bytes_") else "scalar"


def _holds_text_or_objects(dtype):
    return any(letter in dtype.str for letter in "SaUO")


def _rebuild_mapping(template, values):
    """``values`` in a mapping of the template's type; a dict where that type cannot be made from one."""
    try:
        if isinstance(template, MutableMapping):
            clone = copy(template)
            clone.update(values)
            return clone
        return type(template)(values)
    except TypeError:
        return values


def _rebuild_sequence(template, values):
    """``values`` in a sequence of the template's type; a list where that type cannot be made from one."""
    try:
        if isinstance(template, MutableSequence):
            clone = copy(template)
            for index, value in enumerate(values):
                clone[index] = value
            return clone
        return type(template)(values)
    except TypeError:
        return values


def default_convert(data):
    """Turns numpy arrays and numbers into tensors, also inside containers; everything else stays."""
    if isinstance(data, flambeau.Tensor):
        return data
    kind = _numpy_kind(data)
    if kind is not None:
        if kind == "array" and _holds_text_or_objects(data.dtype):
            return data
        return flambeau.as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuild_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple):
        values = [default_convert(item) for item in data]
        return type(data)(*values) if hasattr(data, "_fields") else values
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuild_sequence(data, [default_convert(item) for item in data])
    return data


def collate(batch, *, collate_fn_map=None):
    """Collates a list of samples by the functions of ``collate_fn_map`` (type -> function), inside containers
    too.

    Args:
        batch: samples of the same structure.
        collate_fn_map: functions called as ``fn(batch, collate_fn_map=...)``, for exact types first, then for
            bases.

    Raises:
        TypeError: for a type that no function is for.
        RuntimeError: for sequences of different lengths.
    """
    first = batch[0]
    cls = type(first)
    if collate_fn_map is not None:
        function = collate_fn_map.get(cls)
        if function is None:
            function = next((fn for base, fn in collate_fn_map.items() if isinstance(first, base)), None)
        if function is None and collate_fn_map is default_collate_fn_map:
            function = {"array": _collate_numpy_arrays, "scalar": _collate_numpy_scalars}.get(
                _numpy_kind(first)
            )
        if function is not None:
            return function(batch, collate_fn_map=collate_fn_map)

    if isinstance(first, Mapping):
        columns = {
            key: collate([item[key] for item in batch], collate_fn_map=collate_fn_map) for key in first
        }
        return _rebuild_mapping(first, columns)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return cls(*(collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)))
    if isinstance(first, Sequence):
        if any(len(item) != len(first) for item in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)]
        return columns if isinstance(first, tuple) else _rebuild_sequence(first, columns)
    raise TypeError(default_collate_err_msg_format.format(cls))


def collate_tensor_fn(batch, *, collate_fn_map=None):
    """Stacks tensors along a new first dimension."""
    first = batch[0]
    if getattr(first, "is_nested", False):
        unsupported = "nested"
    elif first.layout != flambeau.strided:
        unsupported = "sparse"
    else:
        return flambeau.stack(list(batch), 0)
    raise RuntimeError(
        f"Batches of {unsupported} tensors are not currently supported by the default collate_fn; "
        "please provide a custom collate_fn to handle them appropriately."
    )


def _collate_numpy_arrays(batch, *, collate_fn_map=None):
    if _holds_text_or_objects(batch[0].dtype):
        raise TypeError(default_collate_err_msg_format.format(batch[0].dtype))
    return collate([flambeau.as_tensor(item) for item in batch], collate_fn_map=collate_fn_map)


def _collate_numpy_scalars(batch, *, collate_fn_map=None):
    return flambeau.as_tensor(batch)


def _collate_floats(batch, *, collate_fn_map=None):
    return flambeau.tensor(batch, dtype=flambeau.float64)


def _collate_ints(batch, *, collate_fn_map=None):
    return flambeau.tensor(batch)


def _collate_text(batch, *, collate_fn_map=None):
    return batch


class _DefaultMap(dict):
    """Type -> function; the entry of Tensor is made on first use, since flambeau may still be importing."""

    def _complete(self):
        if not dict.__contains__(self, flambeau.Tensor):
            others = dict(self)
            self.clear()
            self[flambeau.Tensor] = collate_tensor_fn
            self.update(others)

    def get(self, key, default=None):
        self._complete()
        return dict.get(self, key, default)

    def items(self):
        self._complete()
        return dict.items(self)


default_collate_fn_map = _DefaultMap(
    {float: _collate_floats, int: _collate_ints, str: _collate_text, bytes: _collate_text}
)


def default_collate(batch):
    """Collates samples: tensors and arrays are stacked, numbers become a tensor, containers keep their
    structure.

    Raises:
        TypeError: for samples of other types.
        RuntimeError: for sequences of different lengths.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
