"""Recurrent networks in tensor operations: stacks over sequences, and single steps."""

import math
import numbers
import warnings

import flambeau
from flambeau import _C

from .. import functional as F
from .. import init
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .module import Module

__all__ = ["RNNBase", "RNN", "LSTM", "GRU", "RNNCellBase", "RNNCell", "LSTMCell", "GRUCell"]


# One step from (input part, state) to the new state; the input part, x W_ih^T + b_ih, is computed for all
# steps
# at once. A state is a tuple whose first entry is the output.


def _rnn_step(nonlinearity):
    def step(gi, state, w_hh, b_hh):
        return (nonlinearity(F.linear(state[0], w_hh, b_hh) + gi),)

    return step


def _lstm_step(gi, state, w_hh, b_hh, w_hr=None):
    h, c = _C._internal.lstm_step(gi, F.linear(state[0], w_hh, b_hh), state[1])
    return (h if w_hr is None else F.linear(h, w_hr)), c


def _gru_step(gi, state, w_hh, b_hh):
    return (_C._internal.gru_step(gi, F.linear(state[0], w_hh, b_hh), state[0]),)


_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """Parameters and the loop over layers, directions and steps; RNN, LSTM and GRU say what a step is.

    Args:
        mode (str): "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".

    The other arguments are those of `LSTM`.
    """

    __constants__ = [
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    ]

    def __init__(
        self,
        mode,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size

        if not isinstance(dropout, numbers.Number) or not 0 <= dropout <= 1 or isinstance(dropout, bool):
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element "
                "being zeroed"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        if not isinstance(hidden_size, int):
            raise TypeError(f"hidden_size should be of type int, got: {type(hidden_size).__name__}")
        if hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)

        rows = _GATES[mode] * hidden_size
        out_size = proj_size if proj_size > 0 else hidden_size
        directions = 2 if bidirectional else 1
        self._all_weights = []
        for layer in range(num_layers):
            for direction in range(directions):
                in_size = input_size if layer == 0 else out_size * directions
                suffix = f"_l{layer}" + ("_reverse" if direction == 1 else "")
                shapes = {"weight_ih": (rows, in_size), "weight_hh": (rows, out_size)}
                if bias:
                    shapes["bias_ih"] = shapes["bias_hh"] = (rows,)
                if proj_size > 0:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = []
                for name, shape in shapes.items():
                    setattr(self, name + suffix, Parameter(flambeau.empty(shape, device=device, dtype=dtype)))
                    names.append(name + suffix)
                self._all_weights.append(names)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw new initial values: uniform in +-1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self):
        """Does nothing: the parameters need not be adjacent in memory here."""

    @property
    def all_weights(self):
        """The parameters, a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def extra_repr(self):
        """The arguments that differ from their defaults."""
        s = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size != 0:
            s += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            s += f", num_layers={self.num_layers}"
        if self.bias is not True:
            s += f", bias={self.bias}"
        if self.batch_first is not False:
            s += f", batch_first={self.batch_first}"
        if self.dropout != 0:
            s += f", dropout={self.dropout}"
        if self.bidirectional is not False:
            s += f", bidirectional={self.bidirectional}"
        return s

    def __getstate__(self):
        state = super().__getstate__()
        # PyTorch reads its flat weights out of whole saved modules.
        state["_flat_weights_names"] = [name for names in self._all_weights for name in names]
        state["_flat_weights"] = [getattr(self, name, None) for name in state["_flat_weights_names"]]
        return state

    def __setstate__(self, d):
        super().__setstate__(d)
        self.__dict__.setdefault("proj_size", 0)
        # Files of PyTorch keep its list of flat weights, which has no use here.
        for name in ("_flat_weights", "_flat_weights_names", "_flat_weight_refs"):
            self.__dict__.pop(name, None)

    def check_input(self, input, batch_sizes):
        """Raise if `input` does not fit the layer."""
        dtype = (
            self._parameters[self._all_weights[0][0]].dtype
            if self._all_weights[0][0] in self._parameters
            else None
        )
        if dtype is not None and input.dtype != dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). "
                f"Convert input: input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        want = 2 if batch_sizes is not None else 3
        if input.dim() != want:
            raise RuntimeError(f"input must have {want} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got "
                f"{input.size(-1)}"
            )

    def _batch(self, input, batch_sizes):
        if batch_sizes is not None:
            return int(batch_sizes[0])
        return input.size(0) if self.batch_first else input.size(1)

    def get_expected_hidden_size(self, input, batch_sizes):
        """The shape a hidden state must have."""
        directions = 2 if self.bidirectional else 1
        size = self.proj_size if self.proj_size > 0 else self.hidden_size
        return (self.num_layers * directions, self._batch(input, batch_sizes), size)

    def check_hidden_size(self, hx, expected_hidden_size, msg="Expected hidden size {}, got {}"):
        """Raise RuntimeError unless `hx` has the expected shape."""
        if hx.size() != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input, hidden, batch_sizes):
        """Raise if the arguments do not fit the layer or each other."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx, permutation):
        """The state with its batch in another order."""
        return hx if permutation is None else hx.index_select(1, permutation)

    # ---- computation

    def _direction(self, steps, state, names, reverse, batch_sizes):
        """One layer in one direction over a list of input parts; the outputs in order, and the last state."""
        weights = [getattr(self, n) for n in names]
        w_hh = weights[1]
        b_hh = weights[3] if self.bias else None
        extra = weights[-1:] if self.proj_size > 0 else []
        step = self._step
        outputs = [None] * len(steps)
        order = range(len(steps) - 1, -1, -1) if reverse else range(len(steps))
        if batch_sizes is None:
            for t in order:
                state = step(steps[t], state, w_hh, b_hh, *extra)
                outputs[t] = state[0]
            return outputs, state
        # A packed batch: sequences that have ended (or, in reverse, not begun) keep their state aside.
        full = state
        for t in order:
            n = batch_sizes[t]
            part = step(steps[t], tuple(s[:n] for s in full), w_hh, b_hh, *extra)
            outputs[t] = part[0]
            if n == full[0].size(0):
                full = part
            else:
                full = tuple(flambeau.cat([new, old[n:]]) for new, old in zip(part, full))
        return outputs, full

    def _is_fused(self, x, sizes):
        """Whether one operation takes all steps of a layer."""
        fits = x.dtype in (flambeau.float32, flambeau.float64)
        return self.mode == "LSTM" and self.proj_size == 0 and sizes is None and fits

    def _run(self, input, hx, batch_sizes):
        """All layers on (L, N, *) or packed data; hx is a tuple of (layers * directions, N, *)."""
        directions = 2 if self.bidirectional else 1
        sizes = None if batch_sizes is None else batch_sizes.tolist()
        finals = []
        x = input
        for layer in range(self.num_layers):
            outs = []
            for direction in range(directions):
                k = layer * directions + direction
                names = self._all_weights[k]
                if self._is_fused(x, sizes):
                    weights = [getattr(self, n) for n in names]
                    biases = weights[2:] or (None, None)
                    states = (h[k] for h in hx)
                    x = x.contiguous()
                    out, *last = _C._nn.lstm_layer(x, *weights[:2], *biases, *states, direction == 1)[:3]
                    finals.append((last, None))
                    outs.append(out)
                    continue
                part = F.linear(x, getattr(self, names[0]), getattr(self, names[2]) if self.bias else None)
                steps = part.unbind(0) if sizes is None else part.split(sizes)
                state = tuple(h[k] for h in hx)
                outputs, last = self._direction(steps, state, names, direction == 1, sizes)
                outs.append(flambeau.stack(outputs) if sizes is None else flambeau.cat(outputs))
                finals.append((last, self._as_one(outs[-1], x, names, state, sizes)))
            x = outs[0] if directions == 1 else flambeau.cat(outs, -1)
            if self.dropout > 0 and self.training and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, True)
        return x, tuple(self._final(finals, i) for i in range(len(hx)))

    def _as_one(self, out, x, names, state, sizes):
        """Shows the outputs of a layer as those of one node, where PyTorch has one; whether it has."""
        whole = self.mode == "LSTM" and sizes is None and self.proj_size == 0
        if out.grad_fn is None or not whole or out.dtype != flambeau.bfloat16:
            return None
        if not x.is_contiguous():
            x = ("CloneBackward0", x)
        weights = [getattr(self, name) for name in names]
        _C._show_as(out, "MkldnnRnnLayerBackward0", x, *weights, *[None] * (4 - len(weights)), *state)
        return out

    @staticmethod
    def _final(finals, i):
        """The last states of all layers and directions, the `i`-th of each."""
        last = flambeau.stack([state[i] for state, _ in finals])
        if all(whole is not None for _, whole in finals):
            _C._show_as(last, "StackBackward0", *[(whole, i + 1) for _, whole in finals])
        return last

    def _forward(self, input, hx):
        """Common part of `forward`; `hx` is None or a tuple of states."""
        name = type(self).__name__
        packed = isinstance(input, PackedSequence)
        if packed:
            data, batch_sizes, sorted_indices, unsorted_indices = input
            batched = True
        else:
            if input.dim() not in (2, 3):
                raise ValueError(f"{name}: Expected input to be 2D or 3D, got {input.dim()}D instead")
            data, batch_sizes, sorted_indices, unsorted_indices = input, None, None, None
            batched = input.dim() == 3
            if not batched:
                data = data.unsqueeze(0 if self.batch_first else 1)
        if hx is None:
            batch = self._batch(data, batch_sizes)
            layers = self.num_layers * (2 if self.bidirectional else 1)
            sizes = [self.proj_size if self.proj_size > 0 else self.hidden_size, self.hidden_size]
            hx = tuple(
                flambeau.zeros(layers, batch, s, dtype=data.dtype, device=data.device)
                for s in sizes[: 2 if self.mode == "LSTM" else 1]
            )
        else:
            if not packed:
                self._check_state_dims(hx, batched)
                if not batched:
                    hx = tuple(h.unsqueeze(1) for h in hx)
            hx = tuple(RNNBase.permute_hidden(self, h, sorted_indices) for h in hx)
        self.check_forward_args(data, hx if self.mode == "LSTM" else hx[0], batch_sizes)

        x = data.transpose(0, 1) if batch_sizes is None and self.batch_first else data
        out, hidden = self._run(x, hx, batch_sizes)
        if packed:
            out = PackedSequence(out, batch_sizes, sorted_indices, unsorted_indices)
            hidden = tuple(RNNBase.permute_hidden(self, h, unsorted_indices) for h in hidden)
            return out, hidden
        if self.batch_first:
            turned = out.transpose(0, 1)
            if self.mode != "LSTM" or self.proj_size > 0:
                # PyTorch turns what it has composed in place.
                _C._show_as(turned, "TransposeBackward1", out)
            out = turned
        if not batched:
            out = out.squeeze(0 if self.batch_first else 1)
            hidden = tuple(h.squeeze(1) for h in hidden)
        return out, hidden

    def _check_state_dims(self, hx, batched):
        want, kind = (3, "batched") if batched else (2, "unbatched")
        dims = [h.dim() for h in hx]
        if all(d == want for d in dims):
            return
        if self.mode == "LSTM":
            raise RuntimeError(
                f"For {kind} {want}-D input, hx and cx should also be {want}-D but got "
                f"({dims[0]}-D, {dims[1]}-D) tensors"
            )
        raise RuntimeError(
            f"For {kind} {want}-D input, hx should also be {want}-D but got {dims[0]}-D tensor"
        )


