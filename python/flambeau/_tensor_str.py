"""Tensors as text, as PyTorch prints them.

Everything is formatted from Python numbers: the few elements that are shown are gathered first, so that
printing a large tensor costs a few small operations.
"""

from math import inf, isfinite

import flambeau

__all__ = ["get_printoptions", "printoptions", "set_printoptions"]


class _Options:
    __slots__ = ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")

    def __init__(self):
        self.precision, self.threshold, self.edgeitems, self.linewidth, self.sci_mode = 4, 1000, 3, 80, None


PRINT_OPTS = _Options()

_PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None
):
    """Sets how tensors are printed; what is not given stays, except ``sci_mode``.

    Args:
        precision: digits after the point (4).
        threshold: number of elements above which only the edges are shown (1000).
        edgeitems: how many elements at each edge of a dimension (3).
        linewidth: characters in a line (80).
        profile: "default", "short" or "full": sets the four above at once.
        sci_mode: scientific notation always (True), never (False) or where numbers ask for it (None).
    """
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    chosen = {**_PROFILES.get(profile, {}), **{name: v for name, v in given.items() if v is not None}}
    for name, value in chosen.items():
        setattr(PRINT_OPTS, name, value)
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions():
    """The current options, as a dict that :func:`set_printoptions` takes."""
    return {name: getattr(PRINT_OPTS, name) for name in _Options.__slots__}


class printoptions:
    """Context manager that sets print options, as :func:`set_printoptions`, inside a ``with`` block."""

    def __init__(self, **options):
        self.options = options

    def __enter__(self):
        self.before = get_printoptions()
        set_printoptions(**self.options)

    def __exit__(self, exc_type, exc_value, traceback):
        set_printoptions(**self.before)


class _IntFormat:
    """Integers and bools: as they are, as wide as the widest."""

    def __init__(self, values):
        self.width = max((len(f"{value}") for value in values), default=1)

    def __call__(self, value):
        return f"{value}".rjust(self.width)


class _FloatFormat:
    """Floating point numbers: whole, fixed or scientific, as suits all finite ones that are not zero."""

    def __init__(self, values):
        values = [value for value in values if value and isfinite(value)]
        self.whole, self.scientific, self.width = True, False, 1
        self.precision = PRINT_OPTS.precision
        if not values:
            return
        self.whole = all(value == int(value) for value in values)
        sizes = [abs(value) for value in values]
        smallest, largest = min(sizes), max(sizes)
        if PRINT_OPTS.sci_mode is None:
            self.scientific = largest / smallest > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4
        else:
            self.scientific = PRINT_OPTS.sci_mode
        self.width = max(len(self._plain(value)) for value in values)

    def _plain(self, value):
        if self.scientific:
            return f"{value:.{self.precision}e}"
        if self.whole:
            return f"{value:.0f}." if isfinite(value) else f"{value:.0f}"
        return f"{value:.{self.precision}f}"

    def __call__(self, value):
        return self._plain(value).rjust(self.width)


class _ComplexFormat:
    """Complex numbers: real and imaginary parts are formatted independently."""

    def __init__(self, values):
        self.real = _FloatFormat([value.real for value in values])
        self.imag = _FloatFormat([value.imag for value in values])
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value):
        imag = self.imag(value.imag).lstrip() + "j"
        sign = "" if imag[0] in "+-" else "+"
        return self.real(value.real) + sign + imag


def _edges(tensor):
    """The elements that are shown of a tensor too large to be shown whole."""
    edge = PRINT_OPTS.edgeitems
    for dim in range(tensor.dim()):
        size = tensor.size(dim)
        if size > 2 * edge:
            ends = tensor.narrow(dim, 0, edge), tensor.narrow(dim, size - edge, edge)
            tensor = flambeau.cat(ends, dim)
    return tensor


def _flat(values, depth):
    for _ in range(depth):
        values = [item for part in values for item in part]
    return values


