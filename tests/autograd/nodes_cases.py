"""Expressions whose graphs are compared with PyTorch's: see tests/tools/record_nodes.py. A bar stands between two."""

# x and y are leaves of (2, 3); s is a leaf of no dimension; z is complex; A is a square leaf, P positive definite.
ELEMENTWISE = """
x + y | x + 1 | 1 + x | x - y | 1 - x | x * y | x * 2 | x / y | 2 / x | x / 2 | -x | x ** 2 | x ** y | 2 ** x | x ** 0.5 | x % 2 | x + s | s * x
torch.add(x, y, alpha=2) | torch.rsub(x, y) | x.abs() | x.exp() | x.exp2() | x.expm1() | x.log() | x.log2() | x.log10() | x.log1p() | x.sqrt() | x.rsqrt() | x.square()
x.sin() | x.cos() | x.tan() | x.asin() | x.acos() | x.atan() | x.sinh() | x.cosh() | x.tanh() | x.asinh() | x.acosh() | x.atanh() | x.sigmoid() | x.erf() | x.erfc() | x.erfinv()
x.reciprocal() | x.sign() | x.sgn() | x.ceil() | x.floor() | x.round() | x.round(decimals=1) | x.trunc() | x.frac() | x.lgamma() | x.digamma() | x.polygamma(1) | x.sinc() | x.logit() | x.deg2rad() | x.rad2deg()
x.clamp(0, 1) | x.clamp(min=0) | x.clamp(max=1) | x.clamp_min(0) | x.clamp_max(1) | x.clamp(x, y) | x.clamp_min(y) | x.relu() | x.nan_to_num() | x.neg() | x.positive() | x.hypot(y) | x.atan2(y)
x.maximum(y) | x.minimum(y) | x.fmax(y) | x.fmin(y) | x.logaddexp(y) | x.logaddexp2(y) | x.xlogy(y) | x.copysign(y) | x.fmod(2) | x.fmod(y) | x.remainder(2) | x.remainder(y) | x.lerp(y, 0.5) | x.lerp(y, y) | x.float_power(2)
torch.addcmul(x, x, y) | torch.addcdiv(x, x, y) | torch.where(x > 0, x, y) | torch.where(x > 0, x, 0.0) | x.masked_fill(x > 0, 0) | x.masked_fill(x > 0, s) | x.ldexp(y) | x.mvlgamma(1) | x.nextafter(y)
torch.complex(x, y) | torch.polar(x, y) | z.real | z.imag | z.abs() | z.angle() | z.conj() | z * z | torch.view_as_real(z) | z.conj() * z | z.exp() | x.to(torch.complex64) | z.real.sum() | z.sgn()
x.double() | x.half() | x.to(torch.float64) | x.float() | x.type(torch.float64) | x.clone() | x.contiguous() | x.t().contiguous() | x.detach() | x.to('cpu') | x.to(torch.float64, copy=True) | x.bfloat16().float()
torch.div(x, y, rounding_mode='floor') | torch.div(x, 2, rounding_mode='trunc') | torch.true_divide(x, y) | torch.sub(x, 1) | torch.mul(x, s) | torch.pow(x, 3) | torch.pow(x, y) | torch.pow(2.0, x) | x.logical_not() | x > y
"""

ACTIVATIONS = """
F.relu(x) | F.relu6(x) | F.elu(x) | F.selu(x) | F.celu(x) | F.leaky_relu(x) | F.gelu(x) | F.gelu(x, approximate='tanh') | F.silu(x) | F.mish(x) | F.softplus(x) | F.logsigmoid(x) | F.sigmoid(x) | F.tanh(x) | F.hardtanh(x)
F.hardswish(x) | F.hardsigmoid(x) | F.hardshrink(x) | F.softshrink(x) | F.tanhshrink(x) | F.softsign(x) | F.threshold(x, 0, 1) | F.prelu(x, s.reshape(1)) | F.prelu(x, v) | F.glu(q)
F.softmax(x, 1) | F.log_softmax(x, 1) | F.softmin(x, 1) | x.softmax(0) | x.log_softmax(-1) | F.dropout(x, 0.5) | F.dropout(x, 0.5, False) | F.dropout(x, 1.0) | F.dropout2d(i) | F.alpha_dropout(x, 0.5, True)
torch.relu_(x * 1) | torch.nn.ReLU(inplace=True)(x * 1) | (x * 1).sigmoid_() | (x * 1).exp_() | (x * 1).tanh_() | F.hardtanh(x * 1, inplace=True) | F.dropout(x * 1, 0.5, inplace=True)
"""

