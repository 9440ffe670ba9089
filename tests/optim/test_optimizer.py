"""What optimizers do besides arithmetic: groups, state dicts, hooks, errors."""

import copy
import pickle
import warnings

import pytest

import flambeau
from flambeau import optim
from flambeau.optim import _elementwise
from flambeau.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

ALL = [
    optim.SGD,
    optim.Adam,
    optim.AdamW,
    optim.Adadelta,
    optim.RMSprop,
    optim.Adagrad,
    optim.Adamax,
    optim.NAdam,
    optim.RAdam,
    optim.ASGD,
    optim.Rprop,
]


def params(count=2):
    made = [flambeau.ones(3, requires_grad=True) for _ in range(count)]
    for i, param in enumerate(made):
        param.grad = flambeau.full((3,), 0.1 * (i + 1))
    return made


def same(a, b):
    if isinstance(a, flambeau.Tensor):
        return a.equal(b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return a == b


@pytest.mark.parametrize("cls", ALL)
def test_resuming_from_a_state_dict_continues_the_run(cls):
    first = params()
    optimizer = cls(first, lr=0.1)
    for _ in range(3):
        optimizer.step()
    second = [p.detach().clone().requires_grad_() for p in first]
    resumed = cls(second, lr=0.7)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert same(resumed.state_dict(), optimizer.state_dict())
    for p, q in zip(first, second):
        q.grad = p.grad.clone()
    optimizer.step()
    resumed.step()
    assert all(p.equal(q) for p, q in zip(first, second))


@pytest.mark.parametrize("cls", ALL)
def test_step_changes_only_parameters_with_gradients(cls):
    a, b = params()
    b.grad = None
    optimizer = cls([a, b], lr=0.1)
    before = a._version
    optimizer.step()
    assert not a.equal(flambeau.ones(3)) and b.equal(flambeau.ones(3))
    assert a._version > before and a.is_leaf and a.requires_grad


@pytest.mark.parametrize("cls", ALL)
def test_wrong_arguments_are_refused(cls):
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        cls(params(), lr=-1)
    with pytest.raises(ValueError, match="optimizer got an empty parameter list"):
        cls([], lr=0.1)
    with pytest.raises(TypeError, match="params argument given to the optimizer should be an iterable"):
        cls(flambeau.ones(2, requires_grad=True), lr=0.1)
    with pytest.raises(TypeError, match="optimizer can only optimize Tensors, but one of the params is int"):
        cls([1], lr=0.1)
    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        cls([flambeau.ones(2, requires_grad=True) * 2], lr=0.1)
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        p = params(1)
        cls([{"params": p}, {"params": p}], lr=0.1)


def test_refused_options():
    with pytest.raises(ValueError, match="Nesterov momentum requires a momentum and zero dampening"):
        optim.SGD(params(), nesterov=True)
    with pytest.raises(ValueError, match="Invalid beta parameter at index 1: 1.5"):
        optim.Adam(params(), betas=(0.9, 1.5))
    with pytest.raises(ValueError, match="Invalid epsilon value: -1"):
        optim.AdamW(params(), eps=-1)
    with pytest.raises(RuntimeError, match="`fused` and `foreach` cannot be `True` together."):
        optim.Adam(params(), fused=True, foreach=True)
    with pytest.raises(RuntimeError, match="`fused` does not support `differentiable`"):
        optim.SGD(params(), fused=True, differentiable=True)
    with pytest.raises(
        ValueError, match="lr as a Tensor is not supported for capturable=False and foreach=True"
    ):
        optim.Adam(params(), lr=flambeau.tensor(0.1), foreach=True)
    with pytest.raises(ValueError, match="LBFGS doesn't support per-parameter options"):
        optim.LBFGS([{"params": [p]} for p in params()])
    with pytest.raises(
        AssertionError, match="If capturable=True, params and state_steps must be on supported"
    ):
        optim.Adam(params(), capturable=True).step()


def test_groups_take_defaults_and_keep_their_own_options():
    a, b, c = params(3)
    optimizer = optim.SGD([{"params": a}, {"params": [b], "lr": 0.5}], lr=0.1, momentum=0.9)
    optimizer.add_param_group({"params": c, "momentum": 0})
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.5, 0.1]
    assert [g["momentum"] for g in optimizer.param_groups] == [0.9, 0.9, 0]
    assert [g["params"] for g in optimizer.state_dict()["param_groups"]] == [[0], [1], [2]]
    optimizer.step()
    assert a.tolist() == pytest.approx([0.99] * 3) and b.tolist() == pytest.approx([0.9] * 3)
    assert list(optimizer.state_dict()["state"]) == [0, 1]
    with pytest.raises(TypeError, match="param_group must be a dict"):
        optimizer.add_param_group([a])
    with pytest.raises(TypeError, match="ordered collections"):
        optimizer.add_param_group({"params": {flambeau.ones(1, requires_grad=True)}})


