"""Graphs, hooks, anomaly detection, checkpointing: one snippet per block; see tests/tools/expressions.py."""


def namespace(torch):
    import importlib
    import warnings

    def names(root):
        """The graph below a node, depth first."""
        seen, out = set(), []

        def walk(node, depth):
            if node is None:
                return
            out.append(f"{'.' * depth}{node.name().rsplit('::', 1)[-1]}")
            if node in seen:
                return
            seen.add(node)
            for n, _ in node.next_functions:
                walk(n, depth + 1)

        walk(root, 0)
        return out

    def warned(f):
        """What `f` gives, and the kinds and texts of its warnings."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = f()
            except Exception as error:
                result = f"{type(error).__name__}: {error}"
        # PyTorch says where in its own source a warning comes from.
        texts = [str(w.message).split(" (Triggered internally")[0] for w in caught]
        return result, [w.category.__name__ for w in caught], texts

    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2

    ck = importlib.import_module(f"{torch.__name__}.utils.checkpoint")
    graph = torch.autograd.graph
    return {
        "names": names,
        "warned": warned,
        "Twice": Twice,
        "nn": torch.nn,
        "graph": graph,
        "ck": ck,
        "checkpoint": ck.checkpoint,
    }


SAVED_HOOKS = r"""
s = []
x = V(1, 2); y = V(3, 4)
with graph.saved_tensors_hooks(lambda t: (s.append(("pack", t.tolist())), t.detach())[1], lambda t: (s.append(("unpack", t.tolist())), t)[1]):
    z = x * y
z.sum().backward(); out = (sorted(s), x.grad, y.grad)

x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: t.detach() * 10, lambda t: t):
    z = x * x
z.sum().backward(); out = x.grad

x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: t.tolist(), lambda l: torch.tensor(l)):
    z = x.exp()
z.sum().backward(); out = (x.grad, z)

x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
    z = x.exp()
z.sum().backward()

x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: {}["no"]):
    z = x.exp()
z.sum().backward()

x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: {}["no"], lambda t: t):
    z = x.exp()

x = V(1, 2); y = x * 1
with graph.saved_tensors_hooks(lambda t: t.detach().add_(1), lambda t: t):
    z = y * y

s = []
x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: s.append(1) or t.detach(), lambda t: t):
    with graph.saved_tensors_hooks(lambda t: s.append(2) or t.detach(), lambda t: t):
        z = x.exp()
    w = x.exp()
v = x.exp(); out = s

s = []
x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: s.append(t.requires_grad) or t.detach(), lambda t: t):
    z = x.exp(); w = x * 2; v = x + x; u = x.sum(); q = x.relu(); r = x.view(2); d = x.detach() * 3
out = s

s = []
x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: s.append((t.grad_fn is not None, t.is_leaf)) or t.detach(), lambda t: t):
    z = x.exp(); w = (x * 1).pow(2)
out = s

x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t):
    z = x ** 3
(g,) = torch.autograd.grad(z.sum(), x, create_graph=True); (h,) = torch.autograd.grad(g.sum(), x); out = (g, h)

x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t):
    z = x.exp()
(g,) = torch.autograd.grad(z.sum(), x, create_graph=True); (h,) = torch.autograd.grad(g.sum(), x); out = (g, h)

x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t):
    z = x * x
    x.detach().zero_()
z.sum().backward(); out = x.grad

x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t):
    z = x * x
z.sum().backward(); z.sum().backward()

s = []
x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: s.append(1) or t):
    z = x * x
z.sum().backward(retain_graph=True); z.sum().backward(); out = (s, x.grad)

s = []
x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: s.append(t.tolist()) or t.detach(), lambda t: t):
    z = Twice.apply(x)
z.sum().backward(); out = (s, x.grad)

x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t):
    z = (x * 1).mul_(x)
z.sum().backward(); out = x.grad

x = V(1, 2)
with graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t):
    y = x * 1; y[0].exp_()
y.sum().backward(); out = x.grad

with graph.save_on_cpu():
    x = V(1, 2); z = x * x
z.sum().backward(); out = x.grad

with graph.save_on_cpu(pin_memory=True):
    x = V(1, 2); z = x * x