REDUCTIONS = """
x.sum() | x.sum(0) | x.sum((0, 1)) | x.sum(1, keepdim=True) | x.sum(dtype=torch.float64) | x.mean() | x.mean(1) | x.mean((0, 1)) | x.prod() | x.prod(1) | x.var() | x.var(1) | x.std() | x.std(1) | x.var(1, unbiased=False) | torch.var_mean(x, 1) | torch.std_mean(x, 1)
x.max() | x.min() | x.max(1) | x.min(1) | x.max(1)[0] | x.amax(1) | x.amin(1) | x.amax() | x.aminmax() | x.median() | x.median(1) | x.nanmedian() | x.mode(1) | x.kthvalue(1, 1) | x.topk(2) | x.sort() | x.sort(0)[0] | x.argsort() | x.cumsum(1) | x.cumprod(1) | x.cummax(1) | x.cummin(1)
x.logsumexp(1) | x.logcumsumexp(1) | x.norm() | x.norm(dim=1) | x.norm(p=1) | x.norm(p=1, dim=1) | torch.linalg.vector_norm(x) | torch.linalg.norm(x) | torch.linalg.matrix_norm(x) | x.dist(y) | x.nansum() | x.nansum(1) | x.nanmean() | x.renorm(2, 0, 1) | x.trace() | x.aminmax(dim=1)
x.all() | x.count_nonzero() | x.argmax() | x.diff()
"""

SHAPES = """
x.t() | x.T | x.mT | x.transpose(0, 1) | x.permute(1, 0) | x.reshape(6) | x.view(6) | x.view(3, 2) | x.t().reshape(6) | x.flatten() | x.ravel() | x.reshape(2, 3) | x.squeeze() | x.unsqueeze(0) | x[None] | x.unsqueeze(0).squeeze(0) | x.unsqueeze(0).squeeze()
x.expand(4, 2, 3) | x.expand_as(x) | x.broadcast_to(4, 2, 3) | x.repeat(2, 1) | x.tile(2) | x.repeat_interleave(2) | x.repeat_interleave(2, 1) | x.flip(0) | x.fliplr() | x.roll(1) | x.roll(1, 0) | x.rot90() | x.tril() | x.triu() | v.diag() | x.diagonal() | v.diag_embed() | x.movedim(0, 1) | x.swapaxes(0, 1)
x[0] | x[:, 0] | x[0, 1] | x[:1] | x[:, ::2] | x[..., 0] | x[x > 0] | x[[0, 1]] | x[torch.tensor([0, 1])] | x[:, torch.tensor([0, 1])] | x[torch.tensor([0]), torch.tensor([1])] | x[None, 0] | x.select(0, 0) | x.narrow(0, 0, 1) | x.index_select(0, torch.tensor([0])) | x.gather(1, n) | x.take(torch.tensor([0])) | F.pad(l, (1, 1), mode='reflect') | F.pad(i, (1, 1, 1, 1), mode='reflect') | x.masked_select(x > 0) | x.take_along_dim(n, 1)
x.scatter(1, n, y) | x.scatter(1, n, 1.0) | x.scatter_add(1, n, y) | x.scatter_reduce(1, n, y, 'sum') | x.index_add(0, torch.tensor([0]), y[:1]) | x.index_copy(0, torch.tensor([0]), y[:1]) | x.index_fill(0, torch.tensor([0]), 1) | x.index_put((torch.tensor([0]),), y[0]) | x.masked_scatter(x > 0, y)
torch.cat([x, y]) | torch.stack([x, y]) | torch.hstack([x, y]) | torch.vstack([x, y]) | torch.dstack([x, y]) | torch.column_stack([x, y]) | x.split(1) | x.split([1, 1]) | x.chunk(2) | x.unbind() | x.tensor_split(2) | x.unfold(1, 2, 1) | x.as_strided((2,), (1,)) | x.view_as(y) | x.unflatten(1, (3, 1))
torch.meshgrid(v, v, indexing='ij') | torch.block_diag(x, y) | torch.cartesian_prod(v, v) | torch.broadcast_tensors(x, v) | torch.atleast_2d(v) | x.select_scatter(v, 0, 0) | x.slice_scatter(y[:1], 0, 0, 1) | x.diagonal_scatter(v[:2]) | F.pad(x, (1, 1)) | F.pad(i, (1, 1, 1, 1), mode='replicate') | F.one_hot(n)
x.T.clone() | x.sum_to_size(1, 3) | x.adjoint() | x.mH | z.mH | z.H | z.adjoint() | x.swapdims(0, 1) | x.moveaxis(0, 1) | torch.atleast_3d(x) | x.hsplit(3)
"""

