"""Hooks, modules, anomaly detection, checkpointing, accumulation: one snippet per block, with the names of cases_graph.py."""

HOOKS = r"""
x = V(1, 2); x.register_hook(lambda g: g * 2); out = torch.autograd.grad((x * 3).sum(), x)

x = V(1, 2); s = []; x.register_hook(lambda g: s.append(g)); out = (torch.autograd.grad((x * 3).sum(), x), s, x.grad)

x = V(1, 2); x.register_post_accumulate_grad_hook(lambda t: t.grad.mul_(0)); torch.autograd.grad((x * 3).sum(), x); out = x.grad

x = V(1, 2); y = x * 1; s = []; y.register_hook(lambda g: s.append(("old", g.tolist()))); y.mul_(2); y.register_hook(lambda g: s.append(("new", g.tolist()))); y.sum().backward(); out = (s, x.grad)

x = V(1, 2); y = x * 1; y.retain_grad(); y.mul_(2); y.sum().backward(); out = (y.grad, x.grad)

x = V(1, 2); y = x * 1; y.mul_(2); y.retain_grad(); y.sum().backward(); out = (y.grad, x.grad)

x = V(1, 2); y = x * 1; y.retain_grad(); y.register_hook(lambda g: g * 3); y.mul_(2); y.register_hook(lambda g: g * 7); y.sum().backward(); out = (y.grad, x.grad)

x = V(1, 2); y = x * 1; y.retain_grad(); y.retain_grad(); y.sum().backward(); out = y.grad

x = V(1, 2); y = x * 1; v = y[:1]; v.retain_grad(); y.mul_(2); v.sum().backward(); out = (v.grad, x.grad)

x = V(1, 2); y = x * 1; v = y[:1]; v.register_hook(lambda g: g * 10); y.mul_(2); v.sum().backward(); out = x.grad

x = V(1, 2); y = x * 1; v = y[:1]; v.mul_(2); v.register_hook(lambda g: g * 10); v.sum().backward(); out = x.grad

x = V(1, 2); y = x * 1; v = y[:1]; v.mul_(2); v.register_hook(lambda g: g * 10); y.sum().backward(); out = x.grad

x = V(1, 2); y = x * 1; y.register_hook(lambda g: g * 10); v = y[:1]; v.mul_(2); y.sum().backward(); out = x.grad

x = V(1, 2); y = x * 2; s = []; a = y.grad_fn.next_functions[0][0]; a.register_prehook(lambda g: s.append(("pre", g[0].tolist()))); a.register_hook(lambda i, o: s.append(("post", i, o[0].tolist(), x.grad.tolist()))); y.sum().backward(); out = s

x = V(1, 2); y = x * 2; a = y.grad_fn.next_functions[0][0]; a.register_prehook(lambda g: (g[0] * 5,)); y.sum().backward(); out = x.grad

x = V(1, 2); y = x * 2; a = y.grad_fn.next_functions[0][0]; a.register_prehook(lambda g: (g[0] * 5,)); out = torch.autograd.grad(y.sum(), x)

x = V(1, 2); s = []; x.register_hook(lambda g: s.append("tensor")); x.register_post_accumulate_grad_hook(lambda t: s.append("post acc")); y = x * 2; a = y.grad_fn.next_functions[0][0]; a.register_prehook(lambda g: s.append("pre")); a.register_hook(lambda i, o: s.append("post")); y.sum().backward(); out = s

x = V(1, 2); y = x * 2; s = []; y.register_hook(lambda g: s.append("tensor")); y.grad_fn.register_prehook(lambda g: s.append("pre")); y.grad_fn.register_hook(lambda i, o: s.append("post")); y.register_hook(lambda g: s.append("tensor 2")); y.sum().backward(); out = s

x = V(1, 2); y = x * 2; s = []; y.retain_grad(); y.register_hook(lambda g: s.append(y.grad)); y.grad_fn.register_prehook(lambda g: s.append(y.grad.tolist())); y.sum().backward(); out = s

x = V(1, 2); y = x * 2; s = []; y.register_hook(lambda g: s.append("tensor")); y.grad_fn.register_prehook(lambda g: s.append("pre")); y.grad_fn.register_hook(lambda i, o: s.append("post")); torch.autograd.grad(y.sum(), y); out = s

x = R(2, 2); a, b = x.unbind(); s = []; a.grad_fn.register_prehook(lambda g: s.append(g)); b.sum().backward(); out = (s, x.grad)

x = V(1, 2); y = x * 2; y.grad_fn.register_hook(lambda i, o: (None, None)); y.sum().backward()

x = V(1, 2); y = x * 2; y.grad_fn.register_prehook(lambda o: (o[0], o[0])); y.sum().backward()

x = V(1, 2); y = x * 2; y.grad_fn.register_prehook(lambda o: 3); y.sum().backward()

x = V(1, 2); y = x * 2; y.grad_fn.register_prehook(lambda o: (3,)); y.sum().backward()

x = V(1, 2); y = x * 2; y.grad_fn.register_prehook(lambda o: o[0] * 2); y.sum().backward(); out = x.grad

x = V(1, 2); y = x * 2; y.grad_fn.register_hook(lambda i, o: (i[0].double(), None)); y.sum().backward()

x = V(1, 2); y = x * 2; y.grad_fn.register_hook(lambda i, o: {}["no"]); y.sum().backward()

x = V(1, 2); x.register_post_accumulate_grad_hook(lambda t: t); x.sum().backward()

x = V(1, 2); x.register_post_accumulate_grad_hook(lambda t: {}["no"]); x.sum().backward()

x = V(1, 2); h = x.register_post_accumulate_grad_hook(lambda t: {}["no"]); h.remove(); x.sum().backward(); out = x.grad

x = V(1, 2); x.register_post_accumulate_grad_hook(lambda t: setattr(t, "grad", None)); x.sum().backward(); out = x.grad

x = V(1, 2); h = x.register_hook(lambda g: g * 2); h2 = x.register_hook(lambda g: h.remove()); x.sum().backward(); x.sum().backward(); out = x.grad

s = []; a, b = V(1), V(2); h = graph.register_multi_grad_hook((a, b), lambda gs: s.append(gs)); (a * b).sum().backward(); out = s

s = []; a, b, c = V(1), V(2), V(3); h = graph.register_multi_grad_hook((a, b, c), lambda gs: s.append([g is not None for g in gs])); y = a * b; y.sum().backward(retain_graph=True); y.sum().backward(inputs=(a,)); out = s

s = []; a, b = V(1), V(2); h = graph.register_multi_grad_hook((a, b), lambda g: s.append(g), mode="any"); (a * b).sum().backward(); (a * b).sum().backward(); out = s

s = []; a, b = V(1), V(2); h = graph.register_multi_grad_hook((a, b), lambda gs: s.append(gs)); h.remove(); (a * b).sum().backward(); out = s

graph.register_multi_grad_hook((V(1),), print, mode="some")

graph.register_multi_grad_hook((torch.ones(1),), print)

s = []; x = V(1, 2); x.register_hook(lambda g: graph.queue_callback(lambda: s.append(x.grad.tolist()))); x.sum().backward(); out = s

graph.queue_callback(print)

x = V(1, 2); x.register_hook(lambda g: g + 1); out = (x._backward_hooks is not None, len(x._backward_hooks))

x = V(1, 2); x.register_hook(lambda: 3); x.sum().backward()

x = V(1, 2); x.register_hook(3)

x = V(1, 2); y = x.exp(); s = []; y.register_hook(lambda g: s.append(g.requires_grad)); y.sum().backward(create_graph=True); out = s

x = V(1, 2); y = x * 2
with torch.no_grad():
    y.register_hook(lambda g: g * 3)
y.sum().backward(); out = x.grad

x = V(1, 2); s = []
def hook(g):
    z = V(5); (z * 2).sum().backward(); s.append(z.grad.tolist())
x.register_hook(hook); x.sum().backward(); out = s

x = V(1, 2); s = []
def hook(g):
    with torch.enable_grad():
        z = V(5); (z * 2).sum().backward(); s.append(z.grad.tolist())
x.register_hook(hook); x.sum().backward(); out = (s, x.grad)

class Re(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        with torch.enable_grad():
            ctx.x = x.detach().requires_grad_(); ctx.y = ctx.x ** 2
        return ctx.y.detach()
    @staticmethod
    def backward(ctx, g):
        with torch.enable_grad():
            ctx.y.backward(g)
        return ctx.x.grad
x = V(1, 2); Re.apply(x * 1).sum().backward(); out = x.grad

import threading
x = torch.ones(1000, requires_grad=True)
def work():
    for _ in range(10):
        (x * 2).sum().backward()
ts = [threading.Thread(target=work) for _ in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]; out = (x.grad.min().item(), x.grad.max().item())

import threading
x = V(1, 2); y = (x * x).sum(); errors = []
def work():
    try: y.backward(retain_graph=True)
    except Exception as e: errors.append(str(e))
ts = [threading.Thread(target=work) for _ in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]; out = (x.grad, errors)

import threading
s = []
def work():
    s.append(torch.is_grad_enabled())
with torch.no_grad():
    t = threading.Thread(target=work); t.start(); t.join()
out = s

x = V(1, 2)
with torch.no_grad():
    (torch.enable_grad()(lambda: (x * 2).sum())()).backward()
out = x.grad
"""