def test_named_parameters():
    a, b = params()
    optimizer = optim.SGD([("a", a), ("b", b)], lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["a", "b"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["a", "b"]
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.SGD([("a", a), b])
    with pytest.raises(ValueError, match="cannot add param group without names"):
        optimizer.add_param_group({"params": params(1)})


def test_duplicate_parameters_warn():
    a = params(1)[0]
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([a, a], lr=0.1)


def test_load_state_dict_checks_and_casts():
    a, b = params()
    optimizer = optim.Adam([a, b])
    optimizer.step()
    saved = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optim.Adam([{"params": [p]} for p in params()]).load_state_dict(saved)
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optim.Adam(params(1)).load_state_dict(saved)
    wide = [flambeau.ones(3, dtype=flambeau.float64, requires_grad=True) for _ in range(2)]
    other = optim.Adam(wide)
    other.load_state_dict(saved)
    assert other.state[wide[0]]["exp_avg"].dtype == flambeau.float64
    assert other.state[wide[0]]["step"].dtype == flambeau.float32


def test_step_counts_are_float32_scalars():
    for cls in (optim.Adam, optim.RMSprop, optim.Adadelta, optim.Adagrad):
        p = params(1)
        optimizer = cls(p)
        optimizer.step()
        optimizer.step()
        step = optimizer.state_dict()["state"][0]["step"]
        assert step.dtype == flambeau.float32 and step.shape == () and step.item() == 2


def test_zero_grad():
    a, b = params()
    optimizer = optim.SGD([a, b])
    grad = a.grad
    optimizer.zero_grad(set_to_none=False)
    assert a.grad is grad and grad.equal(flambeau.zeros(3))
    optimizer.zero_grad()
    assert a.grad is None and b.grad is None


def test_closure_runs_with_gradients_and_its_loss_is_returned():
    a = flambeau.ones(3, requires_grad=True)
    for optimizer in (optim.SGD([a], lr=0.1), optim.Adam([a]), optim.LBFGS([a])):

        def closure():
            assert flambeau.is_grad_enabled()
            optimizer.zero_grad()
            loss = (a * a).sum()
            loss.backward()
            return loss

        with flambeau.no_grad():
            loss = optimizer.step(closure)
        assert loss.requires_grad


def test_hooks_run_in_order_and_can_be_removed():
    calls = []
    optimizer = optim.SGD(params(), lr=0.1)
    other = optim.SGD(params(), lr=0.1)
    pre = optimizer.register_step_pre_hook(lambda o, args, kwargs: calls.append(("pre", o is optimizer)))
    optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append(("post", args[0] is optimizer)))
    optimizer.step()
    other.step()
    assert calls == [("pre", True), ("post", True)]
    pre.remove()
    calls.clear()
    optimizer.step()
    assert calls == [("post", True)]

    everywhere = [
        register_optimizer_step_pre_hook(lambda o, args, kwargs: calls.append("global pre")),
        register_optimizer_step_post_hook(lambda o, args, kwargs: calls.append("global post")),
    ]
    calls.clear()
    adam = optim.Adam(params())
    adam.step()
    assert calls == ["global pre", "global post"]
    for handle in everywhere:
        handle.remove()
    adam.step()
    assert len(calls) == 2


def test_hook_that_returns_nonsense():
    optimizer = optim.SGD(params(), lr=0.1)
    with optimizer.register_step_pre_hook(lambda o, args, kwargs: 3):
        with pytest.raises(RuntimeError, match="must return None or a tuple"):
            optimizer.step()


def test_state_dict_hooks():
    optimizer = optim.SGD(params(), lr=0.1)
    calls = []
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("second"))
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "note": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: calls.append(state["note"]))
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert calls == ["first", "second", 1, "loaded"]


