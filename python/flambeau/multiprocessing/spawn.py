"""Starting many processes on one function and waiting for them."""

import logging
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import time
import warnings
from multiprocessing import connection

__all__ = [
    "ENV_VAR_PARALLEL_START",
    "ProcessContext",
    "ProcessException",
    "ProcessExitedException",
    "ProcessRaisedException",
    "SpawnContext",
    "spawn",
    "start_processes",
]

ENV_VAR_PARALLEL_START = "TORCH_MP_PARALLEL_START"

log = logging.getLogger(__name__)


class ProcessException(Exception):
    """A started process failed. ``error_index`` is its place among the processes, ``error_pid`` its pid."""

    def __init__(self, msg, error_index, error_pid):
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.error_pid = error_pid

    def __reduce__(self):
        return type(self), (self.msg, self.error_index, self.error_pid)


class ProcessRaisedException(ProcessException):
    """The function raised an exception; its traceback is in the message."""


class ProcessExitedException(ProcessException):
    """The process ended by a signal (``signal_name``) or with an ``exit_code`` other than 0."""

    def __init__(self, msg, error_index, error_pid, exit_code, signal_name=None):
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code
        self.signal_name = signal_name

    def __reduce__(self):
        return type(self), (self.msg, self.error_index, self.error_pid, self.exit_code, self.signal_name)


def _end_with_parent(parent):
    """Has the system interrupt this process when its parent dies (Linux only)."""
    if sys.platform != "linux":
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGINT, 0, 0, 0)  # 1 is PR_SET_PDEATHSIG
    except (ImportError, OSError, AttributeError):
        return
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGINT)


def _run(fn, index, args, error_file, parent):
    """What a process does: calls the function, and leaves the traceback of an exception in a file."""
    if parent is not None:
        _end_with_parent(parent)
    started_by = os.getppid()
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        # Where the parent died nobody will read the report.
        if os.getppid() == started_by:
            _report(error_file)
            sys.exit(128 + signal.SIGINT)
    except Exception:
        _report(error_file)
        sys.exit(1)


def _report(error_file):
    import traceback

    with open(error_file, "wb") as file:
        pickle.dump(traceback.format_exc(), file)


class ProcessContext:
    """The processes that :func:`start_processes` started."""

    def __init__(self, processes, error_files):
        self.processes = processes
        self.error_files = error_files
        self.sentinels = {process.sentinel: index for index, process in enumerate(processes)}

    def pids(self):
        """The processes' pids, in order."""
        return [int(process.pid) for process in self.processes]

    def _join_all(self, seconds):
        end = time.monotonic() + seconds
        for process in self.processes:
            process.join(max(0, end - time.monotonic()))

    def join(self, timeout=None, grace_period=None):
        """Waits until some processes end. When one failed, ends the others and raises its error.

        Args:
            timeout: seconds to wait at most.
            grace_period: seconds that the other processes get before they are terminated, and again before
                they are killed.

        Returns:
            Whether all processes have ended.

        Raises:
            ProcessRaisedException: when a process' function raised.
            ProcessExitedException: when a process ended in another way.
        """
        if not self.sentinels:
            return True
        failed = None
        for sentinel in connection.wait(list(self.sentinels), timeout=timeout):
            index = self.sentinels.pop(sentinel)
            self.processes[index].join()
            if self.processes[index].exitcode != 0:
                failed = index
                break
        if failed is None:
            return not self.sentinels

        self._end(grace_period)
        self._raise(failed)

    def _end(self, grace_period):
        """Ends all processes, the unwilling ones by a signal."""
        if grace_period is not None:
            self._join_all(grace_period)
        for process in self.processes:
            if process.is_alive():
                log.warning("Terminating process %s via signal SIGTERM", process.pid)
                process.terminate()
        self._join_all(30 if grace_period is None else grace_period)
        for process in self.processes:
            if process.is_alive():
                log.warning(
                    "Unable to shutdown process %s via SIGTERM , forcefully exiting via SIGKILL", process.pid
                )
                process.kill()
            process.join()

    def _raise(self, index):
        pid, code = self.processes[index].pid, self.processes[index].exitcode
        try:
            with open(self.error_files[index], "rb") as file:
                trace = pickle.load(file)
        except FileNotFoundError:
            if code >= 0:
                message = f"process {index:d} terminated with exit code {code:d}"
                raise ProcessExitedException(message, index, pid, code) from None
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"<Unknown signal {-code}>"
            message = f"process {index:d} terminated with signal {name}"
            raise ProcessExitedException(message, index, pid, code, name) from None
        finally:
            self._remove_files()
        message = f"\n\n-- Process {index:d} terminated with the following error:\n{trace}"
        raise ProcessRaisedException(message, index, pid)

    def _remove_files(self):
        for path in self.error_files:
            try:
                os.unlink(path)
            except OSError:
                pass


class SpawnContext(ProcessContext):
    """The old name of :class:`ProcessContext`."""

    def __init__(self, processes, error_files):
        warnings.warn("SpawnContext is renamed to ProcessContext since 1.4 release.", stacklevel=2)
        super().__init__(processes, error_files)


def start_processes(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Starts ``nprocs`` processes that call ``fn(i, *args)``; see :func:`spawn`.

    Args:
        start_method: "spawn", "fork" or "forkserver".
    """
    context = multiprocessing.get_context(start_method)
    # A forkserver's children have the server for a parent, which outlives this process.
    parent = None if start_method == "forkserver" else os.getpid()
    paths = [None] * nprocs
    processes = [None] * nprocs

    def start(index):
        with tempfile.NamedTemporaryFile(prefix="pytorch-errorfile-", suffix=".pickle") as file:
            paths[index] = file.name
        process = context.Process(target=_run, args=(fn, index, args, paths[index], parent), daemon=daemon)
        process.start()
        processes[index] = process

    if start_method == "forkserver" and os.environ.get(ENV_VAR_PARALLEL_START, "0") == "1":
        from concurrent.futures import ThreadPoolExecutor

        log.info("Starting processes in parallel.")
        with ThreadPoolExecutor(max_workers=nprocs) as executor:
            list(executor.map(start, range(nprocs)))
    else:
        for index in range(nprocs):
            start(index)
    started = ProcessContext(processes, paths)
    if not join:
        return started
    try:
        while not started.join():
            pass
    except ProcessException:
        raise
    except BaseException:
        # Interrupted: nothing is left running.
        started._end(grace_period=None)
        raise
    return None


def spawn(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Starts ``nprocs`` processes that call ``fn(i, *args)`` with ``i`` from 0 on.

    When one fails, the others are ended and its error is raised here, with the traceback of an exception.

    Args:
        fn: a function at the top level of a module, so that the processes can import it.
        args: its arguments after the index.
        nprocs: number of processes.
        join: wait for all of them; otherwise the :class:`ProcessContext` is returned.
        daemon: have them ended with this process.
        start_method: deprecated; use :func:`start_processes` for others than "spawn".

    Raises:
        ProcessRaisedException, ProcessExitedException: see :meth:`ProcessContext.join`.
    """
    if start_method != "spawn":
        warnings.warn(
            f"This method only supports start_method=spawn (got: {start_method}).\n"
            "To use a different start_method use:\n\t\t torch.multiprocessing.start_processes(...)",
            FutureWarning,
            stacklevel=2,
        )
    return start_processes(fn, args, nprocs, join, daemon, start_method="spawn")