MODULES = r"""
m = nn.Linear(2, 2); s = []; m.register_full_backward_hook(lambda m, i, o: s.append((i[0], o[0].tolist()))); m(torch.ones(1, 2)).sum().backward(); out = s

m = nn.Identity(); s = []; m.register_full_backward_hook(lambda m, i, o: s.append((i, o))); m(R(2) * 1).sum().backward(); out = s

m = nn.Identity(); m.register_full_backward_hook(lambda m, i, o: (i[0] * 10,)); x = V(1, 2); m(x * 1).sum().backward(); out = x.grad

m = nn.Identity(); m.register_full_backward_pre_hook(lambda m, o: (o[0] * 10,)); x = V(1, 2); m(x * 1).sum().backward(); out = x.grad

m = nn.Identity(); m.register_full_backward_hook(lambda m, i, o: (i[0], i[0])); x = V(1, 2); m(x * 1).sum().backward()

m = nn.ReLU(inplace=True); m.register_full_backward_hook(lambda m, i, o: None); x = V(1, 2); m(x * 1).sum().backward()

m = nn.Identity(); m.register_backward_hook(lambda m, i, o: None); x = V(1, 2); m(x * 1).sum().backward(); out = x.grad

m = nn.Identity(); m.register_full_backward_hook(lambda m, i, o: None); m.register_backward_hook(lambda m, i, o: None)

m = nn.Linear(2, 1); s = []; m.register_backward_hook(lambda m, i, o: s.append((len(i), len(o)))); m(R(1, 2)).sum().backward(); out = s

m = nn.Sequential(nn.Linear(2, 2), nn.ReLU()); s = []; [c.register_full_backward_hook(lambda m, i, o: s.append(type(m).__name__)) for c in m]; m(R(1, 2)).sum().backward(); out = s

m = nn.Linear(2, 2); s = []; m.register_forward_pre_hook(lambda m, a: s.append(len(a))); m.register_forward_hook(lambda m, a, o: s.append(tuple(o.shape))); m(torch.ones(1, 2)); out = s

m = nn.Identity(); m.register_forward_pre_hook(lambda m, a: a[0] * 2); m.register_forward_hook(lambda m, a, o: o + 1); out = m(torch.ones(2))

m = nn.Identity(); s = []; m.register_forward_pre_hook(lambda m, a: s.append(1)); m.register_forward_pre_hook(lambda m, a: s.append(2), prepend=True); m(torch.ones(1)); out = s

m = nn.Identity(); h = m.register_forward_hook(lambda m, a, o: o + 1); h.remove(); out = m(torch.ones(2))

m = nn.Linear(1, 1); m.register_state_dict_pre_hook(lambda m, p, k: None); m._register_state_dict_hook(lambda m, d, p, l: d.pop("bias") and None); out = list(m.state_dict())

m = nn.Linear(1, 1); m.register_state_dict_post_hook(lambda m, d, p, l: d.pop("bias") and None); out = list(m.state_dict())

m = nn.Linear(1, 1); s = []; m.register_load_state_dict_pre_hook(lambda m, d, p, l, st, mi, un, er: s.append(sorted(d))); m.register_load_state_dict_post_hook(lambda m, k: s.append(type(k).__name__)); m.load_state_dict(m.state_dict()); out = s

m = nn.Linear(1, 1); m.register_load_state_dict_post_hook(lambda m, k: k.missing_keys.clear()); out = m.load_state_dict({"weight": torch.ones(1, 1)})

m = nn.Linear(2, 2); m.register_full_backward_hook(lambda m, i, o: None); y = m(R(1, 2)); y.add_(1)

m = nn.Linear(2, 2); out = warned(lambda: (m.register_full_backward_hook(lambda m, i, o: None), m(torch.ones(1, 2)).sum().backward())[1])[1:]

s = []; h = nn.modules.module.register_module_full_backward_hook(lambda m, i, o: s.append(type(m).__name__)); nn.Sequential(nn.Linear(2, 2), nn.Tanh())(R(1, 2)).sum().backward(); h.remove(); out = s

s = []; h = nn.modules.module.register_module_forward_hook(lambda m, i, o: s.append(type(m).__name__)); nn.Sequential(nn.Linear(2, 2), nn.Tanh())(R(1, 2)); h.remove(); out = s

s = []; h = nn.modules.module.register_module_forward_pre_hook(lambda m, i: s.append(type(m).__name__)); nn.Sequential(nn.Linear(2, 2), nn.Tanh())(R(1, 2)); h.remove(); out = s

s = []; h = nn.modules.module.register_module_full_backward_pre_hook(lambda m, o: s.append(type(m).__name__)); nn.Sequential(nn.Linear(2, 2), nn.Tanh())(R(1, 2)).sum().backward(); h.remove(); out = s
"""

