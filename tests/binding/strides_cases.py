"""Expressions whose results' strides are compared with PyTorch's: see tests/tools/record_strides.py.

A bar stands between two expressions; none of them uses it as an operator.
"""

# Pointwise, of every layout.
POINTWISE = """
x.acos() | x.asinh() | x.atan() | x.ceil() | x.cos() | x.cosh() | x.deg2rad() | x.digamma() | x.erf() | x.erfc() | x.erfinv()
x.exp2() | x.expm1() | x.floor() | x.frac() | x.lgamma() | x.log() | x.log10() | x.log1p() | x.log2() | x.logit()
x.rad2deg() | x.reciprocal() | x.rsqrt() | x.sgn() | x.signbit() | x.sin() | x.sinc() | x.sinh() | x.square() | x.tan() | x.trunc()
x.long().bitwise_not() | x.isinf() | x.isneginf() | x.isposinf() | x.isreal() | x.angle() | x.positive() | x.conj() | x.real
x.xlogy(x) | x.heaviside(x) | x.hypot(x) | x.logaddexp(x) | x.logaddexp2(x) | x.copysign(x) | x.nextafter(x) | x.long().gcd(x.long())
x.fmax(x) | x.fmin(x) | x.ldexp(x) | x.float_power(2) | x.float_power(x) | torch.rsub(x, 1) | x.logical_and(x) | x.logical_xor(x)
x.long() & x.long() | x.long() << 1 | x - 1 | 1 - x | 1 / x | x / 2 | x ** x | 2 ** x | x // x | x % x | x // 2 | x < x
F.celu(x) | F.selu(x) | F.hardswish(x) | F.hardsigmoid(x) | F.hardshrink(x) | F.softshrink(x) | F.tanhshrink(x) | F.softsign(x)
F.relu6(x) | F.mish(x) | F.threshold(x, 1, 0) | F.rrelu(x) | F.rrelu(x, training=True) | F.alpha_dropout(x, 0.5, True) | F.logsigmoid(x)
F.gelu(x, approximate='tanh') | F.prelu(x, torch.ones(1)) | F.dropout(x, 0.5, False) | F.dropout(x, 0.0) | F.dropout(x, 1.0)
torch.addcdiv(x, x, x) | x.lerp(x, x) | x.clamp(x, x) | x.clamp_max(3) | x.clamp_min(x) | x.clamp(min=x) | x.clip(0, 2)
torch.special.expit(x) | 
x.float() | x.real.double() | torch.complex(x, x) | torch.polar(x, x) | x.to(torch.complex64).imag | x.to(torch.complex64).abs()
x.to(torch.complex64).conj().resolve_conj() | x.to(torch.complex64).angle() | x.to(torch.complex64) * 2 | x.cfloat() + x
F.mse_loss(x, x, reduction='none') | F.l1_loss(x, x, reduction='none') | F.smooth_l1_loss(x, x, reduction='none') | F.huber_loss(x, x, reduction='none')
F.binary_cross_entropy(x.sigmoid(), x.sigmoid(), reduction='none') | F.binary_cross_entropy_with_logits(x, x, reduction='none')
F.kl_div(x, x, reduction='none') | F.soft_margin_loss(x, x, reduction='none') | F.poisson_nll_loss(x, x, reduction='none')
x.new_empty(x.shape) | x.new_full(x.shape, 2) | x.new_ones(x.shape) | x.mul_(2) | x.exp_() | x.zero_() | x.clamp_(0, 1) | x.sigmoid_()
x.cummin(-1)[0] | x.logcumsumexp(0) | x.masked_fill(x > 1, torch.tensor(2.)) | x.masked_scatter(x > 1, x) | x.take(torch.tensor([0]))
torch.bucketize(x, torch.arange(3.)) | torch.isclose(x, x) | torch.isin(x, torch.arange(3.))
F.softmin(x, 0) | x.softmax(0, dtype=torch.float64) | x.aminmax()[0] | x.max() | x.argmax() | x.norm() | x.median()
x.where(x > 1, x.double()) | torch.where(x > 1, 1.0, x) | torch.where(x > 1, 1, 0) | x.polygamma(1) | x.mvlgamma(1)
x.cpu() | x.to('cpu') | x.to(x) | x.to(torch.float32, copy=True) | x.type(torch.float64) | x.byte() | copy.deepcopy(x) | x.data
pickle.loads(pickle.dumps(x)) | torch.empty_like(x, dtype=torch.float64)
x.view(x.shape) | x.reshape(x.shape) | x.expand(x.shape) | x.sum_to_size(x.shape) | x.unsqueeze(0).squeeze(0) | torch.atleast_2d(x)
x.numpy().strides | torch.from_numpy(x.numpy()) | torch.as_tensor(x.numpy()) | torch.tensor(x.numpy())
x.resolve_neg() | torch.empty(3).set_(x) | x.new_tensor(x.tolist()) | x.untyped_storage().nbytes()
"""

