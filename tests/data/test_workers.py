"""DataLoader with worker processes. Every test ends by an alarm if something hangs."""

import collections
import gc
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import flambeau
from flambeau.utils import data

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
LIMIT = 240


@pytest.fixture(autouse=True)
def nothing_hangs_and_nothing_is_left():
    def ring(*_):
        raise TimeoutError(f"more than {LIMIT} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(LIMIT)
    try:
        yield
        # An exception that a test caught may hold an iterator in a cycle.
        gc.collect()
        assert multiprocessing.active_children() == []
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        for child in multiprocessing.active_children():
            child.kill()
            child.join()


def loader(dataset, **kwargs):
    return data.DataLoader(dataset, **{"num_workers": 2, "multiprocessing_context": "fork", **kwargs})


class Calls(data.Dataset):
    """Items are what a function gives for the index."""

    def __init__(self, function, count=8):
        self.function = function
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.function(index)


def test_seeds_and_order_are_those_of_pytorch():
    """Under fork and spawn, in a script that imports torch."""
    command = [sys.executable, "-W", "ignore", "-m", "flambeau", str(HERE / "worker_cases.py")]
    out = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert out.returncode == 0, out.stderr
    expected = json.loads((HERE / "recorded_workers.json").read_text())
    actual = json.loads(out.stdout)
    try:
        import numpy  # noqa: F401
    except ImportError:
        for rows in (expected, actual):
            for _, epochs, *rest in rows:
                for batch in (batch for epoch in epochs for batch in epoch if rest):
                    batch[-1] = 0
    for a, b in zip(actual, expected, strict=True):
        assert a == b, a[0]


Point = collections.namedtuple("Point", "x y")


def test_structures_arrive_as_without_workers():
    def item(i):
        return {
            "point": Point(flambeau.full((2, 3), float(i)).t(), flambeau.tensor(i, dtype=flambeau.bfloat16)),
            "text": "long " * 10000 * (i % 2) + str(i),
            "empty": flambeau.empty(0, 3),
            "mixed": [i, float(i), i % 2 == 0, b"b"],
        }

    here = list(data.DataLoader(Calls(item), batch_size=3))
    there = list(loader(Calls(item), batch_size=3))
    assert len(here) == len(there) == 3
    for a, b in zip(here, there):
        assert list(a) == list(b) and type(b["point"]) is Point
        for x, y in zip(a["point"], b["point"]):
            assert x.equal(y) and x.dtype is y.dtype and x.stride() == y.stride()
        assert a["text"] == b["text"] and b["empty"].shape == (len(b["text"]), 0, 3)
        assert [str(x) for x in a["mixed"]] == [str(x) for x in b["mixed"]]
        assert b["point"].x.is_shared()


def test_uncollated_tensors_keep_strides_views_and_identity():
    big = flambeau.arange(3_000_000.0)

    def item(i):
        x = flambeau.arange(12.0).reshape(3, 4) + i
        return [x.t()[1:], x, x.double(), big[1000 * i + 5 : 1000 * i + 8], flambeau.nn.Parameter(x[0] * 1)]

    for i, (view, whole, double, part, parameter) in enumerate(loader(Calls(item), batch_size=None)):
        assert view.stride() == (1, 4) and view.equal(whole.t()[1:])
        view.zero_()
        assert whole[:, 1:].count_nonzero() == 0, "views of one storage stay views of one storage"
        assert double.dtype is flambeau.float64 and double[0, 0] == i
        assert part.tolist() == [1000 * i + 5, 1000 * i + 6, 1000 * i + 7]
        assert part.untyped_storage().nbytes() < 200, "only the bytes that a tensor uses are sent"
        assert type(parameter) is flambeau.nn.Parameter and parameter.tolist() == [i, i + 1, i + 2, i + 3]


def test_tensors_in_shared_memory_stay_one_memory():
    x = flambeau.zeros(8).share_memory_()

    def item(i):
        x[i] = i
        return x

    assert all(got.is_shared() and got.data_ptr() for got in loader(Calls(item), batch_size=None))
    assert x.tolist() == list(range(8))
    got = next(iter(loader(Calls(lambda i: x), batch_size=None, num_workers=1)))
    got[0] = 77
    assert x[0] == 77


class TwoArguments(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


def test_exceptions_come_back_with_their_traceback():
    def item(i):
        if i == 2:
            raise ValueError("wrong")
        if i == 3:
            raise KeyError("key")
        if i == 4:
            raise TwoArguments(1, 2)
        if i == 5:
            return lambda: None
        return i

    batches = iter(loader(Calls(item), num_workers=2, collate_fn=lambda items: items[0]))
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ValueError) as caught:
        next(batches)
    lines = str(caught.value).splitlines()
    assert lines[0] == "Caught ValueError in DataLoader worker process 0."
    assert lines[1] == "Original Traceback (most recent call last):"
    assert lines[-1] == "ValueError: wrong" and any("in item" in line for line in lines)
    with pytest.raises(KeyError) as caught:
        next(batches)
    assert str(caught.value).splitlines()[0] == "Caught KeyError in DataLoader worker process 1."
    with pytest.raises(RuntimeError, match="Caught TwoArguments in DataLoader worker process 0"):
        next(batches)
    with pytest.raises(Exception, match="[Pp]ickle.*<lambda>"):
        next(batches)
    assert [next(batches), next(batches)] == [6, 7]
    with pytest.raises(StopIteration):
        next(batches)


def test_failing_init_function():
    def init(worker):
        raise OSError("no disk")

    with pytest.raises(OSError, match="Caught OSError in DataLoader worker process 0"):
        next(iter(loader(Calls(int), worker_init_fn=init)))


def test_tensors_with_history_are_refused():
    weight = flambeau.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor which requires_grad"):
        next(iter(loader(Calls(lambda i: weight * i), batch_size=None)))


@pytest.mark.parametrize(
    "end, why",
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), r"is killed by signal: Killed\. $"),
        (lambda: os._exit(3), "exited unexpectedly with exit code 3. Details are lost"),
    ],
)
def test_a_worker_that_dies_gives_a_clear_error(end, why):
    def item(i):
        if i == 5:
            end()
        return os.getpid()

    batches = iter(loader(Calls(item), num_workers=2))
    pids = [int(next(batches)), int(next(batches))]
    with pytest.raises(RuntimeError) as caught:
        for _ in range(6):
            next(batches)
    assert str(caught.value) == f"DataLoader worker (pid(s) {pids[1]}) exited unexpectedly"
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert re.search(why, str(caught.value.__cause__))
    assert multiprocessing.active_children() == [], "the other workers are ended too"
    with pytest.raises((RuntimeError, StopIteration)):
        next(batches)


