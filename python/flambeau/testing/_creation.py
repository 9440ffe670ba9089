"""``make_tensor``: random inputs for tests."""

import math
import warnings

import flambeau

__all__ = ["make_tensor"]

_INT_RANGES = {"uint8": (0, 10), "uint16": (0, 10), "uint32": (0, 10), "uint64": (0, 10)}


def _limits(dtype):
    if dtype == flambeau.bool:
        return 0, 2
    if dtype.is_floating_point or dtype.is_complex:
        real = dtype.to_real() if dtype.is_complex else dtype
        info = flambeau.finfo(real)
        return info.min, info.max
    info = flambeau.iinfo(dtype)
    return info.min, info.max + 1


def _bounds(dtype, low, high):
    name = str(dtype).removeprefix("torch.")
    if dtype == flambeau.bool:
        default = (0, 2)
    elif dtype.is_floating_point or dtype.is_complex:
        default = (-9, 9)
    else:
        default = _INT_RANGES.get(name, (-9, 10))
    low = default[0] if low is None else low
    high = default[1] if high is None else high
    for value in (low, high):
        if isinstance(value, float) and math.isnan(value):
            raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    if low == high and (dtype.is_floating_point or dtype.is_complex):
        warnings.warn(
            "Passing `low==high` to `torch.testing.make_tensor` for floating or complex types is deprecated "
            "since 2.1 and will be removed in 2.3. Use `torch.full(...)` instead.",
            FutureWarning,
            stacklevel=3,
        )
    elif low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    smallest, largest = _limits(dtype)
    if low > largest or high < smallest:
        raise ValueError(
            "The value interval specified by `low` and `high` does not overlap with what the dtype can hold: "
            f"got {low=} and {high=} for {dtype}"
        )
    low, high = max(low, smallest), min(high, largest)
    if not (dtype.is_floating_point or dtype.is_complex):
        low, high = math.ceil(low), math.ceil(high)
    return low, high


def make_tensor(
    *shape,
    dtype,
    device,
    low=None,
    high=None,
    requires_grad=False,
    noncontiguous=False,
    exclude_zero=False,
    memory_format=None,
):
    """A tensor with uniform random elements in ``[low, high)``.

    Args:
        shape: sizes, or one sequence of them.
        dtype, device: of the result.
        low, high: the range; by default [-9, 9] for floating types, small integers for others.
        requires_grad: of the result; floating types only.
        noncontiguous: leave gaps between the elements (where there is more than one).
        exclude_zero: replace zeros by the smallest positive number, or one.
        memory_format: of the result; not together with ``noncontiguous``.
    """
    if len(shape) == 1 and not isinstance(shape[0], int):
        shape = tuple(shape[0])
    floating = dtype.is_floating_point or dtype.is_complex
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got "
            f"{noncontiguous=} and {memory_format=}"
        )
    if requires_grad and not floating:
        raise ValueError(
            "`requires_grad=True` is not supported for boolean and integral dtypes, but got "
            f"dtype={dtype}"
        )
    low, high = _bounds(dtype, low, high)
    drawn = tuple(shape)
    gaps = noncontiguous and math.prod(drawn) >= 2
    if gaps:
        drawn = (*drawn[:-1], 2 * drawn[-1])
    if dtype.is_complex:
        real = dtype.to_real()
        draw = flambeau.float32 if real == flambeau.float16 else real
        parts = flambeau.empty((*drawn, 2), dtype=draw, device=device).uniform_(low, high)
        made = flambeau.view_as_complex(parts).to(dtype)
    elif dtype.is_floating_point:
        narrow = dtype.itemsize == 1
        draw = flambeau.float32 if narrow else dtype
        made = flambeau.empty(drawn, dtype=draw, device=device).uniform_(low, high)
        made = made.to(dtype) if narrow else made
    else:
        made = flambeau.randint(int(low), int(high), drawn, dtype=flambeau.int64, device=device).to(dtype)
    if gaps:
        made = made[..., ::2]
    elif memory_format is not None:
        made = made.clone(memory_format=memory_format)
    if exclude_zero:
        smallest = flambeau.finfo(dtype).tiny if floating else 1
        made[made == 0] = smallest
    return made.requires_grad_(True) if requires_grad else made
