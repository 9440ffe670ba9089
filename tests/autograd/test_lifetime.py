"""What the graph and its Python objects keep alive, and errors that pass through the engine."""

import gc
import weakref

import flambeau as torch
import numpy as np
import pytest


def test_hook_that_refers_to_its_tensor_is_collected():
    x = torch.ones(2, requires_grad=True)
    x.register_hook(lambda g, x=x: g)
    ref = weakref.ref(x)
    del x
    gc.collect()
    assert ref() is None


def test_hook_survives_its_tensors_object():
    seen = []
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(seen.append)
    z = y.sum()
    del y
    gc.collect()
    z.backward()
    assert len(seen) == 1 and seen[0].tolist() == [1.0, 1.0]


def test_backward_frees_the_saved_tensors():
    class Keep(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.save_for_backward(factor)
            return x * factor

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0], None

    array = np.ones(2)
    ref = weakref.ref(array)
    factor = torch.from_numpy(array)
    del array
    y = Keep.apply(torch.ones(2, dtype=torch.float64, requires_grad=True), factor).sum()
    del factor
    gc.collect()
    assert ref() is not None
    y.backward()
    gc.collect()
    assert ref() is None


def test_a_leaf_lives_as_long_as_a_graph_leads_to_it():
    array = np.ones(2)
    ref = weakref.ref(array)
    x = torch.from_numpy(array).requires_grad_()
    del array
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.tolist()))
    y = (x * 3).sum()
    del x
    gc.collect()
    assert ref() is not None
    y.backward()
    assert seen == [[3.0, 3.0]]
    del y
    gc.collect()
    assert ref() is None


def test_leaves_used_in_graphs_leave_nothing_behind():
    for _ in range(3):
        array = np.ones(2)
        ref = weakref.ref(array)
        x = torch.from_numpy(array).requires_grad_()
        del array
        (x * x).sum().backward()
        del x
        assert ref() is None


def test_saved_tensor_hooks_keep_nothing_alive():
    class Box:
        def __init__(self, t):
            self.t = t

    boxes = []

    def pack(t):
        box = Box(t.detach())
        boxes.append(weakref.ref(box))
        return box

    x = torch.ones(2, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda box: box.t):
        y = (x * x).exp().sum()
    assert all(box() is not None for box in boxes)
    y.backward()
    assert all(box() is None for box in boxes)


def test_gradients_from_several_threads_all_arrive():
    import threading

    x = torch.ones(200_000, requires_grad=True)

    def work():
        for _ in range(5):
            (x * 2).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert x.grad.min().item() == x.grad.max().item() == 40.0


def test_output_saved_for_backward_makes_no_cycle():
    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    gc.disable()
    try:
        y = Exp.apply(torch.ones(2, requires_grad=True))
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_a_deep_graph_is_walked_and_dropped_without_recursion():
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(50_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1.0
    del y


def test_errors_of_hooks_and_functions_come_back_as_the_same_object():
    class Special(Exception):
        pass

    error = Special("mine")

    def fail(*args):
        raise error

    x = torch.ones(1, requires_grad=True)
    x.register_hook(fail)
    with pytest.raises(Special) as caught:
        (x * 2).backward()
    assert caught.value is error

    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise error

    with pytest.raises(Special) as caught:
        Fails.apply(torch.ones(1, requires_grad=True)).backward()
    assert caught.value is error


def test_backward_inside_a_hook():
    inner = torch.ones(1, requires_grad=True)
    x = torch.ones(1, requires_grad=True)
    x.register_hook(torch.enable_grad()(lambda g: (inner * 3).backward()))
    (x * 2).backward()
    assert inner.grad.item() == 3.0 and x.grad.item() == 2.0


def test_grad_mode_inside_backward_follows_create_graph():
    seen = []

    class Look(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(torch.is_grad_enabled())
            return x * 2

        @staticmethod
        def backward(ctx, g):
            seen.append(torch.is_grad_enabled())
            return g * 2

    x = torch.ones(1, requires_grad=True)
    y = Look.apply(x)
    y.backward(retain_graph=True)
    y.backward(create_graph=True)
    assert seen == [False, False, True]


def test_grad_keeps_its_identity():
    x = torch.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    g = x.grad
    assert x.grad is g
    (x * 2).sum().backward()
    assert x.grad is g and g.tolist() == [4.0, 4.0]


def test_mode_objects_can_be_entered_again():
    mode = torch.no_grad()
    for _ in range(2):
        with mode:
            assert not torch.is_grad_enabled()
        assert torch.is_grad_enabled()
