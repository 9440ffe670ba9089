"""What layers, attention, initialisers and utilities do; the second half of `scenarios`."""

from evaluate import digest, raised


def shapes_and_errors(t, nn):
    return [
        raised(nn.Conv2d, 3, 4, 3, groups=2),
        raised(nn.Conv2d, 4, 3, 3, groups=2),
        raised(nn.Conv2d, 4, 4, 3, groups=0),
        raised(nn.Conv2d, 4, 4, 3, 2, "same"),
        raised(nn.ConvTranspose2d, 1, 1, 1, padding_mode="reflect"),
        raised(nn.ConvTranspose1d(1, 1, 3, 2), t.ones(1, 1, 4), output_size=[20]),
        raised(nn.ConvTranspose1d(1, 1, 3, 2), t.ones(1, 1, 4), output_size=[1, 2, 3, 4]),
        list(nn.ConvTranspose1d(1, 1, 3, 2)(t.ones(1, 1, 4), output_size=[10]).shape),
        raised(nn.BatchNorm1d(3), t.ones(1)),
        raised(nn.BatchNorm2d(3), t.ones(1)),
        raised(nn.BatchNorm3d(3), t.ones(1)),
        raised(nn.SyncBatchNorm(3), t.ones(1)),
        raised(nn.InstanceNorm2d(3, affine=True), t.ones(1, 4, 2, 2)),
        raised(nn.InstanceNorm1d(3), t.ones(1)),
        raised(nn.GroupNorm, 2, 3),
        raised(nn.Dropout, 2),
        raised(nn.Embedding, 3, 2, 3),
        raised(nn.Embedding, 3, 2, _weight=t.ones(1, 1)),
        raised(nn.Embedding.from_pretrained, t.ones(3)),
        raised(nn.Bilinear, 0, 1, 1),
        raised(nn.Hardtanh, 1, 0),
        raised(nn.Softmax2d(), t.ones(1)),
        raised(nn.Unflatten, 1, 3),
        raised(nn.Unflatten, 1, (2, "a")),
        raised(nn.Unflatten, 1.5, (2,)),
        raised(nn.Unflatten, "n", (2,)),
        raised(nn.FractionalMaxPool2d, 2),
        raised(nn.FractionalMaxPool2d, 2, 2, 0.5),
        raised(nn.FractionalMaxPool2d, 2, None, 1.5),
        raised(nn.FractionalMaxPool3d, 0, 2),
        raised(nn.MultiMarginLoss, 3),
        raised(nn.MultiMarginLoss, weight=t.ones(1, 1)),
        raised(nn.TripletMarginLoss, 0),
        raised(nn.MultiheadAttention, 5, 2),
        raised(nn.MultiheadAttention, 0, 2),
        raised(nn.LSTM, 4, 0),
        raised(nn.LSTM, 4, 3, 0),
        raised(nn.LSTM, 4, 3, proj_size=3),
        raised(nn.LSTM, 4, "a"),
        raised(nn.GRU, 4, 3, proj_size=2),
        raised(nn.RNN, 4, 3, nonlinearity="x"),
        raised(nn.LSTM, 4, 3, dropout=2),
        raised(nn.LSTM(4, 3), t.ones(2, 3, 5)),
        raised(nn.LSTM(4, 3), t.ones(5)),
        raised(nn.LSTM(4, 3), t.ones(2, 3, 4), (t.ones(1, 2, 3), t.ones(1, 2, 3))),
        raised(nn.LSTM(4, 3), t.ones(2, 3, 4), (t.ones(1, 3, 3), t.ones(1, 2, 3))),
        raised(nn.LSTM(4, 3), t.ones(2, 4), (t.ones(1, 1, 3), t.ones(1, 1, 3))),
        raised(nn.GRU(4, 3), t.ones(2, 4), t.ones(1, 1, 3)),
        raised(nn.GRU(4, 3), t.ones(2, 3, 4), t.ones(1, 2, 3)),
        raised(nn.LSTM(4, 3), t.ones(2, 3, 4, dtype=t.float64)),
        raised(nn.LSTMCell(4, 3), t.ones(1, 1, 4)),
        raised(nn.RNNCell(4, 3, nonlinearity="x"), t.ones(1, 4)),
        raised(nn.GRUCell(4, 3), t.ones(2, 5)),
        raised(nn.GRUCell(4, 3), t.ones(2, 4), t.ones(3, 3)),
        raised(nn.TransformerEncoderLayer, 8, 2, activation="foo"),
        raised(nn.Transformer(8, 2, 1, 1, 8), t.ones(2, 3, 8), t.ones(2, 2, 8)),
        raised(nn.Transformer(8, 2, 1, 1, 8), t.ones(2, 3, 4), t.ones(2, 3, 4)),
        raised(nn.AdaptiveLogSoftmaxWithLoss, 4, 5, [9]),
        raised(nn.AdaptiveLogSoftmaxWithLoss, 4, 5, []),
        raised(nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2]), t.ones(1, 4), t.tensor([7])),
        raised(nn.CrossMapLRN2d(2), t.ones(1)),
        raised(nn.functional.normalize, "x"),
        raised(nn.functional.gaussian_nll_loss, t.ones(2), t.ones(2), t.ones(3)),
        raised(nn.functional.gaussian_nll_loss, t.ones(2), t.ones(2), -t.ones(2)),
        raised(nn.functional.poisson_nll_loss, t.ones(2), t.ones(2), reduction="x"),
        raised(nn.functional.soft_margin_loss, t.ones(2), t.ones(2), reduction="x"),
        raised(nn.functional.local_response_norm, t.ones(2), 2),
        raised(nn.functional.alpha_dropout, t.ones(2), 3.0, True),
    ]


