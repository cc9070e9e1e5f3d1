"""The header of numpy's .npy layout, which is looked at before anything is read by it."""

from __future__ import annotations

from typing import Any

import numpy as np


def header(file: Any, size: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    """(shape, whether columns come first, dtype) of the array that `file` is at the start of; `size` bytes stand there, the header's among them.

    Raises:
        ValueError: for another layout, Python objects, or an array that has not as many bytes as there are.
    """
    try:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        start = file.tell()
        shape, columns_first, dtype = reader(file)
    except Exception as error:  # numpy parses the header's text with Python's own parser, which raises what it likes
        said = str(error).partition(": <")[0].splitlines()  # an object's address is another in each process
        raise ValueError(f"it has no header of numpy's ({said[0][:80] if said else type(error).__name__})") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    count = 1
    for d in shape:
        count *= d
    behind = size - (file.tell() - start) - np.lib.format.MAGIC_LEN
    if any(d < 0 for d in shape) or count * dtype.itemsize != behind:
        raise ValueError(f"it declares {shape} of {dtype}, and has {behind} bytes")
    return shape, columns_first, dtype
