"""Operations whose arguments Python unpacks: any number of tensors, or results that are tuples."""

import flambeau

from . import _C
from ._overridable import overridable, publish
from ._shown import shown_as

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block_diag",
    "broadcast_shapes",
    "broadcast_tensors",
    "cartesian_prod",
    "cdist",
    "chain_matmul",
    "dsplit",
    "einsum",
    "equal",
    "hsplit",
    "meshgrid",
    "nonzero",
    "norm",
    "tensordot",
    "tensor_split",
    "unique",
    "unique_consecutive",
    "vsplit",
    "where",
]

_internal = _C._internal
_select = _C._functions.where
_nonzero = _C._functions.nonzero


def _list(tensors):
    """The operands of ``f(a, b)`` or ``f([a, b])``."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        return list(tensors[0])
    return list(tensors)


def broadcast_tensors(*tensors):
    """The tensors expanded to their common shape."""
    return _internal.broadcast_tensors(_list(tensors))


def broadcast_shapes(*shapes):
    """The shape that the given shapes broadcast to."""
    shapes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    out = []
    for i in range(1, max(map(len, shapes), default=0) + 1):
        size = 1
        for shape in shapes:
            n = shape[-i] if i <= len(shape) else 1
            if n < 0:
                raise RuntimeError(f"Trying to create tensor with negative dimension ({n}): ({n})")
            if n != 1 and size not in (1, n):
                raise RuntimeError("Shape mismatch: objects cannot be broadcast to a single shape")
            size = size if n == 1 else n
        out.append(size)
    return flambeau.Size(reversed(out))


def einsum(*args):
    """Sums of products in Einstein's notation: ``einsum("bij,bjk->bik", a, b)``."""
    equation, *operands = _einsum_operands(*args)
    return _internal.einsum(equation, operands)


def _einsum_operands(*args):
    """The equation and the operands, from any of the forms."""
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand "
            "and its subscripts list"
        )
    equation, operands = args[0], args[1:]
    if isinstance(equation, flambeau.Tensor):
        # The sublist format: operand, list of ints, ..., and maybe the output's list.
        def letters(subscripts):
            return "".join(
                "..." if s is Ellipsis else chr(ord("A") + s) if s < 26 else chr(ord("a") + s - 26)
                for s in subscripts
            )

        equation = ",".join(letters(s) for s in args[1::2])
        operands = args[0 : len(args) - len(args) % 2 : 2]
        if len(args) % 2:
            equation += "->" + letters(args[-1])
    return equation, *_list(operands)


def meshgrid(*tensors, indexing=None):
    """Coordinate grids of the given vectors."""
    if indexing is None:
        indexing = "ij"
    return _internal.meshgrid(_list(tensors), indexing=indexing)


def tensordot(a, b, dims=2, out=None):
    """The sum of products over pairs of dimensions: the last of ``a`` with the first of ``b``, or the given
    ones."""
    if isinstance(dims, flambeau.Tensor):
        dims = dims.tolist()
    if isinstance(dims, (tuple, list)):
        if len(dims) != 2:
            raise RuntimeError("tensordot expects dims to be a pair of lists")
        dims_a, dims_b = ([d] if isinstance(d, int) else list(d) for d in dims)
    else:
        dims = int(dims)
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims_a, dims_b = list(range(-dims, 0)), list(range(dims))
    result = _internal.tensordot_dims(a, b, dims_a, dims_b)
    if out is None:
        return result
    out.resize_(result.shape)
    return out.copy_(result)


def chain_matmul(*matrices, out=None):
    """The product of several matrices."""
    return _internal.chain_matmul(_list(matrices))


def where(condition, input=None, other=None, *, out=None, self=None):
    """``input`` where ``condition`` holds, ``other`` elsewhere; with the condition alone the coordinates
    where it holds."""
    if input is None and other is None and self is None:
        return nonzero(condition, as_tuple=True)
    input = self if input is None else input
    return _select(condition, input, other) if out is None else _select(condition, input, other, out=out)


def _each(function, tensors):
    """The function of one tensor, or of each of several: then a tuple."""
    if len(tensors) == 1 and not isinstance(tensors[0], (list, tuple)):
        return function(tensors[0])
    return tuple(function(t) for t in _list(tensors))


