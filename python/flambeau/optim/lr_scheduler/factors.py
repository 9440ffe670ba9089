"""Schedules given by the user's functions."""

from .base import LRScheduler, pack_callables

__all__ = ["LambdaLR", "MultiplicativeLR"]


class _FunctionScheduler(LRScheduler):
    """One function of the epoch for each group."""

    def _take_functions(self, optimizer, lr_lambda):
        self.optimizer = optimizer
        count = len(optimizer.param_groups)
        if not isinstance(lr_lambda, (list, tuple)):
            self.lr_lambdas = [lr_lambda] * count
            return
        if len(lr_lambda) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(lr_lambda)}")
        self.lr_lambdas = list(lr_lambda)

    def state_dict(self):
        """Returns all attributes but the optimizer; of callable objects their attributes, of functions
        nothing.
        """
        state = super().state_dict()
        del state["lr_lambdas"]
        state["lr_lambdas"] = pack_callables(self.lr_lambdas)
        return state

    def load_state_dict(self, state_dict):
        """Takes over a dict made by :meth:`state_dict`; functions stay those of this scheduler."""
        self.__dict__.update({key: value for key, value in state_dict.items() if key != "lr_lambdas"})
        for function, attributes in zip(self.lr_lambdas, state_dict["lr_lambdas"]):
            if attributes is not None:
                function.__dict__.update(attributes)


class LambdaLR(_FunctionScheduler):
    """The initial learning rate times a function of the epoch.

    Args:
        optimizer: the optimizer to schedule.
        lr_lambda: function of the epoch, or one for each group.
        last_epoch: see :class:`LRScheduler`.
    """

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        self._take_functions(optimizer, lr_lambda)
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        self._check_called_by_step()
        return [base * fn(self.last_epoch) for fn, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(_FunctionScheduler):
    """The learning rate before times a function of the epoch. Arguments as :class:`LambdaLR`."""

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        self._take_functions(optimizer, lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        self._check_called_by_step()
        if self._is_initial:
            return self._group_lrs()
        groups = self.optimizer.param_groups
        return [group["lr"] * fn(self.last_epoch) for fn, group in zip(self.lr_lambdas, groups, strict=True)]
