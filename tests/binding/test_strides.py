"""Shapes, strides and memory formats of results against PyTorch's (strides.json, by tests/tools/record_strides.py)."""

import json
import pathlib
import sys

import flambeau
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools"))
import record_strides as recorder  # noqa: E402

TABLE = json.loads((pathlib.Path(__file__).parent / "strides.json").read_text())


@pytest.mark.parametrize("expression", TABLE)
def test_as_pytorch(expression):
    wrong = []
    for layouts, want in TABLE[expression].items():
        x, y = [*layouts.split(), None, None][:2]
        got = json.loads(json.dumps(recorder.run(flambeau, expression, x, y)))
        if got != want:
            wrong.append(f"{expression} of {layouts}: {got}, PyTorch has {want}")
    assert not wrong, "\n".join(wrong)


def test_recorded_from_these_cases():
    cases = {(e, " ".join(n for n in names if n)) for e, *names in recorder.cases()}
    recorded = {(e, layouts) for e, row in TABLE.items() for layouts in row}
    assert recorded <= cases
    # What PyTorch refuses is left out; most cases are not refused.
    assert len(recorded) > 0.95 * len(cases)