z.sum().backward(); out = x.grad

with graph.disable_saved_tensors_hooks("not here"):
    with graph.save_on_cpu():
        pass

with graph.save_on_cpu():
    with graph.disable_saved_tensors_hooks("not here"):
        pass

with graph.disable_saved_tensors_hooks("outer"):
    try:
        with graph.disable_saved_tensors_hooks("inner"):
            raise KeyError
    except KeyError:
        pass
    with graph.save_on_cpu():
        pass

with graph.disable_saved_tensors_hooks("outer"):
    x = V(1, 2); (x * x).sum().backward()
with graph.save_on_cpu():
    out = x.grad

x = V(1, 2)
with graph.allow_mutation_on_saved_tensors():
    y = x * 1; z = y ** 2; y.sin_(); z.sum().backward()
out = (x.grad, y.detach())

x = V(1, 2)
with graph.allow_mutation_on_saved_tensors():
    y = x * 1; z = (y ** 2).sum(); y[0] = 100.0; z.backward()
out = x.grad

x = V(1, 2)
with graph.allow_mutation_on_saved_tensors():
    y = x * 1; z = y ** 2; y.sin_()
z.sum().backward()

with graph.allow_mutation_on_saved_tensors():
    with graph.allow_mutation_on_saved_tensors():
        pass

x = V(1, 2)
with graph.allow_mutation_on_saved_tensors():
    with torch.no_grad():
        z = torch.enable_grad()(lambda: x * x)(); x.zero_()
    z.sum().backward()
out = x.grad

x = V(1, 2); y = x.exp(); s = y.grad_fn._raw_saved_result; s.register_hooks(lambda t: t * 2, lambda t: t); y.sum().backward(); out = x.grad

x = V(1, 2); y = x * x; s = y.grad_fn._raw_saved_self; s.register_hooks(lambda t: t * 2, lambda t: t); s.register_hooks(lambda t: t * 2, lambda t: t)

x = V(1, 2); y = x * x; s = y.grad_fn._raw_saved_self; y.sum().backward(); s.register_hooks(lambda t: t * 2, lambda t: t)

x = V(1, 2); y = x * 2; s = y.grad_fn._raw_saved_self; s.register_hooks(lambda t: t * 2, lambda t: t)

x = V(1, 2); y = x * x; y.grad_fn._raw_saved_self.register_hooks(lambda t: t.add_(1), lambda t: t)

type(V(1).exp().grad_fn._raw_saved_result).__name__
"""

SAVED_ATTRIBUTES = r"""
x = V(1, 2); y = x * x; out = (y.grad_fn._saved_self is x, y.grad_fn._saved_other is x)

x = V(1, 2); y = x.exp(); r = y.grad_fn._saved_result; out = (r, r is y, r.grad_fn is y.grad_fn)

x = V(1, 2); y = x * 2; out = y.grad_fn._saved_self

x = V(1, 2); y = x * 2; out = y.grad_fn._saved_other

x = V(1, 2); y = x.exp(); y.sum().backward(); y.grad_fn._saved_result

x = V(1, 2); y = x * x; x.detach().add_(1); y.grad_fn._saved_self

x = V(1, 2); y = x.softmax(0); out = (y.grad_fn._saved_dim, y.grad_fn._saved_result)

x = V(1, 2); y = x.tanh(); out = y.grad_fn._saved_result

x = V(1, 2); y = x.sigmoid(); out = y.grad_fn._saved_result

x = V(1, 2); y = x.relu(); out = y.grad_fn._saved_result

x = V(1, 2); y = x.log(); out = y.grad_fn._saved_self

x = V(1, 2); y = x.sqrt(); out = y.grad_fn._saved_result

x = R(2, 3); w = R(3, 2); y = x @ w; out = (y.grad_fn._saved_self.shape, y.grad_fn._saved_mat2.shape)

x = V(1, 2); y = x / V(3, 4); out = (y.grad_fn._saved_self, y.grad_fn._saved_other)

x = V(1, 2); (x * 2).grad_fn._saved_nonsense

x = V(1, 2); out = sorted(n for n in dir((x * x).grad_fn) if n.startswith("_saved"))

