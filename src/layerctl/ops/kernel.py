"""Kernels as records: a plain function, the layout of its argument block, and the calls that ops emit.

A kernel is `kernel(task, tasks, block)` in the machine: it does share `task` of `tasks` equal shares of its work, and
`block` is the address of a row of int64 that holds its arguments. Here it is a plain Python function whose parameters
are annotated with what the block holds:

    "f32*" "f64*" "i32*" "i64*" "u8*"   an address, indexed like an array (a bool is stored as u8)
    "T*", "T"                           the same for a dtype that is chosen where the kernel is called
    "i64"                               an integer
    "f32" "f64"                         a number, its bits in the block

Kernels use only arithmetic, `range`, `while`, `if`, indexing of pointers, and the primitives of `ops/primitives.py`. They may
not raise or allocate. Called as plain Python, with numpy arrays for pointers, they are their own oracle.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, overload

SIZES = {"f32": 4, "f64": 8, "i32": 4, "i64": 8, "u8": 1, "bool": 1}


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel's function and its parameters after `task` and `tasks`: (name, annotation); the dtypes that it is often called for."""

    name: str
    function: Callable[..., None]
    parameters: tuple[tuple[str, str], ...]
    often: tuple[str, ...] = ("f32",)

    def at(self, **dtypes: str) -> KernelRef:
        """The kernel for given dtypes: `max_pool.at(T="f32")`."""
        return KernelRef(self, tuple(sorted((k, "u8" if v == "bool" else v) for k, v in dtypes.items())))

    def usual(self) -> list[KernelRef]:
        """The kernel for the dtypes that it is often called for: what the package brings lowered (kernels/lowered.py)."""
        chosen = sorted({kind.rstrip("*") for _, kind in self.parameters} & {"T", "U"})
        return [self.at(**dict(zip(chosen, dtypes, strict=True))) for dtypes in product(self.often, repeat=len(chosen))]

    def __call__(self, *args: Any) -> None:
        """Runs the plain Python twin."""
        self.function(*args)


KERNELS: dict[str, Kernel] = {}


@overload
def kernel(function: Callable[..., None], /) -> Kernel: ...
@overload
def kernel(*, often: Sequence[str]) -> Callable[[Callable[..., None]], Kernel]: ...
def kernel(function: Any = None, /, *, often: Sequence[str] = ("f32",)) -> Any:
    """Declares a plain function as a kernel, and the dtypes that it is often called for. Its name is `module.function`, unique in the package."""
    if function is None:
        return lambda declared: _declared(declared, tuple(often))
    return _declared(function, tuple(often))


def _declared(function: Callable[..., None], often: tuple[str, ...]) -> Kernel:
    names = list(inspect.signature(function).parameters.values())
    if [p.name for p in names[:2]] != ["task", "tasks"]:
        raise TypeError(f"kernel {function.__name__}: the first parameters must be task and tasks")
    parameters = tuple((p.name, str(p.annotation).strip("'\"")) for p in names[2:])
    for name, kind in parameters:
        if kind.rstrip("*") not in {*SIZES, "T", "U"} - {"bool"}:
            raise TypeError(f"kernel {function.__name__}: parameter {name} has no layout: {kind!r}")
    record = Kernel(f"{function.__module__.rsplit('.', 1)[-1]}.{function.__name__}", function, parameters, often)
    if record.name in KERNELS and KERNELS[record.name].function.__module__ != function.__module__:
        raise TypeError(f"two kernels are called {record.name}")
    KERNELS[record.name] = record
    return record


@dataclass(frozen=True)
class KernelRef:
    """A kernel with its dtypes chosen: what the store keeps under one key."""

    kernel: Kernel
    dtypes: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """A readable name, unique for the code it stands for."""
        return self.kernel.name + "".join(f"_{v}" for _, v in self.dtypes)

    @property
    def layout(self) -> tuple[str, ...]:
        """The resolved kinds of the block's places."""
        table = dict(self.dtypes)
        resolved = []
        for _, kind in self.kernel.parameters:
            base = kind.rstrip("*")
            resolved.append(table.get(base, base) + kind[len(base) :])
        return tuple(resolved)


@dataclass(frozen=True)
class Loop:
    """An elementwise loop nest over several arrays, emitted as machine code from this description.

    `instructions[i]` computes value `len(inputs) + i` from earlier values: (function, argument indices or constants).
    A constant is written ("const", dtype, number). Functions are the names of `ops/functions.py`; "cast" takes
    its target dtype from the value's declared dtype. `outputs` are indices of the values that are stored.
    The nest has `dims` outer dimensions (0 to 6) and one inner one, along which an input moves by its inner stride of 0 or 1;
    outputs are contiguous along it (stride 1).

    Block: the `dims` outer sizes, the inner size, then for each input and output: address, `dims` strides in elements.
    Shares are cut along the outermost outer dimension, or along the inner one where `dims` is 0.
    """

    inputs: tuple[tuple[str, int], ...]
    instructions: tuple[tuple[str, str, tuple[Any, ...]], ...]
    outputs: tuple[int, ...]
    dims: int = 0

    @property
    def key(self) -> str:
        """The description as text: the same text is the same code."""
        return f"loop{self.inputs}{self.instructions}{self.outputs}{self.dims}".replace(" ", "")

    @property
    def layout(self) -> tuple[str, ...]:
        """The resolved kinds of the block's places."""
        dtypes = [d for d, _ in self.inputs] + [self.dtype_of(v) for v in self.outputs]
        out = ["i64"] * (self.dims + 1)
        for dtype in dtypes:
            out += [("u8" if dtype == "bool" else dtype) + "*"] + ["i64"] * self.dims
        return tuple(out)

    def dtype_of(self, value: int) -> str:
        """The dtype of a value by its index."""
        n = len(self.inputs)
        return self.inputs[value][0] if value < n else self.instructions[value - n][1]


