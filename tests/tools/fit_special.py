"""Chebyshev series of special functions, printed as Rust constants (needs mpmath)."""
from mpmath import mp, mpf, cos, pi, besselk, exp, sqrt, erfc, airyai
mp.dps = 50

def fit(f, n, tol=mpf(10) ** -18):
    """Coefficients of f on [-1, 1] by the discrete transform at n Chebyshev points, cut below tol."""
    xs = [cos(pi * (k + mpf(1) / 2) / n) for k in range(n)]
    ys = [f(x) for x in xs]
    c = [2 * sum(y * cos(pi * j * (k + mpf(1) / 2) / n) for k, y in enumerate(ys)) / n for j in range(n)]
    c[0] /= 2
    while abs(c[-1]) < tol:
        c.pop()
    return [float(v) for v in c]

def show(name, c):
    print(f"pub(super) const {name}: [f64; {len(c)}] = [")
    for v in c:
        print(f"    {v!r},")
    print("];")

print("//! Chebyshev series, written by `tests/tools/fit_special.py`.\n")
TINY = mpf(10) ** -60
recip = lambda u, a: 1 / ((u + 1) / 2 * (1 / mpf(a)) + TINY)   # u in [-1, 1] to x in [a, inf)
print("/// `sqrt(x) e^x K0(x)` for x >= 2, in `4/x - 1`.")
show("K0_HIGH", fit(lambda u: (lambda x: sqrt(x) * exp(x) * besselk(0, x) if x < 1e6 else sqrt(pi / 2) * (1 - 1 / (8 * x)))(recip(u, 2)), 64))
print("/// `sqrt(x) e^x K1(x)` for x >= 2, in `4/x - 1`.")
show("K1_HIGH", fit(lambda u: (lambda x: sqrt(x) * exp(x) * besselk(1, x) if x < 1e6 else sqrt(pi / 2) * (1 + 3 / (8 * x)))(recip(u, 2)), 64))
print("/// `(1 + 2x) e^(x^2) erfc(x)` for x >= 0, in `(x - 3.75)/(x + 3.75)` (Shepherd and Laframboise, 1981).")
def ex(u):
    x = mpf("3.75") * (1 + u) / (1 - u)
    if x > 1e4:
        return (1 + 2 * x) / (x * sqrt(pi)) * (1 - 1 / (2 * x * x) + 3 / (4 * x**4))
    return (1 + 2 * x) * exp(x * x) * erfc(x)
mp.dps = 80
show("ERFCX", fit(ex, 80))
mp.dps = 50
print("/// `Ai(x)` on [-9, 2], in `(2x + 7)/11`.")
show("AIRY_MIDDLE", fit(lambda u: airyai((11 * u - 7) / 2), 80))
print("/// `x^(1/4) e^z Ai(x)` for x >= 2, z = 2/3 x^(3/2), in `2 z(2)/z - 1`.")
z2 = mpf(2) / 3 * mpf(2) ** mpf("1.5")
def ai(u):
    z = recip(u, z2)
    x = (mpf(3) / 2 * z) ** (mpf(2) / 3)
    if z > 1e6:
        return (1 - mpf(5) / 72 / z) / (2 * sqrt(pi))
    return x ** mpf("0.25") * exp(z) * airyai(x)
show("AIRY_HIGH", fit(ai, 64))
