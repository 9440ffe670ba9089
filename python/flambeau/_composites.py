"""Functions of the top namespace that other operations express; each is also a Tensor method where PyTorch has one."""

import flambeau

from . import _C

__all__ = ["cross", "diag", "diag_embed", "diagflat", "diff", "trace", "tril_indices", "triu_indices"]


def diag(input, diagonal=0, *, out=None):
    """A matrix's diagonal, or a square matrix with a vector on its diagonal."""
    if input.dim() == 1:
        result = diag_embed(input, diagonal)
    elif input.dim() == 2:
        result = input.diagonal(diagonal).clone()
    else:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.dim()}D")
    return result if out is None else out.resize_(result.shape).copy_(result)


def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Matrices with the last dimension's vectors on a diagonal, zeros elsewhere."""
    n = input.size(-1) + abs(offset)
    rank = input.dim() + 1
    first, second = dim1 % rank, dim2 % rank
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    whole = input.new_zeros(*input.shape[:-1], n, n)
    rows = flambeau.arange(input.size(-1)) + max(-offset, 0)
    columns = flambeau.arange(input.size(-1)) + max(offset, 0)
    flat = whole.flatten(-2).index_add(-1, rows * n + columns, input)
    return flat.unflatten(-1, (n, n)).movedim((-2, -1), (first, second))


def diagflat(input, offset=0):
    """A square matrix with all elements on its diagonal."""
    return diag_embed(input.reshape(-1), offset)


def trace(input):
    """The sum of a matrix's diagonal."""
    if input.dim() != 2:
        raise RuntimeError("trace: expected a matrix")
    return input.diagonal().sum()


def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The ``n``-th differences along ``dim``, after joining ``prepend`` and ``append``."""
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    parts = [t for t in (prepend, input, append) if t is not None]
    result = flambeau.cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, result.size(dim))):
        size = result.size(dim)
        after, before = result.narrow(dim, 1, size - 1), result.narrow(dim, 0, size - 1)
        result = after.logical_xor(before) if result.dtype == flambeau.bool else after - before
    return result


def cross(input, other, dim=None):
    """The cross product of vectors of three elements along ``dim`` (the first such dimension by default)."""
    if dim is None:
        sizes = flambeau.broadcast_shapes(input.shape, other.shape)
        dim = next((d for d, n in enumerate(sizes) if n == 3), None)
        if dim is None:
            raise RuntimeError("no dimension of size 3 in input")
    return flambeau.linalg.cross(input, other, dim=dim)


def _triangle(row, col, offset, dtype, lower):
    places = [(i, j) for i in range(row) for j in range(col) if (j - i <= offset if lower else j - i >= offset)]
    return flambeau.tensor(places, dtype=dtype or flambeau.int64).reshape(-1, 2).t().contiguous()


def tril_indices(row, col, offset=0, *, dtype=None, device=None, layout=None):
    """Coordinates of the lower triangle, a row of rows and a row of columns."""
    return _triangle(row, col, offset, dtype, True)


def triu_indices(row, col, offset=0, *, dtype=None, device=None, layout=None):
    """Coordinates of the upper triangle, a row of rows and a row of columns."""
    return _triangle(row, col, offset, dtype, False)


for _name in ("cross", "diag", "diag_embed", "diagflat", "diff", "trace"):
    setattr(_C.Tensor, _name, globals()[_name])
del _name
