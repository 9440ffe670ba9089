"""Runs one case of `cases.CASES` with PyTorch or flambeau and reduces what happens to plain values."""

import warnings


def raised(fn, *args, **kwargs):
    """The type and text of what `fn` raises, or None."""
    try:
        fn(*args, **kwargs)
    except Exception as e:
        return [type(e).__name__, str(e).replace("flambeau", "torch")]
    return None


def _flat(value):
    """All tensors in a result, in order."""
    if hasattr(value, "detach"):
        return [value]
    if isinstance(value, (tuple, list)):
        return [t for v in value for t in _flat(v)]
    return []


def digest(t):
    """Shape, dtype, a weighted sum that notices permutations, and the first values of a tensor."""
    d = t.detach().double() if not t.is_complex() else t.detach()
    flat = d.reshape(-1).tolist()
    total = sum(v * (1 + i % 7) for i, v in enumerate(flat))
    return [list(t.shape), str(t.dtype).rsplit(".", 1)[-1], round(total, 6), [round(v, 6) for v in flat[:4]]]


def evaluate(t, nn, ctor, inputs):
    """What PyTorch and flambeau must agree on, as JSON values.

    Args:
        t, nn: the two modules, `torch` and `torch.nn` or flambeau's.
        ctor, inputs: one case.
    """
    names = {"t": t, "nn": nn}
    t.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = eval("nn." + ctor, names)
        out = {"repr": repr(module)}
        if "Lazy" not in ctor:
            out["state"] = {k: digest(v) for k, v in module.state_dict().items()}
        if inputs is None:
            return out
        args = [eval(i, names) if isinstance(i, str) else t.randn(*i) for i in inputs]
        for a in args:
            # PyTorch's hand-written gradient of CrossMapLRN2d is not that of its own forward; ours is.
            if a.is_floating_point() and a.is_leaf and a is args[0] and "CrossMapLRN2d" not in ctor:
                a.requires_grad_()
        for a in args:
            if a.requires_grad and not a.is_leaf:
                a.retain_grad()
        result = _flat(module(*args))
        out["out"] = [digest(r) for r in result]
        loss = sum((r * r).sum() for r in result if r.requires_grad)
        if hasattr(loss, "backward"):
            loss.backward()
            out["grads"] = [digest(a.grad) for a in args if a.requires_grad and a.grad is not None]
            out["param_grads"] = {
                n: digest(p.grad) for n, p in module.named_parameters() if p.grad is not None
            }
        if "Lazy" in ctor:
            out["state"] = {k: digest(v) for k, v in module.state_dict().items()}
            out["repr_after"] = repr(module)
    return out
