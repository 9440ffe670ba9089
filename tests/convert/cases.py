"""Snippets about data in and out of tensors, storages and generators; see tests/tools/expressions.py."""

TENSOR = r"""
torch.tensor([[1, 2], [3]])
torch.tensor([[1, 2], [3, 4, 5]])
torch.tensor(["a"])
torch.tensor("a")
torch.tensor(b"abc")
torch.tensor([[1], 2])
torch.tensor([1, [2]])
torch.tensor(object())
torch.tensor([object()])
torch.tensor([None])
torch.tensor(None)
torch.tensor({1: 2})
torch.tensor({1, 2})
torch.tensor(3)
torch.tensor(True)
torch.tensor(2.5)
torch.tensor(1 + 2j)
torch.tensor([1, 2])
torch.tensor((1.5, 2))
torch.tensor([True, False])
torch.tensor([True, 2])
torch.tensor([True, 2, 3.5])
torch.tensor([1, 2.5, 1j])
torch.tensor([])
torch.tensor([[], []])
torch.tensor([[[1]], [[2]]])
torch.tensor(range(3))
torch.tensor([1, 2], dtype=torch.float64)
torch.tensor([1, 2], dtype=torch.float16)
torch.tensor([1.1, 2], dtype=torch.bfloat16)
torch.tensor([1, 2], dtype=torch.complex64)
torch.tensor([1.5, -2.5], dtype=torch.int64)
torch.tensor([-1], dtype=torch.uint8)
torch.tensor([300], dtype=torch.uint8)
torch.tensor([1e300], dtype=torch.float32)
torch.tensor([2**40], dtype=torch.int32)
torch.tensor([2**63])
torch.tensor(2**63)
torch.tensor([2**63], dtype=torch.uint64)
torch.tensor([2**70], dtype=torch.float64)
torch.tensor([1 + 2j], dtype=torch.float32)
torch.tensor([1.5], dtype=torch.bool)
torch.tensor([torch.tensor(1.0), 2])
torch.tensor([torch.tensor([1.0]), torch.tensor([2.0])])
torch.tensor([torch.tensor([1.0, 2]), torch.tensor([2.0, 3])])
torch.tensor([np.float32(1), 2])
torch.tensor([np.float64(1), np.float64(2)])
torch.tensor([np.int32(1), np.int32(2)])
torch.tensor(np.float64(3.0))
torch.tensor(np.int16(3))
torch.tensor(np.bool_(True))
torch.tensor(np.array([1, 2], dtype=np.int16))
torch.tensor(np.array([[1.0, 2], [3, 4]]).T)
torch.tensor(np.array(["a"]))
torch.tensor(np.datetime64("2020-01-01"))
torch.tensor(torch.tensor([1, 2]))
torch.tensor(torch.ones(2, requires_grad=True))
torch.tensor([1.0, 2], requires_grad=True)
torch.tensor([1, 2], requires_grad=True)
torch.tensor([1], dtype="float")
torch.as_tensor([1, 2])
torch.as_tensor([1, 2], dtype=torch.float32)
torch.as_tensor(np.array([1.0, 2]))
torch.asarray([1, 2], copy=False)
torch.asarray(torch.ones(2), dtype=torch.float64, copy=False)
torch.asarray(b"abcd")
torch.asarray(np.arange(3))
torch.asarray(2.5)
torch.asarray([1.0], requires_grad=True)
torch.scalar_tensor(3)
torch.scalar_tensor(3, dtype=torch.int32)
torch.ones(2).new_tensor([1, 2])
torch.ones(2, dtype=torch.int64).new_tensor([1.5, 2])
x = torch.ones(2, requires_grad=True); y = torch.as_tensor(x); out = y is x
torch.tensor([1.0, 2], device="meta")
"""

LEGACY = r"""
torch.Tensor(2, 3).shape
torch.Tensor(3).shape
torch.Tensor([1, 2])
torch.Tensor((2, 3))
torch.Tensor(torch.Size([2, 3])).shape
torch.Tensor(torch.tensor([1.0, 2.0]))
torch.Tensor(torch.tensor([1]))
torch.Tensor()
torch.Tensor(1.5)
torch.Tensor("a")
torch.Tensor(np.array([1.0, 2.0]))
torch.LongTensor([1, 2])
torch.LongTensor([1.5])
torch.FloatTensor([1, 2])
torch.DoubleTensor([[1, 2]])
torch.BoolTensor([1, 0])
torch.ByteTensor([1, 2]).type()
torch.ones(1).type()
isinstance(torch.ones(1), torch.FloatTensor)
isinstance(torch.ones(1), torch.LongTensor)
"""

