"""What the backends' modules share: flags that are kept, and set for a while by `flags`."""

import contextlib
import sys


def flags_of(module, *names):
    """A context manager `flags(name=value, ...)` that sets `names` of `module` for a while."""

    @contextlib.contextmanager
    def flags(**values):
        unknown = set(values) - set(names)
        if unknown:
            raise TypeError(f"flags() got an unexpected keyword argument '{sorted(unknown)[0]}'")
        here = sys.modules[module]
        before = {name: getattr(here, name) for name in names}
        for name, value in values.items():
            setattr(here, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(here, name, value)

    flags.__doc__ = "Sets " + ", ".join(f"`{n}`" for n in names) + " inside a `with` block."
    return flags
