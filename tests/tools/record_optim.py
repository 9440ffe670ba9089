"""Records runs of PyTorch's optimizers and schedulers: run with a Python that has PyTorch 2.15.

    python tests/tools/record_optim.py > tests/optim/recorded.json

The cases are run again by tests/optim/test_recorded.py through `run_optimizer` and `run_scheduler` below.
"""

import json
import sys
import warnings

STEPS = 6
SCHEDULER_STEPS = 14

SGD = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.3},
    {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    {"weight_decay": 0.1, "maximize": True},
    {"momentum": 0.5, "maximize": True},
    {"foreach": True, "momentum": 0.9},
]
ADAM = [
    {},
    {"weight_decay": 0.1},
    {"amsgrad": True},
    {"maximize": True, "weight_decay": 0.05},
    {"betas": [0.8, 0.9], "eps": 1e-3},
    {"amsgrad": True, "weight_decay": 0.1, "foreach": True},
]
OPTIMIZERS = {
    "SGD": [{"lr": 0.05, **kw} for kw in SGD] + [{}],
    "Adam": [{"lr": 0.05, **kw} for kw in ADAM] + [{}, {"decoupled_weight_decay": True, "weight_decay": 0.2}],
    "AdamW": [{"lr": 0.05, **kw} for kw in ADAM] + [{}],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.8, "weight_decay": 0.1}, {"maximize": True, "eps": 1e-3}],
    "RMSprop": [
        {},
        {"momentum": 0.9},
        {"centered": True},
        {"momentum": 0.5, "centered": True, "weight_decay": 0.1, "alpha": 0.9},
        {"maximize": True, "lr": 0.1},
    ],
    "Adagrad": [
        {},
        {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1},
        {"initial_accumulator_value": 0.5, "maximize": True},
    ],
    "Adamax": [{}, {"lr": 0.1, "weight_decay": 0.1}, {"maximize": True, "betas": [0.7, 0.9]}],
    "NAdam": [
        {},
        {"lr": 0.1, "weight_decay": 0.1},
        {"decoupled_weight_decay": True, "weight_decay": 0.1},
        {"maximize": True},
    ],
    "RAdam": [
        {},
        {"lr": 0.1, "weight_decay": 0.1, "betas": [0.9, 0.9]},
        {"decoupled_weight_decay": True, "weight_decay": 0.1},
        {"maximize": True, "betas": [0.5, 0.8]},
    ],
    "ASGD": [{}, {"lr": 0.1, "lambd": 0.01, "t0": 2, "weight_decay": 0.1}, {"maximize": True}],
    "Rprop": [{}, {"lr": 0.1, "etas": [0.3, 1.5], "step_sizes": [1e-3, 0.2]}, {"maximize": True}],
    "LBFGS": [
        {"lr": 0.1, "max_iter": 4},
        {"lr": 1, "max_iter": 10, "line_search_fn": "strong_wolfe"},
        {"lr": 0.5, "history_size": 2, "max_iter": 6},
    ],
}

SCHEDULERS = [
    ("StepLR", {"step_size": 3}),
    ("StepLR", {"step_size": 4, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.3}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 4}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 6}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {"total_iters": 8, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 20}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2, "eta_min": 0.001}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3}),
    (
        "CyclicLR",
        {
            "base_lr": 0.01,
            "max_lr": [0.1, 0.2],
            "step_size_up": 2,
            "step_size_down": 4,
            "mode": "triangular2",
        },
    ),
    (
        "CyclicLR",
        {
            "base_lr": 0.01,
            "max_lr": 0.1,
            "step_size_up": 3,
            "mode": "exp_range",
            "gamma": 0.9,
            "cycle_momentum": False,
        },
    ),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 14}),
    (
        "OneCycleLR",
        {
            "max_lr": [0.5, 0.3],
            "epochs": 2,
            "steps_per_epoch": 7,
            "anneal_strategy": "linear",
            "three_phase": True,
        },
    ),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 20, "pct_start": 0.5, "cycle_momentum": False}),
    ("LambdaLR", {"lr_lambda": "lambda epoch: 0.95 ** epoch"}),
    ("LambdaLR", {"lr_lambda": "[lambda epoch: epoch // 3 + 1, lambda epoch: 1 / (epoch + 1)]"}),
    ("MultiplicativeLR", {"lr_lambda": "lambda epoch: 0.9 + epoch / 100"}),
    ("ReduceLROnPlateau", {"patience": 1, "factor": 0.5}),
    (
        "ReduceLROnPlateau",
        {"mode": "max", "patience": 0, "cooldown": 2, "min_lr": 0.02, "threshold_mode": "abs"},
    ),
    (
        "SequentialLR",
        {"parts": [["LinearLR", {"total_iters": 4}], ["CosineAnnealingLR", {"T_max": 6}]], "milestones": [4]},
    ),
    (
        "SequentialLR",
        {
            "parts": [
                ["ConstantLR", {"total_iters": 2}],
                ["ExponentialLR", {"gamma": 0.8}],
                ["StepLR", {"step_size": 2}],
            ],
            "milestones": [2, 7],
        },
    ),
    (
        "ChainedScheduler",
        {"parts": [["ConstantLR", {"factor": 0.1, "total_iters": 3}], ["ExponentialLR", {"gamma": 0.9}]]},
    ),
]
METRICS = [1.0, 0.9, 0.9, 0.9, 0.8, 0.85, 0.85, 0.85, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]