@dataclass(frozen=True)
class Reduction:
    """A reduction of x, seen as (outer, length, inner) in row-major order, over `length`; emitted as machine code.

    `function`: sum, max, min, prod, any, all, argmax, argmin, sumsq (of squares), sumabs.
    Sums and products accumulate in float64 (i64 for integers) in 16 fixed lanes and a tree, so that the bits do
    not depend on the vector width; max and min give NaN if any is NaN; argmax gives the first (i32).
    `out_dtype` may differ from `dtype` (f32 summed into f64).

    Block: x, y, outer, length, inner. Shares are cut along outer * inner; where outer * inner is small and length is large the
    op splits `length` itself into fixed chunks and reduces twice.
    """

    function: str
    dtype: str
    out_dtype: str

    @property
    def key(self) -> str:
        """The description as text."""
        return f"reduce_{self.function}_{self.dtype}_{self.out_dtype}"

    @property
    def layout(self) -> tuple[str, ...]:
        """The resolved kinds of the block's places."""
        return (f"{self.dtype}*".replace("bool", "u8"), f"{self.out_dtype}*".replace("bool", "u8"), "i64", "i64", "i64")


COLUMNS = 512
"""Columns that are summed together: their sums stay in the nearest cache, and a row's elements come in the order of memory."""


@dataclass(frozen=True)
class ColumnSums:
    """An elementwise pass over (length, inner), in row-major order, that also sums values over `length`; emitted as machine code.

    `inputs[i]` is (dtype, inner stride 0 or 1); `instructions` and `outputs` are those of a Loop. `sums` are (value's index, dtype of the
    result): each column is one chain of float64 in ascending order of a chunk's rows.

    Block: length, inner, rows of a chunk; for each input its address and row stride in elements; for each output its address; for each
    sum the address of (chunks, inner) results. Shares are cut along chunks and blocks of columns.
    """

    inputs: tuple[tuple[str, int], ...]
    instructions: tuple[tuple[str, str, tuple[Any, ...]], ...]
    outputs: tuple[int, ...]
    sums: tuple[tuple[int, str], ...]

    @property
    def key(self) -> str:
        """The description as text."""
        return f"sums{self.inputs}{self.instructions}{self.outputs}{self.sums}".replace(" ", "")

    @property
    def layout(self) -> tuple[str, ...]:
        """The resolved kinds of the block's places."""
        n = len(self.inputs)
        made = [self.inputs[v][0] if v < n else self.instructions[v - n][1] for v in self.outputs]
        out = ["i64"] * 3
        for dtype, _ in self.inputs:
            out += [_pointer(dtype), "i64"]
        return (*out, *map(_pointer, made), *(_pointer(dtype) for _, dtype in self.sums))


def _pointer(dtype: str) -> str:
    return ("u8" if dtype == "bool" else dtype) + "*"


Ref = KernelRef | Loop | Reduction | ColumnSums


@dataclass(frozen=True, eq=False)
class Scratch:
    """Memory that one node's calls share and nobody else sees. One that `stays` is zero at first and keeps what it holds from step to step."""

    size: int
    stays: bool = False


@dataclass(frozen=True, eq=False)
class At:
    """The memory of a value or of scratch, `offset` bytes on."""

    base: Any
    offset: int


def memory_of(arg: Any) -> Any:
    """What an argument points into: the value, scratch or outside memory itself, or that of which `At` is a part."""
    return arg.base if isinstance(arg, At) else arg


@dataclass(frozen=True)
class External:
    """Memory that is not the program's: its address is given under this name when the program is bound."""

    name: str


@dataclass(frozen=True, eq=False)
class Call:
    """One instruction to be: a kernel and what its block holds (values, scratch, `At` and `External` memory, numbers).

    `tasks` is the largest number of shares worth cutting (1 keeps it on one thread); `work` estimates its cost in
    nanoseconds on one core, by which the plan decides whether to share it out. A call that only prepares the value `prepares` in
    scratch memory (packs it) is made once, before the steps, where that value never changes. A `steady` call is cut into one share a
    thread, where smaller shares would cost more than they win on a busy machine.

    Where a number of shares divides `parts`, share i makes the i-th of so many equal parts of each result's memory, and reads that part alone
    of the values `along`, and of scratch memory that no other call uses it has the i-th of `tasks` equal parts for itself: calls of this kind
    follow each other share by share. 0 for calls that do not keep to parts.
    """

    ref: Ref
    args: Sequence[Any]
    tasks: int = 1
    work: float = 0.0
    prepares: Any = None
    steady: bool = False
    parts: int = 0
    along: tuple[Any, ...] = ()


def bits(kind: str, value: Any) -> int:
    """What stands in the block for a value of a kind."""
    if kind == "f32":
        return struct.unpack("<i", struct.pack("<f", value))[0]
    if kind == "f64":
        return struct.unpack("<q", struct.pack("<d", value))[0]
    return int(value)
