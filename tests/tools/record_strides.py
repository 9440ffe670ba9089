"""Shapes, strides and memory formats of results, as PyTorch has them, for tests/binding/test_strides.py.

Run with a Python that has PyTorch 2.15: `python tests/tools/record_strides.py`.
"""

import copy
import json
import pickle
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "binding"
TARGET = HERE / "strides.json"
sys.path.insert(0, str(HERE))

import strides_cases as more  # noqa: E402

LAYOUTS = {
    "c": "torch.arange(24.).reshape(2, 3, 4)",
    "p": "torch.arange(24.).reshape(2, 3, 4).permute(2, 0, 1)",
    "t": "torch.arange(12.).reshape(3, 4).t()",
    "s": "torch.arange(48.).reshape(2, 3, 8)[:, :, ::2]",
    "sp": "torch.arange(48.).reshape(2, 6, 4).permute(1, 2, 0)[::2]",
    "e": "torch.arange(4.).expand(2, 3, 4)",
    "ep": "torch.arange(8.).reshape(2, 1, 4).expand(2, 3, 4).permute(2, 1, 0)",
    "one": "torch.arange(6.).as_strided((1, 2, 1, 3), (7, 3, 11, 1))",
    "onep": "torch.arange(6.).as_strided((3, 1, 2), (1, 5, 3))",
    "cl": "torch.arange(120.).reshape(2, 3, 4, 5).to(memory_format=torch.channels_last)",
    "cl1": "torch.arange(20.).reshape(1, 1, 4, 5).to(memory_format=torch.channels_last)",
    "clhw": "torch.arange(6.).reshape(2, 3, 1, 1).to(memory_format=torch.channels_last)",
    "cl3": "torch.arange(72.).reshape(2, 3, 2, 3, 2).to(memory_format=torch.channels_last_3d)",
    "cls": "torch.arange(120.).reshape(2, 3, 4, 5).to(memory_format=torch.channels_last)[:, :, 1:3]",
    "clc": "torch.arange(120.).reshape(2, 3, 4, 5).to(memory_format=torch.channels_last)[:, :2]",
    "z": "torch.zeros(2, 0, 3)",
    "zp": "torch.zeros(2, 0, 3).permute(2, 0, 1)",
    "o": "torch.tensor(2.)",
}

UNARY = """
x | x.stride() | x.exp() | -x | x.abs() | x.relu() | x > 1 | x + 1 | 2 * x | x.double() | x.half() | x.to(torch.int64)
x.clone() | x.clone(memory_format=torch.contiguous_format) | x.contiguous() | x.detach() | x.bool() | ~x.bool()
torch.empty_like(x) | torch.zeros_like(x) | torch.ones_like(x, dtype=torch.int64) | torch.full_like(x, 3) | torch.rand_like(x)
torch.randn_like(x) | torch.randint_like(x, 5) | torch.zeros_like(x, memory_format=torch.contiguous_format)
x.new_zeros(2, 3) | x.softmax(-1) | x.log_softmax(0) | x.cumsum(0) | x.cumprod(-1) | x.flip(0) | x.roll(1, 0)
torch.nn.functional.dropout(x) | torch.nn.functional.gelu(x) | torch.nn.functional.silu(x) | torch.nn.functional.leaky_relu(x)
torch.nn.functional.softplus(x) | torch.nn.functional.elu(x) | torch.nn.functional.hardtanh(x) | x.sigmoid() | x.tanh()
x.clamp(0, 1) | x.clamp_min(0) | x.pow(2) | x.round() | x.sign() | x.sqrt() | torch.where(x > 1, x, 0.0)
torch.where(x > 1, x, x) | x.masked_fill(x > 1, 0) | x.lerp(x, 0.5) | torch.addcmul(x, x, x) | x.isnan() | x.isfinite()
x.sum() | x.sum(-1) | x.sum(0) | x.sum(0, keepdim=True) | x.sum(-1, keepdim=True) | x.mean(0) | x.mean(-1, keepdim=True)
x.prod(0) | x.var(0) | x.std(-1) | x.norm(dim=0) | x.any(0) | x.all(-1) | x.logsumexp(0) | x.argsort(-1) | x.sort(0)[0]
x.sort(-1)[1] | x.unsqueeze(0) | x.unsqueeze(-1) | x.squeeze() | x.flatten() | x.reshape(-1) | x.ravel() | x.repeat_interleave(2)
x.nonzero() | x[x > 1] | torch.stack([x, x]) | torch.stack([x, x], -1) | x.is_contiguous() | x.to(torch.complex64)
x.to(torch.complex64).real | torch.view_as_real(x.to(torch.complex64)) | x.add_(1) | x.mul(x) | x.maximum(x) | x.atan2(x)
x.to(memory_format=torch.preserve_format) | torch.empty_like(x.bool()) | x.T if x.dim() == 2 else x | x.fill_(1) | x.neg_()
torch.bernoulli(x.clamp(0, 1)) | torch.nan_to_num(x) | x.expand_as(x) | x.view_as(x) | x.eq(x) | x.logical_not()
x.tril() if x.dim() > 1 else x | x.triu() if x.dim() > 1 else x | x.T.clone() if x.dim() == 2 else x
x.to(torch.bfloat16) | x.type_as(torch.zeros(1, dtype=torch.int32)) | x.ne(1) | x.floor_divide(2) | x.fmod(2) | x.remainder(2)
"""

