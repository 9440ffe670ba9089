"""Modules that scripts import and that do little, or nothing, in one process on a CPU."""

import pytest

import flambeau as torch


def test_no_accelerator():
    assert not torch.accelerator.is_available()
    assert torch.accelerator.current_accelerator() is None
    assert torch.accelerator.device_count() == 0
    with pytest.raises(RuntimeError, match="none is available"):
        torch.accelerator.synchronize()


def test_no_process_group():
    import flambeau.distributed as dist

    assert not dist.is_available() and not dist.is_initialized()
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        dist.get_rank()
    with pytest.raises(RuntimeError, match="no process groups yet"):
        dist.init_process_group("gloo")
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))


def test_data_parallel_passes_on():
    inner = torch.nn.Linear(3, 2)
    outer = torch.nn.DataParallel(inner)
    assert list(outer.state_dict()) == ["module.weight", "module.bias"]
    x = torch.randn(4, 3)
    assert torch.equal(outer(x), inner(x))


def test_onnx_says_that_it_cannot():
    import flambeau.onnx

    assert not flambeau.onnx.is_in_onnx_export()
    with pytest.raises(NotImplementedError, match="state_dict"):
        flambeau.onnx.export(torch.nn.Linear(1, 1), (torch.zeros(1),), "x.onnx")


def test_autocast_without_a_device():
    with pytest.warns(UserWarning, match="Disabling autocast"):
        region = torch.amp.autocast("cuda")
    with region:
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    with pytest.raises(NotImplementedError, match="CPU"):
        torch.amp.autocast("cpu", dtype=torch.bfloat16)
    with torch.amp.autocast("cpu", enabled=False):
        pass


def scaled_step(scaler, optimizer, parameter, value):
    optimizer.zero_grad()
    scaler.scale((parameter * value).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    return parameter.item()


def test_grad_scaler_skips_what_overflows():
    p = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([p], lr=0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
    assert scaled_step(scaler, optimizer, p, 1.0) == 0.5
    assert scaled_step(scaler, optimizer, p, float("inf")) == 0.5 and scaler.get_scale() == 512.0
    assert scaled_step(scaler, optimizer, p, 1.0) == 0.0 and scaler.get_scale() == 512.0
    assert scaled_step(scaler, optimizer, p, 1.0) == -0.5 and scaler.get_scale() == 1024.0
    state = scaler.state_dict()
    assert state == {
        "scale": 1024.0,
        "growth_factor": 2.0,
        "backoff_factor": 0.5,
        "growth_interval": 2,
        "_growth_tracker": 0,
    }
    other = torch.amp.GradScaler("cpu")
    other.load_state_dict(state)
    assert other.state_dict() == state


def test_grad_scaler_in_the_wrong_order():
    p = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([p], lr=0.5)
    scaler = torch.amp.GradScaler("cpu")
    with pytest.raises(AssertionError, match="No inf checks"):
        scaler.update()
    scaler.scale(p.sum()).backward()
    scaler.unscale_(optimizer)
    assert p.grad.item() == 1.0
    with pytest.raises(RuntimeError, match="already been called on this optimizer"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"after step\(\)"):
        scaler.unscale_(optimizer)


def test_grad_scaler_is_off_without_cuda():
    with pytest.warns(UserWarning, match="Disabling"):
        scaler = torch.amp.GradScaler()
    assert not scaler.is_enabled() and scaler.state_dict() == {} and scaler.get_scale() == 1.0
    loss = torch.ones(1)
    assert scaler.scale(loss) is loss


def test_operations_pickle_by_name():
    import copy
    import io
    import pickle

    functional = torch.nn.functional
    for function in (functional.relu, functional.gelu, torch.relu, torch.add, torch.special.erf):
        assert pickle.loads(pickle.dumps(function)) is function
        assert copy.deepcopy(function) is function
        file = io.BytesIO()
        torch.save([function], file)
        file.seek(0)
        assert torch.load(file, weights_only=False) == [function]
    file = io.BytesIO()
    torch.save(torch.nn.TransformerEncoderLayer(8, 2, 16), file)
    assert b"torch.nn.functional" in file.getvalue() and b"flambeau" not in file.getvalue()
    # As PyTorch's scripts allow it.
    file.seek(0)
    nn = torch.nn.modules
    allowed = [
        torch.nn.functional.relu,
        nn.activation.MultiheadAttention,
        nn.transformer.TransformerEncoderLayer,
        nn.linear.Linear,
        nn.linear.NonDynamicallyQuantizableLinear,
        nn.dropout.Dropout,
        nn.normalization.LayerNorm,
    ]
    with torch.serialization.safe_globals(allowed):
        assert torch.load(file).activation is functional.relu


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_takes_factors_at_full_width(dtype):
    """PyTorch multiplies and divides by the number itself, not by its rounding."""
    x = torch.arange(1, 200, dtype=torch.float32)
    half = x.to(dtype)
    for number in (0.7, 1 / 3, 1e-3):
        number = torch.tensor(number)
        assert torch.equal(half * number.item(), (half.float() * number).to(dtype))
        assert torch.equal(half * number, (half.float() * number).to(dtype))
        assert torch.equal(half / number.item(), (half.float() / number).to(dtype))


def test_backends_are_modules_whose_switches_are_kept():
    import flambeau.backends.cuda as cuda
    import flambeau.backends.cudnn as cudnn

    assert cudnn.enabled and not cudnn.is_available() and cudnn.version() is None
    assert (cudnn.benchmark, cudnn.deterministic) == (False, False)
    with cudnn.flags(enabled=False, benchmark=True):
        assert (torch.backends.cudnn.enabled, cudnn.benchmark) == (False, True)
    assert (cudnn.enabled, cudnn.benchmark) == (True, False)
    with pytest.raises(TypeError, match="speed"), cudnn.flags(speed=1):
        pass
    with cuda.sdp_kernel(enable_flash=False):
        assert not cuda.flash_sdp_enabled() and cuda.math_sdp_enabled()
    assert cuda.flash_sdp_enabled()
    cuda.matmul.allow_tf32 = True
    assert not (cuda.is_built() or torch.backends.mps.is_available() or torch.backends.mkl.is_available())
