"""The elementwise functions as LLVM IR, in arithmetic of our own: no call leaves the kernel, the bits are the same
everywhere.

Each takes a builder and values of one type, a scalar or a vector of f32 or f64, and gives a value. (Within this
package they pass Lanes to each other instead.) Errors in f32 stay within 2 ulp (tanh and sigmoid 2.5), in f64 within 4
(pow 8), wherever the result is normal; NaN, infinities, signed zeros and the edges of a domain come out as numpy's do.
Results below the least normal number may become 0. sin, cos and tan are precise up to |x| = 1e9; beyond, they degrade,
and sin and cos stay within 1.

The methods are textbook (Muller, Elementary Functions, 2016): reduce the argument by Cody and Waite's splitting with
fma, then a polynomial. The coefficients are interpolations at Chebyshev nodes, computed in extended precision.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from layerctl.kernels.arithmetic import ARITHMETIC, INF, NAN, integer_power
from layerctl.kernels.lanes import F32, F64, Lanes

EMITTERS: dict[str, Callable[..., Lanes]] = {}
THROUGH_F64: set[str] = set()


def function(emit: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function over Lanes callable with a builder and values too, and lists it under its name."""
    name = emit.__name__.rstrip("_")

    @functools.wraps(emit)
    def wrapped(first: Any, *rest: Any) -> Any:
        if isinstance(first, ir.IRBuilder):
            return emit(*(Lanes(first, v) for v in rest)).value
        return emit(first, *rest)

    EMITTERS[name] = wrapped
    return wrapped


def in_f64(emit: Callable[..., Lanes]) -> Callable[..., Lanes]:
    """Computes f32 through f64: for functions that are rarely hot, and precise to the last bit."""
    THROUGH_F64.add(emit.__name__.rstrip("_"))

    @functools.wraps(emit)
    def wrapped(*args: Lanes) -> Lanes:
        if not args[0].single:
            return emit(*args)
        return emit(*(a.to(F64) for a in args)).to(F32)

    return wrapped


# exponential --------------------------------------------------------------------------------------------------------

LOG2_E = 1.4426950408889634
LN2_F32 = (0.693145751953125, 1.428606765330187e-06)
LN2_F64 = (0.693147180559663, 2.8235290563031577e-13)
EXP_F32 = (0.5, 0.166666672, 0.041666463, 0.00833331048, 0.00139336858, 0.000198910304)
EXP_F64 = (
    0.5, 0.16666666666666669, 0.041666666666623935, 0.00833333333332955, 0.0013888888917301448,
    0.00019841269864235805, 2.4801521165750027e-05, 2.7557267425079423e-06, 2.7620148504760583e-07,
    2.5100695097506694e-08,
)  # fmt: skip


def _magic(x: Lanes) -> float:
    """1.5 * 2**(bits of the fraction): added to a float it rounds it to an integer, which stands in the low bits."""
    return x.pick(1.5 * 2.0**23, 1.5 * 2.0**52)


def _power_of_2(n: Lanes, bias: int) -> Lanes:
    """2**(n - bias) for integer lanes n > 0."""
    wide = n.element.width == 64
    return ((n + ((1023 if wide else 127) - bias)) << (52 if wide else 23)).float_of_bits()


def _split_exp(x: Lanes, low: Lanes | None = None) -> tuple[Lanes, Lanes]:
    """(n, p) with exp(x + low) = 2**(n - 2048) * (1 + p), |p| < 0.42. NaN makes p NaN and n any number."""
    high, rest = x.pick(LN2_F32, LN2_F64)
    magic = x.of(_magic(x))
    shifted = x.fma(LOG2_E, magic)
    n = shifted.bits() - magic.bits() + 2048
    whole = shifted - magic
    r = whole.fma(-rest, whole.fma(-high, x))
    if low is not None:
        r = r + low
    return n, (r * r).fma(r.polynomial(x.pick(EXP_F32, EXP_F64)), r)


def _exp(x: Lanes, low: Lanes | None = None, halved: bool = False) -> Lanes:
    """exp(x + low), or half of it. The scale is put on in two steps, which overflow and underflow by themselves."""
    n, p = _split_exp(x.capped(*x.pick((-105.0, 90.0), (-750.0, 712.0))), low)
    first = n >> 1
    second = n - first - (1 if halved else 0)
    return (p + 1.0) * _power_of_2(first, 1024) * _power_of_2(second, 1024)


@function
def exp(x: Lanes) -> Lanes:
    return _exp(x)


@function
def expm1(x: Lanes) -> Lanes:
    """2**n * p + (2**n - 1), at half its size so that the largest result does not overflow before."""
    n, p = _split_exp(x.capped(*x.pick((-25.0, 89.5), (-50.0, 710.0))))
    scale = _power_of_2(n, 2049)
    y = p.fma(scale, scale - 0.5) * 2.0
    return (x > x.pick(88.8, 709.8)).select(INF, y.copysign(x))


