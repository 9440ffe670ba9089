"""Records what PyTorch makes of arguments, right and wrong, for tests/binding/test_arguments.py.

Run with a Python that has torch and numpy: `python tests/tools/record_arguments.py > tests/binding/arguments.json`.
Only calls whose signatures flambeau has in the same form are here: where PyTorch has several overloads and flambeau one
(`where`, `fill_`, `sum`), the texts differ on purpose.
"""

import json
import sys

CASES = """
torch.add(x, 'a')
torch.add(x)
torch.add()
torch.add(x, x, x, x)
torch.add(x, x, foo=1)
torch.add(x, x, alpha='a')
torch.add(x, other=x, input=x)
torch.add('a', x)
x.add('a')
x.add()
x.add(x, 2, 3)
x.add(x, foo=1)
torch.exp()
torch.exp('a')
torch.exp(x, x)
torch.exp(x, foo=1)
torch.exp(x, out=1)
torch.exp(input=x, input2=3)
torch.exp(x, input=x)
torch.exp(1)
torch.sum(x, axis=0, keepdims=True)
torch.sum(a=x)
torch.sum(x=x)
torch.sum(x, dim=0, foo=3)
torch.sum(x, axis=0, dim=0)
torch.add(x1=x, x2=x)
torch.softmax(x)
torch.softmax(x, 'a')
torch.softmax(x, 1.5)
torch.softmax(x, True)
torch.softmax(x, 0, 3)
torch.softmax(x, 0, dtype=3)
torch.softmax(x, I())
torch.softmax(x, np.int32(1))
torch.softmax(x, np.array(1))
torch.softmax(x, torch.tensor(0))
torch.softmax(x, torch.tensor([1]))
torch.softmax(x, torch.tensor(1.))
x.softmax()
x.view(2, 'a')
x.view([2, 'a'])
x.view(torch.tensor(3), 2)
x.view(np.int64(3), 2)
x.view(I(), 6)
x.view((I(), 6))
x.view(torch.Size([6]))
x.reshape('a')
x.reshape(2, 1.5)
x.permute('a')
x.permute(0, 'a')
x.permute()
x.permute(1, 0)
x.permute((1, 0))
x.transpose(0)
x.transpose(0, 'a')
x.transpose(0, 1, 2)
x.transpose(True, 0)
torch.zeros('a')
torch.zeros(2, 'a')
torch.zeros(2, 3)
torch.zeros((2, 3))
torch.zeros(2, 3, dtype=3)
torch.zeros(2, device=1.5)
torch.zeros(2, foo=1)
torch.zeros(2, layout=3)
torch.zeros(1.5)
torch.zeros((1.5, 2))
torch.zeros(size=(2,))
torch.zeros([2], [3])
torch.zeros()
torch.zeros(torch.tensor(2))
torch.zeros((torch.tensor(2), 3))
torch.zeros(np.int64(2), 3)
torch.zeros(2, dtype=float)
torch.zeros(2, dtype=int)
torch.zeros(2, dtype=bool)
torch.zeros(2, dtype=complex)
torch.cat(x)
torch.cat([x, 3])
torch.cat()
torch.cat([x], 'a')
torch.cat((x, x), axis=1)
torch.stack(3)
torch.stack([x, 'a'])
torch.max('a')
torch.topk(x, 1)
x.topk()
x.topk('a')
x.topk(1.5)
x.topk(True)
x.topk(k=1, foo=2)
torch.dropout(x, 0.5)
torch.dropout(x, 'a', True)
torch.dropout(x, 0.5, 1)
torch.dropout(x, Fl(), True)
torch.dropout(x, 0, False)
torch.dropout(x, 0.5, np.bool_(True))
torch.full((2,), 'a')
torch.full((2,), None)
torch.full((2,), torch.tensor(3.))
torch.full((2,), np.float32(3.))
torch.full(2, 3)
torch.full(2)
torch.arange(torch.tensor(3))
torch.arange('a')
torch.randn('a')
torch.eye('a')
torch.eye(2.0)
torch.eye(True)
torch.eye(torch.tensor(2))
torch.eye(np.int64(3))
torch.eye(10**30)
torch.add(x, 10**30)
torch.sum(x, 10**30)
torch.matmul(x)
torch.matmul(x, 3)
x @ 3
x + 'a'
x + None
'a' + x
x - [1]
x ** 'a'
x // 'a'
x % 'a'
x < 'a'
x == 'a'
x != None
x & 'a'
x << 'a'
~x
divmod(x, 2)
pow(x, 2, 3)
bool(x)
int(x)
float(x)
len(x)
len(x[0, 0])
iter(x[0, 0])
1 in x
'a' in x
x[0, 0].__index__()
[1, 2, 3][torch.tensor(1)]
round(x[0, 0])
complex(x[0, 0])
hash(x) == id(x)
2 - x
2 / x
2 // x
2 % x
2 ** x
True + x
x + np.float32(1)
np.float32(1) + x
x + I()
torch.add(x, Fl())
torch.add(x, np.float64(2))
torch.add(x, np.bool_(True))
torch.add(x, np.array(2.))
torch.add(x, True)
torch.add(x, 2j)
torch.add(2, x)
torch.mul(2, x)
torch.add(2, 3)
torch.pow(2, x)
torch.add(x, x, alpha=torch.tensor(2))
torch.add(x, alpha=2, other=x)
torch.add(x, x, out=None)
torch.mul(self=x, other=3)
torch.mul(input=x, other=3)
torch.clamp(x, torch.tensor(0))
torch.where(x > 0, 1, 2)
torch.where(x > 0, 1., x)
torch.var(x, 0, True)
torch.var(x, unbiased=True, dim=0)
x.squeeze(0)
x.unsqueeze()
x.unsqueeze('a')
x.expand('a')
x.repeat('a')
x.repeat()
x.flatten('a')
x.chunk()
x.chunk('a')
x.index_select(0)
x.index_select(0, 'a')
x.gather(0, 'a')
x.clone(1)
x.clone(memory_format=3)
x.contiguous(3)
x.type_as(3)
x.addmm(x)
x.requires_grad_('a')
x.to([1])
x.to(x, 1)
x.to(foo=1)
x.to(torch.float64)
x.to('cpu', torch.int32)
x.to(float)
x.to(torch.ones(1, dtype=torch.int8))
x.to(None)
x.float(1)
x.size('a')
x.size(5)
x.size(dim=0)
x.stride('a')
x.is_contiguous(memory_format=3)
x.is_contiguous(torch.contiguous_format)
torch.ones(3).mT
torch.ones(3).H
torch.ones(2, 3, 4).H
x.imag
torch.device('cuda:01')
torch.device('cpu:')
torch.device()
torch.device(None)
torch.device('cuda', -1)
torch.device('cuda', 'a')
torch.device('cpu:0', 1)
torch.Size([1.5])
torch.Size('ab')
torch.Size(3)
torch.Size([2, 3]) + (1,)
(1,) + torch.Size([2])
torch.Size([2, 3])[0:1]
torch.Size([2]) * 2
torch.int32.to_complex()
torch.finfo(torch.int32)
torch.finfo(3)
torch.finfo(torch.bfloat16)
torch.finfo()
torch.iinfo(torch.float32)
torch.iinfo(torch.uint8)
torch.iinfo(torch.int64).max
torch.iinfo()
torch.promote_types(torch.uint16, torch.int32)
torch.promote_types(torch.int32, torch.float16)
torch.result_type(torch.ones(2, dtype=torch.int32), 1.5)
torch.can_cast(torch.float32, torch.int32)
torch.set_default_dtype(3)
torch.set_default_dtype(torch.int32)
torch.set_num_threads('a')
torch.set_num_threads(0)
""".strip().splitlines()


class I:
    def __index__(self):
        return 1


class Fl:
    def __float__(self):
        return 1.0


def show(torch, r):
    if isinstance(r, torch.Tensor):
        return ["Tensor", list(r.shape), str(r.dtype)]
    if isinstance(r, (tuple, list)):
        return [type(r).__name__, [show(torch, i) for i in r]]
    return repr(r)


def run(torch, np, source):
    env = {"torch": torch, "np": np, "I": I, "Fl": Fl, "x": torch.ones(2, 3)}
    try:
        return show(torch, eval(source, env))
    except Exception as e:  # noqa: BLE001 - the error is what is recorded
        return {"error": type(e).__name__, "text": str(e).split("\n  in ")[0]}


def main():
    import warnings

    import numpy as np
    import torch

    warnings.simplefilter("ignore")
    lines = (json.dumps([c, run(torch, np, c)], separators=(",", ":")) for c in CASES)
    sys.stdout.write("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
