"""NAdam."""

import flambeau

from ._elementwise import (
    CAPTURABLE_DEVICES,
    ElementwiseOptimizer,
    check_betas,
    check_lr,
    check_nonnegative,
    number,
    real_views,
)

__all__ = ["NAdam"]


class NAdam(ElementwiseOptimizer):
    """NAdam (Dozat, "Incorporating Nesterov Momentum into Adam", 2016).

    Args:
        params: tensors, (name, tensor) pairs or parameter groups.
        lr: learning rate, a number or a tensor of one element.
        betas: decay rates of the running means of the gradient and of its square.
        eps: added to the denominator.
        weight_decay: L2 penalty; with ``decoupled_weight_decay`` the parameter itself decays, as in AdamW.
        momentum_decay: rate at which the momentum approaches ``betas[0]``.
        maximize: ascend instead of descend.
        foreach, capturable, differentiable: as in :class:`~flambeau.optim.Adam`.
    """

    _late_options = {**ElementwiseOptimizer._late_options, "decoupled_weight_decay": False}
    _scalar_state = ("step", "mu_product")

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        momentum_decay=4e-3,
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
        check_nonnegative(momentum_decay, "momentum_decay")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _capturable_message(self):
        return (
            "If capturable=True, params, mu_products and state_steps must be on supported devices: "
            f"{CAPTURABLE_DEVICES}."
        )

    def _init_state(self, param, grad, group, state):
        state["step"] = self._scalar(0.0, param, group)
        state["mu_product"] = self._scalar(1.0, param, group)
        state["exp_avg"] = flambeau.zeros_like(param, memory_format=flambeau.preserve_format)
        state["exp_avg_sq"] = flambeau.zeros_like(param, memory_format=flambeau.preserve_format)

    def _update_param(self, group, param, grad, state):
        lr, weight_decay, (beta1, beta2) = number(group["lr"]), group["weight_decay"], group["betas"]
        mean, square, mu_product = state["exp_avg"], state["exp_avg_sq"], state["mu_product"]
        if param.is_complex():
            param, grad, mean, square = real_views(param, grad, mean, square)
        step_count = state["step"].add_(1).item()
        if weight_decay != 0:
            if group["decoupled_weight_decay"]:
                param.mul_(1 - lr * weight_decay)
            else:
                grad = grad.add(param, alpha=weight_decay)

        decay = group["momentum_decay"]
        mu = beta1 * (1.0 - 0.5 * (0.96 ** (step_count * decay)))
        mu_next = beta1 * (1.0 - 0.5 * (0.96 ** ((step_count + 1) * decay)))
        product = mu_product.mul_(mu).item()

        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        root = square.div(1 - beta2**step_count).sqrt()
        grad_factor = -lr * (1.0 - mu) / (1.0 - product)
        mean_factor = -lr * mu_next / (1.0 - product * mu_next)
        if group["differentiable"]:
            root = root.add(group["eps"])
            param.addcdiv_(grad * grad_factor, root)
            param.addcdiv_(mean * mean_factor, root)
        else:
            root.add_(group["eps"])
            param.addcdiv_(grad, root, value=grad_factor)
            param.addcdiv_(mean, root, value=mean_factor)