@function
def sigmoid(x: Lanes) -> Lanes:
    e = _exp(-x.abs())
    return (x < 0.0).select(e, 1.0) / (e + 1.0)


@function
def tanh(x: Lanes) -> Lanes:
    """expm1(2 |x|) / (expm1(2 |x|) + 2): nothing cancels near 0."""
    y = x.abs()
    n, p = _split_exp((y > 22.0).select(22.0, y) * 2.0)
    scale = _power_of_2(n, 2048)
    e = p.fma(scale, scale - 1.0)
    return (e / (e + 2.0)).copysign(x)


@function
@in_f64
def sinh(x: Lanes) -> Lanes:
    y = x.abs()
    half, small = _exp(y, halved=True), expm1((y > 2.0).select(2.0, y))
    near_zero = (small + small / (small + 1.0)) * 0.5
    return (y < 1.0).select(near_zero, half - 0.25 / half).copysign(x)


@function
@in_f64
def cosh(x: Lanes) -> Lanes:
    half = _exp(x.abs(), halved=True)
    return half + 0.25 / half


# logarithm ----------------------------------------------------------------------------------------------------------

LOG_F32 = (
    0.333333313, -0.24999997, 0.200007156, -0.166678026, 0.142490581, -0.124256872, 0.116854198, -0.114797339,
    0.0697161183,
)  # fmt: skip
LOG_F64 = (
    0.6666666666666666, 0.40000000000000946, 0.28571428570766766, 0.22222222399019106, 0.1818179494939355,
    0.15386273399235917, 0.13267953787738437, 0.13094488074304073,
)  # fmt: skip


def _split_float(x: Lanes) -> tuple[Lanes, Lanes]:
    """(k, f) with x = 2**k * (1 + f), 1 + f between sqrt(1/2) and sqrt(2), for finite x > 0; k as a float."""
    tiny = x < x.pick(2.0**-126, 2.0**-1022)
    x = tiny.select(x * x.pick(2.0**23, 2.0**52), x)
    root, digits, bias = x.pick((0x3F3504F3, 23, 127), (0x3FE6A09E667F3BCD, 52, 1023))
    raw = x.bits()
    biased = (raw - root + (bias << digits)) >> digits
    f = (raw - ((biased - bias) << digits)).float_of_bits() - 1.0
    magic = x.of(_magic(x))
    k = (biased + magic.bits()).float_of_bits() - (tiny.select(x.of(bias + digits), x.of(bias)) + magic)
    return k, f


def _log_tail(f: Lanes) -> tuple[Lanes, Lanes]:
    """(h, t) with log(1 + f) = f - (h - t), h = f * f / 2."""
    h = f * f * 0.5
    if f.single:
        return h, f * f * f * f.polynomial(LOG_F32)
    s = f / (f + 2.0)
    z = s * s
    return h, s * (h + z * z.polynomial(LOG_F64))


def _log_at_edges(x: Lanes, y: Lanes) -> Lanes:
    """y where x is positive and finite; else the logarithm of such an x."""
    edge = x.equals(0.0).select(-INF, (x < 0.0).select(NAN, x))
    return ((x > 0.0) & (x < INF)).select(y, edge)


@function
def log(x: Lanes) -> Lanes:
    k, f = _split_float(x)
    h, t = _log_tail(f)
    high, low = x.pick(LN2_F32, LN2_F64)
    return _log_at_edges(x, k.fma(high, f - (h - k.fma(low, t))))


@function
def log1p(x: Lanes) -> Lanes:
    """log of u = 1 + x, plus (what was lost in u) / u; near 0 the lost part is nothing, for f is x itself."""
    u = x + 1.0
    k, f = _split_float(u)
    near = k.equals(0.0)
    f = near.select(x, f)
    lost = (x > 1.0).select(1.0 - (u - x), x - (u - 1.0)) / u
    h, t = _log_tail(f)
    high, low = x.pick(LN2_F32, LN2_F64)
    y = k.fma(high, f - (h - k.fma(low, t + near.select(0.0, lost))))
    return x.equals(0.0).select(x, _log_at_edges(u, y))


@function
def softplus(x: Lanes) -> Lanes:
    return (x < 0.0).select(0.0, x) + log1p(_exp(-x.abs()))


@function
def log_sigmoid(x: Lanes) -> Lanes:
    return -softplus(-x)


@function
@in_f64
def asinh(x: Lanes) -> Lanes:
    y = x.abs()
    big = y > 1e150
    small = big.select(0.0, y)
    z = small * small
    out = log1p(big.select(y, y + z / (sqrt(z + 1.0) + 1.0))) + big.select(y.of(0.6931471805599453), 0.0)
    return out.copysign(x)