def atleast_1d(*tensors):
    """The tensors with at least one dimension."""
    return _each(_C._functions.atleast_1d, tensors)


def atleast_2d(*tensors):
    """The tensors with at least two dimensions."""
    return _each(_C._functions.atleast_2d, tensors)


def atleast_3d(*tensors):
    """The tensors with at least three dimensions."""
    return _each(_C._functions.atleast_3d, tensors)


@shown_as("BlockDiagBackward0", None)
def block_diag(*tensors):
    """Matrices (vectors count as rows) along the diagonal of a larger one, zeros elsewhere."""
    blocks = [atleast_2d(t) for t in tensors]
    for i, block in enumerate(blocks):
        if block.dim() > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has "
                f"{block.dim()} dimensions"
            )
    if not blocks:
        return flambeau.empty(1, 0)
    width = sum(block.shape[1] for block in blocks)
    rows, left = [], 0
    for block in blocks:
        rows.append(flambeau.constant_pad_nd(block, (left, width - left - block.shape[1])))
        left += block.shape[1]
    return flambeau.cat(rows)


def cartesian_prod(*tensors):
    """All combinations of the vectors' elements, a row each."""
    tensors = _list(tensors)
    if len(tensors) == 1:
        return tensors[0]
    return flambeau.stack([t.reshape(-1) for t in meshgrid(tensors)], 1)


def tensor_split(input, indices_or_sections, dim=0):
    """Parts of nearly equal length, or cut at the given positions."""
    n = input.size(dim)
    if isinstance(indices_or_sections, flambeau.Tensor):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        sections = indices_or_sections
        if sections <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
        lengths = [n // sections + (i < n % sections) for i in range(sections)]
        starts = [sum(lengths[:i]) for i in range(sections)]
        return tuple(input.narrow(dim, s, k) for s, k in zip(starts, lengths))
    bounds = [0, *indices_or_sections, n]
    index = [slice(None)] * input.dim()
    parts = []
    for start, end in zip(bounds, bounds[1:]):
        index[dim] = slice(start, end)
        parts.append(input[tuple(index)])
    return tuple(parts)


def _split_along(name, rank, dim):
    def split(input, indices_or_sections):
        if input.dim() < rank:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {rank} dimension, but got a tensor with "
                f"{input.dim()} dimensions!"
            )
        at = dim if input.dim() > 1 else 0
        if isinstance(indices_or_sections, int) and (
            indices_or_sections == 0 or input.size(at) % indices_or_sections
        ):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {at}, but the size of the dimension "
                f"{input.size(at)} is not "
                f"divisible by the split_size {indices_or_sections}!"
            )
        return tensor_split(input, indices_or_sections, at)

    split.__name__ = split.__qualname__ = name
    split.__doc__ = f"``tensor_split`` along dimension {dim}, into equal parts where a number is given."
    return split


hsplit = _split_along("hsplit", 1, 1)
vsplit = _split_along("vsplit", 2, 0)
dsplit = _split_along("dsplit", 3, 2)


def nonzero(input, *, out=None, as_tuple=False):
    """Coordinates of the elements that are not zero, a row each; with ``as_tuple`` one vector for each
    dimension."""
    if as_tuple:
        found = _nonzero(input.unsqueeze(0) if input.dim() == 0 else input)
        return found.unbind(1)
    return _nonzero(input) if out is None else _nonzero(input, out=out)


def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
    """The p-norm of all elements or along ``dim`` ('fro' is the 2-norm, 'nuc' the sum of singular values)."""
    if dtype is not None:
        input = input.to(dtype)
    if p is None or p == "fro":
        p = 2.0
    elif p == "nuc":
        if dim is None and input.dim() != 2:
            raise RuntimeError(
                f"linalg.matrix_norm: The input tensor A must have at least 2 dimensions; got {input.dim()}"
            )
        return flambeau.linalg.matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, out=out)
    dims = None if dim is None else [dim] if isinstance(dim, int) else list(dim)
    result = _internal.norm_p(input, dims, keepdim, float(p))
    if out is None:
        return result
    out.resize_(result.shape)
    return out.copy_(result)


