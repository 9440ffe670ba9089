"""PyTorch's programming model on a Rust core: ``import flambeau as torch``.

Every operation of the engine's registry is published here under its PyTorch name; see ``flambeau.nn``,
``flambeau.optim``, ``flambeau.autograd`` and ``flambeau.utils.data`` for the rest.
"""

import importlib as _importlib
import math as _math
import sys as _sys

from . import _C

__version__ = "0.1.0"

# Types, dtypes, formats and the functions written by hand in the extension module.
globals().update(
    {_name: getattr(_C, _name) for _name in dir(_C) if not _name.startswith("_") and _name != "return_types"}
)
# One function per public name of the registry.
globals().update(
    {_name: getattr(_C._functions, _name) for _name in dir(_C._functions) if not _name.startswith("_")}
)

# Pickles of named tuples look for their classes there.
return_types = _sys.modules[f"{__name__}.return_types"] = _C.return_types
# Where PyTorch's pickles look for its functions.
_C._VariableFunctionsClass = _C._functions
_sys.modules[f"{__name__}._C._nn"] = _C._nn

inf = _math.inf
nan = _math.nan
pi = _math.pi
e = _math.e
newaxis = None

from . import _storage, _tensor  # noqa: E402, F401  (attaches the methods that are written in Python)
globals().update({_name: _cls for _name, _cls in _tensor.TYPED.items() if not _name.startswith("Complex")})
from ._namespace import *  # noqa: E402, F403
from ._old import *  # noqa: E402, F403
from ._switches import *  # noqa: E402, F403
from ._switches import has_lapack, has_mkl, has_openmp, has_spectral  # noqa: E402, F401
from .functional import *  # noqa: E402, F403
from ._numerics import *  # noqa: E402, F403
from . import autograd, random, serialization  # noqa: E402
from .autograd import (  # noqa: E402, F401
    enable_grad,
    inference_mode,
    no_grad,
    set_grad_enabled,
)
from .random import (  # noqa: E402, F401
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from ._run import install_as_torch  # noqa: E402, F401
from ._tensor_str import set_printoptions  # noqa: E402, F401
from .serialization import load, save  # noqa: E402, F401

# Imported on first use, so that `import flambeau` stays fast.
_LAZY = {
    "accelerator", "amp", "backends", "cpu", "cuda", "distributed", "distributions", "fft", "func", "futures",
    "hub", "linalg", "masked", "mps", "multiprocessing", "nn", "onnx", "ops", "optim", "overrides", "signal",
    "special", "storage", "testing", "types", "utils", "version", "xpu",
}


def __getattr__(name):
    if name.endswith("Storage"):
        found = getattr(_importlib.import_module(".storage", __name__), name, None)
        if found is not None:
            return found
    if name == "autocast":
        return _importlib.import_module(".amp", __name__).autocast
    if name == "GradScaler":
        return _importlib.import_module(".amp", __name__).GradScaler
    if name == "vmap":
        return _importlib.import_module(".func", __name__).vmap
    if name == "to_dlpack":
        return _importlib.import_module(".utils.dlpack", __name__).to_dlpack
    if name.startswith("_foreach_"):
        return getattr(_importlib.import_module("._foreach", __name__), name)
    if name in _LAZY:
        try:
            return _importlib.import_module(f".{name}", __name__)
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__():
    return sorted(set(globals()) | _LAZY)
