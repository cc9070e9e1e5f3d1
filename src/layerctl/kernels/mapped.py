"""Linked code in memory: written first, executable afterwards, never both at once."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct

from layerctl.kernels.elf import Block

_CODE_MAY_RUN = 1 | 4  # PROT_READ | PROT_EXEC


def mapped(block: Block) -> tuple[object, int] | None:
    """(what keeps the memory, its first address) of a block that is ready to run; None where the system does not allow it."""
    if os.name != "posix" or not block.code:
        return None
    libc = ctypes.CDLL(None)
    code = bytes(block.code)
    try:
        memory = mmap.mmap(-1, len(code), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        memory[: len(code)] = code
        for name, slot in block.slots.items():
            memory[slot : slot + 8] = struct.pack("<Q", ctypes.cast(getattr(libc, name), ctypes.c_void_p).value)
    except (OSError, AttributeError):
        return None
    held = (ctypes.c_char * len(code)).from_buffer(memory)
    address = ctypes.addressof(held)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if libc.mprotect(address, len(code), _CODE_MAY_RUN) != 0:
        return None
    return (memory, held), address
