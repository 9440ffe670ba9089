"""Snippets about gradients, graphs, hooks, modes and custom functions; see tests/tools/expressions.py."""


def namespace(torch):
    """Custom functions and helpers that the cases use."""
    Function = torch.autograd.Function

    def custom(name, forward, backward=None, **extra):
        members = {"forward": staticmethod(forward), **{k: staticmethod(v) for k, v in extra.items()}}
        if backward is not None:
            members["backward"] = staticmethod(backward)
        return type(Function)(name, (Function,), members)

    def square_forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    def square_backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g

    def exp_forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    def scaled_forward(ctx, x, scale, flag=True):
        ctx.scale = scale
        return x * scale

    def dirty_forward(ctx, x):
        x.mul_(3)
        ctx.mark_dirty(x)
        return x

    def mark_only(ctx, x):
        ctx.mark_dirty(x)
        return x * 1

    def two_forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    def two_backward(ctx, a, b):
        return (0 if a is None else a * 2) + (0 if b is None else b * 3)

    def nondiff_forward(ctx, x):
        positive = x > 0
        doubled = x * 2
        ctx.mark_non_differentiable(doubled)
        return x * 1, doubled, positive

    def save_bad(ctx, x):
        ctx.save_for_backward(x, 3)
        return x * 1

    def split_forward(x, power=2):
        return x**power

    def split_setup(ctx, inputs, output):
        x, ctx.power = inputs
        ctx.save_for_backward(x, output)

    def split_backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * ctx.power * x ** (ctx.power - 1), None

    once = torch.autograd.function.once_differentiable
    keep = lambda ctx, *g: g[0]  # noqa: E731
    return {
        "Square": custom("Square", square_forward, square_backward),
        "Exp": custom("Exp", exp_forward, lambda ctx, g: ctx.saved_tensors[0] * g),
        "Scaled": custom("Scaled", scaled_forward, lambda ctx, g: (g * ctx.scale, None, None)),
        "Dirty": custom("Dirty", dirty_forward, lambda ctx, g: g * 3),
        "MarkOnly": custom("MarkOnly", mark_only, keep),
        "MarkBad": custom("MarkBad", lambda ctx, x: ctx.mark_dirty(3), keep),
        "Two": custom("Two", two_forward, two_backward),
        "NonDiff": custom("NonDiff", nondiff_forward, keep),
        "Identity": custom("Identity", lambda ctx, x: x, lambda ctx, g: g * 5),
        "View": custom("View", lambda ctx, x: x.view(-1), keep),
        "Mixed": custom("Mixed", lambda ctx, x: (x * 2, 3, None, "text"), keep),
        "ListOut": custom("ListOut", lambda ctx, x: [x * 2], keep),
        "NoBackward": custom("NoBackward", lambda ctx, x: x * 1),
        "TooFew": custom("TooFew", lambda ctx, x, y: x * y, lambda ctx, g: g),
        "TooMany": custom("TooMany", lambda ctx, x, y: x * y, lambda ctx, g: (g, g, g)),
        "ExtraNone": custom("ExtraNone", lambda ctx, x: x * 2, lambda ctx, g: (g * 2, None, None)),
        "ForNumber": custom("ForNumber", lambda ctx, x, n: x * n, lambda ctx, g: (g, g)),
        "NoTensor": custom("NoTensor", lambda ctx, x: x * 2, lambda ctx, g: 3),
        "WrongShape": custom("WrongShape", lambda ctx, x: x * 2, lambda ctx, g: g[:1].expand(5)),
        "SaveBad": custom("SaveBad", save_bad, keep),
        "Raises": custom("Raises", lambda ctx, x: x * 2, lambda ctx, g: {}["missing"]),
        "Once": custom("Once", lambda ctx, x: x * x, once(lambda ctx, g: g * 2)),
        "Split": custom("Split", split_forward, split_backward, setup_context=split_setup),
        "R": lambda *sizes, **kw: torch.ones(*(sizes or (2,)), requires_grad=True, **kw),
        "V": lambda *values: torch.tensor([float(v) for v in values], requires_grad=True),
        "D": lambda *values: torch.tensor([float(v) for v in values], dtype=torch.float64, requires_grad=True),
    }


