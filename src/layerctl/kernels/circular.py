"""Sines, tangents and their inverses: see `math.py` for methods and errors."""

from __future__ import annotations

from layerctl.kernels.arithmetic import INF, NAN
from layerctl.kernels.emitters import function, in_f64, magic, sqrt
from layerctl.kernels.lanes import F32, F64, Lanes

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
    adder = wide.of(magic(wide))
    shifted = wide.fma(0.6366197723675814, adder)
    n = shifted - adder
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
