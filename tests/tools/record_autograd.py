"""Records what PyTorch makes of the cases in tests/autograd. Run with PyTorch's Python:

    python tests/tools/record_autograd.py
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "autograd")]

import cases  # noqa: E402
import expressions  # noqa: E402
import torch  # noqa: E402

FILES = {
    "cases": "recorded",
    "cases_views": "recorded_views",
    "cases_graph": "recorded_graph",
    "cases_functional": "recorded_functional",
}

# The snippets of one recording in several files.
ROOMS = {"cases_graph": ("cases_graph", "cases_hooks", "cases_custom")}


def blocks(text):
    """Snippets that blank lines part."""
    return [b for b in text.strip("\n").split("\n\n") if b.strip()]


def snippets(name):
    """All snippets of a recording, in order."""
    if name not in ROOMS:
        return importlib.import_module(name).CASES
    return [b for room in ROOMS[name] for part in importlib.import_module(room).PARTS for b in blocks(part)]


if __name__ == "__main__":
    wanted = sys.argv[1:] or FILES
    for name in wanted:
        module = importlib.import_module(name)
        extra = module.namespace(torch) if hasattr(module, "namespace") else {}
        namespace = {**cases.namespace(torch), **extra}
        expressions.record(snippets(name), HERE.parent / "autograd" / f"{FILES[name]}.json", namespace)