BACKWARD = r"""
x = V(1, 2); (x * x).sum().backward(); out = x.grad
x = V(1, 2); y = x * x; y.backward(torch.ones(2)); y2 = (x * 2).sum(); y2.backward(); out = x.grad
x = V(1, 2); y = (x * x).sum(); y.backward(retain_graph=True); y.backward(); out = x.grad
x = V(1, 2); y = (x * x).sum(); y.backward(); y.backward()
x = V(1, 2); y = x.exp().sum(); y.backward(); y.backward()
x = V(1, 2); (x * x).sum().backward(); g = x.grad; (x * x).sum().backward(); out = (g, x.grad is g)
x = V(1, 2); (x**3).sum().backward(create_graph=True); out = (x.grad.detach(), x.grad.requires_grad)
x = V(1, 2); (x**3).sum().backward(create_graph=True); out = x.grad
torch.ones(2).backward()
R(2).backward()
R(1).sum().backward(torch.ones(3))
R(2).backward(torch.ones(2), inputs=[])
x, y = V(1, 2), V(3, 4); (x * y).sum().backward(inputs=[x]); out = (x.grad, y.grad)
x = V(1, 2); y = x * 2; (y * y).sum().backward(inputs=[y]); out = (x.grad, y.grad)
torch.autograd.backward([R(1), R(1)], [torch.ones(1)])
x, y = V(1), V(2); torch.autograd.backward([x * 2, y * 3]); out = (x.grad, y.grad)
torch.autograd.grad(R(1), [R(1)])
torch.autograd.grad(R(1), [torch.ones(1)])
torch.autograd.grad(R(1).sum(), R(1))
torch.autograd.grad(R(1).sum(), R(1), allow_unused=True)
torch.autograd.grad(R(1).sum(), R(1), materialize_grads=True)
torch.autograd.grad(R(1).sum(), R(1), materialize_grads=True, allow_unused=False)
torch.autograd.grad(R(1).sum(), [])
torch.autograd.grad(torch.ones(1), R(1))
torch.autograd.grad(3, R(1))
torch.autograd.grad((R(2) * 1,), R(1), grad_outputs=[None])
torch.autograd.grad((R(2) * 1,), R(1), grad_outputs=[3])
x = V(1, 2); out = torch.autograd.grad((x**3).sum(), x)
x = V(1, 2); (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True); out = torch.autograd.grad(g.sum(), x)
x = V(1, 2); y = x * 3; out = torch.autograd.grad((y * y).sum(), [y, x])
x = V(1, 2); out = torch.autograd.grad([x * 2, x * 3], x, [torch.ones(2), torch.tensor([1.0, 2.0])])
x = V(1, 2); y = x + torch.ones(3, 2); y.sum().backward(); out = x.grad
x = V(1, 2); x.grad = torch.ones(2); (x * 2).sum().backward(); out = x.grad
x = torch.ones(2, dtype=torch.float16, requires_grad=True); (x.float() * 2).sum().backward(); out = x.grad
"""