# Of layouts with two dimensions or more.
RANKED = """
torch.std_mean(x, 0)[0] | torch.var_mean(x, -1, keepdim=True)[1] | x.aminmax(dim=0)[0] | x.norm(dim=-1, keepdim=True) | x.norm(p=1, dim=0)
x.logsumexp(0, keepdim=True) | x.nanmean(0) | x.prod(-1, keepdim=True) | x.cumsum(-1) | x.nanmedian(0)[0] | x.quantile(0.5, 0) | x.mode(0)[0]
torch.stack([x, x], 1) | torch.hstack([x, x]) | torch.vstack([x, x]) | torch.dstack([x, x]) | torch.column_stack([x, x]) | torch.cat([x, x.double()])
torch.cat([x, x], -1) | torch.cat([x[:0], x]) | torch.cat([x]) | torch.stack([x]) | torch.concat([x, x, x], -1)
x.index_put((torch.tensor([0]),), x[:1]) | x.index_copy(0, torch.tensor([0]), x[:1]) | x.scatter_add(0, torch.zeros_like(x, dtype=torch.int64), x)
x.scatter(0, torch.zeros_like(x, dtype=torch.int64), 1.0) | x.scatter_reduce(0, torch.zeros_like(x, dtype=torch.int64), x, 'sum')
x.take_along_dim(torch.zeros_like(x, dtype=torch.int64), 0) | x.masked_select(x > 1) | x[x[..., 0] > 1] | x[:, :1] | x[0, ..., 0] | x[:, None, 0]
x[torch.tensor([[0, 0], [0, 0]])] | x[:, torch.tensor([[0, 0], [0, 0]])] | x[torch.tensor([0]), torch.tensor([0])] | x[..., torch.tensor([0]), 0]
x[torch.tensor([0]), ..., torch.tensor([0])] | x.index_select(-1, torch.tensor([0])) | x.swapdims(0, 1).clone() | x.fliplr() | x.flipud()
x.rot90(2) | x.roll((1, 1), (0, 1)) | x.roll(2) | x.select_scatter(x[0], 0, 0) | x.slice_scatter(x[:1], 0, 0, 1) | x.diagonal_scatter(x.diagonal())
x.repeat_interleave(2, 0) | x.repeat_interleave(2, -1) | x.unfold(-1, 1, 1).clone() | x.moveaxis(0, -1).contiguous() | x.adjoint() | x.diagonal(0, 0, 1).clone()
x.expand(2, *x.shape).clone() | x.expand(2, *x.shape).contiguous() | x[None].expand(2, *x.shape) + 1 | x.sum(0).expand_as(x) | x.transpose(0, 1).reshape(-1)
x.transpose(0, 1) + x.transpose(0, 1).clone() | x.mul(x.sum(-1, keepdim=True)) | x.sum(0, keepdim=True) * x | x - x.mean(-1, keepdim=True)
x + x.double() | x.double() + x | x > x.contiguous() | x.contiguous() > x | x + x.transpose(0, 0) | x * x.select(0, 0) | torch.outer(x.flatten(), x.flatten())
x.matmul(x.mT.contiguous()) | x.contiguous().matmul(x.mT) | x.mT @ x | torch.ones(x.shape[-2]) @ x | x @ torch.ones(x.shape[-1], 2) | torch.ones(2, x.shape[-2]) @ x
F.linear(x, torch.ones(3, x.shape[-1]), torch.ones(3)) | F.rms_norm(x, x.shape[-1:]) | F.layer_norm(x, x.shape) | F.layer_norm(x, x.shape[-1:], torch.ones(x.shape[-1]))
F.pad(x, (1, 0, 0, 1)) | F.pad(x, (-1, 0)) | F.pad(x, (0, 0)) | F.cosine_similarity(x, x, 0) | F.normalize(x, dim=0) | F.gumbel_softmax(x) | F.glu(x[..., :0], -1)
x.diff(dim=0) | torch.trapezoid(x, dim=0) | x.logcumsumexp(-1)
x.sort(0)[1] | x.sort(-1, descending=True)[0] | x.msort() | x.topk(1, 0)[1] | x.argsort(0) | x.kthvalue(1, -1)[0] | x.nonzero()
torch.fft.fftshift(x)
torch.searchsorted(torch.arange(3.), x) | x.corrcoef() if x.dim() == 2 else x | x.histc(3)
torch.broadcast_tensors(x, x[:1])[1] | torch.empty_like(x[:1].expand_as(x)) | x[:1].expand_as(x).clone() | x.as_strided((2,), (1,)) | x.hsplit(1)[0]
x.gather(-1, torch.zeros_like(x, dtype=torch.int64)) | x.unbind(-1)[0].contiguous()
torch.einsum('...ij->...ji', x) | torch.einsum('i...->...', x) | torch.einsum('...ij,...kj->...ik', x, x) | x.cov() if x.dim() == 2 else x
F.embedding(x.long() % 3, torch.ones(3, 2)) | F.one_hot(x.long() % 3, 3) | F.dropout1d(x) if x.dim() == 3 else x | F.feature_alpha_dropout(x) if x.dim() > 2 else x
x.add_(x[:1]) | x.copy_(x.contiguous()) | x.t_() if x.dim() == 2 else x | x.transpose_(0, 1) | x.squeeze_() | x.unsqueeze_(0) | torch.empty(0).resize_as_(x)
torch.add(x, 1, out=torch.empty_like(x)) | torch.add(x, 1, out=torch.empty(0)) | torch.sum(x, 0, out=torch.empty(0)) | torch.add(x, x.contiguous(), out=torch.empty(0))
"""

