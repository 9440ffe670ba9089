"""Records how PyTorch prints tensors: run with a Python that has PyTorch 2.15.

    python tests/tools/record_printing.py > tests/printing/recorded.json

Each case is an expression over `torch` that makes a tensor, the options in force, and PyTorch's repr of it.
"""

import json
import math
import sys

DTYPES = "float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128".split()

VALUES = [
    "torch.tensor(1.5)",
    "torch.tensor(3.)",
    "torch.tensor(7)",
    "torch.tensor(True)",
    "torch.tensor(1e-7)",
    "torch.tensor(123456789.)",
    "torch.tensor(float('nan'))",
    "torch.tensor(-float('inf'))",
    "torch.tensor(1+2j)",
    "torch.tensor(-0.)",
    "torch.tensor([1.])",
    "torch.tensor([1., 2.5, -3.25])",
    "torch.tensor([1., 2., -3.])",
    "torch.tensor([0., 0.])",
    "torch.tensor([0., -0., 1.])",
    "torch.tensor([1e-3, 1.])",
    "torch.tensor([1e-4, 1.])",
    "torch.tensor([9.9e-5, 1e-4])",
    "torch.tensor([1., 1000.])",
    "torch.tensor([1., 1001.])",
    "torch.tensor([0.5, 1001.])",
    "torch.tensor([1e8, 1e8])",
    "torch.tensor([1.00000001e8, 2e8])",
    "torch.tensor([99999., 100000.])",
    "torch.tensor([1e10, 1e-10])",
    "torch.tensor([1.5, float('nan'), float('inf')])",
    "torch.tensor([1., float('nan'), -float('inf')])",
    "torch.tensor([float('nan'), float('nan')])",
    "torch.tensor([0., float('inf')])",
    "torch.tensor([1e-40, 1.])",
    "torch.tensor([1.17549435e-38, 3.4028235e38])",
    "torch.tensor([0.1, 0.12345678, 100.123456])",
    "torch.tensor([1, -2, 300])",
    "torch.tensor([True, False])",
    "torch.tensor([[1, 2], [3, 4]])",
    "torch.tensor([[1.5, 2], [3, 4]])",
    "torch.tensor([[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]]])",
    "torch.tensor([1+2j, 3.5-4j])",
    "torch.tensor([1+2j, 3-4j])",
    "torch.tensor([complex(float('nan'), 1), complex(1, float('-inf'))])",
    "torch.tensor([1e-9+1e9j, 1j])",
    "torch.tensor([[1j, 2], [3, 4j]], dtype=torch.complex128)",
    "torch.tensor([1+2j]).conj()",
    "torch.tensor([])",
    "torch.tensor([], dtype=torch.int64)",
    "torch.empty(0, 3)",
    "torch.empty(2, 0, 3)",
    "torch.empty(2, 0, dtype=torch.bool)",
    "torch.empty(0, dtype=torch.complex64)",
    "torch.empty(0, requires_grad=True)",
    "torch.empty(2, 3, device='meta')",
    "torch.empty(2, 3, device='meta', dtype=torch.int64)",
    "torch.empty((), device='meta', requires_grad=True)",
    "torch.arange(12).reshape(3, 4)",
    "torch.arange(12.).reshape(3, 4).t()",
    "torch.arange(12.).reshape(3, 4)[:, ::2]",
    "torch.arange(24).reshape(2, 3, 4)",
    "torch.arange(24.).reshape(1, 2, 3, 4)",
    "torch.arange(30)",
    "torch.arange(30.)",
    "torch.arange(100).reshape(2, 50)",
    "torch.arange(60).reshape(2, 30) * 100000",
    "torch.arange(40.) / 7",
    "torch.arange(1000)",
    "torch.arange(1001)",
    "torch.arange(1001.)",
    "torch.arange(2000.).reshape(40, 50)",
    "torch.arange(2000.).reshape(2, 1000)",
    "torch.arange(2000.).reshape(1000, 2)",
    "torch.arange(6000).reshape(10, 20, 30)",
    "torch.arange(6000).reshape(10, 600, 1)",
    "torch.arange(10000.).reshape(10, 10, 10, 10)",
    "torch.arange(3000.).reshape(6, 500)",
    "torch.arange(3500.).reshape(7, 500)",
    "torch.arange(2002).to(torch.complex64).reshape(2, 1001)",
    "torch.ones(2, 2, requires_grad=True)",
    "torch.ones(2, 2, requires_grad=True) * 2",
    "torch.ones(2, 2, requires_grad=True).sum()",
    "(torch.ones(5, requires_grad=True) * 1.23456789e-5).exp()",
    "torch.ones(13, requires_grad=True) + 1",
    "torch.ones(12, requires_grad=True, dtype=torch.float64) + 1",
    "torch.ones(2, requires_grad=True).detach()",
    "torch.nn.Parameter(torch.ones(2))",
    "torch.nn.Parameter(torch.ones(2), requires_grad=False)",
    "torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)",
    "torch.full((3,), 2**62)",
    "torch.full((2, 2), -128, dtype=torch.int8)",
    "torch.tensor([1.5, 2.25], dtype=torch.float8_e4m3fn)",
    "torch.tensor([1.5, 2.25], dtype=torch.float8_e5m2)",
    "torch.tensor([1, 65535], dtype=torch.uint16)",
    "torch.tensor([[1., float('inf')], [float('nan'), 1e5]])",
    "torch.tensor([123456.789, 0.001])",
    "torch.tensor([12345.6789, 12.5])",
    "torch.tensor([[0.00011, 0.1]])",
    "torch.tensor([-1.5, 10.25, -100.125])",
    "torch.tensor([[[[1.]]]])",
    "torch.tensor(1.5, requires_grad=True)",
    "torch.tensor(2, dtype=torch.uint8)",
    "torch.tensor([3.0000001, 2.])",
    "torch.tensor([1e16, 1.])",
]

SAMPLE = [
    "torch.tensor([[1.5, -2., 1e3], [0., 7.25, 9.]])",
    "torch.tensor([1e-5, 3.5, 1e6])",
    "torch.arange(50.) / 3",
    "torch.arange(1500)",
    "torch.arange(2400.).reshape(20, 30, 4)",
    "torch.tensor([1+2.5j, 3-1e-6j])",
    "torch.ones(3, requires_grad=True) * 2",
]
OPTIONS = [
    {"precision": 2},
    {"precision": 0},
    {"precision": 8},
    {"linewidth": 30},
    {"linewidth": 200},
    {"threshold": 5},
    {"threshold": 5, "edgeitems": 1},
    {"threshold": 5, "edgeitems": 0},
    {"sci_mode": True},
    {"sci_mode": False},
    {"profile": "short"},
    {"profile": "full", "linewidth": 400},
]


def cases():
    """(expression, options) of every case."""
    for value in VALUES:
        yield value, {}
    for dtype in DTYPES:
        yield f"torch.tensor([0, 1, 2]).to(torch.{dtype})", {}
        yield f"torch.zeros((), dtype=torch.{dtype})", {}
        yield f"torch.zeros(2, 0, dtype=torch.{dtype})", {}
    for options in OPTIONS:
        for value in SAMPLE:
            yield value, options


def text_of(torch, expression, options):
    """The repr under the options."""
    with torch._tensor_str.printoptions(**options):
        return repr(eval(expression, {"torch": torch, "math": math, "float": float, "complex": complex}))


if __name__ == "__main__":
    import torch

    rows = [[expression, options, text_of(torch, expression, options)] for expression, options in cases()]
    json.dump({"torch": torch.__version__, "cases": rows}, sys.stdout, indent=0)
