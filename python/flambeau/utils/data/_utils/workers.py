"""Passes over a DataLoader whose batches worker processes load."""

import itertools
import os
import time
from multiprocessing import connection

import flambeau
from flambeau._utils import ExceptionWrapper

from . import MP_STATUS_CHECK_INTERVAL, channel, worker


def _cause(process):
    """Why a worker ended, as an exception."""
    code, pid = process.exitcode, process.pid
    if code is None:
        return RuntimeError(f"DataLoader worker (pid {pid}) closed its connection")
    if code >= 0:
        return RuntimeError(
            f"DataLoader worker (pid {pid}) exited unexpectedly with exit code {code}. Details are lost due "
            "to "
            "multiprocessing. Rerunning with num_workers=0 may give better error trace."
        )
    import signal

    text = f"DataLoader worker (pid {pid}) is killed by signal: {signal.strsignal(-code) or -code}. "
    if -code == getattr(signal, "SIGBUS", None):
        text += (
            "It is possible that dataloader's workers are out of shared memory. Please try to raise your "
            "shared "
            "memory limit."
        )
    return RuntimeError(text)


class Workers:
    """The worker processes of one iterator, and the tasks that they have.

    Tasks are numbered in the order in which the sampler gives them and go to the workers in turn; batches
    come back in that order, unless ``in_order`` is false.
    """

    def __init__(self, loader, base_seed, kind):
        self.count = loader.num_workers
        self.limit = loader.prefetch_factor * self.count
        self.timeout = loader.timeout
        self.in_order = loader.in_order
        self.keep = loader.persistent_workers
        self.pid = os.getpid()
        self.epoch = -1
        self.closed = False
        self.channels = [None] * self.count
        self.processes = []
        context = loader.multiprocessing_context or flambeau.multiprocessing
        try:
            for number in range(self.count):
                plan = worker._Plan(
                    dataset_kind=kind,
                    dataset=loader.dataset,
                    auto_collation=loader._auto_collation,
                    collate_fn=loader.collate_fn,
                    drop_last=loader.drop_last,
                    base_seed=base_seed,
                    init_fn=loader.worker_init_fn,
                    worker_id=number,
                    num_workers=self.count,
                )
                self._start(context, plan)
        except BaseException:
            self.close()
            raise

    def _start(self, context, plan):
        ours, theirs = channel.pair()
        self.channels[plan.worker_id] = ours
        try:
            process = context.Process(target=worker._worker_loop, args=(plan, theirs))
            process.daemon = True
            process.start()
        finally:
            theirs.close()
        self.processes.append(process)

    def begin(self, tasks):
        """Starts a pass over ``tasks``, an iterator of what the workers shall fetch."""
        self.tasks = tasks
        self.sent = self.returned = 0
        self.holder = {}  # task -> its worker, while it is under way
        self.arrived = {}  # task -> (its worker, batch)
        self.active = [True] * self.count
        self.load = [0] * self.count
        self.turn = itertools.cycle(range(self.count))
        self.epoch += 1
        if self.epoch:
            for each in range(self.count):
                self._send(each, worker._ResumeIteration(self.epoch))
        for _ in range(self.limit):
            self._assign()

    def _send(self, number, message):
        try:
            self.channels[number].send(message)
        except EOFError:
            self._fail(number)

    def _assign(self):
        """Gives the next task to the next worker that takes one."""
        try:
            index = next(self.tasks)
        except StopIteration:
            return
        share = self.limit // max(1, sum(self.active))
        for number in itertools.islice(self.turn, self.count):
            if self.active[number] and (self.in_order or self.load[number] < share):
                break
        else:
            return
        self._send(number, (self.epoch, self.sent, index))
        self.holder[self.sent] = number
        self.load[number] += 1
        self.sent += 1

    def next(self):
        """The next batch; raises StopIteration at the end, and what a worker raised."""
        if self.closed and self.returned < self.sent:
            raise RuntimeError("DataLoader's workers have been shut down after an error")
        while True:
            # Tasks that were left with a worker whose stream has ended are never answered.
            while self.returned < self.sent and self.returned not in self.arrived:
                number = self.holder.get(self.returned)
                if number is not None and self.active[number]:
                    break
                self.holder.pop(self.returned, None)
                self.returned += 1
            if self.returned >= self.sent:
                if not self.keep:
                    self.close()
                raise StopIteration
            if self.returned in self.arrived:
                number, batch = self.arrived.pop(self.returned)
                self.returned += 1
                return self._hand_out(number, batch)

            task, batch = self._receive()
            number = self.holder.pop(task)
            if isinstance(batch, worker._IterableDatasetStopIteration):
                self.active[number] = False
                if not self.keep:
                    self._dismiss(number)
                self._assign()
            elif self.in_order and task != self.returned:
                self.arrived[task] = number, batch
            else:
                self.returned += task == self.returned
                return self._hand_out(number, batch)

    def _hand_out(self, number, batch):
        self.load[number] -= 1
        self._assign()
        if isinstance(batch, ExceptionWrapper):
            batch.reraise()
        return batch

    def _receive(self):
        """The next ``(task, batch)`` of this pass that any worker sends."""
        end = time.monotonic() + self.timeout if self.timeout > 0 else None
        while True:
            wait = MP_STATUS_CHECK_INTERVAL
            if end is not None:
                wait = max(0, min(wait, end - time.monotonic()))
            open_channels = [each for each in self.channels if each is not None]
            ready = connection.wait(open_channels, wait)
            for each in ready:
                try:
                    epoch, task, batch = each.receive()
                except EOFError:
                    self._fail(self.channels.index(each))
                except BaseException:
                    # A message was read in part: nothing behind it can be.
                    self.close()
                    raise
                if epoch == self.epoch:
                    return task, batch
            if not ready:
                self._check()
                if end is not None and time.monotonic() >= end:
                    raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds")

    def _check(self):
        """Looks for workers that ended though something holds their connection open."""
        for number, process in enumerate(self.processes):
            if self.channels[number] is not None and not process.is_alive():
                self._fail(number)

    def _fail(self, number):
        """Raises the error of a worker that is gone. The others are ended: their pass cannot be completed."""
        self.processes[number].join(MP_STATUS_CHECK_INTERVAL)
        gone = [p for n, p in enumerate(self.processes) if self.channels[n] is not None and not p.is_alive()]
        gone = gone or [self.processes[number]]
        cause = _cause(gone[0])
        self.close()
        pids = ", ".join(str(process.pid) for process in gone)
        raise RuntimeError(f"DataLoader worker (pid(s) {pids}) exited unexpectedly") from cause

    def _dismiss(self, number):
        self.channels[number].close()
        self.channels[number] = None

    def close(self):
        """Ends the workers and waits for them; those that do not answer are killed."""
        if self.closed or self.pid != os.getpid():
            return
        self.closed = True
        try:
            for number, each in enumerate(self.channels):
                if each is not None:
                    self._dismiss(number)
            end = time.monotonic() + MP_STATUS_CHECK_INTERVAL
            for process in self.processes:
                process.join(max(0, end - time.monotonic()))
        finally:
            for process in self.processes:
                if process.is_alive():
                    process.terminate()
            for process in self.processes:
                process.join(MP_STATUS_CHECK_INTERVAL)
                if process.is_alive():
                    process.kill()
                    process.join()
