"""Draws to compare with PyTorch's: expressions in `t`, each evaluated just after `t.manual_seed(SEED)`.

EXACT ones are drawn by arithmetic that both libraries share to the bit; the values of CLOSE ones also pass
through a logarithm, a tangent or a matrix product, whose last bits may differ.
"""

SEED = 20

FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")


def _draws():
    """The names of PyTorch's functions in every dtype, below and from 16 elements, and strided."""
    exact, close = [], []
    for d in FLOATS:
        for n in ("7", "15", "16", "17", "40", "3, 5", "4, 5", "1000", "0", ""):
            exact.append(f"t.rand({n or '()'}, dtype=t.{d})")
        for n in ("1", "7", "15", "3, 5", ""):
            # float64 draws of the scalar path.
            exact.append(f"t.randn({n or '()'}, dtype=t.{d})")
        for n in ("16", "17", "31", "32", "40", "4, 5", "1000", "0"):
            (exact if d == "float32" else close).append(f"t.randn({n}, dtype=t.{d})")
        exact += [
            f"t.empty(20, dtype=t.{d}).uniform_(-2, 3)",
            f"t.empty(6, 5, dtype=t.{d}).t().uniform_()",
            f"t.empty(20, dtype=t.{d}).bernoulli_(0.3)",
            f"t.empty(5000, dtype=t.{d}).bernoulli_(0.3)",
            f"t.empty(6, 5, dtype=t.{d}).t().bernoulli_(0.3)",
            f"t.bernoulli(t.linspace(0, 1, 30, dtype=t.float32).to(t.{d}))",
            f"t.bernoulli(t.ones(4, 6, dtype=t.{d}), 0.4)",
            f"t.empty(30, dtype=t.{d}).bernoulli_(t.linspace(0, 1, 30))",
            f"t.empty(20, dtype=t.{d}).random_()",
            f"t.empty(20, dtype=t.{d}).random_(5)",
            f"t.empty(20, dtype=t.{d}).random_(-3, 9)",
            f"t.randint(0, 10, (20,), dtype=t.{d})",
            f"t.nn.functional.dropout(t.ones(50, dtype=t.{d}), 0.3)",
            f"t.nn.functional.dropout(t.ones(6, 5, dtype=t.{d}).t(), 0.5)",
            f"t.nn.functional.alpha_dropout(t.ones(50, dtype=t.{d}), 0.3)",
            f"t.nn.functional.feature_alpha_dropout(t.ones(8, 4, 3, dtype=t.{d}), 0.3)",
            f"t.nn.functional.dropout1d(t.ones(8, 4, 3, dtype=t.{d}), 0.5)",
            f"t.nn.functional.dropout2d(t.ones(4, 6, 2, 2, dtype=t.{d}), 0.5)",
            f"t.nn.functional.dropout3d(t.ones(4, 6, 2, 2, 1, dtype=t.{d}), 0.5)",
            *([] if d == "float16" else [f"t.nn.functional.rrelu(-t.ones(20, dtype=t.{d}), training=True)"]),
            f"t.multinomial(t.arange(1., 9).to(t.{d}), 20, True)",
            f"t.multinomial(t.arange(1., 17).reshape(2, 8).to(t.{d}), 5, True)",
            f"t.multinomial(t.arange(1., 17).reshape(2, 8).to(t.{d}), 1)",
            f"t.rand_like(t.ones(3, 7, dtype=t.{d}).t())",
        ]
        close += [
            f"t.empty(20, dtype=t.{d}).normal_(1, 3)",
            f"t.empty(9, dtype=t.{d}).normal_(1, 3)",
            f"t.empty(8, 5, dtype=t.{d}).t().normal_(1, 3)",
            f"t.empty(3, 4, dtype=t.{d}).t().normal_()",
            f"t.empty(7, dtype=t.{d}).exponential_()",
            f"t.empty(40, dtype=t.{d}).exponential_(2.5)",
            f"t.empty(5000, dtype=t.{d}).exponential_()",
            f"t.empty(6, 5, dtype=t.{d}).t().exponential_(2.5)",
            f"t.empty(20, dtype=t.{d}).geometric_(0.2)",
            f"t.empty(20, dtype=t.{d}).cauchy_(1, 2)",
            f"t.empty(20, dtype=t.{d}).log_normal_(0.5, 0.7)",
            f"t.multinomial(t.arange(1., 9).to(t.{d}), 8)",
            f"t.multinomial(t.arange(1., 17).reshape(2, 8).to(t.{d}), 5)",
            f"t.randn_like(t.ones(3, 7, dtype=t.{d}).t())",
            f"t.normal(t.arange(20.).to(t.{d}), t.arange(1., 21).to(t.{d}))",
            f"t.normal(t.arange(5.).to(t.{d}), t.arange(1., 6).to(t.{d}))",
            f"t.normal(t.arange(20.).to(t.{d}), 0.5)",
            f"t.normal(t.arange(20.).to(t.{d}))",
            f"t.normal(2.0, t.arange(1., 21).to(t.{d}))",
            f"t.normal(2.0, 3.0, (20,), dtype=t.{d})",
            f"t.normal(2.0, 3.0, (5,), dtype=t.{d})",
            f"t.normal(0., 1., (4, 5), out=t.empty(4, 5, dtype=t.{d}))",
            f"t.normal(t.arange(6.).reshape(2, 3).to(t.{d}), t.tensor([1., 2, 3]).to(t.{d}))",
            f"t.normal(t.arange(2.).reshape(2, 1).to(t.{d}), t.ones(1, 12).to(t.{d}))",
        ]
    for d in INTEGERS:
        exact += [
            f"t.randint(0, 10, (20,), dtype=t.{d})",
            f"t.randint(100, (20,), dtype=t.{d})",
            f"t.empty(20, dtype=t.{d}).random_()",
            f"t.empty(20, dtype=t.{d}).random_(7)",
            f"t.empty(20, dtype=t.{d}).random_(3, 90)",
            f"t.empty(6, 5, dtype=t.{d}).t().random_(50)",
            f"t.empty(20, dtype=t.{d}).bernoulli_(0.3)",
            f"t.randperm(20, dtype=t.{d})",
            f"t.randint_like(t.ones(3, 7, dtype=t.{d}), 100)",
            f"t.randint_like(t.ones(3, 7, dtype=t.{d}), 20, 100)",
        ]
        close += [f"t.empty(20, dtype=t.{d}).geometric_(0.2)"]
    for d in ("complex64", "complex128"):
        exact += [f"t.rand(7, dtype=t.{d})", f"t.rand(20, dtype=t.{d})"]
        close += [
            f"t.randn(5, dtype=t.{d})",
            f"t.randn(7, dtype=t.{d})",
            f"t.randn(8, dtype=t.{d})",
            f"t.randn(20, dtype=t.{d})",
            f"t.empty(20, dtype=t.{d}).normal_(1, 2)",
        ]
    return exact, close