def attention_masks(t, nn):
    t.manual_seed(3)
    m = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x = t.randn(2, 4, 8, requires_grad=True)
    causal = nn.Transformer.generate_square_subsequent_mask(4)
    pad = t.tensor([[False, False, False, True], [False, False, True, True]])
    out = []
    for kw in (
        {"attn_mask": causal},
        {"attn_mask": causal, "is_causal": True, "need_weights": False},
        {"attn_mask": causal, "need_weights": False},
        {"attn_mask": causal == 0, "average_attn_weights": False},
        {"key_padding_mask": pad},
        {"key_padding_mask": pad, "need_weights": False},
        {
            "attn_mask": causal.repeat(4, 1, 1),
            "key_padding_mask": t.zeros(2, 4).masked_fill(pad, float("-inf")),
        },
    ):
        res, w = m(x, x, x, **kw)
        out.append([digest(res), None if w is None else digest(w)])
    layer = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True, dropout=0.0)
    enc = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    out.append(digest(enc(x, mask=causal, is_causal=True)))
    out.append(digest(enc(x, mask=causal)))
    out.append(digest(enc(x, src_key_padding_mask=pad)))
    dec = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 8, batch_first=True, dropout=0.0), 1)
    out.append(digest(dec(x, x, tgt_mask=causal, memory_key_padding_mask=pad)))
    out += [
        raised(m, x, x, x, is_causal=True),
        raised(m, x, x[:, :3], x),
        raised(m, x, x, x, attn_mask=t.ones(3, 3)),
        raised(m, t.ones(1, 1, 1, 8), x, x),
        raised(m, x, x[0], x[0]),
        raised(m, x[..., :4], x, x),
        raised(m, x, x, x, attn_mask=t.ones(3, 4, 4)),
        raised(m, x, x, x, attn_mask=t.ones(4, 4, dtype=t.int64)),
        raised(m, x, x, x, key_padding_mask=t.zeros(2, 3)),
    ]
    return out


def packed(t, nn):
    from importlib import import_module

    rnn = import_module(nn.__name__ + ".utils.rnn")
    t.manual_seed(5)
    seqs = [t.randn(n, 3) for n in (2, 4, 1)]
    padded = rnn.pad_sequence(seqs, batch_first=True)
    out = [digest(padded), digest(rnn.pad_sequence(seqs, padding_value=7.0, padding_side="left"))]
    p = rnn.pack_padded_sequence(padded, [2, 4, 1], batch_first=True, enforce_sorted=False)
    out += [digest(p.data), p.batch_sizes.tolist(), p.sorted_indices.tolist(), p.unsorted_indices.tolist()]
    back, lengths = rnn.pad_packed_sequence(p, batch_first=True, padding_value=-1.0, total_length=5)
    out += [digest(back), lengths.tolist(), [digest(s) for s in rnn.unpack_sequence(p)]]
    for layer in (
        nn.LSTM(3, 2, 2, bidirectional=True),
        nn.GRU(3, 2, bidirectional=True),
        nn.LSTM(3, 4, proj_size=2),
    ):
        y, h = layer(p)
        out += [digest(y.data), [digest(s) for s in (h if isinstance(h, tuple) else (h,))]]
    out += [
        raised(rnn.pack_padded_sequence, padded, [2, 4, 1], True),
        raised(rnn.pack_padded_sequence, padded, [4, 2], True),
        raised(rnn.pack_padded_sequence, padded, [4, 2, 0], True),
        raised(rnn.pad_packed_sequence, p, total_length=1),
        raised(rnn.pad_sequence, 3),
        raised(nn.LSTM(5, 2), p)[0],
    ]
    return out


