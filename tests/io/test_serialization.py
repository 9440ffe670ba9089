"""Files: PyTorch's are read, flambeau's equal PyTorch's, and hostile ones are refused."""

import importlib.util
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest

import flambeau
from flambeau import serialization
from flambeau._archive import ArchiveReader, ArchiveWriter, archive_name

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
_spec = importlib.util.spec_from_file_location("record_io", HERE.parent / "tools" / "record_io.py")
record_io = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(record_io)

load, save = serialization.load, serialization.save


def assert_same(actual, expected):
    assert type(actual) is type(expected)
    if isinstance(expected, flambeau.Tensor):
        assert actual.dtype == expected.dtype and actual.shape == expected.shape
        assert actual.stride() == expected.stride() and actual.requires_grad == expected.requires_grad
        assert actual.tolist() == expected.tolist()
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key in expected:
            assert_same(actual[key], expected[key])
    else:
        assert actual == expected


def as_big_endian(file, sizes):
    """A saved file as a machine of the other byte order would have written it; `sizes` are the storages' element sizes."""
    other = io.BytesIO()
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            data, (_, _, inner) = source.read(name), name.partition("/")
            if inner == "byteorder":
                data = b"big"
            elif inner.startswith("data/"):
                n = sizes[int(inner[5:])]
                data = b"".join(data[i : i + n][::-1] for i in range(0, len(data), n))
            target.writestr(name, data)
    other.seek(0)
    return other


def test_files_of_the_other_byte_order():
    tensors = {
        "float32": flambeau.tensor([1.5, -2.0]),
        "float64": flambeau.tensor([1.5, -2.0], dtype=flambeau.float64),
        "int16": flambeau.tensor([1, -2, 300], dtype=flambeau.int16),
        "int64": flambeau.tensor([1, -(2**40)]),
        "bool": flambeau.tensor([True, False]),
        "bfloat16": flambeau.tensor([1.5, -2.0], dtype=flambeau.bfloat16),
    }
    file = io.BytesIO()
    save(tensors, file)
    big = as_big_endian(file, [t.element_size() for t in tensors.values()])
    assert_same(load(big), tensors)


def saved(obj, **kwargs):
    buffer = io.BytesIO()
    save(obj, buffer, **kwargs)
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("name", ["state.pth", "legacy.pt"])
@pytest.mark.parametrize("weights_only", [True, False])
def test_files_of_pytorch(name, weights_only):
    state = load(FIXTURES / name, weights_only=weights_only)
    assert_same(state, record_io.state(flambeau))
    assert state["weight"].data_ptr() == state["transposed"].data_ptr(), "shared storages stay shared"
    assert state["row"].data_ptr() == state["weight"].data_ptr() + 12
    state["weight"][1, 0] = 50
    assert state["row"][0].item() == 50


def test_newer_element_types():
    assert load(FIXTURES / "uint16.pth")["u16"].tolist() == [1, 65535]
    assert load(saved(load(FIXTURES / "uint16.pth")))["u16"].dtype == flambeau.uint16


def test_optimizer_state_of_pytorch():
    checkpoint = load(FIXTURES / "adam.pth")
    param = flambeau.nn.Parameter(checkpoint["param"])
    optimizer = flambeau.optim.Adam([param])
    optimizer.load_state_dict(checkpoint["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.1 and optimizer.state[param]["step"].item() == 1


def test_whole_module_of_pytorch():
    with pytest.raises(
        pickle.UnpicklingError, match="GLOBAL torch.nn.modules.linear.Linear was not an allowed"
    ):
        load(FIXTURES / "linear.pth")
    module = load(FIXTURES / "linear.pth", weights_only=False)
    assert type(module) is flambeau.nn.Linear and module.weight.shape == (1, 2)
    again = load(saved(module), weights_only=False)
    assert again.weight.equal(module.weight) and type(again) is type(module)
    assert b"flambeau" not in saved(module).getvalue()
    assert serialization.get_unsafe_globals_in_checkpoint(saved(module)) == ["torch.nn.modules.linear.Linear"]


def test_file_equals_that_of_pytorch_byte_for_byte(tmp_path):
    path = tmp_path / "state.pth"
    save(record_io.state(flambeau), path)
    ours, theirs = path.read_bytes(), (FIXTURES / "state.pth").read_bytes()

    def without_id(data):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            info = archive.getinfo("state/.data/serialization_id")
            data = data.replace(archive.read(info), b"id" * 20)
            return data.replace(info.CRC.to_bytes(4, "little"), b"crc!")

    assert without_id(ours) == without_id(theirs)


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 3}])
def test_round_trip(options):
    state = record_io.state(flambeau)
    with pytest.warns(UserWarning, match="pickle protocol 3") if "pickle_protocol" in options else nothing():
        assert_same(load(saved(state, **options)), state)
    assert_same(load(saved(state, **options), weights_only=False), state)


