"""Window functions of ``M`` points.

Each takes ``sym`` (symmetric, for filters; ``False`` gives the first ``M`` of the ``M + 1`` points of a
periodic one, for spectra), ``dtype`` (float32 or float64), ``layout``, ``device`` and ``requires_grad``.

Raises ``ValueError`` for negative lengths, other dtypes and parameters outside their range.
"""

import math

import flambeau

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]


def _checked(name, M, dtype, layout):
    """The dtype that the window has."""
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout not in (None, flambeau.strided):
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    dtype = flambeau.get_default_dtype() if dtype is None else dtype
    if dtype not in (flambeau.float32, flambeau.float64):
        shown = str(dtype).replace("flambeau.", "torch.")
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {shown}")
    return dtype


def _steps(M, sym, start, step, dtype, device):
    """``start + step * k`` for ``M`` points; ``step`` is a function of the number of intervals."""
    whole = M - 1 if sym and M > 1 else max(M, 1)
    first, by = start(whole), step(whole)
    return flambeau.linspace(first, first + (M - 1) * by, M, dtype=dtype, device=device)


def _finish(window, requires_grad):
    return window.requires_grad_() if requires_grad else window


def _few(M, dtype, device, requires_grad):
    """The windows of no point and of one."""
    return _finish(flambeau.ones(M, dtype=dtype, device=device), requires_grad)


def exponential(
    M, *, center=None, tau=1.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False
):
    """``exp(-|n - center| / tau)``."""
    dtype = _checked("exponential", M, dtype, layout)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    if M == 0:
        return _few(M, dtype, device, requires_grad)
    if center is None:
        center = (M if not sym and M > 1 else M - 1) / 2.0
    k = flambeau.linspace(-center / tau, (-center + M - 1) / tau, M, dtype=dtype, device=device)
    return _finish(flambeau.exp(-flambeau.abs(k)), requires_grad)


def cosine(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """``sin(pi (n + 1/2) / M)``."""
    dtype = _checked("cosine", M, dtype, layout)
    if M == 0:
        return _few(M, dtype, device, requires_grad)
    by = math.pi / (M + 1 if not sym and M > 1 else M)
    k = flambeau.linspace(0.5 * by, (0.5 + M - 1) * by, M, dtype=dtype, device=device)
    return _finish(flambeau.sin(k), requires_grad)


def gaussian(M, *, std=1.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """``exp(-(n / std)^2 / 2)``, from the middle."""
    dtype = _checked("gaussian", M, dtype, layout)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    if M == 0:
        return _few(M, dtype, device, requires_grad)
    by = 1 / (std * math.sqrt(2))
    first = -(M if not sym and M > 1 else M - 1) / 2.0
    k = flambeau.linspace(first * by, (first + M - 1) * by, M, dtype=dtype, device=device)
    return _finish(flambeau.exp(-(k * k)), requires_grad)


def kaiser(M, *, beta=12.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """``I0(beta sqrt(1 - (2n / (M - 1) - 1)^2)) / I0(beta)`` (Kaiser, 1974)."""
    dtype = _checked("kaiser", M, dtype, layout)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    if M < 2:
        return _few(M, dtype, device, requires_grad)
    by = 2.0 * beta / (M if not sym else M - 1)
    top = flambeau.tensor(beta, dtype=dtype, device=device)
    k = flambeau.linspace(-beta, min(beta, -beta + (M - 1) * by), M, dtype=dtype, device=device)
    # Rounding must not leave the root's domain.
    inside = flambeau.clamp(top * top - k * k, min=0)
    return _finish(flambeau.i0(flambeau.sqrt(inside)) / flambeau.i0(top), requires_grad)


def hamming(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """``0.54 - 0.46 cos(2 pi n / (M - 1))``."""
    return general_hamming(M, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def hann(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """``sin^2(pi n / (M - 1))``."""
    return general_hamming(
        M, alpha=0.5, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad
    )


def blackman(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """``0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1))``."""
    _checked("blackman", M, dtype, layout)
    return general_cosine(
        M,
        a=[0.42, 0.5, 0.08],
        sym=sym,
        dtype=dtype,
        layout=layout,
        device=device,
        requires_grad=requires_grad,
    )


def bartlett(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """A triangle that is zero at both ends."""
    dtype = _checked("bartlett", M, dtype, layout)
    if M < 2:
        return _few(M, dtype, device, requires_grad)
    k = _steps(M, sym, lambda n: -1, lambda n: 2 / n, dtype, device)
    return _finish(1 - flambeau.abs(k), requires_grad)


def general_cosine(M, *, a, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """The sum of ``(-1)^i a[i] cos(2 pi i n / (M - 1))``."""
    dtype = _checked("general_cosine", M, dtype, layout)
    if M < 2:
        return _few(M, dtype, device, requires_grad)
    if not isinstance(a, (list, tuple)):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    k = _steps(M, sym, lambda n: 0, lambda n: 2 * math.pi / n, dtype, device)
    weights = flambeau.tensor([(-1) ** i * w for i, w in enumerate(a)], dtype=dtype, device=device)
    order = flambeau.arange(len(a), dtype=dtype, device=device)
    waves = flambeau.cos(order.unsqueeze(-1) * k)
    return _finish((weights.unsqueeze(-1) * waves).sum(0), requires_grad)


def general_hamming(M, *, alpha=0.54, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """``alpha - (1 - alpha) cos(2 pi n / (M - 1))``."""
    return general_cosine(
        M,
        a=[alpha, 1.0 - alpha],
        sym=sym,
        dtype=dtype,
        layout=layout,
        device=device,
        requires_grad=requires_grad,
    )


def nuttall(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """Nuttall's four-term window with the least side lobes (1981)."""
    return general_cosine(
        M,
        a=[0.3635819, 0.4891775, 0.1365995, 0.0106411],
        sym=sym,
        dtype=dtype,
        layout=layout,
        device=device,
        requires_grad=requires_grad,
    )
