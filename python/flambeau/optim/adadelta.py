"""Adadelta."""

import flambeau

from ._elementwise import ElementwiseOptimizer, check_lr, check_nonnegative, kernel, number, real_views

__all__ = ["Adadelta"]


class Adadelta(ElementwiseOptimizer):
    """Adadelta (Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012).

    Args:
        params: tensors, (name, tensor) pairs or parameter groups.
        lr: factor on the update, 1.0 in the paper.
        rho: decay rate of the running mean squares of gradients and of updates.
        eps: added under the roots.
        weight_decay: L2 penalty.
        maximize: ascend instead of descend.
        foreach, capturable, differentiable: as in :class:`~flambeau.optim.Adam`.
    """

    def __init__(
        self,
        params,
        lr=1.0,
        rho=0.9,
        eps=1e-6,
        weight_decay=0,
        foreach=None,
        *,
        capturable=False,
        maximize=False,
        differentiable=False,
    ):
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_nonnegative(eps, "epsilon")
        check_nonnegative(weight_decay, "weight_decay")
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _init_state(self, param, grad, group, state):
        state["step"] = self._scalar(0.0, param, group)
        state["square_avg"] = flambeau.zeros_like(param, memory_format=flambeau.preserve_format)
        state["acc_delta"] = flambeau.zeros_like(param, memory_format=flambeau.preserve_format)

    def _update_fused(self, group, params, grads, states):
        step = kernel("adadelta_")
        if step is None or not isinstance(group["lr"], (float, int)):
            return False
        done = step(
            params,
            grads,
            [state["square_avg"] for state in states],
            [state["acc_delta"] for state in states],
            group["lr"],
            group["rho"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
        return done is not False

    def _update_param(self, group, param, grad, state):
        lr, rho, eps, weight_decay = number(group["lr"]), group["rho"], group["eps"], group["weight_decay"]
        square, moved = state["square_avg"], state["acc_delta"]
        state["step"].add_(1)
        if weight_decay != 0:
            grad = grad.add(param, alpha=weight_decay)
        is_complex = param.is_complex()
        if is_complex:
            grad, square, moved = real_views(grad, square, moved)
        square.mul_(rho).addcmul_(grad, grad, value=1 - rho)
        spread = square.add(eps).sqrt_()
        delta = moved.add(eps).sqrt_()
        delta = delta / spread * grad if group["differentiable"] else delta.div_(spread).mul_(grad)
        moved.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        if is_complex:
            delta = flambeau.view_as_complex(delta)
        if isinstance(lr, flambeau.Tensor):
            param.sub_(delta * lr)
        else:
            param.add_(delta, alpha=-lr)
