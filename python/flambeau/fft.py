"""Discrete Fourier transforms, under PyTorch's ``torch.fft`` names.

``norm``: "backward" (the default; the inverse divides by the length), "forward" or "ortho".
"""

from . import _C
from ._overridable import overridable

_internal = _C._internal
_ALL = """
fft ifft rfft irfft hfft ihfft fftn ifftn rfftn irfftn hfftn ihfftn fftfreq rfftfreq fftshift ifftshift
""".split()
globals().update({_name: getattr(_internal, "fft_" + _name) for _name in _ALL})


def _pair(name):
    many = globals()[name + "n"]

    def transform(input, s=None, dim=(-2, -1), norm=None, *, out=None):
        return many(input, s, dim, norm) if out is None else many(input, s, dim, norm, out=out)

    transform.__name__ = transform.__qualname__ = name + "2"
    transform.__doc__ = f"``{name}n`` over two dimensions, the last ones by default."
    public = overridable(transform, __name__, as_given=True)
    public.__name__ = f"fft_{name}2"  # as the engine's own
    return public


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    globals()[_name + "2"] = _pair(_name)
del _name
__all__ = sorted([*_ALL, "fft2", "ifft2", "rfft2", "irfft2", "hfft2", "ihfft2"])
