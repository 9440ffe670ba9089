"""Four small models, trained for some steps from one seed; `torch` is PyTorch or flambeau."""

import math

STEPS = 50
SEED = 1234

# What SGD learns at without running into sharp turns, where a last bit decides.
SGD_RATES = {"mlp": 0.05, "cnn": 0.02, "lstm": 0.2, "gpt": 0.05}

OPTIMIZERS = {
    "sgd": lambda torch, p, rate: torch.optim.SGD(p, lr=rate, momentum=0.9),
    "adam": lambda torch, p, _: torch.optim.Adam(p, lr=2e-3),
    "adamw": lambda torch, p, _: torch.optim.AdamW(p, lr=2e-3, weight_decay=0.1),
}


def mlp(torch):
    """Three linear layers on noise labelled by a random teacher."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh(), nn.Dropout(0.1), nn.Linear(64, 5)
    )
    teacher = torch.randn(20, 5)

    def batch():
        x = torch.randn(32, 20)
        return x, (x @ teacher).argmax(1)

    return model, batch, nn.CrossEntropyLoss()


def cnn(torch):
    """Convolutions with batch norm and dropout on images that hold a bright square somewhere."""
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(8, 16, 3, padding=1, bias=False),
                nn.BatchNorm2d(16),
                nn.ReLU(inplace=True),
                nn.Dropout2d(0.2),
                nn.MaxPool2d(2),
            )
            self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(16 * 3 * 3, 4))

        def forward(self, x):
            return self.head(self.features(x))

    def batch():
        y = torch.randint(0, 4, (16,))
        x = torch.randn(16, 1, 12, 12)
        for image, label in zip(x, y.tolist()):
            row, column = 6 * (label // 2), 6 * (label % 2)
            image[:, row + 1 : row + 5, column + 1 : column + 5] += 1.0
        return x, y

    return Net(), batch, nn.CrossEntropyLoss()


def lstm(torch):
    """A bidirectional two-layer LSTM that finds which token a sequence holds most."""
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(12, 16)
            self.rnn = nn.LSTM(16, 24, num_layers=2, batch_first=True, dropout=0.2, bidirectional=True)
            self.head = nn.Linear(48, 3)

        def forward(self, x):
            _, (h, _) = self.rnn(self.embed(x))
            return self.head(torch.cat([h[-2], h[-1]], dim=1))

    def batch():
        x = torch.randint(0, 12, (16, 10))
        counts = torch.stack([(x % 3 == k).sum(1) for k in range(3)], dim=1)
        return x, counts.argmax(1)

    return Classifier(), batch, nn.CrossEntropyLoss()


def gpt(torch):
    """Two blocks of a GPT with tied embeddings, on a sequence that a linear rule continues."""
    nn, F = torch.nn, torch.nn.functional
    vocabulary, context, width, heads = 27, 16, 32, 2

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.1)
            )

        def forward(self, x):
            n, length, _ = x.shape
            q, k, v = self.qkv(self.norm1(x)).view(n, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(
                q, k, v, dropout_p=0.1 if self.training else 0.0, is_causal=True
            )
            x = x + self.proj(y.transpose(1, 2).reshape(n, length, width))
            return x + self.mlp(self.norm2(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
            self.blocks = nn.ModuleList(Block() for _ in range(2))
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, vocabulary, bias=False)
            self.tokens.weight = self.head.weight
            self.apply(self.start)

        def start(self, module):
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

        def forward(self, x):
            h = self.tokens(x) + self.places(torch.arange(x.shape[1]))
            for block in self.blocks:
                h = block(h)
            return self.head(self.norm(h)).transpose(1, 2)

    def batch():
        x = [torch.randint(0, vocabulary, (8,))]
        for _ in range(context):
            x.append((x[-1] * 2 + 1) % vocabulary)
        x = torch.stack(x, dim=1)
        return x[:, :-1], x[:, 1:]

    return GPT(), batch, nn.CrossEntropyLoss()


MODELS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "gpt": gpt}


def curve(torch, model, optimizer, steps=STEPS):
    """The loss before each step."""
    torch.manual_seed(SEED)
    net, batch, criterion = MODELS[model](torch)
    net.train()
    chosen = OPTIMIZERS[optimizer](torch, net.parameters(), SGD_RATES[model])
    losses = []
    for _ in range(steps):
        x, y = batch()
        chosen.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        chosen.step()
        losses.append(loss.item())
    return losses


def deviation(losses, expected):
    """The largest relative difference between two curves; infinite if one has other steps or a NaN."""
    if len(losses) != len(expected):
        return math.inf
    worst = max(abs(a - b) / abs(b) for a, b in zip(losses, expected))
    return worst if worst == worst else math.inf
