"""Switches of PyTorch's backends, none of which is used: questions are answered, what is set is kept."""

from . import cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