# Matrices; `A` is 3x4, `B` 4x3, both plain, `At` and `Bt` transposed views of the same sizes; `S` is a batch of 2x3x3.
MATRICES = """
A @ B | At @ B | A @ Bt | At @ Bt | A.mm(B) | (A @ B).t() | A.mv(torch.ones(4)) | torch.dot(A[0], A[0]) | torch.addmm(A @ B, A, B) | torch.addmm(A @ B, At, Bt)
torch.addmm(torch.ones(3), A, B) | torch.addmv(torch.ones(3), At, torch.ones(4)) | torch.addr(A, torch.ones(3), torch.ones(4)) | torch.ger(A[0], A[1])
S @ S | S.mT @ S | S @ S.mT | S.bmm(S.transpose(0, 0)) | torch.baddbmm(S, S, S.mT) | torch.addbmm(S[0], S, S) | S.permute(1, 2, 0) @ torch.ones(3, 2, 2)
S @ torch.ones(3) | S @ torch.ones(3, 5) | torch.ones(3) @ S | torch.ones(5, 3) @ S | S[:, None] @ S[None] | S.transpose(0, 1) @ torch.ones(3, 4) | S.expand(2, 2, 3, 3) @ S
torch.linalg.multi_dot([A, B, A]) | torch.chain_matmul(A, B) | torch.tensordot(A, B, 1) | torch.tensordot(At, Bt, ([0], [1])) | torch.kron(A, B) | torch.inner(A, Bt.t())
torch.einsum('ij,jk->ik', A, B) | torch.einsum('ij,jk->ki', A, B) | torch.einsum('ij,jk->kij', A, B) | torch.einsum('bij,bkj->bik', S, S) | torch.einsum('bij,bjk->kbi', S, S)
torch.einsum('ij,ij->i', A, At) | torch.einsum('ij->ji', A) | torch.einsum('ij->j', A) | torch.einsum('i,j->ij', A[0], A[1]) | torch.einsum('bij,jk->bik', S, S[0]) | torch.einsum('ii->i', S[0])
torch.einsum('bij,bij->bj', S, S) | torch.einsum('bhqd,bhkd->bhqk', S[None], S[None]) | torch.einsum('bqhd,bkhd->bhqk', S[None], S[None])
F.linear(A, At) | F.linear(S, S[0]) | F.linear(S.transpose(0, 1), A.t()[:, :3]) | F.linear(S.mT, S[0], S[0, 0]) | F.linear(A[0], At) | F.bilinear(A, A, torch.ones(2, 4, 4))
torch.cdist(A, At) | F.pdist(A) | torch.cross(A[:, :3], A[:, 1:]) | torch.linalg.cross(S, S) | torch.trace(A) | torch.tril(At) | torch.triu(S.mT)
torch.linalg.inv(P) | torch.linalg.inv(P.mT) | torch.linalg.solve(P, S) | torch.linalg.solve(P, S[:, 0]) | torch.linalg.cholesky(P) | torch.linalg.cholesky(P, upper=True)
torch.linalg.eigh(P)[1] | torch.linalg.svd(P)[0] | torch.linalg.svd(P)[2] | torch.linalg.svd(At)[0] | torch.linalg.svd(A, full_matrices=False)[2] | torch.linalg.qr(P)[0] | torch.linalg.qr(P)[1] | torch.linalg.qr(A)[0]
torch.linalg.qr(At, mode='complete')[0] | torch.linalg.lu(P)[1] | torch.linalg.lu_factor(P)[0] | torch.linalg.pinv(P) | torch.linalg.pinv(A) | torch.linalg.det(P) | torch.linalg.slogdet(P)[1] | torch.linalg.matrix_exp(P)
torch.linalg.matrix_power(P, 3) | torch.linalg.matrix_power(P, -1) | torch.linalg.lstsq(A, A[:, :2])[0] | torch.linalg.solve_triangular(P, S, upper=True) | torch.cholesky_solve(S, P) | torch.cholesky_inverse(P)
torch.linalg.eig(P)[1] | torch.linalg.eigvalsh(P) | torch.linalg.svdvals(P) | torch.linalg.matrix_norm(P) | torch.linalg.vector_norm(P, dim=(0, 1)) | torch.linalg.householder_product(A.t(), torch.ones(3))
F.scaled_dot_product_attention(S, S, S) | F.scaled_dot_product_attention(S[None], S[None], S[None]) | F.scaled_dot_product_attention(*[S[None].transpose(1, 2)] * 3, is_causal=True)
F.scaled_dot_product_attention(*[S[None].transpose(1, 2).clone()] * 3, attn_mask=torch.ones(2, 2)) | torch.nn.MultiheadAttention(4, 2, batch_first=True)(*[torch.ones(3, 2, 4)] * 3)[1]
torch.nn.LSTM(3, 4)(torch.ones(5, 2, 3))[1][0] | torch.nn.LSTM(3, 4, 2, bidirectional=True)(torch.ones(5, 2, 3))[0] | torch.nn.LSTM(3, 4, batch_first=True)(torch.ones(2, 5, 3))[1][1] | torch.nn.RNN(3, 4)(torch.ones(5, 2, 3))[0]
torch.nn.GRU(3, 4)(torch.ones(5, 2, 3))[1] | torch.nn.LSTMCell(3, 4)(torch.ones(5, 3))[0] | torch.nn.GRUCell(3, 4)(torch.ones(5, 3)) | torch.nn.Embedding(5, 3)(torch.ones(2, 4, dtype=torch.long).t())
F.embedding_bag(torch.ones(2, 4, dtype=torch.long), A) | torch.nn.Transformer(4, 2, 1, 1, 8)(torch.ones(3, 2, 4), torch.ones(3, 2, 4)) | torch.complex(A, A) @ torch.complex(B, B) | torch.complex(A, A).mH
torch.complex(A, A).mH.clone() | A.double() @ B.double() | A.long() @ B.long() | A.bfloat16() @ B.bfloat16() | torch.block_diag(A, At) | torch.cartesian_prod(A[0], A[0]) | torch.diag(A) | torch.diagflat(A)
torch.meshgrid(A[0], A[1], indexing='ij')[1] | torch.tril_indices(3, 3) | torch.triu_indices(3, 4) | torch.logspace(0, 1, 3) | torch.histc(A, 4)
"""

