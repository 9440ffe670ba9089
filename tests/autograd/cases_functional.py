"""Derivatives of functions and their checks: one snippet per block; see tests/tools/expressions.py."""

FUNCTIONAL = r"""
A.jacobian(lambda x: x ** 2, torch.tensor([1.0, 2.0]))

A.jacobian(lambda x: x ** 2, V(1, 2), create_graph=True)

A.jacobian(lambda x, y: x * y, (torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])))

A.jacobian(lambda x: (x, x * 2), torch.tensor([1.0, 2.0]))

A.jacobian(lambda x: x.sum(), torch.ones(2, 2))

A.jacobian(lambda x: torch.ones(2), torch.ones(2))

A.jacobian(lambda x: torch.ones(2), torch.ones(2), strict=True)

A.jacobian(lambda x, y: x * 2, (torch.ones(2), torch.ones(2)))

A.jacobian(lambda x, y: x * 2, (torch.ones(2), torch.ones(2)), strict=True)

A.jacobian(lambda x: x * 2, torch.ones(2), create_graph=True, strict=True)

A.jacobian(lambda x: x, 3)

A.jacobian(lambda x: x, (torch.ones(1), 3))

A.jacobian(lambda x: 3, torch.ones(1))

A.jacobian(lambda x: (x, 3), torch.ones(1))

A.jacobian(lambda x: x, torch.ones(1), strategy="sideways")

A.jacobian(lambda x: x ** 2, torch.tensor([1.0, 2.0]), vectorize=True)

A.jacobian(lambda x: x ** 2, torch.ones(2), vectorize=True, strict=True)

A.jacobian(lambda x: x ** 2, torch.ones(2), strategy="forward-mode")

A.jacobian(lambda x: x * 2j, torch.ones(2, dtype=torch.complex64))

A.jacobian(lambda x: x.double() * 2, torch.ones(2))

A.hessian(lambda x: (x ** 3).sum(), torch.tensor([1.0, 2.0]))

A.hessian(lambda x, y: (x * y ** 2).sum(), (torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])))

A.hessian(lambda x: (x ** 3).sum(), V(1, 2), create_graph=True)

A.hessian(lambda x: x ** 3, torch.ones(2))

A.hessian(lambda x: (x.sum(), x.sum()), torch.ones(2))

A.hessian(lambda x: x.sum(), torch.ones(2))

A.hessian(lambda x: x.sum(), torch.ones(2), strict=True)

A.hessian(lambda x: (x ** 2).sum(), torch.ones(2, 1))

A.hessian(lambda x: 3, torch.ones(2))

A.hessian(lambda x: (x ** 2).sum(), torch.ones(2), outer_jacobian_strategy="sideways")

A.vjp(lambda x: x ** 2, torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))

A.vjp(lambda x: (x ** 2).sum(), torch.tensor([1.0, 2.0]))

A.vjp(lambda x, y: x * y, (torch.ones(2), torch.ones(2)), torch.ones(2))

A.vjp(lambda x: (x, x * 2), torch.ones(2), (torch.ones(2), torch.ones(2)))

A.vjp(lambda x: x ** 2, torch.ones(2))

A.vjp(lambda x: x ** 2, torch.ones(2), torch.ones(3))

A.vjp(lambda x: x ** 2, torch.ones(2), (torch.ones(2), torch.ones(2)))

A.vjp(lambda x: (x, x), torch.ones(2), (torch.ones(2),))

A.vjp(lambda x: x ** 2, torch.ones(2), 3)

A.vjp(lambda x: x ** 2, V(1, 2), torch.ones(2), create_graph=True)

A.vjp(lambda x: torch.ones(2), torch.ones(2), torch.ones(2), strict=True)

A.jvp(lambda x: x ** 2, torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))

A.jvp(lambda x: x * 2, torch.tensor(3.0))

A.jvp(lambda x, y: (x * y, x + y), (torch.ones(2), torch.ones(2)), (torch.ones(2), torch.zeros(2)))

A.jvp(lambda x: x ** 2, torch.ones(2))

A.jvp(lambda x: x ** 2, torch.ones(2), torch.ones(3))

A.jvp(lambda x: x ** 2, torch.ones(2), strict=True)

A.jvp(lambda x: torch.ones(2), torch.ones(2), torch.ones(2), strict=True)

A.jvp(lambda x: x ** 2, V(1, 2), torch.ones(2), create_graph=True)

A.vhp(lambda x: (x ** 3).sum(), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))

A.vhp(lambda x, y: (x * y).sum(), (torch.ones(2), torch.ones(2)), (torch.ones(2), torch.zeros(2)))

A.vhp(lambda x: x ** 3, torch.ones(2), torch.ones(2))

A.vhp(lambda x: (x.sum(), x.sum()), torch.ones(2), torch.ones(2))

A.vhp(lambda x: (x ** 3).sum(), torch.ones(2))

A.vhp(lambda x: (x ** 3).sum(), torch.ones(2), torch.ones(3))

A.vhp(lambda x: x.sum(), torch.ones(2), torch.ones(2), strict=True)

A.hvp(lambda x: (x ** 3).sum(), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))

A.hvp(lambda x, y: (x * y).sum(), (torch.ones(2), torch.ones(2)), (torch.ones(2), torch.zeros(2)))

A.hvp(lambda x: x.sum(), torch.ones(2), torch.ones(2), strict=True)

A.hvp(lambda x: x ** 3, torch.ones(2), torch.ones(2))

A.hvp(lambda x: (x ** 3).sum(), V(1, 2), torch.ones(2), create_graph=True)
"""

