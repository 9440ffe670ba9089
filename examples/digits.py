"""Trains a small convolutional network on the 1,797 real digits beside this file.

    python examples/digits.py [--epochs 12] [--out out]

Prints the accuracy on 360 digits that it never saw, and writes digits.pth, loss.png and predictions.png.
Written for PyTorch's API: replace the first import by `import torch` and it runs on PyTorch too.
"""

import argparse
import gzip
import pathlib

import flambeau as torch
from flambeau import nn, optim
from flambeau.utils.data import DataLoader, TensorDataset

DATA = pathlib.Path(__file__).parent / "data" / "digits" / "digits.csv.gz"


def load():
    """Images (1797, 1, 8, 8) scaled to [0, 1], and classes (1797,)."""
    with gzip.open(DATA, "rt") as f:
        rows = torch.tensor([[float(v) for v in line.split(",")] for line in f])
    return rows[:, :64].reshape(-1, 1, 8, 8) / 16, rows[:, 64].long()


def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.25), nn.Linear(32 * 4 * 4, 64), nn.ReLU(), nn.Linear(64, 10),
    )


def train(net, images, classes, epochs):
    """Returns the loss of every step."""
    from tqdm import tqdm

    loader = DataLoader(TensorDataset(images, classes), batch_size=64, shuffle=True)
    optimizer = optim.AdamW(net.parameters(), lr=3e-3)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * len(loader))
    losses = []
    with tqdm(total=epochs * len(loader), unit="step") as bar:
        for epoch in range(epochs):
            for x, y in loader:
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(net(x), y)
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
                bar.set_postfix(epoch=epoch + 1, loss=f"{losses[-1]:.3f}")
                bar.update()
    return losses


def pictures(losses, images, classes, predicted, out):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6, 3.5))
    ax.semilogy(losses, linewidth=1)
    ax.set(xlabel="step", ylabel="cross entropy", title="Training loss")
    fig.tight_layout()
    fig.savefig(out / "loss.png", dpi=120)

    fig, axes = plt.subplots(3, 10, figsize=(9, 3.4))
    wrong = [i for i in range(len(classes)) if predicted[i] != classes[i]]
    shown = wrong[:10] + [i for i in range(len(classes)) if i not in wrong]
    for ax, i in zip(axes.flat, shown):
        ax.imshow(images[i, 0].tolist(), cmap="gray_r")
        right = predicted[i] == classes[i]
        ax.set_title(f"{predicted[i]}" if right else f"{predicted[i]} not {classes[i]}", fontsize=8,
                     color="black" if right else "red")
        ax.axis("off")
    fig.suptitle("Predictions (mistakes first, red)")
    fig.tight_layout()
    fig.savefig(out / "predictions.png", dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("out"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(0)
    images, classes = load()
    order = torch.randperm(len(images))
    images, classes = images[order], classes[order]
    held_out = 360
    net = network()
    losses = train(net, images[held_out:], classes[held_out:], args.epochs)

    net.eval()
    with torch.no_grad():
        predicted = net(images[:held_out]).argmax(1)
    accuracy = (predicted == classes[:held_out]).float().mean().item()
    torch.save(net.state_dict(), args.out / "digits.pth")
    pictures(losses, images, classes[:held_out].tolist(), predicted.tolist(), args.out)
    print(f"test accuracy {100 * accuracy:.2f} % on {held_out} digits; wrote {args.out}/digits.pth, loss.png, predictions.png")


if __name__ == "__main__":
    main()
