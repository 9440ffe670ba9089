"""Derivatives of functions: products with vectors, Jacobians and Hessians."""

import flambeau

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def _tuple_of(value, what, function):
    """``(whether it was a tuple, the tuple)``; anything but tensors is refused."""
    is_tuple = isinstance(value, tuple)
    values = value if is_tuple else (value,)
    for i, v in enumerate(values):
        if not isinstance(v, flambeau.Tensor):
            if is_tuple:
                raise TypeError(
                    f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but the "
                    f"value at index {i} has type {type(v)}."
                )
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but the given "
                f"{what} has type {type(v)}."
            )
    return is_tuple, values


def _outputs_of(value, function):
    return _tuple_of(value, "outputs of the user-provided function", function)


def _unwrap(values, is_tuple):
    return values if is_tuple else values[0]


def _prepare(inputs, create_graph):
    """Inputs that gradients are asked for: linked to the user's graph only if that is wanted."""
    made = []
    for x in inputs:
        if create_graph:
            made.append(x.view_as(x) if x.requires_grad else x.clone().requires_grad_())
        else:
            made.append(x.detach().requires_grad_())
    return tuple(made)


def _release(values, create_graph):
    if create_graph:
        return values
    return tuple(_release(v, False) if isinstance(v, tuple) else v.detach() for v in values)