# Pictures; W is (4, 3, 2, 2), `Wl` the same channels-last, K depthwise (3, 1, 2, 2), T transposed (3, 4, 2, 2).
IMAGES = """
F.conv2d(x, W, V4) | F.conv2d(x, Wl, V4, padding=1) | F.conv2d(x, K, groups=3) | F.conv2d(x, K, padding='same', groups=3) | F.conv2d(x, W[:, :, :1, :1]) | F.conv2d(x, Wl[:, :, :1, :1])
F.conv2d(x, W, dilation=2) | F.conv2d(x, W, stride=2) | F.conv_transpose2d(x, T, stride=2) | F.conv_transpose2d(x, T.to(memory_format=torch.channels_last)) | F.conv_transpose2d(x, K, groups=3)
F.conv2d(x[0], W) | F.max_pool2d(x[0], 2) | F.max_pool2d(x, 2, 1, 1) | F.max_pool2d(x, 2, ceil_mode=True) | F.avg_pool2d(x, 2, 1, 1) | F.lp_pool2d(x, 2, 2) | F.avg_pool2d(x[0], 2)
F.adaptive_avg_pool2d(x, (2, 1)) | F.adaptive_avg_pool2d(x[0], 2) | F.adaptive_avg_pool2d(x, (None, 1)) | F.adaptive_max_pool2d(x, 2, return_indices=True)[1] | F.adaptive_max_pool2d(x, 1)
F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2) | F.batch_norm(x, M, V, training=True) | F.batch_norm(x, None, None, V, M, training=True) | F.batch_norm(x, M, V, V, M)
F.instance_norm(x, M, V) | F.instance_norm(x, weight=V, bias=M) | F.group_norm(x, 3) | F.group_norm(x, 3, V, M) | F.group_norm(x, 1) | F.layer_norm(x, x.shape[1:]) | F.layer_norm(x, x.shape[-1:])
F.interpolate(x, 6) | F.interpolate(x, scale_factor=2, mode='nearest-exact') | F.interpolate(x, scale_factor=2, mode='bicubic') | F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=True)
F.interpolate(x, 2, mode='area') | F.interpolate(x, scale_factor=0.5) | F.interpolate(x, scale_factor=1)
F.pad(x, (1, 1), mode='replicate') | F.pad(x, (1, 1, 1, 1), mode='replicate') | F.pad(x, (1, 1, 1, 1), mode='circular') | F.pad(x, (1, 1, 1, 1), value=2.0) | F.pad(x, (0, 0, 0, 0, 0, 1)) | F.pad(x, (-1, 0, 0, 0))
F.pixel_shuffle(torch.cat([x] * 4, 1), 2) | F.pixel_unshuffle(x[:, :, :4, :4], 2) if x.shape[2] > 3 and len(x) else x | F.channel_shuffle(x, 3) | F.fold(F.unfold(x, 2), x.shape[2:], 2) | F.unfold(x, 2)
F.grid_sample(x, torch.zeros(x.shape[0], 2, 2, 2), align_corners=False) | F.affine_grid(torch.ones(2, 2, 3), (2, 3, 4, 5), align_corners=False) | F.local_response_norm(x, 2) | F.dropout2d(x) | F.alpha_dropout(x)
F.cosine_similarity(x, x) | F.pairwise_distance(x, x) | F.softmax(x, 1) | F.log_softmax(x, 1) | F.gumbel_softmax(x, dim=1) | F.normalize(x) | F.prelu(x, V) | x * V.view(1, -1, 1, 1) | x + V.view(-1, 1, 1)
x.mean((2, 3), keepdim=True) * x | x * x.mean((2, 3), keepdim=True) | x.sum(1, keepdim=True) + x | x + x.sum(1, keepdim=True) | x.flatten(2).transpose(1, 2) | x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, x.shape[1])
x.view(x.shape) + 1 | x.reshape(x.shape[0], -1) | x.half() | x.double() | x.to(torch.uint8) | x.float() / 255 | x.to(memory_format=torch.contiguous_format) | x.to('cpu', torch.float64, memory_format=torch.channels_last)
x.contiguous(memory_format=torch.channels_last).clone() | x.is_contiguous(memory_format=torch.channels_last) | x.clone(memory_format=torch.preserve_format) | torch.rand_like(x, memory_format=torch.channels_last)
torch.ones_like(x, memory_format=torch.preserve_format) | torch.full_like(x, 1, memory_format=torch.contiguous_format) | torch.cat([x, x], 1) | torch.cat([x, x.contiguous(memory_format=torch.channels_last)]) | torch.stack([x, x]) | torch.stack([x, x], -1)
torch.cat([x.contiguous(memory_format=torch.channels_last), x], 1) | torch.cat([x[:, :1], x], 1) | x.chunk(3, 1)[0] | torch.cat(x.chunk(3, 1), 1) | x.split(1)[0] | x[:, :2].clone() | x[:, ::2] + 1 | x[:, :, ::2].exp() | x[:, [0, 2]]
x.index_select(1, torch.tensor([2, 0])) | x[x.shape[0] - 1:] | x.repeat(1, 1, 2, 1) | x.expand(2, *x.shape).sum(0) | x.flip(1) | x.flip(-1) | x.roll(1, 2) | x.roll(1, 1) | x.argmax(1, keepdim=True) | x.max(1, keepdim=True)[0]
x.amax((2, 3)) | x.amax((2, 3), keepdim=True) | x.var((0, 2, 3)) | x.std(1, keepdim=True) | x.logsumexp(1, keepdim=True) | x.cumsum(1) | x.sort(1)[0] | x.topk(1, 1)[0] | x.norm(dim=1, keepdim=True) | x.matmul(x.mT) | x @ torch.ones(x.shape[-1], 2)
F.cross_entropy(x, torch.zeros(x.shape[0], *x.shape[2:], dtype=torch.long), reduction='none') | F.nll_loss(x, torch.zeros(x.shape[0], *x.shape[2:], dtype=torch.long), reduction='none') | F.one_hot(x.long() % 3, 3)
x.bool().logical_or(x.bool()) | x.lerp(x.contiguous(), 0.5) | torch.where(x > 2, x, x.contiguous()) | x.clamp(0, 1) | x.masked_fill(x > 2, 0) | x.masked_fill(x[:, :1] > 2, 0) | F.hardtanh(x)
torch.nn.Conv2d(3, 4, 3, padding=1)(x) | torch.nn.Conv2d(3, 4, 3, padding=1).to(memory_format=torch.channels_last)(x) | torch.nn.Conv2d(3, 4, 3, padding=1, padding_mode='reflect')(x) | torch.nn.BatchNorm2d(3)(x) | torch.nn.BatchNorm2d(3).eval()(x)
torch.nn.GroupNorm(3, 3)(x) | torch.nn.InstanceNorm2d(3)(x) | torch.nn.LayerNorm(x.shape[1:])(x) | torch.nn.ConvTranspose2d(3, 4, 2)(x) | torch.nn.AdaptiveAvgPool2d(1)(x) | torch.nn.Flatten()(x) | torch.nn.Upsample(scale_factor=2)(x) | torch.nn.ZeroPad2d(1)(x)
torch.nn.ReflectionPad2d(1)(x) | torch.nn.Sequential(torch.nn.Conv2d(3, 4, 2), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.MaxPool2d(2)).to(memory_format=torch.channels_last)(x) | torch.nn.Softmax2d()(x) | torch.nn.Dropout2d()(x) | torch.nn.PReLU(3)(x)
"""