ANOMALY = r"""
x = V(0)
def f():
    with torch.autograd.set_detect_anomaly(True):
        (x.sqrt() * 0).sum().backward()
r = warned(f); out = (r[0], r[1], r[2][0].splitlines()[0])

x = V(0)
def f():
    y = (x.sqrt() * 0).sum()
    with torch.autograd.detect_anomaly():
        y.backward()
out = warned(f)

x = V(0)
def f():
    with torch.autograd.detect_anomaly():
        y = x * 1; z = y * y; y.add_(1); z.sum().backward()
r = warned(f); out = (r[0], r[1], r[2][-1].splitlines()[0])

x = V(0)
def f():
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        (x.sqrt() * 0).sum().backward()
    return x.grad
out = warned(f)

x = V(0)
def f():
    with torch.autograd.detect_anomaly():
        y = x ** 3
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        (h,) = torch.autograd.grad(g.sum(), x, create_graph=True)
        (h.sqrt() * 0).sum().backward()
r = warned(f); out = (r[0], [t.strip().splitlines()[0] for t in r[2]])

x = V(0)
def f():
    with torch.autograd.set_detect_anomaly(True):
        y = Twice.apply(x); y.register_hook(lambda g: g * float("nan")); y.sum().backward()
r = warned(f); out = (r[0], r[1], r[2][0].splitlines()[0])

x = V(0); torch.autograd.set_detect_anomaly(True); y = x * 2; a = sorted(y.grad_fn.metadata); torch.autograd.set_detect_anomaly(False); out = (a, (x * 2).grad_fn.metadata)

x = V(0)
with torch.autograd.set_detect_anomaly(True):
    y = x * 2
out = [l for l in y.grad_fn.metadata["traceback_"] if "<case>" in l][-1]

with torch.autograd.set_detect_anomaly(True):
    a = (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled())
    with torch.autograd.set_detect_anomaly(False, check_nan=False):
        b = (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled())
    c = (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled())
out = (a, b, c)

x = V(0)
def f():
    with torch.autograd.set_detect_anomaly(True):
        y = x * 2; y.grad_fn.register_prehook(lambda g: {}["no"]); y.sum().backward()
r = warned(f); out = (r[0], r[1])
"""