RANKED = """
x.transpose(0, 1) | x.transpose(-1, 0).contiguous() | x.movedim(0, -1) | x.select(0, 0) | x[:, 0] | x[..., None]
x[None] | x[:, None] | x.narrow(-1, 0, 1) | x[::2] | x.amax(0) | x.amin(-1, keepdim=True) | x.argmax(0) | x.argmax(-1, keepdim=True)
x.max(0)[0] | x.max(-1)[1] | x.min(0, keepdim=True)[0] | x.topk(1)[0] | x.sum((0, 1)) | x.sum((0, -1), keepdim=True)
x.mean((0, 1)) | x.var((0, 1), keepdim=True) | torch.cat([x, x]) | torch.cat([x, x], 1) | torch.cat([x, x.contiguous()], 1)
torch.cat([x.contiguous(), x], 1) | x.repeat(2, *[1] * (x.dim() - 1)) | x.index_select(0, torch.tensor([0, 0]))
x.index_select(1, torch.tensor([0, 0])) | x[[0, 0]] | x[:, [0, 0]] | x[..., [0, 0]] | x.gather(0, torch.zeros_like(x, dtype=torch.int64))
x.scatter(0, torch.zeros_like(x, dtype=torch.int64), x) | x.index_add(0, torch.tensor([0]), x[:1]) | x.index_fill(0, torch.tensor([0]), 1)
x.unfold(0, 1, 1) | x.diagonal() | x.split(1)[0] | x.chunk(2, 1)[0] | x.unbind()[0] | x.flatten(0, 1) | x.flatten(1)
x.reshape(x.size(0), -1) | x.squeeze(0) | x.squeeze(1) | torch.nn.functional.layer_norm(x, x.shape[-1:]) | x.median(0)[0]
torch.nn.functional.pad(x, (1, 1)) | torch.nn.functional.normalize(x) | x.cummax(0)[0] | x.kthvalue(1, 0)[0]
x.softmax(0) | x.log_softmax(-1) | x.std(0, keepdim=True) | x + x.contiguous() | x.contiguous() + x | x + x[:1] | x[:1] + x
x + x[..., :1] | x[..., :1] * x | x + torch.ones(x.shape[-1]) | torch.ones(x.shape[-1]) + x | x + torch.tensor(1.)
x + x[0] | x[:1].expand_as(x) + x | torch.where(x[:1] > 1, x, x.contiguous()) | x.lerp(x[:1], 0.5) | torch.addcmul(x[:1], x, x[..., :1])
x.dist(x) | torch.linalg.vector_norm(x, dim=0) | x.count_nonzero(0) | x.nansum(0) | x.cov() if x.dim() == 2 else x | x.mT
x @ x.mT | x.matmul(torch.ones(x.shape[-1])) | torch.nn.functional.linear(x, torch.ones(3, x.shape[-1])) | x.masked_fill(x[:1] > 1, 0)
x.tile(2, 1, 1) | x.rot90() | x.swapaxes(0, 1) | x.renorm(2, 0, 1) if x.dim() > 1 else x | x.tensor_split(2)[0]
x.unflatten(0, (1, -1)) | x.broadcast_to(2, *x.shape) | torch.meshgrid(x.flatten()[:2], x.flatten()[:3], indexing='ij')[0]
"""

