"""DLPack with other libraries: NumPy always, JAX where it is installed; no copy in either direction."""

import flambeau as torch
import numpy as np
import pytest

DTYPES = "float32 float64 float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool complex64 complex128".split()


@pytest.fixture(scope="module")
def jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)
    return jax


@pytest.mark.parametrize("name", DTYPES)
def test_numpy_both_ways(name):
    ours = torch.tensor([[0, 1, 1], [1, 0, 1]]).to(getattr(torch, name))
    theirs = np.from_dlpack(ours)
    assert theirs.dtype == np.dtype(name) and theirs.tolist() == ours.tolist()
    assert theirs.ctypes.data == ours.data_ptr()
    back = torch.from_dlpack(theirs)
    assert back.dtype == ours.dtype and back.data_ptr() == ours.data_ptr()
    assert torch.from_dlpack(np.from_dlpack(ours.t())).stride() == (1, 3)


@pytest.mark.parametrize("name", [*DTYPES, "bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_jax_both_ways(jax, name):
    import jax.numpy as jnp

    ours = torch.tensor([[0, 1, 1], [1, 0, 1]]).to(getattr(torch, name))
    theirs = jnp.from_dlpack(ours)
    assert str(theirs.dtype) == name
    assert theirs.astype(jnp.complex64).tolist() == [[0, 1, 1], [1, 0, 1]]
    made = jnp.asarray([[0, 1, 1], [1, 0, 1]]).astype(getattr(jnp, "bool_" if name == "bool" else name))
    back = torch.from_dlpack(made)
    assert back.dtype == ours.dtype and back.to(torch.complex64).tolist() == [[0, 1, 1], [1, 0, 1]]
    assert back.data_ptr() == made.unsafe_buffer_pointer(), "no copy"
    del made
    assert back.to(torch.complex64).tolist() == [[0, 1, 1], [1, 0, 1]], "the tensor keeps the memory alive"


def test_jax_reads_what_we_write(jax):
    ours = torch.zeros(64)
    theirs = jax.dlpack.from_dlpack(ours)
    if theirs.unsafe_buffer_pointer() != ours.data_ptr():
        pytest.skip("JAX copied the memory, whose alignment it did not like")
    ours[3] = 5
    assert theirs[3] == 5


def test_protocol_arguments():
    x = torch.arange(3.0)
    assert "dltensor_versioned" in repr(x.__dlpack__(max_version=(1, 1)))
    assert "dltensor_versioned" not in repr(x.__dlpack__(max_version=(0, 8)))
    copy = torch.from_dlpack(x.__dlpack__(copy=True, max_version=(1, 0)))
    copy[0] = 9
    assert x[0].item() == 0
    assert x.__dlpack_device__() == (1, 0)


class Producer:
    """An object from before version 1.0 of the protocol: it knows no arguments."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __dlpack__(self, stream=None):
        return self.tensor.__dlpack__()

    def __dlpack_device__(self):
        return (1, 0)


def test_older_producers():
    x = torch.arange(3.0)
    assert torch.from_dlpack(Producer(x)).data_ptr() == x.data_ptr()
    copy = torch.from_dlpack(Producer(x), copy=True)
    assert copy.tolist() == [0, 1, 2] and copy.data_ptr() != x.data_ptr()


def test_read_only_memory_is_shared():
    a = np.arange(3.0)
    a.flags.writeable = False
    assert torch.from_dlpack(a).data_ptr() == a.ctypes.data
