"""Records tests/distributions with real PyTorch: PY tests/tools/record_distributions.py"""

import json
import sys
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent.parent / "distributions"
sys.path.insert(0, str(HERE))

import cases_distributions as cases  # noqa: E402


def main():
    """Write tests/distributions/recorded.json, a line a case."""
    torch.set_num_threads(1)
    parts = {
        "distributions": {name: cases.describe(torch, name) for name in cases.DISTRIBUTIONS},
        "divergences": {name: cases.divergence(torch, name) for name in cases.PAIRS},
        "errors": {name: cases.error(torch, name) for name in cases.ERRORS},
    }
    lines = [
        f'"torch": {json.dumps(torch.__version__)}',
        f'"gradients": {json.dumps(cases.gradients(torch))}',
    ]
    for part, entries in parts.items():
        body = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in entries.items())
        lines.append(f"{json.dumps(part)}: {{\n{body}\n}}")
    (HERE / "recorded.json").write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
