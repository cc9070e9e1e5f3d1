"""The functions against numpy's in extended precision: error, edges, the same bits on every machine, and no calls."""

import math
import re

import llvmlite.binding as llvm
import numpy as np
import pytest
from native import NUMPY, Kernel, machines, target

from layerctl.kernels import loops
from layerctl.kernels.math import EMITTERS
from layerctl.ops.functions import FUNCTIONS
from layerctl.ops.kernel import Loop

FLOATS = [n for n, f in FUNCTIONS.items() if f.result == "same" and n not in ("where", "fma")]
WHOLE = [n for n, f in FUNCTIONS.items() if f.integers and f.result == "same" and n != "where"]
ULP_F32 = {"tanh": 2.5, "sigmoid": 2.5}
ULP_F64 = {"pow": 8.0}
EDGES = [0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, np.inf, -np.inf, np.nan, 3, -3, 1e-10, -1e-10, 0.9999, 1.0001, 88.5, 88.72,
         89, -87.5, -104, 709.7, 710, -745, -746, 1e9, 1e30, -1e30, 1e-38, 1e-42]  # fmt: skip


def loop_of(name: str, dtype: str, arity: int) -> Loop:
    result = "bool" if FUNCTIONS[name].result == "bool" else dtype
    return Loop(((dtype, 1),) * arity, ((name, result, tuple(range(arity))),), (arity,))


def samples(dtype: str, arity: int) -> list[np.ndarray]:
    """All bit patterns at random, and the range where functions live; every pair of edges."""
    rng = np.random.default_rng(5)
    kind = NUMPY[dtype]
    bits = np.uint32 if dtype == "f32" else np.uint64
    n = 25_000
    edges = np.array(EDGES).astype(kind)
    out = []
    for _ in range(arity):
        anything = rng.integers(0, np.iinfo(bits).max, n, bits, endpoint=True).view(kind)
        usual = [rng.normal(0, 10, n), rng.uniform(-1, 1, n), rng.uniform(-110, 110, n)]
        out.append(np.concatenate([anything, *(u.astype(kind) for u in usual)]))
    grids = np.meshgrid(*[edges] * arity)
    return [np.concatenate([x, g.ravel()]) for x, g in zip(out, grids, strict=True)]


def exact(name: str, args: list[np.ndarray]) -> np.ndarray:
    precise = [a.astype(np.longdouble) for a in args]
    if name == "erf":
        return np.array([math.erf(v) for v in args[0].tolist()], np.longdouble)
    if name == "erf_inv":
        return FUNCTIONS[name].twin(args[0].astype(np.float64)).astype(np.longdouble)
    if name in ("mod", "floordiv"):
        return FUNCTIONS[name].twin(*[a.astype(np.float64) for a in args]).astype(np.longdouble)
    return FUNCTIONS[name].twin(*precise)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", FLOATS)
