"""Runs scripts written for PyTorch, with ``torch`` and its submodules standing for flambeau's."""

import sys
from importlib.machinery import ModuleSpec

USAGE = """usage: python -m flambeau script.py [args...]
       python -m flambeau -m module [args...]
       python -m flambeau -c code [args...]

Runs a PyTorch script: `import torch` and its submodules give flambeau."""


class _TorchFinder:
    """Finds ``torch`` and ``torch.X`` as the very modules ``flambeau`` and ``flambeau.X``."""

    @staticmethod
    def _target(name):
        return "flambeau" + name[len("torch") :]

    def find_spec(self, name, path=None, target=None):
        if name != "torch" and not name.startswith("torch."):
            return None
        import importlib.util

        ours = self._target(name)
        if ours not in sys.modules and importlib.util.find_spec(ours) is None:
            return None
        spec = ModuleSpec(name, self)
        if hasattr(sys.modules.get(ours), "__path__"):
            spec.submodule_search_locations = list(sys.modules[ours].__path__)
        return spec

    def create_module(self, spec):
        import importlib

        module = importlib.import_module(self._target(spec.name))
        # The import system gives every module it gets its own spec: kept here, put back below.
        spec.loader_state = getattr(module, "__spec__", None)
        return module

    def exec_module(self, module):
        alias = module.__spec__
        if isinstance(alias.loader, _TorchFinder):
            module.__spec__ = alias.loader_state


def install_as_torch():
    """Makes ``import torch`` give flambeau, also where PyTorch is installed or imported already.

    Submodules follow: ``torch.nn.functional`` is ``flambeau.nn.functional``, the same object. One that
    flambeau does not have raises ModuleNotFoundError. Calling it again does nothing.
    """
    if any(isinstance(finder, _TorchFinder) for finder in sys.meta_path):
        return
    package = sys.modules["flambeau"]
    for name in [name for name in sys.modules if name == "torch" or name.startswith("torch.")]:
        del sys.modules[name]
    sys.modules["torch"] = package
    sys.meta_path.insert(0, _TorchFinder())
    _follow_into_children(package.__path__[0])


class _Bootstrap:
    """Unpickled in a process that multiprocessing starts anew, before it imports the script."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        code = (
            "import sys\n"
            f"if {self.folder!r} not in sys.path: sys.path.append({self.folder!r})\n"
            "from flambeau import install_as_torch\n"
            "install_as_torch()"
        )
        return exec, (code, {})


def _follow_into_children(package_path):
    """Makes ``torch`` flambeau in children that are not forked, too: as part of what they are told at their
    start.
    """
    import os
    from multiprocessing import spawn

    original = spawn.get_preparation_data
    bootstrap = _Bootstrap(os.path.dirname(package_path))

    def get_preparation_data(name):
        return {"install_as_torch": bootstrap, **original(name)}

    spawn.get_preparation_data = get_preparation_data


def main(argv=None):
    """Runs what the command line says; ``argv`` is sys.argv unless given."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help"):
        print(USAGE, file=sys.stdout if args else sys.stderr)
        raise SystemExit(0 if args else 2)
    if args[0] in ("-V", "--version"):
        import flambeau

        print("flambeau", getattr(flambeau, "__version__", ""))
        raise SystemExit(0)
    if args[0] in ("-m", "-c") and len(args) < 2:
        print(f"Argument expected for the {args[0]} option\n{USAGE}", file=sys.stderr)
        raise SystemExit(2)

    install_as_torch()
    try:
        if args[0] == "-m":
            _run_module(args[1], args[1:])
        elif args[0] == "-c":
            sys.path[0] = ""
            _run_code(args[1] + "\n", "<string>", ["-c", *args[2:]])
        else:
            _run_script(args[0], args)
    except SystemExit:
        raise
    except BaseException as error:
        _report(error)


def _run_module(name, argv):
    import os
    import runpy

    sys.argv = list(argv)
    sys.path[0] = os.getcwd()
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _run_script(path, argv):
    import io
    import os

    if os.path.isdir(path) or path.endswith((".zip", ".pyz")):
        import runpy

        sys.argv = list(argv)
        del sys.path[0]
        runpy.run_path(path, run_name="__main__")
        return
    full_path = os.path.abspath(path)
    try:
        with io.open_code(full_path) as file:
            source = file.read()
    except OSError as error:
        print(
            f"{sys.executable}: can't open file {full_path!r}: [Errno {error.errno}] {error.strerror}",
            file=sys.stderr,
        )
        raise SystemExit(2) from None
    sys.path[0] = os.path.dirname(os.path.realpath(path))
    _run_code(source, full_path, argv)


def _run_code(source, filename, argv):
    import builtins
    from types import ModuleType

    sys.argv = list(argv)
    # A new module: a script expects an empty one, and what it pickles refers to it as __main__.
    module = ModuleType("__main__")
    module.__builtins__ = builtins
    if filename != "<string>":
        from importlib.machinery import SourceFileLoader

        module.__file__ = filename
        module.__cached__ = None
        module.__loader__ = SourceFileLoader("__main__", filename)
    sys.modules["__main__"] = module
    exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)


def _report(error):
    """Ends the process as Python does after an error, without the runner's frames in the traceback."""
    ours = {__file__, "<frozen runpy>", "<frozen importlib._bootstrap>"}
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in ours:
        trace = trace.tb_next
    error = error.with_traceback(trace)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    sys.excepthook(type(error), error, trace)
    if isinstance(error, KeyboardInterrupt):
        import os
        import signal

        # A shell that runs the script must see that the user interrupted it.
        sys.stdout.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    raise SystemExit(1)
