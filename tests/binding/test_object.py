"""The Python object of a tensor: identity, lifetime, the garbage collector, subclasses."""

import copy
import gc
import pickle
import threading
import weakref

import flambeau as torch
import pytest
from flambeau.nn import Parameter


def test_the_same_tensor_is_the_same_object():
    x = torch.ones(3, requires_grad=True)
    (x * 2).sum().backward()
    assert x.grad is x.grad
    y = x[0]
    assert y._base is x
    assert x.grad_fn is None and (x * 1).grad_fn.next_functions[0][0].variable is x


def test_an_attribute_survives_while_the_object_lives():
    x = torch.ones(3, requires_grad=True)
    (x * 2).sum().backward()
    x.grad.note = "kept"
    gc.collect()
    assert x.grad.note == "kept"
    x.grad = torch.zeros(3)
    assert not hasattr(x.grad, "note")


def test_replacing_the_gradient_is_seen():
    x = torch.ones(3, requires_grad=True)
    (x * 2).sum().backward()
    first = x.grad
    x.grad = None
    assert x.grad is None
    (x * 3).sum().backward()
    assert x.grad is not first and x.grad.tolist() == [3.0] * 3


def test_objects_die_without_the_collector():
    gc.disable()
    try:
        x = torch.ones(3)
        ref = weakref.ref(x)
        y = x + x
        del x
        assert ref() is None and y.tolist() == [2.0] * 3
    finally:
        gc.enable()


def test_plain_tensors_are_not_tracked_until_they_need_to_be():
    x = torch.ones(3)
    assert not gc.is_tracked(x)
    x.note = 1
    assert gc.is_tracked(x) and x.__dict__ == {"note": 1}


@pytest.mark.parametrize("make", [lambda: torch.ones(3), lambda: Parameter(torch.ones(3))])
def test_a_cycle_through_an_attribute_is_collected(make):
    x = make()
    x.me = x
    ref = weakref.ref(x)
    del x
    gc.collect()
    assert ref() is None


def test_a_cycle_through_a_hook_is_collected():
    x = torch.ones(3, requires_grad=True)
    x.register_hook(lambda g, x=x: g)
    ref = weakref.ref(x)
    del x
    gc.collect()
    assert ref() is None


def test_a_cycle_through_the_gradient_is_collected():
    x = torch.ones(3, requires_grad=True)
    (x * 2).sum().backward()
    x.grad.owner = x
    ref, grad = weakref.ref(x), weakref.ref(x.grad)
    del x
    gc.collect()
    assert ref() is None and grad() is None


def test_the_gradient_lives_while_somebody_holds_the_tensor():
    x = torch.ones(3, requires_grad=True)
    (x * 2).sum().backward()
    x.grad.owner = x
    gc.collect()
    assert x.grad.owner is x and x.grad.tolist() == [2.0] * 3


def test_a_weak_reference_is_cleared_before_the_tensor_can_be_seen_again():
    seen = []
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    weakref.finalize(x, lambda: seen.append(y.grad_fn.next_functions[0][0].variable))
    del x
    assert len(seen) == 1 and seen[0].tolist() == [1.0] * 3


def test_operations_on_parameters_give_tensors():
    p = Parameter(torch.ones(3))
    assert type(p + p) is torch.Tensor and type(p[0]) is torch.Tensor and type(p.exp()) is torch.Tensor
    assert isinstance(p, torch.Tensor) and type(p.data) is torch.Tensor
    with torch.no_grad():
        same = p
        same += 1
    assert same is p and p.tolist() == [2.0] * 3


class Plain(torch.Tensor):
    """A subclass that leaves the protocol as it is."""


class Logged(torch.Tensor):
    """A subclass that sees its calls."""

    calls = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.calls.append(getattr(func, "__name__", str(func)))
        return super().__torch_function__(func, types, args, kwargs or {})


class Refuses(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return NotImplemented


def test_results_keep_a_subclass():
    x = torch.ones(3).as_subclass(Plain)
    for y in (x + 1, 1 + x, x.exp(), torch.exp(x), x[0], torch.cat([x, x]), x + torch.ones(3)):
        assert type(y) is Plain
    assert all(type(part) is Plain for part in x.split(1))
    assert type(torch.max(x, 0).values) is Plain


def test_a_subclass_sees_calls():
    Logged.calls.clear()
    x = torch.ones(3).as_subclass(Logged)
    y = torch.add(x, 1)
    z = x.exp()
    w = torch.ones(3) * x
    v = x[0]
    assert Logged.calls == ["add", "exp", "mul", "__getitem__"]
    assert {type(t) for t in (y, z, w, v)} == {Logged}
    assert y.tolist() == [2.0] * 3 and w.tolist() == [1.0] * 3


def test_no_implementation_is_a_type_error():
    x = torch.ones(3).as_subclass(Refuses)
    with pytest.raises(TypeError, match="torch.add"):
        torch.add(x, 1)


def test_the_protocol_can_be_turned_off():
    x = torch.ones(3).as_subclass(Logged)
    Logged.calls.clear()
    with torch._C.DisableTorchFunctionSubclass():
        assert type(x + 1) is torch.Tensor
    assert Logged.calls == []


def test_a_subclass_has_attributes_and_dies():
    x = torch.ones(3).as_subclass(Plain)
    x.note = 3
    ref = weakref.ref(x)
    x.me = x
    del x
    gc.collect()
    assert ref() is None


def test_make_subclass_checks_its_arguments():
    with pytest.raises(TypeError, match="must be Tensor, not int"):
        torch.Tensor._make_subclass(Plain, 3)
    with pytest.raises(TypeError):
        torch.Tensor._make_subclass(int, torch.ones(1))
    x = torch.Tensor._make_subclass(Plain, torch.ones(2), True)
    assert type(x) is Plain and x.requires_grad and x.is_leaf


def test_small_objects_pickle_and_copy_as_themselves():
    for obj in (torch.float32, torch.strided, torch.channels_last):
        assert pickle.loads(pickle.dumps(obj)) is obj and copy.deepcopy(obj) is obj
    for obj in (torch.device("cuda", 1), torch.device("cpu"), torch.Size([2, 3])):
        back = pickle.loads(pickle.dumps(obj))
        assert back == obj and type(back) is type(obj)
    assert hash(torch.device("cuda:1")) == hash(torch.device("cuda", 1))
    assert torch.device("cpu") != torch.device("meta") and torch.device("cpu") != "cpu"


def test_names_of_the_type():
    assert torch.Tensor.__name__ == "Tensor" and torch.Tensor.__module__ == "flambeau"


def test_threads_compute_at_the_same_time_as_others_run():
    x = torch.ones(512, 512)
    results = []

    def work():
        results.append(float((x @ x).sum()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [512.0**3] * 4


def test_an_error_in_a_hook_comes_back_whole():
    class Mine(Exception):
        pass

    def hook(grad):
        raise Mine("from the hook")

    x = torch.ones(3, requires_grad=True)
    x.register_hook(hook)
    with pytest.raises(Mine, match="from the hook"):
        (x * 2).sum().backward()
