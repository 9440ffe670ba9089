"""Switches of PyTorch's backends. None of these libraries is used; what can be asked is answered, what can be set is kept."""


class _Backend:
    def __init__(self, name, **attributes):
        self.__name__ = f"torch.backends.{name}"
        self.__dict__.update(attributes)

    def is_available(self):
        return False

    is_built = is_available


cudnn = _Backend("cudnn", enabled=False, benchmark=False, deterministic=False, allow_tf32=True)
cuda = _Backend("cuda", matmul=_Backend("cuda.matmul", allow_tf32=False))
mps = _Backend("mps")
mkl = _Backend("mkl")
mkldnn = _Backend("mkldnn", enabled=False)
openmp = _Backend("openmp")
