"""A call's result as JSON whose numbers can be compared with a tolerance."""

import warnings


def describe(torch, value):
    """Tensors as dtype, shape and flat numbers; tuples by their items; all else by its text."""
    if isinstance(value, torch.Tensor):
        flat = value.detach().resolve_conj().reshape(-1)
        if flat.is_complex():
            flat = torch.view_as_real(flat).reshape(-1)
        numbers = [float(v) for v in flat.tolist()]
        return {"dtype": str(value.dtype).split(".")[-1], "shape": list(value.shape), "numbers": [repr(v) for v in numbers]}
    if isinstance(value, (tuple, list)):
        return [describe(torch, v) for v in value]
    # Under which of its two names the library goes.
    return repr(value).replace("flambeau", "torch")


def run(torch, source):
    """``{"value": ...}`` or ``{"error": [type, message]}``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return {"value": describe(torch, eval(source, {"torch": torch}))}
        except Exception as error:
            return {"error": [type(error).__name__, str(error).split("\n  in ")[0].strip()]}