IMAGES = """
x.contiguous(memory_format=torch.channels_last) | x.to(memory_format=torch.channels_last) | x.clone(memory_format=torch.channels_last)
x.is_contiguous(memory_format=torch.channels_last) | torch.empty_like(x, memory_format=torch.channels_last)
torch.zeros_like(x, memory_format=torch.channels_last) | x.to(torch.float64, memory_format=torch.channels_last)
F.conv2d(x, W) | F.conv2d(x, W.to(memory_format=torch.channels_last)) | F.conv2d(x, W, padding=1, stride=2) | F.conv2d(x, W[:3, :1], groups=3)
F.conv_transpose2d(x, W.transpose(0, 1)) | F.max_pool2d(x, 2) | F.max_pool2d(x, 2, return_indices=True)[1] | F.avg_pool2d(x, 2)
F.adaptive_avg_pool2d(x, 1) | F.adaptive_avg_pool2d(x, 2) | F.adaptive_max_pool2d(x, 2) | F.batch_norm(x, M, V) | F.batch_norm(x, M, V, training=True)
F.batch_norm(x, M, V, V, M) | F.instance_norm(x) | F.group_norm(x, 3) | F.group_norm(x, 1, V, M) | F.interpolate(x, scale_factor=2)
F.interpolate(x, scale_factor=2, mode='bilinear') | F.pad(x, (1, 1, 1, 1)) | F.pad(x, (1, 1, 1, 1), mode='reflect') | F.unfold(x, 2)
F.pixel_shuffle(x[:, :1].expand(-1, 4, -1, -1), 2) | F.dropout2d(x) | F.prelu(x, V) | F.local_response_norm(x, 2) | x + V[:, None, None]
x * V.reshape(1, 3, 1, 1) | V.reshape(1, 3, 1, 1) * x | torch.cat([x, x.contiguous()], 1) | torch.cat([x.contiguous(), x]) | x.mean((2, 3))
x.mean((2, 3), keepdim=True) | x.sum(1) | x.sum(1, keepdim=True) | x.amax(1, keepdim=True) | x.softmax(1) | x.permute(0, 2, 3, 1)
x.permute(0, 2, 3, 1).contiguous() | x.flatten(2) | x.flatten(1) | x.view(torch.int32) | x[0] | x[:, 1] | x[:, :, 1] | x[..., ::2]
x.argmax(1) | x.max(1)[0] | F.relu(x) + x.contiguous() | x.contiguous() + F.relu(x) | F.one_hot(x.long() % 3, 3) | F.embedding(x.long() % 3, W[:3, 0])
F.log_softmax(x, 1) | F.normalize(x) | F.threshold(x, 1, 0) | F.hardswish(x) | F.mish(x) | F.glu(x, 0) | F.logsigmoid(x) | F.rrelu(x)
x.sort(1)[0] | x.topk(2, 1)[0] | x.cumsum(1) | x.flip(1) | x.roll(1, 1) | x.unsqueeze(0).squeeze(0) | x.index_select(1, torch.tensor([2, 0]))
x.expand(2, -1, -1, -1).clone() | x.repeat(1, 2, 1, 1) | torch.stack([x, x], 1) | x[:, [2, 0]] | x[[1, 0]] | x[x > 3] | x.to(torch.bool)
"""