def equal(input, other):
    """Whether both have the same size and elements."""
    return input.shape == other.shape and bool((input == other).all())


@shown_as("CdistBackward0", 2)
def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm distances between rows: ``(..., n, d)`` and ``(..., m, d)`` to ``(..., n, m)``."""
    if x1.size(-1) != x2.size(-1):
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.size(-1)} X2: {x2.size(-1)}"
        )
    use_mm = compute_mode == "use_mm_for_euclid_dist" or (
        compute_mode == "use_mm_for_euclid_dist_if_necessary" and max(x1.size(-2), x2.size(-2)) > 25
    )
    if p == 2.0 and use_mm:
        squares = x1.square().sum(-1, keepdim=True) + x2.square().sum(-1, keepdim=True).mT - 2 * (x1 @ x2.mT)
        return squares.clamp_min(1e-30).sqrt()
    return _internal.norm_p(x1.unsqueeze(-2) - x2.unsqueeze(-3), [-1], False, float(p))


def _unique_slices(input, dim, consecutive, return_inverse, return_counts):
    values, inverse, counts = _internal.unique_dim(input, dim, consecutive)
    result = [values, *([inverse] if return_inverse else []), *([counts] if return_counts else [])]
    return values if len(result) == 1 else tuple(result)


def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The elements with runs of equal ones reduced to one."""
    if dim is not None:
        return _unique_slices(input, dim, True, return_inverse, return_counts)
    flat = input.reshape(-1)
    if flat.numel() == 0:
        starts = flambeau.zeros(0, dtype=flambeau.bool)
    else:
        starts = flambeau.cat([flambeau.ones(1, dtype=flambeau.bool), flat[1:] != flat[:-1]])
    values = flat[starts]
    result = [values]
    if return_inverse:
        result.append((starts.cumsum(0) - 1).reshape(input.shape))
    if return_counts:
        at = flambeau.cat([starts.nonzero().reshape(-1), flambeau.tensor([flat.numel()])])
        result.append(at[1:] - at[:-1])
    return result[0] if len(result) == 1 else tuple(result)


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements, in order."""
    if dim is not None:
        return _unique_slices(input, dim, False, return_inverse, return_counts)
    ordered, order = input.reshape(-1).sort(stable=True)
    values, inverse, counts = unique_consecutive(ordered, True, True)
    _C._show_as(values, "Unique2Backward0", input)
    result = [values]
    if return_inverse:
        result.append(flambeau.empty_like(inverse).scatter(0, order, inverse).reshape(input.shape))
    if return_counts:
        result.append(counts)
    return result[0] if len(result) == 1 else tuple(result)


def _norm(self, p="fro", dim=None, keepdim=False, dtype=None):
    """The p-norm of all elements or along ``dim``; see :func:`torch.norm`."""
    return norm(self, p, dim, keepdim, dtype=dtype)


def _where(self, condition, other):
    """``self`` where ``condition`` holds, ``other`` elsewhere."""
    return where(condition, self, other)


# Functions that PyTorch has in C: their handlers see the arguments as they were given.
_APART = ("broadcast_shapes", "chain_matmul", "einsum")
_IN_C = {"dsplit", "equal", "hsplit", "nonzero", "tensor_split", "vsplit", "where"}


def _attach():
    """The same functions as methods; all of them open to subclasses, each as itself."""
    methods = {name: globals()[name] for name in (*_IN_C, "unique", "unique_consecutive")}
    for name, function in {**methods, "norm": _norm, "where": _where}.items():
        method = overridable(function, as_given=name in _IN_C)
        method.__name__, method.__qualname__ = name, f"Tensor.{name}"
        setattr(_C.Tensor, name, method)
    publish(globals(), [name for name in __all__ if name not in _APART], "flambeau", _IN_C)
    globals()["einsum"] = overridable(einsum, "flambeau", lambda *args: (_einsum_operands(*args), {}))
    globals()["chain_matmul"] = overridable(
        chain_matmul, "flambeau", lambda *args, out=None: (_list(args), {})
    )


_attach()
