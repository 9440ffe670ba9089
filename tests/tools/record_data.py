"""Records which batches PyTorch's samplers and DataLoader give for a seed.

    python tests/tools/record_data.py > tests/data/recorded.json

tests/data/test_data.py runs `runs` again.
"""

import json
import sys

LOADERS = [
    {"shuffle": True, "batch_size": 5},
    {"shuffle": True, "batch_size": 5, "drop_last": True},
    {"shuffle": False, "batch_size": 4},
    {"shuffle": True, "batch_size": None},
    {"shuffle": True, "batch_size": 3, "generator": 7},
]
SAMPLERS = [
    "RandomSampler(range(10))",
    "RandomSampler(range(10), num_samples=25)",
    "RandomSampler(range(10), replacement=True, num_samples=70)",
    "RandomSampler(range(10), generator=torch.Generator().manual_seed(5))",
    "SubsetRandomSampler([3, 4, 9, 11])",
    "WeightedRandomSampler([0.1, 0.2, 3.0], 8)",
    "WeightedRandomSampler([0.1, 0.2, 3.0], 3, replacement=False)",
    "BatchSampler(RandomSampler(range(7)), 3, False)",
    "DistributedSampler(range(11), 3, 1)",
    "DistributedSampler(range(11), 3, 2, drop_last=True)",
]


def runs(torch):
    """[name, what came out] of every case; each ends with a draw that shows where the default generator
    stands.
    """
    data = torch.utils.data
    rows = []
    dataset = data.TensorDataset(torch.arange(23), torch.arange(23.0) * 2)
    for options in LOADERS:
        torch.manual_seed(3)
        given = dict(options)
        if "generator" in given:
            given["generator"] = torch.Generator().manual_seed(given["generator"])
        loader = data.DataLoader(dataset, **given)
        epochs = [[batch[0].tolist() for batch in loader] for _ in range(2)]
        rows.append([str(options), epochs, torch.rand(1).item()])
    for expression in SAMPLERS:
        torch.manual_seed(4)
        sampler = eval(expression, {"torch": torch, **vars(data)})
        rows.append([expression, [list(sampler), list(sampler)], torch.rand(1).item()])
    torch.manual_seed(5)
    parts = data.random_split(range(10), [0.33, 0.33, 0.34])
    rows.append(["random_split", [part.indices for part in parts], torch.rand(1).item()])
    return rows


if __name__ == "__main__":
    import torch

    json.dump(runs(torch), sys.stdout)
