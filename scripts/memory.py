"""Trains small networks for many steps and shows that resident memory stays flat.

    python scripts/memory.py [steps]

Prints the resident memory after each tenth; ends with 1 if it leaks. The system hands memory out in pieces of
megabytes, so a single step is no leak: growth in more than a third of the tenths is, or 16 MB in all.
"""

import gc
import sys

import flambeau as torch
from flambeau import nn

NOISE = 64 << 10
LIMIT = 16 << 20


def resident():
    """Resident memory in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def programs():
    """name -> a function that takes one training step."""
    torch.manual_seed(0)
    conv = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.1), nn.Linear(36, 5)
    )
    rnn, head, words = nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 5), nn.Embedding(11, 8)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def recurrent(x):
        return head(rnn(words(x))[0][:, -1])

    def attention(x):
        return head(layer(words(x)).mean(1))

    cases = {
        "convolution, Adam": (conv, conv.parameters(), torch.optim.Adam, lambda: torch.randn(4, 1, 8, 8)),
        "LSTM, SGD": (
            recurrent,
            [*rnn.parameters(), *head.parameters(), *words.parameters()],
            lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
            lambda: torch.randint(0, 11, (4, 6)),
        ),
        "attention, AdamW": (
            attention,
            [*layer.parameters(), *head.parameters(), *words.parameters()],
            torch.optim.AdamW,
            lambda: torch.randint(0, 11, (4, 6)),
        ),
    }
    for name, (model, parameters, make, inputs) in cases.items():
        parameters = list(parameters)
        optimizer = make(parameters)

        def step(model=model, parameters=parameters, optimizer=optimizer, inputs=inputs):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs()), torch.randint(0, 5, (4,)))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            return loss.item()

        yield name, step


def watch(step, steps):
    """Resident memory after each tenth of the steps."""
    readings = []
    for number in range(steps):
        step()
        if (number + 1) % max(1, steps // 10) == 0:
            gc.collect()
            readings.append(resident())
    return readings


def leaks(readings):
    """Whether memory grows as it does where something leaks."""
    steps = [after - before for before, after in zip(readings, readings[1:])]
    return 3 * sum(step > NOISE for step in steps) > len(steps) or readings[-1] - readings[0] > LIMIT


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    leaking = False
    for name, step in programs():
        readings = watch(step, steps)
        print(f"{name}: {steps} steps, MB: " + " ".join(f"{reading / 2**20:.1f}" for reading in readings))
        leaking |= leaks(readings)
    raise SystemExit(leaking)


if __name__ == "__main__":
    main()