x = V(1, 2); out = sorted(n for n in dir(x.exp().grad_fn) if n.startswith("_saved"))
"""

NODES = r"""
x = V(1, 2); out = names((x * 2 + 1).sum().grad_fn)

x = V(1, 2); y = x.exp(); out = names((y * y - x).mean().grad_fn)

out = names((R(2, 3) @ R(3, 2)).relu().grad_fn)

out = names(torch.cat([R(2), R(2)]).grad_fn)

f = lambda y: y.grad_fn.name(); x = V(1, 2); out = [f(y) for y in (x + x, x + 1, x - x, x * x, x * 2, x / x, x / 2, -x, x ** 2, x ** x, x.abs(), x.square(), x.reciprocal(), x.rsqrt(), 1 - x, 1 / x,)]

f = lambda y: y.grad_fn.name(); x = V(1, 2); out = [f(y) for y in (x.exp(), x.exp2(), x.expm1(), x.log(), x.log2(), x.log10(), x.log1p(), x.sqrt(), x.sin(), x.cos(), x.tan(), x.sinh(), x.cosh(), x.tanh(), x.asin(), x.acos(), x.atan(), x.sigmoid(), x.erf(), x.erfc(), x.lgamma(), x.digamma())]

f = lambda y: y.grad_fn.name(); x = V(1, 2); out = [f(y) for y in (x.sum(), x.mean(), x.prod(), x.var(), x.std(), x.norm(), x.max(), x.max(0)[0], x.min(), x.amax(), x.logsumexp(0), x.cumsum(0), x.cumprod(0), x.median(), x.sort()[0], x.topk(1)[0], x.kthvalue(1)[0],)]

f = lambda y: y.grad_fn.name(); x = V(1, 2); out = [f(y) for y in (x.floor(), x.ceil(), x.round(), x.trunc(), x.sign(), x.frac(), x.clamp(0, 1), x.clamp_min(0), x.clamp_max(0), x.fmod(2), x.remainder(2), x.where(x > 0, x), x.maximum(x), x.minimum(x), x.atan2(x), x.lerp(x, 0.5),)]

f = lambda y: y.grad_fn.name(); F = nn.functional; x = V(1, 2); out = [f(y) for y in (F.relu(x), F.leaky_relu(x), F.elu(x), F.selu(x), F.gelu(x), F.silu(x), F.mish(x), F.softplus(x), F.softsign(x), F.hardtanh(x), F.hardsigmoid(x), F.hardswish(x), F.relu6(x), F.logsigmoid(x), F.tanhshrink(x), F.softshrink(x), F.hardshrink(x), F.threshold(x, 0, 0), F.softmax(x, 0), F.log_softmax(x, 0), F.softmin(x, 0), F.dropout(x), F.normalize(x, dim=0), F.prelu(x, R(1)),)]

f = lambda y: y.grad_fn.name(); F = nn.functional; x, t = R(2, 3), torch.ones(2, 3); out = [f(y) for y in (F.mse_loss(x, t), F.l1_loss(x, t), F.smooth_l1_loss(x, t), F.huber_loss(x, t), F.binary_cross_entropy_with_logits(x, t), F.nll_loss(x, torch.tensor([0, 1])), F.cross_entropy(x, torch.tensor([0, 1])), F.layer_norm(x, (3,)), F.rms_norm(x, (3,)), F.embedding(torch.tensor([0, 1]), x), F.one_hot(torch.tensor([0, 1])).float() @ R(2, 2),)]

f = lambda y: y.grad_fn.name(); F = nn.functional; x = R(1, 2, 8, 8); out = [f(y) for y in (F.conv2d(x, R(3, 2, 3, 3)), F.max_pool2d(x, 2), F.avg_pool2d(x, 2), F.adaptive_avg_pool2d(x, 2), F.batch_norm(x, None, None, training=True), F.group_norm(x, 1), F.conv_transpose2d(x, R(2, 3, 3, 3)),)]

