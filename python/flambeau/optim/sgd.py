"""Stochastic gradient descent."""

import flambeau

from ._elementwise import check_fused_arguments, check_fused_param, kernel, number
from .optimizer import Optimizer

__all__ = ["SGD", "sgd"]


class SGD(Optimizer):
    """Stochastic gradient descent, optionally with momentum.

    With momentum, ``b = momentum * b + (1 - dampening) * g`` (``b = g`` at the first step) and the parameter
    moves by ``-lr * b``, or by ``-lr * (g + momentum * b)`` with ``nesterov``; ``g`` includes ``weight_decay
    * p``. Momentum: Polyak 1964; Nesterov's form: Sutskever et al., "On the importance of initialization and
    momentum in deep learning", ICML 2013 (the velocity here is not scaled by the learning rate).

    Args:
        params: tensors, (name, tensor) pairs or parameter groups.
        lr: learning rate, a number or a tensor of one element.
        momentum, dampening, weight_decay, nesterov: as above.
        maximize: ascend instead of descend.
        foreach, fused: accepted for compatibility; the engine fuses steps wherever it can.
        differentiable: let gradients flow through the step.
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        momentum=0,
        dampening=0,
        weight_decay=0,
        nesterov=False,
        *,
        maximize=False,
        foreach=None,
        differentiable=False,
        fused=None,
    ):
        if isinstance(lr, flambeau.Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if lr < 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused_arguments(fused, differentiable, foreach)

    def __setstate__(self, state):
        super().__setstate__(state)
        late = {
            "nesterov": False,
            "maximize": False,
            "foreach": None,
            "differentiable": False,
            "fused": False,
        }
        for group in self.param_groups:
            for name, value in late.items():
                group.setdefault(name, value)

    # Written out rather than shared with the other optimizers: this is the shortest step, and its overhead
    # shows.
    def step(self, closure=None):
        """Performs one optimization step and returns the loss of ``closure``, if given.

        Args:
            closure: computes the loss with gradients and returns it.
        """
        loss = None
        if closure is not None:
            with flambeau.enable_grad():
                loss = closure()
        fused_step = kernel("sgd_")
        for group in self.param_groups:
            params, grads = [], []
            for param in group["params"]:
                grad = param.grad
                if grad is not None:
                    params.append(param)
                    grads.append(grad)
            if not params:
                continue
            if group["fused"]:
                for param in params:
                    check_fused_param(param)
            lr, weight_decay = group["lr"], group["weight_decay"]
            if (
                fused_step is not None
                and isinstance(lr, (float, int))
                and not group["differentiable"]
                and not isinstance(weight_decay, flambeau.Tensor)
                and self._fused(fused_step, group, params, grads, lr, weight_decay)
            ):
                continue
            with flambeau.set_grad_enabled(bool(group["differentiable"])):
                buffers = [self.state[p].get("momentum_buffer") for p in params] if group["momentum"] else []
                sgd(
                    params,
                    grads,
                    buffers,
                    weight_decay=weight_decay,
                    momentum=group["momentum"],
                    lr=lr,
                    dampening=group["dampening"],
                    nesterov=group["nesterov"],
                    maximize=group["maximize"],
                )
                for param, buffer in zip(params, buffers):
                    self.state[param]["momentum_buffer"] = buffer
        return loss

    def _fused(self, fused_step, group, params, grads, lr, weight_decay):
        momentum = group["momentum"]
        rest = lr, momentum, group["dampening"], weight_decay, group["nesterov"], group["maximize"]
        if momentum == 0:
            return fused_step(params, grads, None, *rest, False) is not False
        states, buffers, missing = self.state, [], 0
        for param in params:
            buffer = states[param].get("momentum_buffer")
            if buffer is None:
                missing += 1
            buffers.append(buffer)
        if not missing:
            return fused_step(params, grads, buffers, *rest, False) is not False
        if missing < len(params):
            return False  # some parameters got their first gradient only now
        buffers = [flambeau.empty_like(param, requires_grad=False) for param in params]
        if fused_step(params, grads, buffers, *rest, True) is False:
            return False
        for param, buffer in zip(params, buffers):
            states[param]["momentum_buffer"] = buffer
        return True


def sgd(
    params,
    d_p_list,
    momentum_buffer_list,
    has_sparse_grad=False,
    foreach=None,
    fused=None,
    grad_scale=None,
    found_inf=None,
    *,
    weight_decay,
    momentum,
    lr,
    dampening,
    nesterov,
    maximize,
):
    """One step of SGD on lists of tensors; fills the Nones of ``momentum_buffer_list``. See :class:`SGD`."""
    lr, weight_decay = number(lr), number(weight_decay)
    for i, param in enumerate(params):
        grad = -d_p_list[i] if maximize else d_p_list[i]
        if isinstance(weight_decay, flambeau.Tensor):
            grad = grad.addcmul(param.clone(), weight_decay)
        elif weight_decay != 0:
            grad = grad.add(param, alpha=weight_decay)
        if momentum != 0:
            buffer = momentum_buffer_list[i]
            if buffer is None:
                buffer = momentum_buffer_list[i] = grad.detach().clone()
            else:
                buffer.mul_(momentum).add_(grad, alpha=1 - dampening)
            grad = grad.add(buffer, alpha=momentum) if nesterov else buffer
        if isinstance(lr, flambeau.Tensor):
            param.addcmul_(grad, lr, value=-1)
        else:
            param.add_(grad, alpha=-lr)