STATE = r"""
x = R(); x.grad = torch.ones(3)
x = R(); x.grad = 3
x = R(); x.grad = torch.ones(2, dtype=torch.float64)
x = R(); x.grad = x
x = R(); x.grad = torch.zeros(2); x.grad = None; out = x.grad
x = R(); g = torch.zeros(2); x.grad = g; out = x.grad is g
(R() * 2).grad
x = R(); out = (x.is_leaf, (x * 2).is_leaf, x.requires_grad, (x * 2).requires_grad, x.detach().requires_grad)
x = R(); y = x.detach(); y.add_(1); out = (x, x._version, y._version)
x = torch.zeros(2); v = x._version; x.data.add_(1); out = (x, v, x._version)
torch.ones(1, dtype=torch.int64).requires_grad_()
torch.ones(1).requires_grad_(3)
(R() * 2).requires_grad_(False)
y = R() * 2; y.requires_grad = False
x = torch.ones(1, dtype=torch.int64); x.requires_grad = True
x = torch.ones(1); x.requires_grad = 3
out = torch.ones(2).requires_grad_(True)
x = R(); x.requires_grad_(False); out = (x * 2).requires_grad
y = R() * 2; y.detach_(); out = y
(R() * 2)[0].detach_()
torch.ones(1).retain_grad()
x = R(); x.retain_grad(); out = x.retains_grad
y = R() * 2; y.retain_grad(); (y * y).sum().backward(); out = (y.retains_grad, y.grad)
x = V(1, 2); y = x * 2; y.retain_grad(); y.sum().backward(retain_graph=True); (y * y).sum().backward(); out = (y.grad, x.grad)
x = V(1, 2); s = []; a = x * 2; b = x.exp(); c = x.sin(); [t.register_hook(lambda g, n=n: s.append(n)) for n, t in enumerate((a, b, c))]; (a + b + c).sum().backward(); out = s
x = V(1, 2); s = []; a = x * 2; b = x.exp(); [t.grad_fn.register_hook(lambda i, o, n=n: s.append(n)) for n, t in enumerate((a, b))]; (b * 2 + a).sum().backward(); out = s
x = R(2, 3, 4); (x.permute(2, 0, 1) * torch.arange(24.0).reshape(4, 2, 3)).sum().backward(); out = x.grad
x = R(2, 3, 4); (x.permute(1, 2, 0) * torch.arange(24.0).reshape(3, 4, 2)).sum().backward(); out = x.grad
x = R(); x.add_(1)
x = R(); x[0] = 1.0
y = R() * 2; y.add_(1); out = y
x = V(1, 2); y = x * 1; y.mul_(y); y.sum().backward(); out = x.grad
x = V(1, 2); y = x * 1; z = y * y; y.add_(1); z.sum().backward()
x = V(1, 2); y = x.exp(); y.add_(1); y.sum().backward()
x = V(1, 2, 3); y = x * 1; y[0].mul_(5); y.sum().backward(); out = x.grad
x = V(1, 2, 3); y = x * 1; v = y[1:]; v.mul_(4); out = (y, v.detach())
x = V(1, 2, 3); y = x * 1; v = y[1:]; y.mul_(2); v.sum().backward(); out = x.grad
x = R(); v = x[0]; v.add_(1)
x = torch.ones(2); v = x.view(2); w = R(); v.mul_(w); x.sum().backward(); out = (x.requires_grad, w.grad)
"""

NODES = r"""
(R() * 2).grad_fn.name()
(R() * 2).grad_fn.metadata
y = R() * 2; out = y.grad_fn is y.grad_fn
x = R(); out = type((x * 2).grad_fn.next_functions[0][0]).__name__
x = R(); out = (x * 2).grad_fn.next_functions[0][0].name()
x = torch.zeros(2); x.copy_(R()); out = (x.grad_fn.name(), type(x.grad_fn).__name__)
x = R() * 1; x[0] = 2; out = (x.grad_fn.name(), type(x.grad_fn).__name__)
x = R(); out = (x * 2).grad_fn.next_functions[0][0].variable is x
x = R(); y = x * 2; z = y + 1; out = z.grad_fn.next_functions[0][0] is y.grad_fn
type((R() * 2).grad_fn).__name__
isinstance((R() * 2).grad_fn, torch.autograd.graph.Node)
(R() * 2).grad_fn.variable
R().grad_fn
(R() * 2).output_nr
"""

HOOKS = r"""
torch.ones(1).register_hook(print)
x = V(1, 2); x.register_hook(lambda g: g * 2); x.sum().backward(); out = x.grad
x = V(1, 2); seen = []; x.register_hook(lambda g: seen.append(g.clone())); x.sum().backward(); out = (x.grad, seen)
x = V(1, 2); x.register_hook(lambda g: g + 1); x.register_hook(lambda g: g * 3); x.sum().backward(); out = x.grad
x = V(1, 2); h = x.register_hook(lambda g: g * 2); h.remove(); x.sum().backward(); out = x.grad
x = V(1, 2); exec("with x.register_hook(lambda g: g * 2):\n x.sum().backward()"); x.sum().backward(); out = x.grad
x = V(1, 2); y = x * 2; y.register_hook(lambda g: g * 10); y.sum().backward(); out = x.grad
x = V(1, 2); y = x * 2; y.retain_grad(); y.register_hook(lambda g: g * 10); y.sum().backward(); out = (x.grad, y.grad)
x = V(1, 2); x.register_hook(lambda g: 3); x.sum().backward()
x = V(1, 2); x.register_hook(lambda g: torch.ones(5)); x.sum().backward()
x = V(1, 2); x.register_hook(lambda g: g.double()); x.sum().backward()
x = V(1, 2); x.register_hook(lambda g: {}["missing"]); x.sum().backward()
R()._backward_hooks
x = R(); x.register_hook(print); out = len(x._backward_hooks)
x = V(1, 2); x.register_post_accumulate_grad_hook(lambda p: p.grad.mul_(3)); x.sum().backward()
x = V(1, 2); x.register_post_accumulate_grad_hook(lambda p: setattr(p, "seen", p.grad.clone())); x.sum().backward(); out = x.seen
(R() * 2).register_post_accumulate_grad_hook(print)
torch.ones(1).register_post_accumulate_grad_hook(print)
x = V(1, 2); y = x * 2; s = []; y.grad_fn.register_hook(lambda i, o: s.append((i, o))); y.sum().backward(); out = s
x = V(1, 2); y = x * 2; y.grad_fn.register_hook(lambda i, o: (i[0] * 7, None)); y.sum().backward(); out = x.grad
y = R() * 2; y.grad_fn.register_hook(lambda i, o: (torch.ones(2),)); y.sum().backward()
y = R() * 2; y.grad_fn.register_hook(lambda i, o: 3); y.sum().backward()
x = V(1, 2); y = x * 2; y.grad_fn.register_prehook(lambda o: (o[0] * 3,)); y.sum().backward(); out = x.grad
x = V(1, 2); y = x * 2; s = []; y.grad_fn.register_prehook(lambda o: s.append(o)); y.sum().backward(); out = s
x = V(1, 2); y = x * 2; h = y.grad_fn.register_prehook(lambda o: (o[0] * 3,)); h.remove(); y.sum().backward(); out = x.grad
"""

