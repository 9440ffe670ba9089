"""What a worker process of a DataLoader does."""

import os
import random
from dataclasses import dataclass

import flambeau
from flambeau._utils import ExceptionWrapper

from . import MP_STATUS_CHECK_INTERVAL

__all__ = ["WorkerInfo", "get_worker_info"]

_worker_info = None


@dataclass(frozen=True)
class WorkerInfo:
    """Describes a worker process: ``id``, ``num_workers``, ``seed`` and its copy of the ``dataset``."""

    id: int
    num_workers: int
    seed: int
    dataset: object
    rng: object = None
    worker_method: str = "multiprocessing"


def get_worker_info():
    """The :class:`WorkerInfo` of the worker process that calls, or None in the main process."""
    return _worker_info


@dataclass(frozen=True)
class _IterableDatasetStopIteration:
    """A worker's answer when its copy of a stream has ended."""

    worker_id: int


@dataclass(frozen=True)
class _ResumeIteration:
    """The task that starts another pass in a worker that is kept."""

    epoch: int


@dataclass(frozen=True)
class _Plan:
    """Everything that a worker is told when it starts."""

    dataset_kind: int
    dataset: object
    auto_collation: bool
    collate_fn: object
    drop_last: bool
    base_seed: int
    init_fn: object
    worker_id: int
    num_workers: int


def _seed_numpy(base_seed, worker_id):
    """Seeds NumPy's global generator, where NumPy is installed, by a hash of both numbers: NumPy's generator
    is Python's, so equal seeds would give related streams.
    """
    try:
        import numpy as np
    except ImportError:
        return
    words = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))


def _worker_loop(plan, end):
    """Answers the tasks ``(epoch, number, index)`` that come over the socket ``end`` with
    ``(epoch, number, batch)``, until the other end is closed.
    """
    from .channel import Channel

    channel = Channel(end)
    try:
        _serve(plan, channel)
    except (KeyboardInterrupt, EOFError):
        # The main process was interrupted itself, or needs nothing more.
        pass
    finally:
        channel.close()


def _serve(plan, channel):
    global _worker_info
    from ..dataloader import _DatasetKind

    worker_id = plan.worker_id
    where = f"in DataLoader worker process {worker_id}"
    flambeau.multiprocessing._set_thread_name("pt_data_worker")
    flambeau.set_num_threads(1)
    seed = plan.base_seed + worker_id
    random.seed(seed)
    flambeau.manual_seed(seed)
    _seed_numpy(plan.base_seed, worker_id)
    _worker_info = WorkerInfo(id=worker_id, num_workers=plan.num_workers, seed=seed, dataset=plan.dataset)

    def make_fetcher():
        return _DatasetKind.create_fetcher(
            plan.dataset_kind, plan.dataset, plan.auto_collation, plan.collate_fn, plan.drop_last
        )

    failure = fetcher = None
    try:
        if plan.init_fn is not None:
            plan.init_fn(worker_id)
        fetcher = make_fetcher()
    except Exception:
        failure = ExceptionWrapper(where=where)

    parent = os.getppid()
    ended = False
    while True:
        # The connection ends with the main process; asking for it now and then is for the case that some
        # other process inherited the connection.
        while not channel.poll(MP_STATUS_CHECK_INTERVAL):
            if os.getppid() != parent:
                return
        task = channel.receive()
        if isinstance(task, _ResumeIteration):
            ended = False
            try:
                fetcher = make_fetcher()
            except Exception:
                failure = ExceptionWrapper(where=where)
            continue
        if ended:
            continue
        epoch, number, index = task
        if failure is not None:
            batch, failure = failure, None
        else:
            try:
                batch = fetcher.fetch(index)
            except StopIteration:
                if plan.dataset_kind == _DatasetKind.Iterable:
                    batch = _IterableDatasetStopIteration(worker_id)
                    ended = True
                else:
                    batch = ExceptionWrapper(where=where)
            except Exception:
                batch = ExceptionWrapper(where=where)
        try:
            channel.send((epoch, number, batch))
        except EOFError:
            raise
        except Exception:
            # What cannot be pickled is reported like what cannot be loaded.
            channel.send((epoch, number, ExceptionWrapper(where=where)))
        del batch, task, index