VOLUMES = """
x.is_contiguous(memory_format=torch.channels_last_3d) | F.conv3d(x, torch.ones(2, 3, 1, 1, 1)) | F.max_pool3d(x, 2) | F.avg_pool3d(x, 2)
F.batch_norm(x, M, V) | x.exp() | x + x.contiguous() | x.contiguous(memory_format=torch.channels_last_3d) | F.adaptive_avg_pool3d(x, 1)
torch.cat([x, x], 1) | x.mean((2, 3, 4), keepdim=True) | F.interpolate(x, scale_factor=2) | F.group_norm(x, 3) | x.clone()
"""

PAIRS = "x + y | x * y | y - x | x < y | torch.where(x > y, x, y) | torch.maximum(x, y) | x.to(torch.float64) + y | x.add_(y) | x / y | torch.addcmul(x, x, y)"

OTHERS = """
torch.empty_strided((2, 3), (1, 2)) | torch.empty_strided((2, 0), (5, 7)) | torch.empty(2, 3, 4, 5, memory_format=torch.channels_last)
torch.empty(2, 3, 4, 5, 6, memory_format=torch.channels_last_3d) | torch.empty(0, 3) | torch.empty(3, 0, 2) | torch.zeros(()) | torch.eye(3)
torch.empty(2, 3, memory_format=torch.channels_last) | torch.ones(2, 3).contiguous(memory_format=torch.channels_last)
torch.ones(2, 3).is_contiguous(memory_format=torch.channels_last) | torch.ones(1, 1, 1, 1).is_contiguous(memory_format=torch.channels_last)
torch.ones(2, 1, 3, 4).is_contiguous(memory_format=torch.channels_last) | torch.ones(2, 1, 3, 4).to(memory_format=torch.channels_last)
torch.ones(2, 3, 4) @ torch.ones(4, 5) | torch.ones(3, 4).t() @ torch.ones(3, 5) | torch.ones(2, 3, 4).bmm(torch.ones(2, 4, 5))
torch.ones(4, 3).t().mm(torch.ones(4, 2)) | torch.outer(torch.ones(2), torch.ones(3)) | torch.einsum('ij,kj->ik', torch.ones(2, 3), torch.ones(4, 3))
torch.einsum('bij,bjk->bki', torch.ones(2, 3, 4), torch.ones(2, 4, 5)) | torch.tensordot(torch.ones(2, 3, 4), torch.ones(4, 3), ([1, 2], [1, 0]))
torch.kron(torch.ones(2, 2), torch.ones(2, 3)) | torch.diag(torch.ones(3)) | torch.diag_embed(torch.ones(2, 3)) | torch.tril_indices(3, 3)
torch.cartesian_prod(torch.ones(2), torch.ones(3)) | torch.meshgrid(torch.ones(2), torch.ones(3), indexing='xy')[0]
torch.unique(torch.tensor([2, 1, 2])) | torch.ones(3, 4).t().nonzero() | torch.ones(3, 4).t().argwhere() | torch.ones(2, 3).nonzero(as_tuple=True)[0]
F.embedding(torch.tensor([[0, 1]]), torch.ones(3, 4)) | F.linear(torch.ones(2, 3, 4).transpose(0, 1), torch.ones(5, 4))
F.linear(torch.ones(2, 3, 4).transpose(0, 1), torch.ones(5, 4), torch.ones(5)) | F.scaled_dot_product_attention(*[torch.ones(2, 3, 4, 5)] * 3)
F.scaled_dot_product_attention(*[torch.ones(2, 4, 3, 5).transpose(1, 2)] * 3) | F.multi_head_attention_forward if False else torch.zeros(1)
torch.nn.LSTM(3, 4)(torch.ones(5, 2, 3))[0] | torch.nn.LSTM(3, 4, batch_first=True)(torch.ones(2, 5, 3))[0] | torch.nn.GRU(3, 4, batch_first=True)(torch.ones(2, 5, 3))[0]
torch.nn.MultiheadAttention(4, 2)(*[torch.ones(3, 2, 4)] * 3)[0] | torch.nn.MultiheadAttention(4, 2, batch_first=True)(*[torch.ones(3, 2, 4)] * 3)[0]
torch.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)(torch.ones(3, 2, 4)) | torch.nn.functional.one_hot(torch.arange(3))
torch.stack([torch.ones(2, 3).t(), torch.ones(3, 2)]) | torch.cat([torch.ones(2, 3).t(), torch.ones(3, 2)]) | torch.cat([torch.ones(0), torch.ones(2, 3).t()])
torch.hstack([torch.ones(2, 3).t()] * 2) | torch.vstack([torch.ones(2, 3).t()] * 2) | torch.block_diag(torch.ones(2, 3), torch.ones(1, 2))
torch.full((2, 3), 1.0) | torch.linspace(0, 1, 3) | torch.randn(2, 3) | torch.arange(6).view(2, 3).t().unique(return_inverse=True)[1]
torch.cdist(torch.ones(2, 3), torch.ones(4, 3)) | torch.triu(torch.ones(3, 4).t()) | torch.cross(torch.ones(3, 4).t(), torch.ones(4, 3), dim=1)
torch.linalg.qr(torch.ones(3, 2))[0] | torch.bucketize(torch.ones(3, 2).t(), torch.arange(3.)) | torch.polygamma(1, torch.ones(3, 2).t())
"""


