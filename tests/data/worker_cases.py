"""What worker processes draw and in which order batches come, as a script for PyTorch.

    python tests/data/worker_cases.py > tests/data/recorded_workers.json

test_workers.py runs it through `python -m flambeau` and compares.
"""

import json
import random

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

try:
    import numpy as np
except ImportError:
    np = None


class Draws(Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, index):
        info = get_worker_info()
        draws = torch.randint(0, 1000, ()).item(), random.randrange(1000)
        return index, info.id, info.num_workers, info.seed, *draws, np.random.randint(1000) if np else 0


class Stream(IterableDataset):
    def __init__(self, lengths):
        self.lengths = lengths

    def __iter__(self):
        worker = get_worker_info().id
        return iter([(worker, item) for item in range(self.lengths[worker])])


def init(worker):
    torch.manual_seed(100 + worker)


def lists(loader):
    return [[column.tolist() for column in batch] for batch in loader]


def main():
    rows = []
    for name, kwargs in {
        "fork, persistent": {"persistent_workers": True, "multiprocessing_context": "fork"},
        "spawn": {"multiprocessing_context": "spawn"},
        "init": {"worker_init_fn": init},
        "generator": {"generator": torch.Generator().manual_seed(7)},
        "three": {"num_workers": 3, "drop_last": True, "prefetch_factor": 1},
    }.items():
        torch.manual_seed(3)
        loader = DataLoader(Draws(), batch_size=2, shuffle=True, **{"num_workers": 2, **kwargs})
        epochs = [lists(loader) for _ in range(1 if name == "spawn" else 2)]
        rows.append([name, epochs, torch.randint(0, 1000, ()).item()])
    for kwargs in (
        {},
        {"drop_last": True},
        {"prefetch_factor": 1},
        {"prefetch_factor": 3},
        {"persistent_workers": True},
    ):
        loader = DataLoader(Stream([5, 2, 7]), batch_size=2, num_workers=3, **kwargs)
        rows.append([f"stream {kwargs}", [lists(loader), lists(loader)]])
    for workers in (1, 2):
        rows.append([f"items {workers}", list(DataLoader(Stream([2, 3]), batch_size=None, num_workers=workers))])
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
