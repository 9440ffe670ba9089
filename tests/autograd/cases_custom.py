"""Functions of one's own, `autograd.Function`: one snippet per block, with the names of cases_graph.py."""

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

PARTS = (FUNCTIONS,)