def parts(text):
    """Expressions between bars and ends of lines."""
    return [e.strip() for line in text.strip().splitlines() for e in line.split("|") if e.strip()]


# A bar is also an operator, but none of the expressions uses it.
def cases():
    """`(expression, x, y)`; `x` and `y` name layouts."""
    for e in parts(UNARY):
        for name in LAYOUTS:
            yield e, name, None
    for e in parts(RANKED):
        for name in ("c", "p", "t", "s", "sp", "e", "ep", "one", "onep", "cl", "clhw", "cls", "clc", "cl3", "zp"):
            yield e, name, None
    for e in parts(IMAGES):
        for name in ("cl", "cls"):
            yield e, name, None
        yield e, "nchw", None
    for e in parts(VOLUMES):
        yield e, "cl3", None
    same = ["c", "s", "e"], ["p", "sp", "ep"], ["cl", "nchw"], ["onep", "onec"]
    for group in same:
        for x in group:
            for y in group:
                for e in parts(PAIRS):
                    yield e, x, y
    for e in parts(OTHERS) + parts(more.MATRICES) + parts(more.MODULES):
        yield e, None, None
    for e in parts(more.POINTWISE):
        for name in (*LAYOUTS, "cle", "clstep"):
            yield e, name, None
    for e in parts(more.RANKED):
        for name in ("c", "p", "t", "s", "sp", "e", "ep", "one", "onep", "cl", "clhw", "cls", "cle", "cl3", "zp"):
            yield e, name, None
    for e in parts(more.IMAGES):
        for name in ("nchw", "cl", "cls", "clstep", "cle", "clw", "cl1n", "n1", "wide", "cl0"):
            yield e, name, None
    for e in parts(more.VOLUMES):
        for name in ("cl3", "ncdhw", "cl3s"):
            yield e, name, None
    for e in parts(more.LINES):
        for name in ("ncl", "nlc"):
            yield e, name, None
    for e in parts(more.GRADS):
        for name in ("c", "p", "s", "sp", "e", "one", "onep", "cl", "clhw", "cls", "cl3"):
            yield e, name, None
    for e in parts(more.IMAGE_GRADS):
        for name in ("nchw", "cl", "cls", "wide"):
            yield e, name, None


