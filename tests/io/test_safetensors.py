"""safetensors files: read, written, refused; the same as the safetensors package's where that is installed."""

import json

import flambeau
import pytest
from flambeau.utils import safetensors as st


def state():
    return {
        "w": flambeau.arange(6.0).reshape(2, 3),
        "a.half": flambeau.tensor([1.5, -2.0]).half(),
        "b.bf16": flambeau.tensor([1.5]).bfloat16(),
        "flags": flambeau.tensor([True, False, True]),
        "ints": flambeau.tensor([[1], [-1]], dtype=flambeau.int64),
        "u16": flambeau.tensor([65535], dtype=flambeau.uint16),
        "c": flambeau.tensor([1 + 2j]),
        "f8": flambeau.tensor([0.5, 2.0]).to(flambeau.float8_e4m3fn),
        "scalar": flambeau.tensor(3.5, dtype=flambeau.float64),
        "empty": flambeau.empty(0, 4),
    }


def assert_same(a, b):
    assert sorted(a) == sorted(b)
    for name, tensor in a.items():
        assert tensor.dtype == b[name].dtype and tensor.shape == b[name].shape
        assert tensor.float().tolist() == b[name].float().tolist() if name != "c" else tensor.tolist() == b[name].tolist()


def test_round_trip(tmp_path):
    assert_same(st.load(st.save(state())), state())
    path = tmp_path / "x.safetensors"
    st.save_file(state(), path, metadata={"format": "pt"})
    assert_same(st.load_file(path), state())
    assert st.load_file(path, device="meta")["w"].is_meta
    with st.safe_open(path, framework="pt", device="cpu") as file:
        assert file.metadata() == {"format": "pt"} and file.keys() == sorted(state())
        assert file.get_tensor("w").tolist() == [[0, 1, 2], [3, 4, 5]]
        part = file.get_slice("w")
        assert part.get_shape() == [2, 3] and part.get_dtype() == "F32" and part[1, 1:].tolist() == [4, 5]
        with pytest.raises(st.SafetensorError, match="does not contain tensor nothing"):
            file.get_tensor("nothing")


def test_layout_of_the_file():
    data = st.save({"b": flambeau.ones(2), "a": flambeau.ones(1), "n": flambeau.ones(3, dtype=flambeau.int64)}, {"k": "v"})
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    assert json.loads(data[8 : 8 + length]) == {
        "__metadata__": {"k": "v"},
        "n": {"dtype": "I64", "shape": [3], "data_offsets": [0, 24]},
        "a": {"dtype": "F32", "shape": [1], "data_offsets": [24, 28]},
        "b": {"dtype": "F32", "shape": [2], "data_offsets": [28, 36]},
    }


def test_as_the_package_writes_and_reads():
    package = pytest.importorskip("safetensors.numpy")
    import numpy as np

    tensors = {name: t for name, t in state().items() if name not in ("b.bf16", "f8")}
    arrays = {name: np.asarray(t) for name, t in tensors.items()}
    for metadata in (None, {"format": "pt"}, {}):
        assert st.save(tensors, metadata) == package.save(arrays, metadata)
    assert_same(st.load(package.save(arrays)), tensors)
    found = package.load(st.save(tensors))
    assert {name: a.tolist() for name, a in found.items()} == {name: a.tolist() for name, a in arrays.items()}


def test_what_is_refused():
    x = flambeau.arange(6.0).reshape(2, 3)
    with pytest.raises(ValueError, match="non contiguous tensor: `x`"):
        st.save({"x": x.t()})
    with pytest.raises(RuntimeError, match="Some tensors share memory"):
        st.save({"x": x, "y": x[1]})
    assert sorted(st.load(st.save({"x": x[0], "y": x[1]}))) == ["x", "y"], "parts that do not overlap may be saved"
    with pytest.raises(ValueError, match="Expected a dict"):
        st.save([x])
    with pytest.raises(ValueError, match="expected torch.Tensor but received"):
        st.save({"x": 1})
    with pytest.raises(ValueError, match="the format has no torch.complex128"):
        st.save({"x": x.to(flambeau.complex128)})


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1\0\0",
        (2**63).to_bytes(8, "little"),
        (100).to_bytes(8, "little") + b"{}",
        file_of(b"\xff\xfe"),
        file_of(b"[1]"),
        file_of(b'{"a": 1, "a": 2}'),
        file_of(b"[" * 100_000),
        file_of({"x": {**ENTRY, "dtype": "F99"}}, bytes(8)),
        file_of({"x": {**ENTRY, "dtype": ["F32"]}}, bytes(8)),
        file_of({"x": {**ENTRY, "shape": [-2]}}, bytes(8)),
        file_of({"x": {**ENTRY, "shape": [2**40, 2**40]}}, bytes(8)),
        file_of({"x": {**ENTRY, "shape": [True, 2]}}, bytes(8)),
        file_of({"x": {**ENTRY, "data_offsets": [8, 0]}}, bytes(8)),
        file_of({"x": {**ENTRY, "data_offsets": [0, 8, 8]}}, bytes(8)),
        file_of({"x": ENTRY}, bytes(7)),
        file_of({"x": ENTRY}, bytes(9)),
        file_of({"x": ENTRY, "y": ENTRY}, bytes(16)),
        file_of({"x": ENTRY, "__metadata__": {"a": 1}}, bytes(8)),
    ],
)
def test_damaged_files_are_refused(data):
    with pytest.raises(st.SafetensorError, match="Error while deserializing header"):
        st.load(data)


def test_modules_with_shared_parameters(tmp_path):
    path = tmp_path / "m.safetensors"

    def tied():
        model = flambeau.nn.Sequential(flambeau.nn.Linear(2, 2), flambeau.nn.Linear(2, 2))
        model[1].weight = model[0].weight
        return model

    a, b = tied(), tied()
    st.save_model(a, path)
    assert sorted(st.load_file(path)) == ["0.bias", "0.weight", "1.bias"]
    missing, unexpected = st.load_model(b, path)
    assert not missing and not unexpected and b[1].weight.equal(a[0].weight)
    with pytest.raises(RuntimeError, match="Missing key"):
        st.load_model(flambeau.nn.Sequential(flambeau.nn.Linear(2, 2), flambeau.nn.Linear(2, 2), flambeau.nn.Linear(2, 2)), path)
