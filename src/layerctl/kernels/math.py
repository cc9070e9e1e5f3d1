"""The elementwise functions as LLVM IR, in arithmetic of our own: no call leaves the kernel, the bits are the same
everywhere.

Each takes a builder and values of one type, a scalar or a vector of f32 or f64, and gives a value. (Within this
package they pass Lanes to each other instead.) Errors in f32 stay within 2 ulp (tanh and sigmoid 2.5), in f64 within 4
(pow 8), wherever the result is normal; NaN, infinities, signed zeros and the edges of a domain come out as numpy's do.
Results below the least normal number may become 0. sin, cos and tan are precise up to |x| = 1e9; beyond, they degrade,
and sin and cos stay within 1.

The methods are textbook (Muller, Elementary Functions, 2016): reduce the argument by Cody and Waite's splitting with
fma, then a polynomial. The coefficients are interpolations at Chebyshev nodes, computed in extended precision.
`exponentials.py` and `circular.py` have most of them; the error function is here, and the table of all.
"""

from __future__ import annotations

from layerctl.kernels.arithmetic import ARITHMETIC, INF, NAN, integer_power
from layerctl.kernels.circular import acos, asin, atan, atan2, cos, sin, tan
from layerctl.kernels.emitters import EMITTERS, THROUGH_F64, function, in_f64, reciprocal, rsqrt, sqrt
from layerctl.kernels.exponentials import exp, exp_of, log, pow_, sigmoid, tanh
from layerctl.kernels.lanes import Lanes

__all__ = [
    "EMITTERS", "THROUGH_F64", "acos", "asin", "atan", "atan2", "cos", "erf", "erf_inv", "exp", "log", "pow_", "reciprocal", "rsqrt", "sigmoid", "sin",
    "sqrt", "tan", "tanh",
]  # fmt: skip

ERF_F32 = (0.128379166, -0.37612626, 0.112836011, -0.0268543866, 0.00518924696, -0.000801703718, 7.87319732e-05)
ROOT_ERFC_F32 = (
    0.184105575, -0.3229945, 0.201159686, -0.023919493, -0.0307051949, 0.0126498081, 0.00152935751, -0.00205188291, 0.000383321603,
    2.71426143e-05, -1.10537039e-05,
)  # fmt: skip
"""The square root of 1 - erf(y) for 1 <= y <= 4, in y - 1.5, of which the smallest largest error counts in units of erf's last place."""
ERF_F64 = (
    0.12837916709551256, -0.3761263890318376, 0.11283791670955627, -0.026866170645218717, 0.005223977626144471,
    -0.0008548327052606702, 0.00012055333556223372, -1.4925649965678535e-05, 1.6461817000827768e-06,
    -1.6358370166139699e-07, 1.4710252571603633e-08, -1.1554692928956893e-09, 6.244030933325681e-11,
)  # fmt: skip
ERFC_F64 = (
    1.021582705242023, -0.6871606844138105, 0.27947209255604083, -0.03644223150686487, -0.021510661887720453,
    0.006479185064337247, 0.0030906119754777707, -0.0008372958438586031, -0.0006630716687215077,
    3.4365307763191865e-05, 0.0001444519839705289, 3.423377151456242e-05, -2.1636206596875056e-05,
    -1.6691488969968566e-05, -8.169961470391846e-07, 5.1270438324375e-06,
)  # fmt: skip


def _erf_near(x: Lanes) -> Lanes:
    """erf of |x| < 1."""
    return x.fma((x * x).polynomial(x.pick(ERF_F32, ERF_F64)), x)


def _erfc_far(y: Lanes) -> Lanes:
    """1 - erf(y) for 1 <= y <= 6, in f64, precise relative to itself: exp(-y * y) P((y - 2) / (y + 2)) / (y + 2)."""
    square = y * y
    scale = exp_of(-square, y.fma(-y, square))
    return scale * ((y - 2.0) / (y + 2.0)).polynomial(ERFC_F64) / (y + 2.0)


@function
def erf(x: Lanes) -> Lanes:
    y = x.abs()
    if x.single:
        root = ((y > 4.0).select(4.0, y) - 1.5).polynomial(ROOT_ERFC_F32)
        far = (-root).fma(root, 1.0)
    else:
        far = 1.0 - _erfc_far((y > 6.0).select(6.0, y))
    return (y < 1.0).select(_erf_near(x), far.copysign(x))


@function
@in_f64
def erf_inv(y: Lanes) -> Lanes:
    """Halley's method, which triples the digits, from Winitzki's approximation (2008), good to 2e-3."""
    a = y.abs()
    tail = 1.0 - a
    u = log(tail * (a + 1.0))
    v = u.fma(0.5, 2 / (3.141592653589793 * 0.147))
    x = sqrt(sqrt(v.fma(v, -(u * (1 / 0.147)))) - v)
    x = (a < 1e-3).select(a * 0.886226925452758, x)
    for _ in range(2):
        residual = (x < 1.0).select(_erf_near((x < 1.0).select(x, 1.0)) - a, tail - _erfc_far((x < 1.0).select(1.0, x)))
        step = residual * exp_of(x * x) * 0.886226925452758
        x = x - step / x.fma(step, 1.0)
    x = (a < 1.0).select(x, a.equals(1.0).select(a.of(INF), NAN))
    return x.copysign(y)


EMITTERS |= ARITHMETIC | {"pow": lambda a, b: pow_(a, b) if a.floating else integer_power(a, b)}