EXTRA = {
    "nchw": "torch.arange(120.).reshape(2, 3, 4, 5)",
    "onec": "torch.arange(6.).reshape(3, 1, 2)",
    "cle": "torch.arange(60.).reshape(1, 3, 4, 5).to(memory_format=torch.channels_last).expand(2, 3, 4, 5)",
    "clstep": "torch.arange(240.).reshape(2, 3, 8, 5).to(memory_format=torch.channels_last)[:, :, ::2]",
    "clw": "torch.arange(120.).reshape(2, 3, 4, 5).to(memory_format=torch.channels_last).permute(0, 1, 3, 2)",
    "cl1n": "torch.arange(60.).reshape(1, 3, 4, 5).to(memory_format=torch.channels_last)",
    "n1": "torch.arange(60.).reshape(1, 3, 4, 5)",
    "wide": "torch.arange(120.).reshape(2, 3, 5, 4).mT",
    "cl0": "torch.zeros(0, 3, 4, 5).to(memory_format=torch.channels_last)",
    "ncdhw": "torch.arange(72.).reshape(2, 3, 2, 3, 2)",
    "cl3s": "torch.arange(144.).reshape(2, 3, 4, 3, 2).to(memory_format=torch.channels_last_3d)[:, :, ::2]",
    "ncl": "torch.arange(30.).reshape(2, 3, 5)",
    "nlc": "torch.arange(30.).reshape(2, 5, 3).mT",
}


def describe(torch, value):
    if isinstance(value, torch.Tensor):
        return [list(value.shape), list(value.stride())]
    if isinstance(value, (tuple, list)):
        return list(value)
    return value


def environment(torch, x):
    """What expressions may name, made anew since some are written to."""
    torch.manual_seed(0)
    env = {"torch": torch, "F": torch.nn.functional, "copy": copy, "pickle": pickle}
    env |= {"W": torch.ones(4, 3, 2, 2), "M": torch.zeros(3), "V": torch.ones(3), "V4": torch.ones(4)}
    env |= {"Wl": env["W"].to(memory_format=torch.channels_last), "K": torch.ones(3, 1, 2, 2), "T": torch.ones(3, 4, 2, 2)}
    env |= {"A": torch.arange(12.0).reshape(3, 4), "At": torch.arange(12.0).reshape(4, 3).t()}
    env |= {"B": torch.arange(12.0).reshape(4, 3), "Bt": torch.arange(12.0).reshape(3, 4).t()}
    env |= {"S": torch.arange(18.0).reshape(2, 3, 3), "P": torch.eye(3).repeat(2, 1, 1) * 2 + 0.5}

    def leaf(of):
        # As it is in memory, which `clone` might change.
        return (x() if of is None else of).detach().requires_grad_()

    def acc(f, times=1, of=None):
        at = leaf(of)
        for _ in range(times):
            f(at).backward()
        return at.grad

    def raw(f, of=None):
        at = leaf(of)
        return torch.autograd.grad(f(at), at)[0]

    def stepped(kind, **options):
        weight = env["Wl"].clone().requires_grad_()
        optimizer = kind([weight], **options)
        weight.sum().backward()
        optimizer.step()
        return optimizer.state[weight]

    return env | {"acc": acc, "raw": raw, "stepped": stepped}


def run(torch, expression, x, y):
    """Shape and strides of the result, or the type of the error."""
    env = environment(torch, lambda: env["x"])
    sources = LAYOUTS | EXTRA
    for name, layout in (("x", x), ("y", y)):
        if layout:
            env[name] = eval(sources[layout], env)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return describe(torch, eval(expression, env))
        except Exception as e:  # noqa: BLE001 - its type is what is recorded
            return type(e).__name__


def main():
    import torch

    table = {}
    for expression, x, y in cases():
        layouts = " ".join(n for n in (x, y) if n)
        got = run(torch, expression, x, y)
        # Refusals are another test's.
        if not isinstance(got, str):
            table.setdefault(expression, {})[layouts] = got
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in table.items())
    TARGET.write_text("{\n" + lines + "\n}\n")
    count = sum(len(v) for v in table.values())
    print(f"{len(table)} expressions, {count} cases, {TARGET.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
