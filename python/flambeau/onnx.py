"""ONNX: scripts may import this module and ask whether an export runs; exporting is not there yet."""

__all__ = ["export", "is_in_onnx_export"]


def is_in_onnx_export():
    """Whether a model is being exported now: no."""
    return False


def export(model, args=(), f=None, **kwargs):
    """Raises NotImplementedError: save a state dict or safetensors instead."""
    raise NotImplementedError("flambeau cannot export to ONNX yet; save the model's state_dict() instead")
