"""The base class of all optimizers: parameter groups, state dicts and hooks."""

from collections import OrderedDict, defaultdict
from itertools import chain

import flambeau

from ..utils.hooks import RemovableHandle

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]


class _Required:
    """Stands for a group option that has no default."""

    def __repr__(self):
        return "<required parameter>"


required = _Required()

_global_optimizer_pre_hooks = OrderedDict()
_global_optimizer_post_hooks = OrderedDict()


def register_optimizer_step_pre_hook(hook):
    """Registers ``hook(optimizer, args, kwargs) -> None | (args, kwargs)`` before ``step`` of every
    optimizer.
    """
    return _register_global(_global_optimizer_pre_hooks, hook)


def register_optimizer_step_post_hook(hook):
    """Registers ``hook(optimizer, args, kwargs) -> None`` after ``step`` of every optimizer."""
    return _register_global(_global_optimizer_post_hooks, hook)


def _register_global(hooks, hook):
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    pending = [Optimizer]
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        _make_hookable(cls)
    return handle


def _make_hookable(cls):
    """Wraps ``cls.step`` so that it runs hooks.

    Done when the first hook arrives, so that a step without hooks is a plain method call.
    """
    step = cls.step
    if not getattr(step, "hooked", False):
        cls.step = Optimizer.profile_hook_step(step)
        cls.step.hooked = True


def _type_name(value):
    return flambeau.typename(value) if isinstance(value, flambeau.Tensor) else type(value).__name__


