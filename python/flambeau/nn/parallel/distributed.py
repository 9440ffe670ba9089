"""A module over several processes."""

from ...distributed import _no_group
from ..modules.module import Module

__all__ = ["DistributedDataParallel"]


class DistributedDataParallel(Module):
    """Averages gradients over the processes of a group.

    Raises ValueError: a group must exist, and `flambeau.distributed` cannot make one yet.
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0, **kwargs):
        super().__init__()
        _no_group()