PRODUCTS = """
A @ A | A.mm(A) | A @ v | A.mv(v) | v @ v | v.dot(v) | v @ A | torch.outer(v, v) | torch.addmm(A, A, A) | torch.addmv(v, A, v) | torch.addr(A, v, v) | b.bmm(b) | torch.baddbmm(b, b, b) | torch.addbmm(A, b, b) | b @ A | b @ v | b[:, None] @ b
torch.einsum('ij->ji', A) | torch.tensordot(A, A, 1) | torch.cross(x, y, dim=1) | torch.cdist(x, y) | F.pdist(x)
F.linear(x, A) | F.linear(x, A, v) | F.linear(b, A) | F.linear(b, A, v) | F.linear(v, A, v) | F.linear(v, A) | torch.nn.Linear(3, 4)(x) | torch.nn.Linear(3, 4, bias=False)(b) | x.mm(A.t()) | F.scaled_dot_product_attention(h, h, h)
torch.linalg.inv(P) | torch.inverse(P) | torch.linalg.solve(P, v) | torch.linalg.solve(P, A) | torch.linalg.cholesky(P) | torch.linalg.det(P) | torch.linalg.slogdet(P) | torch.linalg.eigh(P) | torch.linalg.svd(A) | torch.linalg.qr(A) | torch.linalg.pinv(A) | torch.linalg.eigvalsh(P) | torch.linalg.svdvals(A) | torch.linalg.matrix_exp(A) | torch.linalg.lu(A) | torch.linalg.lu_factor(A) | torch.linalg.eig(A) | torch.linalg.solve_triangular(P, A, upper=True) | torch.cholesky_solve(A, P)
torch.fft.fftshift(x)
"""

LAYERS = """
F.conv1d(l, w1) | F.conv2d(i, w2) | F.conv2d(i, w2, c4) | F.conv3d(d, w5) | F.conv_transpose2d(i, w2.transpose(0, 1)) | F.conv2d(i[0], w2) | F.conv2d(i, w2, padding='same') | torch.nn.Conv2d(3, 4, 2)(i) | torch.nn.Conv2d(3, 4, 3, padding=1, padding_mode='reflect')(i) | F.unfold(i, 2) | F.fold(F.unfold(i, 2), (4, 5), 2)
F.max_pool1d(l, 2) | F.max_pool2d(i, 2) | F.max_pool2d(i, 2, return_indices=True) | F.max_pool3d(d, 2, 1) | F.avg_pool1d(l, 2) | F.avg_pool2d(i, 2) | F.avg_pool3d(d, 2, 1) | F.adaptive_avg_pool1d(l, 2) | F.adaptive_avg_pool2d(i, 2) | F.adaptive_avg_pool2d(i, 1) | F.adaptive_avg_pool3d(d, 1) | F.adaptive_max_pool1d(l, 2) | F.adaptive_max_pool2d(i, 2) | F.lp_pool2d(i, 2, 2)
F.batch_norm(i, m, m + 1, training=True) | F.batch_norm(i, m, m + 1, c3, c3) | F.batch_norm(x, m, m + 1, training=True) | torch.nn.BatchNorm2d(3)(i) | torch.nn.BatchNorm1d(3)(x) | torch.nn.BatchNorm2d(3).eval()(i) | F.layer_norm(x, (3,)) | F.layer_norm(x, (3,), v, v) | torch.nn.LayerNorm(3)(b) | F.group_norm(i, 3) | F.group_norm(i, 3, c3, c3) | F.instance_norm(i) | F.local_response_norm(i, 2) | F.normalize(x)
F.interpolate(i, scale_factor=2) | F.interpolate(i, scale_factor=2, mode='bilinear') | F.interpolate(l, scale_factor=2, mode='linear') | F.interpolate(i, scale_factor=2, mode='bicubic') | F.interpolate(i, 2, mode='area') | F.interpolate(i, scale_factor=2, mode='nearest-exact') | F.interpolate(d, scale_factor=2, mode='trilinear') | F.pixel_shuffle(i[:, :1].expand(2, 4, 4, 5), 2) | F.pixel_unshuffle(i[..., :4], 2) | F.channel_shuffle(i, 3)
F.embedding(n, A) | torch.nn.Embedding(3, 4)(n) | torch.nn.Flatten()(i) | torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))(x) | torch.nn.Dropout(0.5)(x) | torch.nn.Identity()(x) | torch.nn.Unflatten(1, (3, 1))(x)
torch.nn.PReLU()(x) | torch.nn.utils.parameters_to_vector([x, y])
"""

