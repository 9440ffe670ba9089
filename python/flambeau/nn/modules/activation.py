"""Nonlinearities."""

import warnings

import flambeau

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .attention import MultiheadAttention
from .module import Module

__all__ = [
    "Threshold",
    "ReLU",
    "RReLU",
    "Hardtanh",
    "ReLU6",
    "Sigmoid",
    "Hardsigmoid",
    "Tanh",
    "SiLU",
    "Mish",
    "Hardswish",
    "ELU",
    "CELU",
    "SELU",
    "GLU",
    "GELU",
    "Hardshrink",
    "LeakyReLU",
    "LogSigmoid",
    "Softplus",
    "Softshrink",
    "MultiheadAttention",
    "PReLU",
    "Softsign",
    "Tanhshrink",
    "Softmin",
    "Softmax",
    "Softmax2d",
    "LogSoftmax",
]


# Checkpoints know it by this module.
MultiheadAttention.__module__ = __name__


def _inplace(module, comma=True):
    return (", " if comma else "") + "inplace=True" if module.inplace else ""


class Threshold(Module):
    """x where x > threshold, `value` elsewhere."""

    __constants__ = ["threshold", "value", "inplace"]

    def __init__(self, threshold, value, inplace=False):
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input):
        """Apply to each element."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self):
        """The arguments."""
        return f"threshold={self.threshold}, value={self.value}{_inplace(self)}"


class ReLU(Module):
    """max(0, x)."""

    __constants__ = ["inplace"]

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Apply to each element."""
        return F.relu(input, self.inplace)

    def extra_repr(self):
        """The arguments."""
        return _inplace(self, comma=False)


class RReLU(Module):
    """Leaky ReLU with a random slope in [lower, upper] for negative values, their mean in evaluation."""

    __constants__ = ["lower", "upper", "inplace"]

    def __init__(self, lower=1.0 / 8, upper=1.0 / 3, inplace=False):
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input):
        """Apply to each element."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self):
        """The arguments."""
        return f"lower={self.lower}, upper={self.upper}{_inplace(self)}"


class Hardtanh(Module):
    """x clamped to [min_val, max_val]."""

    __constants__ = ["min_val", "max_val", "inplace"]

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None):
        super().__init__()
        for old, new, value in (("min_value", "min_val", min_value), ("max_value", "max_val", max_value)):
            if value is not None:
                warnings.warn(
                    f"keyword argument `{old}` is deprecated and rename to `{new}`",
                    FutureWarning,
                    stacklevel=2,
                )
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if not self.max_val > self.min_val:
            raise AssertionError(f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})")

    def forward(self, input):
        """Apply to each element."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self):
        """The arguments."""
        return f"min_val={self.min_val}, max_val={self.max_val}{_inplace(self)}"


class ReLU6(Hardtanh):
    """min(max(0, x), 6)."""

    def __init__(self, inplace=False):
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self):
        """The arguments."""
        return _inplace(self, comma=False)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input):
        """Apply to each element."""
        return flambeau.sigmoid(input)


class Hardsigmoid(Module):
    """Clamp x / 6 + 1 / 2 to [0, 1]."""

    __constants__ = ["inplace"]

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Apply to each element."""
        return F.hardsigmoid(input, self.inplace)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, input):
        """Apply to each element."""
        return flambeau.tanh(input)


class SiLU(Module):
    """x * sigmoid(x), also called swish."""

    __constants__ = ["inplace"]

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Apply to each element."""
        return F.silu(input, self.inplace)

    def extra_repr(self):
        """The arguments."""
        return _inplace(self, comma=False)


class Mish(Module):
    """x * tanh(softplus(x)) (Misra, 2019)."""

    __constants__ = ["inplace"]

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Apply to each element."""
        return F.mish(input, self.inplace)

    def extra_repr(self):
        """The arguments."""
        return _inplace(self, comma=False)


class Hardswish(Module):
    """x * clamp(x + 3, 0, 6) / 6 (MobileNetV3, 2019)."""

    __constants__ = ["inplace"]

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Apply to each element."""
        return F.hardswish(input, self.inplace)


class ELU(Module):
    """x where positive, alpha * (exp(x) - 1) elsewhere (Clevert et al., 2016)."""

    __constants__ = ["alpha", "inplace"]

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input):
        """Apply to each element."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self):
        """The arguments."""
        return f"alpha={self.alpha}{_inplace(self)}"


class CELU(Module):
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) (Barron, 2017)."""

    __constants__ = ["alpha", "inplace"]

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input):
        """Apply to each element."""
        return F.celu(input, self.alpha, self.inplace)

    def extra_repr(self):
        """The arguments."""
        return f"alpha={self.alpha}{_inplace(self)}"


