"""Trains a convolutional network on real MNIST digits.

    python examples/mnist.py [DIRECTORY] [--epochs 4] [--out out]

DIRECTORY holds the idx files (gzipped or not). With the 60,000 training images it trains on them and tests on the
10,000 test images; with the test images alone (the default, ../shared/data/mnist) it trains on the first 8,000 and
tests on the last 2,000, so that figures are not comparable with published ones.
"""

import argparse
import gzip
import pathlib
import struct

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim
from flambeau.utils.data import DataLoader, TensorDataset

DEFAULT = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"


def read_idx(directory, name):
    """An idx file of unsigned bytes as a uint8 tensor, or None where it is absent."""
    for path in (directory / f"{name}.gz", directory / name):
        if path.exists():
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            zeros, dtype, rank = struct.unpack(">HBB", data[:4])
            if zeros or dtype != 8:
                raise ValueError(f"{path} is not an idx file of unsigned bytes")
            shape = struct.unpack(f">{rank}I", data[4:4 + 4 * rank])
            return torch.frombuffer(bytearray(data[4 + 4 * rank:]), dtype=torch.uint8).reshape(shape)
    return None


def load(directory):
    def part(kind):
        images, labels = (read_idx(directory, f"{kind}-{what}-ubyte") for what in ("images-idx3", "labels-idx1"))
        if images is None or labels is None:
            return None
        return (images.float().unsqueeze(1) / 255 - 0.1307) / 0.3081, labels.long()

    train, test = part("train"), part("t10k")
    if test is None:
        raise SystemExit(f"no MNIST files in {directory}: give the directory that holds t10k-images-idx3-ubyte(.gz)")
    if train is None:
        images, labels = test
        train, test = (images[:8000], labels[:8000]), (images[8000:], labels[8000:])
    return train, test


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.dropout = nn.Dropout(0.25)
        self.fc1 = nn.Linear(32 * 12 * 12, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.dropout(torch.flatten(x, 1))
        return self.fc2(F.relu(self.fc1(x)))


def accuracy(net, images, labels):
    net.eval()
    with torch.no_grad():
        right = sum((net(x).argmax(1) == y).sum().item() for x, y in zip(images.split(1000), labels.split(1000)))
    net.train()
    return right / len(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=pathlib.Path, default=DEFAULT)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("out"))
    args = parser.parse_args()
    from tqdm import tqdm

    torch.manual_seed(1)
    train, test = load(args.directory)
    net = Net()
    loader = DataLoader(TensorDataset(*train), batch_size=64, shuffle=True)
    optimizer = optim.AdamW(net.parameters(), lr=1e-3)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=args.epochs * len(loader))
    for epoch in range(args.epochs):
        for x, y in tqdm(loader, desc=f"epoch {epoch + 1}/{args.epochs}", unit="step"):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: test accuracy {100 * accuracy(net, *test):.2f} % on {len(test[1])} digits")
    args.out.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), args.out / "mnist.pth")


if __name__ == "__main__":
    main()
