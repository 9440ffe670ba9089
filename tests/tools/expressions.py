"""Runs snippets against PyTorch or flambeau and describes what came out, so that the two can be compared.

A case is Python source in which ``torch`` and ``np`` are bound; a single expression, or statements that set
``out``.
"""

import json
import re
import sys
import warnings
from pathlib import Path

import numpy as np


def describe(torch, value):
    """A value as JSON that is the same for equal results of both libraries."""
    if isinstance(value, torch.Tensor):
        node = value.grad_fn
        return {
            "tensor": None if value.device.type == "meta" else repr(value.tolist()),
            "dtype": str(value.dtype),
            "shape": list(value.shape),
            "stride": list(value.stride()),
            "requires_grad": value.requires_grad,
            "grad_fn": node.name() if node is not None else None,
        }
    if isinstance(value, np.ndarray):
        return {"array": repr(value.tolist()), "dtype": str(value.dtype), "shape": list(value.shape)}
    if isinstance(value, (tuple, list)):
        return {type(value).__name__: [describe(torch, v) for v in value]}
    if isinstance(value, dict):
        return {"dict": [[describe(torch, k), describe(torch, v)] for k, v in value.items()]}
    text = repr(value)
    # Addresses, and under which of its two names the library goes.
    return re.sub(r" at 0x[0-9a-f]+", "", text).replace("flambeau", "torch")


def run(torch, source, namespace=None, setup=None):
    """What the source gives: {"value": ...} or {"error": [type, message]}, with the warnings it raised.

    ``namespace`` are names bound for it, ``setup`` statements to run before it, with ``torch`` imported under its name.
    """
    scope = {"torch": torch, "np": np, **(namespace or {})}
    torch.set_grad_enabled(True)
    torch.storage._reset_warn_typed_storage_removal()
    if setup is not None:
        exec(compile(setup.replace("from torch", f"from {torch.__name__}"), "<setup>", "exec"), scope)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # What comes once in a process would depend on the order of the cases.
        torch.set_warn_always(True)
        try:
            try:
                code = compile(source, "<case>", "eval")
            except SyntaxError:
                exec(compile(source, "<case>", "exec"), scope)
                value = scope["out"]
            else:
                value = eval(code, scope)
            result = {"value": describe(torch, value)}
        except Exception as error:
            # Without the second line of flambeau's own, which names the operation and the shapes.
            result = {"error": [type(error).__name__, str(error).split("\n  in ")[0].strip()]}
        finally:
            torch.set_warn_always(False)
    kinds = sorted({w.category.__name__ for w in caught})
    return {**result, "warnings": kinds}


def record(cases, target, namespace=None, setup=None):
    """Runs every case with real PyTorch and writes the results; for the scripts named record_*.py."""
    import torch

    found = {"torch": torch.__version__, "cases": {source: run(torch, source, namespace, setup) for source in cases}}
    Path(target).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(f"{len(found['cases'])} cases into {target}", file=sys.stderr)
