"""Records what PyTorch's layers start with and how small networks train: run with a Python that has PyTorch 2.15.

    python tests/tools/record_rust.py > crates/flambeau/tests/suite/data/recorded.json

The tests of the Rust crates do the same with the same seeds.
"""

import json
import sys

import torch
from torch import nn


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().flatten().double().tolist()]


def state(module):
    return [[name, list(tensor.shape), numbers(tensor)] for name, tensor in module.state_dict().items()]


LAYERS = {
    "Linear": lambda: nn.Linear(5, 3),
    "LinearNoBias": lambda: nn.Linear(4, 2, bias=False),
    "Conv1d": lambda: nn.Conv1d(2, 3, 3),
    "Conv2d": lambda: nn.Conv2d(4, 6, 3, groups=2),
    "Conv3d": lambda: nn.Conv3d(1, 2, 2, bias=False),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 2, 3),
    "Embedding": lambda: nn.Embedding(6, 3, padding_idx=-2),
    "BatchNorm2d": lambda: nn.BatchNorm2d(3),
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "MultiheadAttention": lambda: nn.MultiheadAttention(8, 2),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(8, 2, 16),
}


def train(module, optimizer, steps, loss_of):
    losses = []
    for _ in range(steps):
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(f"{loss.item():.9g}"))
    module.eval()
    return losses


def mlp():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    x, y = torch.randn(32, 4), torch.randint(0, 3, (32,))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    losses = train(net, optimizer, 20, lambda: nn.functional.cross_entropy(net(x), y))
    return {"losses": losses, "output": numbers(net(x)), "state": state(net)}


def convnet():
    torch.manual_seed(1)
    net = nn.Sequential(
        # Without a bias: before batch norm its gradient is only rounding, which Adam would make as large as any.
        nn.Conv2d(1, 4, 3, padding=1, stride=2, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 2),
    )
    x, y = torch.randn(16, 1, 8, 8), torch.randint(0, 2, (16,))
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    losses = train(net, optimizer, 12, lambda: nn.functional.cross_entropy(net(x), y, label_smoothing=0.1))
    return {"losses": losses, "output": numbers(net(x)), "state": state(net)}


def transformer():
    torch.manual_seed(2)
    net = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
    x = torch.randn(3, 5, 16)
    hidden = torch.tensor([[False] * 5, [False] * 4 + [True], [False] * 3 + [True] * 2])
    mask = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
    # Not Adam: the keys' bias has no influence, so that its gradient is only rounding.
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2)
    loss = lambda: (net(x, src_mask=mask, src_key_padding_mask=hidden)[:, :3] - 0.5).square().mean()  # noqa: E731
    losses = train(net, optimizer, 8, loss)
    torch.backends.mha.set_fastpath_enabled(False)
    return {"losses": losses, "output": numbers(net(x)), "state": state(net)}


def main():
    torch.manual_seed(7)
    layers = {name: state(make()) for name, make in LAYERS.items()}
    torch.manual_seed(3)
    draws = {
        "rand": numbers(torch.rand(5)),
        "randn": numbers(torch.randn(20)),
        "randint": torch.randint(-3, 9, (7,)).tolist(),
        "randperm": torch.randperm(11).tolist(),
    }
    record = {
        "torch": torch.__version__,
        "layers": layers,
        "draws": draws,
        "mlp": mlp(),
        "convnet": convnet(),
        "transformer": transformer(),
    }
    json.dump(record, sys.stdout)
    print()


if __name__ == "__main__":
    main()
