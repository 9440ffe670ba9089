"""The DataLoader."""

import flambeau

from ._utils.collate import default_collate, default_convert
from ._utils.fetch import _IterableDatasetFetcher, _MapDatasetFetcher
from ._utils.pin_memory import pin_memory
from ._utils.worker import get_worker_info
from .dataset import IterableDataset
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]


class _DatasetKind:
    Map = 0
    Iterable = 1

    @staticmethod
    def create_fetcher(kind, dataset, auto_collation, collate_fn, drop_last):
        """What gets the items of a dataset of that kind."""
        cls = _MapDatasetFetcher if kind == _DatasetKind.Map else _IterableDatasetFetcher
        return cls(dataset, auto_collation, collate_fn, drop_last)


class _InfiniteConstantSampler(Sampler):
    """Stands for the indices of a stream, which has none."""

    def __iter__(self):
        while True:
            yield None


def _warn(message, stacklevel=3):
    import warnings

    warnings.warn(message, stacklevel=stacklevel)


class DataLoader:
    """Iterates over a dataset in batches.

    With ``num_workers`` above 0, so many processes load batches ahead of the loop that uses them, and hand
    them over in shared memory. The batches are those of ``num_workers=0``, in the same order. Worker ``i``
    starts with PyTorch's seeds: ``base_seed + i`` for this package and ``random``, a hash of both for NumPy,
    where ``base_seed`` is drawn from ``generator``. An exception in a worker is raised again in the loop,
    with the worker's traceback; a worker that is killed ends the loop with a RuntimeError. Workers end with
    the iterator, and with the main process however that ends.

    Args:
        dataset: a dataset with ``__getitem__`` and ``__len__``, or an :class:`IterableDataset`.
        batch_size: samples in a batch; None turns batching off.
        shuffle: take the samples in random order, another one each epoch.
        sampler: indices in the order in which to take them.
        batch_sampler: lists of indices, instead of batch_size, shuffle, sampler and drop_last.
        num_workers: number of worker processes; 0 loads in the calling process.
        collate_fn: makes a batch of a list of samples; :func:`default_collate` unless given.
        pin_memory: put batches in page-locked memory, if there is an accelerator.
        drop_last: leave out a last batch that is not full.
        timeout: seconds to wait for a batch at most; 0 waits as long as the worker lives.
        worker_init_fn: called in each worker as ``worker_init_fn(worker_id)``, after seeding.
        multiprocessing_context: a start method ("fork", "spawn", "forkserver") or a multiprocessing context.
        generator: source of the order of samples and of the workers' ``base_seed``.
        prefetch_factor: batches that each worker loads ahead; 2 unless given.
        persistent_workers: keep the workers, with their copies of the dataset, for the next epoch.
        pin_memory_device: deprecated, has no effect.
        in_order: give batches in the samples' order; otherwise as they are ready.

    Raises:
        ValueError: for options that contradict each other.
        RuntimeError: from the loop: a worker died, or nothing came within ``timeout``.
    """

    __class_getitem__ = classmethod(type(list[int]))
    __initialized = False

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=None,
        sampler=None,
        batch_sampler=None,
        num_workers=0,
        collate_fn=None,
        pin_memory=False,
        drop_last=False,
        timeout=0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor=None,
        persistent_workers=False,
        pin_memory_device="",
        in_order=True,
    ):
        if num_workers < 0:
            raise ValueError(
                "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing."
            )
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to "
                "enable multiprocessing, otherwise set prefetch_factor to None."
            )
        if num_workers > 0 and prefetch_factor is None:
            prefetch_factor = 2
        elif prefetch_factor is not None and prefetch_factor < 0:
            raise ValueError("prefetch_factor option should be non-negative")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")

        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order

        if isinstance(dataset, IterableDataset):
            self._dataset_kind = _DatasetKind.Iterable
            given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
            for name, value in given.items():
                if value is not None:
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but "
                        f"got {name}={value}"
                    )
        else:
            self._dataset_kind = _DatasetKind.Map
            shuffle = bool(shuffle)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, "
                    "and drop_last"
                )
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
            )

        if sampler is None:
            if self._dataset_kind == _DatasetKind.Iterable:
                sampler = _InfiniteConstantSampler()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)

        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        if collate_fn is None:
            collate_fn = default_collate if self._auto_collation else default_convert
        self.collate_fn = collate_fn
        self.persistent_workers = persistent_workers
        self.__initialized = True
        self._IterableDataset_len_called = None
        self._iterator = None
        self.check_worker_number_rationality()

    _FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")

    def __setattr__(self, attr, val):
        if self.__initialized and attr in self._FIXED:
            raise ValueError(f"{attr} attribute should not be set after {type(self).__name__} is initialized")
        object.__setattr__(self, attr, val)

    @property
    def multiprocessing_context(self):
        """The multiprocessing context of worker processes; None for the default one."""
        return self.__multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context):
        if context is not None:
            if self.num_workers <= 0:
                raise ValueError(
                    "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
                    f"but got num_workers={self.num_workers}"
                )
            import multiprocessing

            if isinstance(context, str):
                methods = multiprocessing.get_all_start_methods()
                if context not in methods:
                    raise ValueError(
                        f"multiprocessing_context option should specify a valid start method in {methods!r}, "
                        f"but got multiprocessing_context={context!r}"
                    )
                context = multiprocessing.get_context(context)
            if not isinstance(context, multiprocessing.context.BaseContext):
                raise TypeError(
                    "multiprocessing_context option should be a valid context object or a string "
                    f"specifying the start method, but got multiprocessing_context={context}"
                )
        self.__multiprocessing_context = context

    @property
    def _auto_collation(self):
        return self.batch_sampler is not None

    @property
    def _index_sampler(self):
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def check_worker_number_rationality(self):
        """Warns when more workers are asked for than this process may use processors."""
        if not self.num_workers:
            return
        import os

        available = getattr(os, "sched_getaffinity", None)
        count = len(available(0)) if available else os.cpu_count()
        if count is not None and self.num_workers <= count:
            return
        if count is None:
            suggestion = (
                "DataLoader is not able to compute a suggested max number of worker in current system."
            )
        else:
            note = "" if available else " (`cpuset` is not taken into account)"
            suggestion = (
                f"Our suggested max number of worker in current system is {count}{note}, which is smaller "
                "than "
                "what this DataLoader is going to create."
            )
        _warn(
            f"This DataLoader will create {self.num_workers} worker processes in total. {suggestion} Please "
            "be "
            "aware that excessive worker creation might get DataLoader running slow or even freeze, lower "
            "the "
            "worker number to avoid potential slowness/freeze if necessary.",
            stacklevel=4,
        )

    def _get_iterator(self):
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self)
        return _MultiProcessingDataLoaderIter(self)

    def __iter__(self):
        if not (self.persistent_workers and self.num_workers > 0):
            return self._get_iterator()
        if self._iterator is None or self._iterator._workers.closed:
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator

    def __len__(self):
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        length = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)