MODES = r"""
exec("with torch.no_grad():\n y = R() * 2"); out = (y, torch.is_grad_enabled())
torch.no_grad(lambda: torch.is_grad_enabled())()
torch.no_grad()(lambda: torch.is_grad_enabled())()
torch.enable_grad()(lambda: torch.is_grad_enabled())()
torch.set_grad_enabled(False); out = torch.is_grad_enabled()
torch.set_grad_enabled(False)
torch.set_grad_enabled(True)(lambda: torch.is_grad_enabled())()
exec("with torch.set_grad_enabled(False):\n a = torch.is_grad_enabled()"); out = (a, torch.is_grad_enabled())
f = torch.set_grad_enabled(False)(lambda: torch.is_grad_enabled()); out = (torch.is_grad_enabled(), f())
exec("with torch.no_grad():\n with torch.enable_grad():\n  a = torch.is_grad_enabled()\n b = torch.is_grad_enabled()"); out = (a, b)
exec("try:\n with torch.no_grad():\n  raise KeyError\nexcept KeyError:\n pass"); out = torch.is_grad_enabled()
torch.inference_mode(lambda: torch.is_inference_mode_enabled())()
torch.inference_mode()(lambda: (torch.is_inference_mode_enabled(), torch.is_grad_enabled()))()
torch.inference_mode(False)(lambda: (torch.is_inference_mode_enabled(), torch.is_grad_enabled()))()
torch.no_grad()(torch.inference_mode(False)(lambda: (torch.is_inference_mode_enabled(), torch.is_grad_enabled())))()
exec("with torch.inference_mode():\n y = torch.ones(2) * 2"); out = (y.is_inference(), y.requires_grad)
exec("with torch.inference_mode():\n y = torch.ones(2)"); y.add_(1)
exec("with torch.inference_mode():\n y = torch.ones(2)"); y * R()
exec("with torch.inference_mode():\n y = torch.ones(2)"); y._version
exec("@torch.no_grad()\ndef g():\n yield torch.is_grad_enabled()\n yield torch.is_grad_enabled()"); out = [(v, torch.is_grad_enabled()) for v in g()]
exec("@torch.no_grad\ndef f(a, b=2):\n 'doc'\n return torch.is_grad_enabled(), a, b"); out = (f(1), f.__name__, f.__doc__)
exec("class A:\n @torch.no_grad()\n def f(self):\n  return torch.is_grad_enabled()"); out = A().f()
torch.autograd.Variable(torch.ones(2), requires_grad=True)
torch.autograd.Variable(torch.ones(2)).requires_grad
torch.autograd.Variable([1.0])
torch.autograd.Variable(R() * 2, requires_grad=False)
torch.autograd.Variable(R(), volatile=True)
isinstance(torch.ones(1), torch.autograd.Variable)
isinstance(3, torch.autograd.Variable)
exec("with torch.autograd.set_detect_anomaly(True):\n a = torch.is_anomaly_enabled()"); out = (a, torch.is_anomaly_enabled())
x = torch.zeros(1, requires_grad=True); exec("with torch.autograd.set_detect_anomaly(True):\n (x.sqrt() * 0).sum().backward()")
"""