CHECKPOINT = r"""
x = V(1, 2); s = []; y = checkpoint(lambda a: s.append(1) or (a * a).sqrt(), x, use_reentrant=False); y.sum().backward(); out = (y, x.grad, s)

x = V(1, 2); s = []; y = checkpoint(lambda a: s.append(1) or (a * a).sqrt(), x, use_reentrant=True); y.sum().backward(); out = (y, x.grad, s)

x = V(1, 2); out = warned(lambda: checkpoint(lambda a: a * a, x).sum().backward())[1:]

out = warned(lambda: checkpoint(lambda a: a * a, torch.ones(2), use_reentrant=True))[1:]

w = V(3, 4); x = torch.ones(2); y = checkpoint(lambda a: a * w, x, use_reentrant=False); y.sum().backward(); out = w.grad

w = V(3, 4); x = V(1, 2); y = checkpoint(lambda a: a * w, x, use_reentrant=True); y.sum().backward(); out = (w.grad, x.grad)

x = V(1, 2); y = checkpoint(lambda a: a * a, x, use_reentrant=True); torch.autograd.grad(y.sum(), x)

x = V(1, 2); y = checkpoint(lambda a: a * a, x, use_reentrant=True); y.sum().backward(inputs=[x])

x = V(1, 2); y = checkpoint(lambda a: a * a, x, use_reentrant=False); out = torch.autograd.grad(y.sum(), x)

x = V(1, 2); y = checkpoint(lambda a, b=1: a * a * b, x, use_reentrant=False, b=3); y.sum().backward(); out = x.grad

x = V(1, 2); checkpoint(lambda a, b=1: a * a * b, x, use_reentrant=True, b=3)

x = V(1, 2); checkpoint(lambda a: a, x, use_reentrant=True, debug=True)

x = V(1, 2); checkpoint(lambda a: a, x, use_reentrant=False, determinism_check="strict")

torch.manual_seed(0); x = R(6); y = checkpoint(lambda a: nn.functional.dropout(a * 2), x, use_reentrant=False); y.sum().backward(); out = bool((x.grad == y.detach()).all())

torch.manual_seed(0); x = R(6); y = checkpoint(lambda a: nn.functional.dropout(a * 2), x, use_reentrant=True); y.sum().backward(); out = (bool((x.grad == y.detach()).all()), torch.rand(1))

torch.manual_seed(0); x = R(6); y = checkpoint(lambda a: nn.functional.dropout(a * a) * 2, x, use_reentrant=False, preserve_rng_state=False); a = torch.rand(1); y.sum().backward(); out = (a.item() == torch.rand(1).item())

n = [0]
def f(a):
    n[0] += 1
    return (a * a).exp() if n[0] == 1 else a * a
x = V(1, 2); y = checkpoint(f, x, use_reentrant=False)
try:
    y.sum().backward()
except ck.CheckpointError as e:
    out = (isinstance(e, RuntimeError), str(e).split("Tip")[0].strip())

n = [0]
def f(a):
    n[0] += 1
    return a * a if n[0] == 1 else (a * a).exp() * a
x = V(1, 2); y = checkpoint(f, x, use_reentrant=False, early_stop=False)
try:
    y.sum().backward()
except ck.CheckpointError as e:
    out = str(e).split("Tip")[0].strip()

n = [0]
def f(a):
    n[0] += 1
    return a.exp() if n[0] == 1 else torch.cat([a, a]).exp()
x = V(1, 2); y = checkpoint(f, x, use_reentrant=False)
try:
    y.sum().backward()
except ck.CheckpointError as e:
    out = str(e).split("Tip")[0].strip()

n = [0]
def f(a):
    n[0] += 1
    return a.exp() if n[0] == 1 else torch.cat([a, a]).exp()
x = V(1, 2); y = checkpoint(f, x, use_reentrant=False, determinism_check="none"); y.sum().backward()

s = []
def f(a):
    s.append(1); b = a.exp(); s.append(2); return b * 2 + 1
x = V(1, 2); y = checkpoint(f, x, use_reentrant=False); y.sum().backward(); out = s

s = []
def f(a):
    s.append(1); b = a.exp() * a; s.append(2); c = b + 1; s.append(3); return c
x = V(1, 2)
with ck.set_checkpoint_early_stop(False):
    y = checkpoint(f, x, use_reentrant=False)
y.sum().backward(); out = s

s = []
x = V(1, 2); y = checkpoint(lambda a: s.append(1) or a * a, x, use_reentrant=False); y.sum().backward(retain_graph=True); y.sum().backward(); out = (s, x.grad)

x = V(1, 2); y = checkpoint(lambda a: a * a, x, use_reentrant=False); y.sum().backward(); y.sum().backward()

x = V(1, 2); y = checkpoint(lambda a: a ** 3, x, use_reentrant=False); (g,) = torch.autograd.grad(y.sum(), x, create_graph=True); (h,) = torch.autograd.grad(g.sum(), x); out = (g, h)

s = []
def inner(a):
    s.append("inner"); return a.exp()
def outer(a):
    s.append("outer"); return checkpoint(inner, a * 2, use_reentrant=False) * a
x = V(1, 2); checkpoint(outer, x, use_reentrant=False).sum().backward(); out = (s, x.grad)

def inner(a):
    return a.exp()
def outer(a):
    return checkpoint(inner, a * 2, use_reentrant=True) * a
x = V(1, 2); checkpoint(outer, x, use_reentrant=True).sum().backward(); out = x.grad

x = V(1, 2); y = V(3, 4); a, b = checkpoint(lambda p, q: (p * q, p + q), x, y, use_reentrant=False); (a + b).sum().backward(); out = (x.grad, y.grad)

x = V(1, 2); y = V(3, 4); a, b = checkpoint(lambda p, q: (p * q, 3), x, y, use_reentrant=True); a.sum().backward(); out = (x.grad, y.grad, b)

x = V(1, 2)
with torch.no_grad():
    out = checkpoint(lambda a: a * a, x, use_reentrant=False)

x = V(1, 2); y = checkpoint(lambda a: a.detach() * 2, x, use_reentrant=True); y.sum().backward()

x = V(1, 2); z = x * 1; y = checkpoint(lambda a: a * a, z, use_reentrant=False); z.add_(1); y.sum().backward()

m = [lambda a: a * 2, lambda a: a.sqrt(), lambda a: a + 1]; x = V(1, 2); y = ck.checkpoint_sequential(m, 2, x, use_reentrant=True); y.sum().backward(); out = (y, x.grad)

ck.checkpoint_sequential([lambda a: a], 1, V(1), use_reentrant=False, foo=1)

@checkpoint(use_reentrant=False)
def f(a, b=2):
    return a ** b
x = V(1, 2); y = f(x, b=3); y.sum().backward(); out = (f.__name__, x.grad)

ck.detach_variable((V(1), 3, torch.ones(1)))

ck.detach_variable([V(1)])

import contextlib
s = []
@contextlib.contextmanager
def note(n):
    s.append(n); yield
x = V(1, 2); y = checkpoint(lambda a: a * a, x, use_reentrant=False, context_fn=lambda: (note("forward"), note("again"))); y.sum().backward(); out = s

s = []
def f(a):
    s.append(1); return a.sin().cos(), a.exp().cos()
x = V(1, 2); a, b = checkpoint(f, x, use_reentrant=False)
with ck.GraphExecGroup():
    a.sum().backward(); b.sum().backward()
out = (s, x.grad)

x = V(1, 2); y = checkpoint(lambda a: Twice.apply(a).sqrt(), x, use_reentrant=False); y.sum().backward(); out = x.grad
"""

