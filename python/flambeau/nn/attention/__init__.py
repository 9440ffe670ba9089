"""How attention is computed: by one kernel here, whatever is chosen."""

import contextlib
import enum

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(enum.IntEnum):
    """PyTorch's implementations of scaled dot product attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends, set_priority=False):
    """Context manager (or decorator) in which PyTorch would choose among ``backends``. Here there is one
    kernel.

    Its results are those of ``SDPBackend.MATH``. RuntimeError if the choice leaves nothing that runs on a
    CPU.
    """
    if isinstance(backends, SDPBackend):
        backends = [backends]
    if not isinstance(backends, (list, tuple)) or not all(isinstance(b, SDPBackend) for b in backends):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances, got "
            f"{type(backends).__name__}"
        )
    if not {SDPBackend.MATH, SDPBackend.FLASH_ATTENTION} & set(backends):
        raise RuntimeError("No available kernel. Aborting execution.")
    yield {}
