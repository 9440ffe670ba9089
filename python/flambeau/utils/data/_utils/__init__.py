"""The DataLoader's parts."""

from . import collate, fetch, worker

__all__ = ["collate", "fetch", "worker"]