OUT = r"""
torch.ones(2).item()
torch.tensor([1.5]).item()
torch.tensor([[7]]).item()
torch.tensor(True).item()
torch.tensor(1 + 2j).item()
torch.tensor(2**63, dtype=torch.uint64).item()
torch.tensor(1.5, dtype=torch.float16).item()
torch.ones(2, 2).tolist()
torch.tensor(1.5).tolist()
torch.ones(0, 2).tolist()
torch.ones(2, 0).tolist()
torch.tensor([[1, 2], [3, 4]]).t().tolist()
torch.tensor([1.5, 2], dtype=torch.bfloat16).tolist()
torch.ones(2, device="meta").tolist()
torch.ones((), device="meta").item()
torch.ones(2, requires_grad=True).numpy()
torch.ones(2, requires_grad=True).numpy(force=True)
torch.ones(2, requires_grad=True).detach().numpy()
torch.ones(2, dtype=torch.bfloat16).numpy()
torch.ones(2, device="meta").numpy()
torch.tensor([[1, 2], [3, 4]]).t().numpy()
torch.tensor(1.5).numpy()
torch.ones(0, 3).numpy()
torch.tensor([True, False]).numpy()
torch.tensor([1j, 2]).numpy()
np.asarray(torch.ones(2), dtype=np.int32)
np.add(np.ones(2, dtype=np.float32), torch.ones(2).numpy())
torch.from_numpy([1])
torch.from_numpy(np.array(["a"]))
torch.from_numpy(np.arange(3)[::-1])
torch.from_numpy(np.arange(3).astype(">i4"))
torch.from_numpy(np.arange(6.0).reshape(2, 3).T)
torch.from_numpy(np.arange(10)[::2])
torch.from_numpy(np.array(3.5))
torch.from_numpy(np.ones((0, 2))).shape
torch.from_numpy(np.ones((0, 2)))
a = np.zeros(3); t = torch.from_numpy(a); t[1] = 5; a[2] = 7; out = (t, a)
t = torch.zeros(3); a = t.numpy(); a[0] = 1; t[1] = 2; out = (t, a)
t = torch.zeros(4); a = t[1:3].numpy(); a[0] = 9; out = t
t = torch.ones(3); t.numpy(); t.resize_(5)
torch.frombuffer(bytearray(b"abcd"), dtype=torch.uint8)
torch.frombuffer(bytearray(b"abcdabcd"), dtype=torch.int32)
torch.frombuffer(bytearray(b"abc"), dtype=torch.int32)
torch.frombuffer(bytearray(b"abcdabcd"), dtype=torch.int32, offset=9)
torch.frombuffer(bytearray(b"abcdabcd"), dtype=torch.int32, offset=4)
torch.frombuffer(bytearray(b"abcdabcd"), dtype=torch.int32, count=1)
torch.frombuffer(bytearray(b"abcdabcd"), dtype=torch.int32, count=3)
torch.frombuffer(bytearray(b"abcdabcd"), dtype=torch.int32, count=0)
torch.frombuffer(bytearray(b""), dtype=torch.int32)
torch.frombuffer([1], dtype=torch.int32)
torch.frombuffer(bytearray(b"abcde"), dtype=torch.int32)
b = bytearray(4); t = torch.frombuffer(b, dtype=torch.uint8); t[2] = 3; out = list(b)
tuple(int(v) for v in torch.ones(3).__dlpack_device__())
torch.ones(3, requires_grad=True).__dlpack__()
torch.from_dlpack(np.arange(3))
torch.from_dlpack(torch.arange(3.0))
np.from_dlpack(torch.arange(3.0))
torch.from_dlpack(np.arange(6.0).reshape(2, 3)[:, ::2])
a = np.zeros(3); t = torch.from_dlpack(a); t[0] = 4; out = a
c = torch.ones(2).__dlpack__(); torch.from_dlpack(c); torch.from_dlpack(c)
f"{torch.tensor(1.5):.2f}"
f"{torch.tensor([1.5]):.2f}"
1 in torch.tensor([1, 2])
5 in torch.tensor([1, 2])
"a" in torch.tensor([1, 2])
iter(torch.tensor(1))
[v.item() for v in torch.tensor([1, 2])]
import copy; x = torch.ones(2, requires_grad=True); x.tag = [1]; y = copy.deepcopy(x); out = (y, y.tag, y.tag is x.tag)
import copy; out = copy.deepcopy(torch.ones(2, requires_grad=True) * 2)
import copy; x = torch.arange(4.0); p = copy.deepcopy([x, x[1:]]); p[0][1] = 9; out = p
import pickle; out = pickle.loads(pickle.dumps(torch.arange(3.0)))
import pickle; out = pickle.loads(pickle.dumps(torch.ones(2, requires_grad=True)))
"""

