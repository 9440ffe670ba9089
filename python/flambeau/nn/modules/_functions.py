"""Custom autograd functions that modules need."""

from flambeau import autograd


class BackwardHookFunction(autograd.Function):
    """Identity whose backward hands the gradients to a callable and passes on what it returns."""

    @staticmethod
    def forward(ctx, on_grads, materialize, *tensors):
        """Return `tensors` unchanged; those that need no gradient stay outside the graph."""
        ctx.on_grads = on_grads
        ctx.set_materialize_grads(materialize)
        ctx.mark_non_differentiable(*[t for t in tensors if not t.requires_grad])
        return tensors

    @staticmethod
    def backward(ctx, *grads):
        """Hand the gradients to the callable."""
        return (None, None, *ctx.on_grads(grads))
