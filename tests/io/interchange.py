"""Objects whose files PyTorch and flambeau exchange, made with either library; and how they are compared."""

from collections import Counter, OrderedDict

DTYPES = """float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex128 complex64 complex32 uint16 uint32
uint64 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu""".split()

# These have no storage class, and PyTorch's old format can write but not read them.
NEW_DTYPES = DTYPES[12:]

OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9},
    "Adam": {"lr": 0.1, "amsgrad": True},
    "AdamW": {},
    "RMSprop": {"centered": True, "momentum": 0.1},
    "Adagrad": {},
    "Adadelta": {},
    "Adamax": {},
    "NAdam": {},
    "RAdam": {},
    "ASGD": {},
    "Rprop": {},
    "LBFGS": {},
}

SCHEDULERS = {
    "StepLR": {"step_size": 2},
    "MultiStepLR": {"milestones": [1, 3]},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {"T_max": 5},
    "ReduceLROnPlateau": {},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 10},
    "CyclicLR": {"base_lr": 0.1, "max_lr": 1.0, "cycle_momentum": False},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "LinearLR": {},
    "ConstantLR": {},
    "PolynomialLR": {},
}

MODULES = {
    "Linear": (2, 3),
    "Conv1d": (1, 2, 3),
    "Conv2d": (1, 2, 3),
    "ConvTranspose2d": (1, 2, 3),
    "BatchNorm1d": (3,),
    "BatchNorm2d": (3,),
    "LayerNorm": (3,),
    "GroupNorm": (1, 3),
    "InstanceNorm2d": (3,),
    "RMSNorm": (3,),
    "Embedding": (4, 3),
    "LSTM": (2, 3),
    "GRU": (2, 3),
    "RNN": (2, 3),
    "LSTMCell": (2, 3),
    "Dropout": (0.1,),
    "ReLU": (),
    "GELU": (),
    "PReLU": (),
    "Softmax": (1,),
    "LeakyReLU": (),
    "SiLU": (),
    "Hardtanh": (),
    "MaxPool2d": (2,),
    "AvgPool2d": (2,),
    "AdaptiveAvgPool2d": (1,),
    "Flatten": (),
    "Identity": (),
    "Upsample": (),
    "ZeroPad2d": (1,),
    "CrossEntropyLoss": (),
    "MSELoss": (),
    "NLLLoss": (),
    "TransformerEncoderLayer": (4, 2, 8),
    "TransformerDecoderLayer": (4, 2, 8),
    "MultiheadAttention": (4, 2),
    "Bilinear": (2, 3, 4),
    "ParameterList": (),
    "ModuleDict": (),
}


def dtypes(torch):
    return {
        name: [torch.tensor([1.0, 0.0, 1.0]).to(getattr(torch, name)), torch.tensor([]).to(getattr(torch, name))]
        for name in DTYPES
    }


def old_dtypes(torch):
    return {name: value for name, value in dtypes(torch).items() if name not in NEW_DTYPES}


def containers(torch):
    marked = torch.nn.Parameter(torch.ones(1))
    marked.tag = 3
    return {
        "nested": [torch.ones(2), (torch.zeros(1), {"b": torch.arange(3)}), None, True, 2**80, -5, 1.5, "s", b"bytes", 2j],
        "ordered": OrderedDict(a=torch.ones(1), b=Counter("abca")),
        "parameters": [torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2), requires_grad=False), marked],
        "leaf": torch.ones(2, requires_grad=True),
        "buffer": torch.nn.Buffer(torch.ones(1)),
        "values": [torch.Size([1, 2]), torch.device("cpu"), torch.device("cuda:1"), torch.float32, torch.strided, {1, 2}],
        "generator": torch.Generator().manual_seed(3).get_state(),
    }


def views(torch):
    x = torch.arange(6.0).reshape(2, 3)
    return {"views": [x, x[1], x.t(), x[:, ::2], x.expand(2, 2, 3), x[1:1], torch.tensor(3.5), torch.ones(0, 3)], "again": x}


def optimizers(torch):
    def one(name, options):
        p = torch.nn.Parameter(torch.ones(3))
        optimizer = getattr(torch.optim, name)([p], **options)

        def closure():
            optimizer.zero_grad()
            loss = (p * p).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        optimizer.step(closure)
        return optimizer.state_dict()

    return {name: one(name, options) for name, options in OPTIMIZERS.items()}


def schedulers(torch):
    def one(name, options):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(3))], lr=0.1, momentum=0.9)
        scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
        optimizer.step()
        scheduler.step(*([1.0] if name == "ReduceLROnPlateau" else []))
        return scheduler.state_dict()

    return {name: one(name, options) for name, options in SCHEDULERS.items()}


def state_dict(torch):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1)).state_dict()


def modules(torch):
    torch.manual_seed(0)
    made = {name: getattr(torch.nn, name)(*args) for name, args in MODULES.items()}
    shared = torch.nn.Sequential(OrderedDict(a=torch.nn.Linear(2, 2), b=torch.nn.ReLU()))
    shared.extra = shared[0]
    shared.more = torch.nn.ParameterDict({"x": torch.nn.Parameter(torch.ones(1))})
    made["shared"] = shared
    return made


# name -> (what makes it, whether it can be loaded safely, whether the old format is tried too)
FILES = {
    "dtypes": (dtypes, True, False),
    "old_dtypes": (old_dtypes, True, True),
    "containers": (containers, True, True),
    "views": (views, True, True),
    "optimizers": (optimizers, True, True),
    "schedulers": (schedulers, True, False),
    "state_dict": (state_dict, True, True),
    "modules": (modules, False, True),
}


def describe(value):
    """What is to be equal of a value, in plain data without either library's types."""
    kind = type(value).__name__
    if hasattr(value, "untyped_storage") and hasattr(value, "requires_grad"):
        dtype = str(value.dtype).rsplit(".", 1)[-1]
        plain = value.detach()
        if "float8" in dtype:
            plain = plain.float()
        elif dtype == "complex32":
            plain = (plain * 1).real.float() if plain.numel() == 0 else plain.cfloat()
        extra = {k: v for k, v in value.__dict__.items() if "hook" not in k}
        layout = (tuple(value.shape), value.stride(), value.storage_offset(), value.requires_grad)
        return kind, dtype, layout, repr(plain.tolist()), describe(extra) if extra else None
    if hasattr(value, "state_dict") and hasattr(value, "named_modules"):
        # Flat weights are PyTorch's second list of the same parameters; functions have different kinds.
        skip = ("hooks", "_flat_weight", "activation")
        return kind, [(k, describe(v)) for k, v in value.__dict__.items() if not any(s in k for s in skip)]
    if isinstance(value, dict):
        attributes = {k: describe(v) for k, v in getattr(value, "__dict__", {}).items()}
        return kind, [(describe(k), describe(v)) for k, v in value.items()], attributes
    if isinstance(value, (list, tuple)):
        return kind, [describe(item) for item in value]
    if isinstance(value, set):
        return kind, sorted(map(repr, value))
    return kind, repr(value).replace("flambeau.", "torch.")
