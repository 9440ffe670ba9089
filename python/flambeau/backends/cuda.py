"""CUDA is not used; its switches keep what they are set to, so that scripts that set them run."""

import contextlib


class _Matmul:
    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True


matmul = _Matmul()
_SDP = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built():
    """False."""
    return False


def is_available():
    """False."""
    return False


def flash_sdp_enabled():
    """What `enable_flash_sdp` set, at first True."""
    return _SDP["flash"]


def enable_flash_sdp(enabled):
    """Kept; attention on the CPU chooses for itself."""
    _SDP["flash"] = bool(enabled)


def mem_efficient_sdp_enabled():
    """What `enable_mem_efficient_sdp` set, at first True."""
    return _SDP["mem_efficient"]


def enable_mem_efficient_sdp(enabled):
    """Kept; attention on the CPU chooses for itself."""
    _SDP["mem_efficient"] = bool(enabled)


def math_sdp_enabled():
    """What `enable_math_sdp` set, at first True."""
    return _SDP["math"]


def enable_math_sdp(enabled):
    """Kept; attention on the CPU chooses for itself."""
    _SDP["math"] = bool(enabled)


def cudnn_sdp_enabled():
    """What `enable_cudnn_sdp` set, at first True."""
    return _SDP["cudnn"]


def enable_cudnn_sdp(enabled):
    """Kept; attention on the CPU chooses for itself."""
    _SDP["cudnn"] = bool(enabled)


@contextlib.contextmanager
def sdp_kernel(enable_flash=True, enable_math=True, enable_mem_efficient=True, enable_cudnn=True):
    """Sets the four switches inside a `with` block."""
    before = dict(_SDP)
    _SDP.update(flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn)
    try:
        yield {}
    finally:
        _SDP.update(before)