f = lambda y: y.grad_fn.name(); x = R(2, 3); out = [f(y) for y in (x @ R(3), x @ R(3, 2), R(3) @ R(3), torch.bmm(R(1, 2, 3), R(1, 3, 2)), torch.addmm(R(2), x, R(3, 2)), torch.outer(R(2), R(2)), torch.mv(x, R(3)), torch.dot(R(3), R(3)), torch.tril(x), torch.triu(x), torch.trace(R(2, 2)), torch.cross(R(3), R(3), dim=0),)]

f = lambda y: y.grad_fn.name(); x = R(2, 3); i = torch.tensor([0, 1]); out = [f(y) for y in (x.gather(1, i[:, None]), x.index_select(1, i), x[i], x[i, i], x[x > 0], x.take(i), x.masked_fill(x > 0, 1), x.masked_select(x > 0), x.scatter_add(1, i[:, None], x), x.index_add(1, i, x[:, :2]), x.flip(0), x.roll(1), x.repeat(2, 1), x.repeat_interleave(2), x.rot90(), x.clone(), x.contiguous().clone(), x.double(), x.float().double(), x.to(torch.float16), torch.cat([x, x]), torch.stack([x, x]), torch.where(x > 0, x, x),)]

x = V(1, 2); y = x * 2; out = (y.grad_fn.next_functions, y.grad_fn.next_functions[0][0] is (x + 1).grad_fn.next_functions[0][0])

x = V(1, 2); y = x * 2; out = [type(n).__name__ for n, _ in y.grad_fn.next_functions]

x = V(1, 2); y = x * 2; y.grad_fn.metadata["a"] = 1; out = y.grad_fn.metadata

x = V(1, 2); y = x * 2; z = y * 3; y.grad_fn.metadata["a"] = 1; del y; out = z.grad_fn.next_functions[0][0].metadata

x = V(1, 2); m = (x * 2).grad_fn._input_metadata; out = (len(m), m[0].shape, m[0].dtype, m[0].device)

x = V(1, 2); y = x * 2; z = y * 2; out = (z.grad_fn._sequence_nr() > y.grad_fn._sequence_nr(), y.grad_fn.next_functions[0][0]._sequence_nr())

e = graph.get_gradient_edge(V(1, 2) * 2); out = (e.node.name(), e.output_nr, len(e))

e = graph.get_gradient_edge(V(1, 2)); out = (e.node.name(), e.output_nr)

graph.get_gradient_edge(torch.ones(2))

x = V(1, 2); e = graph.get_gradient_edge(x); out = torch.autograd.grad((x * 3).sum(), e)

x = V(1, 2); y = x * 2; e = graph.get_gradient_edge(y); z = (y * y).sum(); del y; out = torch.autograd.grad(z, (e, x))

x = V(1, 2); y = x * 2; e = graph.get_gradient_edge(y); torch.autograd.backward(e, torch.ones(2)); out = x.grad

x = V(1, 2); y = (x * 2).sum(); e = graph.get_gradient_edge(y); torch.autograd.backward([e]); out = x.grad

x = V(1, 2); y = x * 2; e = graph.get_gradient_edge(y); torch.autograd.backward(e)

x = V(1, 2); e = graph.get_gradient_edge(x); y = V(3, 4); (x * y).sum().backward(inputs=[e]); out = (x.grad, y.grad)

x = V(1, 2); y = Twice.apply(x); e = graph.get_gradient_edge(y); del y; torch.autograd.backward(e, torch.ones(2)); out = (x.grad, e.ownership_token is None)

x = V(1, 2); e = graph.get_gradient_edge(x); torch.autograd.grad(V(1).sum(), e)

x = V(1, 2); e = graph.get_gradient_edge(x); torch.autograd.grad(V(1).sum(), e, materialize_grads=True)

x = V(1, 2); y = x * 2; out = y.grad_fn == y.grad_fn

y = (lambda: V(1, 2) * 2)(); y.backward(torch.ones(2)); out = y.grad_fn.next_functions[0][0].variable.grad

x = V(1, 2); x.foo = 1; y = x * 2; node = y.grad_fn.next_functions[0][0]; del x; out = node.variable.requires_grad

x = V(1, 2); s = []; x.register_post_accumulate_grad_hook(lambda t: s.append(t.grad.tolist())); y = x * 2; del x; y.sum().backward(); out = s

