"""Gradients against finite differences."""

import itertools
import warnings

import flambeau

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """Raised by :func:`gradcheck` and :func:`gradgradcheck` when a gradient is wrong."""


def _as_tuple(value):
    if isinstance(value, tuple):
        return value
    return tuple(value) if isinstance(value, list) else (value,)


def _differentiable(value):
    return isinstance(value, flambeau.Tensor) and (value.dtype.is_floating_point or value.dtype.is_complex)


def _check_inputs(inputs):
    found = False
    for i, x in enumerate(inputs):
        if not (_differentiable(x) and x.requires_grad):
            continue
        found = True
        if x.dtype not in (flambeau.float64, flambeau.complex128):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This "
                "check "
                "will likely fail if all the inputs are not of double precision floating point or complex. ",
                stacklevel=4,
            )
        if any(size > 1 and step == 0 for size, step in zip(x.shape, x.stride())):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call "
                ".contiguous on the input before passing it to gradcheck."
            )
    if not found:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have "
            "requires_grad=True."
        )


def _parts(output):
    """An output as real-valued functions of it: (name for messages, the function, the seed of its
    gradient)."""
    if output.dtype.is_complex:
        return [
            ("While considering the real part of complex outputs only, ", flambeau.real, 1.0),
            ("While considering the imaginary part of complex outputs only, ", flambeau.imag, 1j),
        ]
    return [("", lambda y: y, 1.0)]


def _numerical(call, x, eps):
    """For each differentiable output the Jacobian with respect to ``x``, one row per element of ``x``.

    Complex outputs give two, for the real and the imaginary part; elements of a complex ``x`` give the
    derivative by the real part plus i times that by the imaginary part.
    """
    memory = x.data
    directions = (eps, eps * 1j) if x.dtype.is_complex else (eps,)
    rows = None
    for index in itertools.product(*(range(n) for n in x.shape)):
        columns = None
        for step, unit in zip(directions, (1, 1j)):
            original = memory[index].clone()
            try:
                memory[index] = original + step
                above = call()
                memory[index] = original - step
                below = call()
            finally:
                memory[index] = original
            slopes = [(a - b) / (2 * eps) * unit for a, b in zip(above, below)]
            columns = slopes if columns is None else [c + s for c, s in zip(columns, slopes)]
        if rows is None:
            rows = [[] for _ in columns]
        for row, column in zip(rows, columns):
            row.append(column)
    return rows


def _stack(rows, count, dtype):
    if not rows:
        return flambeau.zeros(0, count, dtype=dtype)
    return flambeau.stack([row.reshape(-1).to(dtype) for row in rows])


def _analytical(output, seed, inputs):
    """The Jacobians of ``output`` with respect to each of ``inputs``, one row per element of the input."""
    columns = [[] for _ in inputs]
    basis = flambeau.zeros_like(output)
    flat = basis.reshape(-1)
    for k in range(flat.numel()):
        flat.zero_()
        flat[k] = seed
        grads = flambeau.autograd.grad(
            output, inputs, flat.clone().reshape(output.shape), retain_graph=True, allow_unused=True
        )
        for column, x, g in zip(columns, inputs, grads):
            if g is None:
                g = flambeau.zeros_like(x)
            if g.shape != x.shape:
                raise GradcheckError("grad is incorrect size")
            if g.dtype != x.dtype:
                raise GradcheckError("grad is incorrect type")
            column.append(g.detach().reshape(-1).clone())
    made = []
    for column, x in zip(columns, inputs):
        if column:
            made.append(flambeau.stack(column, 1))
        else:
            made.append(flambeau.zeros(x.numel(), 0, dtype=x.dtype))
    return made


