"""Records the losses of tests/curves with real PyTorch, on one thread: PY tests/tools/record_curves.py"""

import json
import sys
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent.parent / "curves"
sys.path.insert(0, str(HERE))

from training import MODELS, OPTIMIZERS, curve  # noqa: E402


def main():
    """Write tests/curves/recorded.json, a line a curve."""
    torch.set_num_threads(1)
    lines = []
    for model in MODELS:
        for optimizer in OPTIMIZERS:
            # Nine digits tell every float32 from its neighbours.
            losses = [float(f"{loss:.9g}") for loss in curve(torch, model, optimizer)]
            print(f"{model}/{optimizer}: {losses[0]:.4f} -> {losses[-1]:.4f}", file=sys.stderr)
            lines.append(f"{json.dumps(f'{model}/{optimizer}')}: {json.dumps(losses)}")
    text = '{"torch": ' + json.dumps(torch.__version__) + ', "curves": {\n' + ",\n".join(lines) + "\n}}\n"
    (HERE / "recorded.json").write_text(text)


if __name__ == "__main__":
    main()
