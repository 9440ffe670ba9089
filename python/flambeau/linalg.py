"""Linear algebra, under PyTorch's ``torch.linalg`` names: the engine's operations, and norms and solvers made
of them."""

import collections

import flambeau

from . import _C
from ._overridable import publish

LinAlgError = _C._LinAlgError
_native = _C._linalg
globals().update(
    {_name: getattr(_native, _name) for _name in dir(_native) if not _name.startswith(("_", "linalg_"))}
)

_lstsq_result = collections.namedtuple("linalg_lstsq", ["solution", "residuals", "rank", "singular_values"])
_infinities = (float("inf"), float("-inf"))


def _into(out, result):
    """The result, copied into ``out`` where there is one."""
    if out is None:
        return result
    out.resize_(result.shape)
    return out.copy_(result)


def _is_wide(x):
    return x.is_floating_point() or x.is_complex()


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None, out=None):
    """The ``ord``-norm of the elements, all of them or along ``dim``.

    ``NotImplementedError`` for integers, ``RuntimeError`` where the norm of nothing is not defined.
    """
    if not _is_wide(x):
        name = flambeau.empty(0, dtype=x.dtype).type().rsplit(".", 1)[-1].replace("Tensor", "")
        raise NotImplementedError(
            f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {name}"
        )
    dims = None if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if float(ord) < 0 or float(ord) == float("inf"):
        named = range(x.dim()) if dims is None or not dims else dims
        if x.numel() == 0 and (dims is None or not dims or any(x.size(d) == 0 for d in named)):
            what = "inf" if float(ord) == float("inf") else float(ord)
            of = (
                ""
                if dims is None or not dims
                else f" on the dimension {[d for d in named if x.size(d) == 0][0]}"
            )
            raise RuntimeError(
                f"linalg.vector_norm cannot compute the {what} norm on an empty "
                f"{'dimension' if of else 'tensor'}{of} "
                "because the operation does not have an identity"
            )
    return _into(out, flambeau.norm(x, float(ord), dims, keepdim, dtype=dtype))


def _two_dims(A, dim, name):
    if A.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    dim = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dim) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {list(dim)}")
    for d in dim:
        if not -A.dim() <= d < A.dim():
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-A.dim()}, {A.dim() - 1}], but got "
                f"{d})"
            )
    rows, columns = (d % A.dim() for d in dim)
    if rows == columns:
        raise RuntimeError(f"{name}: dims must be different. Got ({dim[0]}, {dim[1]})")
    return rows, columns


def matrix_sqrth(A):
    """The square root of positive definite Hermitian matrices ``(..., n, n)``; the lower triangle is read."""
    if A.dim() < 2:
        raise RuntimeError("linalg.matrix_sqrth: The input tensor A must have at least 2 dimensions.")
    if A.size(-1) != A.size(-2):
        raise RuntimeError(
            "linalg.matrix_sqrth: A must be batches of square matrices, but they are "
            f"{A.size(-2)} by {A.size(-1)} matrices"
        )
    values, vectors = _native.eigh(A)
    return (vectors * values.clamp(min=0).sqrt().unsqueeze(-2)) @ vectors.mH


_polar_result = collections.namedtuple("linalg_polar", ["U", "H"])


def polar(A, *, out=None):
    """``A = U H`` with orthonormal columns in ``U`` and Hermitian positive semidefinite ``H``, by singular
    values."""
    if A.dim() < 2:
        raise RuntimeError("linalg.polar: The input tensor A must have at least 2 dimensions.")
    if A.size(-2) < A.size(-1):
        raise RuntimeError(
            "linalg.polar: input must have at least as many rows as columns, but got "
            f"{A.size(-2)} by {A.size(-1)} matrices"
        )
    u, s, vh = _native.svd(A, full_matrices=False)
    found = _polar_result(u @ vh, (vh.mH * s.unsqueeze(-2)) @ vh)
    if out is None:
        return found
    return _polar_result(*(_into(target, value) for target, value in zip(out, found)))


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None, out=None):
    """The norm of matrices in two dimensions: 'fro', 'nuc', 1, -1, 2, -2, inf or -inf."""
    rows, columns = _two_dims(A, dim, "linalg.matrix_norm")
    if not _is_wide(A):
        name = flambeau.empty(0, dtype=A.dtype).type().rsplit(".", 1)[-1].replace("Tensor", "")
        raise NotImplementedError(
            f"linalg.matrix_norm: Expected a floating point or complex tensor as input. Got {name}"
        )
    if ord not in ("fro", "nuc", 1, -1, 2, -2, *_infinities):
        shown = int(ord) if isinstance(ord, float) and ord == int(ord) else ord
        raise RuntimeError(f"linalg.matrix_norm: Order {shown} not supported.")
    if dtype is not None:
        A = A.to(dtype)
    if ord == "fro":
        return _into(out, vector_norm(A, 2, (rows, columns), keepdim))
    if ord in ("nuc", 2, -2):
        values = _native.svdvals(A.movedim((rows, columns), (-2, -1)))
        # Without singular values the largest is zero.
        summed = ord == "nuc" or ord == 2 and values.size(-1) == 0
        result = values.sum(-1) if summed else values.amin(-1) if ord == -2 else values.amax(-1)
        if keepdim:
            for d in sorted((rows, columns)):
                result = result.unsqueeze(d)
        return _into(out, result)
    first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
    if ord > 0 and A.size(second) == 0:
        return _into(out, vector_norm(A, 1, (rows, columns), keepdim))
    sums = vector_norm(A, 1, first, keepdim)
    second -= not keepdim and first < second
    return _into(out, (sums.amax if ord > 0 else sums.amin)(second, keepdim=keepdim))


