"""Small helpers of the layers: sizes given as one number or one per dimension."""

from collections.abc import Iterable

__all__ = ["consume_prefix_in_state_dict_if_present"]


def _ntuple(n, name="parse"):
    def parse(x):
        if isinstance(x, Iterable):
            return tuple(x)
        return (x,) * n

    parse.__name__ = name
    return parse


_single = _ntuple(1, "_single")
_pair = _ntuple(2, "_pair")
_triple = _ntuple(3, "_triple")
_quadruple = _ntuple(4, "_quadruple")


def _reverse_repeat_tuple(t, n):
    """Last dimension first, every value `n` times: the order in which `pad` takes its sizes."""
    return tuple(x for x in reversed(t) for _ in range(n))


def _list_with_default(out_size, defaults):
    """The sizes with None replaced by the input's."""
    if isinstance(out_size, int):
        return out_size
    if len(defaults) <= len(out_size):
        raise ValueError(f"Input dimension should be at least {len(out_size) + 1}")
    tail = defaults[-len(out_size) :]
    return [v if v is not None else d for v, d in zip(out_size, tail)]


def consume_prefix_in_state_dict_if_present(state_dict, prefix):
    """Cut `prefix` off the keys of a state dict, in place, as for one saved from a DataParallel model."""
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[key[len(prefix) :]] = state_dict.pop(key)
    if hasattr(state_dict, "_metadata"):
        metadata = state_dict._metadata
        for key in list(metadata):
            # The entry of the wrapper itself has the prefix without its dot.
            if key == prefix.replace(".", "") or key.startswith(prefix):
                if len(key) > 0 and key.startswith(prefix):
                    metadata[key[len(prefix) :]] = metadata.pop(key)
                elif key == prefix.replace(".", ""):
                    metadata[""] = metadata.pop(key)