def _check(func, inputs, eps, atol, rtol, nondet_tol):
    wanted = [(i, x) for i, x in enumerate(inputs) if _differentiable(x) and x.requires_grad]
    outputs = _as_tuple(func(*inputs))
    places = [i for i, y in enumerate(outputs) if _differentiable(y) and y.requires_grad]

    def call(which):
        with flambeau.no_grad():
            ys = _as_tuple(func(*inputs))
            return [part(ys[i]).detach().clone() for i in which for _, part, _ in _parts(ys[i])]

    if not places:
        floating = [i for i, y in enumerate(outputs) if _differentiable(y)]
        for _, x in wanted:
            for rows in _numerical(lambda: call(floating), x, eps) or []:
                if any(bool((row != 0).any()) for row in rows):
                    raise GradcheckError("Numerical gradient for function expected to be zero")
        return

    numerical = [_numerical(lambda: call(places), x, eps) for _, x in wanted]
    xs = [x for _, x in wanted]
    slot = 0
    for i in places:
        for note, _, seed in _parts(outputs[i]):
            analytical = _analytical(outputs[i], seed, xs)
            again = _analytical(outputs[i], seed, xs)
            for (j, x), rows, a, b in zip(wanted, numerical, analytical, again):
                n = _stack(rows[slot] if rows else [], outputs[i].numel(), a.dtype)
                if a.shape != n.shape or not flambeau.allclose(a, n, rtol, atol):
                    raise GradcheckError(
                        f"{note}Jacobian mismatch for output {i} with respect to input {j},\n"
                        f"numerical:{n}\nanalytical:{a}\n"
                    )
                if a.numel() and float((a - b).abs().max()) > nondet_tol:
                    raise GradcheckError(
                        "Backward is not reentrant, i.e., running backward with same input and grad_output "
                        "multiple "
                        "times gives different values, although analytical gradient matches numerical "
                        "gradient."
                        f"The tolerance for nondeterminism was {nondet_tol}."
                    )
            slot += 1


def gradcheck(
    func,
    inputs,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_batched_forward_grad=False,
    check_forward_ad=False,
    check_backward_ad=True,
    fast_mode=False,
    masked=None,
):
    """Compares gradients with central finite differences; True when they agree.

    Args:
        func: from tensors to a tensor or a tuple of tensors.
        inputs: a tensor or a tuple; those that require a gradient should be float64 or complex128.
        eps: half the distance of the differences.
        atol, rtol: tolerances of the comparison.
        raise_exception: with False a mismatch gives False instead of :class:`GradcheckError`.
        nondet_tol: by how much two backward passes may differ.

    Forward mode and batched gradients are refused. ``fast_mode`` runs the full check;
    ``check_undefined_grad``, ``check_grad_dtypes`` and ``masked`` change nothing: dtypes are always checked.
    """
    if check_forward_ad or check_batched_forward_grad:
        raise NotImplementedError("gradcheck: forward-mode differentiation is not there yet")
    if check_batched_grad:
        raise NotImplementedError("gradcheck: check_batched_grad needs vmap, which is not there yet")
    inputs = _as_tuple(inputs)
    try:
        _check_inputs(inputs)
        if check_backward_ad:
            with flambeau.enable_grad():
                _check(func, inputs, eps, atol, rtol, nondet_tol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    gen_non_contig_grad_outputs=False,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_fwd_over_rev=False,
    check_rev_over_rev=True,
    fast_mode=False,
    masked=False,
):
    """As :func:`gradcheck`, for the gradients of ``func``: with respect to ``inputs`` and ``grad_outputs``.

    ``grad_outputs`` are drawn at random unless given.
    """
    if check_fwd_over_rev:
        raise NotImplementedError("gradgradcheck: forward-mode differentiation is not there yet")
    inputs = _as_tuple(inputs)
    if grad_outputs is None:
        outputs = [y for y in _as_tuple(func(*inputs)) if _differentiable(y) and y.requires_grad]
        seeds = []
        for y in outputs:
            dtype = flambeau.complex128 if y.dtype.is_complex else flambeau.float64
            seed = flambeau.testing.make_tensor(y.shape, dtype=dtype, device=y.device, low=-1, high=1)
            if gen_non_contig_grad_outputs and seed.dim():
                seed = flambeau.stack([seed, seed], -1).select(-1, 0)
            seeds.append(seed.requires_grad_())
        grad_outputs = tuple(seeds)
    else:
        grad_outputs = _as_tuple(grad_outputs)
    count = len(grad_outputs)

    def gradients(*args):
        xs, seeds = args[: len(args) - count], args[len(args) - count :]
        wanted = tuple(x for x in xs if _differentiable(x) and x.requires_grad)
        with flambeau.enable_grad():
            ys = tuple(y for y in _as_tuple(func(*xs)) if _differentiable(y) and y.requires_grad)
            grads = flambeau.autograd.grad(ys, wanted, seeds, create_graph=True, allow_unused=True)
        return tuple(g for g in grads if g is not None)

    return gradcheck(
        gradients,
        inputs + grad_outputs,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        fast_mode=fast_mode,
    )
