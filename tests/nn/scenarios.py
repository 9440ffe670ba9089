"""What modules, containers, initialisers and utilities do, as functions of (torch, torch.nn) with plain
results.

`record_nn.py` runs each with PyTorch, the tests with flambeau. `raised` turns an exception into type and
text.
"""

import copy
import pickle
import warnings
from collections import OrderedDict

from evaluate import raised
from scenarios_containers import module_dict, module_list, parameter_containers, sequential
from scenarios_hooks import (
    always_call,
    backward_hooks,
    forward_hooks,
    global_hooks,
    kwargs_hooks,
    state_hooks,
)
from scenarios_layers import (
    attention_masks,
    clipping,
    initialisers,
    packed,
    shapes_and_errors,
    stateless,
)


def net(t, nn):
    """A small network with a buffer, a shared child and a non-persistent buffer."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(3, 4)
            self.act = nn.ReLU()
            self.again = self.fc1
            self.register_buffer("mean", t.zeros(2))
            self.register_buffer("cache", t.ones(2), persistent=False)
            self.register_buffer("absent", None)
            self.register_parameter("nothing", None)
            self.scale = nn.Parameter(t.ones(1))
            self.plain = 5

        def forward(self, x, factor=1.0):
            return self.act(self.fc1(x)) * self.scale * factor

    return Net()


def names(t, nn):
    m = net(t, nn)
    return {
        "params": [n for n, _ in m.named_parameters()],
        "params_dup": [n for n, _ in m.named_parameters(remove_duplicate=False)],
        "prefix": [n for n, _ in m.named_parameters(prefix="a.b", recurse=False)],
        "buffers": [n for n, _ in m.named_buffers()],
        "modules": [n for n, _ in m.named_modules()],
        "modules_dup": [n for n, _ in m.named_modules(prefix="p", remove_duplicate=False)],
        "children": [n for n, _ in m.named_children()],
        "counts": [
            len(list(m.parameters())),
            len(list(m.buffers())),
            len(list(m.modules())),
            len(list(m.children())),
        ],
        "state": list(m.state_dict()),
        "state_prefix": list(m.state_dict(prefix="x.")),
        "metadata": {k: v for k, v in m.state_dict()._metadata.items()},
        "keep_vars": m.state_dict(keep_vars=True)["scale"] is m.scale,
        "detached": m.state_dict()["scale"].requires_grad,
        "shares": m.state_dict()["scale"].data_ptr() == m.scale.data_ptr(),
        "dir": [n for n in dir(m) if n in ("fc1", "mean", "scale", "plain", "nothing", "absent", "forward")],
        "seq_dir": [n for n in dir(nn.Sequential(nn.ReLU())) if n.isdigit()],
    }


def attributes(t, nn):
    m = net(t, nn)
    m.fc1 = nn.Linear(2, 2)
    m.mean = t.ones(3)
    out = {"buffer": list(m.mean.shape), "in_buffers": "mean" in m._buffers}
    m.plain = nn.Parameter(t.ones(2))
    out["became_param"] = ["plain" in m.__dict__, "plain" in m._parameters]
    m.act = None
    out["child_none"] = [m.act, list(m._modules)]
    m.scale = None
    out["param_none"] = [m.scale is None, "scale" in m._parameters]
    del m.mean, m.fc1, m.scale
    out["deleted"] = [hasattr(m, "mean"), hasattr(m, "fc1"), hasattr(m, "scale")]
    m.buf = nn.Buffer(t.ones(2), persistent=False)
    out["buffer_class"] = ["buf" in m._buffers, "buf" in m._non_persistent_buffers_set]
    m.buf = nn.Parameter(t.ones(2))
    out["moved"] = ["buf" in m._buffers, "buf" in m._parameters, "buf" in m._non_persistent_buffers_set]
    return out


def attribute_errors(t, nn):
    m = net(t, nn)

    class Early(nn.Module):
        def __init__(self, what):
            self.x = what

    class EarlyBuffer(nn.Module):
        def __init__(self):
            self.register_buffer("x", None)

    class EarlyParam(nn.Module):
        def __init__(self):
            self.register_parameter("x", None)

    return [
        raised(lambda: m.missing),
        raised(setattr, m, "scale", t.ones(1)),
        raised(setattr, m, "scale", 3),
        raised(setattr, m, "fc1", 3),
        raised(setattr, m, "fc1", t.ones(2)),
        raised(setattr, m, "mean", 3),
        raised(setattr, m, "mean", "text"),
        raised(delattr, m, "missing"),
        raised(Early, nn.Parameter(t.ones(1))),
        raised(Early, nn.ReLU()),
        raised(Early, nn.Buffer(t.ones(1))),
        raised(EarlyBuffer),
        raised(EarlyParam),
        raised(m.register_buffer, 3, None),
        raised(m.register_buffer, "a.b", None),
        raised(m.register_buffer, "", None),
        raised(m.register_buffer, "fc1", None),
        raised(m.register_buffer, "x", 3),
        raised(m.register_parameter, 3, None),
        raised(m.register_parameter, "a.b", None),
        raised(m.register_parameter, "", None),
        raised(m.register_parameter, "fc1", None),
        raised(m.register_parameter, "x", t.ones(2)),
        raised(m.register_parameter, "x", nn.Parameter),
        raised(m.add_module, "x", 3),
        raised(m.add_module, 3, nn.ReLU()),
        raised(m.add_module, "plain", nn.ReLU()),
        raised(m.add_module, "a.b", nn.ReLU()),
        raised(m.add_module, "", nn.ReLU()),
        raised(m.train, "yes"),
        raised(nn.Module(), 1),
        raised(nn.Module, 1),
        raised(nn.Module, a=1),
        raised(m.to, t.int64),
        raised(m.to, dtype=t.bool),
        raised(nn.Identity().forward),
    ]


def lookup(t, nn):
    m = nn.Sequential(OrderedDict(a=nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), b=nn.ReLU()))
    m.a.tag = 3
    out = [
        m.get_submodule("") is m,
        m.get_submodule("a.0") is m.a[0],
        m.get_parameter("a.0.weight") is m.a[0].weight,
        m.get_buffer("a.1.running_mean") is m.a[1].running_mean,
        raised(m.get_submodule, "a.7"),
        raised(m.get_submodule, "a.tag"),
        raised(m.get_submodule, "a.0.weight"),
        raised(m.get_parameter, "a.0.nope"),
        raised(m.get_parameter, "a.1.running_mean"),
        raised(m.get_buffer, "a.0.weight"),
        raised(m.get_buffer, "a.0.nope"),
        raised(m.set_submodule, "", nn.ReLU()),
        raised(m.set_submodule, "a.0", 3),
        raised(m.set_submodule, "a.tag", nn.ReLU()),
        raised(m.set_submodule, "z", nn.ReLU(), strict=True),
    ]
    m.set_submodule("a.0", nn.Tanh())
    m.set_submodule("c", nn.ELU())
    return [*out, repr(m)]


def loading(t, nn):
    m = net(t, nn)
    other = net(t, nn)
    out = [repr(m.load_state_dict(other.state_dict())), float((m.fc1.weight - other.fc1.weight).abs().sum())]
    sd = m.state_dict()
    bad = OrderedDict(sd)
    bad["fc1.weight"] = t.ones(9, 9)
    bad["extra.x"] = t.ones(1)
    bad["fc1.deep.y"] = t.ones(1)
    bad["mean"] = 3
    del bad["scale"]
    out += [
        raised(m.load_state_dict, bad),
        raised(m.load_state_dict, bad, strict=False),
        raised(m.load_state_dict, 3),
    ]
    ok = OrderedDict(sd)
    del ok["scale"]
    ok["new"] = t.ones(1)
    out.append(repr(m.load_state_dict(ok, strict=False)))
    fresh = OrderedDict((k, t.full_like(v, 2.0)) for k, v in sd.items())
    before = m.scale
    m.load_state_dict(fresh)
    out.append([m.scale is before, m.scale.item()])
    m.load_state_dict(fresh, assign=True)
    out += [
        m.scale is before,
        m.scale.data_ptr() == fresh["scale"].data_ptr(),
        isinstance(m.scale, nn.Parameter),
    ]
    out.append([m.mean is fresh["mean"], m.scale.requires_grad])

    bn = nn.BatchNorm1d(2)
    old = {k: v for k, v in bn.state_dict().items() if k != "num_batches_tracked"}
    out += [repr(bn.load_state_dict(old)), int(bn.num_batches_tracked)]
    scalar = nn.Module()
    scalar.p = nn.Parameter(t.tensor(1.0))
    scalar.load_state_dict({"p": t.tensor([4.0])})
    out.append(scalar.p.item())
    inorm = nn.InstanceNorm1d(2)
    out.append(raised(inorm.load_state_dict, OrderedDict(running_mean=t.ones(2), running_var=t.ones(2))))
    return out


def extra_state(t, nn):
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.extra = 1

        def get_extra_state(self):
            return {"v": self.extra}

        def set_extra_state(self, state):
            self.extra = state["v"]

    m = nn.Sequential(M())
    m[0].extra = 7
    sd = m.state_dict()
    m[0].extra = 0
    m.load_state_dict(sd)
    return [
        list(sd),
        sd["0._extra_state"],
        m[0].extra,
        raised(m.load_state_dict, {}),
        raised(nn.Sequential(nn.ReLU()).load_state_dict, sd),
    ]


def conversion(t, nn):
    m = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    m(t.ones(2, 2)).sum().backward()
    p = m[0].weight
    m.double()
    out = [
        m[0].weight is p,
        str(p.dtype)[-7:],
        str(p.grad.dtype)[-7:],
        str(m[1].num_batches_tracked.dtype)[-5:],
    ]
    m.to(t.float32)
    out.append(str(p.dtype)[-7:])
    m.half()
    m.bfloat16()
    m.float()
    m.to("cpu", t.float64, non_blocking=True)
    m.to(t.ones(1))
    m.cpu()
    out.append([str(p.dtype)[-7:], m[0].weight is p])
    m.type(t.float64)
    out.append(str(m[1].num_batches_tracked.dtype)[-7:])
    q = nn.Linear(2, 2)
    w = q.weight
    q.to("meta")
    out += [q.weight is w, q.weight.is_meta, isinstance(q.weight, nn.Parameter)]
    q.to_empty(device="cpu")
    out += [list(q.weight.shape), q.weight.is_meta, q.weight.requires_grad]
    out += [nn.Linear(2, 2, device="meta").weight.is_meta]
    calls = []
    m.apply(lambda mod: calls.append(type(mod).__name__))
    out.append(calls)
    with warnings.catch_warnings(record=True) as ws:
        warnings.simplefilter("always")
        c = nn.Linear(1, 1).to(t.complex64)
    return [*out, len(ws), str(c.weight.dtype)[-9:]]


def modes(t, nn):
    m = nn.Sequential(nn.Dropout(), nn.Sequential(nn.BatchNorm1d(2)))
    out = [
        m.eval() is m,
        [x.training for x in m.modules()],
        m.train() is m,
        [x.training for x in m.modules()],
    ]
    m.requires_grad_(False)
    out.append([p.requires_grad for p in m.parameters()])
    m.requires_grad_()
    m(t.ones(3, 2)).sum().backward()
    m.zero_grad(set_to_none=False)
    out.append([p.grad.sum().item() for p in m.parameters()])
    m.zero_grad()
    out.append([p.grad is None for p in m.parameters()])
    return out


def copies(t, nn):
    m = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    m[0].weight.tag = "kept"
    c = copy.deepcopy(m)
    out = [
        c[0].weight is m[0].weight,
        bool((c[0].weight == m[0].weight).all()),
        c[0].weight.requires_grad,
        isinstance(c[0].weight, nn.Parameter),
        type(c[0].weight).__name__,
        list(c.state_dict()),
    ]
    shared = nn.Sequential(m[0], m[0])
    c = copy.deepcopy(shared)
    return [
        *out,
        c[0] is c[1],
        copy.copy(m)[0] is m[0],
        copy.deepcopy(nn.Parameter(t.ones(1), False)).requires_grad,
    ]


def pickling(t, nn):
    m = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.LSTM(2, 2))
    c = pickle.loads(pickle.dumps(m))
    x = t.ones(2, 2)
    return [
        bool((c[0](x) == m[0](x)).all()),
        repr(c) == repr(m),
        type(c[0].weight).__name__,
        c[0].weight.requires_grad,
        list(c.state_dict()),
    ]


def parameters(t, nn):
    p = nn.Parameter(t.tensor([1.0, 2.0]))
    q = nn.Parameter(t.tensor([1.0]), requires_grad=False)
    base = t.ones(3)
    return [
        repr(p),
        repr(q),
        repr(nn.Parameter()),
        p.is_leaf,
        (p * 2).__class__.__name__,
        nn.Parameter(base).data_ptr() == base.data_ptr(),
        isinstance(p, t.Tensor),
        isinstance(base, nn.Parameter),
        type(p.data).__name__,
        type(p.detach()).__name__,
        repr(nn.UninitializedParameter()),
        raised(lambda: nn.UninitializedParameter().shape),
        isinstance(nn.Buffer(base), nn.Buffer),
        isinstance(base, nn.Buffer),
        raised(nn.Module().register_parameter, "p", nn.Parameter(base) * 2),
    ]


SCENARIOS = [
    names,
    attributes,
    attribute_errors,
    lookup,
    forward_hooks,
    kwargs_hooks,
    always_call,
    global_hooks,
    backward_hooks,
    state_hooks,
    loading,
    extra_state,
    conversion,
    modes,
    copies,
    pickling,
    parameters,
    sequential,
    module_list,
    module_dict,
    parameter_containers,
    shapes_and_errors,
    attention_masks,
    packed,
    initialisers,
    clipping,
    stateless,
]
