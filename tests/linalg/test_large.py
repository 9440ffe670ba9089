"""Matrices larger than the algorithms' blocks, both precisions, LAPACK's signs and zero pivots; real transforms."""

import flambeau as torch
import numpy as np
import pytest

L = torch.linalg
DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


def matrix(*shape, dtype=torch.float64, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(shape)
    if dtype.is_complex:
        a = a + 1j * rng.standard_normal(shape)
    return torch.from_numpy(a).to(dtype)


def close(a, b, dtype):
    single = dtype in (torch.float32, torch.complex64)
    assert a.dtype in (dtype, dtype.to_real(), dtype.to_complex())
    np.testing.assert_allclose(a.numpy(), b, rtol=0, atol=2e-4 if single else 1e-10)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m, n", [(70, 70), (90, 40), (40, 90)])
def test_factors(dtype, m, n):
    a = matrix(m, n, dtype=dtype)
    want, k = a.numpy(), min(m, n)
    q, r = L.qr(a)
    close(q @ r, want, dtype)
    close(q.mH @ q, np.eye(k), dtype)
    # LAPACK's signs.
    _, reference = np.linalg.qr(want)
    close(r, reference, dtype)
    q, r = L.qr(a, "complete")
    assert q.shape == (m, m)
    close(q @ r, want, dtype)
    p, lower, upper = L.lu(a)
    close(p @ lower @ upper, want, dtype)
    u, s, vh = L.svd(a)
    close(u[:, :k] * s @ vh[:k], want, dtype)
    close(s, np.linalg.svd(want, compute_uv=False), dtype)
    close(u.mH @ u, np.eye(m), dtype)
    close(vh @ vh.mH, np.eye(n), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_square(dtype):
    n = 80
    a, b = matrix(n, n, dtype=dtype) / 8 + 3 * torch.eye(n, dtype=dtype), matrix(n, 3, dtype=dtype, seed=1)
    close(L.solve(a, b), np.linalg.solve(a.numpy(), b.numpy()), dtype)
    close(L.solve_triangular(a.tril(), b, upper=False), np.linalg.solve(a.tril().numpy(), b.numpy()), dtype)
    h = a @ a.mH
    close(L.cholesky(h), np.linalg.cholesky(h.numpy()), dtype)
    values, vectors = L.eigh(h)
    close(values, np.linalg.eigvalsh(h.numpy()), dtype)
    close(vectors * values @ vectors.mH, h.numpy(), dtype)
    values, vectors = L.eig(a)
    close(a.to(vectors.dtype) @ vectors, (vectors * values).numpy(), dtype)
    close(L.vector_norm(vectors, dim=0), np.ones(n), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_pivots(dtype):
    a = matrix(30, 30, dtype=dtype)
    a[:, 4] = 0
    a[:, 20] = 0
    assert L.det(a).item() == 0
    p, lower, upper = L.lu(a)
    close(p @ lower @ upper, a.numpy(), dtype)
    with pytest.raises(torch.linalg.LinAlgError, match="singular"):
        L.solve(a, a)
    b = torch.eye(60, dtype=dtype)
    b[50, 50] = -1
    assert L.cholesky_ex(b).info.item() == 51


@pytest.mark.parametrize("n", [7, 8])
def test_gradients_of_real_transforms(n):
    f, x, c = torch.fft, matrix(2, n).requires_grad_(), matrix(2, 5, dtype=torch.complex128).requires_grad_()
    for norm in (None, "ortho"):
        assert torch.autograd.gradcheck(lambda x: f.rfft(x, n, norm=norm), (x,))
        assert torch.autograd.gradcheck(lambda x: f.ihfft(x, n + 1, norm=norm), (x,))
        assert torch.autograd.gradcheck(lambda c: f.irfft(c, n, norm=norm), (c,))
        assert torch.autograd.gradcheck(lambda c: f.hfft(c, n, dim=0, norm=norm), (c,))
    assert torch.autograd.gradgradcheck(lambda x: f.rfft(x).abs(), (x,))


def test_single_precision_and_layouts():
    f, x = torch.fft, matrix(3, 4, 9).float()
    n = x.numpy().astype(np.float64)
    for got, want in [
        (f.rfft(x, dim=1), np.fft.rfft(n, axis=1)),
        (f.rfft(x.transpose(0, 2)), np.fft.rfft(n.transpose(2, 1, 0))),
        (f.fft(x[:, ::2]), np.fft.fft(n[:, ::2])),
        (f.hfft(f.fft(x), 6), np.fft.hfft(np.fft.fft(n), 6)),
        (f.ihfft(x, dim=0), np.fft.ihfft(n, axis=0)),
        (f.rfft2(x), np.fft.rfft2(n)),
    ]:
        assert got.dtype in (torch.complex64, torch.float32)
        np.testing.assert_allclose(got.numpy(), want, rtol=0, atol=1e-5)
    out = torch.zeros(5, 3, 4, dtype=torch.complex64).permute(1, 2, 0)
    f.rfft(x, out=out)
    np.testing.assert_allclose(out.numpy(), np.fft.rfft(n), rtol=0, atol=1e-5)
    for length in (1, 2, 101, 4096, 4097):
        y = matrix(2, length).float()
        np.testing.assert_allclose(f.irfft(f.rfft(y), length).numpy(), y.numpy(), rtol=0, atol=1e-5)
