"""Evaluates a case of `cases` with PyTorch or flambeau, as plain values that are equal for equal draws."""

import base64
import hashlib
import struct
import warnings
import zlib

from random_cases import SEED

_PACK = {"float64": "d", "complex128": "d"}
_PACK |= {"int64": "q", "int32": "i", "int16": "h", "int8": "b", "uint8": "B", "bool": "?"}
# Enough of a long result to see what went wrong; the rest is in its sum.
SHOWN = 8


def _numbers(t):
    """The elements in logical order, parts of complex ones one after the other."""
    t = t.detach()
    flat = t.reshape(-1).tolist() if t.dim() else [t.item()]
    return [part for z in flat for part in (z.real, z.imag)] if t.is_complex() else flat


def fingerprint(t):
    """A hash of the elements' bits, in logical order; narrow floats are widened, which loses nothing."""
    code = _PACK.get(str(t.dtype).rsplit(".", 1)[-1], "f")
    numbers = _numbers(t)
    return hashlib.sha1(struct.pack(f"<{len(numbers)}{code}", *numbers)).hexdigest()[:12]


def describe(torch, value, exact):
    """A tensor as dtype, sizes, strides and a hash (or values and a weighted sum); others as they are."""
    if not isinstance(value, torch.Tensor):
        return value
    head = [str(value.dtype).rsplit(".", 1)[-1], list(value.shape), list(value.stride())]
    if exact:
        return [*head, fingerprint(value)]
    numbers = [float(n) for n in _numbers(value)]
    total = sum(n * (1 + i % 7) for i, n in enumerate(numbers))
    return [*head, [float(f"{n:.9g}") for n in numbers[:SHOWN]], float(f"{total:.9g}")]


def evaluate(torch, source, exact):
    """What the case gives, and the draw that follows it: the generator must have moved as far."""
    torch.manual_seed(SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = eval(source, {"t": torch})
    return [describe(torch, value, exact), torch.rand(1).item()]


def weights(torch, ctor):
    """A hash of each entry of a new layer's state, and the draw that follows."""
    torch.manual_seed(SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = eval("nn." + ctor, {"t": torch, "nn": torch.nn})
    state = {name: fingerprint(value) for name, value in module.state_dict().items()}
    return [state, torch.rand(1).item()]


def pack(state):
    """A generator's state as text; half of it is zeros."""
    return base64.b85encode(zlib.compress(state, 9)).decode()


def unpack(text):
    """What `pack` was given."""
    return zlib.decompress(base64.b85decode(text))
