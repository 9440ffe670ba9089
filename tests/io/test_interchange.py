"""Files between PyTorch and flambeau: committed ones of PyTorch's, and both directions where PyTorch is installed."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import flambeau
import pytest
from flambeau.serialization import load, save, set_default_mmap_options

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from interchange import FILES, describe  # noqa: E402

FIXTURES = HERE / "fixtures" / "interchange"
CASES = [(name, legacy) for name, (_, _, old) in FILES.items() for legacy in ((False, True) if old else (False,))]


# The old format keeps the source text of modules, which is PyTorch's and is not copied here.
COMMITTED = [case for case in CASES if case != ("modules", True)]


def same(name, a, b):
    a, b = describe(a), describe(b)
    # Optimizers' arithmetic may differ in the last digit.
    return a == b if name != "optimizers" else rounded(a) == rounded(b)


def rounded(description):
    return re.sub(r"\d+\.\d{6,}(e-?\d+)?", lambda number: f"{float(number[0]):.5g}", repr(description))


def file_name(name, legacy):
    return f"{name}.old.pth" if legacy else f"{name}.pth"


@pytest.fixture(scope="module")
def torch():
    found = pytest.importorskip("torch")
    if found is flambeau or not hasattr(found, "_dynamo"):
        pytest.skip("needs PyTorch beside flambeau")
    return found


@pytest.mark.parametrize("name, legacy", COMMITTED)
def test_committed_files_of_pytorch(name, legacy):
    make, safe, _ = FILES[name]
    loaded = load(FIXTURES / file_name(name, legacy), weights_only=safe)
    assert same(name, loaded, make(flambeau))


@pytest.mark.parametrize("name, legacy", CASES)
def test_our_own_files(name, legacy):
    make, safe, _ = FILES[name]
    file = io.BytesIO()
    save(make(flambeau), file, _use_new_zipfile_serialization=not legacy)
    assert b"flambeau" not in file.getvalue()
    file.seek(0)
    assert describe(load(file, weights_only=safe)) == describe(make(flambeau))


@pytest.mark.parametrize("name, legacy", CASES)
@pytest.mark.parametrize("to_pytorch", [True, False])
def test_round_trip_with_pytorch(torch, name, legacy, to_pytorch):
    make, safe, _ = FILES[name]
    source, target = (flambeau, torch) if to_pytorch else (torch, flambeau)
    file = io.BytesIO()
    source.save(make(source), file, _use_new_zipfile_serialization=not legacy)
    file.seek(0)
    assert same(name, target.load(file, weights_only=safe), make(target))


@pytest.mark.parametrize("legacy", [False, True])
def test_sharing_and_identity_are_kept(legacy):
    loaded = load(FIXTURES / file_name("views", legacy))
    views = loaded["views"]
    assert loaded["again"] is views[0]
    views[2][1, 0] = 50
    assert views[0][0, 1].item() == 50 and views[4][1, 0, 1].item() == 50
    assert views[1].data_ptr() == views[0].data_ptr() + 12
    modules = load(FIXTURES / "modules.pth", weights_only=False)
    assert modules["shared"].extra is modules["shared"][0]
    assert modules["LSTM"](flambeau.ones(1, 1, 2))[0].shape == (1, 1, 3)
    assert modules["TransformerEncoderLayer"](flambeau.ones(1, 1, 4)).shape == (1, 1, 4)


def mapped(path):
    if not os.path.exists("/proc/self/maps"):
        pytest.skip("needs /proc")
    with open("/proc/self/maps") as file:
        return [
            tuple(int(end, 16) for end in line.split()[0].split("-")) for line in file if line.rstrip().endswith(str(path))
        ]


def test_mmap_looks_into_the_file(tmp_path):
    path = tmp_path / "x.pth"
    save({"x": flambeau.arange(1000.0), "y": flambeau.ones(3, dtype=flambeau.int8)}, path)
    loaded = load(path, mmap=True)
    x = loaded["x"]
    assert any(start <= x.data_ptr() < end for start, end in mapped(path)), "the tensor's memory is the mapping's"
    assert x.tolist() == list(range(1000)) and loaded["y"].tolist() == [1, 1, 1]
    x[0] = 7
    assert load(path)["x"][0].item() == 0, "writes stay in memory"
    with pytest.raises(RuntimeError, match="not resizable"):
        x.resize_(5000)
    del loaded, x
    assert not mapped(path), "the mapping goes with the last tensor"


def test_shared_mappings_write_to_the_file(tmp_path):
    import mmap

    path = tmp_path / "x.pth"
    save({"x": flambeau.zeros(4)}, path)
    with set_default_mmap_options(mmap.MAP_SHARED):
        load(path, mmap=True)["x"][2] = 5
    assert load(path)["x"].tolist() == [0, 0, 5, 0]
    with pytest.raises(ValueError, match="expected mmap.MAP_PRIVATE or mmap.MAP_SHARED"):
        set_default_mmap_options(123)


def test_mmap_needs_the_new_format():
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        load(FIXTURES / "views.old.pth", mmap=True)


CRASH = """
import os, sys
import flambeau
from flambeau import _archive

write = _archive.ArchiveWriter.write_record
def dying(self, name, data):
    write(self, name, data)
    if name == "data/0":
        self.file.flush()
        os._exit(3)
_archive.ArchiveWriter.write_record = dying
flambeau.save({"x": flambeau.ones(1000)}, sys.argv[1])
"""


def test_a_crash_while_saving_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.pth"
    save({"x": flambeau.zeros(2)}, path)
    result = subprocess.run([sys.executable, "-c", CRASH, str(path)], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert result.returncode == 3
    assert load(path)["x"].tolist() == [0, 0]


def test_an_error_while_saving_leaves_no_trace(tmp_path, monkeypatch):
    from flambeau import _archive

    path = tmp_path / "x.pth"
    save({"x": flambeau.zeros(2)}, path)

    def failing(self):
        raise OSError("disk full")

    monkeypatch.setattr(_archive.ArchiveWriter, "finish", failing)
    with pytest.raises(OSError, match="disk full"):
        save({"x": flambeau.ones(2)}, path)
    assert [p.name for p in tmp_path.iterdir()] == ["x.pth"] and load(path)["x"].tolist() == [0, 0]


def test_links_and_permissions_stay(tmp_path):
    path, link = tmp_path / "real.pth", tmp_path / "link.pth"
    save({"x": 1}, path)
    path.chmod(0o640)
    link.symlink_to(path)
    save({"x": 2}, link)
    assert link.is_symlink() and load(path) == {"x": 2} and path.stat().st_mode & 0o777 == 0o640