def test_error_and_edges(name: str, dtype: str) -> None:
    args = samples(dtype, FUNCTIONS[name].arity)
    if name in ("sin", "cos", "tan"):
        args = [a[~(np.abs(a) > 1e9) | np.isinf(a)] for a in args]
    with np.errstate(all="ignore"):
        if name in ("mod", "floordiv"):
            beyond = np.abs(args[0]) > np.abs(args[1].astype(np.float64)) * 2.0**52
            args = [a[~beyond | (args[1] == 0) | np.isinf(args[0])] for a in args]
        got = np.empty_like(args[0])
        Kernel(loops.emit(loop_of(name, dtype, len(args)), "kernel"))(got.size, *args, got)
        truth = exact(name, args)
        want = truth.astype(got.dtype)
        limits = np.finfo(got.dtype)
        ulp = np.abs((got - truth) / np.spacing(np.abs(want)))
    assert (np.isnan(got) == np.isnan(want)).all()
    near_overflow = np.isfinite(truth) & (np.abs(truth) > limits.max * (1 - 1e-6))
    infinite = np.isinf(want)
    assert ((np.isinf(got) == infinite) | near_overflow).all()
    assert (np.sign(got[infinite]) == np.sign(want[infinite])).all()
    if name not in ("max", "min", "erf_inv"):
        signed = ~np.isnan(want)
        assert (np.signbit(got) == np.signbit(want))[signed].all()
    below = np.abs(truth) < limits.tiny
    assert (np.abs(got[below]) <= limits.tiny).all()
    usual = np.isfinite(want) & np.isfinite(got) & ~below
    assert ulp[usual].max() <= (ULP_F32.get(name, 2.0) if dtype == "f32" else ULP_F64.get(name, 4.0))


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if FUNCTIONS[n].result == "bool"])
@pytest.mark.parametrize("dtype", ["f32", "f64", "i32", "i64", "bool"])
def test_bools(name: str, dtype: str) -> None:
    values = np.array([0, 1] if dtype == "bool" else [0, 1, -1, 3] if dtype[0] == "i" else EDGES).astype(NUMPY[dtype])
    args = [g.ravel() for g in np.meshgrid(*[values] * FUNCTIONS[name].arity)]
    got = np.empty(args[0].size, np.bool_)
    Kernel(loops.emit(loop_of(name, dtype, len(args)), "kernel"))(got.size, *args, got)
    np.testing.assert_array_equal(got, FUNCTIONS[name].twin(*args))


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("dtype", ["i32", "i64"])
def test_integers(name: str, dtype: str) -> None:
    info = np.iinfo(NUMPY[dtype])
    values = np.array([0, 1, -1, 2, 3, -3, 7, -7, 10, 123456789, -123456789, info.max, info.min + 1], NUMPY[dtype])
    args = [g.ravel() for g in np.meshgrid(*[values] * FUNCTIONS[name].arity)]
    if name == "pow":
        args = [a[args[1] >= 0] for a in args]
    got = np.empty_like(args[0])
    Kernel(loops.emit(loop_of(name, dtype, len(args)), "kernel"))(got.size, *args, got)
    np.testing.assert_array_equal(got, FUNCTIONS[name].twin(*args))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", [*FLOATS, "fma"])
def test_machines_agree(name: str, dtype: str) -> None:
    args = [a[::7].copy() for a in samples(dtype, min(FUNCTIONS[name].arity, 2))]
    args += [args[0][::-1].copy()] if name == "fma" else []
    text = loops.emit(loop_of(name, dtype, len(args)), "kernel")
    digests = set()
    for machine in machines():
        got = np.empty_like(args[0])
        Kernel(text, *machine)(got.size, *args, got)
        got[np.isnan(got)] = 0
        digests.add(got.tobytes())
    assert len(digests) == 1


def test_scalar_is_a_lane() -> None:
    from llvmlite import ir

    from layerctl.kernels import math as own

    module = ir.Module()
    i64 = ir.IntType(64)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [i64] * 3), "kernel")
    builder = ir.IRBuilder(function.append_basic_block())
    block = builder.inttoptr(builder.function.args[2], ir.PointerType())
    place = builder.inttoptr(builder.load(block, typ=i64), ir.PointerType())
    value = builder.load(place, typ=ir.FloatType())
    builder.store(own.tanh(builder, own.exp(builder, value)), place)
    builder.ret_void()
    one = np.array([0.37], np.float32)
    Kernel(str(module))(one)
    many = np.full(16, 0.37, np.float32)
    chain = Loop((("f32", 1),), (("exp", "f32", (0,)), ("tanh", "f32", (1,))), (2,))
    Kernel(loops.emit(chain, "kernel"))(16, many, many)
    assert one[0] == many[0]


@pytest.mark.parametrize("dtype", ["f32", "f64", "i32", "i64"])
def test_no_call_leaves_the_kernel(dtype: str) -> None:
    for name, function in FUNCTIONS.items():
        if name == "cast" or (dtype[0] == "i" and not function.integers):
            continue
        text = loops.emit(loop_of(name, dtype, function.arity), "kernel")
        for machine in machines():
            assembly = target(*machine).emit_assembly(llvm.parse_assembly(text))
            assert not re.search(r"\s(callq?|bl)\s", assembly), (name, machine)


def test_every_function_is_emitted() -> None:
    assert set(FUNCTIONS) == {*EMITTERS, "cast"}
