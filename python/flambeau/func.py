"""Function transforms: gradients, Jacobians and batches of functions, under PyTorch's ``torch.func`` names.

A transformed function records its own graph of what the function computes on fresh inputs and differentiates
it; nesting records graphs of gradients. ``jvp`` and ``jacfwd`` differentiate backwards twice, since there is
no forward mode: what they are given must be twice differentiable. ``vmap`` calls the function once for each
element of the batch.
"""

import functools

import flambeau

from .nn.utils.stateless import functional_call as _functional_call

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "vjp",
    "vmap",
]

Tensor = flambeau.Tensor


def _flatten(tree):
    """The leaves of nested tuples, lists and dicts, and a function that puts other leaves in their places."""
    if isinstance(tree, dict):
        keys, values = list(tree), list(tree.values())
    elif isinstance(tree, (tuple, list)):
        keys, values = None, list(tree)
    else:
        return [tree], lambda leaves: leaves[0]
    parts = [_flatten(v) for v in values]

    def build(leaves):
        made, at = [], 0
        for own, rebuild in parts:
            made.append(rebuild(leaves[at : at + len(own)]))
            at += len(own)
        if keys is not None:
            return type(tree)(zip(keys, made))
        return type(tree)(*made) if hasattr(tree, "_fields") else type(tree)(made)

    return [leaf for own, _ in parts for leaf in own], build


def _map(fn, tree):
    leaves, build = _flatten(tree)
    return build([fn(leaf) for leaf in leaves])


def _same_structure(a, b):
    if isinstance(a, (tuple, list, dict)) or isinstance(b, (tuple, list, dict)):
        if type(a) is not type(b) or len(a) != len(b):
            return False
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(_same_structure(a[k], b[k]) for k in a)
        return all(map(_same_structure, a, b))
    return True


class _Level:
    """One transform's inputs, and whether what it computes depends on anything outside."""

    def __init__(self):
        self.outside = flambeau.is_grad_enabled()
        self.leaves = set()
        self.inputs = []

    def fresh(self, x):
        """An input of this level: connected to the level around it, if there is one."""
        if not isinstance(x, Tensor):
            return x
        if self.outside and x.requires_grad:
            y = x.view_as(x)
        else:
            y = x.detach().requires_grad_()
            self.leaves.add(id(y))
        self.inputs.append(y)
        return y

    def reaches_out(self, *tensors):
        """Whether the graph behind the tensors leads to leaves that are not this level's."""
        if not self.outside:
            return False
        seen, todo = set(), [t.grad_fn for t in tensors if t.grad_fn is not None]
        if any(t.is_leaf and t.requires_grad and id(t) not in self.leaves for t in tensors):
            return True
        while todo:
            node = todo.pop()
            if node in seen:
                continue
            seen.add(node)
            variable = getattr(node, "variable", None)
            if variable is not None and id(variable) not in self.leaves:
                return True
            todo.extend(next_node for next_node, _ in node.next_functions if next_node is not None)
        return False

    def released(self, tree, keep):
        """A result as the level around sees it."""
        return tree if keep else _map(lambda t: t.detach() if isinstance(t, Tensor) else t, tree)


