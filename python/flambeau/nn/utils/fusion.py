"""Batch norm folded into the layer before it, for inference."""

import copy

import flambeau

from ..parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def _check(layer, bn):
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")


def _has_statistics(bn):
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """A convolution that computes what ``bn(conv(x))`` does; both are in evaluation mode.

    Args:
        conv (Module): the convolution; copied.
        bn (Module): the batch norm.
        transpose (bool): whether the convolution is a transposed one.
    """
    _check(conv, bn)
    fused = copy.deepcopy(conv)
    _has_statistics(bn)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False):
    """Weight and bias of the fused convolution, as parameters."""
    weight_dtype, bias_dtype = conv_w.dtype, conv_w.dtype if conv_b is None else conv_b.dtype
    conv_b = flambeau.zeros_like(bn_rm) if conv_b is None else conv_b
    bn_w = flambeau.ones_like(bn_rm) if bn_w is None else bn_w
    bn_b = flambeau.zeros_like(bn_rm) if bn_b is None else bn_b
    factor = bn_w * flambeau.rsqrt(bn_rv + bn_eps)
    channels = (1, -1) if transpose else (-1, 1)
    weight = (conv_w * factor.reshape(*channels, *[1] * (conv_w.dim() - 2))).to(dtype=weight_dtype)
    bias = ((conv_b - bn_rm) * factor + bn_b).to(dtype=bias_dtype)
    return Parameter(weight, conv_w.requires_grad), Parameter(bias, conv_b.requires_grad)


def fuse_linear_bn_eval(linear, bn):
    """A linear layer that computes what ``bn(linear(x))`` does; both are in evaluation mode."""
    _check(linear, bn)
    fused = copy.deepcopy(linear)
    if not (linear.out_features == bn.num_features or bn.num_features == 1):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    _has_statistics(bn)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """Weight and bias of the fused linear layer, as parameters."""
    weight_dtype, bias_dtype = linear_w.dtype, linear_w.dtype if linear_b is None else linear_b.dtype
    linear_b = flambeau.zeros_like(bn_rm) if linear_b is None else linear_b
    factor = bn_w * flambeau.rsqrt(bn_rv + bn_eps)
    weight = linear_w * factor.unsqueeze(-1).to(dtype=weight_dtype)
    bias = ((linear_b - bn_rm) * factor + bn_b).to(dtype=bias_dtype)
    return Parameter(weight, linear_w.requires_grad), Parameter(bias, linear_b.requires_grad)
