"""From indices to a batch."""

import flambeau

from ..dataset import Subset, TensorDataset
from .collate import default_collate


class _IterableDatasetFetcher:
    """Takes the next items of a stream, one for each index."""

    def __init__(self, dataset, batched, collate_fn, drop_last):
        self.items = iter(dataset)
        self.batched = batched
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.ended = False

    def fetch(self, index):
        """Returns the next batch; raises StopIteration at the end."""
        if self.ended:
            raise StopIteration
        if not self.batched:
            return self.collate_fn(next(self.items))
        batch = []
        for _ in index:
            try:
                batch.append(next(self.items))
            except StopIteration:
                self.ended = True
                break
        if not batch or (self.drop_last and len(batch) < len(index)):
            raise StopIteration
        return self.collate_fn(batch)


class _MapDatasetFetcher:
    """Looks items up by index."""

    def __init__(self, dataset, batched, collate_fn, drop_last):
        self.dataset = dataset
        self.batched = batched
        self.collate_fn = collate_fn
        self.get_items = getattr(dataset, "__getitems__", None) if batched else None

    def fetch(self, index):
        """Returns the batch (or, without batching, the item) of ``index``."""
        if not self.batched:
            return self.collate_fn(self.dataset[index])
        if self.collate_fn is default_collate:
            rows = _tensor_rows(self.dataset, index)
            if rows is not None:
                return rows
        if self.get_items:
            return self.collate_fn(self.get_items(index))
        dataset = self.dataset
        return self.collate_fn([dataset[i] for i in index])


def _tensor_rows(dataset, index):
    """A batch of a plain TensorDataset in one gather a tensor: the values that collating single rows would
    give.
    """
    if any(type(i) is not int for i in index):
        return None
    while type(dataset) is Subset:
        indices = dataset.indices
        if type(indices) is not list:
            return None
        index = [indices[i] for i in index]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset:
        return None
    for tensor in dataset.tensors:
        if type(tensor) is not flambeau.Tensor or tensor.requires_grad or tensor.layout != flambeau.strided:
            return None
        if any(type(i) is not int or not 0 <= i < tensor.size(0) for i in index):
            return None
    positions = flambeau.tensor(index)
    return [tensor[positions.to(tensor.device)] for tensor in dataset.tensors]
