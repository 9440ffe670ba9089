"""Training gives PyTorch's losses, step by step, from the same seed."""

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import flambeau  # noqa: E402
from training import MODELS, OPTIMIZERS, STEPS, curve, deviation  # noqa: E402

RECORDED = json.loads((HERE / "recorded.json").read_text())["curves"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_curve(model, optimizer):
    expected = RECORDED[f"{model}/{optimizer}"]
    assert len(expected) == STEPS
    # A model that does not learn would hide differences.
    assert sum(expected[-10:]) < 0.97 * sum(expected[:10])
    assert deviation(curve(flambeau, model, optimizer), expected) < 1e-4


def test_a_curve_of_another_seed_is_noticed(monkeypatch):
    import training

    monkeypatch.setattr(training, "SEED", training.SEED + 1)
    assert deviation(curve(flambeau, "mlp", "sgd"), RECORDED["mlp/sgd"]) > 1e-2


def main():
    """Prints the largest relative deviation of each curve, when this file is run as a program."""
    print("| model | " + " | ".join(OPTIMIZERS) + " |\n|" + " --- |" * (len(OPTIMIZERS) + 1))
    for model in MODELS:
        worst = (deviation(curve(flambeau, model, o), RECORDED[f"{model}/{o}"]) for o in OPTIMIZERS)
        print(f"| {model} | " + " | ".join(f"{w:.1e}" for w in worst) + " |")


if __name__ == "__main__":
    main()
