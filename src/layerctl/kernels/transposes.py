"""Blocks of a matrix turned over in registers, as LLVM IR."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from layerctl.kernels.tile import I32, I64, VOID, Vectors, lanes


@intrinsic
def turn_lines(context: Any, rows: Any, columns: Any, source: Any, stride: Any, to: Any, step: Any) -> Any:
    """to[i * step + j] = source[i + j * stride] for i < rows, j < columns; columns up to a whole vector become 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element, n = context.get_value_type(to.dtype), lanes(to.dtype)
        builder.call(_function(builder.module, element, n), list(args))
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, source, i, to, i), codegen


def _function(module: Any, element: Any, n: int) -> Any:
    """`turn(rows, columns, source, stride, to, step)`, once a module: square blocks of `n` lanes, the last ones masked."""
    name = f"layerctl_turn_{element}"
    if name in module.globals:
        return module.globals[name]
    pointer = element.as_pointer()
    function = ir.Function(module, ir.FunctionType(VOID, [I64, I64, pointer, I64, pointer, I64]), name)
    function.linkage = "internal"
    rows, columns, source, stride, to, step = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    memory = Vectors(builder, element, n)
    counted = cgutils.for_range_slice
    with counted(builder, I64(0), columns, I64(n), inc=True) as (j, _), counted(builder, I64(0), rows, I64(n), inc=True) as (i, _):
        lines, left = builder.sub(rows, i), builder.sub(columns, j)
        mask = memory.mask(builder.select(builder.icmp_signed("<", lines, I64(n)), lines, I64(n)))
        block = []
        for k in range(n):
            there = builder.icmp_signed("<", I64(k), left)
            at = builder.gep(source, [builder.add(i, builder.mul(builder.add(j, I64(k)), stride))])
            block.append(memory.load(at, builder.select(there, mask, ir.Constant(mask.type, None))))
        for k, line in enumerate(_turned(builder, block, n)):
            with builder.if_then(builder.icmp_signed("<", I64(k), lines)):
                memory.store(line, builder.gep(to, [builder.add(j, builder.mul(builder.add(i, I64(k)), step))]))
    builder.ret_void()
    return function


def _turned(builder: Any, block: list[Any], n: int) -> list[Any]:
    """A square block with rows and columns exchanged: at each distance, halves of pairs of vectors change places."""
    block, distance = list(block), 1
    while distance < n:
        low = [k if not k & distance else n + k - distance for k in range(n)]
        high = [k + distance if not k & distance else n + k for k in range(n)]
        for k in range(n):
            if not k & distance:
                a, b = block[k], block[k | distance]
                for place, chosen in ((k, low), (k | distance, high)):
                    block[place] = builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, n), chosen))
        distance *= 2
    return block


PRIMITIVES: dict[str, Any] = {"turn_lines": turn_lines}