STORAGE = r"""
torch.ones(3).untyped_storage().nbytes()
torch.ones(3).untyped_storage().size()
len(torch.ones(3).untyped_storage())
len(torch.ones(3).storage())
torch.ones(3).untyped_storage()[3]
torch.ones(3).untyped_storage()[-1]
torch.ones(3).untyped_storage()[12]
torch.ones(3).untyped_storage().tolist()
torch.ones(3).untyped_storage().device
torch.ones(2)[1:].untyped_storage().nbytes()
x = torch.ones(3); out = x.untyped_storage().data_ptr() == x.data_ptr()
x = torch.ones(3); out = x.untyped_storage()._cdata == x[1:].untyped_storage()._cdata
torch.ones(3).untyped_storage().resize_(4).nbytes()
torch.UntypedStorage(4).nbytes()
torch.UntypedStorage([1, 2, 3]).tolist()
torch.ones(3).storage().tolist()
torch.zeros(3).set_(torch.ones(4).untyped_storage())
torch.zeros(3).set_(torch.ones(4).untyped_storage(), 1, (2,), (1,))
torch.zeros(3).set_(torch.arange(4.0))
torch.ones(3).set_(torch.ones(2, dtype=torch.int64))
torch.ones(3).set_()
torch.ones(3).resize_(2, 2).shape
torch.ones(3).resize_((2, 2)).shape
torch.arange(4.0).resize_(2)
torch.ones(3, requires_grad=True).resize_(2)
torch.ones(3).resize_as_(torch.ones(2, 2)).shape
torch.from_numpy(np.ones(3)).resize_(5)
x = torch.ones(2); x.data = torch.zeros(3, dtype=torch.int64); out = x
x = torch.ones(2); x.data = 3
x = torch.ones(2, requires_grad=True); x.data = torch.zeros(3, dtype=torch.int64)
x = torch.ones(2, requires_grad=True); x.data = torch.full((3,), 2.0); (x * x).sum().backward(); out = x.grad
"""

GENERATOR = r"""
torch.manual_seed("a")
torch.Generator().manual_seed("a")
torch.Generator().manual_seed(2**64)
torch.Generator().manual_seed(-2**63 - 1)
torch.Generator().manual_seed(-1).initial_seed()
torch.manual_seed(-1).initial_seed()
torch.manual_seed(5); out = torch.initial_seed()
torch.Generator().initial_seed()
torch.Generator().device
torch.Generator().set_state(torch.zeros(4))
torch.Generator().set_state(torch.zeros(4, dtype=torch.uint8))
torch.Generator().set_state(torch.zeros(5056, dtype=torch.uint8))
torch.Generator().set_state(3)
g = torch.Generator().manual_seed(3); out = g.get_state()[:64]
g = torch.Generator().manual_seed(3); out = g.get_state().shape
g = torch.Generator().manual_seed(3); torch.rand(5, generator=g); out = g.get_state()[:64]
g = torch.Generator().manual_seed(3); torch.randn(5, generator=g); out = g.get_state()
g = torch.Generator().manual_seed(3); torch.randn(3, dtype=torch.float64, generator=g); out = g.get_state()
g = torch.Generator().manual_seed(3); s = g.get_state(); a = torch.rand(4, generator=g); g.set_state(s); out = (a, torch.rand(4, generator=g))
g = torch.Generator().manual_seed(3); h = g.clone_state(); out = (torch.rand(2, generator=g), torch.rand(2, generator=h))
torch.manual_seed(1); s = torch.get_rng_state(); a = torch.rand(2); torch.set_rng_state(s); out = (a, torch.rand(2))
torch.manual_seed(1); exec("with torch.random.fork_rng():\n torch.rand(3)"); out = torch.rand(2)
"""


# The dtypes that operations give.
DTYPES = r"""
out = [torch.ones(2, dtype=d).sum().dtype for d in (torch.bool, torch.uint8, torch.int16, torch.int32, torch.float16, torch.complex64)]
out = [torch.ones(2, dtype=d).prod().dtype for d in (torch.bool, torch.uint8, torch.int16, torch.int32, torch.bfloat16)]
out = [torch.ones(2, dtype=d).cumsum(0).dtype for d in (torch.bool, torch.uint8, torch.int32, torch.float64)]
out = [torch.ones(2, dtype=d).cumprod(0).dtype for d in (torch.bool, torch.int32, torch.float16)]
out = [torch.ones(2, dtype=d).nansum().dtype for d in (torch.int32, torch.float32)]
out = [torch.ones(2, dtype=torch.int32).sum(0, dtype=d).dtype for d in (torch.int32, torch.float16, torch.bool)]
out = [torch.cat([torch.ones(1, dtype=a), torch.ones(1, dtype=b)]) for a, b in ((torch.int32, torch.float32), (torch.bool, torch.uint8), (torch.float16, torch.float64), (torch.int64, torch.int8))]
out = [torch.stack([torch.ones(1, dtype=a), torch.ones(1, dtype=b)]) for a, b in ((torch.int32, torch.float16), (torch.bool, torch.int64), (torch.float32, torch.complex64))]
out = torch.hstack([torch.ones(1, dtype=torch.uint8), torch.ones(1)]).dtype
out = (torch.tensor(1, dtype=torch.int16) + 1).dtype, (torch.tensor(1) + 1.5).dtype, (torch.tensor(True) + 1).dtype
out = (torch.ones(1, dtype=torch.int32) + torch.tensor(1.5, dtype=torch.float64)).dtype
out = (torch.ones(1, dtype=torch.float16) + torch.tensor(1.5, dtype=torch.float64)).dtype
out = (torch.ones(1, dtype=torch.float32) * torch.tensor(2j, dtype=torch.complex128)).dtype
torch.ones(2, dtype=torch.int32).mean()
"""


def lines(text):
    return [line for line in text.strip().splitlines() if line]


CASES = [line for part in (TENSOR, LEGACY, OUT, STORAGE, GENERATOR, DTYPES) for line in lines(part)]
