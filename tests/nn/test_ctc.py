"""The CTC loss against the sum over all alignments, written out."""

import itertools
import math

import flambeau as torch
import pytest

F = torch.nn.functional


def collapse(path, blank):
    merged = [c for i, c in enumerate(path) if i == 0 or path[i - 1] != c]
    return [c for c in merged if c != blank]


def by_alignments(lp, label, blank):
    """The loss of one sequence, and the probability of each class at each step, all given the label."""
    steps, classes = len(lp), len(lp[0])
    total, posterior = 0.0, [[0.0] * classes for _ in range(steps)]
    for path in itertools.product(range(classes), repeat=steps):
        if collapse(path, blank) == label:
            p = math.exp(sum(lp[t][c] for t, c in enumerate(path)))
            total += p
            for t, c in enumerate(path):
                posterior[t][c] += p
    if total == 0:
        return math.inf, None
    return -math.log(total), [[p / total for p in row] for row in posterior]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("blank", [0, 2])
def test_loss_and_gradient(dtype, blank):
    torch.manual_seed(1)
    labels = [[1, 1], [3, 1], [], [1, 3, 1], [3]]
    steps_of = [5, 4, 3, 5, 1]
    x = torch.randn(5, len(labels), 4, dtype=torch.float64).log_softmax(-1).to(dtype).requires_grad_()
    flat = torch.tensor([c for label in labels for c in label])
    sizes = torch.tensor([len(y) for y in labels])
    losses = F.ctc_loss(x, flat, torch.tensor(steps_of), sizes, blank, "none")
    weights = torch.arange(1.0, 6.0, dtype=dtype)
    (losses * weights).sum().backward()
    close = 1e-9 if dtype == torch.float64 else 1e-4
    lp = x.detach().double().tolist()
    for k, label in enumerate(labels):
        rows = [lp[t][k] for t in range(steps_of[k])]
        want, posterior = by_alignments(rows, label, blank)
        assert losses[k].item() == pytest.approx(want, abs=close)
        for t in range(5):
            grad = x.grad[t, k].tolist()
            if t >= steps_of[k]:
                assert grad == [0.0] * 4
                continue
            # As PyTorch defines it: for rows that add up to one.
            want = [(k + 1) * (math.exp(rows[t][c]) - posterior[t][c]) for c in range(4)]
            assert grad == pytest.approx(want, abs=close)


def test_no_alignment():
    x = torch.randn(3, 2, 4).log_softmax(-1).requires_grad_()
    args = (torch.tensor([[1, 1, 1], [2, 3, 1]]), torch.tensor([3, 2]), torch.tensor([3, 2]))
    losses = F.ctc_loss(x, *args, reduction="none")
    assert losses[0].item() == math.inf and losses[1].isfinite()
    losses = F.ctc_loss(x, *args, reduction="none", zero_infinity=True)
    losses.sum().backward()
    assert losses[0].item() == 0 and x.grad[:, 0].abs().sum().item() == 0 and x.grad[:, 1].abs().sum().item() > 0
    # Without a step only the empty label has an alignment.
    empty = (torch.tensor([1]), torch.tensor([0, 0]), torch.tensor([0, 1]))
    losses = F.ctc_loss(x, *empty, reduction="none")
    assert losses.tolist() == [0.0, math.inf]


def test_errors():
    x = torch.randn(3, 1, 4).log_softmax(-1).requires_grad_()
    y, steps, size = torch.tensor([[1, 2]]), torch.tensor([3]), torch.tensor([2])
    with pytest.raises(NotImplementedError, match="\"ctc_loss_cpu\" not implemented for 'Half'"):
        F.ctc_loss(x.half(), y, steps, size)
    (g,) = torch.autograd.grad(F.ctc_loss(x, y, steps, size), x, create_graph=True)
    with pytest.raises(RuntimeError, match="derivative for aten::_ctc_loss_backward is not implemented"):
        g.sum().backward()
    with pytest.raises(RuntimeError):
        F.ctc_loss(x, torch.tensor([[1, 9]]), steps, size)