x = V(1, 2); s = []; x.register_hook(lambda g: s.append(g.tolist())); y = x * 2; del x; y.sum().backward(); out = s

x = V(1, 2); y = x * 2; del x; x2 = y.grad_fn.next_functions[0][0].variable; z = x2 * 3; out = z.grad_fn.next_functions[0][0] is y.grad_fn.next_functions[0][0]

type(V(1).grad_fn), isinstance((V(1) * 2).grad_fn, graph.Node), isinstance(Twice.apply(V(1)).grad_fn, graph.Node), isinstance(3, graph.Node)

repr((V(1) * 2).grad_fn), str((V(1) * 2).grad_fn.next_functions[0][0])

y = Twice.apply(V(1)); out = (y.grad_fn.name(), type(y.grad_fn).__name__, y.grad_fn.next_functions[0][0].name(), y.grad_fn.saved_tensors)

x = V(1, 2); out = names(Twice.apply(x * 2).sum().grad_fn)
"""

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

FUNCTIONS = r"""
class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y, z=None):
        ctx.needs = ctx.needs_input_grad
        return x * 2
    @staticmethod
    def backward(ctx, g):
        s.append((ctx.needs, ctx.needs_input_grad)); return g, None, None
s = []; F.apply(V(1), torch.ones(1), "a").sum().backward(); out = s

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view(-1)
    @staticmethod
    def backward(ctx, g):
        return g * 3
x = V(1, 2); y = F.apply(x * 1); y.mul_(2)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view(-1)
    @staticmethod
    def backward(ctx, g):
        return g * 3
x = V(1, 2); y = F.apply(x); y.sum().backward(); out = (x.grad, y._base is None, y.grad_fn.name())

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x
    @staticmethod
    def backward(ctx, g):
        return g * 3
x = V(1, 2); y = F.apply(x); y.sum().backward(); out = (y is x, x.grad, y._is_view(), y.requires_grad, x.requires_grad)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        return x, y
    @staticmethod
    def backward(ctx, a, b):
        return b, a
x, y = V(1, 2), V(3, 4); a, b = F.apply(x, y); (a * 2 + b * 3).sum().backward(); out = (x.grad, y.grad)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x); x.add_(1); return x
    @staticmethod
    def backward(ctx, g):
        return g * 5
x = V(1, 2); y = x * 1; v = y[:1]; F.apply(v); y.sum().backward(); out = (x.grad, y)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x); x.add_(1); return x
    @staticmethod
    def backward(ctx, g):
        return g * 5
x = torch.ones(2); y = F.apply(x); out = (y is x, y, x._version)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.mark_dirty(x); x.copy_(y); return x
    @staticmethod
    def backward(ctx, g):
        return None, g * 5
x = torch.zeros(2); y = V(1, 2); z = F.apply(x, y); x.sum().backward(); out = (y.grad, x.grad_fn.name(), z is x)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        a, b = x * 2, x * 3; ctx.mark_non_differentiable(b); return a, b
    @staticmethod
    def backward(ctx, a, b):
        s.append((a, b)); return a
s = []; x = V(1, 2); a, b = F.apply(x); a.sum().backward(); out = (s, b.requires_grad, b.is_leaf, b.grad_fn)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False); return x * 2, x * 3
    @staticmethod
    def backward(ctx, a, b):
        s.append((a, b)); return a
s = []; x = V(1, 2); a, b = F.apply(x); a.sum().backward(); out = s

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2, x * 3
    @staticmethod
    def backward(ctx, a, b):
        s.append((a, b)); return a
s = []; x = V(1, 2); a, b = F.apply(x); a.sum().backward(); out = s

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp(); ctx.save_for_backward(x, y, None); return y
    @staticmethod
    def backward(ctx, g):
        x, y, n = ctx.saved_tensors; s.append((n, x.requires_grad, y.grad_fn is not None)); return g * y
s = []; x = V(1, 2); y = F.apply(x); (g,) = torch.autograd.grad(y.sum(), x, create_graph=True); (h,) = torch.autograd.grad(g.sum(), x); out = (s, g, h)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp(); z = y * 2; ctx.save_for_backward(y); return z
    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors; return g * 2 * y
