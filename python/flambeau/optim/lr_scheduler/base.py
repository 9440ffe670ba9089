"""What all schedulers share."""

import flambeau

from ..optimizer import Optimizer

__all__ = ["LRScheduler"]

_ORDER_HELP = "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
EPOCH_DEPRECATION_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. "
    "Please use `scheduler.step()` to step the scheduler. During the deprecation, if epoch is different "
    "from None, the closed form is used instead of the new chainable form, where available. Please open "
    "an issue if you are unable to replicate your use case: "
    "https://github.com/pytorch/pytorch/issues/new/choose."
)


def warn(message):
    import warnings

    warnings.warn(message, UserWarning, stacklevel=3)


def own(value):
    """A tensor's copy, so that filling the group's learning rate in place does not change what was
    remembered.
    """
    return value.clone() if isinstance(value, flambeau.Tensor) else value


def group_values(optimizer, key):
    return [own(group[key]) for group in optimizer.param_groups]


def set_group_value(group, key, value):
    """Sets ``group[key]``; a tensor there keeps its identity."""
    if isinstance(group[key], flambeau.Tensor):
        group[key].fill_(float(value) if isinstance(value, flambeau.Tensor) else value)
    else:
        group[key] = value


def per_group(name, optimizer, value):
    """``value``, or each of its items if it is a list, for each group."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [own(value) for _ in range(count)]
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(value)} values, param_groups has {count}."
        )
    return [own(item) for item in value]


def check_optimizer(optimizer):
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def pack_callables(functions):
    """What a state dict keeps of user functions: the attributes of callable objects, nothing of plain
    functions.
    """
    from types import FunctionType

    return [None if isinstance(fn, FunctionType) else fn.__dict__.copy() for fn in functions]


class LRScheduler:
    """Base class: sets ``lr`` of each group to what :meth:`get_lr` returns, at each :meth:`step`.

    Args:
        optimizer: the optimizer whose groups are scheduled. Each gets an ``initial_lr``.
        last_epoch: index of the last epoch when a run is resumed; -1 starts anew.
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer, last_epoch=-1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", own(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{index}] when resuming scheduler "
                    "with last_epoch >= 0.\nThis typically happens when:\n1. You're trying to resume "
                    "training from a checkpoint but haven't properly loaded the optimizer state\n2. "
                    "You're using last_epoch >= 0 for a fresh training run (not recommended)"
                )
        self.base_lrs = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _note_steps(optimizer)
        self._initial_step()

    def _initial_step(self):
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self):
        """Returns all attributes but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict):
        """Takes over the attributes of a dict made by :meth:`state_dict`."""
        self.__dict__.update(state_dict)

    def get_last_lr(self):
        """The learning rates that the last step set, one a group."""
        return self._last_lr

    def get_lr(self):
        """Computes the learning rates of ``last_epoch``, usually from those of the step before."""
        raise NotImplementedError

    def _check_called_by_step(self):
        if not self._get_lr_called_within_step:
            warn("To get the last learning rate computed by the scheduler, please use `get_last_lr()`.")

    def step(self, epoch=None):
        """Goes to the next epoch (or, deprecated, to ``epoch``) and sets the learning rates."""
        if self._step_count == 1:
            optimizer = self.optimizer
            if not hasattr(optimizer.step, "_wrapped_by_lr_sched"):
                warn(
                    "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
                    "initialization. Please, make sure to call `optimizer.step()` before "
                    "`lr_scheduler.step()`. " + _ORDER_HELP
                )
            elif not getattr(optimizer, "_opt_called", False):
                warn(
                    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 "
                    "and later, you should call them in the opposite order: `optimizer.step()` before "
                    "`lr_scheduler.step()`.  Failure to do this will result in PyTorch skipping the first "
                    "value of the learning rate "
                    "schedule. " + _ORDER_HELP
                )
        self._step_count += 1
        if epoch is not None:
            warn(EPOCH_DEPRECATION_WARNING)
        self._update_lr(epoch)

    def _update_lr(self, epoch=None):
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                values = self.get_lr()
            else:
                self.last_epoch = epoch
                closed_form = getattr(self, "_get_closed_form_lr", None)
                values = self.get_lr() if closed_form is None else closed_form()
        finally:
            self._get_lr_called_within_step = False
        self._set_lrs(values)

    def _set_lrs(self, values):
        for group, lr in zip(self.optimizer.param_groups, values, strict=True):
            set_group_value(group, "lr", lr)
        self._last_lr = group_values(self.optimizer, "lr")

    def _group_lrs(self):
        return group_values(self.optimizer, "lr")

    def _scaled(self, factor):
        return [group["lr"] * factor for group in self.optimizer.param_groups]


# The name it had before it became public; isinstance checks in older code use it.
class _LRScheduler(LRScheduler):
    pass


def _note_steps(optimizer):
    """Lets the optimizer record that ``step`` was called, for the warning about the order of calls."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    from functools import wraps
    from weakref import ref

    # No strong reference from the optimizer to itself: it would live until the next garbage collection.
    reference = ref(optimizer)
    replaced = optimizer.__dict__.get("step")

    @wraps(type(optimizer).step if replaced is None else replaced)
    def step(*args, **kwargs):
        self = reference()
        self._opt_called = True
        if replaced is not None:
            return replaced(*args, **kwargs)
        return type(self).step(self, *args, **kwargs)

    step._wrapped_by_lr_sched = True
    optimizer.step = step
