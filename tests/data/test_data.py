"""Datasets, samplers and the DataLoader."""

import collections
import importlib.util
import json
from pathlib import Path

import pytest

import flambeau
from flambeau.utils import data

HERE = Path(__file__).parent
RECORDED = json.loads((HERE / "recorded.json").read_text())
_spec = importlib.util.spec_from_file_location("record_data", HERE.parent / "tools" / "record_data.py")
record_data = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(record_data)


def test_same_seed_same_batches_as_pytorch():
    actual = record_data.runs(flambeau)
    assert [row[0] for row in actual] == [row[0] for row in RECORDED]
    for (name, out, draw), (_, expected, expected_draw) in zip(actual, RECORDED):
        assert out == expected, name
        assert draw == pytest.approx(expected_draw), f"{name}: the default generator moved differently"


class Squares(data.Dataset):
    def __init__(self, count=7):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return {"x": float(index), "y": (index * index, str(index))}


class Stream(data.IterableDataset):
    def __init__(self, count=11):
        self.count = count

    def __iter__(self):
        return iter(range(self.count))

    def __len__(self):
        return self.count


def test_batches_of_structures():
    batches = list(data.DataLoader(Squares(), batch_size=4))
    assert len(batches) == len(data.DataLoader(Squares(), batch_size=4)) == 2
    assert batches[1]["x"].equal(flambeau.tensor([4.0, 5.0, 6.0], dtype=flambeau.float64))
    squares, names = batches[1]["y"]
    assert squares.equal(flambeau.tensor([16, 25, 36])) and names == ("4", "5", "6")


@pytest.mark.parametrize("make", [lambda d: d, lambda d: data.Subset(d, list(range(22, -1, -1)))])
def test_fast_path_of_tensor_datasets_equals_collating(make):
    dataset = make(data.TensorDataset(flambeau.arange(46).reshape(23, 2), flambeau.arange(23.0)))
    plain = [dataset[i] for i in range(23)]
    fast = list(data.DataLoader(dataset, batch_size=5))
    slow = list(data.DataLoader(plain, batch_size=5))
    assert len(fast) == len(slow) == 5
    for a, b in zip(fast, slow):
        assert type(a) is type(b) is list
        assert all(x.equal(y) and x.dtype == y.dtype for x, y in zip(a, b))


def test_overridden_tensor_dataset_is_asked():
    class Negated(data.TensorDataset):
        def __getitem__(self, index):
            return -self.tensors[0][index]

    (batch,) = data.DataLoader(Negated(flambeau.arange(3)), batch_size=3)
    assert batch.tolist() == [0, -1, -2]


def test_streams():
    assert [b.tolist() for b in data.DataLoader(Stream(5), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in data.DataLoader(Stream(5), batch_size=2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(data.DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]
    assert len(data.DataLoader(Stream(5), batch_size=2)) == 3
    assert [b.tolist() for b in data.DataLoader(Stream(2) + Stream(1), batch_size=3)] == [[0, 1, 0]]


def test_stream_longer_than_announced_warns():
    class Liar(Stream):
        def __len__(self):
            return 2

    loader = data.DataLoader(Liar(5), batch_size=None)
    assert len(loader) == 2
    items = iter(loader)
    assert [next(items), next(items)] == [0, 1]
    with pytest.warns(UserWarning, match="but 3 samples have been fetched"):
        next(items)


def test_collation_of_all_kinds():
    collate = data.default_collate
    point = collections.namedtuple("point", "a b")
    assert collate([1, 2]).dtype == flambeau.int64
    assert collate([1.0, 2.0]).dtype == flambeau.float64
    assert collate(["a", "b"]) == ["a", "b"]
    assert collate([point(1, 2), point(3, 4)]).b.tolist() == [2, 4]
    assert [t.tolist() for t in collate([[1, 2], [3, 4]])] == [[1, 3], [2, 4]]
    assert collate([True, False]).dtype == flambeau.bool
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        collate([[1], [1, 2]])
    with pytest.raises(
        TypeError, match="default_collate: batch must contain tensors.*found <class 'object'>"
    ):
        collate([object()])


def test_numpy_values():
    np = pytest.importorskip("numpy")
    assert data.default_collate([np.ones(2), np.zeros(2)]).tolist() == [[1, 1], [0, 0]]
    assert data.default_collate([np.float32(1), np.float32(2)]).tolist() == [1, 2]
    converted = data.default_convert({"a": np.ones(2), "b": (1, np.int64(3))})
    assert converted["a"].tolist() == [1, 1] and converted["b"][0] == 1 and converted["b"][1].item() == 3
    with pytest.raises(TypeError, match="found <U1"):
        data.default_collate([np.array(["a"])])


def test_datasets():
    a, b = data.TensorDataset(flambeau.arange(3)), data.TensorDataset(flambeau.arange(10, 12))
    both = a + b
    assert len(both) == 5 and [both[i][0].item() for i in (0, 3, -1)] == [0, 10, 11]
    with pytest.raises(ValueError, match="absolute value of index should not exceed dataset length"):
        both[-6]
    stacked = data.StackDataset(x=a, y=[7, 8, 9])
    assert stacked[1]["y"] == 8 and stacked.__getitems__([0, 2])[1]["y"] == 9
    with pytest.raises(ValueError, match="Size mismatch between datasets"):
        data.StackDataset(a, b)
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        data.TensorDataset(flambeau.ones(2), flambeau.ones(3))
    with pytest.raises(AssertionError, match="ConcatDataset does not support IterableDataset"):
        data.ConcatDataset([Stream()])
    with pytest.raises(ValueError, match="Sum of input lengths does not equal"):
        data.random_split(range(5), [1, 2])
    with pytest.raises(NotImplementedError, match="overrides __getitem__ but not __getitems__"):

        class Partial(data.Subset):
            def __getitem__(self, index):
                return 0

        Partial(a, [0])
    assert issubclass(data.Dataset[int].__origin__, data.Dataset)


def test_contradicting_options():
    dataset = list(range(4))
    for kwargs, message in [
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"timeout": -1}, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only be specified in multiprocessing"),
        ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
        ({"sampler": [1], "shuffle": True}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batching"),
        ({"batch_size": 0}, "batch_size should be a positive integer value, but got batch_size=0"),
        ({"multiprocessing_context": "fork"}, "multiprocessing_context can only be used with"),
    ]:
        with pytest.raises(ValueError, match=message):
            data.DataLoader(dataset, **kwargs)
    with pytest.raises(ValueError, match="expected unspecified shuffle option, but got shuffle=True"):
        data.DataLoader(Stream(), shuffle=True)
    with pytest.raises(ValueError, match="num_samples should be a positive integer value"):
        data.DataLoader([], shuffle=True)
    loader = data.DataLoader(dataset)
    with pytest.raises(
        ValueError, match="batch_size attribute should not be set after DataLoader is initialized"
    ):
        loader.batch_size = 3


def test_custom_collate_sampler_and_batch_sampler():
    dataset = list(range(10))
    assert list(data.DataLoader(dataset, batch_size=3, sampler=[5, 1, 7, 2], collate_fn=sum)) == [13, 2]
    assert list(data.DataLoader(dataset, batch_sampler=[[1, 2], [9]], collate_fn=list)) == [[1, 2], [9]]


def test_iterators_are_independent():
    loader = data.DataLoader(list(range(4)), batch_size=2)
    first, second = iter(loader), iter(loader)
    assert next(first).tolist() == next(second).tolist() == [0, 1]
    assert next(first).tolist() == [2, 3]
    with pytest.raises(StopIteration):
        next(first)
    assert next(second).tolist() == [2, 3]