GRADCHECK = r"""
G.gradcheck(lambda x: x ** 2, D(1, 2))

G.gradcheck(lambda x: x ** 2, (D(1, 2),))

G.gradcheck(lambda x, y: (x * y, x + y), (D(1, 2), D(3, 4)))

G.gradcheck(lambda x: x ** 2, R(2))

G.gradcheck(lambda x: x ** 2, torch.ones(2, dtype=torch.float64))

G.gradcheck(lambda x: x.detach() * 2, D(1, 2))

G.gradcheck(lambda x: x * 2, D(1, 2), eps=1e-3)

G.gradcheck(lambda x: x.double() * 2, R(2), eps=1e-2, atol=1e-2)

G.gradcheck(Wrong.apply, D(1, 2), raise_exception=False)

G.gradcheck(Wrong.apply, D(1, 2))

G.gradcheck(lambda x: x.expand(3, 2), D(1, 2))

G.gradcheck(lambda x: x, torch.ones(1, dtype=torch.float64, requires_grad=True).expand(3))

G.gradcheck(lambda x: x.sum(), D(1, 2), fast_mode=True)

G.gradcheck(lambda x, n: x * n, (D(1, 2), 3))

G.gradcheck(lambda x: torch.view_as_complex(torch.stack([x, x], -1)), D(1, 2))

G.gradcheck(lambda x: x.abs(), torch.tensor([1 + 2j], dtype=torch.complex128, requires_grad=True))

G.gradcheck(lambda x: x ** 2, D(1, 2), nondet_tol=1e-5, check_undefined_grad=False)

G.gradgradcheck(lambda x: x ** 3, D(1, 2))

G.gradgradcheck(lambda x: x ** 3, D(1, 2), D(1, 1))

G.gradgradcheck(lambda x, y: x * y, (D(1, 2), D(3, 4)), gen_non_contig_grad_outputs=True)

G.gradgradcheck(Wrong.apply, D(1, 2), raise_exception=False)

G.gradgradcheck(lambda x: x * 2, D(1, 2), fast_mode=True)

G.GradcheckError.__mro__[1].__name__
"""


def namespace(torch):
    import importlib

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x * 3

    checks = importlib.import_module(f"{torch.__name__}.autograd.gradcheck")
    return {"A": torch.autograd.functional, "G": checks, "Wrong": Wrong}


def blocks(text):
    return [b for b in text.strip("\n").split("\n\n") if b.strip()]


CASES = [b for part in (FUNCTIONAL, GRADCHECK) for b in blocks(part)]
