"""The header of a safetensors file: eight bytes of length, then JSON that says where each tensor's bytes lie.

    <u64 little-endian: n> <n bytes of JSON, padded with spaces> <the tensors' bytes, without gaps>
    {"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}

Reading accepts what the format's description allows and nothing beyond it: a key stands once, the tensors cover the
data without holes or overlaps, and a tensor's offsets agree with its shape and dtype.
Source: https://github.com/huggingface/safetensors, section Format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from layerctl.modelfile import strictjson
from layerctl.modelfile.strictjson import shown

LIMIT = 16 << 20  # bytes of JSON
LONGEST_NAME = 1000  # characters
_MOST_DIMENSIONS = 32
DIGEST = "layerctl.digest"
_BLANK = "0" * 64

# the format's dtype → numpy's; those that numpy has no type for are refused by name
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
          "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1"}
_WITHOUT_NUMPY = {"BF16", "C64", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4"}


class Malformed(ValueError):
    """A header that is not well-formed; `code` is the diagnostic's."""

    def __init__(self, message: str, code: str = "file-damaged"):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor's place: its bytes are data[begin:end]."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return int(DTYPES[self.dtype][2])


@dataclass(frozen=True, slots=True)
class Header:
    """The tensors in the order of their bytes, the metadata, and the JSON as it stands in the file."""

    entries: tuple[Entry, ...]
    metadata: dict[str, str]
    raw: bytes

    def blanked(self) -> bytes:
        """The JSON with zeros for the digest: what the digest covers, besides the data."""
        digest = self.metadata.get(DIGEST, _BLANK)
        return self.raw.replace(_digest_field(digest), _digest_field(_BLANK))


def _digest_field(digest: str) -> bytes:
    # inside another string the quotes would carry backslashes, so this text stands in one place only
    return f'"{DIGEST}":"{digest}"'.encode()


def lay_out(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> tuple[Entry, ...]:
    """Places for tensors given as name → (dtype, shape): widest elements first, which aligns all; then by name."""
    entries, begin = [], 0
    for name, (dtype, shape) in sorted(tensors.items(), key=lambda t: (-int(DTYPES[t[1][0]][2]), t[0])):
        check_name(name)
        size = int(DTYPES[dtype][2])
        for d in shape:
            size *= d
        entries.append(Entry(name, dtype, shape, begin, begin + size))
        begin += size
    return tuple(entries)


def build(entries: tuple[Entry, ...], metadata: Mapping[str, str]) -> Header:
    """A header with a blank digest.

    Raises:
        Malformed: `header-too-large`, where the metadata do not fit; `bad-tensor-name`.
    """
    table: dict[str, object] = {"__metadata__": dict(sorted({**metadata, DIGEST: _BLANK}.items()))}
    for e in entries:
        table[e.name] = {"dtype": e.dtype, "shape": list(e.shape), "data_offsets": [e.begin, e.end]}
    raw = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    if len(raw) > LIMIT:
        largest = max(metadata, key=lambda k: len(metadata[k]), default="")
        raise Malformed(f"the header takes {len(raw)} bytes, expected at most {LIMIT}; the largest part is {largest!r} "
                        f"with {len(metadata.get(largest, ''))} characters", "header-too-large")
    return Header(entries, {**metadata, DIGEST: _BLANK}, raw)


def sealed(header: Header, digest: str) -> bytes:
    """The length and the JSON with the digest in its place."""
    raw = header.raw.replace(_digest_field(_BLANK), _digest_field(digest))
    return len(raw).to_bytes(8, "little") + raw


def parse(raw: bytes, data_size: int) -> Header:
    """Reads and checks the JSON of a header; `data_size` is the number of bytes after it.

    Raises:
        Malformed: naming the tensor or the key.
    """
    if raw[:1] != b"{":
        raise Malformed("its header does not begin with '{'")
    try:
        table = strictjson.loads(raw.rstrip(b" ").decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Malformed(f"its header is not UTF-8 text at byte {8 + error.start}") from None
    except ValueError as error:
        raise Malformed(f"its header is not JSON: {_brief(error)}") from None
    if not isinstance(table, dict):
        raise Malformed("its header is not a JSON object")
    metadata = _metadata(table.pop("__metadata__", {}))
    entries = sorted((_entry(name, value) for name, value in table.items()), key=lambda e: (e.begin, e.end))
    at = 0
    for e in entries:
        if e.begin != at:
            what = "overlaps the tensor" if e.begin < at else f"leaves a hole of {e.begin - at} bytes"
            raise Malformed(f"tensor {shown(e.name)} {what} before it")
        at = e.end
    if at > data_size:
        raise Malformed(f"it is cut short: {data_size} bytes of tensors, expected {at}")
    if at < data_size:
        raise Malformed(f"it has {data_size - at} bytes after the last tensor, expected none")
    return Header(tuple(entries), metadata, raw)


def _brief(error: ValueError) -> str:
    return str(error).split("; use sys.")[0][:120]


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Malformed(f"its __metadata__ is {shown(value)}, expected a JSON object")
    for k, v in value.items():
        if not isinstance(v, str):
            raise Malformed(f"its metadata {shown(k)} is {shown(v)}, expected text")
        _check_unicode(k)
        _check_unicode(v)
    return value


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Malformed(f"{shown(text)} is not valid Unicode text") from None


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def check_name(name: str) -> None:
    """Refuses what no tensor may be called: names are shown on terminals, so controls and endless text are out.

    Raises:
        Malformed: `bad-tensor-name`.
    """
    _check_unicode(name)
    if not name or len(name) > LONGEST_NAME or _CONTROLS.search(name) or name == "__metadata__":
        raise Malformed(f"a tensor is called {shown(name)}; expected 1 to {LONGEST_NAME} characters without controls",
                        "bad-tensor-name")


def _entry(name: str, value: object) -> Entry:
    check_name(name)
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise Malformed(f"tensor {shown(name)} is {shown(value)}, expected dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        known = isinstance(dtype, str) and dtype in _WITHOUT_NUMPY
        raise Malformed(f"tensor {shown(name)} has the dtype {shown(dtype)}, "
                        f"{'which numpy does not have; ' if known else ''}expected one of {', '.join(DTYPES)}",
                        "unknown-dtype")
    if not _naturals(shape) or len(shape) > _MOST_DIMENSIONS:
        raise Malformed(f"tensor {shown(name)} has the shape {shown(shape)}, "
                        f"expected at most {_MOST_DIMENSIONS} whole numbers of at least 0")
    if not _naturals(offsets) or len(offsets) != 2:
        raise Malformed(f"tensor {shown(name)} has the data_offsets {shown(offsets)}, expected two whole numbers")
    size, extent = int(DTYPES[dtype][2]), 1
    for d in shape:
        size *= d
        extent *= max(d, 1)
    if extent >= 1 << 48:  # also of an empty tensor: numpy multiplies the dimensions in 64 bits
        raise Malformed(f"tensor {shown(name)} has the shape {shown(shape)}, which no memory holds")
    if offsets[1] - offsets[0] != size:
        raise Malformed(f"tensor {shown(name)} lies at {offsets[0]} to {offsets[1]}, "
                        f"expected {size} bytes for {dtype} of shape {shown(shape)}")
    return Entry(name, dtype, tuple(shape), offsets[0], offsets[1])


def _naturals(value: object) -> bool:
    return isinstance(value, list) and all(type(v) is int and 0 <= v < 1 << 63 for v in value)
