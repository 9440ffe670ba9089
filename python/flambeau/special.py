"""Special functions, under PyTorch's ``torch.special`` names."""

import flambeau

from . import _C

globals().update(
    {
        _name: getattr(_C._special, _name)
        for _name in dir(_C._special)
        if not _name.startswith(("_", "special_"))
    }
)
# Functions that also live in the top namespace, by their names here.
_SAME = {
    "digamma": "digamma",
    "psi": "digamma",
    "gammaln": "lgamma",
    "erf": "erf",
    "erfc": "erfc",
    "erfinv": "erfinv",
    "exp2": "exp2",
    "expm1": "expm1",
    "log1p": "log1p",
    "logsumexp": "logsumexp",
    "log_softmax": "log_softmax",
    "i0": "i0",
    "gammainc": "igamma",
    "gammaincc": "igammac",
    "logit": "logit",
    "multigammaln": "mvlgamma",
    "polygamma": "polygamma",
    "softmax": "softmax",
    "expit": "sigmoid",
    "sinc": "sinc",
    "round": "round",
    "xlogy": "xlogy",
}
globals().update({_new: getattr(flambeau, _old) for _new, _old in _SAME.items() if hasattr(flambeau, _old)})
