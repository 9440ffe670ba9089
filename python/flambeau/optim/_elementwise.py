"""What the elementwise optimizers share: one loop over groups, lazy state, checks of arguments.

A subclass says how a parameter's state starts (`_init_state`) and how one parameter moves (`_update_param`).
The engine may offer a fused kernel for a whole group in `flambeau._C._optim`; such a kernel returns False,
with nothing changed, when a tensor is not one it handles (not a dense float32/float64 tensor on the CPU), and
the tensor-by-tensor path takes over.
"""

import flambeau

from .optimizer import Optimizer

CAPTURABLE_DEVICES = ["cuda", "xpu", "hpu", "privateuseone", "xla"]
FUSED_DEVICES = ["mps", "cuda", "xpu", "hpu", "cpu", "mtia", "privateuseone"]

_kernels = {}


def kernel(name):
    """The engine's fused kernel of that name, or None."""
    try:
        return _kernels[name]
    except KeyError:
        namespace = getattr(getattr(flambeau, "_C", None), "_optim", None)
        found = _kernels[name] = getattr(namespace, name, None)
        return found


def check_lr(lr):
    if isinstance(lr, flambeau.Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_nonnegative(value, what):
    if not value >= 0.0:
        raise ValueError(f"Invalid {what} value: {value}")


def check_betas(betas):
    for index in (0, 1):
        if not 0.0 <= betas[index] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {betas[index]}")


def check_fused_arguments(fused, differentiable, foreach):
    if fused:
        if differentiable:
            raise RuntimeError("`fused` does not support `differentiable`")
        if foreach:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def check_fused_param(param):
    if not (param.device.type in FUSED_DEVICES and param.is_floating_point()):
        raise RuntimeError(
            "`fused=True` requires all the params to be floating point Tensors of "
            f"supported devices: {FUSED_DEVICES} but {param.dtype} and {param.device.type}"
        )


def step_dtype():
    return flambeau.float64 if flambeau.get_default_dtype() == flambeau.float64 else flambeau.float32


def number(value):
    """A hyperparameter as a Python number; a tensor that gradients flow through stays a 0-dim tensor."""
    if isinstance(value, flambeau.Tensor):
        return value.reshape(()) if value.requires_grad else value.item()
    return value


class ElementwiseOptimizer(Optimizer):
    """Base of the optimizers that treat each element of each parameter alike."""

    # Options that checkpoints written before they existed lack, with the values those had.
    _late_options = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}
    # State entries that old checkpoints hold as Python numbers.
    _scalar_state = ("step",)
    _sparse_message = "{} does not support sparse gradients"

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self._late_options.items():
                group.setdefault(name, value)
            for param in group["params"]:
                param_state = self.state.get(param)
                for name in self._scalar_state if param_state else ():
                    value = param_state.get(name, 0.0)
                    if not isinstance(value, flambeau.Tensor):
                        param_state[name] = self._scalar(float(value), param, group)

    def _scalar(self, value, param, group):
        """A 0-dim tensor of the state: on the CPU, unless the step runs on the parameter's device."""
        if group.get("fused"):
            return flambeau.full((), value, dtype=flambeau.float32, device=param.device)
        if group.get("capturable"):
            return flambeau.full((), value, dtype=step_dtype(), device=param.device)
        return flambeau.tensor(value, dtype=step_dtype())

    def _init_state(self, param, grad, group, state):
        raise NotImplementedError

    def _update_param(self, group, param, grad, state):
        raise NotImplementedError

    def _update_fused(self, group, params, grads, states):
        """Moves the whole group by the engine's kernel; False if it has none for these tensors.

        The caller counts the steps.
        """
        return False

    def _check_param(self, param, group, state):
        """Refuses what the update cannot do; called once a step for every parameter."""

    def step(self, closure=None):
        """Performs one optimization step and returns the loss of ``closure``, if given.

        Args:
            closure: computes the loss with gradients and returns it.
        """
        loss = None
        if closure is not None:
            with flambeau.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params, grads, states = [], [], []
            all_states = self.state
            for param in group["params"]:
                grad = param.grad
                if grad is None:
                    continue
                state = all_states[param]
                if not state:
                    self._check_dense(grad)
                    if group.get("fused"):
                        check_fused_param(param)
                    with flambeau.no_grad():
                        self._init_state(param, grad, group, state)
                params.append(param)
                grads.append(grad)
                states.append(state)
            if not params:
                continue
            plain = not (group["differentiable"] or group.get("capturable"))
            if plain and self._update_fused(group, params, grads, states):
                with flambeau.no_grad():
                    for state in states:
                        state["step"].add_(1)
                continue
            self._update_each(group, params, grads, states)
        return loss

    def _check_dense(self, grad):
        if grad.is_sparse:
            raise RuntimeError(self._sparse_message.format(type(self).__name__))

    def _update_each(self, group, params, grads, states):
        maximize = group["maximize"]
        with flambeau.set_grad_enabled(bool(group["differentiable"])):
            for param, grad, state in zip(params, grads, states):
                self._check_dense(grad)
                if group.get("capturable") and param.device.type not in CAPTURABLE_DEVICES:
                    raise AssertionError(self._capturable_message())
                if maximize:
                    grad = -grad
                self._update_param(group, param, grad, state)

    def _capturable_message(self):
        return (
            f"If capturable=True, params and state_steps must be on supported devices: {CAPTURABLE_DEVICES}."
        )


def real_views(*tensors):
    """Complex tensors as pairs of real numbers, which the elementwise updates treat independently."""
    view_as_real = flambeau.view_as_real
    return [view_as_real(tensor) for tensor in tensors]
