"""Numerical methods composed of the engine's operations: differences, histograms, low-rank factors."""

import collections

import flambeau

from . import _C
from ._overridable import overridable, publish

__all__ = [
    "empty_permuted",
    "gradient",
    "histogramdd",
    "lu",
    "pca_lowrank",
    "pinverse",
    "resize_as_",
    "svd_lowrank",
    "vander",
]
# Public in spite of the underscore: scripts call them.
_UNDERSCORED = ["_chunk_cat", "_dirichlet_grad", "_native_batch_norm_legit", "_segment_reduce"]

_internal = _C._internal
_histogramdd_result = collections.namedtuple("histogramdd", ["hist", "bin_edges"])


def vander(x, N=None, increasing=False):
    """The matrix of powers of a vector's elements, from the highest down, or from 0 up with
    ``increasing``."""
    if x.dim() != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x.numel() if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    dtype = x.dtype if x.is_floating_point() or x.is_complex() else flambeau.int64
    powers = flambeau.ones(x.numel(), n, dtype=dtype, device=x.device)
    if n > 1:
        powers = flambeau.cat([powers[:, :1], x.to(dtype).unsqueeze(1).expand(-1, n - 1).cumprod(1)], 1)
    return powers if increasing else powers.flip(1)


def _differences(x, dim, step, edge_order):
    """The derivative along one dimension on a grid of one spacing (a number) or given coordinates (a
    vector)."""
    n = x.size(dim)

    def at(start, length):
        return x.narrow(dim, start, length)

    if isinstance(step, flambeau.Tensor):
        shape = [1] * x.dim()
        shape[dim] = -1
        gaps = step[1:] - step[:-1]
        left, right = gaps[:-1].reshape(shape), gaps[1:].reshape(shape)
        middle = (
            at(0, n - 2) * (-right / (left * (left + right)))
            + at(1, n - 2) * ((right - left) / (left * right))
            + at(2, n - 2) * (left / (right * (left + right)))
        )
        if edge_order == 1:
            first, last = (at(1, 1) - at(0, 1)) / gaps[0], (at(n - 1, 1) - at(n - 2, 1)) / gaps[-1]
        else:
            a, b = gaps[0], gaps[1]
            first = (
                at(0, 1) * (-(2 * a + b) / (a * (a + b)))
                + at(1, 1) * ((a + b) / (a * b))
                - at(2, 1) * (a / (b * (a + b)))
            )
            a, b = gaps[-2], gaps[-1]
            last = (
                at(n - 3, 1) * (b / (a * (a + b)))
                - at(n - 2, 1) * ((a + b) / (a * b))
                + at(n - 1, 1) * ((2 * b + a) / (b * (a + b)))
            )
        return flambeau.cat((first, middle, last), dim)
    middle = (at(2, n - 2) - at(0, n - 2)) / (2 * step)
    if edge_order == 1:
        first, last = (at(1, 1) - at(0, 1)) / step, (at(n - 1, 1) - at(n - 2, 1)) / step
    else:
        first = (at(0, 1) * -1.5 + at(1, 1) * 2 - at(2, 1) * 0.5) / step
        last = (at(n - 3, 1) * 0.5 - at(n - 2, 1) * 2 + at(n - 1, 1) * 1.5) / step
    return flambeau.cat((first, middle, last), dim)


def gradient(input, *, spacing=None, dim=None, edge_order=1):
    """The partial derivatives of a function given by its values, by central differences of second order.

    Args:
        input (Tensor): values on a grid.
        spacing (Number, list of Number or list of Tensor): the grid's spacing, one for each dimension, or
            coordinates.
        dim (int or list of int): along which dimensions; all of them by default.
        edge_order (int): 1 or 2, the order of the one-sided differences at the edges.

    Returns:
        tuple of Tensor: a derivative for each dimension, in the shape of ``input``.

    Raises:
        RuntimeError: where a dimension is shorter than ``edge_order + 1`` or the spacing does not fit.
        NotImplementedError: for ``uint8``.
    """
    x = input
    dims = list(range(x.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if spacing is None:
        spacing = 1
    if isinstance(spacing, flambeau.Tensor):
        raise TypeError(
            "gradient(): argument 'spacing' must be a number or a tuple of numbers or Tensors, not Tensor"
        )
    if isinstance(spacing, (tuple, list)):
        steps = list(spacing)
        if dim is None and len(steps) != x.dim():
            raise RuntimeError(
                "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to "
                f"'self.dim() = {x.dim()}', since dim argument was not given, but got a list of length "
                f"{len(steps)}"
            )
        if len(steps) != len(dims):
            raise RuntimeError(
                "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim "
                "arguments to have "
                f"the same length, but got a spacing argument of length {len(steps)} and a dim argument of "
                "length "
                f"{len(dims)}."
            )
    else:
        steps = [spacing] * len(dims)
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if x.dtype == flambeau.uint8:
        raise NotImplementedError("torch.gradient does not support uint8 input.")
    for step in steps:
        if isinstance(step, flambeau.Tensor) and step.dim() != 1:
            raise RuntimeError(
                "torch.gradient expected each element of spacing to have one dimension, but got an element "
                "with "
                f"{step.dim()} dimensions!"
            )
    seen = set()
    for d in dims:
        if not -x.dim() <= d < x.dim():
            low, high = -max(x.dim(), 1), max(x.dim(), 1) - 1
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{low}, {high}], but got {d})"
            )
        if d % x.dim() in seen:
            raise RuntimeError(f"dim {d % x.dim()} appears multiple times in the list of dims")
        seen.add(d % x.dim())
    for d in range(x.dim()) if dim is None else dims:
        if x.size(d) < edge_order + 1:
            raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    return tuple(_differences(x, d % x.dim(), step, edge_order) for d, step in zip(dims, steps))


