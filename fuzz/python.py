"""Feeds the Python side of flambeau with random arguments, indices and files for some seconds:

    python fuzz/python.py <arguments|indexing|views|pth|safetensors> <seconds> [seed]

Anything may be refused with an exception; a crash of the process, an internal error or a panic may not
happen. A failing input is printed as code; a crash is found again from the seed, with FUZZ_KEEP_LAST set.
"""

import io
import os
import pickle
import random
import resource
import sys
import time
import warnings
from pathlib import Path

import flambeau as torch

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "tests" / "io" / "fixtures"
# With FUZZ_KEEP_LAST set each input is written here first, to be found after a crash; this takes most of the
# time.
LAST, KEEP = "fuzz-python.last", "FUZZ_KEEP_LAST" in os.environ

# What a panic in the extension looks like from here.
BROKEN = ("internal error", "panicked", "PanicException", "INTERNAL ASSERT")

INTS = [0, 1, 2, 3, -1, -2, 5, 7, 64, 100, -100, 2**31, -(2**31), 2**62, 2**63 - 1, -(2**63), 2**64, 2**70]
FLOATS = [0.0, -0.0, 0.5, -1.5, 1e300, float("inf"), float("-inf"), float("nan")]
DTYPES = [v for v in vars(torch).values() if isinstance(v, torch.dtype)]
WORDS = [
    "mean",
    "sum",
    "none",
    "ij",
    "xy",
    "constant",
    "reflect",
    "floor",
    "trunc",
    "cpu",
    "meta",
    "cuda",
    "",
    "\0",
    "é",
]


def failed(error):
    text = f"{type(error).__name__}: {error}"
    return text if any(word in text for word in BROKEN) or isinstance(error, SystemError) else None


class Draw:
    """Random values, with the source that makes them."""

    def __init__(self, rng):
        self.rng = rng
        self.names = {}

    def int(self):
        return self.rng.choice(INTS) if self.rng.random() < 0.15 else self.rng.randint(-4, 5)

    def sizes(self):
        return [self.rng.choice([0, 1, 2, 3, 4, 5]) for _ in range(self.rng.randint(0, 4))]

    def tensor(self):
        rng = self.rng
        sizes = self.sizes()
        kind = rng.random()
        if kind < 0.35:
            code = f"torch.arange({prod(sizes)}).reshape({sizes}).to(torch.float32)"
        elif kind < 0.55:
            code = f"(torch.arange({prod(sizes)}) % 5 - 1).reshape({sizes})"
        elif kind < 0.65:
            code = f"(torch.arange({prod(sizes)}) % 2 == 0).reshape({sizes})"
        elif kind < 0.9:
            code = f"torch.ones({sizes}, dtype={rng.choice(DTYPES)})"
        else:
            code = f"torch.ones({sizes}, device='meta')"
        if rng.random() < 0.2:
            code += f".expand({[3, *sizes]})" if rng.random() < 0.5 else f"[..., None][::{rng.randint(1, 3)}]"
        if rng.random() < 0.1:
            code += ".detach().requires_grad_()"
        return code

    def value(self, depth=0):
        rng = self.rng
        kind = rng.randint(0, 17 if depth < 3 else 11)
        if kind < 4:
            return str(self.int())
        if kind == 4:
            return f"float('{rng.choice(FLOATS)}')"
        if kind < 8:
            return self.tensor()
        if kind == 8:
            return rng.choice(
                ["None", "True", "False", "...", "slice(None)", "object()", "int", "torch", "print"]
            )
        if kind == 9:
            return repr(rng.choice(WORDS))
        if kind == 10:
            return str(rng.choice(DTYPES))
        if kind == 11:
            return rng.choice(
                [
                    "1j",
                    "b'ab'",
                    "torch.Size([2, 3])",
                    "torch.device('meta')",
                    "torch.strided",
                    "range(3)",
                    "{}",
                ]
            )
        items = ", ".join(self.value(depth + 1) for _ in range(rng.randint(0, 3)))
        return f"[{items}]" if kind < 15 else f"({items}{',' if items else ''})"

    def index(self):
        rng = self.rng
        parts = []
        for _ in range(rng.randint(1, 4)):
            kind = rng.randint(0, 9)
            if kind < 3:
                parts.append(str(self.int()))
            elif kind < 5:
                ends = [rng.choice(["", str(self.int())]) for _ in range(3)]
                parts.append(":".join(ends))
            elif kind == 5:
                parts.append(rng.choice(["None", "...", "True", "False"]))
            elif kind == 6:
                parts.append(str([self.int() for _ in range(rng.randint(0, 4))]))
            elif kind < 9:
                parts.append(
                    f"torch.tensor({[rng.randint(-2, 3) for _ in range(rng.randint(0, 4))]}, "
                    "dtype=torch.int64)"
                )
            else:
                parts.append(self.value(2))
        return ", ".join(parts)


