"""cuDNN is not used; its switches keep what they are set to, so that scripts that set them run."""

from ._backend import flags_of

enabled = True
benchmark = False
benchmark_limit = 10
deterministic = False
allow_tf32 = True
flags = flags_of(__name__, "enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32")


def is_available():
    """False."""
    return False


def version():
    """None: there is no cuDNN."""
    return None


def is_acceptable(tensor):
    """False: no tensor is handed to cuDNN."""
    return False
