"""What weight norm and spectral norm compute, for both of their forms."""

import flambeau

F = flambeau._C._nn


def norm_except_dim(v, pow=2, dim=0):
    """The norm over all dimensions but ``dim`` (None: over all), with the kept dimension in its place."""
    if dim is None or dim == -1 and v.dim() == 0:
        return v.norm(pow)
    if dim == -1:
        # The sentinel of PyTorch's: all dimensions.
        return v.norm(pow)
    return v.norm(pow, [d for d in range(v.dim()) if d != dim], keepdim=True)


def weight_from(v, g, dim):
    """``v`` scaled to norms ``g``."""
    weight = v * (g / norm_except_dim(v, 2, dim))
    if dim in (0, v.dim() - 1):
        flambeau._C._show_as(weight, "WeightNormInterfaceBackward0", v, g)
    return weight


def unit(x, eps):
    """``x`` divided by its norm, or by ``eps`` where that is smaller."""
    return x / x.norm(2, 0, keepdim=True).clamp_min(eps)


def as_matrix(weight, dim):
    """The weight as a matrix whose rows are slices along ``dim``."""
    if dim != 0:
        weight = weight.permute(dim, *(d for d in range(weight.dim()) if d != dim))
    return weight.flatten(1)


def power_method(matrix, u, v, steps, eps, left_first=True):
    """Brings ``u`` and ``v`` in place nearer to the singular vectors of the largest singular value."""
    with flambeau.no_grad():
        for _ in range(steps):
            if left_first:
                u.copy_(unit(flambeau.mv(matrix, v), eps))
            v.copy_(unit(flambeau.mv(matrix.mH, u), eps))
            if not left_first:
                u.copy_(unit(flambeau.mv(matrix, v), eps))