class RNN(RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with relu (Elman, 1990).

    Args:
        nonlinearity (str): "tanh" or "relu". Default: "tanh"

    The other arguments, and the shapes, are those of `LSTM`.
    """

    def __init__(self, *args, **kwargs):
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        # The fourth positional argument is the nonlinearity.
        if len(args) > 3:
            self.nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            self.nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if self.nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{self.nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__("RNN_" + self.nonlinearity.upper(), *args, **kwargs)

    @property
    def _step(self):
        return _rnn_step(F.tanh if self.mode == "RNN_TANH" else F.relu)

    def forward(self, input, hx=None):
        """The outputs of all steps, and the last state."""
        out, (hidden,) = self._forward(input, None if hx is None else (hx,))
        return out, hidden


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with optional projection (Sak et al., 2014).

    Args:
        input_size, hidden_size (int): sizes of the inputs and of the state.
        num_layers (int): each layer reads the outputs of the one below. Default: 1
        bias (bool): whether the layers have biases. Default: True
        batch_first (bool): (N, L, *) in place of (L, N, *). Default: False
        dropout (float): applied to the outputs of all layers but the last. Default: 0
        bidirectional (bool): also read the sequence backwards. Default: False
        proj_size (int): if positive, the outputs are projected to this size. Default: 0

    Shapes: input (L, N, input_size), (L, input_size) or a PackedSequence; output (L, N, directions *
    out_size);
    the states (layers * directions, N, out_size) and (layers * directions, N, hidden_size).
    """

    _step = staticmethod(_lstm_step)

    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input, batch_sizes):
        """The shape a cell state must have."""
        directions = 2 if self.bidirectional else 1
        return (self.num_layers * directions, self._batch(input, batch_sizes), self.hidden_size)

    def check_forward_args(self, input, hidden, batch_sizes):
        """Raise if the arguments do not fit the layer or each other."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(
            hidden[0], self.get_expected_hidden_size(input, batch_sizes), "Expected hidden[0] size {}, got {}"
        )
        self.check_hidden_size(
            hidden[1], self.get_expected_cell_size(input, batch_sizes), "Expected hidden[1] size {}, got {}"
        )

    def permute_hidden(self, hx, permutation):
        """The states with their batch in another order."""
        if permutation is None:
            return hx
        return tuple(h.index_select(1, permutation) for h in hx)

    def forward(self, input, hx=None):
        """The outputs of all steps, and the pair of last states."""
        return self._forward(input, hx)


class GRU(RNNBase):
    """Gated recurrent unit (Cho et al., 2014); arguments and shapes as for `LSTM`, without projection."""

    _step = staticmethod(_gru_step)

    def __init__(self, *args, **kwargs):
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)

    def forward(self, input, hx=None):
        """The outputs of all steps, and the last state."""
        out, (hidden,) = self._forward(input, None if hx is None else (hx,))
        return out, hidden


class RNNCellBase(Module):
    """Parameters of one recurrent step with `num_chunks` gates."""

    __constants__ = ["input_size", "hidden_size", "bias"]

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias

        def param(*shape):
            return Parameter(flambeau.empty(shape, device=device, dtype=dtype))

        self.weight_ih = param(num_chunks * hidden_size, input_size)
        self.weight_hh = param(num_chunks * hidden_size, hidden_size)
        if bias:
            self.bias_ih = param(num_chunks * hidden_size)
            self.bias_hh = param(num_chunks * hidden_size)
        else:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw new initial values: uniform in +-1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self):
        """The arguments that differ from their defaults."""
        s = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            s += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            s += f", nonlinearity={self.nonlinearity}"
        return s

    def _one_step(self, step, input, hx, n_states):
        """Check, add a batch if there is none, and step."""
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        batched = input.dim() == 2
        x = input if batched else input.unsqueeze(0)
        if hx is None:
            zeros = flambeau.zeros(x.size(0), self.hidden_size, dtype=x.dtype, device=x.device)
            hx = (zeros,) * n_states
        else:
            for i, h in enumerate(hx):
                if h.dim() not in (1, 2):
                    what = f"hx[{i}]" if n_states > 1 else "hidden"
                    raise ValueError(f"{name}: Expected {what} to be 1D or 2D, got {h.dim()}D instead")
            if not batched:
                hx = tuple(h.unsqueeze(0) for h in hx)
        if x.size(1) != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {x.size(1)} expected {self.input_size}"
            )
        for i, h in enumerate(hx):
            if h.dim() != 2:
                raise RuntimeError(f"Expected 2D hidden{i} (batch x hidden_size), but got {h.dim()}D tensor")
            if h.size(0) != x.size(0):
                raise RuntimeError(
                    f"Input batch size {x.size(0)} doesn't match hidden{i} batch size {h.size(0)}"
                )
            if h.size(1) != self.hidden_size:
                raise RuntimeError(
                    f"hidden{i} has inconsistent hidden_size: got {h.size(1)}, expected {self.hidden_size}"
                )
        gi = F.linear(x, self.weight_ih, self.bias_ih)
        out = step(gi, hx, self.weight_hh, self.bias_hh)
        return out if batched else tuple(h.squeeze(0) for h in out)


class RNNCell(RNNCellBase):
    """One step of `RNN`: (N, input_size) and (N, hidden_size) to (N, hidden_size); also without N."""

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, num_chunks=1, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        """The new state."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        step = _rnn_step(F.tanh if self.nonlinearity == "tanh" else F.relu)
        return self._one_step(step, input, None if hx is None else (hx,), 1)[0]


class LSTMCell(RNNCellBase):
    """One step of `LSTM`, from an input and a pair of states to the new pair."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, num_chunks=4, device=device, dtype=dtype)

    def forward(self, input, hx=None):
        """The new pair of states."""
        return self._one_step(_lstm_step, input, hx, 2)


class GRUCell(RNNCellBase):
    """One step of `GRU`."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, num_chunks=3, device=device, dtype=dtype)

    def forward(self, input, hx=None):
        """The new state."""
        return self._one_step(_gru_step, input, None if hx is None else (hx,), 1)[0]