class SELU(Module):
    """Scaled ELU, whose constants keep mean 0 and variance 1 (Klambauer et al., 2017)."""

    __constants__ = ["inplace"]

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Apply to each element."""
        return F.selu(input, self.inplace)

    def extra_repr(self):
        """The arguments."""
        return _inplace(self, comma=False)


class GLU(Module):
    """a * sigmoid(b), where a and b are the halves along `dim` (Dauphin et al., 2017)."""

    __constants__ = ["dim"]

    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        """Halve `dim`."""
        return F.glu(input, self.dim)

    def extra_repr(self):
        """The arguments."""
        return f"dim={self.dim}"


class GELU(Module):
    """x times the normal distribution function of x; `approximate="tanh"` estimates it (Hendrycks, 2016)."""

    __constants__ = ["approximate"]

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input):
        """Apply to each element."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self):
        """The arguments."""
        return f"approximate={self.approximate!r}"


class Hardshrink(Module):
    """0 in [-lambd, lambd], x elsewhere."""

    __constants__ = ["lambd"]

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input):
        """Apply to each element."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self):
        """The arguments."""
        return f"{self.lambd}"


class LeakyReLU(Module):
    """x where positive, negative_slope * x elsewhere."""

    __constants__ = ["inplace", "negative_slope"]

    def __init__(self, negative_slope=1e-2, inplace=False):
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input):
        """Apply to each element."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self):
        """The arguments."""
        return f"negative_slope={self.negative_slope}{_inplace(self)}"


class LogSigmoid(Module):
    """log(sigmoid(x))."""

    def forward(self, input):
        """Apply to each element."""
        return F.logsigmoid(input)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta; x itself where beta x > threshold."""

    __constants__ = ["beta", "threshold"]

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input):
        """Apply to each element."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self):
        """The arguments."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Softshrink(Module):
    """x moved towards 0 by `lambd`, and 0 in between."""

    __constants__ = ["lambd"]

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input):
        """Apply to each element."""
        return F.softshrink(input, self.lambd)

    def extra_repr(self):
        """The arguments."""
        return str(self.lambd)


class PReLU(Module):
    """Leaky ReLU whose slope is learned (He et al., 2015): one, or one a channel (dimension 1).

    Args:
        num_parameters (int): 1 or the number of channels.
        init (float): first value of the slopes. Default: 0.25
    """

    __constants__ = ["num_parameters"]

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        self.num_parameters = num_parameters
        super().__init__()
        self.init = init
        self.weight = Parameter(flambeau.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self):
        """Set the slopes to their first value."""
        init.constant_(self.weight, self.init)

    def forward(self, input):
        """Apply to each element."""
        return F.prelu(input, self.weight)

    def extra_repr(self):
        """The arguments."""
        return f"num_parameters={self.num_parameters}"


class Softsign(Module):
    """x / (1 + |x|)."""

    def forward(self, input):
        """Apply to each element."""
        return F.softsign(input)


class Tanhshrink(Module):
    """x - tanh(x)."""

    def forward(self, input):
        """Apply to each element."""
        return F.tanhshrink(input)


class Softmin(Module):
    """Softmax of -x along `dim`."""

    __constants__ = ["dim"]

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def forward(self, input):
        """Normalise along `dim`."""
        return F.softmin(input, self.dim, _stacklevel=5)

    def extra_repr(self):
        """The arguments."""
        return f"dim={self.dim}"


class Softmax(Module):
    """exp(x) divided by its sum along `dim`."""

    __constants__ = ["dim"]

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def forward(self, input):
        """Normalise along `dim`."""
        return F.softmax(input, self.dim, _stacklevel=5)

    def extra_repr(self):
        """The arguments."""
        return f"dim={self.dim}"


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W)."""

    def forward(self, input):
        """Normalise over the channels."""
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3, _stacklevel=5)


class LogSoftmax(Module):
    """Logarithm of softmax along `dim`."""

    __constants__ = ["dim"]

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def forward(self, input):
        """Normalise along `dim`."""
        return F.log_softmax(input, self.dim, _stacklevel=5)

    def extra_repr(self):
        """The arguments."""
        return f"dim={self.dim}"
