"""``assert_close``: tensors, numbers and containers of them are equal within tolerances."""

import cmath
import collections.abc
import math
import warnings

import flambeau

__all__ = ["assert_allclose", "assert_close"]

# (rtol, atol) by dtype; everything else must be equal.
_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex32": (1e-3, 1e-5),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


class _Mismatch(AssertionError):
    """A failed comparison, and where in the containers it was."""

    def __init__(self, text, path=()):
        super().__init__(text)
        self.text, self.path = text, path

    def at(self, key):
        return _Mismatch(self.text, (key, *self.path))


def _tolerances(dtypes, rtol, atol):
    if rtol is not None:
        return rtol, atol
    known = [_TOLERANCES.get(str(d).removeprefix("torch."), (0.0, 0.0)) for d in dtypes]
    return max(r for r, _ in known), max(a for _, a in known)


class _Options:
    def __init__(self, allow_subclasses, rtol, atol, equal_nan, check_device, check_dtype, check_layout,
    check_stride):
        if (rtol is None) != (atol is None):
            raise ValueError(
                "Both 'rtol' and 'atol' must be either specified or omitted, but got no "
                f"{'rtol' if rtol is None else 'atol'}."
            )
        self.allow_subclasses, self.rtol, self.atol, self.equal_nan = allow_subclasses, rtol, atol, equal_nan
        self.check_device, self.check_dtype = check_device, check_dtype
        self.check_layout, self.check_stride = check_layout, check_stride


def _is_number(value):
    return isinstance(value, (bool, int, float, complex))


def _is_numpy(value):
    return type(value).__module__.split(".")[0] == "numpy" and hasattr(value, "dtype")


def _compare(actual, expected, options):
    Tensor = flambeau.Tensor
    if isinstance(actual, str) or isinstance(expected, str):
        raise _unsupported(actual, expected)
    if isinstance(actual, collections.abc.Mapping) and isinstance(expected, collections.abc.Mapping):
        return _compare_mappings(actual, expected, options)
    if isinstance(actual, collections.abc.Sequence) and isinstance(expected, collections.abc.Sequence):
        if len(actual) != len(expected):
            raise _Mismatch(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}")
        for i, (a, e) in enumerate(zip(actual, expected)):
            try:
                _compare(a, e, options)
            except _Mismatch as mismatch:
                raise mismatch.at(i) from None
        return None
    if actual is None and expected is None:
        return None
    if (actual is None or expected is None) and not isinstance(actual if expected is None else expected,
    Tensor):
        raise _Mismatch(f"None mismatch: {actual} is not {expected}")
    if _is_number(actual) and _is_number(expected):
        return _compare_numbers(actual, expected, options)
    if isinstance(actual, Tensor) and isinstance(expected, Tensor):
        if not options.allow_subclasses and type(actual) is not type(expected):
            raise _unsupported(actual, expected)
        return _compare_tensors(actual, expected, options)
    if _is_numpy(actual) and _is_numpy(expected):
        return _compare_tensors(flambeau.as_tensor(actual), flambeau.as_tensor(expected), options)
    raise _unsupported(actual, expected)


def _unsupported(actual, expected):
    return TypeError(
        f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}."
    )


def _compare_mappings(actual, expected, options):
    missing, extra = expected.keys() - actual.keys(), actual.keys() - expected.keys()
    if missing or extra:
        raise _Mismatch(
            "The keys of the mappings do not match:\n"
            f"Missing keys in the actual mapping: {sorted(missing, key=str)}\n"
            f"Additional keys in the actual mapping: {sorted(extra, key=str)}"
        )
    for key in sorted(actual, key=str):
        try:
            _compare(actual[key], expected[key], options)
        except _Mismatch as mismatch:
            raise mismatch.at(key) from None


def _number_text(actual, expected, rtol, atol, what="Scalars"):
    difference = abs(actual - expected)
    relative = difference / abs(expected) if expected else float("inf")
    equality = rtol == 0 and atol == 0
    text = f"{what} are not {'equal' if equality else 'close'}!\n\nExpected {expected} but got {actual}.\n"
    if equality:
        return text + f"Absolute difference: {difference}\nRelative difference: {relative}"
    return text + (
        f"Absolute difference: {difference} (up to {atol} allowed)\n"
        f"Relative difference: {relative} (up to {rtol} allowed)"
    )


def _compare_numbers(actual, expected, options):
    if options.check_dtype and type(actual) is not type(expected):
        raise _Mismatch(f"The (d)types do not match: {type(actual)} != {type(expected)}.")
    kind = "complex128" if isinstance(actual, complex) or isinstance(expected, complex) else "float64"
    exact = isinstance(actual, int) and isinstance(expected, int)
    rtol, atol = _tolerances(["int64" if exact else kind], options.rtol, options.atol)
    if actual == expected:
        return
    nan = cmath.isnan(actual) and cmath.isnan(expected)
    if nan and options.equal_nan:
        return
    finite = cmath.isfinite(actual) and cmath.isfinite(expected)
    if not finite or abs(actual - expected) > atol + rtol * abs(expected):
        raise _Mismatch(_number_text(actual, expected, rtol, atol))


def _attribute(name, actual, expected):
    raise _Mismatch(f"The values for attribute '{name}' do not match: {actual} != {expected}.")


