"""Tensors in memory that processes share, and flambeau.multiprocessing. Every test ends by an alarm if something hangs."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import flambeau
from flambeau import multiprocessing as mp

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
LIMIT = 240


@pytest.fixture(autouse=True)
def nothing_hangs_and_nothing_is_left():
    def ring(*_):
        raise TimeoutError(f"more than {LIMIT} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    files = blocks()
    signal.alarm(LIMIT)
    try:
        yield
        gc.collect()
        assert mp.active_children() == []
        assert blocks() <= files
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        mp.set_sharing_strategy("file_descriptor")
        for child in mp.active_children():
            child.kill()
            child.join()


def blocks():
    """Named blocks of this package in the system."""
    return {name for name in os.listdir("/dev/shm") if name.startswith("torch_")} if os.path.isdir("/dev/shm") else set()


@pytest.fixture(params=["file_descriptor", "file_system"])
def strategy(request):
    mp.set_sharing_strategy(request.param)
    assert mp.get_sharing_strategy() == request.param
    return request.param


@pytest.fixture(params=["fork", "spawn"])
def context(request):
    return mp.get_context(request.param)


def test_names():
    assert mp.get_all_sharing_strategies() == {"file_descriptor", "file_system"}
    with pytest.raises(AssertionError, match="invalid sharing strategy 'carrier pigeon'"):
        mp.set_sharing_strategy("carrier pigeon")
    import multiprocessing

    assert mp.Process is multiprocessing.Process and mp.get_context("spawn").Queue
    for name in multiprocessing.__all__:
        assert hasattr(mp, name), name


def test_share_memory_moves_the_storage_under_all_views(strategy):
    x = flambeau.arange(10.0)
    view, before = x[2:], x.data_ptr()
    array = memoryview(x.untyped_storage())
    assert not x.is_shared() and not x.untyped_storage().is_shared()
    assert x.share_memory_() is x
    assert x.is_shared() and view.is_shared() and x._typed_storage().is_shared()
    assert x.data_ptr() != before and view.data_ptr() == x.data_ptr() + 8
    again = x.data_ptr()
    assert x.share_memory_().data_ptr() == again
    view[0] = 50
    assert x.tolist() == [0, 1, 50, 3, 4, 5, 6, 7, 8, 9]
    assert bytes(array[8:12]) == bytes(memoryview(flambeau.tensor([2.0]).untyped_storage())), "old memory stays readable"
    with pytest.raises(RuntimeError, match="not resizable"):
        x.untyped_storage().resize_(1000)
    assert flambeau.empty(0).share_memory_().shape == (0,)
    module = flambeau.nn.Linear(2, 2).share_memory()
    assert all(p.is_shared() for p in module.parameters())
    x.requires_grad_().mul(2).sum().backward()
    assert x.grad.tolist() == [2.0] * 10


def add_one(x, done):
    x += 1
    done.set()


def test_children_write_into_shared_tensors(context, strategy):
    x = flambeau.zeros(4).share_memory_()
    done = context.Event()
    process = context.Process(target=add_one, args=(x, done))
    process.start()
    process.join(LIMIT)
    assert process.exitcode == 0 and done.is_set() and x.tolist() == [1, 1, 1, 1]


def answer(received, sent, stop):
    for x in iter(received.get, None):
        if x.is_floating_point() and x.numel() and not x.requires_grad:
            x.mul_(2)
        sent.put((x, x.stride(), str(x.dtype), x.requires_grad, type(x).__name__, x.is_shared()))
    stop.wait(LIMIT)


def test_queues_pass_memory_both_ways(context, strategy):
    received, sent, stop = context.Queue(), context.Queue(), context.Event()
    process = context.Process(target=answer, args=(received, sent, stop))
    process.start()
    values = [
        flambeau.arange(6.0).reshape(2, 3).t(),
        flambeau.arange(10.0)[3:7],
        flambeau.ones(2, dtype=flambeau.bfloat16),
        flambeau.tensor([True, False]),
        flambeau.empty(0, 2),
        flambeau.ones(2, requires_grad=True),
        flambeau.nn.Parameter(flambeau.ones(2)),
    ]
    for x in values:
        before = x.detach().clone()
        received.put(x)
        got, stride, dtype, grad, cls, shared = sent.get(timeout=LIMIT)
        assert (stride, dtype, grad, cls) == (x.stride(), str(x.dtype), x.requires_grad, type(x).__name__)
        assert shared or not x.numel()
        assert got.equal(x), "one memory: the other process' writes are seen"
        if x.is_floating_point() and x.numel() and not x.requires_grad:
            assert x.equal(before * 2)
        if x.numel():
            assert got.data_ptr() == x.data_ptr(), "what comes back is the storage that went out"
        del got
    received.put(None)
    stop.set()
    process.join(LIMIT)
    assert process.exitcode == 0


def test_tensors_with_history_do_not_travel():
    from multiprocessing.reduction import ForkingPickler

    x = flambeau.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor which requires_grad"):
        ForkingPickler.dumps(x * 2)
    with pytest.raises(RuntimeError, match="Cannot pickle meta storage"):
        ForkingPickler.dumps(flambeau.empty(2, device="meta").untyped_storage())
    import pickle

    meta = pickle.loads(ForkingPickler.dumps(flambeau.empty(2, 3, device="meta")))
    assert meta.is_meta and meta.shape == (2, 3)


def test_named_blocks_are_unlinked_with_their_last_user():
    if not os.path.isdir("/dev/shm"):
        pytest.skip("needs /dev/shm")
    mp.set_sharing_strategy("file_system")
    before = blocks()
    x = flambeau.ones(1000).share_memory_()
    assert len(blocks() - before) == 1
    queue = mp.get_context("fork").Queue()
    queue.put(x)
    del x
    gc.collect()
    # Under way, and then held by the receiver.
    assert len(blocks() - before) == 1
    y = queue.get(timeout=LIMIT)
    assert y.sum() == 1000 and len(blocks() - before) == 1
    del y
    gc.collect()
    assert blocks() == before
    queue.close()


def test_named_blocks_of_a_killed_process_are_unlinked():
    if not os.path.isdir("/dev/shm"):
        pytest.skip("needs /dev/shm")
    script = """
        import os, signal, flambeau
        flambeau.multiprocessing.set_sharing_strategy("file_system")
        x = flambeau.ones(10).share_memory_()
        print([n for n in os.listdir("/dev/shm") if n.startswith(f"torch_{os.getpid()}_")], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    out = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=LIMIT)
    (name,) = eval(out.stdout)
    end = time.monotonic() + 60
    while name in blocks() and time.monotonic() < end:
        time.sleep(0.1)
    assert name not in blocks()