FUNCTIONS = r"""
x = V(1, 2, 3); y = Square.apply(x); y.sum().backward(); out = (y, x.grad)
x = V(1, 2); (g,) = torch.autograd.grad(Square.apply(x).sum(), x, create_graph=True); out = torch.autograd.grad(g.sum(), x)
x = V(1, 2); y = Exp.apply(x); y.sum().backward(); out = x.grad
x = V(1, 2); (g,) = torch.autograd.grad(Exp.apply(x).sum(), x, create_graph=True); out = torch.autograd.grad(g.sum(), x)
x = V(1, 2); y = Scaled.apply(x, 5); y.sum().backward(); out = (y, x.grad)
Square.apply(torch.ones(2))
Square.apply(R()).grad_fn.name()
y = Square.apply(R()); out = y.grad_fn is y.grad_fn
type(Square.apply(R()).grad_fn.next_functions[0][0]).__name__
Square.apply(R()).grad_fn.next_functions[0][0].name()
Square.apply(R()).grad_fn.needs_input_grad
Square.apply(R()).grad_fn.saved_tensors
Scaled.apply(R(), 3).grad_fn.scale
TooFew.apply(R(), torch.ones(2)).grad_fn.needs_input_grad
y = Square.apply(V(2)); y.backward(); y.backward()
y = Square.apply(V(2)); y.backward(retain_graph=True); y.backward(); out = y
y = Square.apply(V(2)); y.backward(); y.grad_fn.saved_tensors
x = V(1); y = Square.apply(x); x.detach().add_(1); y.backward()
x = V(1); y = Exp.apply(x); y.detach().add_(1); y.backward()
TooFew.apply(R(), R()).sum().backward()
TooMany.apply(R(), R()).sum().backward()
x = V(1, 2); ExtraNone.apply(x).sum().backward(); out = x.grad
ForNumber.apply(R(), 3).sum().backward()
NoTensor.apply(R()).sum().backward()
WrongShape.apply(R()).sum().backward()
NoBackward.apply(R()).sum().backward()
SaveBad.apply(R())
MarkOnly.apply(R() * 1)
MarkBad.apply(R())
Raises.apply(R()).sum().backward()
Dirty.apply(R())
x = V(1, 2); y = x * 1; z = Dirty.apply(y); z.sum().backward(); out = (z is y, y, x.grad)
x = V(1, 2, 3); y = x * 1; z = Dirty.apply(y[1:]); y.sum().backward(); out = (z.detach(), y, x.grad)
x = V(1, 2); a, b = Two.apply(x); a.sum().backward(); out = x.grad
x = V(1, 2); a, b = Two.apply(x); (a + b).sum().backward(); out = x.grad
NonDiff.apply(R())
x = R(); y = Identity.apply(x); y.sum().backward(); out = (y is x, y, x.grad)
Identity.apply(torch.ones(2))
View.apply(R())
View.apply(R()).add_(1)
View.apply(R() * 1).add_(1)
Mixed.apply(R())
ListOut.apply(R())
x = V(1, 2); (g,) = torch.autograd.grad((Once.apply(x) ** 2).sum(), x, create_graph=True); out = g
x = V(1, 2); (g,) = torch.autograd.grad((Once.apply(x) ** 2).sum(), x, create_graph=True); g.sum().backward()
x = V(1, 2); y = Split.apply(x, 3); y.sum().backward(); out = (y, x.grad)
x = V(1, 2); y = Split.apply(x); y.sum().backward(); out = (y, x.grad)
exec("with torch.no_grad():\n y = Square.apply(R())"); out = y
s = []; y = Square.apply(R()); y.grad_fn.register_hook(lambda i, o: s.append((i, o))); y.sum().backward(); out = s
"""

