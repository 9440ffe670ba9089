"""Resilient backpropagation."""

import flambeau

from ._elementwise import ElementwiseOptimizer, check_lr, real_views

__all__ = ["Rprop"]


class Rprop(ElementwiseOptimizer):
    """Rprop (Riedmiller and Braun, "A Direct Adaptive Method for Faster Backpropagation Learning", 1993).

    Args:
        params: tensors, (name, tensor) pairs or parameter groups.
        lr: first step size of every element.
        etas: factors for an element whose gradient changed sign, and for one whose gradient kept it.
        step_sizes: smallest and largest step size.
        maximize: ascend instead of descend.
        capturable, foreach, differentiable: as in :class:`~flambeau.optim.Adam`.
    """

    def __init__(
        self,
        params,
        lr=1e-2,
        etas=(0.5, 1.2),
        step_sizes=(1e-6, 50),
        *,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _init_state(self, param, grad, group, state):
        lr = float(group["lr"])
        state["step"] = self._scalar(0.0, param, group)
        state["prev"] = flambeau.zeros_like(param, memory_format=flambeau.preserve_format)
        state["step_size"] = flambeau.full_like(grad, complex(lr, lr) if param.is_complex() else lr)

    def _update_param(self, group, param, grad, state):
        (shrink, grow), (smallest, largest) = group["etas"], group["step_sizes"]
        previous, step_size = state["prev"], state["step_size"]
        state["step"].add_(1)
        if param.is_complex():
            param, grad, previous, step_size = real_views(param, grad, previous, step_size)
        before = previous.clone() if group["differentiable"] else previous
        agreement = grad.mul(before).sign()
        factor = flambeau.where(agreement > 0, grow, flambeau.where(agreement < 0, shrink, 1.0))
        step_size.mul_(factor.to(step_size.dtype)).clamp_(smallest, largest)
        # After a change of sign the element stays where it is, and the next comparison starts anew.
        grad = grad.masked_fill(agreement < 0, 0)
        param.addcmul_(grad.sign(), step_size, value=-1)
        previous.copy_(grad)
