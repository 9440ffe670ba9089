"""Logs that TensorBoard reads; nothing of TensorBoard needs to be installed to write them."""

from .writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "SummaryWriter"]
