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
    """Gamma numbers of scale 1, differentiable in their shapes (implicitly, through the distribution function)."""
    return _StandardGamma.apply(concentration)


def dirichlet(concentration):
    """Points of simplexes. NotImplementedError where a gradient would be wanted."""
    if concentration.requires_grad and flambeau.is_grad_enabled():
        raise NotImplementedError(
            "draws of Dirichlet and Beta distributions have no gradient yet: use sample(), or concentrations that do not "
            "require one"
        )
    if concentration.dtype not in (flambeau.float32, flambeau.float64):
        name = {flambeau.float16: "Half", flambeau.bfloat16: "BFloat16"}.get(concentration.dtype, str(concentration.dtype))
        raise NotImplementedError(f"\"dirichlet\" not implemented for '{name}'")
    return _native._sample_dirichlet(concentration)
