"""`python -m flambeau`: torch stands for flambeau, and the rest is as in a plain run of Python."""

import os
import signal
import subprocess
import sys

import pytest


def run(*args, cwd, **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "flambeau", *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        **kwargs,
    )


SCRIPT = """
import sys
import torch
import torch.optim as optim
import torch.utils.data
from torch.optim.lr_scheduler import StepLR
import flambeau
import helper

assert torch is flambeau and sys.modules["torch"] is flambeau
assert optim is flambeau.optim and torch.utils.data is flambeau.utils.data
assert StepLR is flambeau.optim.lr_scheduler.StepLR
assert torch.optim.__spec__.name == "flambeau.optim", "the modules stay flambeau's own"
assert __name__ == "__main__" and sys.modules["__main__"].__dict__ is globals()
try:
    import torch.no_such_part
except ModuleNotFoundError as error:
    print(error)
import importlib.util
assert importlib.util.find_spec("torch.no_such_part") is None
assert importlib.util.find_spec("torch.optim") is not None
print(sys.argv, sys.path[0] == __file__.rsplit("/", 1)[0], helper.NAME)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "helper.py").write_text("NAME = 'helper'\n")
    return tmp_path


def test_script(folder):
    result = run(os.path.join(folder.name, "script.py"), "--flag", "x", cwd=folder.parent)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "No module named 'torch.no_such_part'",
        f"['{folder.name}/script.py', '--flag', 'x'] True helper",
    ]


def test_module(folder):
    result = run("-m", "script", "--flag", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f"['{folder / 'script.py'}', '--flag'] True helper"


def test_code(folder):
    result = run(
        "-c", "import torch, sys; print(torch.__name__, sys.argv, repr(sys.path[0]))", "1", cwd=folder
    )
    assert result.stdout == "flambeau ['-c', '1'] ''\n"


def test_traceback_shows_the_script_only(folder):
    (folder / "bad.py").write_text("def f():\n    raise ValueError('boo')\n\n\nf()\n")
    result = run("bad.py", cwd=folder)
    plain = subprocess.run([sys.executable, "bad.py"], cwd=folder, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (plain.returncode, plain.stderr)


def test_syntax_error(folder):
    (folder / "bad.py").write_text("x = = 1\n")
    result = run("bad.py", cwd=folder)
    plain = subprocess.run([sys.executable, "bad.py"], cwd=folder, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (plain.returncode, plain.stderr)


@pytest.mark.parametrize("code, expected", [("7", 7), ("'text'", 1), ("None", 0), ("", 0)])
def test_exit_codes(folder, code, expected):
    result = run("-c", f"import sys; sys.exit({code})", cwd=folder)
    assert result.returncode == expected
    assert result.stderr == ("text\n" if code == "'text'" else "")


def test_missing_script_and_missing_arguments(folder):
    result = run("nowhere.py", cwd=folder)
    assert result.returncode == 2 and "can't open file" in result.stderr and "[Errno 2]" in result.stderr
    assert run(cwd=folder).returncode == 2
    assert run("-m", cwd=folder).returncode == 2
    assert "usage: python -m flambeau" in run("--help", cwd=folder).stdout


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_interrupt_ends_by_the_signal(folder):
    result = run("-c", "raise KeyboardInterrupt", cwd=folder)
    assert result.returncode == -signal.SIGINT and "KeyboardInterrupt" in result.stderr


def test_pickles_and_dataclasses_of_the_script_work(folder):
    (folder / "own.py").write_text(
        "import pickle, dataclasses, inspect\n@dataclasses.dataclass\nclass A:\n    x: int\n"
        "print(pickle.loads(pickle.dumps(A(1))), inspect.getsource(A).splitlines()[1])\n"
    )
    assert run("own.py", cwd=folder).stdout == "A(x=1) class A:\n"


def test_install_as_torch_replaces_what_was_imported(folder):
    code = (
        "import types, sys\nimport flambeau\n"
        "sys.modules['torch'] = types.ModuleType('torch'); sys.modules['torch.nn'] = "
        "types.ModuleType('torch.nn')\n"
        "from flambeau._run import install_as_torch\n"
        "install_as_torch(); install_as_torch()\n"
        "import torch, torch.optim\n"
        "assert torch is flambeau and torch.optim is flambeau.optim\n"
        "assert sum(type(f).__name__ == '_TorchFinder' for f in sys.meta_path) == 1\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