VOLUMES = """
F.conv3d(x, torch.ones(4, 3, 2, 2, 2)) | F.conv3d(x, torch.ones(3, 1, 2, 2, 2), groups=3) | F.conv_transpose3d(x, torch.ones(3, 4, 2, 2, 2)) | F.conv3d(x, torch.ones(4, 3, 2, 2, 2).to(memory_format=torch.channels_last_3d))
F.max_pool3d(x, 2, 1) | F.max_pool3d(x, 2, 1, return_indices=True)[1] | F.avg_pool3d(x, 2, 1) | F.adaptive_avg_pool3d(x, 2) | F.adaptive_avg_pool3d(x, 1) | F.adaptive_max_pool3d(x, 2) | F.batch_norm(x, M, V, training=True) | F.instance_norm(x)
F.group_norm(x, 3) | F.layer_norm(x, x.shape[1:]) | F.interpolate(x, scale_factor=2) | F.interpolate(x, scale_factor=2, mode='trilinear') | F.interpolate(x, 2, mode='area') | F.interpolate(x, scale_factor=2, mode='nearest-exact')
F.pad(x, (1,) * 6) | F.pad(x, (1,) * 6, mode='replicate') | F.pad(x, (1,) * 6, mode='reflect') | F.pad(x, (1,) * 6, mode='circular') | x.contiguous(memory_format=torch.channels_last_3d) | x.to(memory_format=torch.channels_last_3d)
x.is_contiguous(memory_format=torch.channels_last_3d) | torch.cat([x, x], 1) | torch.stack([x[0], x[0]]) | x + V.view(-1, 1, 1, 1) | x.mean((2, 3, 4)) | x.sum(1, keepdim=True) | x.clone() | torch.zeros_like(x) | x[:, :, 0] | x[0]
x.softmax(1) | F.dropout3d(x) | F.normalize(x) | F.prelu(x, V) | x.permute(0, 2, 3, 4, 1) | x.flatten(2) | x * x.mean((2, 3, 4), keepdim=True) | x[:, :, ::2] + 1 | x[:, [0, 2]] | F.grid_sample(x, torch.zeros(x.shape[0], 2, 2, 2, 3), align_corners=False)
"""

