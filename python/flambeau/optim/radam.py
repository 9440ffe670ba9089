"""RAdam."""

import flambeau

from ._elementwise import ElementwiseOptimizer, check_betas, check_lr, check_nonnegative, number, real_views

__all__ = ["RAdam"]


class RAdam(ElementwiseOptimizer):
    """RAdam (Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020).

    While too few gradients were seen for their variance to be trusted, the step is plain momentum. eps is
    added after the root is taken.

    Args:
        params: tensors, (name, tensor) pairs or parameter groups.
        lr: learning rate, a number or a tensor of one element.
        betas: decay rates of the running means of the gradient and of its square.
        eps: added to the denominator.
        weight_decay: L2 penalty; with ``decoupled_weight_decay`` the parameter itself decays, as in AdamW.
        maximize: ascend instead of descend.
        foreach, capturable, differentiable: as in :class:`~flambeau.optim.Adam`.
    """

    _late_options = {**ElementwiseOptimizer._late_options, "decoupled_weight_decay": False}

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        decoupled_weight_decay=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _init_state(self, param, grad, group, state):
        state["step"] = self._scalar(0.0, param, group)
        state["exp_avg"] = flambeau.zeros_like(param, memory_format=flambeau.preserve_format)
        state["exp_avg_sq"] = flambeau.zeros_like(param, memory_format=flambeau.preserve_format)

    def _update_param(self, group, param, grad, state):
        lr, weight_decay, (beta1, beta2) = number(group["lr"]), group["weight_decay"], group["betas"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        if param.is_complex():
            param, grad, mean, square = real_views(param, grad, mean, square)
        t = state["step"].add_(1).item()
        if weight_decay != 0:
            if group["decoupled_weight_decay"]:
                param.mul_(1 - lr * weight_decay)
            else:
                grad = grad.add(param, alpha=weight_decay)
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)

        correction2 = 1 - beta2**t
        # The length of the simple moving average that the exponential one stands for, in the limit and at
        # step t.
        rho_inf = 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * t * (beta2**t) / correction2
        update = mean / (1 - beta1**t) * lr
        if rho > 5.0:
            root = square.sqrt()
            root = root.add(group["eps"]) if group["differentiable"] else root.add_(group["eps"])
            rectifier = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
            update = update * (correction2**0.5 / root) * rectifier
        param.sub_(update)
