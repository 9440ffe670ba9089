"""RMSprop."""

import flambeau

from ._elementwise import ElementwiseOptimizer, check_lr, check_nonnegative, kernel, number, real_views

__all__ = ["RMSprop"]


class RMSprop(ElementwiseOptimizer):
    """RMSprop (Hinton, lecture 6 of "Neural Networks for Machine Learning", 2012), plain or centered.

    The centered form, which divides by an estimate of the gradient's deviation, is from Graves, "Generating
    Sequences With Recurrent Neural Networks", 2013. eps is added after the root is taken.

    Args:
        params: tensors, (name, tensor) pairs or parameter groups.
        lr: learning rate, a number or a tensor of one element.
        alpha: decay rate of the running mean square of the gradient.
        eps: added to the denominator.
        weight_decay: L2 penalty.
        momentum: factor of the velocity that collects the scaled gradients.
        centered: subtract the squared mean gradient under the root.
        maximize: ascend instead of descend.
        foreach, capturable, differentiable: as in :class:`~flambeau.optim.Adam`.
    """

    _late_options = {"momentum": 0, "centered": False, **ElementwiseOptimizer._late_options}

    def __init__(
        self,
        params,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0,
        momentum=0,
        centered=False,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        check_lr(lr)
        check_nonnegative(eps, "epsilon")
        check_nonnegative(momentum, "momentum")
        check_nonnegative(weight_decay, "weight_decay")
        check_nonnegative(alpha, "alpha")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _init_state(self, param, grad, group, state):
        zeros = flambeau.zeros_like
        state["step"] = self._scalar(0.0, param, group)
        state["square_avg"] = zeros(param, memory_format=flambeau.preserve_format)
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros(param, memory_format=flambeau.preserve_format)
        if group["centered"]:
            state["grad_avg"] = zeros(param, memory_format=flambeau.preserve_format)

    def _update_fused(self, group, params, grads, states):
        step = kernel("rmsprop_")
        if step is None or not isinstance(group["lr"], (float, int)):
            return False
        done = step(
            params,
            grads,
            [state["square_avg"] for state in states],
            [state["momentum_buffer"] for state in states] if group["momentum"] > 0 else [],
            [state["grad_avg"] for state in states] if group["centered"] else [],
            group["lr"],
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            group["momentum"],
            group["centered"],
            group["maximize"],
        )
        return done is not False

    def _update_param(self, group, param, grad, state):
        lr, alpha, eps, momentum = number(group["lr"]), group["alpha"], group["eps"], group["momentum"]
        square = state["square_avg"]
        state["step"].add_(1)
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        is_complex = param.is_complex()
        if is_complex:
            param, grad, square = real_views(param, grad, square)

        square.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if group["centered"]:
            mean = state["grad_avg"]
            mean = flambeau.view_as_real(mean) if is_complex else mean
            mean.lerp_(grad, 1 - alpha)
            root = square.addcmul(mean, mean, value=-1).sqrt_()
        else:
            root = square.sqrt()
        root = root.add(eps) if group["differentiable"] else root.add_(eps)

        if momentum > 0:
            velocity = state["momentum_buffer"]
            velocity = flambeau.view_as_real(velocity) if is_complex else velocity
            velocity.mul_(momentum).addcdiv_(grad, root)
            if isinstance(lr, flambeau.Tensor):
                param.sub_(velocity * lr)
            else:
                param.add_(velocity, alpha=-lr)
        elif isinstance(lr, flambeau.Tensor):
            param.sub_(grad / root * lr)
        else:
            param.addcdiv_(grad, root, value=-lr)
