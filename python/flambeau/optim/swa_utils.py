"""Averages of a model's weights over training: equal (SWA) and exponential (EMA)."""

import math
from copy import deepcopy
from itertools import chain

import flambeau

from ..nn import Module
from .lr_scheduler.base import LRScheduler, per_group

__all__ = [
    "AveragedModel",
    "SWALR",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def _check_decay(decay):
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_avg_fn(decay=0.999):
    """A function (average, current, count) -> average that decays old values exponentially."""
    _check_decay(decay)

    def ema_update(ema_param, current_param, num_averaged):
        with flambeau.no_grad():
            return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn():
    """A function (average, current, count) -> average that weighs all values equally."""

    def swa_update(averaged_param, current_param, num_averaged):
        with flambeau.no_grad():
            return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def get_ema_multi_avg_fn(decay=0.999):
    """As :func:`get_ema_avg_fn`, for lists of tensors, in place."""
    _check_decay(decay)

    def ema_update(ema_param_list, current_param_list, num_averaged):
        with flambeau.no_grad():
            for average, current in zip(ema_param_list, current_param_list, strict=True):
                if average.is_floating_point() or average.is_complex():
                    average.lerp_(current, 1 - decay)
                else:
                    average.copy_(average * decay + current * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn():
    """As :func:`get_swa_avg_fn`, for lists of tensors, in place."""

    def swa_update(averaged_param_list, current_param_list, num_averaged):
        share = 1 / (float(num_averaged) + 1)
        with flambeau.no_grad():
            for average, current in zip(averaged_param_list, current_param_list, strict=True):
                if average.is_floating_point() or average.is_complex():
                    average.lerp_(current, share)
                else:
                    average.copy_(average + (current - average) * share)

    return swa_update


class AveragedModel(Module):
    """Holds the average of a model's parameters.

    Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018.

    Args:
        model: the model that is trained; a copy of it holds the average.
        device: where the average is kept.
        avg_fn: function (average, current, count) of a parameter; the equal average unless given.
        multi_avg_fn: the same for lists of parameters, in place.
        use_buffers: average buffers too, instead of copying the latest.
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", flambeau.tensor(0, dtype=flambeau.long, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        """Runs the averaged model."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model):
        """Takes the model's present parameters into the average."""

        def tensors(module):
            return chain(module.parameters(), module.buffers()) if self.use_buffers else module.parameters()

        averages = [tensor.detach() for tensor in tensors(self.module)]
        currents = [tensor.detach() for tensor in tensors(model)]
        currents = [current.to(average.device) for average, current in zip(averages, currents)]
        if self.n_averaged == 0:
            for average, current in zip(averages, currents):
                average.copy_(current)
        elif self.avg_fn is not None:
            for average, current in zip(averages, currents):
                average.copy_(self.avg_fn(average, current, self.n_averaged.to(average.device)))
        elif averages:
            update = self.multi_avg_fn or get_swa_multi_avg_fn()
            kinds = {(tensor.device, tensor.dtype): ([], []) for tensor in averages}
            for average, current in zip(averages, currents):
                group = kinds[average.device, average.dtype]
                group[0].append(average)
                group[1].append(current)
            for (device, _), (ours, theirs) in kinds.items():
                update(ours, theirs, self.n_averaged.to(device))
        if not self.use_buffers:
            for ours, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                ours.detach().copy_(theirs.detach().to(ours.device))
        self.n_averaged += 1


def update_bn(loader, model, device=None):
    """Computes the running statistics of batch norm anew by one pass over ``loader``.

    Args:
        loader: gives inputs, or lists whose first item is the input.
        model: the model, such as an :class:`AveragedModel`.
        device: where inputs are moved first.
    """
    base = flambeau.nn.modules.batchnorm._BatchNorm
    momenta = {module: module.momentum for module in model.modules() if isinstance(module, base)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None  # the plain mean over all batches
    with flambeau.no_grad():
        for batch in loader:
            batch = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(batch if device is None else batch.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Goes from the present learning rate to ``swa_lr`` and stays there.

    Args:
        optimizer: the optimizer to schedule.
        swa_lr: last learning rate, or one for each group.
        anneal_epochs: epochs until it is reached.
        anneal_strategy: "cos" or "linear".
        last_epoch: see :class:`~flambeau.optim.lr_scheduler.LRScheduler`.
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        for value, group in zip(per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups):
            group["swa_lr"] = value
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step):
        """How far the way to the last learning rate is gone, from 0 to 1."""
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self):
        """Computes the learning rates from those of the step before."""
        self._check_called_by_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        lrs = []
        for group in self.optimizer.param_groups:
            last = group["swa_lr"]
            start = last if before == 1 else (group["lr"] - before * last) / (1 - before)
            lrs.append(last * now + start * (1 - now))
        return lrs
