"""Linear algebra and Fourier transforms against NumPy and by definition; gradients by finite differences."""

import flambeau as torch
import numpy as np
import pytest

L = torch.linalg


def matrix(*shape, dtype=torch.float64, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(shape)
    if dtype.is_complex:
        a = a + 1j * rng.standard_normal(shape)
    return torch.from_numpy(a).to(dtype)


def close(a, b):
    np.testing.assert_allclose(a.numpy() if isinstance(a, torch.Tensor) else a, b, rtol=1e-9, atol=1e-9)


DTYPES = [torch.float64, torch.complex128]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3), (0, 3), (2, 0, 0)])
def test_factors_multiply_back(dtype, shape):
    a = matrix(*shape, dtype=dtype)
    q, r = L.qr(a)
    close(q @ r, a.numpy())
    p, lower, upper = L.lu(a)
    close(p @ lower @ upper, a.numpy())
    u, s, vh = L.svd(a, full_matrices=False)
    close((u * s.unsqueeze(-2)) @ vh, a.numpy())
    close(L.pinv(a), np.linalg.pinv(a.numpy()))


@pytest.mark.parametrize("dtype", DTYPES)
def test_as_numpy(dtype):
    a, b = matrix(3, 4, 4, dtype=dtype), matrix(3, 4, 2, dtype=dtype, seed=1)
    n = a.numpy()
    close(L.inv(a), np.linalg.inv(n))
    close(L.solve(a, b), np.linalg.solve(n, b.numpy()))
    close(L.det(a), np.linalg.det(n))
    sign, log = L.slogdet(a)
    close(sign, np.linalg.slogdet(n)[0])
    close(log, np.linalg.slogdet(n)[1])
    close(L.matrix_power(a, 5), np.linalg.matrix_power(n, 5))
    close(L.matrix_power(a, -2), np.linalg.matrix_power(n, -2))
    h = a + a.mH
    close(L.eigvalsh(h), np.linalg.eigvalsh(h.numpy()))
    close(L.cholesky(a @ a.mH), np.linalg.cholesky(n @ np.conj(np.swapaxes(n, -1, -2))))
    values, vectors = L.eig(a)
    close(a.to(torch.complex128) @ vectors, (vectors * values.unsqueeze(-2)).numpy())
    for order in ("fro", "nuc", 1, -1, 2, -2, float("inf")):
        close(L.matrix_norm(a, order), np.linalg.norm(n, order, axis=(-2, -1)))
    close(L.lstsq(matrix(5, 3), matrix(5, 2, seed=1)).solution, np.linalg.lstsq(matrix(5, 3).numpy(), matrix(5, 2, seed=1).numpy())[0])


def test_exponential():
    a = matrix(3, 3) * 3
    values, vectors = L.eig(a)
    want = vectors @ torch.diag_embed(values.exp()) @ L.inv(vectors)
    close(L.matrix_exp(a), want.real.numpy())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "function",
    [
        L.inv, L.det, L.matrix_exp, L.pinv, L.eigvalsh, L.svdvals,
        lambda a: L.slogdet(a)[1], lambda a: L.qr(a)[1].abs(), lambda a: L.lu(a)[2], lambda a: L.eigvals(a).abs(),
        lambda a: L.cholesky(a @ a.mH + 2 * torch.eye(3, dtype=a.dtype)), lambda a: L.solve(a, a.mH[:, :1]),
        lambda a: L.eigh(a + a.mH)[1].abs(), lambda a: L.svd(a)[0].abs(), lambda a: L.qr(a[:, :2])[0].abs(),
        lambda a: L.solve_triangular(a, a.mT, upper=True), lambda a: torch.fft.fft(a), lambda a: torch.fft.ifft2(a).abs(),
    ],
)
def test_gradients(function, dtype):
    a = matrix(3, 3, dtype=dtype) + 2 * torch.eye(3, dtype=dtype)
    symmetric = function is L.eigvalsh
    a = (a + a.mH if symmetric else a).detach().requires_grad_()
    f = (lambda x: function((x + x.mH) / 2)) if symmetric else function
    assert torch.autograd.gradcheck(f, (a,))