def norm(A, ord=None, dim=None, keepdim=False, *, out=None, dtype=None):
    """A vector norm, or for two dimensions (or a name) a matrix norm."""
    dims = (dim,) if isinstance(dim, int) else dim
    if ord is None:
        return vector_norm(A, 2, dims, keepdim, dtype=dtype, out=out)
    if dims is not None and len(dims) not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is specified, it must be of length 1 or 2. Got " + str(list(dims))
        )
    if isinstance(ord, str):
        return matrix_norm(A, ord, (-2, -1) if dims is None else dims, keepdim, dtype=dtype, out=out)
    if dims is None and A.dim() not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.dim()}D."
        )
    if dims is not None and len(dims) == 1 or dims is None and A.dim() == 1:
        return vector_norm(A, ord, dims, keepdim, dtype=dtype, out=out)
    return matrix_norm(A, ord, (-2, -1) if dims is None else dims, keepdim, dtype=dtype, out=out)


def matmul(input, other, *, out=None):
    """The matrix product."""
    return flambeau.matmul(input, other, out=out)


def vecdot(x, y, *, dim=-1, out=None):
    """Inner products along ``dim``, the first operand conjugated."""
    return _into(out, (x.conj() * y).sum(dim))


def multi_dot(tensors, *, out=None):
    """The product of several matrices in the cheapest order; the first may be a row, the last a column."""
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError("multi_dot(): expected at least 2 tensors but got " + str(len(tensors)))
    row, column = tensors[0].dim() == 1, tensors[-1].dim() == 1
    if row:
        tensors[0] = tensors[0].unsqueeze(0)
    if column:
        tensors[-1] = tensors[-1].unsqueeze(1)
    for i, t in enumerate(tensors):
        if t.dim() != 2:
            where = "the first tensor must be 1D or 2D" if i == 0 else f"tensor {i} must be 2D"
            raise RuntimeError(f"multi_dot(): {where} but got {t.dim()}D")
    result = _chain(tensors)
    rows, columns = result.shape
    return _into(out, result.view(([] if row else [rows]) + ([] if column else [columns])))


def _chain(tensors):
    """Products in the order of least work (dynamic programming over cuts)."""
    n = len(tensors)
    if n == 3:
        # From the left where both orders cost the same.
        a, b, c = tensors
        left = a.size(0) * c.size(0) * (a.size(1) + c.size(1))
        right = a.size(1) * c.size(1) * (a.size(0) + c.size(0))
        return a @ (b @ c) if left > right else (a @ b) @ c
    sizes = [t.size(0) for t in tensors] + [tensors[-1].size(1)]
    cost = {(i, i): (0, i) for i in range(n)}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j] = min(
                (cost[i, k][0] + cost[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            )

    def build(i, j):
        return tensors[i] if i == j else build(i, cost[i, j][1]) @ build(cost[i, j][1] + 1, j)

    return build(0, n - 1)


def cross(input, other, *, dim=-1, out=None):
    """The cross product of vectors of three elements along ``dim``."""
    if input.dim() != other.dim():
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    if input.size(dim) != 3 or other.size(dim) != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.size(dim)} and "
            f"{other.size(dim)}"
        )
    a, b = flambeau.broadcast_tensors(input, other)
    return _into(out, flambeau.cross(a, b, dim=dim))