x = V(1, 2); y = F.apply(x); (g,) = torch.autograd.grad(y.sum(), x, create_graph=True); out = (g.requires_grad, g)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x); return x * x
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors; return 2 * x * g
x = V(1, 2); y = F.apply(x); (g,) = torch.autograd.grad(y.sum(), x, create_graph=True); torch.autograd.grad(g.sum(), x)

class F(torch.autograd.Function):
    @staticmethod
    def forward(x, k):
        return x * k, x + 1
    @staticmethod
    def setup_context(ctx, inputs, output):
        s.append((type(inputs).__name__, len(inputs), type(output).__name__)); ctx.k = inputs[1]; ctx.mark_non_differentiable(output[1])
    @staticmethod
    def backward(ctx, g, h):
        return g * ctx.k, None
s = []; x = V(1, 2); a, b = F.apply(x, 3); a.sum().backward(); out = (s, x.grad, b.requires_grad)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.ones(2)
    @staticmethod
    def backward(ctx, g):
        return g
x = V(1, 2); y = F.apply(x); y.sum().backward(); out = (y.requires_grad, x.grad)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return [x * 2, x * 3]
    @staticmethod
    def backward(ctx, g):
        return g
F.apply(V(1))

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.to(torch.int64)
    @staticmethod
    def backward(ctx, g):
        return g
out = F.apply(V(1, 2))

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return None
    @staticmethod
    def backward(ctx, g):
        return g
out = F.apply(V(1, 2))

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, g):
        return g.double()
x = V(1, 2); F.apply(x).sum().backward(); out = x.grad

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, g):
        return g.sum()
x = V(1, 2); F.apply(x).sum().backward(); out = x.grad

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, g):
        return g[None].expand(3, 2)
x = V(1, 2); F.apply(x).sum().backward(); out = x.grad

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, g):
        return None
x = V(1, 2); F.apply(x).sum().backward(); out = x.grad

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, g):
        g.mul_(10); return g
x = V(1, 2); s = torch.ones(2); F.apply(x).backward(s); out = (x.grad, s)

F = type("F", (torch.autograd.Function,), {}); F.apply(V(1))

torch.autograd.Function()(V(1))

torch.autograd.Function.apply(V(1))

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward([x]); return x * 2
    @staticmethod
    def backward(ctx, g):
        return g
F.apply(V(1))

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x); ctx.save_for_backward(x, x); return x * 2
    @staticmethod
    def backward(ctx, g):
        s.append(len(ctx.saved_tensors)); return g
s = []; F.apply(V(1)).backward(); out = s

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x; return x * 2
    @staticmethod
    def backward(ctx, g):
        return g * ctx.x
x = V(3); y = F.apply(x); y.backward(retain_graph=True); y.backward(); out = x.grad

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        return x * y
    @staticmethod
    def backward(ctx, g):
        return g, g
x = V(1); F.apply(x, torch.ones(1)).backward(); out = x.grad

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *xs):
        ctx.n = len(xs); return sum(xs)
    @staticmethod
    def backward(ctx, g):
        return (g,) * ctx.n
a, b, c = V(1), V(2), V(3); F.apply(a, b, c).backward(); out = (a.grad, b.grad, c.grad)

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x); return x * 2
    @staticmethod
    def backward(ctx, g):
        ctx.saved_tensors[0]; return g
    @staticmethod
    def vjp(ctx, g):
        return g
F.apply(V(1)).backward()

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def vjp(ctx, g):
        return g * 7
x = V(1); F.apply(x).backward(); out = x.grad

x = V(1, 2)
with torch.no_grad():
    y = Twice.apply(x)
out = (y.requires_grad, y.grad_fn)
"""


def blocks(text):
    return [b for b in text.strip("\n").split("\n\n") if b.strip()]


PARTS = (SAVED_HOOKS, SAVED_ATTRIBUTES, NODES, HOOKS, MODULES, ANOMALY, CHECKPOINT, ACCUMULATION, FUNCTIONS)
CASES = [b for part in PARTS for b in blocks(part)]