def numbers(count, seed):
    """Numbers between -1.25 and 1.25 that depend on no generator."""
    return [((i * 37 + seed * 53) % 101 - 50) / 40 for i in range(count)]


def make_params(torch):
    """Two parameters with fixed values."""
    return [
        torch.tensor(numbers(6, 1)).reshape(3, 2).requires_grad_(),
        torch.tensor(numbers(4, 2)).requires_grad_(),
    ]


def plain_numbers(value):
    """Nested lists of float32 numbers in the nine digits that tell them apart."""
    if isinstance(value, list):
        return [plain_numbers(item) for item in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def plain(value):
    """A value of a state dict for JSON."""
    if hasattr(value, "tolist"):
        return plain_numbers(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def run_optimizer(torch, name, options):
    """The parameters after each step, and the state dict at the end."""
    params = make_params(torch)
    options = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
    optimizer = getattr(torch.optim, name)(params, **options)
    trace = []
    for step in range(STEPS):
        if name == "LBFGS":

            def closure():
                optimizer.zero_grad()
                loss = sum(((p - 0.3) ** 2 + 0.1 * (p - 0.3) ** 4).sum() for p in params)
                loss.backward()
                return loss

            optimizer.step(closure)
        else:
            for i, param in enumerate(params):
                grad = torch.tensor(numbers(param.numel(), 10 * step + i)).reshape(param.shape)
                param.grad = grad + 0.5 * param.detach()
            if step == 0:
                params[1].grad = None  # a parameter whose first gradient comes later
            optimizer.step()
        trace.append([plain(param.detach().reshape(-1)) for param in params])
    return {"params": trace, "state_dict": plain(optimizer.state_dict())}


def make_scheduler(torch, optimizer, name, options):
    """A scheduler by name; composite ones make their parts."""
    module = torch.optim.lr_scheduler
    options = {k: eval(v) if k == "lr_lambda" else v for k, v in options.items()}
    if "parts" in options:
        parts = [make_scheduler(torch, optimizer, *part) for part in options.pop("parts")]
        if name == "ChainedScheduler":
            return module.ChainedScheduler(parts, optimizer)
        return module.SequentialLR(optimizer, parts, **options)
    return getattr(module, name)(optimizer, **options)


def run_scheduler(torch, name, options):
    """(learning rates, momentums) of two groups at each step, and the keys of the state dict."""
    params = make_params(torch)
    groups = [{"params": [params[0]]}, {"params": [params[1]], "lr": 0.05}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make_scheduler(torch, optimizer, name, options)
        trace = []
        for step in range(SCHEDULER_STEPS):
            trace.append([[group["lr"], group["momentum"]] for group in optimizer.param_groups])
            optimizer.step()
            scheduler.step(METRICS[step]) if name == "ReduceLROnPlateau" else scheduler.step()
    return {
        "trace": trace,
        "last_lr": scheduler.get_last_lr(),
        "keys": sorted(scheduler.state_dict()),
        "group_keys": sorted(optimizer.param_groups[0]),
    }


if __name__ == "__main__":
    import torch

    optimizers = [
        [name, options, run_optimizer(torch, name, options)]
        for name, choices in OPTIMIZERS.items()
        for options in choices
    ]
    schedulers = [[name, options, run_scheduler(torch, name, options)] for name, options in SCHEDULERS]
    json.dump({"torch": torch.__version__, "optimizers": optimizers, "schedulers": schedulers}, sys.stdout)