class _BaseDataLoaderIter:
    """One pass over a DataLoader."""

    def __init__(self, loader):
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._index_sampler = loader._index_sampler
        self._num_workers = loader.num_workers
        self._timeout = loader.timeout
        self._pin_memory = False
        if loader.pin_memory:
            if loader.pin_memory_device:
                _warn(
                    "pin_memory_device is deprecated, the current accelerator will be used as the device,"
                    f"ignore pin_memory_device='{loader.pin_memory_device}'.",
                    stacklevel=5,
                )
            accelerator = getattr(flambeau, "accelerator", None)
            self._pin_memory = accelerator is not None and accelerator.is_available()
            if not self._pin_memory:
                _warn(
                    "'pin_memory' argument is set as true but no accelerator is found, "
                    "then device pinned memory won't be used.",
                    stacklevel=5,
                )
        # The draw comes after the sampler's iterator is made and before its first index, as in PyTorch: a
        # sampler that draws lazily continues from it.
        self._sampler_iter = iter(self._index_sampler)
        seed = flambeau.empty((), dtype=flambeau.int64).random_(generator=loader.generator)
        self._base_seed = seed.item()
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def _reset(self, loader):
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def __iter__(self):
        return self

    def _next_index(self):
        return next(self._sampler_iter)

    def _next_data(self):
        raise NotImplementedError

    def __next__(self):
        data = self._next_data()
        if self._pin_memory:
            data = pin_memory(data)
        self._num_yielded += 1
        expected = self._IterableDataset_len_called
        if (
            self._dataset_kind == _DatasetKind.Iterable
            and expected is not None
            and self._num_yielded > expected
        ):
            message = (
                f"Length of IterableDataset {self._dataset} was reported to be {expected}"
                f"(when accessing len(dataloader)), but {self._num_yielded} samples have been fetched. "
            )
            if self._num_workers > 0:
                message += (
                    "For multiprocessing data-loading, this could be caused by not properly configuring the "
                    "IterableDataset replica at each worker. Please see "
                    "https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset for examples."
                )
            _warn(message)
        return data

    def __len__(self):
        return len(self._index_sampler)

    def __getstate__(self):
        raise NotImplementedError("{} cannot be pickled", type(self).__name__)


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Loads in the calling process."""

    def __init__(self, loader):
        super().__init__(loader)
        if self._timeout != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0")
        self._dataset_fetcher = _DatasetKind.create_fetcher(
            self._dataset_kind, self._dataset, loader._auto_collation, loader.collate_fn, loader.drop_last
        )

    def _next_data(self):
        return self._dataset_fetcher.fetch(self._next_index())


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Has worker processes load; see :class:`DataLoader`."""

    _workers = None

    def __init__(self, loader):
        from ._utils.workers import Workers

        super().__init__(loader)
        if loader.prefetch_factor <= 0:
            raise AssertionError("prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter")
        try:
            import numpy  # noqa: F401  (workers seed it: a forked one then finds it imported)
        except ImportError:
            pass
        self._workers = Workers(loader, self._base_seed, self._dataset_kind)
        self._workers.begin(self._sampler_iter)

    def _reset(self, loader):
        super()._reset(loader)
        self._workers.begin(self._sampler_iter)

    def _next_data(self):
        return self._workers.next()

    def _shutdown_workers(self):
        if self._workers is not None:
            self._workers.close()

    def __del__(self):
        self._shutdown_workers()
