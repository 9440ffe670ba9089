"""Finding the operation whose gradient is not a number."""

import warnings

from .. import _C

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class set_detect_anomaly:
    """Switches the check on or off: at once as a function, for the block as a context manager.

    Args:
        mode: whether backward passes stop, naming the operation, at the first gradient that is NaN.
        check_nan: with False the check is off whatever ``mode`` says.
    """

    def __init__(self, mode, check_nan=True):
        self.prev = _C.is_anomaly_enabled()
        _C._set_anomaly_enabled(bool(mode) and check_nan)

    def __enter__(self):
        return None

    def __exit__(self, exc_type, exc_value, traceback):
        _C._set_anomaly_enabled(self.prev)


class detect_anomaly:
    """Context manager: backward passes inside stop at the first gradient that is NaN, naming its node."""

    def __init__(self, check_nan=True):
        self.prev = _C.is_anomaly_enabled()
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be "
            "enabled for debugging.",
            stacklevel=2,
        )

    def __enter__(self):
        self.prev = _C.is_anomaly_enabled()
        _C._set_anomaly_enabled(self.check_nan)

    def __exit__(self, exc_type, exc_value, traceback):
        _C._set_anomaly_enabled(self.prev)
