"""Functions of the top namespace that are written in Python: values that follow from their definitions."""

import flambeau as torch
import pytest


def test_nonzero_as_tuple_indexes_its_source():
    x = torch.tensor([[0, 3], [4, 0]])
    rows, columns = x.nonzero(as_tuple=True)
    assert x[rows, columns].tolist() == [3, 4]
    assert torch.nonzero(x).tolist() == [[0, 1], [1, 0]]
    assert [t.tolist() for t in torch.where(x > 0)] == [[0, 1], [1, 0]]


def test_splits():
    x = torch.arange(12).reshape(2, 6)
    assert [p.shape for p in x.hsplit(3)] == [(2, 2)] * 3
    assert [p.tolist() for p in torch.vsplit(x, 2)] == [[[0, 1, 2, 3, 4, 5]], [[6, 7, 8, 9, 10, 11]]]
    assert [p.shape[1] for p in x.tensor_split(4, 1)] == [2, 2, 1, 1]
    with pytest.raises(RuntimeError, match="not divisible"):
        x.hsplit(4)


def test_einsum_forms_agree():
    a, b = torch.randn(2, 3), torch.randn(3, 4)
    torch.testing.assert_close(torch.einsum("ij,jk", a, b), a @ b)
    torch.testing.assert_close(torch.einsum(a, [0, 1], b, [1, 2], [0, 2]), a @ b)
    torch.testing.assert_close(torch.einsum("...j,jk->...k", [a, b]), a @ b)
    torch.testing.assert_close(torch.tensordot(a, b, 1), a @ b)
    torch.testing.assert_close(torch.einsum("ii->i", torch.arange(9.0).reshape(3, 3)), torch.tensor([0.0, 4.0, 8.0]))


def test_qr_reconstructs():
    for shape in [(5, 3), (3, 5), (4, 4)]:
        a = torch.randn(*shape, dtype=torch.float64)
        q, r = torch.linalg.qr(a)
        torch.testing.assert_close(q @ r, a)
        torch.testing.assert_close(q.T @ q, torch.eye(min(shape), dtype=torch.float64))
        assert torch.equal(r, r.triu())


def test_unique_and_block_diag():
    values, inverse, counts = torch.unique(torch.tensor([3, 1, 3, 2]), return_inverse=True, return_counts=True)
    assert (values.tolist(), inverse.tolist(), counts.tolist()) == ([1, 2, 3], [2, 0, 2, 1], [1, 1, 2])
    assert torch.block_diag(torch.ones(1, 2), torch.tensor(5.0)).tolist() == [[1, 1, 0], [0, 0, 5]]


@pytest.mark.parametrize("mode, size", [("nearest", 4), ("bilinear", (3, 5)), ("bicubic", 6), ("area", 2)])
def test_interpolate_keeps_a_constant_image(mode, size):
    image = torch.full((1, 2, 4, 4), 2.5)
    out = torch.nn.functional.interpolate(image, size=size, mode=mode)
    torch.testing.assert_close(out, torch.full_like(out, 2.5))
