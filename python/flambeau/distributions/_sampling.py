"""Draws whose values depend on their parameters through a distribution function."""

import flambeau

_native = flambeau._C._internal


class _StandardGamma(flambeau.autograd.Function):
    @staticmethod
    def forward(ctx, concentration):
        value = _native._standard_gamma(concentration)
        ctx.save_for_backward(concentration, value)
        return value

    @staticmethod
    @flambeau.autograd.function.once_differentiable
    def backward(ctx, grad):
        concentration, value = ctx.saved_tensors
        return grad * _native._standard_gamma_grad(concentration, value)


def standard_gamma(concentration):
    """Gamma numbers of scale 1, differentiable in their shapes (implicitly, through the distribution
    function)."""
    return _StandardGamma.apply(concentration)


class _Dirichlet(flambeau.autograd.Function):
    @staticmethod
    def forward(ctx, concentration):
        value = _native._sample_dirichlet(concentration)
        ctx.save_for_backward(concentration, value)
        return value

    @staticmethod
    @flambeau.autograd.function.once_differentiable
    def backward(ctx, grad):
        concentration, value = ctx.saved_tensors
        total = concentration.sum(-1, True).expand_as(concentration)
        moves = flambeau._dirichlet_grad(value, concentration, total)
        # What one coordinate gains the others lose in proportion.
        return moves * (grad - (value * grad).sum(-1, True))


def dirichlet(concentration):
    """Points of simplexes, differentiable in their concentrations. NotImplementedError for 16-bit floats."""
    if concentration.dtype not in (flambeau.float32, flambeau.float64):
        name = {flambeau.float16: "Half", flambeau.bfloat16: "BFloat16"}.get(
            concentration.dtype, str(concentration.dtype)
        )
        raise NotImplementedError(f"\"dirichlet\" not implemented for '{name}'")
    return _Dirichlet.apply(concentration)
