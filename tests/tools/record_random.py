"""Records what PyTorch draws for every case of tests/random: PY tests/tools/record_random.py"""

import json
import sys
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(HERE / "random"), str(HERE / "nn")]

import random_cases  # noqa: E402
from cases import CASES  # noqa: E402
from describe import describe, evaluate, pack, weights  # noqa: E402


def states():
    """Generator states, packed, with what PyTorch draws next."""
    found = []
    for skip in (0, 1, 700):
        torch.manual_seed(77)
        torch.rand(skip)
        torch.randn(1 if skip else 0, dtype=torch.float64)
        state = pack(bytes(torch.get_rng_state().tolist()))
        draws = [torch.randn(3), torch.rand(3), torch.randn(3, dtype=torch.float64)]
        found.append([state, [describe(torch, t, False) for t in draws]])
    return found


def section(name, entries):
    """One line an entry, so that changes can be read."""
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in entries)
    return f"{json.dumps(name)}: {{\n{lines}\n}}"


def main():
    """Write tests/random/recorded.json."""
    torch.set_num_threads(1)
    layers = dict.fromkeys(ctor for ctor, _ in CASES)
    parts = [
        section("exact", [(s, evaluate(torch, s, True)) for s in random_cases.EXACT]),
        section("close", [(s, evaluate(torch, s, False)) for s in random_cases.CLOSE]),
        # Lazy layers have no weights yet.
        section("layers", [(c, w) for c in layers if "Lazy" not in c and (w := weights(torch, c))[0]]),
        '"states": ' + json.dumps(states()),
    ]
    text = f'{{"torch": {json.dumps(torch.__version__)},\n' + ",\n".join(parts) + "\n}\n"
    (HERE / "random" / "recorded.json").write_text(text)
    print(len(text), "bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
