"""Adagrad."""

import flambeau

from ._elementwise import (
    ElementwiseOptimizer,
    check_fused_arguments,
    check_lr,
    check_nonnegative,
    number,
    real_views,
)

__all__ = ["Adagrad"]


class Adagrad(ElementwiseOptimizer):
    """Adagrad: steps that shrink with the sum of squared gradients, element by element.

    Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
    JMLR 2011.

    Args:
        params: tensors, (name, tensor) pairs or parameter groups.
        lr: learning rate, a number or a tensor of one element.
        lr_decay: the learning rate at step t is ``lr / (1 + (t - 1) * lr_decay)``.
        weight_decay: L2 penalty.
        initial_accumulator_value: start of the sums of squares.
        eps: added to the denominator.
        maximize: ascend instead of descend.
        foreach, differentiable, fused: as in :class:`~flambeau.optim.Adam`.
    """

    _late_options = {"foreach": None, "maximize": False, "differentiable": False, "fused": None}

    def __init__(
        self,
        params,
        lr=1e-2,
        lr_decay=0,
        weight_decay=0,
        initial_accumulator_value=0,
        eps=1e-10,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        fused=None,
    ):
        check_lr(lr)
        check_nonnegative(lr_decay, "lr_decay")
        check_nonnegative(weight_decay, "weight_decay")
        check_nonnegative(initial_accumulator_value, "initial_accumulator_value")
        check_nonnegative(eps, "epsilon")
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused_arguments(fused, differentiable, foreach)
        # The sums exist before the first step, so that processes can share them.
        with flambeau.no_grad():
            for group in self.param_groups:
                for param in group["params"]:
                    self._init_state(param, None, group, self.state[param])

    def share_memory(self):
        """Moves the sums of squares to shared memory."""
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["sum"].share_memory_()

    def _check_dense(self, grad):
        """Sparse gradients are allowed."""

    def _init_state(self, param, grad, group, state):
        start = self.defaults["initial_accumulator_value"]
        state["step"] = self._scalar(0.0, param, group)
        state["sum"] = flambeau.full_like(
            param,
            complex(start, start) if param.is_complex() else start,
            memory_format=flambeau.preserve_format,
        )

    def _update_param(self, group, param, grad, state):
        total, eps = state["sum"], group["eps"]
        step_count = state["step"].add_(1).item()
        if group["weight_decay"] != 0:
            if grad.is_sparse:
                raise RuntimeError("weight_decay option is not compatible with sparse gradients")
            grad = grad.add(param, alpha=group["weight_decay"])
        lr = number(group["lr"]) / (1 + (step_count - 1) * group["lr_decay"])

        if grad.is_sparse:
            grad = grad.coalesce()
            indices, values = grad._indices(), grad._values()

            def like_grad(new_values):
                return flambeau.sparse_coo_tensor(indices, new_values, grad.shape)

            total.add_(like_grad(values.pow(2)))
            root = total.sparse_mask(grad)._values().sqrt_().add_(eps)
            param.add_(like_grad(values / root), alpha=-lr)
            return
        if param.is_complex():
            param, grad, total = real_views(param, grad, total)
        total.addcmul_(grad, grad, value=1)
        root = total.sqrt() + eps if group["differentiable"] else total.sqrt().add_(eps)
        if isinstance(lr, flambeau.Tensor):
            param.sub_(grad / root * lr)
        else:
            param.addcdiv_(grad, root, value=-lr)