def histogramdd(input, bins, *, range=None, weight=None, density=False):
    """Counts of points (the last dimension holds their coordinates) in a grid.

    Args:
        input (Tensor): ``(..., d)``, float32 or float64.
        bins (int, list of int or list of Tensor): the number of bins of each dimension, or their borders.
        range (sequence of float): lower and upper end of each dimension; those of the points by default.
        weight (Tensor): what each point counts, ``(...)``.
        density (bool): divides by the total and the bins' volumes.

    Returns:
        (Tensor, tuple of Tensor): the counts and the borders of each dimension, as ``hist`` and
        ``bin_edges``.
    """
    if isinstance(bins, int):
        bins = [bins] * (input.size(-1) if input.dim() else 1)
    bins = list(bins)
    if bins and isinstance(bins[0], flambeau.Tensor):
        found = _internal.histogramdd_bins(input, bins, weight, density)
    else:
        ends = None if range is None else [float(v) for v in range]
        found = _internal.histogramdd_even(input, bins, ends, weight, density)
    return _histogramdd_result(found[0], tuple(found[1:]))


def lu(A, pivot=True, get_infos=False, out=None):
    """L and U of ``A`` in one matrix and the exchanges of rows; with ``get_infos`` also each matrix' first
    zero pivot.

    An older form of :func:`torch.linalg.lu_factor`.
    """
    if get_infos:
        found = flambeau.linalg.lu_factor_ex(A, pivot=pivot)
    else:
        found = tuple(flambeau.linalg.lu_factor(A, pivot=pivot))
    if out is None:
        return found
    if len(out) != len(found):
        raise TypeError(f"expected tuple of {len(found)} elements but got {len(out)}")
    for target, value in zip(out, found):
        target.resize_(value.shape)
        target.copy_(value)
    return tuple(out)


def pinverse(input, rcond=1e-15):
    """The pseudoinverse; singular values below ``rcond`` times the largest count as zero. See
    :func:`torch.linalg.pinv`."""
    return flambeau.linalg.pinv(input, rcond)


def _basis(A, q, niter, M):
    """An orthonormal basis of nearly the whole range of ``A - M``, by power iteration from random vectors."""

    def times(a, m, x):
        return a @ x if m is None else a @ x - m @ x

    x = flambeau.randn(A.shape[-1], q, dtype=A.dtype, device=A.device)
    Q = flambeau.linalg.qr(times(A, M, x)).Q
    turned = None if M is None else M.mH
    for _ in range(niter):
        Q = flambeau.linalg.qr(times(A.mH, turned, Q)).Q
        Q = flambeau.linalg.qr(times(A, M, Q)).Q
    return Q


def svd_lowrank(A, q=6, niter=2, M=None):
    """``(U, S, V)`` with ``U diag(S) V^H`` near ``A - M``, of rank ``q``, by random projection.

    Algorithm 5.1 of Halko, Martinsson and Tropp (2011): draw random vectors, improve them ``niter`` times.

    Args:
        A (Tensor): ``(..., m, n)``.
        q (int): the rank, a little above the one expected.
        niter (int): rounds of power iteration.
        M (Tensor): subtracted from ``A``; it must broadcast to it.
    """
    q = 6 if q is None else q
    if M is not None:
        M = M.broadcast_to(A.shape)
    wide = A.shape[-2] < A.shape[-1]
    if wide:
        A, M = A.mH, None if M is None else M.mH
    Q = _basis(A, q, niter, M)
    B = Q.mH @ (A if M is None else A - M)
    U, S, Vh = flambeau.linalg.svd(B, full_matrices=False)
    U, V = Q @ U, Vh.mH
    return (V, S, U) if wide else (U, S, V)


def pca_lowrank(A, q=None, center=True, niter=2):
    """The first ``q`` principal components of the rows of ``A``: ``(U, S, V)`` of :func:`svd_lowrank`.

    Args:
        A (Tensor): ``(..., m, n)``, a sample in each row.
        q (int): how many; at most 6 by default.
        center (bool): subtracts the mean of the rows.
        niter (int): rounds of power iteration.

    Raises:
        ValueError: where ``q`` exceeds the matrix' sides or ``niter`` is negative.
    """
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)


def empty_permuted(size, physical_layout, **options):
    """Uninitialised memory without gaps whose dimensions lie in the given order, the outermost first."""
    size, order = list(size), list(physical_layout)
    if len(size) != len(order):
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) "
            f"= {len(size)} "
            f"is not equal to len(physical_layout) = {len(order)}"
        )
    seen = set()
    for d in order:
        if not 0 <= d < len(size):
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {len(size) - 1}, but got {d} at index "
                f"{order.index(d)}).  NB: negative dims not currently supported; file an issue if you want "
                "it."
            )
        if d in seen:
            raise RuntimeError("Duplicate dim not allowed")
        seen.add(d)
    inverse = [order.index(d) for d in range(len(order))]
    return flambeau.empty([size[d] for d in order], **options).permute(inverse)


def resize_as_(input, the_template, *, memory_format=None):
    """Changes the tensor's size to that of another one; see :meth:`Tensor.resize_`."""
    return input.resize_as_(the_template)


def _attach():
    for name in ("lu", "pinverse"):
        method = overridable(globals()[name])
        method.__qualname__ = f"Tensor.{name}"
        setattr(_C.Tensor, name, method)
    publish(
        globals(),
        __all__,
        "flambeau",
        {"empty_permuted", "gradient", "histogramdd", "pinverse", "resize_as_"},
    )


_attach()
globals().update(
    {_name: getattr(_C._functions, _name) for _name in _UNDERSCORED if hasattr(_C._functions, _name)}
)
__all__ += [_name for _name in _UNDERSCORED if _name in globals()]
