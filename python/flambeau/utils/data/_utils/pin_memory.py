"""Batches in page-locked memory."""

import flambeau

__all__ = ["pin_memory"]


def pin_memory(data, device=None):
    """``data`` with its tensors in page-locked memory; containers keep their structure."""
    if isinstance(data, flambeau.Tensor) or hasattr(data, "pin_memory"):
        return data.pin_memory()
    if isinstance(data, dict):
        return {key: pin_memory(value, device) for key, value in data.items()}
    if isinstance(data, tuple):
        values = [pin_memory(value, device) for value in data]
        return type(data)(*values) if hasattr(data, "_fields") else type(data)(values)
    if isinstance(data, list):
        return [pin_memory(value, device) for value in data]
    return data