def test_timeout():
    batches = iter(loader(Calls(lambda i: time.sleep(30 * (i == 1))), timeout=1.5, collate_fn=list))
    assert next(batches) == [None]
    with pytest.raises(RuntimeError, match="^DataLoader timed out after 1.5 seconds$"):
        next(batches)


def test_persistent_workers_are_kept_and_restart_cleanly():
    kept = loader(Calls(lambda i: (i, os.getpid())), persistent_workers=True, num_workers=2)
    first = [(int(i), int(pid)) for i, pid in kept]
    broken_off = iter(kept)
    assert int(next(broken_off)[0]) == 0
    second = [(int(i), int(pid)) for i, pid in kept]
    assert first == second and [i for i, _ in first] == list(range(8))
    assert len({pid for _, pid in first}) == 2
    fresh = loader(Calls(lambda i: (i, os.getpid())), num_workers=2)
    assert {int(p) for _, p in fresh}.isdisjoint({int(p) for _, p in fresh})
    del kept, broken_off


def test_workers_end_when_a_loop_is_left_and_descriptors_do_not_pile_up():
    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    list(loader(Calls(int)))
    before = descriptors()
    for _ in range(3):
        for _ in loader(Calls(lambda i: flambeau.ones(10)), batch_size=2):
            break
    assert multiprocessing.active_children() == []
    assert descriptors() <= before
    held = list(loader(Calls(lambda i: flambeau.full((10,), float(i)), 600), batch_size=1))
    assert descriptors() <= before + 5, "batches that a program holds need no descriptors"
    assert [float(batch[0, 0]) for batch in held] == list(range(600))