def cond(A, p=None, *, out=None):
    """The condition number: a ratio of singular values for ``p`` None, 2 or -2, else the norm times the
    inverse's."""
    if A.dim() < 2:
        raise RuntimeError("linalg.cond: The input tensor A must have at least 2 dimensions.")
    if p in (None, 2, -2):
        values = _native.svdvals(A)
        first, last = values[..., 0], values[..., -1]
        return _into(out, last / first if p == -2 else first / last)
    inverse, info = _native.inv_ex(A)
    result = matrix_norm(A, p) * matrix_norm(inverse, p)
    if info.any():
        result = flambeau.where(info != 0, flambeau.full_like(result, float("inf")), result)
    return _into(out, result)


def _tolerances(A, values, atol, rtol, name):
    """Below which size singular values count as zero."""
    for what, t in (("atol", atol), ("rtol", rtol)):
        if isinstance(t, flambeau.Tensor) and t.is_complex():
            raise RuntimeError(f"{name}: {what} tensor of complex type is not supported.")
    if rtol is None:
        given = atol > 0 if isinstance(atol, flambeau.Tensor) else atol is not None and atol > 0
        usual = flambeau.finfo(A.dtype).eps * max(A.shape[-2:])
        if isinstance(given, flambeau.Tensor):
            rtol = flambeau.where(given, 0.0, usual)
        else:
            rtol = 0.0 if given else usual
    largest = values.detach().abs().amax(-1) if values.size(-1) else values.detach().sum(-1)
    atol = 0.0 if atol is None else atol
    atol = atol if isinstance(atol, flambeau.Tensor) else flambeau.tensor(atol, dtype=largest.dtype)
    rtol = rtol if isinstance(rtol, flambeau.Tensor) else flambeau.tensor(rtol, dtype=largest.dtype)
    return flambeau.maximum(atol.to(largest.dtype), rtol.to(largest.dtype) * largest)


def matrix_rank(A, tol=None, hermitian=False, *, atol=None, rtol=None, out=None):
    """How many singular values are larger than ``max(atol, rtol * the largest)``."""
    if A.dim() < 2:
        raise RuntimeError(
            "torch.linalg.matrix_rank: The input tensor input must have at least 2 dimensions."
        )
    if isinstance(tol, flambeau.Tensor) or tol is not None:
        atol, rtol = tol, 0.0
    values = _native.eigvalsh(A).abs() if hermitian else _native.svdvals(A)
    if A.numel() == 0:
        return _into(out, flambeau.zeros(A.shape[:-2], dtype=flambeau.int64))
    limit = _tolerances(A, values, atol, rtol, "torch.linalg.matrix_rank")
    return _into(out, (values > limit.unsqueeze(-1)).sum(-1))


def pinv(A, rcond=None, hermitian=False, *, atol=None, rtol=None, out=None):
    """The Moore-Penrose inverse; singular values up to ``max(atol, rtol * the largest)`` count as zero."""
    if A.dim() < 2 or not _is_wide(A):
        kind = flambeau.empty(0, dtype=A.dtype).type().rsplit(".", 1)[-1].replace("Tensor", "")
        raise RuntimeError(
            f"linalg.pinv({kind}{{{list(A.shape)}}}): expected a tensor with 2 or more dimensions of float, "
            "double, "
            "cfloat or cdouble types"
        )
    rtol = rcond if rtol is None else rtol
    if A.numel() == 0:
        return _into(out, A.mH.clone())
    if hermitian:
        values, vectors = _native.eigh(A)
        keep = values.abs() > _tolerances(A, values, atol, rtol, "linalg.pinv").unsqueeze(-1)
        inverse = flambeau.where(keep, values, 1.0).reciprocal() * keep
        result = (vectors * inverse.unsqueeze(-2).to(vectors.dtype)) @ vectors.mH
        _C._show_as(result, "LinalgPinvBackward0", A)
        return _into(out, result)
    with flambeau.no_grad():
        limit = _tolerances(A, _native.svdvals(A.detach()), atol, rtol, "linalg.pinv")
        limit = limit.expand(A.shape[:-2]).contiguous()
    return _into(out, _C._internal.pinv_kernel(A, limit))


