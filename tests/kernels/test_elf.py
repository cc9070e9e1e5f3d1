"""Our linker: kernels that call memset and memcpy, many at once, damaged objects, memory that is never writable and executable at once."""

import ctypes
import re

import numpy as np
import pytest

from layerctl.kernels import selftest, target
from layerctl.kernels.elf import Unlinkable, link
from layerctl.kernels.mapped import mapped

OTHER = target.host().architecture != "x86_64"
CALLING = f"""
target triple = "{target.host().triple}"
declare i8* @memcpy(i8*, i8*, i64)
declare i8* @memset(i8*, i32, i64)
define void @both(i64 %task, i64 %tasks, i64 %block) {{
  %row = inttoptr i64 %block to i64*
  %a = load i64, i64* %row
  %at = getelementptr i64, i64* %row, i64 1
  %b = load i64, i64* %at
  %to = inttoptr i64 %a to i8*
  %from = inttoptr i64 %b to i8*
  %x = call i8* @memcpy(i8* %to, i8* %from, i64 64)
  %y = call i8* @memset(i8* %to, i32 7, i64 3)
  ret void
}}
"""
ASKING = CALLING.replace("memset", "abort_of_mine")


def compiled(text):
    module = target.binding().parse_assembly(text)
    return target.machine(target.host()).emit_object(module)


def test_calls_of_the_c_library():
    objects = {"both": compiled(CALLING), selftest.NAME: selftest.object_code()}
    if OTHER:
        return refused(objects)
    block = link(objects)
    assert set(block.slots) == {"memcpy", "memset"}
    held, start = mapped(block)
    a, b = np.zeros(64, np.uint8), np.arange(64, dtype=np.uint8)
    row = np.array([a.ctypes.data, b.ctypes.data], np.int64)
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(start + block.entries["both"])(0, 1, row.ctypes.data)
    assert list(a) == [7, 7, 7, *range(3, 64)] and held
    assert selftest.passes(start + block.entries[selftest.NAME])


def refused(objects):
    with pytest.raises(Unlinkable):
        link(objects)


def test_other_functions_and_other_machines_are_refused():
    refused({"both": compiled(ASKING)})
    code = selftest.object_code()
    refused({"another name": code})
    refused({selftest.NAME: code[:18] + b"\xb7" + code[19:]})
    refused({selftest.NAME: b"\xcf\xfa\xed\xfe" + code[4:]})
    refused({selftest.NAME: b""})


def test_damaged_objects_are_refused_or_stay_inside():
    code = bytearray(selftest.object_code())
    random = np.random.default_rng(5)
    for cut in range(0, len(code), 16):
        with pytest.raises(Unlinkable):
            link({selftest.NAME: bytes(code[:cut])})
    for at, value in zip(random.integers(0, len(code), 3000), random.integers(0, 256, 3000), strict=True):
        damaged = bytearray(code)
        damaged[at] = value
        try:
            block = link({selftest.NAME: bytes(damaged)})
        except Unlinkable:
            continue
        assert len(block.code) < 20 * len(code) and 0 <= block.entries[selftest.NAME] <= len(block.code)


def test_memory_is_written_first_and_runs_afterwards():
    code = selftest.object_code()
    if OTHER:
        return refused({selftest.NAME: code})
    held, start = mapped(link({selftest.NAME: code}))
    with open("/proc/self/maps") as maps:
        found = [m for m in map(re.compile(r"(\w+)-(\w+) (\S+)").match, maps) if m and int(m[1], 16) <= start < int(m[2], 16)]
    assert [m[3] for m in found] == ["r-xp"] and held
