"""Losses that are composites of tensor operations."""

import math
import warnings

import flambeau

from .. import _C
from .._shown import shown_as

F = _C._nn
_number = _C._internal
Tensor = _C.Tensor


def legacy_reduction(size_average, reduce, emit_warning=True):
    """The `reduction` that the two deprecated flags stand for."""
    size_average = True if size_average is None else size_average
    reduce = True if reduce is None else reduce
    reduction = "none" if not reduce else "mean" if size_average else "sum"
    if emit_warning:
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
            stacklevel=3,
        )
    return reduction


def _resolve(reduction, size_average=None, reduce=None):
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _reduce(loss, reduction):
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    return loss


def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"
):
    """Negative log likelihood of counts `target` under a Poisson law whose rate (or its log) is `input`.

    With `full`, Stirling's approximation of log(target!) is added where `target` > 1.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not a valid value for reduction")
    if log_input:
        loss = input.exp() - target * input
    else:
        loss = input - target * _number.add_number(input, eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return _reduce(loss, reduction)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """Negative log likelihood of `target` under a normal law of mean `input` and variance `var`.

    `var` is a number or a tensor of the input's shape, or of that shape with the last dimension 1 or absent.
    It
    is clamped to at least `eps` in value, not in its gradient.
    """
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * flambeau.ones_like(input)
    elif flambeau.any(var < 0):
        raise ValueError("var has negative entry/entries")

    if var.size() != input.size():
        if input.size()[:-1] == var.size():
            var = var.unsqueeze(-1)
        elif not (input.dim() == var.dim() and all(v in (1, i) for v, i in zip(var.size(), input.size()))):
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not valid")

    var = var.clone()
    with flambeau.no_grad():
        var.clamp_(min=eps)
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduce(loss, reduction)


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """`input` where `target` is 1, max(0, margin - input) where it is -1."""
    reduction = _resolve(reduction, size_average, reduce)
    zero = flambeau.zeros((), dtype=input.dtype, device=input.device)
    far = (flambeau.full_like(zero, margin) - input).clamp_min(0)
    far = flambeau.where(target != 1, far, zero)
    return _reduce(far + flambeau.where(target != -1, input, zero), reduction)


def margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """max(0, -target * (input1 - input2) + margin), for targets 1 (first ranks higher) and -1."""
    reduction = _resolve(reduction, size_average, reduce)
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return _reduce(_number.add_number(-target * (input1 - input2), margin).clamp_min(0), reduction)


def cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """1 - cos where `target` is 1, max(0, cos - margin) where it is -1.

    Inputs are (N, D) with a target of (N), or (D) with a scalar target.
    """
    reduction = _resolve(reduction, size_average, reduce)
    if target.dim() not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if target.dim() == 1:
        if input1.dim() != 2:
            raise RuntimeError(
                "1D target tensor expects 2D input tensors, but found inputs with sizes "
                f"{list(input1.size())} and {list(input2.size())}."
            )
    elif input1.dim() != 1:
        raise RuntimeError(
            "0D target tensor expects 1D input tensors, but found inputs with sizes "
            f"{list(input1.size())} and {list(input2.size())}."
        )
    tiny = 1e-12
    dot = (input1 * input2).sum(-1)
    squares = [_number.add_number((x * x).sum(-1), tiny) for x in (input1, input2)]
    cos = dot / (squares[0] * squares[1]).sqrt()
    zero = flambeau.zeros((), dtype=cos.dtype, device=cos.device)
    near = flambeau.where(target == 1, flambeau.ones_like(zero) - cos, zero)
    far = flambeau.where(target == -1, _number.sub_number(cos, margin).clamp_min(0), zero)
    return _reduce(near + far, reduction)


@shown_as("SoftMarginLossBackward0")
def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(-target * input)), for targets 1 and -1."""
    reduction = _resolve(reduction, size_average, reduce)
    if target.requires_grad and flambeau.is_grad_enabled():
        raise RuntimeError(
            "The function 'soft_margin_loss' is not differentiable with respect to argument 'target'. "
            "This input cannot have requires_grad True."
        )
    return _reduce((-target * input).exp().log1p(), reduction)