def _check_vector(v, other, is_tuple):
    if len(other) != len(v):
        if is_tuple:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(other)} but got {len(v)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (one, ref) in enumerate(zip(v, other)):
        if one.shape != ref.shape:
            prefix = f"Entry {i} in " if is_tuple else ""
            raise RuntimeError(f"{prefix}v has invalid size: should be {ref.size()} but got {one.size()}.")


def _grads(outputs, inputs, seeds=None, create_graph=False):
    """As ``autograd.grad``, with None everywhere for outputs that nothing leads to."""
    seeds = (None,) * len(outputs) if seeds is None else seeds
    pairs = [(y, s) for y, s in zip(outputs, seeds) if y is not None and y.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    ys, ss = zip(*pairs)
    return flambeau.autograd.grad(
        ys, inputs, ss, retain_graph=True, create_graph=create_graph, allow_unused=True
    )


def _require_grad(outputs, strict):
    if strict:
        for i, y in enumerate(outputs):
            if not y.requires_grad:
                raise RuntimeError(
                    f"Output {i} of the user-provided function does not require gradients. The outputs must "
                    "be computed in a differentiable manner from the input when running in strict mode."
                )


def _require_dependence(jacobians, strict):
    if strict:
        for i, j in enumerate(jacobians):
            if not j.requires_grad:
                raise RuntimeError(
                    "While computing the hessian, found that the jacobian of the user-provided function with "
                    f"respect to input {i} is independent of the input. This is not allowed in strict "
                    f"mode. You "
                    "should ensure that your function is twice differentiable and that the jacobian "
                    "depends on the "
                    "inputs (this would be violated by a linear function for example)."
                )


def _zeros_for(grads, refs, strict):
    """None becomes zeros; in strict mode that is an error."""
    made = []
    for i, (g, ref) in enumerate(zip(grads, refs)):
        if g is None:
            if strict:
                raise RuntimeError(
                    f"The output of the user-provided function is independent of input {i}. This is not "
                    "allowed in strict mode."
                )
            g = flambeau.zeros_like(ref)
        made.append(g)
    return tuple(made)


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """``(func(inputs), v^T J)``: the product of a vector with the Jacobian.

    ``v`` has the shapes of the outputs; it may be left out for a single number. In strict mode outputs that
    do not depend on the inputs are an error.
    """
    with flambeau.enable_grad():
        is_inputs_tuple, inputs = _tuple_of(inputs, "inputs", "vjp")
        inputs = _prepare(inputs, create_graph)
        is_outputs_tuple, outputs = _outputs_of(func(*inputs), "vjp")
        _require_grad(outputs, strict)
        if v is not None:
            _, v = _tuple_of(v, "v", "vjp")
            _check_vector(v, outputs, is_outputs_tuple)
        elif len(outputs) != 1 or outputs[0].nelement() != 1:
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns a single Tensor with a "
                "single element."
            )
        found = _zeros_for(_grads(outputs, inputs, v, create_graph), inputs, strict)
    return (
        _unwrap(_release(outputs, create_graph), is_outputs_tuple),
        _unwrap(_release(found, create_graph), is_inputs_tuple),
    )


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """``(func(inputs), J v)``: the product of the Jacobian with a vector, by differentiating twice.

    ``v`` has the shapes of the inputs; it may be left out for a single number.
    """
    with flambeau.enable_grad():
        is_inputs_tuple, inputs = _tuple_of(inputs, "inputs", "jvp")
        inputs = _prepare(inputs, create_graph)
        if v is not None:
            _, v = _tuple_of(v, "v", "jvp")
            _check_vector(v, inputs, is_inputs_tuple)
        elif len(inputs) != 1 or inputs[0].nelement() != 1:
            raise RuntimeError(
                "The vector v can only be None if the input to the user-provided function is a single Tensor "
                "with a single element."
            )
        else:
            v = (flambeau.ones_like(inputs[0]),)
        is_outputs_tuple, outputs = _outputs_of(func(*inputs), "jvp")
        _require_grad(outputs, strict)
        # The backward pass is linear in what it starts with: its gradient is the forward product.
        seeds = tuple(flambeau.zeros_like(y, requires_grad=True) for y in outputs)
        backward = _zeros_for(_grads(outputs, inputs, seeds, True), inputs, strict)
        found = _zeros_for(_grads(backward, seeds, v, create_graph), outputs, False)
    return (
        _unwrap(_release(outputs, create_graph), is_outputs_tuple),
        _unwrap(_release(found, create_graph), is_outputs_tuple),
    )


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """The Jacobian of ``func``: of the output's shape followed by the input's.

    For tuples of inputs or outputs, tuples of Jacobians: one per output, of one per input. ``vectorize`` and
    ``strategy`` choose how PyTorch computes it; the result is the same.
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has '
            'more outputs than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use '
            '"reverse-mode".'
        )
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for "
            "`vectorize=True`."
        )
    if vectorize and strict:
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not "
            "supported together. "
            "Please either set `strict=False` or `vectorize=False`."
        )
    with flambeau.enable_grad():
        is_inputs_tuple, inputs = _tuple_of(inputs, "inputs", "jacobian")
        inputs = _prepare(inputs, create_graph)
        is_outputs_tuple, outputs = _outputs_of(func(*inputs), "jacobian")
        _require_grad(outputs, strict)
        found = []
        for i, y in enumerate(outputs):
            rows = [[] for _ in inputs]
            for element in y.reshape(-1):
                grads = _grads((element,), inputs, None, create_graph)
                for k, (row, x, g) in enumerate(zip(rows, inputs, grads)):
                    if g is None:
                        if strict:
                            raise RuntimeError(
                                f"Output {i} of the user-provided function is independent of input {k}. This "
                                "is not allowed in strict mode."
                            )
                        g = flambeau.zeros_like(x)
                    elif strict and create_graph and not g.requires_grad:
                        raise RuntimeError(
                            "The jacobian of the user-provided function is independent of "
                            f"input {k}. This is not allowed in strict mode when create_graph=True."
                        )
                    row.append(g)
            found.append(
                tuple(
                    flambeau.stack(row).reshape(tuple(y.shape) + tuple(x.shape))
                    if row
                    else flambeau.zeros(tuple(y.shape) + tuple(x.shape), dtype=x.dtype)
                    for row, x in zip(rows, inputs)
                )
            )
        found = _release(tuple(found), create_graph)
    return _unwrap(tuple(_unwrap(one, is_inputs_tuple) for one in found), is_outputs_tuple)


def _single_output(func, function):
    def checked(*inputs):
        out = func(*inputs)
        is_tuple, values = _outputs_of(out, function)
        if is_tuple:
            raise RuntimeError(f"The function given to {function} should return a single Tensor")
        if values[0].nelement() != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {function} should contain a single element"
            )
        return values[0].squeeze()

    return checked


def hessian(
    func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"
):
    """The matrix of second derivatives of ``func``, which returns a single number.

    For a tuple of inputs, a tuple of tuples: block ``[i][j]`` is by input i and input j.
    """
    is_inputs_tuple, inputs = _tuple_of(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')
    single = _single_output(func, "hessian")

    def first(*xs):
        found = jacobian(single, xs, create_graph=True)
        _require_dependence(found, strict)
        return found

    found = jacobian(first, inputs, create_graph=create_graph, strict=strict)
    if not isinstance(found[0], tuple):
        found = (found,)
    return _unwrap(tuple(_unwrap(row, is_inputs_tuple) for row in found), is_inputs_tuple)


def _second_order(func, inputs, v, create_graph, function):
    is_inputs_tuple, inputs = _tuple_of(inputs, "inputs", function)
    inputs = _prepare(inputs, create_graph)
    if v is not None:
        _, v = _tuple_of(v, "v", function)
        _check_vector(v, inputs, is_inputs_tuple)
    elif len(inputs) != 1 or inputs[0].nelement() != 1:
        raise RuntimeError(
            "The vector v can only be None if the input to the user-provided function is a single Tensor "
            "with a single element."
        )
    else:
        v = (flambeau.ones_like(inputs[0]),)
    output = func(*inputs)
    is_outputs_tuple, outputs = _outputs_of(output, function)
    if is_outputs_tuple or outputs[0].nelement() != 1:
        raise RuntimeError(
            f"The function given to {function} should return a single Tensor"
            if is_outputs_tuple
            else f"The Tensor returned by the function given to {function} should contain a single element"
        )
    return is_inputs_tuple, inputs, v, outputs


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """``(func(inputs), v^T H)``: the product of a vector with the Hessian. One pass less than
    :func:`hvp`."""
    with flambeau.enable_grad():
        is_tuple, inputs, v, outputs = _second_order(func, inputs, v, create_graph, "vhp")
        _require_grad(outputs, strict)
        first = _zeros_for(_grads(outputs, inputs, None, True), inputs, strict)
        _require_dependence(first, strict)
        found = _zeros_for(_grads(first, inputs, v, create_graph), inputs, strict)
    return _release(outputs, create_graph)[0], _unwrap(_release(found, create_graph), is_tuple)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """``(func(inputs), H v)``: the product of the Hessian with a vector."""
    with flambeau.enable_grad():
        is_tuple, inputs, v, outputs = _second_order(func, inputs, v, create_graph, "hvp")
        _require_grad(outputs, strict)
        first = _zeros_for(_grads(outputs, inputs, None, True), inputs, strict)
        _require_dependence(first, strict)
        seeds = tuple(flambeau.zeros_like(x, requires_grad=True) for x in inputs)
        second = _zeros_for(_grads(first, inputs, seeds, True), inputs, strict)
        found = _zeros_for(_grads(second, seeds, v, create_graph), inputs, strict)
    return _release(outputs, create_graph)[0], _unwrap(_release(found, create_graph), is_tuple)