class Optimizer:
    """Base class for all optimizers.

    Args:
        params: an iterable of tensors, of ``(name, tensor)`` pairs, or of dicts that each describe a
            parameter group by ``params`` and options of their own. The order must be the same from run to
            run.
        defaults: the options of groups that do not give them.

    Raises:
        TypeError: for parameters that are not an iterable of tensors or dicts.
        ValueError: for an empty list, a parameter given twice, or one that is not a leaf of the graph.
    """

    def __init__(self, params, defaults):
        self.defaults = defaults
        self._create_hook_tables()
        if _global_optimizer_pre_hooks or _global_optimizer_post_hooks:
            _make_hookable(type(self))

        if isinstance(params, flambeau.Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                "but got " + _type_name(params)
            )
        if isinstance(params, set):
            import warnings

            warnings.warn(
                "optimizer parameters need to be organized in ordered collections, but the ordering of "
                "tensors in sets will change between runs. Please use a list instead. This will be an "
                "error in a future release.",
                FutureWarning,
                stacklevel=2,
            )

        self.state = defaultdict(dict)
        self.param_groups = []

        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # Pickling and printing.

    def _create_hook_tables(self):
        for name in (
            "_optimizer_step_pre_hooks",
            "_optimizer_step_post_hooks",
            "_optimizer_state_dict_pre_hooks",
            "_optimizer_state_dict_post_hooks",
            "_optimizer_load_state_dict_pre_hooks",
            "_optimizer_load_state_dict_post_hooks",
        ):
            self.__dict__.setdefault(name, OrderedDict())

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._create_hook_tables()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self):
        lines = [type(self).__name__ + " ("]
        for index, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {index}")
            lines.extend(f"    {key}: {group[key]}" for key in sorted(group) if key != "params")
        return "\n".join(lines) + "\n)"

    # Hooks.

    @staticmethod
    def profile_hook_step(func):
        """Returns ``func`` (a ``step`` method) with the optimizer's and the global step hooks around it."""
        from functools import wraps

        @wraps(func)
        def step(*args, **kwargs):
            self = args[0]
            for hook in list(
                chain(_global_optimizer_pre_hooks.values(), self._optimizer_step_pre_hooks.values())
            ):
                changed = hook(self, args, kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"{func} must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                    )
                args, kwargs = changed
            result = func(*args, **kwargs)
            for hook in list(
                chain(self._optimizer_step_post_hooks.values(), _global_optimizer_post_hooks.values())
            ):
                hook(self, args, kwargs)
            return result

        return step

    @staticmethod
    def _register(hooks, hook, prepend=False):
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    def register_step_pre_hook(self, hook):
        """Registers ``hook(optimizer, args, kwargs) -> None | (args, kwargs)`` to run before :meth:`step`."""
        _make_hookable(type(self))
        return self._register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Registers ``hook(optimizer, args, kwargs) -> None`` to run after :meth:`step`."""
        _make_hookable(type(self))
        return self._register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """Registers ``hook(optimizer) -> None`` to run before :meth:`state_dict`."""
        return self._register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """Registers ``hook(optimizer, state_dict) -> None | state_dict`` to run after :meth:`state_dict`."""
        return self._register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """Registers ``hook(optimizer, state_dict) -> None | state_dict`` to run before
        :meth:`load_state_dict`.

        The hook gets a shallow copy of the caller's dict.
        """
        return self._register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """Registers ``hook(optimizer) -> None`` to run after :meth:`load_state_dict`."""
        return self._register(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    # State dicts.

    def state_dict(self):
        """Returns ``{"state": {index: {...}}, "param_groups": [{..., "params": [index, ...]}]}``.

        Parameters stand in it as running numbers over all groups; the tensors of the state are not copied.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)

        number_of = {}
        packed_groups = []
        start = 0
        for group in self.param_groups:
            for offset, param in enumerate(group["params"]):
                number_of.setdefault(id(param), start + offset)
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [number_of[id(param)] for param in group["params"]]
            start += len(packed["params"])
            packed_groups.append(packed)

        packed_state = {
            number_of[id(key)] if isinstance(key, flambeau.Tensor) else key: value
            for key, value in self.state.items()
        }
        state_dict = {"state": packed_state, "param_groups": packed_groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            replaced = hook(self, state_dict)
            if replaced is not None:
                state_dict = replaced
        return state_dict

    def load_state_dict(self, state_dict):
        """Takes over a dict made by :meth:`state_dict`.

        Floating point state is cast to its parameter's dtype and device, except ``step``.

        Raises:
            ValueError: if the groups differ in number or size from the optimizer's.
        """
        from copy import deepcopy

        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            replaced = hook(self, state_dict)
            if replaced is not None:
                state_dict = replaced

        groups = self.param_groups
        saved_groups = deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(ours["params"]) != len(saved["params"]) for ours, saved in zip(groups, saved_groups)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of "
                "optimizer's group"
            )

        param_of, group_of = {}, {}
        for ours, saved in zip(groups, saved_groups):
            for number, param in zip(saved["params"], ours["params"]):
                param_of[number] = param
                group_of[number] = saved

        state = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in param_of:
                group = group_of[key]
                hosted = bool(group.get("fused", False) or group.get("capturable", False))
                state[param_of[key]] = _cast_state(param_of[key], value, None, hosted)
            else:
                state[key] = value

        for ours, saved in zip(groups, saved_groups):
            saved["params"] = ours["params"]
            if "param_names" in ours and "param_names" not in saved:
                saved["param_names"] = ours["param_names"]
        self.__setstate__({"state": state, "param_groups": saved_groups})

        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    # Gradients and steps.

    def zero_grad(self, set_to_none=True):
        """Resets the gradients of all parameters: to ``None``, or to zeros with ``set_to_none=False``."""
        if set_to_none:
            for group in self.param_groups:
                for param in group["params"]:
                    param.grad = None
            return
        for group in self.param_groups:
            for param in group["params"]:
                grad = param.grad
                if grad is not None:
                    if grad.grad_fn is not None:
                        grad.detach_()
                    else:
                        grad.requires_grad_(False)
                    grad.zero_()

    def step(self, closure=None):
        """Performs one optimization step; ``closure`` computes the loss again and returns it."""
        raise NotImplementedError

    def add_param_group(self, param_group):
        """Adds a group, a dict with ``params`` and any options that differ from the defaults.

        Raises:
            TypeError: for a group that is not a dict, or parameters that are not tensors in an ordered
                collection.
            ValueError: for parameters that are not leaves, are named only in part, lack a required option, or
                already belong to a group.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")

        params = param_group["params"]
        if isinstance(params, flambeau.Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of "
                "tensors in sets will change between runs. Please use a list instead."
            )
        params = list(params)
        names = [entry[0] for entry in params if isinstance(entry, tuple)]
        params = [entry[1] if isinstance(entry, tuple) else entry for entry in params]
        param_group["params"] = params
        if names:
            if len(names) != len(params):
                raise ValueError(
                    "all optimizer params should be with/without names. Some param names are missing"
                )
            param_group["param_names"] = names

        differentiable = self.defaults.get("differentiable", None)
        for param in params:
            if not isinstance(param, flambeau.Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    + flambeau.typename(param)
                )
            if not differentiable and not (param.is_leaf or param.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")

        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    f"parameter group didn't specify a value of required optimization parameter {name}"
                )
            param_group.setdefault(name, default)

        identities = {id(param) for param in params}
        if len(identities) != len(params):
            import warnings

            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will "
                "cause an error; see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        for group in self.param_groups:
            if ("param_names" in param_group) != ("param_names" in group):
                given = "with names" if "param_names" in param_group else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. "
                    f"cannot add param group {given} to the optimizer"
                )
        if any(id(param) in identities for group in self.param_groups for param in group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)


def _cast_state(param, value, key, hosted):
    """Copies the containers of ``value`` and casts its tensors to ``param``.

    ``step`` stays as saved, unless it is ``hosted`` beside the parameter (fused and capturable optimizers).
    """
    if isinstance(value, flambeau.Tensor):
        if key == "step":
            return value.to(dtype=flambeau.float32, device=param.device) if hosted else value
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)
    if isinstance(value, dict):
        return {name: _cast_state(param, item, name, hosted) for name, item in value.items()}
    if hasattr(type(value), "__iter__") and not isinstance(value, (str, bytes)):
        return type(value)(_cast_state(param, item, None, hosted) for item in value)
    return value