LINES = """
F.conv1d(x, torch.ones(4, 3, 2)) | F.conv1d(x, torch.ones(3, 1, 2), groups=3) | F.conv_transpose1d(x, torch.ones(3, 4, 2)) | F.max_pool1d(x, 2) | F.max_pool1d(x, 2, return_indices=True)[1] | F.avg_pool1d(x, 2) | F.adaptive_avg_pool1d(x, 2)
F.adaptive_max_pool1d(x, 2) | F.batch_norm(x, M, V) | F.batch_norm(x, M, V, training=True) | F.instance_norm(x) | F.group_norm(x, 3) | F.interpolate(x, scale_factor=2) | F.interpolate(x, scale_factor=2, mode='linear') | F.pad(x, (1, 1), mode='reflect')
F.pad(x, (1, 1), mode='replicate') | F.pad(x, (1, 1), mode='circular') | F.pad(x, (1, 1)) | F.lp_pool1d(x, 2, 2) | F.conv1d(x.transpose(1, 2).contiguous().transpose(1, 2), torch.ones(4, 3, 2)) | F.dropout1d(x) | F.prelu(x, V) | F.local_response_norm(x, 2)
"""

# Gradients: `acc(f)` is `.grad` of a leaf with the layout of x after `f(leaf).backward()`, `raw(f)` what autograd.grad returns.
GRADS = """
acc(lambda x: x.exp().sum()) | acc(lambda x: x.sum()) | acc(lambda x: (x * 2).sum()) | acc(lambda x: x.contiguous().exp().sum()) | acc(lambda x: x.reshape(-1)[0]) | acc(lambda x: (x * x.contiguous()).sum()) | acc(lambda x: x.clone().sum())
acc(lambda x: x.mean()) | acc(lambda x: x.double().sum()) | acc(lambda x: (x + x).sum() + x.sum()) | acc(lambda x: x.select(0, 0).sum()) | acc(lambda x: x.max()) | acc(lambda x: torch.cat([x, x]).sum()) | acc(lambda x: x.norm()) | acc(lambda x: x.sum(0).exp().sum())
acc(lambda x: x.transpose(0, -1).contiguous().exp().sum()) | acc(lambda x: x[..., :1].exp().sum()) | acc(lambda x: x.flatten().softmax(0)[0]) | acc(lambda x: (x.exp().sum() + x.sum()), 2) | acc(lambda x: x.expand(2, *x.shape).exp().sum())
raw(lambda x: x.exp().sum()) | raw(lambda x: x.sum()) | raw(lambda x: x.relu().sum()) | raw(lambda x: (x * x).sum()) | raw(lambda x: x.mean()) | raw(lambda x: x.contiguous().exp().sum()) | raw(lambda x: x.sum(0).exp().sum()) | raw(lambda x: x.select(0, 0).sum())
raw(lambda x: x.softmax(0).exp().sum()) | raw(lambda x: torch.cat([x, x]).exp().sum()) | raw(lambda x: x.reshape(-1).exp().sum()) | raw(lambda x: x.clone().sum()) | raw(lambda x: x.sigmoid().sum()) | raw(lambda x: x[:1].exp().sum()) | raw(lambda x: x.max())
"""

