"""Cross entropy of linearly transformed inputs."""

import math

from .. import functional as F
from .linear import Linear
from .losses_base import _WeightedLoss


class LinearCrossEntropyOptions:
    """How the batch may be cut into pieces; taken for compatibility, the result does not depend on it."""

    def __init__(
        self,
        allow_retain_graph=False,
        batch_chunk_size=None,
        chunking_method="auto",
        acc_policy="auto",
        acc_dtype=None,
    ):
        self.allow_retain_graph = allow_retain_graph
        self.batch_chunk_size = batch_chunk_size
        self.chunking_method = chunking_method
        self.acc_policy = acc_policy
        self.acc_dtype = acc_dtype

    def __repr__(self):
        args = ", ".join(f"{k}={v!r}" for k, v in self.__dict__.items())
        return f"LinearCrossEntropyOptions({args})"

    def __eq__(self, other):
        if not isinstance(other, LinearCrossEntropyOptions):
            return NotImplemented
        return self.__dict__ == other.__dict__

    __hash__ = None


class LinearCrossEntropyLoss(_WeightedLoss):
    """`CrossEntropyLoss` of a learned linear map of the input.

    Args:
        in_features, num_classes (int): sizes of the map.
        out_features (tuple): further dimensions of the target, for (N, C, *out_features) logits.
        bias (bool): whether the map has a bias. Default: False
        weight, reduction, ignore_index, label_smoothing: as for `CrossEntropyLoss`.
    """

    __constants__ = ["num_classes", "out_features", "reduction", "ignore_index", "label_smoothing"]

    def __init__(
        self,
        in_features,
        num_classes,
        *,
        out_features=(),
        bias=False,
        device=None,
        dtype=None,
        reduction="mean",
        weight=None,
        ignore_index=None,
        label_smoothing=0.0,
        options=None,
    ):
        super().__init__(weight, None, None, reduction)
        self.num_classes = num_classes
        self.out_features = tuple(out_features)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.options = options
        rows = num_classes * math.prod(self.out_features)
        self.linear = Linear(in_features, rows, bias=bias, device=device, dtype=dtype)

    def forward(self, input, target):
        """The loss."""
        shape = (self.num_classes, *self.out_features)
        weight, bias = self.linear.weight, self.linear.bias
        return F.linear_cross_entropy(
            input,
            weight.reshape(*shape, weight.size(-1)),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self):
        """The arguments."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, "
            f"ignore_index={self.ignore_index}, label_smoothing={self.label_smoothing}, "
            f"options={self.options}"
        )