class nothing:
    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass


def test_files_go_to_pytorch():
    torch = pytest.importorskip("torch")
    if not hasattr(torch, "_dynamo") or torch is flambeau:
        pytest.skip("needs PyTorch beside flambeau")
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        state = torch.load(saved(record_io.state(flambeau), **options), weights_only=True)
        expected = record_io.state(torch)
        assert list(state) == list(expected)
        for key, value in expected.items():
            assert (
                state[key].tolist() == value.tolist()
                if isinstance(value, torch.Tensor)
                else state[key] == value
            )


def test_python_attributes_of_parameters_and_subclasses():
    parameter = flambeau.nn.Parameter(flambeau.ones(2))
    parameter.note = "kept"
    again = load(saved(parameter))
    assert type(again) is flambeau.nn.Parameter and again.note == "kept"


def test_bare_storages():
    storage = flambeau.arange(3.0).untyped_storage()
    again = load(saved({"in": [storage], "x": flambeau.ones(2)}))
    assert again["in"][0].nbytes() == 12 and list(again["in"][0]) == list(storage)
    assert again["x"].tolist() == [1, 1]


def test_files_and_buffers(tmp_path):
    path = tmp_path / "a.b.pt"
    save({"x": 1}, str(path))
    assert load(path) == load(str(path), mmap=True) == {"x": 1}
    with open(path, "rb") as file:
        assert load(file) == {"x": 1}
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[0] == "a.b/data.pkl"
    buffer = io.BytesIO(b"junk")
    buffer.seek(4)
    save({"y": 2}, buffer)
    buffer.seek(4)
    assert load(buffer) == {"y": 2}

    class Unseekable:
        def __init__(self):
            self.data = b""

        def write(self, data):
            self.data += bytes(data)

    sink = Unseekable()
    save(flambeau.ones(2), sink)
    assert load(io.BytesIO(sink.data)).tolist() == [1, 1]


def test_misuse(tmp_path):
    with pytest.raises(AttributeError, match="expected 'f' to be string, path, or a file-like object"):
        save(1, None)
    with pytest.raises(RuntimeError, match="Parent directory .*nowhere does not exist"):
        save(1, tmp_path / "nowhere" / "x.pt")
    with pytest.raises(AttributeError, match="You can only torch.load from a file that is seekable"):
        load(None)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.pt")
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        load(saved(1), mmap=True)
    with pytest.raises(
        RuntimeError, match="Can not safely load weights when explicit pickle_module is specified"
    ):
        load(saved(1), pickle_module=pickle, weights_only=True)
    x = flambeau.ones(4)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        save([x, x.view(flambeau.int32)], io.BytesIO())


def test_map_location():
    data = saved({"x": flambeau.ones(2)}).getvalue()
    for location in ("meta", flambeau.device("meta"), {"cpu": "meta"}):
        assert load(io.BytesIO(data), map_location=location)["x"].device.type == "meta"
    seen = []
    result = load(io.BytesIO(data), map_location=lambda storage, location: seen.append(location))
    assert seen == ["cpu"] and result["x"].tolist() == [1, 1]
    serialization.set_crc32_options(False)
    try:
        strange = saved({"x": flambeau.ones(2)}).getvalue().replace(b"cpu", b"cud")
    finally:
        serialization.set_crc32_options(True)
    with pytest.raises(RuntimeError, match="don't know how to restore data location"):
        load(io.BytesIO(strange))
    with pytest.raises(RuntimeError, match="CRC-32 check failed"):
        load(io.BytesIO(data.replace(b"cpu", b"cud")))


