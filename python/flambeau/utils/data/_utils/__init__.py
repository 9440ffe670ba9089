"""The DataLoader's parts."""

# Seconds between looks at whether the other process still lives.
MP_STATUS_CHECK_INTERVAL = 5.0

from . import collate, fetch, pin_memory, worker  # noqa: E402

__all__ = ["MP_STATUS_CHECK_INTERVAL", "collate", "fetch", "pin_memory", "worker"]
