"""Modules that learn their sizes from the first input."""

import flambeau

from ..parameter import is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """Makes a module create its parameters at the first call.

    A lazy class names in `cls_to_become` the class it turns into, and defines
    `initialize_parameters(*args, **kwargs)`, which gets the arguments of the first `forward`.
    """

    cls_to_become = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        # A shapeless parameter cannot be detached, and is saved as it is.
        for name, param in self._parameters.items():
            if param is not None:
                destination[prefix + name] = param if is_lazy(param) or keep_vars else param.detach()
        for name, buf in self._buffers.items():
            if buf is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = buf if is_lazy(buf) or keep_vars else buf.detach()

    def _lazy_load_hook(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        """Give shapeless parameters the shapes found in the state dict."""
        for table in (self._parameters, self._buffers):
            for name, param in table.items():
                key = prefix + name
                if key in state_dict and param is not None and is_lazy(param):
                    source = state_dict[key]
                    if not is_lazy(source):
                        with flambeau.no_grad():
                            param.materialize(source.shape)

    def initialize_parameters(self, *args, **kwargs):
        """Materialise the parameters, given the arguments of `forward`; every lazy class defines it."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {self.__class__.__name__}")

    def has_uninitialized_params(self):
        """Whether any parameter or buffer still has no shape."""
        return any(is_lazy(p) for table in (self._parameters, self._buffers) for p in table.values())

    def _infer_parameters(self, module, args, kwargs=None):
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook
        del module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _replicate_for_data_parallel(self):
        raise RuntimeError(
            "Modules with uninitialized parameters can't be used with `DataParallel`. "
            "Run a dummy forward pass to correctly initialize the modules"
        )