def prod(sizes):
    total = 1
    for n in sizes:
        total *= n
    return total


# What makes results as large as it is told is the caller's own wish, and exhausts the memory here; what waits
# or reads files or the process is not about arguments.
MAKERS = """
empty zeros ones full rand randn randint randperm eye arange linspace logspace range tile repeat pad expand
resize tril_indices triu_indices window vander one_hot diag multinomial combinations cartesian kron
interpolate upsample bincount load save compile install set_num set_default set_print seed manual from_file
frombuffer apply map_ share hook Storage as_strided tensor_split chunk bartlett kaiser import_ir empty_cache
backward cdist fill
""".split()


def functions():
    """Names of callables, each with whether it is a method."""
    found = []
    for prefix, owner in (
        ("torch", torch),
        ("torch.nn.functional", torch.nn.functional),
        ("torch.linalg", torch.linalg),
    ):
        for name in sorted(dir(owner)):
            value = getattr(owner, name, None)
            if not name.startswith("_") and callable(value) and not isinstance(value, type):
                found.append((f"{prefix}.{name}", False))
    found += [
        (name, True) for name in sorted(dir(torch.Tensor)) if callable(getattr(torch.Tensor, name, None))
    ]
    found += [
        (f"torch.{name}", False)
        for name in ("Tensor", "tensor", "as_tensor", "asarray", "FloatTensor", "Size", "device")
    ]
    return [
        (name, method)
        for name, method in found
        if not any(word in name.rsplit(".", 1)[-1] for word in MAKERS)
        and name
        not in (
            "__class__",
            "__init_subclass__",
            "__subclasshook__",
            "__setattr__",
            "__delattr__",
            "__getattribute__",
        )
    ]


def parameters(name):
    """Names of keyword arguments to try."""
    return [
        "dim",
        "keepdim",
        "dtype",
        "out",
        "other",
        "input",
        "alpha",
        "value",
        "index",
        "src",
        "reduce",
        "correction",
    ]


def arguments(rng):
    names = functions()
    keywords = parameters(None)

    def one():
        draw = Draw(rng)
        name, method = rng.choice(names)
        args = [draw.value() for _ in range(rng.randint(0, 4))]
        if not method and rng.random() < 0.7:
            args.insert(0, draw.tensor())
        for key in rng.sample(keywords, rng.choice([0, 0, 0, 1, 2])):
            args.append(f"{key}={draw.value()}")
        target = f"({draw.tensor()}).{name}" if method else name
        return f"{target}({', '.join(args)})"

    return one


def indexing(rng):
    def one():
        draw = Draw(rng)
        index = draw.index()
        kind = rng.random()
        if kind < 0.5:
            return f"({draw.tensor()})[{index}].sum()"
        value = draw.value(2) if kind < 0.9 else draw.tensor()
        return f"({draw.tensor()}).__setitem__(({index},), {value})"

    return one


VIEWS = """
view reshape permute transpose expand narrow select unfold diagonal squeeze unsqueeze flatten unflatten
as_strided split chunk unbind movedim swapaxes t mT view_as_real real imag swapdims tensor_split ravel
broadcast_to moveaxis
""".split()


def views(rng):
    def one():
        draw = Draw(rng)
        code = f"({draw.tensor()})"
        for _ in range(rng.randint(1, 4)):
            name = rng.choice(VIEWS)
            if name in ("mT", "real", "imag"):
                code += f".{name}"
                continue
            # As many parts as are asked for are made, also of nothing.
            draw_int = (lambda: rng.randint(-3, 6)) if name in ("tensor_split", "chunk") else draw.int
            ints = [str(draw_int()) for _ in range(rng.randint(0, 4))]
            if rng.random() < 0.3:
                ints = [
                    f"[{', '.join(ints)}]",
                    *([str([draw.int() for _ in ints])] if rng.random() < 0.5 else []),
                ]
            code += f".{name}({', '.join(ints)})"
            if name in ("split", "chunk", "unbind", "tensor_split"):
                code += "[0]"
        return f"look({code})"

    return one


