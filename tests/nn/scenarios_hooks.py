"""What hooks of modules see and change; a part of `scenarios`."""

import warnings

from evaluate import raised


def forward_hooks(t, nn):
    log = []
    m = nn.Identity()
    m.register_forward_pre_hook(lambda mod, a: log.append(["pre1", len(a)]))
    m.register_forward_pre_hook(lambda mod, a: (log.append("pre2"), a[0] + 1)[1], prepend=True)
    m.register_forward_hook(lambda mod, a, o: log.append(["post", float(a[0]), float(o)]))
    h = m.register_forward_hook(lambda mod, a, o: o * 10, prepend=True)
    first = float(m(t.tensor(1.0)))
    h.remove()
    h.remove()
    second = float(m(t.tensor(1.0)))
    with m.register_forward_hook(lambda mod, a, o: (o, o)):
        third = len(m(t.tensor(1.0)))
    return [log, first, second, third, len(m._forward_hooks)]


def kwargs_hooks(t, nn):
    class M(nn.Module):
        def forward(self, x, *, k=1):
            return x * k

    log = []
    m = M()
    h = m.register_forward_pre_hook(lambda mod, a, kw: (a, {"k": kw.get("k", 0) + 5}), with_kwargs=True)
    m.register_forward_hook(lambda mod, a, kw, o: log.append(sorted(kw.items())), with_kwargs=True)
    out = float(m(t.tensor(2.0), k=1))
    h.remove()
    m.register_forward_pre_hook(lambda mod, a, kw: a, with_kwargs=True)
    return [out, log, raised(m, t.tensor(2.0))]


def always_call(t, nn):
    class Bad(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    log = []
    m = Bad()
    m.register_forward_hook(lambda mod, a, o: log.append("skipped"))
    m.register_forward_hook(lambda mod, a, o: log.append(["always", o]), always_call=True)

    def failing(mod, a, o):
        raise RuntimeError("hook")

    m.register_forward_hook(failing, always_call=True)
    with warnings.catch_warnings(record=True) as w:
        warnings.simplefilter("always")
        err = raised(m, t.ones(1))
    return [err, log, [str(x.message) for x in w]]


def global_hooks(t, nn):
    from importlib import import_module

    mod = import_module(nn.__name__ + ".modules.module")
    log = []
    hs = [
        mod.register_module_forward_pre_hook(lambda m, a: log.append(["pre", type(m).__name__])),
        mod.register_module_forward_hook(lambda m, a, o: log.append(["post", type(m).__name__])),
        mod.register_module_module_registration_hook(lambda m, n, c: log.append(["module", n])),
        mod.register_module_parameter_registration_hook(lambda m, n, p: log.append(["param", n, p is None])),
        mod.register_module_buffer_registration_hook(lambda m, n, b: log.append(["buffer", n])),
        mod.register_module_full_backward_hook(
            lambda m, gi, go: log.append(["bw", type(m).__name__, len(gi)])
        ),
        mod.register_module_full_backward_pre_hook(lambda m, go: log.append(["bwpre", type(m).__name__])),
    ]
    m = nn.Sequential(nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2, affine=False))
    m(t.ones(2, 2, requires_grad=True)).sum().backward()
    err = raised(mod.register_module_backward_hook, lambda *a: None)
    for h in hs:
        h.remove()
    n = len(log)
    m(t.ones(2, 2))
    # A removed hook leaves the kind behind; it is reset so that other tests may choose.
    for where in (mod, import_module(nn.__name__ + "._hooks") if hasattr(nn, "_hooks") else mod):
        if hasattr(where, "_global_is_full_backward_hook"):
            where._global_is_full_backward_hook = None
    return [log, n == len(log), err]


