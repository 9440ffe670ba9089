"""Random index expressions and what PyTorch makes of them, for tests/binding/test_index_properties.py.

Run with a Python that has PyTorch 2.15 and NumPy: `python tests/tools/record_index_properties.py`. The expressions come
from a seeded generator and are written into the table, so that the table says what it tests. A case is `[kind, base,
index, value, result]`: reading (`get`), assignment (`set`), `x[i] += v` (`add`), and the gradients of reading
(`get_grad`) and of assignment (`set_grad`).
"""

import json
import random
import sys
import warnings
import zlib
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "binding" / "index_properties.json"
SEED = 20261123
COUNTS = {"get": 1100, "set": 700, "add": 250, "get_grad": 250, "set_grad": 250}

BASES = [
    "torch.tensor(3.)",
    "torch.arange(5.)",
    "torch.zeros(0)",
    "torch.zeros(2, 0, 3)",
    "torch.arange(6.).reshape(2, 3)",
    "torch.arange(24.).reshape(2, 3, 4)",
    "torch.arange(24).reshape(4, 3, 2)",
    "torch.arange(6).reshape(2, 1, 3)",
    "torch.arange(12.).reshape(3, 4).t()",
    "torch.arange(24.).reshape(2, 3, 4).permute(2, 0, 1)",
    "torch.arange(48.).reshape(4, 6, 2)[::2, 1::2]",
    "torch.arange(36.).reshape(2, 3, 3, 2)",
    "torch.arange(24.).reshape(2, 3, 2, 2).to(memory_format=torch.channels_last)",
    "torch.arange(32).reshape(2, 2, 2, 2, 2)",
    "(torch.arange(6) % 3 == 0).reshape(2, 3)",
    "torch.arange(12).reshape(3, 4).to(torch.complex64)",
    "torch.arange(12).reshape(2, 6).to(torch.uint8)",
    "torch.arange(8, dtype=torch.float64).reshape(2, 4)",
]
READ_ONLY = ["torch.arange(3.).expand(4, 3)", "torch.arange(4).reshape(2, 1, 2).expand(2, 3, 2)"]
SHAPES = {
    b: s
    for b, s in zip(
        BASES + READ_ONLY,
        [(), (5,), (0,), (2, 0, 3), (2, 3), (2, 3, 4), (4, 3, 2), (2, 1, 3), (4, 3), (4, 2, 3), (2, 3, 2)]
        + [(2, 3, 3, 2), (2, 3, 2, 2), (2, 2, 2, 2, 2), (2, 3), (3, 4), (2, 6), (2, 4), (4, 3), (2, 3, 2)],
        strict=True,
    )
}
WRONG = ["1.5", "'a'", "object()", "torch.tensor([0.5])", "[1.5]", "{}", "1j", "2**80", "slice(None, None, -1)", "b'x'"]


