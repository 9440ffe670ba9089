"""oneDNN is not used; its switches keep what they are set to."""

from ._backend import flags_of

enabled = True
deterministic = False
allow_tf32 = True
flags = flags_of(__name__, "enabled", "deterministic", "allow_tf32")


def is_available():
    """False: flambeau has kernels of its own."""
    return False