IMAGE_GRADS = """
acc(lambda x: F.conv2d(x, W).sum()) | acc(lambda x: F.conv2d(x, W).exp().sum()) | acc(lambda x: F.max_pool2d(x, 2).sum()) | acc(lambda x: F.batch_norm(x, M, V, training=True).exp().sum()) | acc(lambda x: F.interpolate(x, scale_factor=2).sum())
acc(lambda x: F.adaptive_avg_pool2d(x, 1).sum()) | acc(lambda x: F.avg_pool2d(x, 2).exp().sum()) | acc(lambda x: F.pad(x, (1, 1)).sum()) | acc(lambda x: F.group_norm(x, 3).exp().sum()) | acc(lambda x: F.relu(x).sum()) | acc(lambda x: x.flatten(1).exp().sum())
raw(lambda x: F.conv2d(x, W).exp().sum()) | raw(lambda x: F.max_pool2d(x, 2).exp().sum()) | raw(lambda x: F.avg_pool2d(x, 2).exp().sum()) | raw(lambda x: F.batch_norm(x, M, V, training=True).exp().sum())
raw(lambda x: F.adaptive_avg_pool2d(x, 2).exp().sum()) | raw(lambda x: F.relu(x).exp().sum()) | raw(lambda x: F.conv_transpose2d(x, T).exp().sum())
raw(lambda w: F.conv2d(x, w).exp().sum(), W) | acc(lambda w: F.conv2d(x, w).exp().sum(), 1, Wl) | acc(lambda w: F.conv2d(x, w).exp().sum(), 1, W) | raw(lambda w: F.conv2d(x, w, groups=3).exp().sum(), K)
"""

