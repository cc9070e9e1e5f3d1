"""`python tile_loops.py TRIPLE LANES CPU...`: a line of JSON with what the loops of all register tiles do on processors, of which this one need be none.

[[processor, tile, multiply-adds on vectors in its innermost loop, accesses of vectors on the stack there, calls there], ...]
"""

import dataclasses
import json
import re
import sys

from layerctl.kernels import target

TRIPLE, LANES, *CPUS = sys.argv[1:]
BASE = target.based(TRIPLE, int(LANES))
target.pretend(BASE)

from llvmlite import ir  # noqa: E402

from layerctl.kernels import patches, tile  # noqa: E402

F32, I64 = ir.FloatType(), ir.IntType(64)
FLOATS, TABLE = F32.as_pointer(), I64.as_pointer()
LABEL, JUMP = re.compile(r"^(\.L\w+):"), re.compile(r"^\s+(?:j\w+|b(?:\.\w+)?|cbn?z|tbn?z)\s.*?(\.L\w+)\b")
FMA = re.compile(r"^\s+(?:fml[as]\s+v\d+\.4s|vfn?m(?:add|sub)\d+ps\s.*%[xyz]mm)")
SPILL = re.compile(r"^\s+(?:(?:ld|st)[ur]?[rp]\s+q\d+.*\[sp|v.*\(%rsp.*%[xyz]mm|v.*%[xyz]mm.*\(%rsp)")
CALL = re.compile(r"^\s+(?:blr?|call\w?)\s")
WINDOWS = {
    "patch": (patches._patch_body, [I64, I64, FLOATS, TABLE, I64, FLOATS, FLOATS, I64, I64]),
    "run": (patches._run_body, [I64, I64, FLOATS, I64, TABLE, I64, I64, FLOATS, FLOATS, I64, I64]),
    "lines": (patches._line_body, [I64, I64, FLOATS, I64, I64, I64, I64, FLOATS, I64, FLOATS, I64]),
}
PLANES = [I64, I64, FLOATS, I64, I64, I64, I64, I64, FLOATS, I64, FLOATS, I64]


def tiles():
    """(name, a module with that tile alone), for every tile that there is."""
    for vectors in range(1, tile.VECTORS + 1):
        for rows in range(1, tile.most_rows(vectors) + 1):
            module = ir.Module()
            tile._function(module, rows, vectors, F32, BASE.lanes)
            yield f"product {rows}x{vectors}", module
        for rows in patches.sizes(vectors):
            for name, (body, kinds) in WINDOWS.items():
                module = ir.Module()
                patches._function(module, name, rows, vectors, F32, BASE.lanes, kinds, body)
                yield f"{name} {rows}x{vectors}", module
    for each in patches.EACH:
        for vectors in patches._fitting(each):
            module = ir.Module()
            patches._function(module, "planes", each, vectors, F32, BASE.lanes, PLANES, patches._planes_body)
            yield f"planes {each}x{vectors}", module


def optimised(module):
    """The module as kernels are optimised, its functions to be seen from outside."""
    module.triple = TRIPLE
    for value in module.globals.values():
        if isinstance(value, ir.Function) and value.blocks:
            value.linkage = ""
    made = target.binding().parse_assembly(str(module))
    target.optimise(made, BASE)
    return made


def busiest(assembly):
    """The instructions of the innermost loop with the most multiply-adds."""
    lines = assembly.splitlines()
    labels = {m[1]: i for i, line in enumerate(lines) if (m := LABEL.match(line))}
    loops = [(labels[m[1]], i) for i, line in enumerate(lines) if (m := JUMP.match(line)) and labels.get(m[1], i + 1) <= i]
    inner = [(a, b) for a, b in loops if not any((c, d) != (a, b) and a <= c and d <= b for c, d in loops)]
    return max((lines[a : b + 1] for a, b in inner), key=lambda body: sum(bool(FMA.match(line)) for line in body))


def main():
    """Prints the line."""
    found = []
    for name, module in tiles():
        made = optimised(module)
        for cpu in CPUS:
            body = busiest(target.machine(dataclasses.replace(BASE, cpu=cpu)).emit_assembly(made))
            found.append([cpu, name, *(sum(bool(p.match(line)) for line in body) for p in (FMA, SPILL, CALL))])
    print(json.dumps(found))


main()
