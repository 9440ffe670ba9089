"""Adam."""

import flambeau

from ._elementwise import ElementwiseOptimizer, check_betas, check_fused_arguments, kernel, number, real_views

__all__ = ["Adam"]


class Adam(ElementwiseOptimizer):
    """Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015).

    Args:
        params: tensors, (name, tensor) pairs or parameter groups.
        lr: learning rate, a number or a tensor of one element.
        betas: decay rates of the running means of the gradient and of its square.
        eps: added to the denominator.
        weight_decay: L2 penalty; with ``decoupled_weight_decay`` the parameter itself decays, as in AdamW.
        amsgrad: divide by the largest mean square so far (Reddi et al., "On the Convergence of Adam and
            Beyond").
        maximize: ascend instead of descend.
        foreach, fused: accepted for compatibility; the engine fuses steps wherever it can.
        capturable: keep the step counts on the parameters' device (accelerators only).
        differentiable: let gradients flow through the step.
    """

    _late_options = {
        "amsgrad": False,
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }
    _sparse_message = "Adam does not support sparse gradients, please consider SparseAdam instead"

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        amsgrad=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
        fused=None,
        decoupled_weight_decay=False,
    ):
        is_tensor = [isinstance(value, flambeau.Tensor) for value in (lr, *betas)]
        if is_tensor[0]:
            if foreach and not capturable:
                raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
            if lr.numel() != 1:
                raise ValueError("Tensor lr must be 1-element")
        if not 0.0 <= lr:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not 0.0 <= eps:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        if not 0.0 <= weight_decay:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if not (is_tensor[1] and is_tensor[2] or all(isinstance(beta, float) for beta in betas[:2])):
            raise ValueError("betas must be either both floats or both Tensors")
        for index in (0, 1) if is_tensor[1] else ():
            if foreach and not capturable:
                raise ValueError(
                    f"betas[{index}] as a Tensor is not supported for capturable=False and foreach=True"
                )
            if betas[index].numel() != 1:
                raise ValueError(f"Tensor betas[{index}] must be 1-element")
        if is_tensor[1]:
            betas = tuple(beta.squeeze() if beta.dim() else beta for beta in betas[:2])
        else:
            betas = (betas[0], betas[1])
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        check_fused_arguments(fused, differentiable, foreach)

    def _init_state(self, param, grad, group, state):
        zeros = flambeau.zeros_like
        state["step"] = self._scalar(0.0, param, group)
        state["exp_avg"] = zeros(param, memory_format=flambeau.preserve_format)
        state["exp_avg_sq"] = zeros(param, memory_format=flambeau.preserve_format)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = zeros(param, memory_format=flambeau.preserve_format)

    def _update_fused(self, group, params, grads, states):
        step = kernel("adam_")
        lr, (beta1, beta2) = group["lr"], group["betas"]
        if step is None or not (isinstance(lr, (float, int)) and isinstance(beta1, float)):
            return False
        done = step(
            params,
            grads,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [state["max_exp_avg_sq"] for state in states] if group["amsgrad"] else [],
            [state["step"].item() + 1.0 for state in states],
            lr,
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
            group["amsgrad"],
            group["maximize"],
        )
        return done is not False

    def _update_param(self, group, param, grad, state):
        if group["differentiable"]:
            return self._update_differentiable(group, param, grad, state)
        if flambeau.is_tensor(group["lr"]) and group["foreach"] and not group["capturable"]:
            raise RuntimeError("lr as a Tensor is not supported for capturable=False and foreach=True")
        lr, weight_decay, eps = number(group["lr"]), group["weight_decay"], group["eps"]
        beta1, beta2 = map(number, group["betas"])
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        largest = state["max_exp_avg_sq"] if group["amsgrad"] else None

        step_count = state["step"].add_(1).item()
        if weight_decay != 0:
            if group["decoupled_weight_decay"]:
                param.mul_(1 - lr * weight_decay)
            else:
                grad = grad.add(param, alpha=weight_decay)
        if param.is_complex():
            param, grad, mean, square = real_views(param, grad, mean, square)
            largest = largest if largest is None else flambeau.view_as_real(largest)

        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        if largest is not None:
            flambeau.maximum(largest, square, out=largest)
            square = largest
        root_correction = (1 - beta2**step_count) ** 0.5
        denominator = (square.sqrt() / root_correction).add_(eps)
        param.addcdiv_(mean, denominator, value=-(lr / (1 - beta1**step_count)))

    def _update_differentiable(self, group, param, grad, state):
        """The same update in operations that autograd can follow, also into lr, betas and weight_decay."""
        if state["step"].requires_grad:
            raise RuntimeError("`requires_grad` is not supported for `step` in differentiable mode")
        lr, weight_decay, eps = group["lr"], group["weight_decay"], group["eps"]
        beta1, beta2 = group["betas"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]

        step_count = state["step"].add_(1).clone()
        if flambeau.is_tensor(weight_decay) or weight_decay != 0:
            if group["decoupled_weight_decay"]:
                param.mul_(1 - lr * weight_decay)
            else:
                grad = grad + param.clone() * weight_decay
        if param.is_complex():
            param, grad, mean, square = real_views(param, grad, mean, square)

        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).add_(grad * grad * (1 - beta2))
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"]
            largest = flambeau.view_as_real(largest) if largest.is_complex() else largest
            largest.copy_(flambeau.maximum(largest.clone(), square))
            square = largest
        step_size = lr / (1 - beta1**step_count)
        denominator = square.clone().sqrt() / (1 - beta2**step_count).sqrt() + eps
        param.add_(-step_size * (mean.clone() / denominator))