def test_names():
    assert archive_name("/a/b/model.best.pth") == "model.best"
    assert archive_name("plain") == "plain"
    assert archive_name("dir.d/x.pt") == "x"
    assert archive_name("é.pt") == "archive" == archive_name(".pt")


# Hostile and damaged files.


class Evil:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def archive_with(pickled, records=()):
    buffer = io.BytesIO()
    writer = ArchiveWriter(buffer, "archive")
    writer.write_record("data.pkl", pickled)
    for name, content in records:
        writer.write_record(name, content)
    writer.finish()
    return io.BytesIO(buffer.getvalue())


@pytest.mark.parametrize(
    "function, args, message",
    [
        (os.system, ("touch pwned",), "whose module (posix|nt) is blocked"),
        (eval, ("1",), "GLOBAL eval was not an allowed global by default"),
        (exec, ("1",), "GLOBAL exec was not an allowed global"),
        (getattr, (1, "real"), "GLOBAL getattr was not an allowed global"),
        (pickle.loads, (b"",), "was not an allowed global"),
        (open, ("x",), "was not an allowed global"),
        (__import__, ("os",), "was not an allowed global"),
    ],
)
def test_code_is_refused(function, args, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps({"x": Evil(function, *args)}, 2)
    for file in (archive_with(pickled), io.BytesIO(pickled)):
        with pytest.raises(pickle.UnpicklingError, match="Weights only load failed") as error:
            load(file)
        assert __import__("re").search(message, str(error.value))
    assert not list(tmp_path.iterdir())


TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n"
    b"((X\x07\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\4tQ"
)
REST = b"\x89ccollections\nOrderedDict\n)RtR."


@pytest.mark.parametrize(
    "middle",
    [
        b"K\0K\5\x85K\1\x85",  # one element too many
        b"K\1K\4\x85K\1\x85",  # behind an offset
        b"K\0K\2\x85K\4\x85",  # a long stride
        b"K\0K\4\x85J\xff\xff\xff\xff\x85",  # a negative stride
        b"J\xff\xff\xff\xffK\2\x85K\1\x85",  # a negative offset
        b"K\0J\xff\xff\xff\xff\x85K\1\x85",  # a negative size
        b"K\0K\4K\1\x86K\1\x85",  # sizes and strides of different number
        b"K\0\x8a\x08\0\0\0\0\0\0\0\x7f\x85K\1\x85",  # an enormous size
    ],
)
def test_tensors_beyond_their_storage_are_refused(middle):
    records = [("data/0", struct.pack("<4f", 1, 2, 3, 4))]
    good = load(archive_with(b"\x80\2" + TENSOR + b"K\0K\4\x85K\1\x85" + REST, records))
    assert good.tolist() == [1, 2, 3, 4]
    with pytest.raises((RuntimeError, pickle.UnpicklingError)):
        load(archive_with(b"\x80\2" + TENSOR + middle + REST, records))


def test_storage_that_is_shorter_than_announced():
    pickled = b"\x80\2" + TENSOR + b"K\0K\4\x85K\1\x85" + REST
    with pytest.raises(RuntimeError, match="has 12 bytes in the file"):
        load(archive_with(pickled, [("data/0", bytes(12))]))
    with pytest.raises(RuntimeError, match="file not found"):
        load(archive_with(pickled))


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\2}X\1\0\0\0aK\1s}b.",  # filling a dict's attributes
        b"\x80\2ctorch\nTensor\n}X\x08\0\0\0__init__K\1sb.",  # changing a class
        b"\x80\2ccollections\nOrderedDict\n}X\4\0\0\0itemK\1sb.",
        b"\x80\2cbuiltins\nset\n(K\1K\2e.",  # extending what is no list
        b"\x80\2K\1K\2K\3s.",  # items of a number
        b"\x80\2cflambeau._utils\n_rebuild_tensor_v2\n.",  # a name that files do not use
        b"\x80\2ctorch.serialization\nload\n.",
        b"\x80\2ctorch._tensor\n_rebuild_from_type_v2\n(cbuiltins\nset\ncbuiltins\nset\n)NtR.",
        b"\x80\2(K\1",  # cut off
        b"\x80\2.",  # empty
        b"\x80\2t.",
        b"\x80\2h\5.",
        b"\x80\2U\xff.",
        b"\x80\2X\xff\xff\xff\xffabc.",
        b"\x80\2K\1Q.",
        b"\x80\2)Q.",
        b"\x80\2(X\7\0\0\0storageK\1tQ.",
        b"\x80\2I1\n.",  # an instruction that is not among the allowed
        b"\x80\2i__main__\nX\n.",
    ],
)
def test_damaged_pickles_are_refused(pickled):
    with pytest.raises(
        (pickle.UnpicklingError, EOFError, RuntimeError, AttributeError, TypeError, AssertionError)
    ):
        result = load(archive_with(pickled))
        pytest.fail(f"loaded {result!r}")
    assert OrderedDict(a=1) == {"a": 1} and flambeau.ones(1).tolist() == [1], "no class was changed"


