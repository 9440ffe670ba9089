"""What subclasses of Tensor see of attributes, methods, operators and functions.

Each case says which functions a logging ``__torch_function__`` was given, and of which type the result is.
"""

SETUP = """
import copy
log = []
class L(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "?")
        if name in ("__get__", "__set__", "__delete__"):
            name += ":" + func.__self__.__name__
        log.append(f"{name}/{len(args)}/{','.join(sorted(kwargs or {}))}/{','.join(t.__name__ for t in types)}")
        return super().__torch_function__(func, types, args, kwargs or {})
class S(torch.Tensor):
    pass
class P:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        def show(v):
            kind = type(v).__name__
            if kind in ("Tensor", "P"):
                return kind
            return type(v)(map(show, v)) if kind in ("list", "tuple") else repr(v)
        given = kwargs if kwargs is None else sorted((k, show(v)) for k, v in kwargs.items())
        return func.__name__, [t.__name__ for t in types], show(args), given
def mk(cls):
    with torch._C.DisableTorchFunctionSubclass():
        t = torch.ones(2, 2).as_subclass(cls)
    log.clear()
    return t
"""

GETTERS = """
shape dtype device layout ndim itemsize nbytes is_cpu is_meta is_cuda is_sparse is_sparse_csr
is_quantized is_nested is_mkldnn is_mps is_xla is_xpu is_mtia is_ipu is_maia is_vulkan _cdata T mT H mH
real grad data requires_grad is_leaf grad_fn output_nr _version _base name names retains_grad _grad
""".split()

METHODS = """
size()
stride()
dim()
numel()
element_size()
data_ptr()
storage_offset()
is_floating_point()
is_complex()
is_signed()
is_inference()
is_pinned()
is_conj()
is_neg()
get_device()
_is_view()
is_contiguous()
dim_order()
item
tolist()
numpy()
detach()
detach_()
requires_grad_()
retain_grad()
backward
clone()
contiguous()
cpu()
float()
to(torch.float64)
type()
storage()
untyped_storage()
is_shared()
new_tensor([1.0])
new(2)
new_zeros(2)
new_empty(2)
new_ones(2)
new_full((2,),1.0)
__len__()
__iter__()
__reversed__()
__format__('')
__dir__()
__hash__()
__contains__(1.0)
__bool__
__int__
__dlpack_device__()
__reduce_ex__(2)
resize_(2,2)
resize_as_(torch.ones(2))
is_set_to(torch.ones(2))
is_same_size(torch.ones(2))
register_hook(lambda
g:g)
index_put_((torch.tensor([0]),),torch.ones(2))
__getitem__(0)
__setitem__(0,1.0)
view(4)
unbind()
sum()
add(1)
add_(1)
chunk(2)
topk(1)
max(0)
sort()
expand(2,2,2)
apply_(lambda
x:x)
map_(torch.ones(2,2),lambda
a,b:a)
type_as(torch.ones(1))
as_subclass(torch.Tensor)
__rsub__(1)
__rdiv__(1)
__rpow__(2)
__floordiv__(2)
__eq__(1)
__neg__()
__invert__
__pow__(2)
__matmul__(torch.ones(2,2))
masked_fill(torch.ones(2,2)>0,1)
__array_wrap__
""".strip().splitlines()

FUNCTIONS = """
torch.is_tensor(x)
torch.is_nonzero(x[0,0])
torch.tensor(x)
torch.as_tensor(x)
torch.asarray(x)
torch.add(x, 1)
torch.add(1, x)
torch.sum(x, dim=0)
torch.cat([x, x])
torch.stack((x, torch.ones(2, 2)))
torch.einsum("ij->i", x)
torch.nn.functional.linear(x, x)
torch.nn.functional.linear(torch.ones(2, 2), x)
torch.nn.functional.gelu(x)
torch.where(x > 0, x, 0)
torch.zeros_like(x)
torch.rand_like(x)
torch.can_cast(x.dtype, torch.float64)
torch.allclose(x, x)
torch.save(x, __import__("io").BytesIO())
torch.nn.Linear(2, 2)(x)
torch.nn.Parameter(x)
1 + x
x + 1
x - x
2 * x
x / 2
1 / x
x // 2
x % 2
x ** 2
2 ** x
x @ x
-x
abs(x)
x == 1
x < 1
x[0]
x[0] = 1
x += 1
x.grad = None
x.requires_grad = True
x.data = torch.ones(2, 2)
del x.grad
float(x[0, 0])
int(x[0, 0])
bool(x[0, 0])
len(x)
list(x)
x.T
x.foo
x.foo = 1
hash(x)
copy.copy(x)
torch.nn.utils.clip_grad_norm_([x], 1.0)
torch.manual_seed(0)
torch.overrides.has_torch_function((x,))
torch.overrides.has_torch_function((torch.ones(1),))
torch.overrides.is_tensor_like(x)
torch.overrides.resolve_name(torch.Tensor.add)
torch.overrides.is_tensor_method_or_property(torch.Tensor.shape.__get__)
""".strip().splitlines()


