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


CASES = list(cases())