LOSSES = """
F.mse_loss(x, y) | F.mse_loss(x, y, reduction='none') | F.mse_loss(x, y, reduction='sum') | F.l1_loss(x, y) | F.l1_loss(x, y, reduction='none') | F.smooth_l1_loss(x, y) | F.huber_loss(x, y) | F.cross_entropy(x, k) | F.cross_entropy(x, k, reduction='none') | F.nll_loss(x, k) | F.nll_loss(i, k2) | F.cross_entropy(i, k2)
F.binary_cross_entropy(x.sigmoid(), y.detach().sigmoid()) | F.binary_cross_entropy_with_logits(x, y.detach()) | F.binary_cross_entropy_with_logits(x, y.detach(), pos_weight=v.detach()) | F.kl_div(x, y) | F.kl_div(x, y, reduction='batchmean') | F.poisson_nll_loss(x, y) | F.gaussian_nll_loss(x, y, y.exp()) | F.multi_margin_loss(x, k) | F.multilabel_margin_loss(x, n) | F.multilabel_soft_margin_loss(x, y.detach().sigmoid())
"""

WRITES = """
out = x * 1; out += y | out = x * 1; out.add_(1) | out = x * 1; out[0] = 0 | out = x * 1; out[0] = v | out = x * 1; out[:, 0].mul_(2) | out = x * 1; out.zero_() | out = x * 1; out.fill_(1) | out = x * 1; out.copy_(y) | out = torch.zeros(2, 3); out.copy_(x) | out = torch.zeros(2, 3); out[0] = v | out = x * 1; out.mul_(y).exp_()
out = x * 1; out.clamp_(0, 1) | out = x * 1; out.masked_fill_(x > 0, 0) | out = x * 1; out.t_() | out = x * 1; out.unsqueeze_(0) | out = x * 1; out.squeeze_() | out = x * 1; out.transpose_(0, 1) | out = x * 1; out.detach_() | out = x * 1; out.relu_() | out = x * 1; out.scatter_(1, n, y) | out = x * 1; out.index_add_(0, torch.tensor([0]), y[:1]) | out = x * 1; out.addcmul_(x, y) | out = x * 1; out.lerp_(y, 0.5) | out = x * 1; out.div_(y) | out = x * 1; out.pow_(2) | out = x * 1; out.neg_() | out = x * 1; out -= 1
out = x * 1; v0 = out.view(6); v0.mul_(2) | base = x * 1; out = base.view(6); out.mul_(2) | base = x * 1; out = base[0]; base.mul_(2) | out = torch.autograd.grad((x * x).sum(), x, create_graph=True)[0] | out = torch.autograd.grad(x.exp().sum(), x, create_graph=True)[0] | out = torch.autograd.grad(x.relu().sum(), x, create_graph=True)[0] | out = torch.autograd.grad(x.sigmoid().sum(), x, create_graph=True)[0]
"""


def namespace(torch):
    """What the expressions may name."""
    torch.manual_seed(0)

    def leaf(*sizes, dtype=None):
        return torch.rand(*sizes, dtype=dtype).requires_grad_()

    return {
        "torch": torch, "F": torch.nn.functional, "x": leaf(2, 3), "y": leaf(2, 3), "s": leaf(()), "v": leaf(3), "q": leaf(2, 4),
        "z": leaf(2, 3, dtype=torch.complex64), "A": leaf(3, 3), "b": leaf(2, 3, 3), "h": leaf(2, 2, 3, 4),
        "P": (torch.eye(3) * 2 + 0.1).requires_grad_(), "n": torch.tensor([[0, 1, 2], [2, 1, 0]]), "k": torch.tensor([0, 2]),
        "k2": torch.zeros(2, 4, 5, dtype=torch.long), "l": leaf(2, 3, 5), "i": leaf(2, 3, 4, 5), "d": leaf(2, 3, 2, 3, 2),
        "w1": leaf(4, 3, 2), "w2": leaf(4, 3, 2, 2), "w5": leaf(4, 3, 2, 2, 2), "w3": leaf(2, 3, 3), "c3": leaf(3), "c4": leaf(4),
        "m": torch.zeros(3), "g": leaf(2, 2, 2, 2), "th": leaf(2, 2, 3),
    }  # fmt: skip


def cases():
    """All expressions."""
    for text in (ELEMENTWISE, ACTIVATIONS, REDUCTIONS, SHAPES, PRODUCTS, LAYERS, LOSSES, WRITES):
        yield from (e.strip() for line in text.strip().splitlines() for e in line.split(" | "))