EXACT, CLOSE = _draws()

EXACT += [
    "t.randint(-5, 5, (20,))",
    "t.randint(2**40, (20,))",
    "t.randint(-2**62, 2**62, (20,))",
    "t.randint(2**32, (20,))",
    "t.randint(2**32 - 1, (20,))",
    "t.randint(2**32 + 1, (20,))",
    "t.empty(20, dtype=t.int64).random_(-2**63, None)",
    "t.empty(20, dtype=t.int64).random_(5, None)",
    "t.empty(20, dtype=t.bool).random_()",
    "t.empty(20, dtype=t.bool).bernoulli_()",
    "t.randint(2, (20,), dtype=t.bool)",
    "t.randperm(0)",
    "t.randperm(1)",
    "t.randperm(10)",
    "t.randperm(1000)",
    "t.randperm(100, generator=t.Generator().manual_seed(5))",
    "t.rand(5, generator=t.Generator().manual_seed(5))",
    "t.cat([t.randn(3), t.randn(4), t.randn(1)])",
    "t.cat([t.randn(3), t.rand(2), t.randn(20), t.randn(3)])",
    "t.cat([t.randn(3, dtype=t.float64), t.randn(3).double(), t.randn(2, dtype=t.float16).double()])",
    "t.initial_seed()",
    "t.Generator().initial_seed()",
    "t.Generator().manual_seed(-7).initial_seed()",
    "t.get_rng_state()",
    "(t.randn(3), t.get_rng_state())[1]",
    "(t.rand(700), t.get_rng_state())[1]",
    "(t.randn(3, dtype=t.float64), t.get_rng_state())[1]",
    "(t.randperm(8), t.get_rng_state())[1]",
    "(t.set_rng_state(t.Generator().manual_seed(9).get_state()), t.rand(5))[1]",
    "t.nn.functional.dropout(t.ones(40), 0.0)",
    "t.nn.functional.dropout(t.ones(40), 1.0)",
    "t.nn.Dropout(0.25)(t.ones(3, 4, 5))",
    "t.nn.functional.fractional_max_pool2d(t.arange(64.).reshape(1, 1, 8, 8), 2, (4, 4))",
]