ACCUMULATION = r"""
x = torch.ones(2, 3).t().requires_grad_(); (x * 2).sum().backward(); out = (x.grad, x.stride())

x = torch.ones(2, 3).t().requires_grad_(); (x * torch.arange(6.).view(3, 2)).sum().backward(); out = x.grad

x = torch.ones(2, 3, requires_grad=True); x.t().contiguous().sum().backward(); out = x.grad

x = torch.ones(2, 3, requires_grad=True); (x.t() @ torch.ones(2, 2)).sum().backward(); out = x.grad

x = torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_(); (x * 2).sum().backward(); out = (x.grad.stride(), x.stride())

x = torch.ones(4)[::2].requires_grad_(); (x * 2).sum().backward(); out = x.grad

x = torch.ones(3, 1).expand(3, 2).requires_grad_(); (x * 2).sum().backward(); out = x.grad

w = torch.ones(2, 3, requires_grad=True); (torch.ones(4, 3) @ w.t()).sum().backward(); out = w.grad

w = torch.ones(2, 3, requires_grad=True); torch.nn.functional.linear(torch.ones(4, 3), w).sum().backward(); out = w.grad

x = V(1, 2); g = torch.ones(2); y = x * 1; y.backward(g); out = (x.grad is g, x.grad.data_ptr() == g.data_ptr())

x = V(1, 2); g = torch.ones(2); x.backward(g); x.grad.add_(1); out = g

x = V(1, 2); y = V(3, 4); (x + y).backward(torch.ones(2)); x.grad.add_(1); out = (x.grad, y.grad)

x = V(1, 2); (x + x).sum().backward(); out = x.grad

x = V(1, 2); x.sum().backward(); a = x.grad; x.sum().backward(); out = (a is x.grad, a)

x = V(1, 2); x.sum().backward(); a = x.grad; x.sum().backward(create_graph=True); out = (a is x.grad, a, x.grad)

x = V(1, 2); x.grad = torch.ones(2, requires_grad=True) * 1; x.sum().backward(); out = x.grad

x = V(1, 2); x.grad = torch.ones(2, requires_grad=True); x.sum().backward()

x = V(1, 2); x.grad = torch.ones(2).expand(2); x.sum().backward(); out = x.grad

x = R(3); x.grad = torch.ones(1).expand(3); x.sum().backward()

x = V(1, 2); (x * 2).sum().backward(create_graph=True); out = x.grad

x = V(1, 2); (x * x).sum().backward(create_graph=True); g = x.grad; x.grad = None; g.sum().backward(); out = x.grad

x = V(1, 2); x.requires_grad_(False); out = x.grad

x = V(1, 2); y = x * 2; x.requires_grad_(False); y.sum().backward(); out = x.grad

x = V(1, 2); y = (x * 2).sum(); y.backward(inputs=x); out = x.grad

x = V(1, 2); z = x * 2; y = (z * z).sum(); y.backward(inputs=[z, x]); out = (z.grad, x.grad)

x, w = V(1, 2), V(3, 4); y = (x * 2).sum(); y.backward(inputs=[w]); out = (x.grad, w.grad)

(V(1) * 2).sum().backward(inputs=[torch.ones(1)])

x = torch.ones(2, dtype=torch.float64, requires_grad=True); (x.float() * 2).sum().backward(); out = x.grad

x = torch.ones(2, dtype=torch.complex64, requires_grad=True); (x.abs() ** 2).sum().backward(); out = x.grad

x = V(1, 2); y = torch.complex(x, x); (y * (1 + 2j)).real.sum().backward(); out = x.grad

torch.ones(2, dtype=torch.complex64, requires_grad=True).sum().backward()

x = V(1, 2); (x * 2).backward(torch.tensor([1.0, 10.0])); out = x.grad

x = V(1, 2); (x * 2).backward(torch.ones(3))

x = V(1, 2); (x * 2).backward(torch.ones(2, dtype=torch.complex64))

x = V(1, 2); (x * 2).backward(torch.ones(2, dtype=torch.float64)); out = x.grad

x = V(1, 2); (x * 2).backward(torch.ones(2, dtype=torch.int64)); out = x.grad

x = V(1, 2); (x * 2).backward(3)

x = V(1, 2); torch.autograd.backward([x.sum(), x.prod()], retain_graph=True); out = x.grad

x = V(1, 2); torch.autograd.backward((x * 2, x * 3), (torch.ones(2), torch.ones(2))); out = x.grad

x = V(1, 2); torch.autograd.backward(x * 2, (torch.ones(2), torch.ones(2)))

x = V(1, 2); y = x * 2; torch.autograd.backward([y, y], [torch.ones(2), torch.ones(2)]); out = x.grad

x = V(1, 2); torch.autograd.grad([x.sum()], [x, x])

x = V(1, 2); out = torch.autograd.grad(x.sum(), x)

x = V(1, 2); out = torch.autograd.grad((x * x).sum(), x, is_grads_batched=False)

x = V(1, 2); out = torch.autograd.grad(x * x, x, torch.eye(2), is_grads_batched=True)

x = V(1, 2); torch.autograd.grad(x * x, x, torch.ones(2, 3), is_grads_batched=True)

x = V(1, 2); y = V(3); out = torch.autograd.grad((x * x).sum(), (x, y), allow_unused=True, materialize_grads=True)

x = V(1, 2); y = (x * x).sum(); torch.autograd.grad(y, x); torch.autograd.grad(y, x)

x = V(1, 2); y = (x + x).sum(); torch.autograd.grad(y, x); out = torch.autograd.grad(y, x)

x = V(1, 2); y = x.exp(); out = torch.autograd.grad(y, x, torch.ones_like(y), retain_graph=True)

torch.autograd.backward([])

torch.autograd.backward(3)

torch.autograd.backward([V(1).sum()], inputs=[])

torch.autograd.grad(V(1).sum(), 3)

torch.autograd.grad([], [V(1)])

x = V(1, 2); out = warned(lambda: (x * 2).sum().backward(create_graph=True))[1:]
"""

PARTS = (HOOKS, MODULES, ANOMALY, CHECKPOINT, ACCUMULATION)