def lstsq(A, B, rcond=None, *, driver=None, out=None):
    """The least squares solution X of ``A X = B`` of smallest norm, residuals, rank and singular values.

    A is ``(..., m, n)`` and B ``(..., m, k)`` or ``(..., m)``. ``driver`` ('gels', 'gelsy', 'gelsd', 'gelss')
    decides which of rank and singular values are returned.
    """
    if A.dim() < 2:
        raise RuntimeError("torch.linalg.lstsq: input must have at least 2 dimensions.")
    if B.dim() < 1:
        raise RuntimeError("torch.linalg.lstsq: other must have at least 1 dimension.")
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(
            "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    if A.dtype != B.dtype:
        raise RuntimeError(
            "torch.linalg.lstsq: Expected input and other to have the same dtype, but got input's dtype "
            f"{A.dtype} and other's dtype {B.dtype}"
        )
    driver = driver or "gelsy"
    vector = B.dim() == 1 or A.dim() - 1 == B.dim() and A.shape[:-1] == B.shape
    rhs = B.unsqueeze(-1) if vector else B
    if A.size(-2) != rhs.size(-2):
        where = (
            "input.size(-2) should match other.size(-1)"
            if vector
            else "input.size(-2) should match other.size(-2)"
        )
        raise RuntimeError(f"torch.linalg.lstsq: {where}")
    m, n = A.shape[-2:]
    solution = pinv(A, rtol=None if rcond is None or rcond < 0 else rcond) @ rhs
    rank = flambeau.empty(0, dtype=flambeau.int64)
    values = flambeau.empty(0, dtype=A.real.dtype if A.is_complex() else A.dtype)
    residuals = (solution.real if solution.is_complex() else solution).reshape(-1)[:0]
    with flambeau.no_grad():
        full = True
        if driver != "gels":
            rank = matrix_rank(A.detach(), rtol=rcond if rcond is not None and rcond >= 0 else None)
            full = bool((rank == n).all())
        if driver in ("gelsd", "gelss"):
            values = _native.svdvals(A.detach())
    if m > n and full and driver != "gelsy":
        residuals = (A @ solution - rhs).abs().square().sum(-2)
    # With columns in one piece.
    solution = solution.mT.contiguous().mT
    if vector:
        solution = solution.squeeze(-1)
    _C._show_as(solution, "LinalgLstsqBackward0", A, B)
    result = _lstsq_result(solution, residuals, rank, values)
    return result if out is None else _lstsq_result(*(_into(o, r) for o, r in zip(out, result)))


def vander(x, N=None):
    """Powers of each element: columns 1, x, x^2, ... up to ``N`` of them."""
    n = x.size(-1) if N is None else N
    if N is not None and N <= 1:
        raise RuntimeError("N must be greater than 1.")
    if n == 0:
        return x.new_ones(*x.shape, 0)
    x = x.reshape(1) if x.dim() == 0 else x
    x = x.long() if x.dtype == flambeau.bool else x
    ones = flambeau.ones_like(x).unsqueeze(-1)
    if n == 1:
        return ones
    powers = x.unsqueeze(-1).expand(*x.shape, n - 1).cumprod(-1)
    return flambeau.cat([ones.to(powers.dtype), powers], -1)


def tensorinv(A, ind=2, *, out=None):
    """The inverse of A as a map between its first ``ind`` and its other dimensions."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    rest, first = A.shape[ind:], A.shape[:ind]
    rows, columns = flambeau.Size(first).numel(), flambeau.Size(rest).numel()
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but "
            "got "
            f"{columns} != {rows}"
        )
    return _into(out, _native.inv(A.reshape(rows, columns)).reshape(*rest, *first))


def tensorsolve(A, B, dims=None, *, out=None):
    """X with ``tensordot(A, X, X.dim()) == B``; ``dims`` of A are moved to its end first."""
    if dims is not None:
        dims = (dims,) if isinstance(dims, int) else tuple(dims)
        A = A.movedim(dims, tuple(range(A.dim() - len(dims), A.dim())))
    rest = A.shape[B.dim() :]
    rows, columns = flambeau.Size(A.shape[: B.dim()]).numel(), flambeau.Size(rest).numel()
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            "prod(self.shape[:other.ndim]), "
            f"but got {columns} != {rows}"
        )
    return _into(out, _native.solve(A.reshape(rows, columns), B.flatten()).reshape(rest))


__all__ = sorted(
    _name
    for _name in globals()
    if not _name.startswith("_") and _name not in ("collections", "flambeau", "publish")
)
_composed = [_name for _name in __all__ if not hasattr(_native, _name) and _name != "LinAlgError"]
publish(globals(), _composed, __name__, _composed)
for _name in _composed:
    globals()[_name].__name__ = f"linalg_{_name}"  # as the engine's own
