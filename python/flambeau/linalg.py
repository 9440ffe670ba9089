"""Linear algebra: what products and norms give; decompositions are not there yet."""

import flambeau

from . import _C

LinAlgError = _C._LinAlgError
__all__ = ["LinAlgError", "cross", "matmul", "multi_dot", "norm", "qr", "vecdot", "vector_norm"]


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None, out=None):
    """The ``ord``-norm of the elements, all of them or along ``dim``."""
    return flambeau.norm(x, float(ord), dim, keepdim, out=out, dtype=dtype)


def norm(A, ord=None, dim=None, keepdim=False, *, out=None, dtype=None):
    """A vector norm, or for two dimensions a matrix norm: None and 'fro', 1, -1, inf, -inf."""
    dims = (dim,) if isinstance(dim, int) else dim
    if ord is None or isinstance(ord, (int, float)) and (dims is not None and len(dims) == 1 or dims is None and A.dim() <= 1):
        return vector_norm(A, 2 if ord is None else ord, dims, keepdim, dtype=dtype, out=out)
    dims = (-2, -1) if dims is None else dims
    if ord == "fro":
        return vector_norm(A, 2, dims, keepdim, dtype=dtype, out=out)
    if ord in (1, -1, float("inf"), float("-inf")):
        rows, columns = (d % A.dim() for d in dims)
        first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = A.abs().sum(first, keepdim=True)
        pick = sums.amax if ord > 0 else sums.amin
        result = pick(second, keepdim=True)
        if not keepdim:
            for d in sorted((rows, columns), reverse=True):
                result = result.squeeze(d)
        return result
    raise NotImplementedError(f"linalg.norm(ord={ord!r}) needs a matrix decomposition, which is not there yet")


def matmul(input, other, *, out=None):
    """The matrix product."""
    return flambeau.matmul(input, other, out=out)


def qr(A, mode="reduced", *, out=None):
    """The QR decomposition by Householder reflections (Golub and Van Loan, 5.2): ``A = Q R``.

    ``A`` is one real matrix ``(m, n)``; ``mode`` is "reduced", "complete" or "r".
    """
    if A.dim() != 2 or A.is_complex():
        raise NotImplementedError("linalg.qr takes one real matrix so far")
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'")
    if A.requires_grad and flambeau.is_grad_enabled():
        raise NotImplementedError("linalg.qr has no gradient yet")
    m, n = A.shape
    k = min(m, n)
    R = A.clone()
    reflectors = []
    for j in range(k):
        v = R[j:, j].clone()
        length = v.norm()
        if length == 0 or j == m - 1:
            reflectors.append(None)
            continue
        v[0] += length if v[0] >= 0 else -length
        v /= v.norm()
        R[j:, j:] -= 2 * flambeau.outer(v, v @ R[j:, j:])
        reflectors.append(v)
    width = m if mode == "complete" else k
    R = R[:width].triu()
    if mode == "r":
        return flambeau.empty(0, dtype=A.dtype), R
    Q = flambeau.eye(m, width, dtype=A.dtype)
    for j in reversed(range(k)):
        v = reflectors[j]
        if v is not None:
            Q[j:] -= 2 * flambeau.outer(v, v @ Q[j:])
    return Q, R


def vecdot(x, y, *, dim=-1, out=None):
    """Inner products along ``dim``, the first operand conjugated."""
    return (x.conj() * y).sum(dim)


def multi_dot(tensors, *, out=None):
    """The product of several matrices, from the left."""
    return flambeau.chain_matmul(*tensors)


def cross(input, other, *, dim=-1, out=None):
    """The cross product of vectors of three elements along ``dim``."""
    a, b = flambeau.broadcast_tensors(input, other)
    if a.size(dim) != 3:
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.size(dim)} and {other.size(dim)}")
    return a.roll(-1, dim) * b.roll(-2, dim) - a.roll(-2, dim) * b.roll(-1, dim)
