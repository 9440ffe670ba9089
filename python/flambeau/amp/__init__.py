"""Automatic mixed precision: gradient scaling, and `autocast` where it has nothing to do."""

from .autocast_mode import autocast, is_autocast_available
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "is_autocast_available"]
