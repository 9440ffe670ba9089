"""Memory shared with NumPy, buffers and other libraries: who keeps it alive, and what it forbids."""

import gc
import weakref

import flambeau as torch
import numpy as np
import pytest


def test_array_outlives_its_tensor():
    t = torch.arange(1000.0)
    a = t.numpy()
    del t
    gc.collect()
    filler = [torch.zeros(1000) for _ in range(10)]
    assert a.sum() == 499500.0 and len(filler) == 10


def test_tensor_keeps_the_array_alive_and_lets_it_go():
    class Owned(np.ndarray):
        pass

    a = np.arange(4.0).view(Owned)
    ref = weakref.ref(a)
    t = torch.from_numpy(a)
    del a
    gc.collect()
    assert ref() is not None and t.tolist() == [0.0, 1.0, 2.0, 3.0]
    del t
    gc.collect()
    assert ref() is None


LOOKS = [lambda t: t.numpy(), lambda t: memoryview(t.untyped_storage()), lambda t: t.__dlpack__()]


@pytest.mark.parametrize("look", LOOKS)
def test_memory_that_somebody_looks_into_does_not_move(look):
    t = torch.ones(3)
    view = look(t)
    with pytest.raises(RuntimeError, match="Trying to resize storage that is not resizable"):
        t.resize_(10_000)
    del view


def test_storage_is_a_buffer():
    t = torch.arange(3, dtype=torch.int32)
    assert bytes(t.untyped_storage()) == np.arange(3, dtype=np.int32).tobytes()
    memoryview(t.untyped_storage())[0] = 7
    assert t.tolist() == [7, 1, 2]


def test_storages_of_views_are_equal():
    t = torch.ones(4)
    assert t.untyped_storage() == t[2:].untyped_storage()
    assert hash(t.untyped_storage()) == hash(t[2:].untyped_storage())
    assert t.untyped_storage() != torch.ones(4).untyped_storage()


def test_tensors_from_buffers_and_storages():
    raw = np.arange(6.0, dtype=np.float32)
    t = torch._C._tensor_from_buffer(raw.tobytes(), torch.float32, 1, (2, 2), (2, 1))
    assert t.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    s = torch._C._storage_from_buffer(raw)
    a = torch._C._tensor_from_storage(s, torch.float32, 0, (6,), (1,))
    b = torch._C._tensor_from_storage(s, torch.float32, 4, (2,), (1,))
    b.fill_(9)
    assert a.tolist() == [0.0, 1.0, 2.0, 3.0, 9.0, 9.0] and raw[4] == 4.0
    with pytest.raises(RuntimeError, match="out of bounds for storage of size 24"):
        torch._C._tensor_from_storage(s, torch.float32, 5, (2,), (1,))


@pytest.mark.parametrize("version", [None, (1, 0)])
def test_dlpack_round_trip_shares_memory(version):
    t = torch.arange(6.0).reshape(2, 3).t()
    back = torch.from_dlpack(t.__dlpack__(max_version=version))
    back[0, 0] = 50
    assert t[0, 0].item() == 50 and back.stride() == t.stride()


def test_an_unused_capsule_frees_what_it_holds():
    a = np.ones(3)
    ref = weakref.ref(a)
    capsule = torch.from_numpy(a).__dlpack__()
    del a
    gc.collect()
    assert ref() is not None
    del capsule
    gc.collect()
    assert ref() is None


def test_sequences_that_change_while_they_are_read():
    class Shrinking:
        def __init__(self):
            self.n = 3

        def __len__(self):
            return 3

        def __getitem__(self, i):
            if i >= 2:
                raise IndexError(i)
            return float(i)

    with pytest.raises(IndexError):
        torch.tensor(Shrinking())


def test_self_referential_lists_are_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="too many dimensions 'list'"):
        torch.tensor(loop)