# Functions that are composed in Python here, in PyTorch or in both: handlers are given the function as a whole.
COMPOSED = """
torch.einsum("ij,jk->ik", x, x)
torch.einsum("ij,jk->ik", [x, x])
torch.norm(x)
torch.norm(x, 2, dim=1)
torch.norm(input=x)
x.norm(2)
torch.atleast_1d(x)
torch.atleast_2d(x, x)
torch.atleast_3d([x, x])
torch.block_diag(x, x)
torch.broadcast_tensors(x, x)
torch.cartesian_prod(x[0], x[0])
torch.cdist(x, x)
torch.chain_matmul(x, x)
torch.meshgrid(x[0], x[0], indexing="ij")
torch.tensordot(x, x)
torch.tensordot(x, x, dims=1)
torch.unique(x)
torch.unique(x, return_counts=True)
x.unique()
torch.unique_consecutive(x)
torch.hsplit(x, 2)
torch.vsplit(x, [1])
torch.tensor_split(x, 2, dim=1)
x.tensor_split(2)
torch.equal(x, x)
torch.nonzero(x)
torch.nonzero(x, as_tuple=True)
torch.where(x > 0)
x.where(x > 0, x)
torch.linalg.norm(x)
torch.linalg.vector_norm(x, ord=1)
torch.linalg.matrix_norm(x)
torch.linalg.pinv(x)
torch.linalg.multi_dot([x, x])
torch.linalg.cross(torch.ones(3), torch.ones(3).as_subclass(type(x)))
torch.fft.fft2(x)
torch.fft.fft(x)
F.normalize(x)
F.interpolate(x[None, None], scale_factor=2)
F.cosine_similarity(x, x)
F.pairwise_distance(x, x)
F.pdist(x)
F.pixel_shuffle(torch.ones(1, 4, 2, 2).as_subclass(type(x)), 2)
F.gaussian_nll_loss(x, x, x)
F.triplet_margin_loss(x, x, x)
F.cosine_embedding_loss(x, x, torch.ones(2))
F.margin_ranking_loss(x[0], x[0], torch.ones(2))
F.hinge_embedding_loss(x, torch.ones(2, 2))
F.poisson_nll_loss(x, x)
F.soft_margin_loss(x, x)
F.multilabel_soft_margin_loss(x, x)
F.local_response_norm(x[None], 2)
F.unfold(x[None, None], 2)
F.fold(torch.ones(1, 4, 1).as_subclass(type(x)), 2, 2)
F.lp_pool2d(x[None], 2, 2)
F.adaptive_avg_pool2d(x[None], 1)
F.adaptive_max_pool2d(x[None], 1)
F.affine_grid(torch.ones(1, 2, 3).as_subclass(type(x)), [1, 1, 2, 2])
F.grid_sample(x[None, None], torch.zeros(1, 2, 2, 2))
F.bilinear(x, x, torch.ones(1, 2, 2))
F.channel_shuffle(x[None, None].expand(1, 2, 2, 2), 2)
""".strip().splitlines()

# Objects that are no tensors.
PLAIN = """
torch.add(p, 1)
torch.add(1, other=p)
torch.cat([torch.ones(1), p])
torch.stack((p, p), dim=1)
torch.ones(2).add(p)
torch.ones(2) + p
torch.ones(2) * p
torch.ones(2) == p
torch.ones(2) @ p
torch.mm(p, p)
torch.sum(p, dim=0)
torch.where(torch.ones(1) > 0, p, p)
torch.einsum("i->i", p)
torch.norm(p, p=1)
torch.equal(p, torch.ones(1))
torch.tensordot(p, p)
torch.linalg.det(p)
torch.linalg.norm(p, ord=2)
torch.fft.fft(p)
F.linear(p, torch.ones(1))
F.gelu(p)
F.interpolate(p, size=2)
F.normalize(p)
F.cosine_similarity(p, p, dim=0)
F.conv2d(p, torch.ones(1))
F.triplet_margin_loss(p, p, torch.ones(1), margin=2.0)
F.multi_head_attention_forward(p, p, p, 2, 1, p, None, None, None, False, 0.0, p, None)
F.grid_sample(p, p)
torch.add(object(), 1)
torch.cat([torch.ones(1), object()])
torch.ones(2) + object()
""".strip().splitlines()


def cases():
    """The snippets: for a logging class and for one that only inherits."""
    for cls in "LS":
        for name in GETTERS:
            yield f"x = mk({cls}); y = x.{name}; out = (list(log), type(y).__name__)"
        for call in METHODS:
            call = f"x.{call}" if "(" in call else f"x[0, 0].{call}()"
            yield f"x = mk({cls}); y = {call}; out = (list(log), type(y).__name__)"
        for code in FUNCTIONS:
            is_statement = " = " in code or " += " in code or code.startswith("del ")
            body = f"{code}; y = None" if is_statement else f"y = {code}"
            yield f"x = mk({cls}); {body}; out = (list(log), type(y).__name__)"


    for cls in "LS":
        for code in COMPOSED:
            yield f"F = torch.nn.functional; x = mk({cls}); y = {code}; out = (list(log), type(y).__name__)"
    for code in PLAIN:
        yield f"F = torch.nn.functional; p = P(); out = {code}"


CASES = list(cases())
