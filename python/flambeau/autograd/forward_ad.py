"""Forward mode is not there yet; its names say so."""

__all__ = ["dual_level", "make_dual", "unpack_dual"]


def _absent(*args, **kwargs):
    raise NotImplementedError(
        "forward-mode differentiation is not there yet; torch.autograd.functional.jvp computes the same by "
        "double backward"
    )


dual_level = make_dual = unpack_dual = _absent
