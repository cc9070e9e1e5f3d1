"""Kernels' object files (ELF, x86-64) linked into one block of bytes that may stand anywhere, without LLVM.

A kernel is code and constants that refer to each other by distance, and at most to `memset` and `memcpy`; for these the block has stubs
that jump through a slot, filled in when the block is mapped. Whatever else an object asks for is refused, and LLVM links it then.
Source: System V ABI, AMD64 supplement, tables 4.9 and 4.10.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

OUTSIDE = ("memset", "memcpy", "memmove")
_HEAD = b"\x7fELF\x02\x01\x01"
_RELOCATABLE, _X86_64 = 1, 62
_PROGBITS, _SYMTAB, _RELA, _UNWIND = 1, 2, 4, 0x70000001
_ALLOCATED = 2
_PC32, _PLT32 = 2, 4
_STUB = b"\xff\x25\x02\x00\x00\x00\x66\x90"  # jmp *[rip + 2]; the slot follows, 8 bytes on
_FORM_SECTION, _FORM_SYMBOL, _FORM_RELA = struct.Struct("<IIQQQQIIQQ"), struct.Struct("<IBBHQQ"), struct.Struct("<QQq")


class Unlinkable(Exception):
    """An object that only LLVM can link."""


@dataclass
class Block:
    """Bytes to be mapped: `entries` are the kernels' offsets, `slots` where the address of what is outside must stand."""

    code: bytearray = field(default_factory=bytearray)
    entries: dict[str, int] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)

    def align(self, to: int) -> int:
        """Pads the block; its new end."""
        self.code += b"\xcc" * (-len(self.code) % to)
        return len(self.code)

    def stub(self, name: str) -> int:
        """The offset of the jump to a function outside."""
        if name not in OUTSIDE:
            raise Unlinkable(f"needs {name}")
        if name not in self.slots:
            self.slots[name] = self.align(16) + len(_STUB)
            self.code += _STUB + bytes(8)
        return self.slots[name] - len(_STUB)


@dataclass(frozen=True, slots=True)
class _Section:
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry: int


def link(objects: Mapping[str, bytes]) -> Block:
    """One block with all objects' code; each object must define its own name.

    Raises:
        Unlinkable: for another machine's objects, relocations or symbols that are not known here, and for damaged files.
    """
    block = Block()
    for name, data in objects.items():
        try:
            _add(block, name, data)
        except (struct.error, IndexError, ValueError, OverflowError) as error:
            raise Unlinkable(f"{name} is damaged: {error}") from None
    return block


def _add(block: Block, name: str, data: bytes) -> None:
    if data[:7] != _HEAD or struct.unpack_from("<HH", data, 16) != (_RELOCATABLE, _X86_64):
        raise Unlinkable("not an object file of x86-64")
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count, _ = struct.unpack_from("<HHH", data, 58)
    if size != _FORM_SECTION.size:
        raise Unlinkable("section headers of another size")
    sections = [_Section(*_FORM_SECTION.unpack_from(data, table + size * i)) for i in range(count)]
    places = _place(block, sections, data)
    symbols = _Symbols(sections, data)
    for i, section in enumerate(sections):
        if section.kind == _RELA and section.info in places:
            _relocate(block, symbols, places, sections[section.info], places[section.info], _bytes(data, section))
        elif section.kind not in (_RELA, _UNWIND) and section.flags & _ALLOCATED and i not in places:
            raise Unlinkable(f"a section of kind {section.kind}")
    index, value = symbols.named(name)
    block.entries[name] = _inside(places, sections, index, value)


def _place(block: Block, sections: list[_Section], data: bytes) -> dict[int, int]:
    """Copies code and constants; where each section stands. Tables for unwinding are left out: kernels do not raise."""
    places = {}
    for i, s in enumerate(sections):
        if s.kind == _PROGBITS and s.flags & _ALLOCATED:
            if not 0 < max(s.alignment, 1) <= 4096:
                raise Unlinkable("an alignment beyond a page")
            places[i] = block.align(max(s.alignment, 1))
            block.code += _bytes(data, s)
    return places


def _bytes(data: bytes, section: _Section) -> bytes:
    found = data[section.offset : section.offset + section.size]
    if len(found) != section.size:
        raise ValueError("a section is cut short")
    return found


class _Symbols:
    """An object's symbols: (section, value) of those that it defines, the name of those that it asks for."""

    def __init__(self, sections: list[_Section], data: bytes):
        table = next((s for s in sections if s.kind == _SYMTAB), None)
        if table is None:
            raise ValueError("no symbols")
        self.sections = sections
        self._table, self._texts = _bytes(data, table), _bytes(data, sections[table.link])

    def at(self, index: int) -> tuple[int, int, int]:
        """(name's offset, section, value) of a symbol by its number."""
        name, _, _, section, value, _ = _FORM_SYMBOL.unpack_from(self._table, _FORM_SYMBOL.size * index)
        return name, section, value

    def text(self, offset: int) -> str:
        """A name."""
        return self._texts[offset : self._texts.index(b"\0", offset)].decode("ascii", "replace")

    def named(self, name: str) -> tuple[int, int]:
        """(section, value) of a symbol that the object defines."""
        for i in range(len(self._table) // _FORM_SYMBOL.size):
            text, section, value = self.at(i)
            if section and self.text(text) == name:
                return section, value
        raise ValueError("it does not define its name")


def _inside(places: Mapping[int, int], sections: list[_Section], index: int, value: int) -> int:
    if index not in places or value > sections[index].size:
        raise Unlinkable("a symbol outside of code and constants")
    return places[index] + value


def _relocate(block: Block, symbols: _Symbols, places: Mapping[int, int], section: _Section, start: int, table: bytes) -> None:
    """Writes the distances that a section's code asks for."""
    for offset, info, addend in _FORM_RELA.iter_unpack(table):
        kind, (name, index, value) = info & 0xFFFFFFFF, symbols.at(info >> 32)
        if kind not in (_PC32, _PLT32) or offset + 4 > section.size:
            raise Unlinkable(f"a relocation of kind {kind}")
        if index == 0:
            target = block.stub(symbols.text(name))
        else:
            target = _inside(places, symbols.sections, index, value)
        distance = target + addend - (start + offset)
        struct.pack_into("<i", block.code, start + offset, distance)
