"""Random number generators: seeds and states."""

import contextlib

from ._C import default_generator

__all__ = [
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
    "thread_safe_generator",
]


def manual_seed(seed):
    """Starts the default generator's stream for ``seed`` (an int; negative ones wrap around) and returns it.

    The same seed gives the same numbers as PyTorch on a CPU.
    """
    return default_generator.manual_seed(int(seed))


def seed():
    """Seeds the default generator from the operating system and returns the seed."""
    return default_generator.seed()


def initial_seed():
    """The seed that the default generator was started with."""
    return default_generator.initial_seed()


def get_rng_state():
    """The default generator's state: a uint8 tensor, which PyTorch's ``set_rng_state`` takes too."""
    return default_generator.get_state()


def set_rng_state(new_state):
    """Puts back a state that :func:`get_rng_state` gave, here or in PyTorch."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices=None, enabled=True, _caller="fork_rng", _devices_kw="devices", device_type=None):
    """Context manager: draws inside do not advance the generator outside."""
    if not enabled:
        yield
        return
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)


def thread_safe_generator():
    """None: the default generator locks itself."""
    return None