class I:  # noqa: E742 - the name that the cases use
    """A number only by `__index__`."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class Generator:
    """Draws cases; the index shape of one expression is shared, so that most of them broadcast."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def within(self, size):
        """A position, mostly in range."""
        r = self.r
        if size == 0 or r.random() < 0.02:
            return r.choice([size, -size - 1, 9, 0])
        return r.randrange(-size, size)

    def bound(self, size):
        return self.r.choice([None, None, 0, 1, -1, size, size + 2, -size, self.r.randrange(-size - 1, size + 2)])

    def nested(self, shape, draw):
        return [self.nested(shape[1:], draw) for _ in range(shape[0])] if shape else draw()

    def numbers(self, size, shape):
        """An index of integers, in one of the many forms."""
        r = self.r
        data = self.nested(shape, lambda: self.within(size))
        if not shape:
            return r.choice(["torch.tensor({})", "np.int64({})", "np.array({})", "I({})", "np.int8({})"]).format(data)
        if 0 in shape:
            return r.choice([f"torch.zeros({shape}, dtype=torch.int64)", "[]"])
        forms = ["torch.tensor({})"] * 4 + ["{}"] * 3 + ["np.array({})", "torch.tensor({}, dtype=torch.int32)"]
        if all(0 <= v < size for v in ([] if len(shape) != 1 else data)) and len(shape) == 1 and r.random() < 0.1:
            return f"range({min(size, shape[0])})"
        if r.random() < 0.05:
            return f"tuple({data})"
        return r.choice(forms).format(data)

    def mask(self, sizes):
        r = self.r
        sizes = list(sizes)
        if r.random() < 0.03 and sizes:
            sizes[r.randrange(len(sizes))] += r.choice([1, -1]) if min(sizes) > 0 else 1
        data = self.nested(sizes, lambda: r.random() < 0.5)
        form = r.choice(["torch.tensor({})"] * 5 + ["np.array({}, dtype=bool)", "{}", "u8"])
        if 0 in sizes or not sizes:
            return f"torch.zeros({tuple(sizes)}, dtype=torch.bool)" if sizes else f"torch.tensor({data})"
        if form == "u8":
            return f"torch.tensor({self.nested(sizes, lambda: r.randrange(2))}, dtype=torch.uint8)"
        return form.format(data)

    def index(self, shape):
        """Source of an index for a tensor of this shape."""
        r = self.r
        common = r.choice([(2,), (1,), (3,), (2, 2), (0,), (2, 1), ()])
        fancy = r.random() < 0.6
        atoms, left = [], list(shape)
        while left and r.random() < 0.85:
            kind = r.random()
            if kind < 0.2:
                atoms.append(str(self.within(left.pop(0))))
            elif kind < 0.4:
                n = left.pop(0)
                step = r.choice([None, None, None, 1, 2, 3])
                atoms.append(f"slice({self.bound(n)}, {self.bound(n)}, {step})")
            elif kind < 0.48:
                atoms.append("None")
            elif kind < 0.55 and "..." not in atoms:
                keep = r.randrange(len(left) + 1)
                left = left[len(left) - keep :] if keep else []
                atoms.append("...")
            elif kind < 0.60:
                atoms.append(r.choice(["True", "False", "torch.tensor(True)", "np.bool_(True)", "np.newaxis"]))
            elif not fancy:
                left.pop(0)
                atoms.append(":")
            elif kind < 0.75:
                k = r.randrange(1, min(len(left), 2) + 1)
                atoms.append(self.mask(left[:k]))
                del left[:k]
            else:
                shape_here = common if r.random() < 0.9 else r.choice([(1,), (4,), (1, 2)])
                atoms.append(self.numbers(left.pop(0), shape_here))
        if r.random() < 0.03:
            atoms.append(r.choice(["0", "slice(None)", "[0]", "..."]))
        if r.random() < 0.03:
            atoms.insert(r.randrange(len(atoms) + 1), r.choice(WRONG))
        if r.random() < 0.03 and shape:
            return self.mask(shape)
        atoms = [a if a != ":" else "slice(None)" for a in atoms]
        if len(atoms) == 1 and r.random() < 0.7:
            return atoms[0]
        if atoms and r.random() < 0.05:
            return "[" + ", ".join(atoms) + "]"
        return "(" + "".join(a + ", " for a in atoms) + ")"

    def value(self, size, dtype, grads=False):
        """What is assigned to a result of this shape (None where reading it fails)."""
        r = self.r
        if size is None:
            return "1"
        if not grads and r.random() < 0.3:
            return r.choice(["7", "2.5", "True", "torch.tensor(5)", "torch.tensor(2.5)", "-1", "np.float32(3)"])
        n = 1
        size = list(size)
        if size and r.random() < 0.3:
            size = size[r.randrange(len(size)) :]
        if size and r.random() < 0.3:
            size[r.randrange(len(size))] = 1
        if r.random() < 0.1:
            size = [1, *size]
        if size and r.random() < 0.06:
            size[r.randrange(len(size))] += 1
        for s in size:
            n *= s
        text = f"torch.arange({n}).reshape({tuple(size)})"
        if r.random() < 0.04 and not grads:
            return text + ".to(torch.float64)"
        return text + f".to(torch.{dtype})"


