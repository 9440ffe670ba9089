"""Adamax."""

import flambeau

from ._elementwise import ElementwiseOptimizer, check_betas, check_lr, check_nonnegative, number, real_views

__all__ = ["Adamax"]


class Adamax(ElementwiseOptimizer):
    """Adamax: Adam with the infinity norm.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, section 7.1.

    Args:
        params: tensors, (name, tensor) pairs or parameter groups.
        lr: learning rate, a number or a tensor of one element.
        betas: decay rates of the running mean of the gradient and of its running maximum.
        eps: added to the magnitude of the gradient.
        weight_decay: L2 penalty.
        maximize: ascend instead of descend.
        foreach, differentiable, capturable: as in :class:`~flambeau.optim.Adam`.
    """

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        check_lr(lr)
        check_nonnegative(eps, "epsilon")
        check_betas(betas)
        check_nonnegative(weight_decay, "weight_decay")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _init_state(self, param, grad, group, state):
        state["step"] = self._scalar(0.0, param, group)
        state["exp_avg"] = flambeau.zeros_like(param, memory_format=flambeau.preserve_format)
        state["exp_inf"] = flambeau.zeros_like(param, memory_format=flambeau.preserve_format)

    def _update_param(self, group, param, grad, state):
        lr, eps, (beta1, beta2) = number(group["lr"]), group["eps"], group["betas"]
        mean, largest = state["exp_avg"], state["exp_inf"]
        step_count = state["step"].add_(1).item()
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        if param.is_complex():
            param, grad, mean, largest = real_views(param, grad, mean, largest)
        mean.lerp_(grad, 1 - beta1)
        if group["differentiable"]:
            largest.copy_(flambeau.maximum(largest * beta2, grad.abs() + eps))
        else:
            flambeau.maximum(largest.mul_(beta2), grad.abs().add_(eps), out=largest)
        step_size = lr / (1 - beta1**step_count)
        if isinstance(step_size, flambeau.Tensor):
            param.sub_(mean / largest * step_size)
        else:
            param.addcdiv_(mean, largest, value=-step_size)
