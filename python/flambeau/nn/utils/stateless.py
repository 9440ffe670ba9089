"""A module called with other parameters than its own."""

import contextlib

__all__ = ["functional_call"]


@contextlib.contextmanager
def _swapped(module, values, tie_weights, strict):
    """Put `values` in the place of the tensors of those names, and put the old ones back."""
    own = dict(module.named_parameters(remove_duplicate=False))
    own.update(module.named_buffers(remove_duplicate=False))
    given = dict(values)
    if tie_weights:
        # A tensor known by several names is replaced under all of them.
        aliases = {}
        for name, tensor in own.items():
            aliases.setdefault(id(tensor), []).append(name)
        for group in aliases.values():
            found = [n for n in group if n in given]
            if len({id(given[n]) for n in found}) > 1:
                raise ValueError(
                    f"functional_call got multiple values for keys {sorted(found)}, which are tied. "
                    "Consider using tie_weights=False"
                )
            if found:
                given.update(dict.fromkeys(group, given[found[0]]))
    if strict:
        unexpected = [n for n in given if n not in own]
        missing = [n for n in own if n not in given]
        if unexpected or missing:
            parts = []
            if unexpected:
                parts.append("Unexpected key(s): " + ", ".join(map(repr, unexpected)))
            if missing:
                parts.append("Missing key(s): " + ", ".join(map(repr, missing)))
            raise RuntimeError(
                f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(parts)
            )
    undo = []
    try:
        for path, tensor in given.items():
            prefix, _, name = path.rpartition(".")
            owner = module.get_submodule(prefix)
            for table in (owner._parameters, owner._buffers):
                if name in table:
                    undo.append((table, name, table[name]))
                    table[name] = tensor
                    break
            else:
                raise AttributeError(f"{owner._get_name()} has no attribute `{name}`")
        yield
    finally:
        for table, name, old in reversed(undo):
            table[name] = old


def functional_call(
    module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """Call `module` with the given tensors in place of its own, which stay as they are.

    Args:
        module (Module): what to call.
        parameters_and_buffers (dict): tensors by dotted name.
        args: a tuple of positional arguments, or the only one.
        kwargs (dict): keyword arguments.
        tie_weights (bool): replace a shared tensor under all its names. Default: True
        strict (bool): every name must be given, and no other. Default: False
    """
    if kwargs is None:
        kwargs = {}
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with _swapped(module, parameters_and_buffers, tie_weights, strict):
        return module(*args, **kwargs)