@function
@in_f64
def acosh(x: Lanes) -> Lanes:
    big = x > 1e150
    t = big.select(1.0, x) - 1.0
    out = log1p(big.select(x, t + sqrt(t * (t + 2.0)))) + big.select(x.of(0.6931471805599453), 0.0)
    return (x < 1.0).select(NAN, out)


@function
@in_f64
def atanh(x: Lanes) -> Lanes:
    y = x.abs()
    return (log1p(y * 2.0 / (1.0 - y)) * 0.5).copysign(x)


def _two_sum(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """(a + b, what its rounding lost), for any order of size."""
    s = a + b
    v = s - a
    return s, (a - (s - v)) + (b - v)


def _log_in_two(x: Lanes) -> tuple[Lanes, Lanes]:
    """log(x) as an unevaluated sum with some ten bits more than f64, for finite x > 0."""
    k, f = _split_float(x)
    u = f + 2.0
    s = f / u
    s_low = (s.fma(-u, f) - s * (f - (u - 2.0))) / u
    z = s * s
    a, a_low = _two_sum(s * 2.0, s * z * z.polynomial(LOG_F64))
    b, b_low = _two_sum(k * LN2_F64[0], a)
    return _two_sum(b, b_low + (a_low + s_low * 2.0 + k * LN2_F64[1]))


@function
def pow_(a: Lanes, b: Lanes) -> Lanes:
    """exp(b log |a|) with the logarithm in two parts, and IEEE 754's table of edges."""
    return _pow(a.to(F64), b.to(F64), precise=False).to(F32) if a.single else _pow(a, b, precise=True)


def _pow(a: Lanes, b: Lanes, precise: bool) -> Lanes:
    y = a.abs()
    if precise:
        high, low = _log_in_two(y)
        product = b * high
        rest = b.fma(low, b.fma(high, -product))
        rest = (product.abs() < 800.0).select(rest, 0.0)
    else:
        high, rest = log(y), None
        product = b * high
    product = y.equals(0.0).select((b * -INF), y.equals(INF).select(b * INF, product))
    out = _exp(product, rest)
    half = b * 0.5
    whole, even = b.call("floor").equals(b), half.call("floor").equals(half)
    out = ((a < 0.0) & (y < INF) & whole.equals(0)).select(NAN, out)
    odd = whole & even.equals(0)
    out = a.differs(a).select(a, odd.select(out.copysign(a), out))
    one = b.equals(0.0) | a.equals(1.0) | (a.equals(-1.0) & b.abs().equals(INF))
    return one.select(1.0, out)


# trigonometric ------------------------------------------------------------------------------------------------------

HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
SIN_F32 = (-0.166666642, 0.00833274797, -0.000195878703)
COS_F32 = (0.0416666642, -0.00138883025, 2.45479223e-05)
SIN_F64 = (
    -0.16666666666666666, 0.008333333333330951, -0.00019841269836761344, 2.7557316103775034e-06,
    -2.505113206697232e-08, 1.5918143388012858e-10,
)  # fmt: skip
COS_F64 = (
    0.041666666666666664, -0.0013888888888887404, 2.4801587298774244e-05, -2.755731727552802e-07,
    2.0876146969060193e-09, -1.1382677881039234e-11,
)  # fmt: skip
ATAN = (
    -0.3333333333333333, 0.19999999999999807, -0.14285714285660042, 0.11111111105137059, -0.09090908750863375,
    0.07692296256725879, -0.06666422147639005, 0.058788919147730795, -0.05230148817459708, 0.045500854448346256,
    -0.034529525622430855, 0.0162383832276635,
)  # fmt: skip


def _quadrant(x: Lanes) -> tuple[Lanes, Lanes]:
    """(q, r) with x = q pi/2 + r, |r| <= pi/4; of the integer q the two low bits count. f32 is reduced in f64."""
    wide = x.to(F64)
    magic = wide.of(_magic(wide))
    shifted = wide.fma(0.6366197723675814, magic)
    n = shifted - magic
    r = n.fma(-HALF_PI[1], n.fma(-HALF_PI[0], wide))
    q = shifted.bits()
    if x.single:
        return q.to(x.bits().element), r.capped(-0.8, 0.8).to(F32)
    return q, n.fma(-HALF_PI[2], r).capped(-0.8, 0.8)


def _sin_and_cos(r: Lanes) -> tuple[Lanes, Lanes]:
    """Of |r| <= pi/4."""
    z = r * r
    sine = (r * z).fma(z.polynomial(r.pick(SIN_F32, SIN_F64)), r)
    h = z * 0.5
    w = 1.0 - h
    return sine, w + (z * z).fma(z.polynomial(r.pick(COS_F32, COS_F64)), (1.0 - w) - h)


def _circular(x: Lanes, turn: int) -> Lanes:
    """sin(x + turn * pi/2)."""
    q, r = _quadrant(x)
    q = q + turn
    sine, cosine = _sin_and_cos(r)
    y = (q & 1).equals(0).select(sine, cosine)
    return (y.bits() ^ ((q & 2) << x.pick(30, 62))).float_of_bits()


@function
def sin(x: Lanes) -> Lanes:
    return x.equals(0.0).select(x, _circular(x, 0))


@function
def cos(x: Lanes) -> Lanes:
    return _circular(x, 1)


@function
@in_f64
def tan(x: Lanes) -> Lanes:
    q, r = _quadrant(x)
    sine, cosine = _sin_and_cos(r)
    even = (q & 1).equals(0)
    return x.equals(0.0).select(x, even.select(sine, -cosine) / even.select(cosine, sine))


@function
@in_f64
def atan2(a: Lanes, b: Lanes) -> Lanes:
    """The angle in the first octant, reduced once more by atan(t) = pi/4 + atan((t - 1) / (t + 1)); then unfolded."""
    y, x = a.abs(), b.abs()
    steep = y > x
    low, high = steep.select(x, y), steep.select(y, x)
    both = low.equals(INF)
    scale = (high > 1e300).select(high.of(2.0**-10), (high < 1e-290).select(high.of(2.0**60), 1.0))
    low, high = both.select(1.0, low * scale), both.select(1.0, high.equals(0.0).select(1.0, high * scale))
    wide = low > high * 0.41421356237309503
    t = wide.select(low - high, low) / wide.select(low + high, high)
    z = t * t
    angle = (t * z).fma(z.polynomial(ATAN), t)
    angle = wide.select(angle + 3.061616997868383e-17 + 0.7853981633974483, angle)
    angle = steep.select((HALF_PI[1] - angle) + HALF_PI[0], angle)
    behind = b.bits() < 0
    angle = behind.select((2 * HALF_PI[1] - angle) + 2 * HALF_PI[0], angle)
    return (a.differs(a) | b.differs(b)).select(NAN, angle.copysign(a))


@function
@in_f64
def atan(x: Lanes) -> Lanes:
    return atan2(x, x.of(1.0))


@function
@in_f64
def asin(x: Lanes) -> Lanes:
    return atan2(x, sqrt((1.0 - x) * (x + 1.0)))


@function
@in_f64
def acos(x: Lanes) -> Lanes:
    return atan2(sqrt((1.0 - x) * (x + 1.0)), x)


# the error function -------------------------------------------------------------------------------------------------

ERF_F32 = (0.128379167, -0.376126349, 0.112837136, -0.0268604085, 0.00520355441, -0.000817158667, 8.4935753e-05)
LOG_ERFC_F32 = (
    0.000318539649, -1.13023102, -0.631823897, -0.110087164, 0.0264276378, -0.00476262579, 0.000597585749,
    -4.61638592e-05, 1.64306368e-06,
)  # fmt: skip
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
    """erf of |x| < 0.9 (f32) or 1 (f64)."""
    return x.fma((x * x).polynomial(x.pick(ERF_F32, ERF_F64)), x)


def _erfc_far(y: Lanes) -> Lanes:
    """1 - erf(y) for 1 <= y <= 6, in f64, precise relative to itself: exp(-y * y) P((y - 2) / (y + 2)) / (y + 2)."""
    square = y * y
    scale = _exp(-square, y.fma(-y, square))
    return scale * ((y - 2.0) / (y + 2.0)).polynomial(ERFC_F64) / (y + 2.0)


@function
def erf(x: Lanes) -> Lanes:
    y = x.abs()
    if x.single:
        far = 1.0 - _exp((y > 4.0).select(4.0, y).polynomial(LOG_ERFC_F32))
        return (y < 0.9).select(_erf_near(x), far.copysign(x))
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
        step = residual * _exp(x * x) * 0.886226925452758
        x = x - step / x.fma(step, 1.0)
    x = (a < 1.0).select(x, a.equals(1.0).select(a.of(INF), NAN))
    return x.copysign(y)


# arithmetic ---------------------------------------------------------------------------------------------------------


@function
def sqrt(x: Lanes) -> Lanes:
    return x.call("sqrt")


@function
def rsqrt(x: Lanes) -> Lanes:
    return 1.0 / sqrt(x)


@function
def reciprocal(x: Lanes) -> Lanes:
    return 1.0 / x


EMITTERS |= ARITHMETIC | {"pow": lambda a, b: pow_(a, b) if a.floating else integer_power(a, b)}
