"""Views, in-place writes and versions: one snippet per block; see tests/tools/expressions.py."""

VIEWS = r"""
a, b = (R(4) * 1).split(2); a.add_(1)

a, b = R(4).split(2); a.add_(1)

a, b = (R(4) * 1).chunk(2); b.mul_(2)

a, b = (R(2, 2) * 1).unbind(); a.zero_()

a, b = (R(2, 2) * 1).unbind(); a[0] = 3.0

a, b = torch.ones(2, 2).unbind(); a.add_(1); out = (a, a._version, b._version)

x = torch.ones(2, 2); a, b = x.unbind(); w = R(); a.mul_(w)

x = torch.ones(4); a, b = x.split(2); x.mul_(R(4)); out = a.requires_grad

x = torch.ones(4); a, b = x.split(2); x.mul_(R(4)); a.add_(1)

x = torch.ones(4); a, b = x.split(2); x.mul_(R(4)); out = type(a.grad_fn).__name__

x = R(4) * 1
with torch.no_grad():
    a, b = x.split(2)
    a.add_(1)
out = (x, a, a._version)

x = R(4) * 1
with torch.no_grad():
    a, b = x.split(2)
a.add_(1)

x = R(4) * 1; a, b = x.split(2)
with torch.no_grad():
    a.add_(1)
out = (x, a)

x = R(4) * 1
with torch.no_grad():
    v = x[1:]
v.add_(1)

x = R(4)
with torch.no_grad():
    v = x[1:]
v.add_(1)

x = R(4)
with torch.no_grad():
    v = x[1:]
    v.add_(1)
out = (x, x._version, v)

x = torch.ones(4)
with torch.no_grad():
    v = x[1:]
v.mul_(R(3))

x = torch.ones(4)
with torch.no_grad():
    v = x[1:]
v.mul_(2); out = (x, v)

x = R(4)
with torch.no_grad():
    x.add_(1)
out = (x, x._version)

x = R(4); x.view(2, 2).add_(1)

x = R(4); x.view(2, 2)[0].add_(1)

x = R(4); x.data.view(2, 2).add_(1); out = (x, x._version)

x = R(4); x.detach().view(2, 2).add_(1); out = (x, x._version)

x = R(4); x.t_()

x = R(2, 3); x.t_()

x = R(2, 3); x.squeeze_()

x = R(2, 3); x.unsqueeze_(0)

x = R(2, 3); x.transpose_(0, 1)

x = R(2, 3); x.swapaxes_(0, 1)

x = R(2, 3); x.swapdims_(0, 1)

x = R(2, 3); x.as_strided_((2,), (1,))

x = torch.ones(2, 3); out = (x.t_(), x.shape, x.stride(), x._version)

x = torch.ones(1, 3); out = (x.squeeze_(), x.squeeze_(0), x._version)

x = torch.ones(2, 3); x.unsqueeze_(1); x.transpose_(0, 2); out = (x, x._version, x.is_contiguous())

x = torch.arange(6.).view(2, 3); x.as_strided_((2, 2), (1, 2), 1); out = (x, x._version)

x = torch.ones(2, 3); x.swapaxes_(0, 1); x.swapdims_(0, 1); out = x

x = torch.arange(6.).view(2, 3); x.moveaxis(0, 1); out = x

x = V(1, 2, 3, 4, 5, 6); y = (x * 1).view(2, 3); y.t_(); (y * torch.arange(6.).view(3, 2)).sum().backward(); out = (x.grad, y)

x = V(1, 2, 3, 4, 5, 6); y = x * 1; y.unsqueeze_(0); out = y

x = V(1, 2, 3, 4, 5, 6); y = (x * 1).view(2, 3); z = y * 1; z.t_(); (z * torch.arange(6.).view(3, 2)).sum().backward(); out = (x.grad, z)

x = V(1, 2, 3, 4, 5, 6); y = (x * 1).view(1, 6); y.squeeze_(0); y.mul_(2); y.sum().backward(); out = (y, x.grad, y._base is None)

x = V(1, 2, 3, 4, 5, 6); z = x * 1; y = z.view(1, 6); y.squeeze_(0); y.mul_(3); (z * torch.arange(6.)).sum().backward(); out = (z, x.grad)

x = V(1, 2, 3, 4, 5, 6); z = x * 1; y = z.view(2, 3); y.transpose_(0, 1); y[0].mul_(3); (z * torch.arange(6.)).sum().backward(); out = (z, y, x.grad)

x = R(2, 3)
with torch.no_grad():
    x.t_()
out = (x, x._version)

x = R(2, 3)
with torch.no_grad():
    x.unsqueeze_(0)
out = x

x = R(2, 3) * 1; a, b = x.unbind(); a.unsqueeze_(0)

x = R(2, 3) * 1; v = x.view(6); out = (v._base is x, v._is_view(), x._is_view(), x._base)

x = torch.ones(2, 3); v = x[0][1:]; out = (v._base is x, v.is_leaf, v.grad_fn)

x = R(6); v = x.view(2, 3)[0]; out = (v._base is x, v.grad_fn.name(), v.is_leaf)

x = torch.ones(3); v = x[:2]; v.requires_grad_(); v.add_(1)

x = torch.ones(3); v = x[:2]; v.requires_grad_(); x.add_(1); out = (v, x)

x = torch.ones(3); v = x[:2]; v.requires_grad_(); w = v * 2; w.sum().backward(); out = v.grad

x = torch.ones(3); v = x[:2]; v.requires_grad_(); u = v[:1]; u.add_(1)

x = torch.ones(3); v = x[:2].detach(); v.requires_grad_(); x.mul_(2); out = (v, v._version)

x = torch.zeros(3); y = V(1, 2); x[:2] = y; (x * torch.tensor([1., 10., 100.])).sum().backward(); out = (x, y.grad)

x = torch.zeros(3); y = V(1, 2); x[:2].copy_(y); x.sum().backward(); out = (x, y.grad, x.is_leaf)

x = torch.zeros(3); v = x[:2]; y = V(1, 2); x[1:] = y; out = (v, v.is_leaf)

x = torch.zeros(2, 3); y = V(1); x[0, 1] = y; x[1].fill_(y[0]); x.sum().backward(); out = (x, y.grad)

x = torch.zeros(3); y = V(2, 3); x[torch.tensor([0, 2])] = y; (x * torch.arange(1., 4)).sum().backward(); out = (x, y.grad)

x = torch.zeros(3); y = V(2, 3); x.index_put_((torch.tensor([0, 0]),), y, accumulate=True); x.sum().backward(); out = (x, y.grad)

x = V(1, 2, 3, 4); y = x * 1; y.view(2, 2)[:, 0].mul_(10); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x * 1; a = y.view(2, 2); b = y[1:]; a.mul_(2); b.mul_(3); (y * y).sum().backward(); out = (y, a, b, x.grad)

x = V(1, 2, 3, 4); y = x * 1; a = y.view(2, 2); b = y[1:]; a.mul_(2); b.mul_(3); a.sum().backward(); out = x.grad

x = V(1, 2, 3, 4); y = x * 1; y.diagonal().mul_(2)

x = V(1, 2, 3, 4); y = x.view(2, 2) * 1; y.diagonal().mul_(5); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x.view(2, 2) * 1; y.expand(2, 2, 2).add_(1)

x = torch.ones(1); x.expand(3).add_(1)

x = torch.ones(3); x.expand(2, 3).copy_(torch.zeros(2, 3))

x = V(1, 2, 3, 4); y = x * 1; y.as_strided((2, 2), (1, 1)).mul_(2)

x = V(1, 2, 3, 4); y = x * 1; y.as_strided((2,), (2,)).mul_(2); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); x.as_strided((3, 2), (1, 1)).sum().backward(); out = x.grad

x = V(1, 2, 3, 4); (x.as_strided((3, 2), (1, 1), 0) * torch.arange(6.).view(3, 2)).sum().backward(); out = x.grad

x = V(1, 2, 3, 4); (x.as_strided((2, 3), (0, 1), 1) * torch.arange(6.).view(2, 3)).sum().backward(); out = x.grad

x = V(1, 2, 3, 4); (x.view(2, 2).t().as_strided((2, 2), (1, 2), 0) * torch.arange(4.).view(2, 2)).sum().backward(); out = x.grad

x = V(1, 2, 3, 4); (x[1:].as_strided((2,), (1,)) * torch.arange(1., 3)).sum().backward(); out = x.grad

x = V(1, 2, 3, 4); (x[1:].as_strided((2,), (1,), 0) * torch.arange(1., 3)).sum().backward(); out = x.grad

x = V(1, 2); (x.expand(3, 2).as_strided((3, 2), (0, 1)) * torch.arange(6.).view(3, 2)).sum().backward(); out = x.grad

x = torch.ones(3); x.as_strided((4,), (1,))

x = torch.ones(3); x.as_strided((2,), (-1,))

x = torch.ones(3); x.as_strided((2,), (1, 1))

x = R(3); x.as_strided((2,), (1,)).grad_fn.name()

x = V(1, 2, 3, 4); torch.autograd.gradcheck(lambda t: t.as_strided((2, 2), (2, 1), 0), D(1, 2, 3, 4))

torch.autograd.gradgradcheck(lambda t: t.as_strided((3, 2), (1, 1)) ** 2, D(1, 2, 3, 4))

x = torch.ones(3); d = x.detach(); d.resize_(2)

x = torch.ones(3); d = x.data; d.resize_(2); out = (d, x)

x = R(3); x.resize_(2)

x = R(3) * 1; x.resize_(2)

x = R(3); x.resize_(3); out = x

x = torch.ones(3); x.resize_(2); out = (x, x._version)

x = torch.ones(2, 3); v = x[0]; v.resize_(2); out = (v, x.shape)

x = torch.ones(3); x.resize_as_(torch.ones(2)); out = x

x = R(3); x.resize_as_(torch.ones(2))

x = torch.ones(3); x.set_(torch.zeros(2)); out = (x, x._version)

x = R(3); x.set_(torch.zeros(2))

x = R(3) * 1; x.set_(torch.zeros(2))

x = R(3)
with torch.no_grad():
    x.set_(torch.zeros(2))
out = x

x = torch.ones(3); y = torch.zeros(3); x.set_(y); y.add_(5); out = (x, x._version, y._version)

x = torch.ones(3); x.set_(torch.zeros(2, dtype=torch.float64))

x = torch.ones(3); d = x.detach(); d.set_(torch.zeros(2))

x = torch.ones(3); v = x[1:]; v.set_(torch.zeros(4)); out = (v, x)

x = torch.ones(3); out = x.set_().shape

x = R(3); x.data = torch.zeros(2); out = (x, x._version)

x = R(3); (x * 2).sum().backward(); x.data = torch.zeros(2); (x * 2).sum().backward()

x = R(3); (x * 2).sum().backward(); x.grad = None; x.data = torch.zeros(2); (x * 2).sum().backward(); out = x.grad

x = R(3); x.data = torch.zeros(3, dtype=torch.int64)

x = R(3); x.data = torch.zeros(3, dtype=torch.float64); (x * 2).sum().backward(); out = x.grad

x = R(3); y = x * 2; y.data = torch.zeros(4); out = y

x = R(3); x.data = 3

x = R(3); y = x * x; x.data = torch.zeros(3); y.sum().backward(); out = x.grad

x = R(3); y = x * x; x.data.zero_(); y.sum().backward(); out = x.grad

x = R(3); y = x * x; x.detach().zero_(); y.sum().backward()

x = R(3); y = (x * 1) * V(1, 2, 3); x.detach().zero_(); y.sum().backward(); out = x.grad

x = V(1, 2, 3); y = x * 1; z = y * y; y.zero_(); z.sum().backward()

x = V(1, 2, 3); y = x * 1; z = y.exp(); z.add_(1); z.sum().backward()

x = V(1, 2, 3); y = x.sigmoid(); z = y * 2; y.add_(1); z.sum().backward()

x = V(1, 2, 3); y = x.relu(); y[0] = 0.0; y.sum().backward()

x = V(1, 2, 3); y = x.relu(); y.relu_(); y.sum().backward(); out = x.grad

x = V(1, 2, 3); y = (x * 1).relu_(); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3); y = x * 1; y.exp_(); y.sum().backward(); out = x.grad

x = V(1, 2, 3); y = x * 1; y.mul_(2).add_(1).pow_(2); y.sum().backward(); out = (y, x.grad)

w = torch.ones(2, 2, requires_grad=True); x = torch.ones(2, 2); y = x @ w; x.add_(1); y.sum().backward()

w = torch.ones(2, 2); x = torch.ones(2, 2, requires_grad=True); y = x @ w; x.detach().add_(1); y.sum().backward(); out = x.grad

w = torch.ones(2, 2, dtype=torch.float64, requires_grad=True); x = torch.ones(2, 2, dtype=torch.float64); y = x @ w; x[0].add_(1); y.sum().backward()

x = V(1, 2, 3); y = x.view(3); z = y * y
with torch.no_grad():
    x.add_(1)
z.sum().backward()

x = V(1, 2, 3); i = torch.tensor([0, 1]); y = x[i]; i.add_(1); y.sum().backward()

x = V(1, 2, 3); i = torch.tensor([0, 1]); y = x.index_select(0, i); i.add_(1); y.sum().backward()

x = V(1, 2, 3); m = torch.tensor([True, False, True]); y = x.masked_fill(m, 0); m.fill_(False); y.sum().backward()

x = torch.ones(3); x += 1; x *= 2; x -= 1; x /= 3; out = (x, x._version)

x = torch.ones(3); x[0] = 1; x[1:] += 1; out = x._version

x = torch.ones(3); v = x[1:]; v.add_(1); out = (x._version, v._version)

x = torch.ones(3); x.view(3).zero_(); x.detach().zero_(); x.data.zero_(); out = x._version

x = torch.ones(3); torch.add(x, 1, out=x); out = x._version

x = torch.ones(3); x.copy_(torch.zeros(3)); x.zero_(); x.fill_(2); x.normal_(); x.uniform_(); out = x._version

x = torch.empty(3); out = (x._version, x.clone()._version, x.detach()._version)

x = torch.zeros(3, 4); x.requires_grad_(); out = x._version

x = torch.zeros(3, 4); torch.nn.init.ones_(x); out = x._version

x = R(3); torch.add(x, 1, out=torch.zeros(3))

x = torch.ones(3); torch.add(x, 1, out=R(3))

x = torch.ones(3)
with torch.no_grad():
    y = R(3); torch.add(x, 1, out=y)
out = (y, y._version)

torch.autograd.graph.increment_version(torch.ones(2))

x = torch.ones(2); torch.autograd.graph.increment_version(x); torch.autograd.graph.increment_version([x, x]); out = x._version

x = torch._C._autograd if hasattr(torch._C, "_autograd") else None; y = torch.ones(1); torch.autograd._unsafe_preserve_version_counter(y).__enter__(); out = y._version

x = torch.ones(2)
with torch.autograd._unsafe_preserve_version_counter(x):
    x.add_(1)
out = x._version

x = V(1, 2, 3); y = x.detach(); out = (y.requires_grad, y._version, y.is_leaf, y._base, y.data_ptr() == x.data_ptr())

x = V(1, 2, 3); v = (x * 1)[1:]; y = v.detach(); out = (y._is_view(), y._base)

x = torch.ones(3); y = x.detach(); out = (y._is_view(), y._base is x)

x = torch.ones(3); x.detach_(); out = x

x = (R(3) * 2)[1:]; x.detach_()

x = torch.ones(3)[1:]; out = x.detach_()

x = R(3)[1:].detach_()

x = R(3); y = (x * 2).detach_(); y.add_(1); out = (y, y.is_leaf)

y = R(3) * 2; z = y * y; y.detach_(); z.sum().backward()

y = R(3) * 2; z = y * 3; y.detach_(); z.sum().backward(); out = y.requires_grad

x = V(1, 2, 3); y = x * 1; y.requires_grad_(False)

x = V(1, 2, 3); x[1:].requires_grad_(False)

x = torch.ones(3); x.requires_grad = True; v = x[1:]; x.requires_grad = False; out = (v.requires_grad, v.grad_fn)

x = R(3); y = x.real; out = (y is x, y.grad_fn)

x = torch.view_as_complex(R(2, 2) * 1); x.mul_(2j); out = x

x = torch.ones(2, dtype=torch.complex64, requires_grad=True); y = x * 1; y.real.mul_(2); y.imag.add_(1); torch.view_as_real(y).sum().backward(); out = (y, x.grad)

x = torch.ones(2, dtype=torch.complex64, requires_grad=True); x.real.mul_(2)

x = torch.ones(2, dtype=torch.complex64); y = R(2); x.real.mul_(y); out = (x.requires_grad, x)

x = V(1, 2, 3, 4); y = x * 1; y.unfold(0, 2, 2).mul_(2); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x * 1; y.unfold(0, 2, 1).mul_(2)

x = V(1, 2, 3, 4); y = x * 1; y.narrow(0, 1, 2).zero_(); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x * 1; y.select(0, 1).copy_(V(9)[0]); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = (x * 1).view(2, 2); y.T[0] = 7.0; y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = (x * 1).view(2, 2); y.flatten().mul_(3); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = (x * 1).view(2, 2); y.reshape(4)[:2].mul_(3); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x * 1; y.squeeze().unsqueeze(0).mul_(3); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x * 1; y.movedim(0, 0).mul_(3); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x * 1; y.view_as(y).mul_(3); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x * 1; y.expand_as(y).mul_(3); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x * 1; y.contiguous().mul_(3); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x.to(torch.float32); y.mul_(3)

x = V(1, 2, 3, 4); y = x.contiguous(); out = y is x

x = V(1, 2, 3, 4); y = x * 1; y.tensor_split(2)[0].mul_(2)

x = V(1, 2, 3, 4); y = x * 1; y.hsplit(2)[0].mul_(2)

x = V(1, 2, 3, 4); y = x * 1; y.split_with_sizes([1, 3])[0].mul_(2)

x = V(1, 2, 3, 4); y = x * 1; a, b = y.split(2); out = (a.grad_fn.name(), b.output_nr, a.grad_fn is b.grad_fn, a._base is y)

x = V(1, 2, 3, 4); y = x * 1; a, b = y.split([1, 3]); out = (a.grad_fn.name(), b.output_nr)

x = V(1, 2, 3, 4); y = x * 1; a, b = y.chunk(2); out = (a.grad_fn.name(), b.output_nr, a.grad_fn is b.grad_fn)

x = R(2, 2); a, b = x.unbind(); out = (a.grad_fn.name(), b.output_nr, a.grad_fn is b.grad_fn)

x = V(1, 2, 3, 4); a, b = x.view(2, 2).unbind(); (a * 3).sum().backward(); out = x.grad

x = V(1, 2, 3, 4); y = x * 1; y.add_(y); y.sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x * 1; y[1:].add_(y[:-1].clone()); (y * y).sum().backward(); out = (y, x.grad)

x = V(1, 2, 3, 4); y = x * 1; y[1:] = y[:-1].clone(); (y * y).sum().backward(); out = (y, x.grad)

x = torch.arange(4.); x[1:] += x[:-1]

x = torch.arange(4.); x[1:].copy_(x[:-1])

x = torch.ones(3, dtype=torch.int64); x.add_(1.5)

x = torch.ones(3, dtype=torch.int64); x.div_(2)

x = torch.ones(3); x.add_(torch.ones(2, 3))

x = torch.ones(3); x.add_(1j)

x = torch.ones(3, dtype=torch.bool); x += 1

x = torch.ones(3); w = R(3); x.add_(w); x.add_(1); out = (x.grad_fn.name(), x.grad_fn.next_functions[0][0].name())

x = torch.ones(3); w = R(3)
with torch.no_grad():
    x.add_(w)
out = x

x = R(3) * 1
with torch.no_grad():
    x.add_(w if False else 1)
out = (x, x._version)

x = V(1, 2, 3); y = x * 1; v = y[:2]; v += 1; y *= 2; v.sum().backward(); out = (v, x.grad, v.grad_fn.name(), y.grad_fn.name())

x = V(1, 2, 3); y = x * 1; v = y[:2]; v += 1; out = (y.grad_fn.name(), v.grad_fn.name(), y.grad_fn.next_functions[0][0].name(), v.grad_fn.next_functions[0][0].name())

x = torch.zeros(3); v = x[:2]; v.mul_(R(2)); out = (x.grad_fn.name(), v.grad_fn.name(), len(x.grad_fn.next_functions))

f = lambda t: t.grad_fn.name(); x = R(1, 2, 3); out = [f(x.squeeze()), f(x.squeeze(0)), f(x.squeeze((0, 1))), f(x.unsqueeze(0)), f(x.permute(2, 0, 1)), f(x.movedim(0, 1)), f(x.swapaxes(0, 1))]

f = lambda t: t.grad_fn.name(); x = R(1, 2, 3); out = [f(x.view(6)), f(x.reshape(6)), f(x.flatten()), f(x.unflatten(1, (2, 1))), f(x.expand(2, 2, 3)), f(x.expand_as(x)), f(x.view_as(x)), f(x.ravel())]

f = lambda t: t.grad_fn.name(); x = R(1, 2, 3); out = [f(x[0]), f(x[..., 1]), f(x[None]), f(x[:, None]), f(x[0, 1, 2]), f(x.select(0, 0)), f(x.narrow(2, 0, 2)), f(x[:, :, ::2])]

f = lambda t: t.grad_fn.name(); x = R(3, 3); out = [f(x.diagonal()), f(x.unfold(0, 2, 1)), f(x[torch.tensor([0, 1])]), f(x[x > 0]), f(x[...])]

f = lambda t: t.grad_fn.name(); x = torch.ones(2, 2, dtype=torch.complex64, requires_grad=True); out = [f(x.real), f(x.imag), f(torch.view_as_real(x)), f(torch.view_as_complex(R(2, 2))), f(x.abs())]

x = R(3)[1:]; y = x.view(torch.int32); out = (y.requires_grad, y.dtype)

x = torch.ones(3, requires_grad=True); y = x.view(torch.int32); y.add_(1)
"""