def test_out_of_order():
    def item(i):
        if i == 0:
            time.sleep(0.5)
        return i

    got = [int(batch) for batch in loader(Calls(item), in_order=False)]
    assert sorted(got) == list(range(8)) and got[0] != 0


def test_workers_start_while_other_threads_compute():
    """A forked worker must not inherit a lock of the generator, of the allocator or of the thread pool."""
    import threading

    stop = threading.Event()

    def compute():
        while not stop.is_set():
            flambeau.randn(200_000).sum()

    threads = [threading.Thread(target=compute) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            sums = [float(batch) for batch in loader(Calls(lambda i: flambeau.ones(300_000).sum(), 4))]
            assert sums == [300_000.0] * 4
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_length_warning_of_streams_names_workers():
    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(range(3))

        def __len__(self):
            return 3

    twice = loader(Stream(), batch_size=None)
    assert len(twice) == 3
    with pytest.warns(UserWarning, match="For multiprocessing data-loading, this could be caused by"):
        assert sorted(twice) == [0, 0, 1, 1, 2, 2]


def test_options():
    with pytest.warns(UserWarning, match="This DataLoader will create 5000 worker processes in total"):
        data.DataLoader(range(3), num_workers=5000)
    with pytest.raises(ValueError, match="should specify a valid start method"):
        loader(range(3), multiprocessing_context="teleport")
    with pytest.raises(TypeError, match="should be a valid context object"):
        loader(range(3), multiprocessing_context=3)
    with pytest.raises(AssertionError, match="prefetch_factor must be greater than 0"):
        iter(loader(range(3), prefetch_factor=0))
    context = multiprocessing.get_context("fork")
    assert [int(x) for x in loader(range(3), multiprocessing_context=context)] == [0, 1, 2]
    with pytest.warns(UserWarning, match="no accelerator is found"):
        assert len(list(loader(range(3), pin_memory=True))) == 3
    assert data.get_worker_info() is None
    info = next(iter(loader(Calls(lambda i: data.get_worker_info()), collate_fn=lambda items: items[0].seed)))
    assert isinstance(info, int)


SCRIPT = """
import os, sys, time
import flambeau
from flambeau.utils import data

class Slow(data.Dataset):
    def __len__(self): return 1000
    def __getitem__(self, i):
        if i > 3: time.sleep(WAIT)
        return flambeau.ones(1000), os.getpid()

for batch, pid in data.DataLoader(Slow(), num_workers=2, batch_size=1):
    print(int(pid), flush=True)
"""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def start_script(wait):
    """A script with two workers, in a session of its own, after its first batches."""
    source = SCRIPT.replace("WAIT", wait)
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    pids = {int(process.stdout.readline()) for _ in range(4)}
    assert len(pids) == 2 and all(map(alive, pids))
    return process, pids


def wait_for_end(pids):
    end = time.monotonic() + 60
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return [pid for pid in pids if alive(pid)]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
@pytest.mark.parametrize("everyone", [True, False])
def test_interrupt_leaves_nothing_behind(everyone):
    """Control-C in a terminal interrupts all processes of the group; `kill -INT` only one."""
    before = set(os.listdir("/dev/shm"))
    process, pids = start_script("0.3")
    try:
        (os.killpg if everyone else os.kill)(process.pid, signal.SIGINT)
        errors = process.communicate(timeout=LIMIT)[1]
        assert process.returncode == -signal.SIGINT
        assert errors.rstrip().endswith("KeyboardInterrupt")
        assert wait_for_end(pids) == []
        assert set(os.listdir("/dev/shm")) <= before
    finally:
        for pid in {process.pid, *pids}:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_workers_end_when_the_main_process_is_killed():
    before = set(os.listdir("/dev/shm"))
    process, pids = start_script("0.3")
    try:
        process.kill()
        process.communicate(timeout=LIMIT)
        assert wait_for_end(pids) == []
        assert set(os.listdir("/dev/shm")) <= before
    finally:
        for pid in pids:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