def _compare_tensors(actual, expected, options):
    if actual.shape != expected.shape:
        _attribute("shape", actual.shape, expected.shape)
    if options.check_layout and actual.layout != expected.layout:
        _attribute("layout", actual.layout, expected.layout)
    if options.check_stride and actual.stride() != expected.stride():
        _attribute("stride()", actual.stride(), expected.stride())
    if options.check_device and actual.device != expected.device:
        _attribute("device", actual.device, expected.device)
    if options.check_dtype and actual.dtype != expected.dtype:
        _attribute("dtype", actual.dtype, expected.dtype)
    if actual.device.type == "meta":
        return
    rtol, atol = _tolerances([actual.dtype, expected.dtype], options.rtol, options.atol)
    actual, expected = actual.detach(), expected.detach()
    if actual.dtype != expected.dtype:
        common = flambeau.promote_types(actual.dtype, expected.dtype)
        actual, expected = actual.to(common), expected.to(common)
    dtype = actual.dtype
    floating = dtype.is_floating_point or dtype.is_complex
    if floating and dtype.itemsize == 1:
        actual, expected = actual.to(flambeau.float32), expected.to(flambeau.float32)
    with flambeau.no_grad():
        if floating:
            if rtol == 0 and atol == 0 and not options.equal_nan:
                matches = actual == expected
            else:
                matches = _close(actual, expected, rtol, atol, options.equal_nan)
        elif rtol == 0 and atol == 0:
            matches = actual == expected
        else:
            wide = actual.to(flambeau.float64), expected.to(flambeau.float64)
            matches = _close(*wide, rtol, atol, False)
        if bool(matches.all()):
            return
        if actual.dim() == 0:
            raise _Mismatch(_number_text(actual.item(), expected.item(), rtol, atol))
        raise _Mismatch(_tensor_text(actual, expected, matches, rtol, atol))


def _close(actual, expected, rtol, atol, equal_nan):
    difference = (actual - expected).abs()
    # Infinities are close to themselves only.
    near = (difference <= atol + rtol * expected.abs()) & (difference < math.inf)
    matches = (actual == expected) | near
    if equal_nan:
        matches = matches | ((actual != actual) & (expected != expected))
    return matches


def _tensor_text(actual, expected, matches, rtol, atol):
    floating = actual.dtype.is_floating_point or actual.dtype.is_complex
    if not floating:
        actual, expected = actual.to(flambeau.int64), expected.to(flambeau.int64)
    a, e, ok = actual.reshape(-1), expected.reshape(-1), matches.reshape(-1)
    total, wrong = ok.numel(), int((~ok).sum())
    difference = (a - e).abs()
    relative = difference / e.abs()
    # What matches must not count as the greatest difference (two infinities differ by NaN).
    where_abs, greatest_abs = _greatest(difference.tolist(), ok.tolist())
    where_rel, greatest_rel = _greatest(relative.tolist(), ok.tolist())
    equality = rtol == 0 and atol == 0
    abs_note, rel_note = ("", "") if equality else (f" (up to {atol} allowed)", f" (up to {rtol} allowed)")
    return (
        f"Tensor-likes are not {'equal' if equality else 'close'}!\n\n"
        f"Mismatched elements: {wrong} / {total} ({wrong / total:.1%})\n"
        f"Greatest absolute difference: {greatest_abs} at index {_index(where_abs, actual.shape)}{abs_note}\n"
        f"Greatest relative difference: {greatest_rel} at index {_index(where_rel, actual.shape)}{rel_note}"
    )


def _greatest(values, ok):
    best, place = None, 0
    for i, (value, good) in enumerate(zip(values, ok)):
        value = type(value)(0) if good else value
        if isinstance(value, float) and math.isnan(value):
            return i, value
        if best is None or value > best:
            best, place = value, i
    return place, best


def _index(flat, shape):
    place = []
    for size in reversed(shape):
        place.append(flat % size)
        flat //= size
    return tuple(reversed(place))


def assert_close(
    actual,
    expected,
    *,
    allow_subclasses=True,
    rtol=None,
    atol=None,
    equal_nan=False,
    check_device=True,
    check_dtype=True,
    check_layout=True,
    check_stride=False,
    msg=None,
):
    """Raises AssertionError unless ``actual`` and ``expected`` are close: ``|a - e| <= atol + rtol * |e|``.

    Args:
        actual, expected: tensors, numbers, NumPy arrays, or sequences and mappings of such.
        rtol, atol: both or none; the defaults follow the dtype (float32: 1.3e-6 and 1e-5; integers: equal).
        equal_nan: whether two NaNs are equal.
        check_device, check_dtype, check_layout, check_stride: what must be the same besides shape and values.
        msg: the message instead of the made one, or a function from that to another.
    """
    options = _Options(
        allow_subclasses, rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride
    )
    try:
        _compare(actual, expected, options)
    except _Mismatch as mismatch:
        text = mismatch.text
        if mismatch.path:
            text += f"\n\nThe failure occurred for item {''.join(f'[{key!r}]' for key in mismatch.path)}"
        if msg is not None:
            text = msg(text) if callable(msg) else msg
        raise AssertionError(text) from None


def assert_allclose(actual, expected, rtol=None, atol=None, equal_nan=True, msg=""):
    """The older comparison: no checks besides shape and values. Use :func:`assert_close`."""
    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. "
        "Please use `torch.testing.assert_close()` instead.",
        FutureWarning,
        stacklevel=2,
    )
    if not isinstance(actual, flambeau.Tensor):
        actual = flambeau.tensor(actual)
    if not isinstance(expected, flambeau.Tensor):
        expected = flambeau.tensor(expected, dtype=actual.dtype)
    assert_close(
        actual,
        expected,
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_device=True,
        check_dtype=False,
        check_stride=False,
        msg=msg or None,
    )
