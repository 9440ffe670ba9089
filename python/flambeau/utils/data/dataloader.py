"""The DataLoader."""

import flambeau

from ._utils.collate import default_collate, default_convert
from ._utils.fetch import IterableFetcher, MapFetcher
from ._utils.worker import get_worker_info
from .dataset import IterableDataset
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]


class _DatasetKind:
    Map = 0
    Iterable = 1


class _InfiniteConstantSampler(Sampler):
    """Stands for the indices of a stream, which has none."""

    def __iter__(self):
        while True:
            yield None


_warned_about_workers = False


def _warn(message, stacklevel=3):
    import warnings

    warnings.warn(message, stacklevel=stacklevel)


class DataLoader:
    """Iterates over a dataset in batches.

    Everything runs in the calling process: ``num_workers`` above 0 is accepted, gives a warning once and
    changes neither the batches nor their order; ``prefetch_factor``, ``timeout``, ``worker_init_fn``,
    ``in_order`` and ``multiprocessing_context``, which configure workers, have no effect then.

    Args:
        dataset: a dataset with ``__getitem__`` and ``__len__``, or an :class:`IterableDataset`.
        batch_size: samples in a batch; None turns batching off.
        shuffle: take the samples in random order, another one each epoch.
        sampler: indices in the order in which to take them.
        batch_sampler: lists of indices, instead of batch_size, shuffle, sampler and drop_last.
        num_workers: see above.
        collate_fn: makes a batch of a list of samples; :func:`default_collate` unless given.
        pin_memory: put batches in page-locked memory, if there is an accelerator.
        drop_last: leave out a last batch that is not full.
        timeout, worker_init_fn, multiprocessing_context, prefetch_factor, persistent_workers, in_order: see
            above.
        generator: source of the order of samples.
        pin_memory_device: deprecated, has no effect.

    Raises:
        ValueError: for options that contradict each other.
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
        """The start method of worker processes; checked, otherwise unused."""
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
        """Warns, once in a process, that worker processes were asked for but are not used."""
        global _warned_about_workers
        if self.num_workers and not _warned_about_workers:
            _warned_about_workers = True
            _warn(
                f"num_workers={self.num_workers}: flambeau's DataLoader loads in the calling process; "
                "worker_init_fn is not called. Batches and their order are the same.",
                stacklevel=4,
            )

    def __iter__(self):
        if self.persistent_workers and self.num_workers > 0:
            if self._iterator is None:
                self._iterator = _DataLoaderIter(self)
            else:
                self._iterator._reset(self)
            return self._iterator
        return _DataLoaderIter(self)

    def __len__(self):
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        length = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)


class _DataLoaderIter:
    """One pass over a DataLoader."""

    def __init__(self, loader):
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._index_sampler = loader._index_sampler
        self._collate = loader._auto_collation, loader.collate_fn, loader.drop_last
        self._pin_memory = False
        if loader.pin_memory:
            accelerator = getattr(flambeau, "accelerator", None)
            self._pin_memory = accelerator is not None and accelerator.is_available()
            if not self._pin_memory:
                _warn(
                    "'pin_memory' argument is set as true but no accelerator is found, "
                    "then device pinned memory won't be used.",
                    stacklevel=4,
                )
        if loader.timeout != 0 and loader.num_workers == 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0")
        # The draw comes after the sampler's iterator is made and before its first index, as in PyTorch: a
        # sampler that draws lazily continues from it.
        self._sampler_iter = iter(self._index_sampler)
        seed = flambeau.empty((), dtype=flambeau.int64).random_(generator=loader.generator)
        self._base_seed = seed.item()
        self._start(loader)

    def _start(self, loader):
        self._num_yielded = 0
        self._expected = loader._IterableDataset_len_called
        fetcher = MapFetcher if self._dataset_kind == _DatasetKind.Map else IterableFetcher
        self._fetcher = fetcher(self._dataset, *self._collate)

    def _reset(self, loader):
        self._sampler_iter = iter(self._index_sampler)
        self._start(loader)

    def __iter__(self):
        return self

    def __next__(self):
        data = self._fetcher.fetch(next(self._sampler_iter))
        if self._pin_memory:
            data = _pin(data)
        self._num_yielded += 1
        if self._expected is not None and self._num_yielded > self._expected:
            if self._dataset_kind == _DatasetKind.Iterable:
                _warn(
                    f"Length of IterableDataset {self._dataset} was reported to be {self._expected}"
                    f"(when accessing len(dataloader)), but {self._num_yielded} samples have been fetched. "
                )
        return data

    def __len__(self):
        return len(self._index_sampler)

    def __getstate__(self):
        raise NotImplementedError("{} cannot be pickled", type(self).__name__)


def _pin(data):
    """``data`` with its tensors in page-locked memory; containers keep their structure."""
    if isinstance(data, flambeau.Tensor) or hasattr(data, "pin_memory"):
        return data.pin_memory()
    if isinstance(data, dict):
        return {key: _pin(value) for key, value in data.items()}
    if isinstance(data, tuple):
        values = [_pin(value) for value in data]
        return type(data)(*values) if hasattr(data, "_fields") else type(data)(values)
    if isinstance(data, list):
        return [_pin(value) for value in data]
    return data