# Modules and what they keep.
MODULES = """
torch.nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last).weight | torch.nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last).bias | torch.nn.Linear(3, 4).to(memory_format=torch.channels_last).weight
torch.nn.Conv3d(3, 4, 2).to(memory_format=torch.channels_last_3d).weight | torch.nn.Conv1d(3, 4, 2).to(memory_format=torch.channels_last).weight
torch.nn.Conv2d(3, 4, 1).to(memory_format=torch.channels_last).weight | torch.nn.Conv2d(1, 4, 2).to(memory_format=torch.channels_last).weight | torch.nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last).double().weight
copy.deepcopy(torch.nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)).weight | torch.nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last).state_dict()['weight'] | torch.nn.Parameter(Wl) | torch.nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last).to(memory_format=torch.contiguous_format).weight
stepped(torch.optim.SGD, momentum=0.9)['momentum_buffer'] | stepped(torch.optim.Adam)['exp_avg'] | stepped(torch.optim.AdamW)['exp_avg_sq'] | stepped(torch.optim.RMSprop)['square_avg'] | stepped(torch.optim.Adagrad)['sum'] | stepped(torch.optim.Adadelta)['acc_delta']
torch.nn.init.zeros_(Wl) | torch.nn.init.normal_(torch.empty_like(Wl)) | torch.nn.init.kaiming_uniform_(Wl) | torch.nn.Embedding(3, 4).weight | torch.nn.LSTM(3, 4).weight_hh_l0 | torch.nn.MultiheadAttention(4, 2).in_proj_weight
torch.nn.ConvTranspose2d(3, 4, 2).to(memory_format=torch.channels_last).weight | torch.nn.Conv2d(3, 3, 2, groups=3).to(memory_format=torch.channels_last).weight | torch.utils.data.default_collate([W, W]) | torch.utils.data.default_collate([Wl[0], Wl[0]])
"""
