"""Graphs: saved tensors, nodes; and the names that cases_hooks.py and cases_custom.py use too. One snippet per block."""


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

PARTS = (SAVED_HOOKS, SAVED_ATTRIBUTES, NODES)
