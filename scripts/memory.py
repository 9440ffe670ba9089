"""Trains small networks for many steps and shows that resident memory stays flat.

    python scripts/memory.py [steps]

Prints the resident memory after each tenth; ends with 1 if it leaks. The system hands memory out in pieces of
megabytes, so a single jump is no leak: steady growth over the second half is, by its median slope, or 16 MB in all, or
Python's blocks becoming more.
"""

import gc
import statistics
import sys
from array import array

import flambeau as torch
from flambeau import nn

# Bytes per step: less than any object that could be forgotten.
SLOPE = 32
# Blocks of Python's allocator per step.
BLOCKS = 0.3
LIMIT = 16 << 20
READINGS = 80


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


def watch(step, steps, most=READINGS):
    """(steps taken, resident memory, Python's blocks) at even distances."""
    # Numbers without objects, which would count themselves.
    numbers, memory, blocks = (array("q", bytes(8 * most)) for _ in range(3))
    taken = 0
    for number in range(1, steps + 1):
        step()
        if number * most // steps > taken:
            gc.collect()
            numbers[taken], memory[taken], blocks[taken] = number, resident(), sys.getallocatedblocks()
            taken += 1
    return list(zip(numbers, memory, blocks))


def slope(readings, which=1):
    """Growth per step over the second half: the median over windows, of which a single jump changes few."""
    half = readings[len(readings) // 2 :]
    lag = len(half) // 4
    return statistics.median((b[which] - a[which]) / (b[0] - a[0]) for a, b in zip(half, half[lag:]))


def leaks(readings, limit=SLOPE, blocks=BLOCKS):
    """Whether memory grows as it does where something leaks."""
    total = readings[-1][1] - readings[0][1]
    return slope(readings) > limit or slope(readings, 2) > blocks or total > LIMIT


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    leaking = False
    for name, step in programs():
        readings = watch(step, steps)
        tenths = " ".join(f"{reading[1] / 2**20:.1f}" for reading in readings[:: READINGS // 10])
        growth = f"{slope(readings):.1f} bytes and {slope(readings, 2):.2f} blocks a step"
        print(f"{name}: {steps} steps, MB: {tenths} {readings[-1][1] / 2**20:.1f}; {growth}")
        leaking |= leaks(readings)
    raise SystemExit(leaking)


if __name__ == "__main__":
    main()