INFERENCE = r"""
with torch.inference_mode():
    x = torch.ones(2)
x.add_(1)

with torch.inference_mode():
    x = torch.ones(2)
x[0] = 1.0

with torch.inference_mode():
    x = torch.ones(2)
out = (x.view(2).is_inference(), (x * 1).is_inference(), x.clone().is_inference(), x.detach().is_inference())

with torch.inference_mode():
    x = torch.ones(2)
x.view(2).add_(1)

with torch.inference_mode():
    x = torch.ones(2)
x.requires_grad_()

with torch.inference_mode():
    x = torch.ones(2)
y = R(2); out = y + x

with torch.inference_mode():
    x = torch.ones(2)
y = R(2); (y + x).sum().backward(); out = y.grad

with torch.inference_mode():
    x = torch.ones(2)
y = R(2) * x

with torch.inference_mode():
    x = torch.ones(2)
w = torch.ones(2); w.mul_(x); out = (w, w.is_inference())

x = torch.ones(2)
with torch.inference_mode():
    v = x.view(2); y = x * 1; x.add_(1)
out = (v.is_inference(), y.is_inference(), x.is_inference(), x._version)

x = torch.ones(2)
with torch.inference_mode():
    v = x[:1]
v.add_(1); out = x

x = R(2) * 1
with torch.inference_mode():
    v = x[:1]
v.add_(1)

x = R(2) * 1
with torch.inference_mode():
    v = x[:1]; v.add_(1); out = (x, x._version)

x = R(2)
with torch.inference_mode():
    x.add_(1)
out = (x, x._version)

with torch.inference_mode():
    x = torch.ones(2, requires_grad=True)
out = (x.requires_grad, x.is_inference())

with torch.inference_mode():
    x = torch.ones(2)
    out = x._version

with torch.inference_mode():
    x = torch.ones(2)
x.data

with torch.inference_mode():
    x = R(2); y = x * 2; out = (x.requires_grad, y.requires_grad, y.grad_fn)

with torch.inference_mode():
    x = torch.ones(2)
x.copy_(torch.zeros(2))

with torch.inference_mode():
    x = torch.ones(2)
torch.add(x, 1, out=x)

with torch.inference_mode():
    x = torch.ones(2)
torch.add(torch.ones(2), 1, out=x)

with torch.inference_mode():
    x = torch.ones(2); x.resize_(1); x.add_(1); y = x.t_() if x.dim() == 2 else x.unsqueeze_(0); out = y

with torch.inference_mode():
    x = torch.ones(2)
p = torch.nn.Parameter(x)

with torch.inference_mode():
    x = torch.ones(2)
p = torch.nn.Parameter(x, requires_grad=False); out = p.is_inference()

with torch.inference_mode():
    x = torch.ones(2)
R(2).sum().backward(x.sum())

with torch.inference_mode():
    x = torch.ones(2)
y = R(2); y.backward(x); out = y.grad.is_inference()

x = R(2)
with torch.inference_mode():
    (x * 1).sum().backward()
"""


def blocks(text):
    return [b for b in text.strip("\n").split("\n\n") if b.strip()]


CASES = [b for part in (VIEWS, INFERENCE) for b in blocks(part)]