def backward_hooks(t, nn):
    log = []

    class Two(nn.Module):
        def forward(self, x, y, k=3):
            return x * y, x + k

    def num(gs):
        return [None if g is None else g.tolist() for g in gs]

    m = Two()
    m.register_full_backward_hook(lambda mod, gi, go: log.append(["bw", num(gi), num(go)]))
    m.register_full_backward_pre_hook(lambda mod, go: log.append(["pre", num(go)]))
    x, y = t.tensor([2.0], requires_grad=True), t.tensor([3.0], requires_grad=True)
    a, b = m(x, y, 4)
    (a * 2 + b * 5).sum().backward()
    out = [log[:], x.grad.tolist(), y.grad.tolist()]
    log.clear()

    # Changed gradients, both ways.
    lin = nn.Linear(2, 1, bias=False)
    with t.no_grad():
        lin.weight.copy_(t.tensor([[1.0, 2.0]]))
    lin.register_full_backward_hook(lambda mod, gi, go: (gi[0] * 10,))
    lin.register_full_backward_hook(lambda mod, gi, go: (gi[0] + 1,), prepend=True)
    lin.register_full_backward_pre_hook(lambda mod, go: (go[0] * 3,))
    x = t.ones(1, 2, requires_grad=True)
    lin(x).sum().backward()
    out += [x.grad.tolist(), lin.weight.grad.tolist()]

    # No input needs a gradient: the hook runs with None.
    lin = nn.Linear(2, 1, bias=False)
    lin.register_full_backward_hook(lambda mod, gi, go: log.append([num(gi), num(go)]))
    with warnings.catch_warnings(record=True) as w:
        warnings.simplefilter("always")
        lin(t.ones(1, 2)).sum().backward()
    out += [log[:], len(w)]
    log.clear()

    lin.register_full_backward_hook(lambda mod, gi, go: (t.ones(1, 2),))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out.append(raised(lin(t.ones(1, 2)).sum().backward))
    bad = nn.Identity()
    bad.register_full_backward_hook(lambda mod, gi, go: (gi[0], gi[0]))
    out.append(raised(bad(t.ones(1, requires_grad=True)).sum().backward))
    bad = nn.Identity()
    bad.register_full_backward_pre_hook(lambda mod, go: (go[0], go[0]))
    out.append(raised(bad(t.ones(1, requires_grad=True)).sum().backward))
    out.append(raised(bad.register_backward_hook, lambda *a: None))
    both = nn.Identity()
    both.register_full_backward_hook(lambda *a: None)
    out.append(raised(both.register_backward_hook, lambda *a: None))
    old = nn.Identity()
    old.register_backward_hook(lambda *a: None)
    out.append(raised(old.register_full_backward_hook, lambda *a: None))
    with warnings.catch_warnings(record=True) as w:
        warnings.simplefilter("always")
        d = nn.Identity()
        d.register_full_backward_hook(lambda *a: None)
        d({"a": t.ones(1, requires_grad=True)})
    out.append([str(x.message).split("<class")[0] for x in w])
    with t.no_grad():
        out.append(nn.Identity()(t.ones(1)).tolist())
    return out


def state_hooks(t, nn):
    log = []
    m = nn.Sequential(nn.Linear(1, 1))
    m.register_state_dict_pre_hook(lambda mod, prefix, keep: log.append(["pre", prefix, keep]))
    m.register_state_dict_post_hook(lambda mod, sd, prefix, meta: log.append(["post", list(sd), meta]))
    m[0]._register_state_dict_hook(lambda mod, sd, prefix, meta: sd.pop(prefix + "bias") is None)
    sd = m.state_dict()
    m[0].register_load_state_dict_pre_hook(
        lambda mod, sd, prefix, *a: log.append([type(mod).__name__, prefix, len(a)])
    )
    m.register_load_state_dict_post_hook(
        lambda mod, keys: log.append([list(keys[0]), list(keys[1])]) or keys[0].clear()
    )
    res = m.load_state_dict({"0.weight": t.ones(1, 1)})
    m2 = nn.Linear(1, 1)
    m2.register_state_dict_post_hook(lambda *a: 3)
    return [log, list(sd) if hasattr(sd, "keys") else sd, repr(res), raised(m2.state_dict)]
