"""Nothing leaks while training, and threads do not change results."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load():
    spec = importlib.util.spec_from_file_location("memory", ROOT / "scripts" / "memory.py")
    memory = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(memory)
    return memory


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
@pytest.mark.parametrize(
    "leak",
    ["kept.append(flambeau.zeros(1))", "kept[0] = kept[0].exp()"],
    ids=["Python objects", "a growing graph"],
)
def test_a_leak_would_be_found(leak):
    """One small object a step, beside real work."""
    # In a process of its own: one that has freed much memory would leak into that first.
    program = "\n".join(
        [
            "import memory, flambeau",
            "kept = [flambeau.zeros(500, requires_grad=True)]",
            "_, work = next(memory.programs())",
            "def step():",
            "    work()",
            f"    {leak}",
            "readings = memory.watch(step, 800)",
            "raise SystemExit(0 if memory.leaks(readings) else str(readings))",
        ]
    )
    path = os.pathsep.join([str(ROOT / "scripts"), *sys.path])
    found = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path, "MIMALLOC_ALLOW_THP": "0"}, capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_what_counts_as_a_leak():
    memory = load()
    steps = range(0, 800, 10)
    base = 100 << 20
    bytes_at = {
        "flat": lambda n: base,
        "jump": lambda n: base + (0 if n < 600 else 3 << 20),
        "start": lambda n: base + min(n, 390) * 1000,
        "pages": lambda n: base + n * 100 // 4096 * 4096,
        "much": lambda n: base + (0 if n < 200 else 20 << 20),
    }
    found = {name for name, at in bytes_at.items() if memory.leaks([(n, at(n), 7) for n in steps])}
    assert found == {"pages", "much"}
    assert memory.leaks([(n, base, n) for n in steps])


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_resident_memory_is_flat_over_training_steps():
    script = ROOT / "scripts" / "memory.py"
    out = subprocess.run([sys.executable, str(script), "800"], capture_output=True, text=True, timeout=300)
    assert out.returncode == 0, out.stdout + out.stderr
    assert out.stdout.count("800 steps") == 3


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_resident_memory_is_flat_over_epochs_of_workers():
    import flambeau
    from flambeau.utils import data

    memory = load()
    rows = data.TensorDataset(flambeau.arange(400_000.0).reshape(400, 1000))
    loader = data.DataLoader(
        rows, batch_size=40, num_workers=2, persistent_workers=True, multiprocessing_context="fork"
    )

    def epoch():
        assert sum(batch[0].shape[0] for batch in loader) == 400

    readings = memory.watch(epoch, 100, 20)
    loader._iterator._shutdown_workers()
    # 1.6 MB and ten batches travel in an epoch.
    assert not memory.leaks(readings, limit=100 << 10, blocks=5), readings


def test_results_are_equal_for_one_and_two_threads():
    """Elementwise work, products, convolutions and row reductions; a full sum may differ in its last bits."""
    import flambeau
    from flambeau import nn

    def run(threads):
        flambeau.set_num_threads(threads)
        flambeau.manual_seed(0)
        x = flambeau.randn(64, 3, 40, 40, requires_grad=True)
        conv, linear = nn.Conv2d(3, 16, 3), nn.Linear(16 * 38 * 38, 50)
        y = linear(conv(x).relu().flatten(1))
        y.softmax(1).backward(flambeau.ones_like(y) * flambeau.arange(50.0))
        big = flambeau.randn(600, 700)
        return [y, x.grad, big @ big.t(), big.exp(), big.cumsum(0), big.sort(1)[0], flambeau.randn(100_000)]

    before = flambeau.get_num_threads()
    try:
        one, two = run(1), run(2)
    finally:
        flambeau.set_num_threads(before)
    for number, (a, b) in enumerate(zip(one, two)):
        assert a.equal(b), number
