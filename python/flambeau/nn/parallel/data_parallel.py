"""A module over several devices of one process."""

from ..modules.module import Module

__all__ = ["DataParallel"]


class DataParallel(Module):
    """Splits a batch over GPUs. Without any, as here, it passes everything on to `module`.

    Args:
        module (Module): what to run.
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        self.dim = dim
        self.module = module
        self.device_ids = []

    def forward(self, *inputs, **kwargs):
        """The module's own result."""
        return self.module(*inputs, **kwargs)