class _Writer:
    """Lays out nested lists of numbers."""

    def __init__(self, shape, form, summarize):
        self.shape = shape
        self.form = form
        # In a shortened dimension the list holds both edges, and dots stand between them.
        self.edge = PRINT_OPTS.edgeitems
        self.shortened = [summarize and size > 2 * self.edge for size in shape]

    def text(self, values, dim, indent):
        if dim == len(self.shape):
            return self.form(values)
        if dim == len(self.shape) - 1:
            return self._row(values, dim, indent)
        parts = [self.text(value, dim + 1, indent + 1) for value in values]
        if self.shortened[dim]:
            parts.insert(self.edge, "...")
        gap = "," + "\n" * (len(self.shape) - dim - 1) + " " * (indent + 1)
        return "[" + gap.join(parts) + "]"

    def _row(self, values, dim, indent):
        items = [self.form(value) for value in values]
        if self.shortened[dim]:
            items.insert(self.edge, " ...")
        per_line = max(1, int((PRINT_OPTS.linewidth - indent) // (self.form.width + 2)))
        lines = [", ".join(items[start : start + per_line]) for start in range(0, len(items), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _is_set(tensor, name):
    test = getattr(tensor, name, None)
    return test is not None and test()


def _tensor_str(tensor, indent):
    """The numbers of a dense tensor in brackets; ``indent`` is what stands before them in the first line."""
    if tensor.numel() == 0:
        return "[]"
    dtype = tensor.dtype
    if dtype.is_floating_point and dtype.itemsize == 1:
        tensor = tensor.float()  # the 8-bit formats: few operations take them
    if dtype.is_complex:
        tensor = tensor.resolve_conj() if _is_set(tensor, "is_conj") else tensor
    tensor = tensor.resolve_neg() if _is_set(tensor, "is_neg") else tensor

    shape = tuple(tensor.shape)
    summarize = tensor.numel() > PRINT_OPTS.threshold
    if summarize and not PRINT_OPTS.edgeitems:
        return "[...]"
    values = (_edges(tensor) if summarize else tensor).tolist()
    flat = _flat(values, len(shape) - 1) if shape else [values]
    kind = _ComplexFormat if dtype.is_complex else _FloatFormat if dtype.is_floating_point else _IntFormat
    return _Writer(shape, kind(flat), summarize).text(values, 0, indent)


def _add_suffixes(text, suffixes, indent, force_newline):
    """Appends what follows the numbers, each in the same line where it fits."""
    length = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if force_newline or length + len(suffix) + 2 > PRINT_OPTS.linewidth:
            text += ",\n" + " " * indent + suffix
            length = indent + len(suffix)
            force_newline = False
        else:
            text += ", " + suffix
            length += len(suffix) + 2
    return text + ")"


def _torch_name(value):
    """A dtype's or layout's name as scripts write it."""
    text = str(value)
    return "torch" + text[len("flambeau") :] if text.startswith("flambeau.") else text


def _sparse_parts(tensor):
    """(label, component) for each component of a sparse tensor."""
    if tensor.layout == flambeau.sparse_coo:
        return [("indices", tensor._indices()), ("values", tensor._values())]
    if tensor.layout in (flambeau.sparse_csr, flambeau.sparse_bsr):
        indices = [("crow_indices", tensor.crow_indices()), ("col_indices", tensor.col_indices())]
    else:
        indices = [("ccol_indices", tensor.ccol_indices()), ("row_indices", tensor.row_indices())]
    return [*indices, ("values", tensor.values())]


def _sparse_str(tensor, indent):
    parts = []
    for label, part in _sparse_parts(tensor):
        prefix = label + "=tensor("
        text = "..." if tensor.is_meta else _tensor_str(part.detach(), indent + len(prefix))
        if tensor.is_meta or part.numel() == 0:
            text += ", size=" + str(tuple(part.shape))
        parts.append(prefix + text + ")")
    return (",\n" + " " * indent).join(parts)


def _grad_suffix(tensor):
    try:
        grad_fn = tensor.grad_fn
    except RuntimeError:
        return ["grad_fn=<Invalid>"]
    if grad_fn is None:
        return ["requires_grad=True"] if tensor.requires_grad else []
    name = getattr(grad_fn, "name", None)
    name = name() if callable(name) else type(grad_fn).__name__
    return [f"grad_fn=<{name.rsplit('::', 1)[-1]}>"]


def _primal_and_tangent(tensor):
    unpack = getattr(flambeau._C, "_unpack_dual", None)
    return (tensor, None) if unpack is None else unpack(tensor)


def _str_intern(tensor, tensor_contents):
    cls = type(tensor)
    plain = cls is flambeau.Tensor or cls is flambeau.nn.Parameter
    prefix = "tensor(" if plain else f"{cls.__name__}("
    indent = len(prefix)
    primal, tangent = _primal_and_tangent(tensor)
    dtype, sparse = primal.dtype, primal.layout != flambeau.strided
    default = flambeau.get_default_dtype()
    default_complex = flambeau.cdouble if default == flambeau.double else flambeau.cfloat
    implied = dtype in (default, default_complex, flambeau.int64, flambeau.bool)

    suffixes = []
    if primal.device.type != "cpu":
        suffixes.append(f"device='{primal.device}'")
    size = f"size={tuple(primal.shape)}"
    if sparse:
        suffixes.append(size)
        if not primal.is_meta:
            suffixes.append(f"nnz={primal._nnz()}")
    elif primal.is_meta or primal.numel() == 0:
        # The shape is not to be seen, nor are numbers that would tell an integer from a float.
        if primal.is_meta or primal.dim() != 1:
            suffixes.append(size)
        implied = dtype == default
    elif not PRINT_OPTS.edgeitems:
        suffixes.append(size)
    if not implied:
        suffixes.append(f"dtype={_torch_name(dtype)}")

    if tensor_contents is not None:
        text = tensor_contents
    elif sparse:
        text = _sparse_str(primal, indent)
    else:
        text = "..." if primal.is_meta else _tensor_str(primal.detach(), indent)

    if sparse:
        suffixes.append(f"layout={_torch_name(primal.layout)}")
    suffixes += _grad_suffix(tensor)
    if tangent is not None:
        suffixes.append(f"tangent={tangent}")
    force_newline = sparse and primal.layout == flambeau.sparse_coo
    text = _add_suffixes(prefix + text, suffixes, indent, force_newline)
    return f"Parameter({text})" if isinstance(tensor, flambeau.nn.Parameter) and not plain else text


def _str(tensor, *, tensor_contents=None):
    """What ``repr(tensor)`` returns; ``tensor_contents`` stands in place of the numbers."""
    with flambeau.no_grad():
        return _str_intern(tensor, tensor_contents)
