"""Graphs of expressions as PyTorch records them, for tests/autograd/test_nodes.py.

Run with a Python that has PyTorch 2.15: `python tests/tools/record_nodes.py`.

A graph is written as its nodes' names, depth first: `AddmmBackward0(AccumulateGrad, -, TBackward0(AccumulateGrad))`;
`-` is an edge to nothing, and a node that was written before is written as its name and `*`.
"""

import json
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "autograd"
TARGET = HERE / "nodes.json"
sys.path.insert(0, str(HERE))

import nodes_cases  # noqa: E402


def graph(node, seen=None):
    """The text of the graph behind a node."""
    seen = set() if seen is None else seen
    if node is None:
        return "-"
    name = node.name()
    if "AccumulateGrad" in name:
        return "AccumulateGrad"
    if node in seen:
        return f"{name}*"
    seen.add(node)
    # Which output an edge leads to is part of the graph, where it is not the first.
    behind = [graph(n, seen) + (f":{i}" if i and n is not None else "") for n, i in node.next_functions]
    return f"{name}({', '.join(behind)})" if behind else name


def run(torch, expression):
    """The graph of each tensor that comes out, or the type of the error."""
    scope = nodes_cases.namespace(torch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            try:
                code = compile(expression, "<case>", "eval")
            except SyntaxError:
                exec(compile(expression, "<case>", "exec"), scope)
                value = scope["out"]
            else:
                value = eval(code, scope)
            outs = value if isinstance(value, (tuple, list)) else [value]
            found = [graph(t.grad_fn) for t in outs if isinstance(t, torch.Tensor)]
        except Exception as e:  # noqa: BLE001 - its type is what is recorded
            return type(e).__name__
    return found[0] if len(found) == 1 else found


def main():
    import torch

    table = {e: run(torch, e) for e in nodes_cases.cases()}
    TARGET.write_text(json.dumps(table, indent=0) + "\n")
    wrong = [e for e, g in table.items() if isinstance(g, str) and g.endswith("Error")]
    print(f"{len(table)} graphs, {TARGET.stat().st_size} bytes; refused: {wrong}", file=sys.stderr)


if __name__ == "__main__":
    main()