CLOSE += [
    "t.nn.functional.gumbel_softmax(t.zeros(4, 5), tau=0.7)",
    "t.nn.functional.gumbel_softmax(t.zeros(4, 5), hard=True)",
    "t.nn.functional.scaled_dot_product_attention(*[t.ones(1, 2, 4, 8)] * 3, dropout_p=0.5)",
    "t.nn.MultiheadAttention(8, 2, dropout=0.5)(*[t.ones(4, 2, 8)] * 3)[0]",
]


def _init():
    """Every initialiser, on shapes below and above 16 elements."""
    exact, close = [], []
    for shape in ("(3, 4)", "(6, 5)", "(5, 6)", "(4, 3, 3, 3)"):
        w = f"t.empty({shape})"
        i = "t.nn.init"
        exact += [
            f"{i}.uniform_({w}, -2, 3)",
            f"{i}.xavier_uniform_({w}, gain=1.5)",
            f"{i}.kaiming_uniform_({w}, a=5**0.5)",
            f"{i}.kaiming_uniform_({w}, mode='fan_out', nonlinearity='relu')",
            f"{i}.constant_({w}, 0.3)",
        ]
        close += [
            f"{i}.normal_({w}, 1, 2)",
            f"{i}.xavier_normal_({w})",
            f"{i}.kaiming_normal_({w}, nonlinearity='relu')",
            f"{i}.kaiming_normal_({w}, mode='fan_out', nonlinearity='tanh')",
            f"{i}.trunc_normal_({w})",
            f"{i}.trunc_normal_({w}, std=0.02)",
            f"{i}.trunc_normal_({w}, 1.0, 2.0, 0.5, 0.9)",
            f"{i}.trunc_normal_({w}, 0.0, 1.0, 3.0, 4.0)",
            f"{i}.orthogonal_({w})",
            f"{i}.orthogonal_({w}, gain=2.0)",
        ]
        if shape.count(",") == 1:
            close += [f"{i}.sparse_({w}, 0.4)", f"{i}.sparse_({w}, 0.1, std=0.5)"]
            exact += [f"{i}.eye_({w})"]
        else:
            exact += [f"{i}.dirac_({w})", f"{i}.dirac_({w}, 2)"]
    close += [
        "t.nn.init.normal_(t.empty(6, 5, dtype=t.float64))",
        "t.nn.init.trunc_normal_(t.empty(6, 5, dtype=t.float64))",
        "t.nn.init.normal_(t.empty(6, 5, dtype=t.bfloat16), std=0.02)",
        "t.nn.init.trunc_normal_(t.empty(6, 5, dtype=t.bfloat16), std=0.02)",
        "t.nn.init.normal_(t.empty(6, 5), generator=t.Generator().manual_seed(1))",
    ]
    return exact, close


EXACT += _init()[0]
CLOSE += _init()[1]

EXACT += [
    "[len(p) for p in t.utils.data.random_split(range(10), [3, 7])]",
    "[list(p) for p in t.utils.data.random_split(range(10), [3, 7])]",
    "[list(p) for p in t.utils.data.random_split(range(11), [0.5, 0.5])]",
    "[list(p) for p in t.utils.data.random_split(range(10), [3, 7], generator=t.Generator().manual_seed(42))]",
    "list(t.utils.data.RandomSampler(range(10)))",
    "list(t.utils.data.RandomSampler(range(10), replacement=True))",
    "list(t.utils.data.RandomSampler(range(10), replacement=True, num_samples=50))",
    "list(t.utils.data.RandomSampler(range(10), num_samples=25))",
    "list(t.utils.data.SubsetRandomSampler([3, 1, 4, 15]))",
    "list(t.utils.data.WeightedRandomSampler([0.1, 0.9, 0.4, 2.0], 12))",
    "list(t.utils.data.WeightedRandomSampler([0.1, 0.9, 0.4, 2.0], 3, replacement=False))",
    "list(t.utils.data.BatchSampler(t.utils.data.RandomSampler(range(10)), 3, False))",
    "[b.tolist() for _ in range(2) for b in t.utils.data.DataLoader(range(10), batch_size=4, shuffle=True)]",
    "[b.tolist() for b in t.utils.data.DataLoader(range(10), 4, True, drop_last=True)]",
    "[b.tolist() for b in t.utils.data.DataLoader(range(9), 4, True, generator=t.Generator().manual_seed(3))]",
    "[b.tolist() for b in t.utils.data.DataLoader(range(6), batch_size=4)]",
]
