"""Random index expressions against what PyTorch gave (index_properties.json, by tests/tools/record_index_properties.py):
values, shapes, strides, dtypes, sharing of memory, gradients, errors with their texts, warnings."""

import collections
import json
import pathlib
import sys

import flambeau
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools"))
import record_index_properties as recorder  # noqa: E402

CASES = json.loads((pathlib.Path(__file__).parent / "index_properties.json").read_text())
GROUPS = collections.defaultdict(list)
for number, case in enumerate(CASES):
    GROUPS[f"{case[0]} {number // 50}"].append(case)


@pytest.mark.parametrize("group", GROUPS)
def test_as_pytorch(group):
    wrong = []
    for kind, base, index, value, *want in GROUPS[group]:
        got = json.loads(json.dumps(recorder.run(flambeau, np, kind, base, index, value)))
        if got != want:
            source = f"{kind}: x = {base}; x[{index}]" + (f" <- {value}" if value else "")
            wrong.append(f"{source}\n   want {want}\n   got  {got}")
    assert not wrong, "\n".join(wrong)


def test_the_table_is_whole():
    counts = collections.Counter(case[0] for case in CASES)
    assert counts.keys() == recorder.COUNTS.keys()
    assert all(recorder.COUNTS[kind] - 10 <= n <= recorder.COUNTS[kind] for kind, n in counts.items())