def look(tensor):
    """Uses every element, by two ways that must agree."""
    if (
        isinstance(tensor, torch.Tensor)
        and not tensor.is_meta
        and tensor.numel() < 4096
        and not tensor.requires_grad
    ):
        copied = tensor.contiguous().clone().tolist()
        assert repr(copied) == repr(tensor.tolist()), "a copy differs"
        tensor.clone().zero_()
    return tensor


def snippets(make, rng, seconds):
    one = make(rng)
    scope = {"torch": torch, "look": look}
    start, count, bad = time.monotonic(), 0, {}
    while time.monotonic() - start < seconds:
        code = one()
        if KEEP:
            Path(LAST).write_text(code)
        count += 1
        try:
            eval(code, scope)
        except Exception as error:
            text = failed(error) or (f"AssertionError: {error}" if str(error) == "a copy differs" else None)
            if text:
                bad.setdefault(text[:200], code)
    return count, bad


def change(rng, data, corpus):
    data = bytearray(data)
    for _ in range(1 + rng.randint(0, 3) * rng.randint(0, 3)):
        if not data:
            return b""
        at = rng.randrange(len(data))
        kind = rng.randint(0, 6)
        if kind == 0:
            data[at] ^= 1 << rng.randint(0, 7)
        elif kind == 1:
            data[at] = rng.randint(0, 255)
        elif kind == 2:
            del data[at : at + rng.randint(1, 8)]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
        elif kind == 4:
            data[at : at + 4] = rng.choice(
                [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80"]
            )
        elif kind == 5:
            other = rng.choice(corpus)
            start = rng.randrange(max(1, len(other)))
            data[at:at] = other[start : start + rng.randint(1, 60)]
        else:
            del data[at:]
    return bytes(data)


def rebuilt(pickled):
    from flambeau._archive import ArchiveWriter

    buffer = io.BytesIO()
    writer = ArchiveWriter(buffer, "f")
    writer.write_record("data.pkl", pickled)
    for i in range(8):
        writer.write_record(f"data/{i}", bytes(24))
    writer.finish()
    return buffer.getvalue()


def pth(rng, seconds):
    from flambeau._archive import ArchiveReader

    files = [p.read_bytes() for p in sorted(FIXTURES.rglob("*.p*t*")) if p.stat().st_size < 60_000]
    pickles = [bytes(ArchiveReader(memoryview(f)).record("data.pkl")) for f in files if f.startswith(b"PK")]

    def load(data):
        return torch.load(io.BytesIO(data), map_location=rng.choice([None, "cpu", "meta"]))

    def one():
        if rng.random() < 0.4:
            return change(rng, rng.choice(files), files)
        return rebuilt(change(rng, rng.choice(pickles), pickles))

    return loading(one, load, seconds)


def safetensors(rng, seconds):
    from flambeau.utils import safetensors as st

    state = {"a": torch.ones(2, 3), "b": torch.zeros(3, dtype=torch.int8), "c": torch.ones(2).bfloat16()}
    files = [st.save(state), st.save(state, {"format": "pt"}), st.save({})]
    return loading(lambda: change(rng, rng.choice(files), files), st.load, seconds)


def loading(one, load, seconds):
    allowed = (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
    )
    allowed += (
        AssertionError,
        IndexError,
        UnicodeError,
        OverflowError,
        NotImplementedError,
        RecursionError,
        OSError,
    )
    from flambeau.utils.safetensors import SafetensorError

    start, count, bad = time.monotonic(), 0, {}
    while time.monotonic() - start < seconds:
        data = one()
        count += 1
        if KEEP:
            Path(LAST).write_bytes(data)
        try:
            load(data)
        except (*allowed, SafetensorError) as error:
            text = failed(error)
            if text:
                bad.setdefault(text[:200], data)
        except BaseException as error:  # a MemoryError, a panic
            bad.setdefault(f"{type(error).__name__}: {error}"[:200], data)
    return count, bad


def main():
    what, seconds = sys.argv[1], float(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    # An allocation beyond this is refused instead of taking the machine down.
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    rng = random.Random(seed)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    sys.stdout, out = open(os.devnull, "w"), sys.stdout
    if what in ("pth", "safetensors"):
        count, bad = globals()[what](rng, seconds)
    else:
        count, bad = snippets(
            {"arguments": arguments, "indexing": indexing, "views": views}[what], rng, seconds
        )
    sys.stdout = out
    print(
        f"python {what}: {count} executions in {seconds:.0f} s with seed {seed}, {len(bad)} kinds of failure"
    )
    for text, source in bad.items():
        print(f"* {text}\n    {source!r}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
