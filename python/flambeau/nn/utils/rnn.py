"""Sequences of different lengths in one batch: padded, or packed without padding."""

from collections import namedtuple

import flambeau

from ... import _C

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpad_sequence",
    "pack_sequence",
    "unpack_sequence",
]

Tensor = _C.Tensor

PackedSequence_ = namedtuple(
    "PackedSequence_", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"], defaults=(None, None)
)
PackedSequence_.__qualname__ = "PackedSequence_"


class PackedSequence(PackedSequence_):
    """Sequences sorted by decreasing length and stored step by step, as `pack_padded_sequence` returns them.

    Attributes:
        data (Tensor): all steps, one below the other.
        batch_sizes (Tensor): the number of sequences that have each step; on the CPU.
        sorted_indices, unsorted_indices (Tensor or None): the order of sorting and its inverse.
    """

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is not None:
            if batch_sizes.device.type != "cpu":
                raise ValueError(
                    "batch_sizes should always be on CPU. "
                    "Instances of PackedSequence should never be created manually. "
                    "They should be instantiated by functions like pack_sequence "
                    "and pack_padded_sequences in nn.utils.rnn. "
                    "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
                )
        elif isinstance(data, (tuple, list)):
            # The old form: a pair of data and batch sizes.
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def pin_memory(self):
        """The same in page-locked memory."""
        return type(self)(self.data.pin_memory(), self.batch_sizes, *self._moved(lambda t: t.pin_memory()))

    def _moved(self, fn):
        return tuple(None if t is None else fn(t) for t in (self.sorted_indices, self.unsorted_indices))

    def to(self, *args, **kwargs):
        """The same with `data.to(*args, **kwargs)`; the indices go to the same device."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        return type(self)(data, self.batch_sizes, *self._moved(lambda t: t.to(data.device)))

    def cuda(self, *args, **kwargs):
        """The same on a GPU."""
        if self.data.is_cuda and not args and not kwargs:
            return self
        return self.to(*(args or ("cuda",)), **kwargs)

    def cpu(self, *args, **kwargs):
        """The same on the CPU."""
        return self.to("cpu")

    def double(self):
        """The same in float64."""
        return self.to(dtype=flambeau.double)

    def float(self):
        """The same in float32."""
        return self.to(dtype=flambeau.float)

    def half(self):
        """The same in float16."""
        return self.to(dtype=flambeau.half)

    def long(self):
        """The same in int64."""
        return self.to(dtype=flambeau.long)

    def int(self):
        """The same in int32."""
        return self.to(dtype=flambeau.int)

    def short(self):
        """The same in int16."""
        return self.to(dtype=flambeau.short)

    def char(self):
        """The same in int8."""
        return self.to(dtype=flambeau.int8)

    def byte(self):
        """The same in uint8."""
        return self.to(dtype=flambeau.uint8)

    @property
    def is_cuda(self):
        """Whether the data is on a GPU."""
        return self.data.is_cuda

    def is_pinned(self):
        """Whether the data is in page-locked memory."""
        return self.data.is_pinned()


def invert_permutation(permutation):
    """The inverse of a permutation of indices; None for None."""
    if permutation is None:
        return None
    place = flambeau.arange(permutation.numel(), device=permutation.device)
    return flambeau.empty_like(permutation).scatter_(0, permutation, place)


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Pack a padded batch (L, N, *), or (N, L, *) if `batch_first`, of sequences with these lengths.

    With `enforce_sorted` the lengths must not increase; without, the sequences are sorted and later put back.
    """
    if not isinstance(lengths, Tensor):
        lengths = flambeau.as_tensor(lengths, dtype=flambeau.int64, device="cpu")
    lengths = lengths.to(flambeau.int64)
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = flambeau.sort(lengths, descending=True)
        sorted_indices = sorted_indices.to(input.device)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    sizes = lengths.tolist()
    if not sizes:
        raise RuntimeError("Expected `lengths` to have at least one element")
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    x = input.transpose(0, 1) if batch_first else input
    if len(sizes) != x.size(1):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} "
            f"(batch_size={x.size(1)})"
        )
    if sizes[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if any(a < b for a, b in zip(sizes, sizes[1:])):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep "
            "this "
            "requirement if you do not need ONNX exportability."
        )
    if sizes[0] > x.size(0):
        raise RuntimeError(f"Expected `lengths` to be at most {x.size(0)}, but got {sizes[0]}")
    counts = []
    n = len(sizes)
    for t in range(sizes[0]):
        while sizes[n - 1] <= t:
            n -= 1
        counts.append(n)
    data = flambeau.cat([x[t, :n] for t, n in enumerate(counts)])
    _C._show_as(data, "PackPaddedSequenceBackward0", x)
    return PackedSequence(data, flambeau.tensor(counts, dtype=flambeau.int64), sorted_indices, None)


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """The padded batch and the lengths of a PackedSequence; `total_length` makes the batch longer."""
    counts = sequence.batch_sizes.tolist()
    longest = len(counts)
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {longest}"
            )
        longest = total_length
    n = counts[0]
    rest = sequence.data.shape[1:]
    rows = []
    for part in sequence.data.split(counts):
        missing = n - part.size(0)
        if missing:
            part = flambeau.cat([part, part.new_full((missing, *rest), padding_value)])
        rows.append(part)
    rows += [sequence.data.new_full((n, *rest), padding_value)] * (longest - len(counts))
    out = flambeau.stack(rows)
    lengths = [sum(1 for c in counts if c > i) for i in range(n)]
    lengths = flambeau.tensor(lengths, dtype=flambeau.int64)
    if sequence.unsorted_indices is not None:
        out = out.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices.cpu()]
    return (out.transpose(0, 1) if batch_first else out), lengths


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Stack tensors (L, *) of different lengths into (T, N, *), or (N, T, *) if `batch_first`."""
    if isinstance(sequences, Tensor):
        sequences = sequences.unbind(0)
    elif not hasattr(sequences, "__iter__"):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = tuple(sequences)
    if padding_side not in ("left", "right"):
        raise RuntimeError("padding_side must be either 'right' or 'left'")
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    longest = max(s.size(0) for s in sequences)
    first = sequences[0]
    rows = []
    for s in sequences:
        missing = longest - s.size(0)
        if missing:
            fill = first.new_full((missing, *first.shape[1:]), padding_value)
            s = flambeau.cat([s, fill] if padding_side == "right" else [fill, s])
        rows.append(s)
    out = flambeau.stack(rows, 0 if batch_first else 1)
    if out.grad_fn is not None:
        # Each sequence is written into the result there.
        *before, end = sequences
        shown = None
        for s in before:
            shown = ("torch::autograd::CopySlices", shown, s)
        _C._show_as(out, "torch::autograd::CopySlices", shown, end)
    return out


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The list of sequences in a padded batch."""
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    sizes = lengths.tolist() if isinstance(lengths, Tensor) else list(lengths)
    return [row[:size] for row, size in zip(x, sizes)]


def pack_sequence(sequences, enforce_sorted=True):
    """Pack a list of tensors (L, *)."""
    lengths = flambeau.as_tensor([s.size(0) for s in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """The list of sequences in a PackedSequence."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
