"""Parametrizations, pruning, weight and spectral norm, fusion; see tests/tools/record_surface.py."""

SETUP = """
import copy
nn, U = torch.nn, torch.nn.utils
P, PP = torch.nn.utils.parametrize, torch.nn.utils.parametrizations
from torch.nn.utils import prune
torch.manual_seed(0)
class Sym(nn.Module):
    def forward(self, x): return x.triu() + x.triu(1).T
    def right_inverse(self, a): return a.triu()
class Twice(nn.Module):
    def forward(self, x): return 2 * x
class Pair(nn.Module):
    def forward(self, a, b): return a * b
    def right_inverse(self, x): return x / 2, torch.full_like(x, 2.0)
class Bad(nn.Module):
    def forward(self, x): return x[0]
class Double(nn.Module):
    def forward(self, x): return x.double()
x = torch.arange(6.0).reshape(2, 3) / 6
def keys(m): return sorted(m.state_dict())
def grads(m, y):
    y.square().sum().backward()
    return [(n, p.grad) for n, p in sorted(m.named_parameters())]
"""

CASES = r'''
m = P.register_parametrization(nn.Linear(3, 3), "weight", Sym()); out = (repr(m), keys(m), m.weight, m(x), type(m).__name__)
m = P.register_parametrization(nn.Linear(3, 3), "weight", Sym()); m.weight = torch.ones(3, 3); out = (m.weight, m.parametrizations.weight.original)
m = P.register_parametrization(nn.Linear(3, 3), "weight", Sym()); out = grads(m, m(x))
m = P.register_parametrization(nn.Linear(3, 3), "weight", Twice()); w = m.parametrizations.weight.original; P.register_parametrization(m, "weight", Sym()); out = (m.weight, w, repr(m))
m = P.register_parametrization(nn.Linear(3, 3), "weight", Pair()); out = (keys(m), m.weight, m.parametrizations.weight.original0)
m = P.register_parametrization(nn.Linear(3, 3), "weight", Pair()); m.weight = torch.eye(3); out = (m.weight, m.parametrizations.weight.original0)
m = P.register_parametrization(nn.Linear(3, 3), "weight", Twice()); m.weight = torch.eye(3)
m = P.register_parametrization(nn.Linear(3, 3), "weight", Bad())
m = P.register_parametrization(nn.Linear(3, 3), "weight", Double())
m = P.register_parametrization(nn.Linear(3, 3), "weight", Bad(), unsafe=True); out = m.weight.shape
m = P.register_parametrization(nn.Linear(3, 3), "other", Sym())
m = P.register_parametrization(nn.BatchNorm1d(3), "running_mean", Twice()); out = (keys(m), [n for n, _ in m.named_buffers()])
m = P.register_parametrization(nn.Linear(3, 3), "weight", Sym()); a = P.is_parametrized(m), P.is_parametrized(m, "bias"); P.remove_parametrizations(m, "weight"); out = (a, P.is_parametrized(m), repr(m), type(m.weight).__name__, keys(m), m.weight)
m = P.register_parametrization(nn.Linear(3, 3), "weight", Twice()); P.remove_parametrizations(m, "weight", leave_parametrized=False); out = m.weight
m = P.register_parametrization(nn.Linear(3, 3), "weight", Pair()); P.remove_parametrizations(m, "weight", leave_parametrized=False)
m = P.register_parametrization(nn.Linear(3, 3), "weight", Pair()); P.remove_parametrizations(m, "weight"); out = (m.weight, type(m.weight).__name__)
P.remove_parametrizations(nn.Linear(3, 3), "weight")
m = P.register_parametrization(nn.Linear(3, 3), "weight", Sym()); n = copy.deepcopy(m); out = (n.weight, type(n).__name__, torch.equal(n(x), m(x)))
import pickle; out = pickle.dumps(P.register_parametrization(nn.Linear(3, 3), "weight", Twice()))
m = P.register_parametrization(nn.Linear(3, 3), "weight", Sym()); out = (m.weight is m.weight, P.type_before_parametrizations(m).__name__)
m = P.register_parametrization(nn.Linear(3, 3), "weight", Sym())\nwith P.cached(): out = m.weight is m.weight
m = P.register_parametrization(nn.Linear(3, 3), "weight", Sym()); n = P.transfer_parametrizations_and_params(m, nn.Linear(3, 3)); out = (n.weight, repr(n))
m = P.register_parametrization(nn.Linear(3, 3), "weight", Sym()); n = P.register_parametrization(nn.Linear(3, 3), "weight", Sym()); out = (str(n.load_state_dict(m.state_dict())), torch.equal(m.weight, n.weight))
m = PP.orthogonal(nn.Linear(3, 3)); out = (m.weight @ m.weight.T, m.weight.det().abs(), keys(m))
m = PP.orthogonal(nn.Linear(2, 4)); out = (m.weight.T @ m.weight, keys(m))
m = PP.orthogonal(nn.Linear(4, 2), orthogonal_map="cayley"); out = m.weight @ m.weight.T
m = PP.orthogonal(nn.Linear(3, 3), orthogonal_map="cayley", use_trivialization=False); out = (m.weight @ m.weight.T, keys(m), m.weight.detach())
m = PP.orthogonal(nn.Linear(3, 3), orthogonal_map="matrix_exp", use_trivialization=False); out = (m.weight.detach(), keys(m))
m = PP.orthogonal(nn.Linear(3, 3), orthogonal_map="householder"); out = m.weight @ m.weight.T
m = PP.orthogonal(nn.Linear(2, 3), use_trivialization=False); w = torch.linalg.qr(torch.ones(3, 2) + torch.eye(3, 2)).Q; m.weight = w; out = (m.weight - w).abs().max() < 1e-5
m = PP.orthogonal(nn.Linear(3, 3)); m.weight = torch.eye(3); out = m.weight
m = PP.orthogonal(nn.Linear(3, 3)); m.weight = torch.eye(2)
PP.orthogonal(nn.Linear(3, 3), orthogonal_map="x")
PP.orthogonal(nn.Linear(3, 3), "bias")
PP.orthogonal(nn.Linear(3, 3), "b")
PP.orthogonal(nn.Linear(3, 3), orthogonal_map="matrix_exp", use_trivialization=False).weight = torch.eye(3)
m = PP.weight_norm(nn.Linear(3, 2)); out = (keys(m), repr(m), m(x), m.parametrizations.weight.original0)
m = PP.weight_norm(nn.Linear(3, 2), dim=None); out = (m.parametrizations.weight.original0, grads(m, m(x)))
m = PP.weight_norm(nn.Conv2d(2, 3, 2), dim=1); out = m.parametrizations.weight.original0
m = PP.weight_norm(nn.Linear(3, 2)); out = grads(m, m(x))
m = PP.weight_norm(nn.Linear(3, 2)); n = U.weight_norm(nn.Linear(3, 2)); out = (str(m.load_state_dict(n.state_dict())), torch.equal(m.weight, n.weight))
m = PP.spectral_norm(nn.Linear(3, 2)); out = (keys(m), repr(m), m.weight, torch.linalg.matrix_norm(m.weight, 2))
m = PP.spectral_norm(nn.Linear(3, 2)); out = grads(m, m(x))
m = PP.spectral_norm(nn.Conv2d(2, 3, 2), n_power_iterations=2, dim=1); out = m.weight
m = PP.spectral_norm(nn.Linear(3, 2)).eval(); a = m.weight; out = torch.equal(a, m.weight)
m = PP.spectral_norm(nn.Linear(3, 2), "bias"); out = m.bias
PP.spectral_norm(nn.Linear(3, 2), n_power_iterations=0)
PP.spectral_norm(nn.Linear(3, 2), "nothing")
PP.spectral_norm(nn.Linear(3, 2), dim=5)
m = U.weight_norm(nn.Linear(3, 2)); out = (keys(m), m(x), m.weight_g, type(m.weight).__name__)
m = U.weight_norm(nn.Linear(3, 2), dim=None); out = (m.weight_g, grads(m, m(x)))
m = U.remove_weight_norm(U.weight_norm(nn.Linear(3, 2))); out = (keys(m), type(m.weight).__name__, m.weight)
U.remove_weight_norm(nn.Linear(3, 2))
m = U.weight_norm(U.weight_norm(nn.Linear(3, 2)))
m = U.spectral_norm(nn.Linear(3, 2)); y = m(x); out = (keys(m), y, m.weight_u, m.weight_v)
m = U.spectral_norm(nn.Linear(3, 2)); out = grads(m, m(x))
m = U.spectral_norm(nn.ConvTranspose2d(2, 3, 2)); out = (m.weight_u.shape, m(torch.ones(1, 2, 2, 2)))
m = U.spectral_norm(nn.Linear(3, 2)); m(x); U.remove_spectral_norm(m); out = (keys(m), m.weight)
m = U.spectral_norm(nn.Linear(3, 2)); n = U.spectral_norm(nn.Linear(3, 2)); out = (str(n.load_state_dict(m.state_dict())), m.state_dict()._metadata[""])
U.spectral_norm(U.spectral_norm(nn.Linear(3, 2)))
U.remove_spectral_norm(nn.Linear(3, 2))
m = prune.l1_unstructured(nn.Linear(3, 2), "weight", amount=2); out = (keys(m), m.weight, m.weight_mask, m(x), [n for n, _ in m.named_parameters()])
m = prune.l1_unstructured(nn.Linear(3, 2), "weight", 0.5); prune.l1_unstructured(m, "weight", 1); out = (m.weight_mask, type(list(m._forward_pre_hooks.values())[0]).__name__, len(list(m._forward_pre_hooks.values())[0]))
m = prune.l1_unstructured(nn.Linear(3, 2), "weight", 2, importance_scores=torch.arange(6.0).reshape(2, 3)); out = m.weight_mask
m = prune.random_unstructured(nn.Linear(4, 5), "weight", 0.3); out = m.weight_mask
m = prune.random_structured(nn.Linear(4, 5), "weight", 2, dim=0); out = m.weight_mask
m = prune.random_structured(nn.Linear(4, 5), "weight", 0.5, dim=1); out = m.weight_mask
m = prune.ln_structured(nn.Conv2d(4, 5, 2), "weight", amount=0.4, n=2, dim=0); out = m.weight_mask
m = prune.ln_structured(nn.Linear(4, 5), "weight", amount=2, n=float("-inf"), dim=1); out = m.weight_mask
m = prune.ln_structured(nn.Linear(4, 5), "weight", amount=2, n=1, dim=0); prune.ln_structured(m, "weight", amount=1, n=1, dim=0); out = m.weight_mask
m = prune.identity(nn.Linear(2, 3), "bias"); out = (keys(m), m.bias_mask)
m = prune.custom_from_mask(nn.Linear(3, 2), "bias", torch.tensor([0, 1])); out = (m.bias, m.bias_mask)
m = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)); prune.global_unstructured([(m[0], "weight"), (m[1], "weight")], pruning_method=prune.L1Unstructured, amount=9); out = (m[0].weight_mask, m[1].weight_mask)
m = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)); prune.global_unstructured([(m[0], "weight")], pruning_method=prune.LnStructured, amount=1, n=2)
m = prune.l1_unstructured(nn.Linear(3, 2), "weight", 2); a = prune.is_pruned(m); prune.remove(m, "weight"); out = (a, prune.is_pruned(m), keys(m), m.weight, type(m.weight).__name__)
m = prune.l1_unstructured(nn.Linear(3, 2), "weight", 2); out = grads(m, m(x))
prune.remove(nn.Linear(3, 2), "weight")
prune.l1_unstructured(nn.Linear(3, 2), "weight", 1.5)
prune.l1_unstructured(nn.Linear(3, 2), "weight", 7)
prune.l1_unstructured(nn.Linear(3, 2), "weight", "a")
prune.ln_structured(nn.Linear(3, 2), "bias", 1, 2, 0)
prune.ln_structured(nn.Linear(3, 2), "weight", 1, 2, 3)
prune.L1Unstructured(amount=2).prune(torch.tensor([1.0, -5, 2, 3]))
m = prune.PruningContainer(); m.add_pruning_method(3)
a = nn.Conv2d(2, 3, 2).eval(); b = nn.BatchNorm2d(3).eval(); b.running_mean += 0.5; f = U.fuse_conv_bn_eval(a, b); i = torch.ones(1, 2, 3, 3); out = (f(i), torch.allclose(f(i), b(a(i)), atol=1e-5))
a = nn.ConvTranspose2d(2, 3, 2, bias=False).eval(); b = nn.BatchNorm2d(3, affine=False).eval(); f = U.fuse_conv_bn_eval(a, b, transpose=True); out = (f.weight, f.bias)
a = nn.Linear(3, 2).eval(); b = nn.BatchNorm1d(2).eval(); out = U.fuse_linear_bn_eval(a, b)(x)
U.fuse_linear_bn_eval(nn.Linear(3, 2), nn.BatchNorm1d(2))
U.fuse_linear_bn_eval(nn.Linear(3, 2).eval(), nn.BatchNorm1d(3).eval())
m = nn.Sequential(nn.Conv2d(2, 3, 2)); U.convert_conv2d_weight_memory_format(m, torch.channels_last); out = m[0].weight.stride()
'''.strip().splitlines()

CASES = [case.replace("\\n", "\n") for case in CASES]