def _argnums(argnums, args):
    """The chosen arguments' positions. RuntimeError for those that are not there."""

    def checked(n):
        if not isinstance(n, int):
            raise RuntimeError(f"argnum must be int, got: {type(n)}")
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
        return n % len(args)

    if isinstance(argnums, int):
        return [checked(argnums)]
    if not isinstance(argnums, tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    if not argnums:
        raise RuntimeError("argnums must be non-empty")
    found = [checked(n) for n in argnums]
    if len(set(found)) != len(found):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return found


def _tensors(tree):
    leaves = _flatten(tree)[0]
    for x in leaves:
        if not isinstance(x, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
    return leaves


def _gradients(outputs, inputs, cotangents=None, retain_graph=None, create_graph=False):
    """Gradients, zeros where an input has no influence."""
    wanted = [i for i, y in enumerate(outputs) if y.requires_grad]
    if not wanted:
        return [flambeau.zeros_like(x) for x in inputs]
    found = flambeau.autograd.grad(
        [outputs[i] for i in wanted],
        inputs,
        None if cotangents is None else [cotangents[i] for i in wanted],
        retain_graph=retain_graph,
        create_graph=create_graph,
        allow_unused=True,
    )
    return [flambeau.zeros_like(x) if g is None else g for x, g in zip(inputs, found)]


def _with_aux(result, has_aux, name):
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(
            f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    return result


def grad_and_value(func, argnums=0, has_aux=False):
    """A function that gives the gradient of a scalar function and its value.

    Args:
        func (Callable): returns a tensor of one element without dimensions; with ``has_aux`` a pair of it and
            anything.
        argnums (int or tuple of int): by which arguments to differentiate; they may be nested containers of
            tensors.
        has_aux (bool): the value is then a pair too.
    """

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        level = _Level()
        positions = _argnums(argnums, args)
        args = list(args)
        with flambeau.enable_grad():
            for i in positions:
                _tensors(args[i])
                args[i] = _map(level.fresh, args[i])
            name = "grad_and_value(f)(*args)"
            output, aux = _with_aux(func(*args, **kwargs), has_aux, name)
            if not isinstance(output, Tensor):
                raise RuntimeError(f"{name}: Expected f(*args) to return a Tensor, got {type(output)}")
            if output.dim() != 0:
                raise RuntimeError(
                    f"{name}: Expected f(*args) to return a scalar Tensor, got tensor with {output.dim()} "
                    "dims. Maybe you "
                    "wanted to use the vjp or jacrev APIs instead?"
                )
            keep = level.reaches_out(output)
            found = iter(_gradients([output], level.inputs, create_graph=keep))
            grads = tuple(_map(lambda _: next(found), args[i]) for i in positions)
        grads, output, aux = level.released((grads, output, aux), keep)
        if isinstance(argnums, int):
            grads = grads[0]
        return (grads, (output, aux)) if has_aux else (grads, output)

    return wrapper


def grad(func, argnums=0, has_aux=False):
    """A function that gives the gradient of a scalar function; with ``has_aux`` a pair of it and the
    auxiliary value.

    See :func:`grad_and_value` for the arguments.
    """

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        grads, value = grad_and_value(func, argnums, has_aux)(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return wrapper


def vjp(func, *primals, has_aux=False):
    """``func(*primals)`` and a function from cotangents of the output to those of the primals.

    With ``has_aux``, ``func`` returns a pair of the output and anything; the latter is then the third result.
    """
    level = _Level()
    _tensors(primals)
    with flambeau.enable_grad():
        inputs = _map(level.fresh, primals)
        output, aux = _with_aux(func(*inputs), has_aux, "vjp(f, *primals)")
    outputs = _flatten(output)[0]
    for y in outputs:
        if not isinstance(y, Tensor):
            raise RuntimeError(
                "vjp(f, *primals): expected f(*primals) to return only tensors, got unsupported type "
                f"{type(y)}"
            )
        if not (y.is_floating_point() or y.is_complex()):
            raise RuntimeError(
                "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with "
                "dtype "
                f"{y.dtype}"
            )
    keep = level.reaches_out(*outputs)

    def wrapper(cotangents, retain_graph=True, create_graph=None):
        if create_graph is None:
            create_graph = flambeau.is_grad_enabled()
        if not _same_structure(cotangents, output):
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to "
                "the function. "
                f"cotangents: {cotangents}, primal output: {output}"
            )
        given = _flatten(cotangents)[0]
        graph = create_graph and (keep or any(c.requires_grad for c in given))
        found = iter(_gradients(outputs, level.inputs, given, retain_graph, graph))
        result = _map(lambda _: next(found), inputs)
        return result

    shown, aux = level.released((output, aux), keep)
    return (shown, wrapper, aux) if has_aux else (shown, wrapper)


def _linear(func, primals, has_aux=False):
    """The output, the auxiliary value, and a function from tangents to the output's: the gradient of a
    gradient."""
    level = _Level()
    with flambeau.enable_grad():
        inputs = _map(level.fresh, primals)
        output, aux = _with_aux(func(*inputs), has_aux, "jvp(f, primals, tangents)")
        outputs, build = _flatten(output)
        for y in outputs:
            if not isinstance(y, Tensor):
                raise RuntimeError(
                    "jvp(f, primals, tangents): expected f(*args) to return only tensors, got unsupported "
                    f"type {type(y)}"
                )
        # Gradients are linear in these cotangents.
        dummies = [flambeau.zeros_like(y, requires_grad=True) for y in outputs]
        level.leaves.update(map(id, dummies))
        grads = _gradients(outputs, level.inputs, dummies, create_graph=True)
    keep = level.reaches_out(*outputs)

    def push(tangents):
        graph = flambeau.is_grad_enabled() and (keep or any(t.requires_grad for t in tangents))
        return build(_gradients(grads, dummies, tangents, retain_graph=True, create_graph=graph))

    output, aux = level.released((output, aux), keep)
    return output, aux, push


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """``func(*primals)`` and how it moves with the primals along ``tangents``.

    Args:
        func (Callable): of tensors.
        primals, tangents (tuple): of the same structure and shapes.
        strict (bool): RuntimeError if the output does not depend on the inputs.
        has_aux (bool): ``func`` returns a pair of the output and anything; the latter is the third result.
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals to be a tuple. E.g. it should be valid to call "
            "f(*primals)."
        )
    if not _same_structure(primals, tangents):
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals and tangents to have the same python structure. For "
            "example, if "
            "primals is a tuple of 3 tensors, tangents also must be. "
            f"Got primals with structure {primals} and tangents with structure {tangents}"
        )
    output, aux, push = _linear(func, primals, has_aux)
    moved = push(_flatten(tangents)[0])
    return (output, moved, aux) if has_aux else (output, moved)


def linearize(func, *primals):
    """``func(*primals)`` and the function's linear part there: from tangents of the primals to that of the
    output."""
    output, _, push = _linear(func, primals)

    def jvp_fn(*tangents):
        if not _same_structure(tangents, primals):
            raise RuntimeError(
                f"Expected the tangents {tangents} to have the same argspec as the primals {primals}"
            )
        return push(_flatten(tangents)[0])

    return output, jvp_fn


def _jacobian(func, argnums, has_aux):
    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        level = _Level()
        positions = _argnums(argnums, args)
        args = list(args)
        with flambeau.enable_grad():
            for i in positions:
                _tensors(args[i])
                args[i] = _map(level.fresh, args[i])
            output, aux = _with_aux(func(*args, **kwargs), has_aux, "vjp(f, *primals)")
            outputs, build = _flatten(output)
            keep = level.reaches_out(*outputs)
            blocks = []
            for y in outputs:
                rows = []
                for k in range(y.numel()):
                    one = flambeau.zeros(y.numel(), dtype=y.dtype, device=y.device)
                    one[k] = 1
                    rows.append(
                        _gradients([y], level.inputs, [one.view_as(y)], retain_graph=True, create_graph=keep)
                    )
                jacobians = iter(
                    flambeau.stack([row[j] for row in rows]).reshape(y.shape + x.shape)
                    if rows
                    else x.new_zeros(y.shape + x.shape)
                    for j, x in enumerate(level.inputs)
                )
                per_argument = tuple(_map(lambda _: next(jacobians), args[i]) for i in positions)
                blocks.append(per_argument[0] if isinstance(argnums, int) else per_argument)
        result, aux = level.released((build(blocks), aux), keep)
        return (result, aux) if has_aux else result

    return wrapper


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None, _preallocate_and_copy=False):
    """A function that gives the Jacobian: for each output and argument a tensor of both shapes joined.

    Args:
        func (Callable): of tensors, returning one or a container of them.
        argnums (int or tuple of int): by which arguments; a tuple gives a tuple for each output.
        has_aux (bool): ``func`` returns a pair of the output and anything, and so does the result.
        chunk_size (int): accepted; rows are computed one by one.
    """
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")
    return _jacobian(func, argnums, has_aux)


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """As :func:`jacrev`, and computed in the same way."""
    return _jacobian(func, argnums, has_aux)


def hessian(func, argnums=0):
    """A function that gives the Jacobian of the Jacobian."""
    return jacfwd(jacrev(func, argnums), argnums)


def functional_call(
    module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """Calls ``module`` with the given tensors in place of its own, which stay as they are.

    Args:
        module (Module): what to call.
        parameter_and_buffer_dicts (dict, or sequence of dict): tensors by dotted name.
        args: a tuple of positional arguments, or the only one.
        kwargs (dict): keyword arguments.
        tie_weights (bool): replace a shared tensor under all its names.
        strict (bool): every name must be given, and no other.
    """
    dicts = parameter_and_buffer_dicts
    if isinstance(dicts, dict):
        values = dicts
    elif isinstance(dicts, (list, tuple)):
        if not all(isinstance(d, dict) for d in dicts):
            raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
        names = [name for d in dicts for name in d]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise ValueError(
                f"{sorted(repeated)} appeared in multiple dictionaries; behavior of functional call is "
                "ambiguous"
            )
        values = {name: value for d in dicts for name, value in d.items()}
    else:
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(parameter_and_buffer_dicts)}"
        )
    return _functional_call(module, values, args, kwargs, tie_weights=tie_weights, strict=strict)


def stack_module_state(models):
    """The parameters and the buffers of models of one class, each stacked along a new first dimension: two
    dicts."""
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({model.training for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if len({type(model) for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")

    def stacked(name, tensors):
        if len({t.requires_grad for t in tensors}) > 1:
            raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
        with flambeau.no_grad():
            joined = flambeau.stack(tensors)
        return joined.requires_grad_(tensors[0].requires_grad)

    def table(named):
        return {name: stacked(name, [dict(named(m))[name] for m in models]) for name, _ in named(models[0])}

    return table(lambda m: m.named_parameters()), table(lambda m: m.named_buffers())


def _broadcast(dims, tree):
    """A dimension for each leaf, from a prefix of the tree; None if it does not fit."""
    if dims is None or isinstance(dims, int):
        return [dims] * len(_flatten(tree)[0])
    if not isinstance(dims, (tuple, list, dict)) or type(dims) is not type(tree) or len(dims) != len(tree):
        return None
    pairs = [(dims[k], tree[k]) for k in tree] if isinstance(tree, dict) else list(zip(dims, tree))
    parts = [_broadcast(d, t) for d, t in pairs]
    return None if any(p is None for p in parts) else [d for p in parts for d in p]


def _batch_dims(func, in_dims, args):
    """The mapped dimension of each leaf of the arguments, and the batch's size; ValueError as PyTorch's."""
    name = getattr(func, "__name__", repr(func))
    call = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{call}: expected `in_dims` to be int or a (potentially nested) tuple matching the structure of "
            "inputs, got: "
            f"{type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to "
            "vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    leaves, _ = _flatten(args)
    dims = _broadcast(in_dims, args)
    if dims is None:
        raise ValueError(f"{call}: in_dims is not compatible with the structure of `inputs`.")
    sizes = []
    for i, (x, dim) in enumerate(zip(leaves, dims)):
        if dim is None:
            continue
        if not isinstance(dim, int):
            raise ValueError(
                f"{call}: Got in_dim={dim} for an input but in_dim must be either an integer dimension or "
                "None."
            )
        if not isinstance(x, Tensor):
            raise ValueError(
                f"{call}: Got in_dim={dim} for an input but the input is of type {type(x)}. We cannot vmap "
                "over non-Tensor "
                "arguments, please use None as the respective in_dim"
            )
        if not -x.dim() <= dim < x.dim():
            raise ValueError(
                f"{call}: Got in_dim={dim} for some input, but that input is a Tensor of dimensionality "
                f"{x.dim()} so "
                f"expected in_dim to satisfy -{x.dim()} <= in_dim < {x.dim()}."
            )
        dims[i] = dim % x.dim()
        sizes.append(x.size(dim))
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return dims, sizes[0]


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """A function over batches, from one of single elements.

    The function is called for each element of the batch, in order, and the results are stacked. So it may do
    what tensors can do, data-dependent control flow included, and costs as many calls.

    Args:
        func (Callable): of tensors, returning one or a container of them.
        in_dims (int, None or nested tuple): the batch's dimension of each argument; None for those without
            one.
        out_dims (int, None or nested tuple): where the batch's dimension goes in each result.
        randomness (str): "error" refuses random operations inside; "same" draws the same numbers for each
            element; "different" goes on drawing.
        chunk_size (int): accepted; elements are computed one by one.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}"
        )
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapped(*args, **kwargs):
        name = getattr(func, "__name__", repr(func))
        dims, size = _batch_dims(func, in_dims, args)
        leaves, build = _flatten(args)
        kw_leaves, kw_build = _flatten(kwargs)  # tensors among keywords are mapped over dimension 0
        if size == 0:
            raise NotImplementedError(
                "vmap over an empty batch: the function is called for each element, and there is none"
            )
        state = flambeau.get_rng_state() if randomness != "different" else None
        rows = []
        for b in range(size):
            if randomness == "same":
                flambeau.set_rng_state(state)
            own = [x if d is None else x.select(d, b) for x, d in zip(leaves, dims)]
            own_kw = [x.select(0, b) if isinstance(x, Tensor) else x for x in kw_leaves]
            result = func(*build(own), **kw_build(own_kw))
            if randomness == "error" and not flambeau.equal(state, flambeau.get_rng_state()):
                raise RuntimeError(
                    "vmap: called random operation while in randomness error mode. Please either use the "
                    "'same' or "
                    "'different' randomness flags on vmap or perform the randomness operation out of vmap"
                )
            rows.append(result)
        places = _broadcast(out_dims, rows[0])
        if places is None:
            raise ValueError(
                f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the "
                "structure of "
                "`outputs`."
            )
        flat = [_flatten(row)[0] for row in rows]
        joined = []
        for j, place in enumerate(places):
            first = flat[0][j]
            if place is None:
                joined.append(first)
                continue
            if not isinstance(first, Tensor):
                raise ValueError(
                    f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(first)}. Did you "
                    "mean to set "
                    "out_dims= to None for output?"
                )
            joined.append(flambeau.stack([row[j] for row in flat], dim=place))
        return _flatten(rows[0])[1](joined)

    return wrapped