CHECKS = r"""
torch.autograd.gradcheck(lambda x: x * x, D(1, 2))
torch.autograd.gradcheck(lambda x, y: (x * y, x.exp()), (D(1, 2), D(3, 4)))
torch.autograd.gradgradcheck(lambda x: x**3, D(1, 2))
torch.autograd.gradcheck(Square.apply, D(1, 2))
torch.autograd.gradgradcheck(Square.apply, D(1, 2))
torch.autograd.gradcheck(Identity.apply, D(1, 2))
torch.autograd.gradcheck(Identity.apply, D(1, 2), raise_exception=False)
torch.autograd.gradcheck(lambda x: x, torch.ones(2, dtype=torch.float64))
torch.autograd.gradcheck(lambda z: z * z, torch.tensor([1 + 2j, 3 - 1j], dtype=torch.complex128, requires_grad=True))
torch.autograd.functional.jacobian(lambda x: x * x, torch.tensor([1.0, 2.0]))
torch.autograd.functional.jacobian(lambda x, y: (x * y, y), (torch.ones(2), torch.tensor([1.0, 3.0])))
torch.autograd.functional.jacobian(lambda x: x.sum(), torch.ones(2, 2))
torch.autograd.functional.hessian(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]))
torch.autograd.functional.hessian(lambda x, y: (x * y * y).sum(), (torch.ones(1), torch.tensor([2.0])))
torch.autograd.functional.vjp(lambda x: x * 2, torch.ones(2))
torch.autograd.functional.vjp(lambda x: x.sum() * 2, torch.ones(2))
torch.autograd.functional.vjp(lambda x: x * x, torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))
torch.autograd.functional.jvp(lambda x: x * x, torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))
torch.autograd.functional.hvp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.ones(2))
torch.autograd.functional.vhp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.ones(2))
torch.autograd.functional.hessian(lambda x: x**3, torch.ones(2))
torch.autograd.functional.jacobian(lambda x: 3, torch.ones(2))
torch.autograd.functional.jacobian(lambda x: x, 3)
torch.autograd.functional.jacobian(lambda x: torch.ones(2), torch.ones(2), strict=True)
torch.autograd.functional.jvp(lambda x: x, torch.ones(2), torch.ones(3))
torch.autograd.functional.jvp(lambda x: x, torch.ones(2))
torch.testing.assert_close(torch.ones(2), torch.ones(3))
torch.testing.assert_close(torch.ones(2), torch.zeros(2))
torch.testing.assert_close(torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([[1.0, 2], [3.5, 4.01]]))
torch.testing.assert_close(torch.ones(2), torch.ones(2) + 1e-7)
torch.testing.assert_close(torch.ones(2), torch.ones(2, dtype=torch.float64))
torch.testing.assert_close(torch.ones(2), torch.ones(2, dtype=torch.float64), check_dtype=False)
torch.testing.assert_close(1, 2)
torch.testing.assert_close(1.0, 2)
torch.testing.assert_close([1.0, 2.0], [1.0, 3.0])
torch.testing.assert_close({"a": torch.ones(1)}, {"a": torch.zeros(1)})
torch.testing.assert_close({"a": [torch.ones(1)]}, {"a": [torch.zeros(1)]})
torch.testing.assert_close({"a": 1}, {"b": 1})
torch.testing.assert_close([1], [1, 2])
torch.testing.assert_close(torch.tensor(1.0), torch.tensor(2.0))
torch.testing.assert_close(torch.tensor(float("nan")), torch.tensor(float("nan")))
torch.testing.assert_close(torch.tensor(float("nan")), torch.tensor(float("nan")), equal_nan=True)
torch.testing.assert_close(torch.ones(2), torch.zeros(2), msg="hello")
torch.testing.assert_close(torch.ones(2), torch.zeros(2), msg=lambda m: m.splitlines()[0] + "?")
torch.testing.assert_close(torch.ones(2), torch.zeros(2), rtol=1)
torch.testing.assert_close("a", "b")
torch.testing.assert_close(None, None)
torch.testing.assert_close(torch.tensor([True]), torch.tensor([False]))
torch.testing.assert_close(np.ones(2), np.zeros(2))
torch.testing.assert_close(torch.ones(2, 3).t(), torch.ones(3, 2), check_stride=True)
torch.testing.make_tensor((2,), dtype=torch.int64, device="cpu", low=3, high=2)
torch.testing.make_tensor(2, 3, dtype=torch.float32, device="cpu", low=0, high=3).shape
torch.testing.make_tensor((3, 4), dtype=torch.float32, device="cpu", noncontiguous=True).is_contiguous()
torch.testing.make_tensor((3,), dtype=torch.int64, device="cpu", requires_grad=True)
"""


def lines(text):
    return [line for line in text.strip().splitlines() if line]


CASES = [line for part in (BACKWARD, STATE, NODES, HOOKS, MODES, FUNCTIONS, CHECKS) for line in lines(part)]
