"""Signal processing, under PyTorch's ``torch.signal`` names."""

from . import windows

__all__ = ["windows"]