@shown_as("MultiMarginLossBackward0")
def multi_margin_loss(
    input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """Hinge loss over classes: sum over i != y of max(0, margin - x[y] + x[i])**p, divided by the classes.

    `input` is (N, C) or (C), `target` holds class indices, (N) or a scalar; `p` is 1 or 2.
    """
    reduction = _resolve(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    if input.dim() > 2 or input.numel() == 0 and input.size(-1) == 0:
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            + str(list(input.size()))
        )
    flat = target.reshape(-1)
    x = input.unsqueeze(0) if input.dim() < 2 else input
    if x.dim() == 1:
        x = x.unsqueeze(0)
    if flat.numel() != x.size(0):
        raise RuntimeError(f"inconsistent target size, expected {x.size(0)} but got {list(target.size())}")
    index = flat.unsqueeze(1)
    z = (margin - x.gather(1, index) + x).clamp_min(0)
    if p == 2:
        z = z * z
    if weight is not None:
        z = z * weight[flat].unsqueeze(1)
    # The true class itself does not count.
    z = z.masked_fill(flambeau.zeros_like(x, dtype=flambeau.bool).scatter(1, index, True), 0)
    loss = z.sum(1) / x.size(1)
    return _reduce(loss if target.dim() else loss.squeeze(0), reduction)


@shown_as("MultilabelMarginLossBackward0")
def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Hinge loss between each true class and each other class.

    `target` has the input's shape, (N, C) or (C), and lists class indices up to the first -1.
    """
    reduction = _resolve(reduction, size_average, reduce)
    if input.dim() > 2 or input.dim() > 0 and input.size(-1) == 0:
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            + str(list(input.size()))
        )
    if target.shape != input.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.size())} for input of size: {list(input.size())}"
        )
    x = input.reshape(1, -1) if input.dim() < 2 else input
    t = target.reshape(1, -1) if target.dim() < 2 else target
    valid = (t < 0).cumsum(1) == 0
    index = t.clamp_min(0)
    is_target = flambeau.zeros_like(x).scatter_add(1, index, valid.to(x.dtype)) > 0
    # z[n, j, i] compares the j-th listed class with class i.
    z = (1 - x.gather(1, index).unsqueeze(2) + x.unsqueeze(1)).clamp_min(0)
    z = z.masked_fill(~valid.unsqueeze(2) | is_target.unsqueeze(1), 0)
    loss = z.sum((1, 2)) / x.size(1)
    return _reduce(loss if input.dim() == 2 else loss.squeeze(0), reduction)


def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """Mean over the classes (last dimension) of the logistic loss of each label 0 or 1."""
    reduction = _resolve(reduction, size_average, reduce)
    loss = -(target * F.logsigmoid(input) + (1 - target) * F.logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return _reduce(loss.sum(-1) / input.size(-1), reduction)


def triplet_margin_loss(
    anchor,
    positive,
    negative,
    margin=1.0,
    p=2,
    eps=1e-6,
    swap=False,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), with the p-norm as distance.

    `swap` takes the smaller of the distances from anchor and from positive to negative (Balntas et al.,
    2016).
    """
    reduction = _resolve(reduction, size_average, reduce)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            "dimensions, but got: "
            f"anchor {anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D inputs"
        )
    from ._functional_layers import pairwise_distance

    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = flambeau.minimum(far, pairwise_distance(positive, negative, p, eps))
    return _reduce((_number.add_number(near, margin) - far).clamp_min(0), reduction)


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """`triplet_margin_loss` with any distance; by default the Euclidean one."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if distance_function is None:
        from ._functional_layers import pairwise_distance as distance_function
    near = distance_function(anchor, positive)
    far = distance_function(anchor, negative)
    if swap:
        far = flambeau.minimum(far, distance_function(positive, negative))
    return _reduce((margin + near - far).clamp_min(0), reduction)


def _as_lengths(lengths, n, device):
    if not isinstance(lengths, Tensor):
        lengths = flambeau.tensor(list(lengths), dtype=flambeau.long)
    lengths = lengths.to(device=device, dtype=flambeau.long)
    return lengths.expand(n) if lengths.dim() == 0 else lengths


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False
):
    """Connectionist temporal classification loss (Graves et al., 2006).

    Args:
        log_probs (Tensor): (T, N, C) or (T, C), normalised over C as by `log_softmax`.
        targets (Tensor): (N, S), or all targets in one row; never the blank.
        input_lengths, target_lengths: (N) each.
        blank (int): the class that separates labels. Default: 0
        zero_infinity (bool): no loss and no gradient where the target cannot be aligned.

    "mean" divides each loss by its target's length, then averages over the batch.
    """
    reduction = _resolve(reduction)
    batched = log_probs.dim() == 3
    lp = log_probs if batched else log_probs.unsqueeze(1)
    steps, n, classes = lp.shape
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    in_len = _as_lengths(input_lengths, n, lp.device)
    tgt_len = _as_lengths(target_lengths, n, lp.device)
    if in_len.numel() != n:
        raise RuntimeError("input_lengths must be of size batch_size")
    if tgt_len.numel() != n:
        raise RuntimeError("target_lengths must be of size batch_size")
    longest_in = int(in_len.max()) if n else 0
    if longest_in > steps:
        raise RuntimeError(
            f"Expected input_lengths to have value at most {steps}, but got value {longest_in}"
        )
    longest = int(tgt_len.max()) if n else 0

    targets = targets.to(device=lp.device, dtype=flambeau.long)
    if targets.dim() == 1 and batched:
        # One row after another: cut it into padded rows.
        labels = targets.new_full((n, longest), blank)
        at = 0
        for i, size in enumerate(tgt_len.tolist()):
            labels[i, :size] = targets[at : at + size]
            at += size
    else:
        rows = targets if targets.dim() == 2 else targets.unsqueeze(0)
        if rows.size(1) < longest:
            raise RuntimeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size "
                f"{list(rows.size())}"
            )
        labels = rows[:, :longest]

    loss, _ = F.ctc_loss_kernel(lp, labels, in_len, tgt_len, blank, zero_infinity)
    if zero_infinity:
        loss = flambeau.where(loss == math.inf, loss.new_zeros(()), loss)
    if reduction == "mean":
        return (loss / tgt_len.clamp_min(1).to(loss.dtype)).mean()
    if reduction == "sum":
        return loss.sum()
    return loss if batched else loss.squeeze(0)


def linear_cross_entropy(
    input,
    linear_weight,
    target,
    *,
    linear_bias=None,
    weight=None,
    reduction="mean",
    ignore_index=None,
    label_smoothing=0.0,
    options=None,
):
    """`cross_entropy(linear(input, linear_weight, linear_bias), target)` in one call.

    Args:
        input (Tensor): (N, in_features) or (in_features).
        linear_weight (Tensor): (classes, in_features), or (classes, *more, in_features) for targets (N,
            *more).
        target, weight, reduction, ignore_index, label_smoothing: as for `cross_entropy`.
        options: choices of PyTorch's chunked evaluation; they do not change the result and are accepted as
            they are.
    """
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(
            f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}"
        )
    classes, *extra, features = linear_weight.shape
    if extra and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires "
            "batched input, "
            f"(N, {features}), got unbatched input, {tuple(input.shape)}"
        )
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = F.linear(input, linear_weight.reshape(-1, features), bias)
    logits = logits.reshape(*input.shape[:-1], classes, *extra)
    if ignore_index is None:
        ignore_index = -100
    return F.cross_entropy(
        logits,
        target,
        weight,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
