"""Multi-head attention; PyTorch has it in `activation`, which re-exports it here."""

import flambeau

from .. import functional as F
from .. import init
from .._functional_attention import canonical_mask
from ..parameter import Parameter
from .linear import NonDynamicallyQuantizableLinear
from .module import Module


class MultiheadAttention(Module):
    """Attention of several heads over projected queries, keys and values (Vaswani et al., 2017).

    Args:
        embed_dim (int): size of queries and outputs, shared equally by the heads.
        num_heads (int): number of heads.
        dropout (float): probability of dropping a weight in training. Default: 0
        bias (bool): whether the projections have one. Default: True
        add_bias_kv (bool): add one learned key and value.
        add_zero_attn (bool): add one key and value of zeros.
        kdim, vdim (int, optional): sizes of keys and values. Default: `embed_dim`
        batch_first (bool): inputs are (N, L, E) in place of (L, N, E). Default: False
    """

    __constants__ = ["batch_first"]

    def __init__(
        self,
        embed_dim,
        num_heads,
        dropout=0.0,
        bias=True,
        add_bias_kv=False,
        add_zero_attn=False,
        kdim=None,
        vdim=None,
        batch_first=False,
        device=None,
        dtype=None,
    ):
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0,"
                f" got embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = kdim if kdim is not None else embed_dim
        self.vdim = vdim if vdim is not None else embed_dim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")

        def param(*shape):
            return Parameter(flambeau.empty(shape, device=device, dtype=dtype))

        if self._qkv_same_embed_dim:
            self.in_proj_weight = param(3 * embed_dim, embed_dim)
            self.register_parameter("q_proj_weight", None)
            self.register_parameter("k_proj_weight", None)
            self.register_parameter("v_proj_weight", None)
        else:
            self.q_proj_weight = param(embed_dim, embed_dim)
            self.k_proj_weight = param(embed_dim, self.kdim)
            self.v_proj_weight = param(embed_dim, self.vdim)
            self.register_parameter("in_proj_weight", None)
        if bias:
            self.in_proj_bias = param(3 * embed_dim)
        else:
            self.register_parameter("in_proj_bias", None)
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, device=device, dtype=dtype
        )
        if add_bias_kv:
            self.bias_k = param(1, 1, embed_dim)
            self.bias_v = param(1, 1, embed_dim)
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self):
        if self._qkv_same_embed_dim:
            init.xavier_uniform_(self.in_proj_weight)
        else:
            init.xavier_uniform_(self.q_proj_weight)
            init.xavier_uniform_(self.k_proj_weight)
            init.xavier_uniform_(self.v_proj_weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        if self.bias_k is not None:
            init.xavier_normal_(self.bias_k)
        if self.bias_v is not None:
            init.xavier_normal_(self.bias_v)

    def __setstate__(self, state):
        state.setdefault("_qkv_same_embed_dim", True)
        super().__setstate__(state)

    def forward(
        self,
        query,
        key,
        value,
        key_padding_mask=None,
        need_weights=True,
        attn_mask=None,
        average_attn_weights=True,
        is_causal=False,
    ):
        """Attend; see `nn.functional.multi_head_attention_forward` for the arguments.

        Returns:
            the output in the query's layout, and the weights: (N, L, S), (N, num_heads, L, S) when not
            averaged,
            None when `need_weights` is False.
        """
        swap = self.batch_first and query.dim() == 3
        if swap:
            # Equal inputs stay the same object, so that their projections are one product.
            if key is value:
                if query is key:
                    query = key = value = query.transpose(1, 0)
                else:
                    query, key = query.transpose(1, 0), key.transpose(1, 0)
                    value = key
            else:
                query, key, value = (x.transpose(1, 0) for x in (query, key, value))
        out, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (out.transpose(1, 0) if swap else out), weights

    def merge_masks(self, attn_mask, key_padding_mask, query):
        """One mask from both, and its type: 0 attention, 1 padding, 2 both, None without masks.

        Both together have the shape (N, num_heads, L, S).
        """
        mask_type = None
        merged = None
        if key_padding_mask is not None:
            mask_type = 1
            merged = canonical_mask(
                key_padding_mask, "key_padding_mask", None, "", query.dtype, check_other=False
            )
        if attn_mask is not None:
            attn_mask = canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, check_other=False)
            n, length = query.shape[:2]
            mask_type = 2
            if attn_mask.dim() == 3:
                expanded = attn_mask.reshape(n, -1, length, length)
            else:
                expanded = attn_mask.reshape(1, 1, length, length).expand(n, self.num_heads, -1, -1)
            merged_padding = merged
            merged = expanded
            if merged_padding is not None:
                merged = expanded + merged_padding.reshape(n, 1, 1, length).expand(-1, self.num_heads, -1, -1)
        return merged, mask_type
