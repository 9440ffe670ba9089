"""Averaged stochastic gradient descent."""

import flambeau

from ._elementwise import (
    CAPTURABLE_DEVICES,
    ElementwiseOptimizer,
    check_lr,
    check_nonnegative,
    number,
    real_views,
    step_dtype,
)

__all__ = ["ASGD"]


class ASGD(ElementwiseOptimizer):
    """Averaged SGD (Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992).

    The average of the parameters is in ``state[p]["ax"]``.

    Args:
        params: tensors, (name, tensor) pairs or parameter groups.
        lr: learning rate, a number or a tensor of one element.
        lambd: decay term.
        alpha: power by which the step size falls.
        t0: step at which averaging starts.
        weight_decay: L2 penalty.
        maximize: ascend instead of descend.
        foreach, differentiable, capturable: as in :class:`~flambeau.optim.Adam`.
    """

    _scalar_state = ("step", "eta", "mu")

    def __init__(
        self,
        params,
        lr=1e-2,
        lambd=1e-4,
        alpha=0.75,
        t0=1e6,
        weight_decay=0,
        foreach=None,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        check_lr(lr)
        check_nonnegative(lambd, "lambd")
        check_nonnegative(alpha, "alpha")
        check_nonnegative(weight_decay, "weight_decay")
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _capturable_message(self):
        return (
            "If capturable=True, params, mus, etas, and state_steps must be on supported devices: "
            f"{CAPTURABLE_DEVICES}."
        )

    def _scalar(self, value, param, group):
        return flambeau.full((), value, dtype=step_dtype(), device=param.device)

    def _init_state(self, param, grad, group, state):
        state["step"] = self._scalar(0.0, param, group)
        state["eta"] = self._scalar(float(group["lr"]), param, group)
        state["mu"] = self._scalar(1.0, param, group)
        state["ax"] = flambeau.zeros_like(param, memory_format=flambeau.preserve_format)

    def _update_param(self, group, param, grad, state):
        lr, lambd = number(group["lr"]), group["lambd"]
        average, eta, mu = state["ax"], state["eta"], state["mu"]
        if param.is_complex():
            param, grad, average = real_views(param, grad, average)
        step_count = state["step"].add_(1).item()
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        step_size = eta.item()
        param.mul_(1 - lambd * step_size)
        param.add_(grad, alpha=-step_size)
        if mu.item() != 1:
            average.add_(param.sub(average).mul_(mu))
        else:
            average.copy_(param)
        eta.fill_(lr / ((1 + lambd * lr * step_count) ** group["alpha"]))
        mu.fill_(1 / max(1, step_count - group["t0"]))
