"""Multi-head attention as one function."""

import math
import warnings

import flambeau

from .. import _C

F = _C._nn


def in_projection_packed(q, k, v, w, b=None):
    """Project query, key and value by one weight of three stacked blocks, with as few products as
    possible.
    """
    e = q.size(-1)
    if k is v:
        if q is k:
            return _apart(F.linear(q, w, b), 3)
        w_q, w_kv = w.split([e, e * 2])
        b_q, b_kv = (None, None) if b is None else b.split([e, e * 2])
        return (F.linear(q, w_q, b_q), *_apart(F.linear(k, w_kv, b_kv), 2))
    w_q, w_k, w_v = w.chunk(3)
    b_q, b_k, b_v = (None, None, None) if b is None else b.chunk(3)
    return F.linear(q, w_q, b_q), F.linear(k, w_k, b_k), F.linear(v, w_v, b_v)


def _apart(joined, n):
    """The parts of the last dimension, each with its elements together."""
    parts = joined.unflatten(-1, (n, joined.size(-1) // n)).unsqueeze(0)
    parts = parts.transpose(0, -2).squeeze(-2).contiguous()
    return tuple(parts[i] for i in range(n))


def canonical_mask(mask, mask_name, other_type, other_name, target_type, check_other=True):
    """A mask as something to add to the scores: True becomes -inf. Floating-point masks pass unchanged."""
    if mask is None:
        return None
    is_float = mask.is_floating_point()
    if mask.dtype != flambeau.bool and not is_float:
        raise AssertionError(f"only bool and floating types of {mask_name} are supported")
    if check_other and other_type is not None and mask.dtype != other_type:
        warnings.warn(
            f"Support for mismatched {mask_name} and {other_name} "
            "is deprecated. Use same type for both instead.",
            stacklevel=2,
        )
    if is_float:
        return mask
    return flambeau.zeros_like(mask, dtype=target_type).masked_fill_(mask, -math.inf)


def _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Whether the inputs come as batches; AssertionError when they do not fit each other."""
    if query.dim() == 3:
        if key.dim() != 3 or value.dim() != 3:
            raise AssertionError(
                "For batched (3-D) `query`, expected `key` and `value` to be 3-D"
                f" but found {key.dim()}-D and {value.dim()}-D tensors respectively"
            )
        if key_padding_mask is not None and key_padding_mask.dim() != 2:
            raise AssertionError(
                "For batched (3-D) `query`, expected `key_padding_mask` to be `None` or 2-D"
                f" but found {key_padding_mask.dim()}-D tensor instead"
            )
        if attn_mask is not None and attn_mask.dim() not in (2, 3):
            raise AssertionError(
                "For batched (3-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D"
                f" but found {attn_mask.dim()}-D tensor instead"
            )
        return True
    if query.dim() == 2:
        if key.dim() != 2 or value.dim() != 2:
            raise AssertionError(
                "For unbatched (2-D) `query`, expected `key` and `value` to be 2-D"
                f" but found {key.dim()}-D and {value.dim()}-D tensors respectively"
            )
        if key_padding_mask is not None and key_padding_mask.dim() != 1:
            raise AssertionError(
                "For unbatched (2-D) `query`, expected `key_padding_mask` to be `None` or 1-D"
                f" but found {key_padding_mask.dim()}-D tensor instead"
            )
        if attn_mask is not None:
            if attn_mask.dim() not in (2, 3):
                raise AssertionError(
                    "For unbatched (2-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D"
                    f" but found {attn_mask.dim()}-D tensor instead"
                )
            expected = (num_heads, query.shape[0], key.shape[0])
            if attn_mask.dim() == 3 and attn_mask.shape != expected:
                raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}")
        return False
    raise AssertionError(
        f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor"
    )


def _expect(condition, text):
    if not condition:
        raise AssertionError(text)


def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
):
    """Attention of several heads with its projections (Vaswani et al., 2017).

    Args:
        query (Tensor): (L, N, E), or (L, E) without a batch; key and value (S, N, ...) alike.
        embed_dim_to_check, num_heads (int): E, which the heads share equally.
        in_proj_weight, in_proj_bias: the three projections stacked, (3E, E) and (3E); with
            `use_separate_proj_weight` the weights are `q_proj_weight`, `k_proj_weight`, `v_proj_weight`.
        bias_k, bias_v: one more key and value, (1, 1, E). `add_zero_attn` adds one of zeros.
        key_padding_mask (Tensor): (N, S); keys that are True (or -inf) are not attended to.
        attn_mask (Tensor): (L, S) or (N * num_heads, L, S), boolean or to be added to the scores.
        need_weights (bool): also return the weights, averaged over the heads by default; without them
            `scaled_dot_product_attention` does the work.
        is_causal (bool): a hint that `attn_mask` is the causal mask.

    Returns:
        the output (L, N, E) and the weights (N, L, S), (N, num_heads, L, S) or None.
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same_kv, same_qk = key is value, query is key
        query = query.unsqueeze(1)
        key = query if same_qk else key.unsqueeze(1)
        value = key if same_kv else value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)

    tgt_len, bsz, embed_dim = query.shape
    src_len = key.shape[0]
    mask_type = None if attn_mask is None else attn_mask.dtype
    key_padding_mask = canonical_mask(
        key_padding_mask, "key_padding_mask", mask_type, "attn_mask", query.dtype
    )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. "
            "You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and key_padding_mask is None and not need_weights:
        # The kernel makes the causal mask itself.
        attn_mask = None
    else:
        attn_mask = canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, check_other=False)
        if key_padding_mask is not None:
            is_causal = False

    if key_padding_mask is not None:
        for d, size in ((0, bsz), (1, src_len)):
            got = key_padding_mask.shape[d]
            _expect(got == size, f"Expected key_padded_mask.shape[{d}] to be {size}, but got {got}")
    _expect(
        embed_dim == embed_dim_to_check,
        f"was expecting embedding dimension of {embed_dim_to_check}, but got {embed_dim}",
    )
    head_dim = embed_dim // num_heads
    _expect(
        head_dim * num_heads == embed_dim, f"embed_dim {embed_dim} not divisible by num_heads {num_heads}"
    )
    if use_separate_proj_weight:
        _expect(
            key.shape[:2] == value.shape[:2],
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}",
        )
        for w, name in ((q_proj_weight, "q"), (k_proj_weight, "k"), (v_proj_weight, "v")):
            _expect(w is not None, f"use_separate_proj_weight is True but {name}_proj_weight is None")
        b_q, b_k, b_v = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
        q = F.linear(query, q_proj_weight, b_q)
        k = F.linear(key, k_proj_weight, b_k)
        v = F.linear(value, v_proj_weight, b_v)
    else:
        _expect(key.shape == value.shape, f"key shape {key.shape} does not match value shape {value.shape}")
        _expect(in_proj_weight is not None, "use_separate_proj_weight is False but in_proj_weight is None")
        q, k, v = in_projection_packed(query, key, value, in_proj_weight, in_proj_bias)

    if attn_mask is not None:
        if attn_mask.dim() == 2:
            want = (tgt_len, src_len)
            if attn_mask.shape != want:
                raise RuntimeError(
                    f"The shape of the 2D attn_mask is {attn_mask.shape}, but should be {want}."
                )
            attn_mask = attn_mask.unsqueeze(0)
        elif attn_mask.dim() == 3:
            want = (bsz * num_heads, tgt_len, src_len)
            if attn_mask.shape != want:
                raise RuntimeError(
                    f"The shape of the 3D attn_mask is {attn_mask.shape}, but should be {want}."
                )
        else:
            raise RuntimeError(f"attn_mask's dimension {attn_mask.dim()} is not supported")

    def widen_masks(attn, padding):
        if attn is not None:
            attn = F.pad(attn, (0, 1))
        if padding is not None:
            padding = F.pad(padding, (0, 1))
        return attn, padding

    if bias_k is not None and bias_v is not None:
        _expect(static_k is None, "bias cannot be added to static key.")
        _expect(static_v is None, "bias cannot be added to static value.")
        k = flambeau.cat([k, bias_k.repeat(1, bsz, 1)])
        v = flambeau.cat([v, bias_v.repeat(1, bsz, 1)])
        attn_mask, key_padding_mask = widen_masks(attn_mask, key_padding_mask)
    else:
        _expect(bias_k is None and bias_v is None, "bias_k and bias_v must be both given or both None")

    heads = bsz * num_heads
    q = q.reshape(tgt_len, heads, head_dim).transpose(0, 1)
    if static_k is None:
        k = k.reshape(k.shape[0], heads, head_dim).transpose(0, 1)
    else:
        k = _static(static_k, "static_k", heads, head_dim)
    if static_v is None:
        v = v.reshape(v.shape[0], heads, head_dim).transpose(0, 1)
    else:
        v = _static(static_v, "static_v", heads, head_dim)
    if add_zero_attn:
        k = flambeau.cat([k, k.new_zeros(heads, 1, head_dim)], 1)
        v = flambeau.cat([v, v.new_zeros(heads, 1, head_dim)], 1)
        attn_mask, key_padding_mask = widen_masks(attn_mask, key_padding_mask)

    src_len = k.size(1)
    if key_padding_mask is not None:
        _expect(
            key_padding_mask.shape == (bsz, src_len),
            f"expecting key_padding_mask shape of {(bsz, src_len)}, but got {key_padding_mask.shape}",
        )
        padding = key_padding_mask.reshape(bsz, 1, 1, src_len).expand(-1, num_heads, -1, -1)
        padding = padding.reshape(heads, 1, src_len)
        attn_mask = padding if attn_mask is None else attn_mask + padding

    if not training:
        dropout_p = 0.0
    weights = None
    if need_weights:
        q = q * math.sqrt(1.0 / head_dim)
        k = k.transpose(-2, -1)
        scores = flambeau.bmm(q, k) if attn_mask is None else flambeau.baddbmm(attn_mask, q, k)
        weights = F.softmax(scores, dim=-1)
        if dropout_p > 0.0:
            weights = F.dropout(weights, p=dropout_p)
        out = flambeau.bmm(weights, v).transpose(0, 1).reshape(tgt_len * bsz, embed_dim)
    else:
        if attn_mask is not None:
            if attn_mask.size(0) == 1:
                attn_mask = attn_mask.unsqueeze(0)
            else:
                attn_mask = attn_mask.reshape(bsz, num_heads, -1, src_len)
        q = q.view(bsz, num_heads, tgt_len, head_dim)
        k = k.view(bsz, num_heads, src_len, head_dim)
        v = v.view(bsz, num_heads, src_len, head_dim)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask, dropout_p, is_causal)
        out = out.permute(2, 0, 1, 3).reshape(bsz * tgt_len, embed_dim)

    out = F.linear(out, out_proj_weight, out_proj_bias).reshape(tgt_len, bsz, out_proj_weight.size(0))
    if weights is not None:
        weights = weights.reshape(bsz, num_heads, tgt_len, src_len)
        if average_attn_weights:
            weights = weights.mean(dim=1)
    if not batched:
        out = out.squeeze(1)
        weights = None if weights is None else weights.squeeze(0)
    return out, weights


def _static(t, name, heads, head_dim):
    _expect(t.size(0) == heads, f"expecting {name}.size(0) of {heads}, but got {t.size(0)}")
    _expect(t.size(2) == head_dim, f"expecting {name}.size(2) of {head_dim}, but got {t.size(2)}")
    return t