def double(x):
    return x * 2


def test_pools():
    with mp.get_context("fork").Pool(2) as pool:
        out = pool.map(double, [flambeau.full((3,), float(i)) for i in range(6)])
    assert [x[0].item() for x in out] == [0, 2, 4, 6, 8, 10]


def test_the_thread_pool_works_in_forked_children():
    threads = flambeau.get_num_threads()
    flambeau.set_num_threads(2)
    try:
        expected = flambeau.arange(3_000_000.0).sum().item()
        queue = mp.get_context("fork").SimpleQueue()

        def child():
            queue.put(flambeau.arange(3_000_000.0).sum().item())

        process = mp.get_context("fork").Process(target=child)
        process.start()
        process.join(LIMIT)
        assert process.exitcode == 0 and queue.get() == expected
    finally:
        flambeau.set_num_threads(threads)


def work(index, kind, x):
    x[index] = index + 1
    if index == 1 and kind == "raise":
        raise ValueError("the reason")
    if index == 1 and kind == "exit":
        os._exit(7)
    if index == 1 and kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind != "fine":
        time.sleep(LIMIT)


def test_spawn():
    x = flambeau.zeros(3).share_memory_()
    assert mp.spawn(work, args=("fine", x), nprocs=3) is None
    assert x.tolist() == [1, 2, 3]
    context = mp.spawn(work, args=("fine", x), nprocs=1, join=False)
    assert len(context.pids()) == 1
    while not context.join(timeout=5):
        pass


@pytest.mark.parametrize(
    "kind, error, text",
    [
        ("raise", "ProcessRaisedException", "\n\n-- Process 1 terminated with the following error:\nTraceback"),
        ("exit", "ProcessExitedException", "process 1 terminated with exit code 7"),
        ("kill", "ProcessExitedException", "process 1 terminated with signal SIGKILL"),
    ],
)
def test_failures_of_started_processes(kind, error, text):
    x = flambeau.zeros(2).share_memory_()
    with pytest.raises(getattr(mp, error)) as caught:
        mp.start_processes(work, args=(kind, x), nprocs=2, start_method="fork")
    assert str(caught.value).startswith(text) and caught.value.error_index == 1
    if kind == "raise":
        assert "ValueError: the reason" in str(caught.value)
    import pickle

    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def run(source, tmp_path, *args):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(source))
    out = subprocess.run([sys.executable, *args, str(path)], capture_output=True, text=True, timeout=LIMIT)
    assert out.returncode == 0, out.stderr
    assert out.stderr == ""
    return out.stdout


def test_torch_is_flambeau_in_spawned_children(tmp_path):
    source = """
        import sys
        import torch
        import torch.multiprocessing as mp
        from torch import nn

        def train(rank, model):
            assert torch.__name__ == "flambeau" and nn.__name__ == "flambeau.nn"
            for p in model.parameters():
                p.data += 1

        if __name__ == "__main__":
            for method in ("spawn", "forkserver"):
                model = nn.Linear(2, 2)
                nn.init.zeros_(model.weight)
                model.share_memory()
                mp.start_processes(train, args=(model,), nprocs=2, start_method=method)
                print(model.weight.tolist())
    """
    assert run(source, tmp_path, "-m", "flambeau") == "[[2.0, 2.0], [2.0, 2.0]]\n" * 2


def test_python_s_own_multiprocessing_shares_too(tmp_path):
    source = """
        import multiprocessing
        import flambeau

        def child(q, x, done):
            q.get().add_(1)
            x.add_(1)
            done.set()

        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            queue, done = context.Queue(), context.Event()
            x, y = flambeau.zeros(2), flambeau.zeros(3)
            p = context.Process(target=child, args=(queue, x, done))
            p.start()
            queue.put(y)
            p.join()
            print(x.tolist(), y.tolist(), p.exitcode)
    """
    assert run(source, tmp_path) == "[1.0, 1.0] [1.0, 1.0, 1.0] 0\n"
