"""Exponentials, logarithms, powers, and what is made of them: see `math.py` for methods and errors."""

from __future__ import annotations

from layerctl.kernels.arithmetic import INF, NAN
from layerctl.kernels.emitters import function, in_f64, magic, sqrt
from layerctl.kernels.lanes import F32, F64, Lanes

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


def _power_of_2(n: Lanes, bias: int) -> Lanes:
    """2**(n - bias) for integer lanes n > 0."""
    wide = n.element.width == 64
    return ((n + ((1023 if wide else 127) - bias)) << (52 if wide else 23)).float_of_bits()


EXP_NORMAL = ((-87.33654, 88.72283), (-708.396418532264, 709.782712893384))
"""Between which numbers the exponential is neither below the least normal number nor infinite."""


def _reduced(x: Lanes, low: Lanes | None = None) -> tuple[Lanes, Lanes]:
    """(b, p) with exp(x + low) = 2**n * (1 + p), |p| < 0.42, n in the lowest bits of b. NaN makes p NaN and n any number."""
    high, rest = x.pick(LN2_F32, LN2_F64)
    adder = x.of(magic(x))
    shifted = x.fma(LOG2_E, adder)
    whole = shifted - adder
    r = whole.fma(-rest, whole.fma(-high, x))
    if low is not None:
        r = r + low
    return shifted.bits(), (r * r).fma(r.polynomial(x.pick(EXP_F32, EXP_F64)), r)


def _split_exp(x: Lanes, low: Lanes | None = None) -> tuple[Lanes, Lanes]:
    """(n, p) with exp(x + low) = 2**(n - 2048) * (1 + p), |p| < 0.42. NaN makes p NaN and n any number."""
    shifted, p = _reduced(x, low)
    return shifted - x.of(magic(x)).bits() + 2048, p


def exp_of(x: Lanes, low: Lanes | None = None, halved: bool = False) -> Lanes:
    """exp(x + low), or half of it. The scale is put on in two steps, which overflow and underflow by themselves."""
    n, p = _split_exp(x.capped(*x.pick((-105.0, 90.0), (-750.0, 712.0))), low)
    first = n >> 1
    second = n - first - (1 if halved else 0)
    return (p + 1.0) * _power_of_2(first, 1024) * _power_of_2(second, 1024)


@function
def exp(x: Lanes) -> Lanes:
    """The exponent's bits are added to; what is below the least normal number is 0."""
    shifted, p = _reduced(x)
    y = ((p + 1.0).bits() + (shifted << x.pick(23, 52))).float_of_bits()
    low, high = x.pick(*EXP_NORMAL)
    return (x < low).select(0.0, (x <= high).select(y, x * INF))


def exp_below(x: Lanes) -> Lanes:
    """exp of x <= 0; 0 where that is below the least normal number."""
    shifted, p = _reduced(x)
    scale = ((shifted << x.pick(23, 52)) + x.of(1.0).bits()).float_of_bits()
    return (x < x.pick(*EXP_NORMAL)[0]).select(0.0, (p + 1.0) * scale)


@function
def expm1(x: Lanes) -> Lanes:
    """2**n * p + (2**n - 1), at half its size so that the largest result does not overflow before."""
    n, p = _split_exp(x.capped(*x.pick((-25.0, 89.5), (-50.0, 710.0))))
    scale = _power_of_2(n, 2049)
    y = p.fma(scale, scale - 0.5) * 2.0
    return (x > x.pick(88.8, 709.8)).select(INF, y.copysign(x))


@function
def sigmoid(x: Lanes) -> Lanes:
    e = exp_below(-x.abs())
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
    half, small = exp_of(y, halved=True), expm1((y > 2.0).select(2.0, y))
    near_zero = (small + small / (small + 1.0)) * 0.5
    return (y < 1.0).select(near_zero, half - 0.25 / half).copysign(x)


@function
@in_f64
def cosh(x: Lanes) -> Lanes:
    half = exp_of(x.abs(), halved=True)
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
    adder = x.of(magic(x))
    k = (biased + adder.bits()).float_of_bits() - (tiny.select(x.of(bias + digits), x.of(bias)) + adder)
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
    return (x < 0.0).select(0.0, x) + log1p(exp_below(-x.abs()))


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
    out = exp_of(product, rest)
    half = b * 0.5
    whole, even = b.call("floor").equals(b), half.call("floor").equals(half)
    out = ((a < 0.0) & (y < INF) & whole.equals(0)).select(NAN, out)
    odd = whole & even.equals(0)
    out = a.differs(a).select(a, odd.select(out.copysign(a), out))
    one = b.equals(0.0) | a.equals(1.0) | (a.equals(-1.0) & b.abs().equals(INF))
    return one.select(1.0, out)