@pytest.mark.parametrize("n", [1, 2, 5, 8, 12, 17, 34])
def test_fourier_as_numpy(n):
    x, c = matrix(3, n), matrix(3, n, dtype=torch.complex128)
    for norm in (None, "ortho", "forward"):
        close(torch.fft.fft(c, norm=norm), np.fft.fft(c.numpy(), norm=norm))
        close(torch.fft.ifft(c, norm=norm), np.fft.ifft(c.numpy(), norm=norm))
        close(torch.fft.rfft(x, norm=norm), np.fft.rfft(x.numpy(), norm=norm))
        close(torch.fft.irfft(c, n, norm=norm), np.fft.irfft(c.numpy(), n, norm=norm))
    close(torch.fft.fft(c, 2 * n), np.fft.fft(c.numpy(), 2 * n))
    close(torch.fft.fft(c, dim=0), np.fft.fft(c.numpy(), axis=0))
    close(torch.fft.fft2(c), np.fft.fft2(c.numpy()))
    close(torch.fft.irfftn(torch.fft.rfftn(x), x.shape), x.numpy())
    close(torch.fft.fftshift(x), np.fft.fftshift(x.numpy()))
    close(torch.fft.fftfreq(n, 0.5, dtype=torch.float64), np.fft.fftfreq(n, 0.5))


def test_histc_and_mode():
    x = torch.tensor([[1.0, 2.0, 2.0, 5.0], [3.0, 3.0, 1.0, 1.0]])
    assert torch.histc(x, 4, 0, 4).tolist() == [0.0, 3.0, 2.0, 2.0]
    values, at = torch.mode(x, 1)
    assert values.tolist() == [2.0, 1.0]
    assert x.gather(1, at.unsqueeze(1)).squeeze(1).tolist() == values.tolist()


def test_grid_sample_of_the_identity_is_the_image():
    x = matrix(1, 2, 4, 5)
    theta = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]], dtype=torch.float64)
    for align in (True, False):
        grid = torch.nn.functional.affine_grid(theta, x.shape, align)
        for mode in ("bilinear", "nearest", "bicubic"):
            close(torch.nn.functional.grid_sample(x, grid, mode, "border", align), x.numpy())


def test_foreach_and_masked():
    a, b = [torch.ones(2), torch.ones(3)], [torch.ones(2) * 2, torch.ones(3) * 3]
    assert [t.tolist() for t in torch._foreach_add(a, b, alpha=2)] == [[5.0, 5.0], [7.0, 7.0, 7.0]]
    torch._foreach_mul_(a, [2.0, 3.0])
    assert [t.tolist() for t in a] == [[2.0, 2.0], [3.0, 3.0, 3.0]]
    x, mask = torch.tensor([1.0, 5.0, 3.0]), torch.tensor([True, False, True])
    assert torch.masked.mean(x, 0, mask=mask).item() == 2.0
    assert torch.masked.amax(x, 0, mask=mask).item() == 3.0
    assert torch.masked.softmax(x, 0, mask=mask)[1].item() == 0.0


def test_complex_factors():
    a, b = torch.tensor([1 + 1j]), torch.tensor([2 - 1j])
    assert torch.sub(a, b, alpha=2j).tolist() == [-1 - 3j]
    assert torch.add(a, b, alpha=2j).tolist() == [3 + 5j]
    assert torch.addcmul(a, a, b, value=1j).tolist() == [0 + 4j]


@pytest.mark.parametrize("uplo", ["L", "U"])
def test_one_triangle_and_a_real_diagonal_are_read(uplo):
    """As LAPACK has it: the other triangle and imaginary parts on the diagonal do not count."""
    a = matrix(3, 4, 4, dtype=torch.complex128)
    close(L.eigvalsh(a, UPLO=uplo), np.linalg.eigvalsh(a.numpy(), UPLO=uplo))
    close(L.eigh(a, UPLO=uplo).eigenvalues, np.linalg.eigh(a.numpy(), UPLO=uplo)[0])