def initialisers(t, nn):
    init = nn.init
    calls = [
        (init.uniform_, (), {"a": -1.0}),
        (init.normal_, (1.0, 2.0), {}),
        (init.trunc_normal_, (), {"std": 2.0}),
        (init.constant_, (0.3,), {}),
        (init.ones_, (), {}),
        (init.zeros_, (), {}),
        (init.eye_, (), {}),
        (init.xavier_uniform_, (2.0,), {}),
        (init.xavier_normal_, (), {}),
        (init.kaiming_uniform_, (), {"a": 0.2}),
        (init.kaiming_normal_, (), {"mode": "fan_out", "nonlinearity": "relu"}),
        (init.orthogonal_, (2,), {}),
        (init.sparse_, (0.3,), {}),
        (init.trunc_normal_, (), {"a": 0.5, "b": 1.0}),
        (init.trunc_normal_, (1.0, 0.1), {"b": 0.95}),
    ]
    out = []
    for fn, args, kwargs in calls:
        t.manual_seed(11)
        w = t.empty(5, 4)
        res = fn(w, *args, **kwargs)
        out.append([fn.__name__, digest(w), res is w, digest(fn(t.empty(3, 6), *args, **kwargs))])
    for shape in ((4, 2, 3), (4, 2, 3, 3), (6, 2, 1, 2, 3)):
        out.append(digest(init.dirac_(t.empty(*shape), 2)))
        out.append(digest(init.kaiming_uniform_(t.empty(*shape))))
    g = t.Generator()
    g.manual_seed(4)
    out.append(digest(init.normal_(t.empty(3), generator=g)))
    out.append(
        [
            init.calculate_gain(n)
            for n in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")
        ]
    )
    out.append(init.calculate_gain("leaky_relu", 0.5))
    one = t.empty(3)
    out += [
        raised(init.calculate_gain, "zzz"),
        raised(init.calculate_gain, "leaky_relu", "x"),
        raised(init.eye_, one),
        raised(init.dirac_, one),
        raised(init.dirac_, t.empty(3, 1, 1), 2),
        raised(init.xavier_uniform_, one),
        raised(init.kaiming_normal_, t.empty(2, 2), mode="x"),
        raised(init.orthogonal_, one),
        raised(init.sparse_, one, 0.1),
    ]
    p = nn.Parameter(t.empty(2, 2))
    init.ones_(p)
    return [*out, p.grad_fn is None, p.requires_grad]


def clipping(t, nn):
    u = nn.utils

    def make():
        ps = [nn.Parameter(t.ones(3)), nn.Parameter(t.ones(2)), nn.Parameter(t.ones(1))]
        ps[0].grad = t.tensor([3.0, -4.0, 0.0])
        ps[1].grad = t.tensor([0.0, 12.0])
        return ps

    out = []
    for norm in (2.0, 1.0, float("inf"), 3):
        ps = make()
        total = u.clip_grad_norm_(ps, 1.5, norm)
        out.append([digest(total), [digest(p.grad) for p in ps[:2]]])
    ps = make()
    u.clip_grad_norm_(iter(ps), 100.0)
    u.clip_grad_value_(ps, 2.5)
    out += [[p.grad.tolist() for p in ps[:2]], digest(u.get_total_norm([p.grad for p in ps[:2]]))]
    ps[0].grad = t.tensor([float("nan"), 1.0, 1.0])
    out.append(raised(u.clip_grad_norm_, ps, 1.0, error_if_nonfinite=True))
    out.append(digest(u.clip_grad_norm_([], 1.0)))
    vec = u.parameters_to_vector(ps)
    u.vector_to_parameters(vec * 2, ps)
    return [*out, digest(vec), [digest(p) for p in ps], raised(u.vector_to_parameters, 3, ps)]


def stateless(t, nn):
    call = nn.utils.stateless.functional_call
    m = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    tied = nn.Sequential(m[0], m[0])
    w = t.ones(2, 2, requires_grad=True)
    x = t.tensor([[1.0, 2.0], [3.0, 5.0]])
    before = m[0].weight
    y = call(m, {"0.weight": w, "0.bias": t.zeros(2), "1.running_mean": t.ones(2)}, x)
    (y * y * y).sum().backward()
    s = nn.utils.skip_init(nn.Linear, 3, 2)
    return [
        digest(y),
        digest(w.grad),
        m[0].weight is before,
        m[0].weight.grad is None,
        m[1].running_mean.tolist(),
        digest(call(tied, {"0.weight": t.ones(2, 2), "0.bias": t.zeros(2)}, (x,))),
        raised(call, m, {"9.weight": w}, x) is not None,
        raised(call, m, {"0.weight": w}, x, strict=True)[0],
        [list(s.weight.shape), s.weight.is_meta, isinstance(s.weight, nn.Parameter)],
        raised(nn.utils.skip_init, nn.ReLU),
    ]