def test_every_cut_of_a_file_is_refused():
    data = saved({"x": flambeau.arange(4.0)}).getvalue()
    for length in range(0, len(data) - 1, 7):
        with pytest.raises((RuntimeError, EOFError, pickle.UnpicklingError)):
            load(io.BytesIO(data[:length]))


def test_changed_bytes_never_crash():
    data = saved(record_io.state(flambeau)).getvalue()
    for position in range(0, len(data), 13):
        changed = bytearray(data)
        changed[position] ^= 0x5A
        try:
            load(io.BytesIO(bytes(changed)))
        except Exception:  # noqa: BLE001 - any refusal will do, a crash of the process will not
            pass


def test_lying_directory():
    data = bytearray(saved({"x": flambeau.arange(4.0)}).getvalue())
    at = data.rindex(b"PK\1\2")
    data[at + 42 : at + 46] = struct.pack("<I", 0xFFFFFF00)
    reader = ArchiveReader(memoryview(bytes(data)))
    with pytest.raises(RuntimeError, match="PytorchStreamReader failed reading file"):
        reader.record(".data/serialization_id")


def test_compressed_archives_are_read():
    plain = zipfile.ZipFile(saved({"x": flambeau.arange(4.0)}))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    buffer.seek(0)
    assert load(buffer)["x"].tolist() == [0, 1, 2, 3]


def test_damaged_compression():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("f/data.pkl", pickle.dumps(list(range(100)), 2))
    data = bytearray(buffer.getvalue())
    start = data.index(b"f/data.pkl") + len(b"f/data.pkl")
    data[start : start + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(RuntimeError, match="PytorchStreamReader failed reading file data.pkl"):
        load(io.BytesIO(bytes(data)))


# Allowing more.


class Config:
    def __init__(self):
        self.depth = 3


def test_safe_globals():
    serialization.clear_safe_globals()
    file = saved({"config": Config()})
    with pytest.raises(pickle.UnpicklingError, match=r"add_safe_globals\(\[.*Config\]\)"):
        load(file)
    file.seek(0)
    with serialization.safe_globals([Config]):
        assert load(file)["config"].depth == 3
        assert serialization.get_safe_globals() == [Config]
    assert serialization.get_safe_globals() == []
    serialization.add_safe_globals([(Config, f"{Config.__module__}.Config")])
    file.seek(0)
    assert load(file)["config"].depth == 3
    serialization.clear_safe_globals()
    file.seek(0)
    assert load(file, weights_only=False)["config"].depth == 3


def test_environment_can_force(monkeypatch):
    file = saved(Config())
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(pickle.UnpicklingError):
        load(file, weights_only=False)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(RuntimeError, match="but both were set"):
        load(file)
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    file.seek(0)
    with pytest.warns(UserWarning, match="forcing weights_only=False"):
        assert load(file).depth == 3


def test_wrong_magic():
    with pytest.raises(RuntimeError, match="Invalid magic number; corrupt file?"):
        load(io.BytesIO(pickle.dumps(1, 2)))


def test_modules_are_saved_under_pytorch_names():
    data = saved(OrderedDict(size=flambeau.Size([2]), device=flambeau.device("cpu"), dtype=flambeau.float32))
    assert b"flambeau" not in data.getvalue()
    assert load(data) == OrderedDict(
        size=flambeau.Size([2]), device=flambeau.device("cpu"), dtype=flambeau.float32
    )