def environment(torch, np, base):
    env = {"torch": torch, "np": np, "I": I, "object": object}
    env["x"] = eval(base, env)
    return env


def numbers(t):
    """The values, or for many of them a checksum."""
    values = [[v.real, v.imag] if isinstance(v, complex) else v for v in t.detach().flatten().tolist()]
    return values if len(values) <= 8 else zlib.crc32(json.dumps(values).encode())


def describe(t):
    return [list(t.shape), list(t.stride()), str(t.dtype).rsplit(".", 1)[-1], numbers(t)]


def outcome(torch, np, kind, base, index, value):
    """What the case does: a description, or `[type, text]` of its error."""
    env = environment(torch, np, base)
    x = env["x"]
    if kind == "get":
        y = eval(f"x[{index}]", env)
        shared = y.untyped_storage().data_ptr() == x.untyped_storage().data_ptr() and x.numel() > 0
        return [*describe(y), y.storage_offset() if shared else None]
    if kind == "set":
        exec(f"x[{index}] = {value}", env)
        return describe(x)
    if kind == "add":
        exec(f"x[{index}] += {value}", env)
        return describe(x)
    if kind == "get_grad":
        x.requires_grad_()
        y = eval(f"x[{index}]", env)
        if y.numel() == 0:
            return [y.grad_fn.name(), y.requires_grad]
        (y * (torch.arange(y.numel()).reshape(y.shape) + 1)).sum().backward()
        return [y.grad_fn.name(), *describe(x.grad)]
    x.requires_grad_()
    v = env["v"] = eval(value, env).requires_grad_()
    y = env["y"] = x * 1
    exec(f"y[{index}] = v", env)
    (y * (torch.arange(y.numel()).reshape(y.shape) + 1)).sum().backward()
    return [y.grad_fn.name(), describe(x.grad), None if v.grad is None else describe(v.grad)]


def run(torch, np, kind, base, index, value):
    """The outcome as plain JSON, with the texts of warnings if there are any."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = outcome(torch, np, kind, base, index, value)
        except Exception as e:  # noqa: BLE001 - the error is what is recorded
            result = {"error": type(e).__name__, "text": str(e).splitlines()[0] if str(e) else ""}
    texts = sorted({str(w.message).split(" (Triggered")[0] for w in caught})
    return [result, texts] if texts else [result]


def cases(torch, np):
    """Seeded cases; the shape of what an index selects decides what is assigned to it."""
    g = Generator(SEED)
    floating = [b for b in BASES if eval(b, {"torch": torch}).is_floating_point()]
    for kind, count in COUNTS.items():
        seen = set()
        while len(seen) < count:
            bases = floating if kind.endswith("grad") else BASES + READ_ONLY if kind == "get" else BASES
            base = g.r.choice(bases)
            index = g.index(SHAPES[base])
            value = None
            if kind in ("set", "add", "set_grad"):
                env = environment(torch, np, base)
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        size = list(eval(f"x[{index}]", env).shape)
                except Exception:  # noqa: BLE001 - assignment will say so too
                    size = None
                dtype = str(env["x"].dtype).rsplit(".", 1)[-1]
                value = g.value(size, dtype, kind == "set_grad")
                if kind == "set_grad" and size is None:
                    continue
            if (base, index) not in seen:
                seen.add((base, index))
                yield kind, base, index, value


def main():
    import numpy as np
    import torch

    rows = [[*case, *run(torch, np, *case)] for case in cases(torch, np)]
    # An index out of an empty dimension: PyTorch's text tells of its allocator, ours of the index.
    rows = [row for row in rows if not (isinstance(row[4], dict) and row[4]["text"].startswith("setStorage"))]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    TARGET.write_text(f"[\n{lines}\n]\n")
    errors = sum(isinstance(row[4], dict) for row in rows)
    print(f"{len(rows)} cases, {errors} of them errors, {TARGET.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