def test_repr():
    assert repr(optim.SGD(params(), lr=0.1)) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n  "
        "  fused: None\n"
        "    lr: 0.1\n    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n)"
    )


def test_deepcopy_is_independent():
    a = params(1)
    optimizer = optim.SGD(a, lr=0.1, momentum=0.9)
    optimizer.step()
    twin = copy.deepcopy(optimizer)
    optimizer.param_groups[0]["lr"] = 5
    twin_param = twin.param_groups[0]["params"][0]
    assert twin.param_groups[0]["lr"] == 0.1 and twin_param is not a[0]
    assert twin_param in twin.state
    twin.step()


def test_user_optimizer():
    class Signed(optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            with flambeau.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        p.sub_(p.grad.sign(), alpha=group["lr"])

    calls = []
    a = params(1)[0]
    optimizer = Signed([a], lr=0.25)
    optimizer.register_step_post_hook(lambda *args: calls.append(1))
    optim.lr_scheduler.StepLR(optimizer, 1)
    optimizer.step()
    assert a.tolist() == [0.75] * 3 and calls == [1]
    with pytest.raises(NotImplementedError):
        optim.Optimizer([a], {}).step()


def test_differentiable_step_lets_gradients_through():
    lr = flambeau.tensor(0.1, requires_grad=True)
    start = flambeau.ones(3, requires_grad=True)
    param = start.clone()
    param.grad = flambeau.full((3,), 2.0)
    optim.SGD([param], lr=lr, differentiable=True).step()
    param.sum().backward()
    assert lr.grad.item() == pytest.approx(-6.0) and start.grad.tolist() == [1.0] * 3


def test_differentiable_adam_gives_gradients_of_its_options():
    lr, beta1, beta2 = (flambeau.tensor(v, requires_grad=True) for v in (0.1, 0.9, 0.99))
    param = flambeau.tensor([0.5, -1.0, 2.0], requires_grad=True).clone()
    optimizer = optim.Adam([param], lr=lr, betas=(beta1, beta2), differentiable=True)
    for step in (1, 2):
        param.grad = flambeau.tensor([0.3, 0.2, -0.4]) * step
        optimizer.step()
    param.sum().backward()
    # What PyTorch 2.15 gives.
    assert lr.grad.item() == pytest.approx(-1.9639, abs=1e-4)
    assert beta1.grad.item() == pytest.approx(0.0175, abs=1e-4)
    assert beta2.grad.item() == pytest.approx(-0.0146, abs=1e-4)


class Recorder:
    """Stands for a kernel of the engine."""

    def __init__(self, result):
        self.result = result
        self.calls = []

    def __call__(self, *args):
        self.calls.append(args)
        return self.result


@pytest.mark.parametrize(
    "cls, name, count",
    [
        (optim.SGD, "sgd_", 10),
        (optim.Adam, "adam_", 14),
        (optim.Adadelta, "adadelta_", 9),
        (optim.RMSprop, "rmsprop_", 12),
    ],
)
def test_kernels_of_the_engine_are_used_and_may_decline(monkeypatch, cls, name, count):
    recorder = Recorder(None)
    monkeypatch.setitem(_elementwise._kernels, name, recorder)
    a, b = params()
    optimizer = cls([a, b], lr=0.5)
    optimizer.step()
    (args,) = recorder.calls
    assert len(args) == count and args[0] == [a, b] and args[1][0] is a.grad
    assert a.equal(flambeau.ones(3)), "the kernel does the work, nobody else"
    if cls is optim.Adam:
        assert args[5] == [1.0, 1.0] and optimizer.state[a]["step"].item() == 1.0
    recorder.result = False
    optimizer.step()
    assert not a.equal(flambeau.ones(3))


def test_momentum_kernel_gets_new_buffers_once(monkeypatch):
    recorder = Recorder(None)
    monkeypatch.setitem(_elementwise._kernels, "sgd_", recorder)
    a, b = params()
    optimizer = optim.SGD([a, b], lr=0.5, momentum=0.9)
    optimizer.step()
    optimizer.step()
    first, second = recorder.calls
    assert first[-1] is True and second[-1] is False
    assert first[2][0] is second[2][0] is optimizer.state[a]["momentum_buffer"]


def test_scheduler_warns_about_the_order_of_calls():
    optimizer = optim.SGD(params(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before"):
        scheduler.step()
    optimizer = optim.SGD(params(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
        scheduler.step()
    with pytest.warns(UserWarning, match="please use `get_last_lr"):
        scheduler.get_lr()
    with pytest.warns(UserWarning, match="The epoch parameter in"):
        scheduler.step(4)
    assert scheduler.get_last_lr() == [pytest.approx(0.1 * 0.1**4)]


def test_scheduler_resumes_from_its_state_dict():
    def make(cls, **kw):
        optimizer = optim.SGD(params(), lr=0.1, momentum=0.9)
        return optimizer, cls(optimizer, **kw)

    schedulers = optim.lr_scheduler
    for cls, kw in [
        (schedulers.CosineAnnealingLR, {"T_max": 7}),
        (schedulers.OneCycleLR, {"max_lr": 1.0, "total_steps": 20}),
        (schedulers.CyclicLR, {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 3}),
        (schedulers.MultiStepLR, {"milestones": [2, 4]}),
    ]:
        optimizer, scheduler = make(cls, **kw)
        for _ in range(3):
            optimizer.step()
            scheduler.step()
        state = pickle.loads(pickle.dumps(scheduler.state_dict()))
        resumed_optimizer, resumed = make(cls, **kw)
        resumed_optimizer.load_state_dict(optimizer.state_dict())
        resumed.load_state_dict(state)
        for _ in range(3):
            optimizer.step()
            scheduler.step()
            resumed_optimizer.step()
            resumed.step()
            assert resumed.get_last_lr() == scheduler.get_last_lr()


def test_tensor_learning_rate_keeps_its_identity():
    lr = flambeau.tensor(0.5)
    optimizer = optim.SGD(params(), lr=lr)
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is lr and lr.item() == 0.25


def test_scheduler_arguments():
    schedulers = optim.lr_scheduler
    optimizer = optim.SGD(params(), lr=0.1)
    with pytest.raises(TypeError, match="int is not an Optimizer"):
        schedulers.StepLR(3, 1)
    with pytest.raises(ValueError, match="Factor should be < 1.0."):
        schedulers.ReduceLROnPlateau(optimizer, factor=1.0)
    with pytest.raises(ValueError, match="Expected positive integer T_0, but got 0"):
        schedulers.CosineAnnealingWarmRestarts(optimizer, 0)
    with pytest.raises(KeyError, match="param 'initial_lr' is not specified"):
        schedulers.StepLR(optimizer, 1, last_epoch=3)
    with pytest.raises(ValueError, match="Expected 1 lr_lambdas, but got 2"):
        schedulers.LambdaLR(optimizer, [abs, abs])
    with pytest.raises(ValueError, match="does not support `ReduceLROnPlateau`"):
        schedulers.ChainedScheduler([schedulers.ReduceLROnPlateau(optimizer)])
