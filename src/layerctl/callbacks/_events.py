"""TensorBoard's event files: records of protocol buffers with checksums, written by hand.

A record is its length (u64), the length's checksum, the bytes, their checksum: TFRecord's framing (tensorflow/core/lib/io/record_writer).
Messages: tensorflow/core/util/event.proto and core/framework/summary.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

_POLYNOMIAL = 0x82F63B78


def _table() -> list[int]:
    out = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        out.append(byte)
    return out


_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and offset as TFRecord files have it, so that a checksum of checksums stays one."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """One record of an event file."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def _varint(n: int) -> bytes:
    n &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def _whole(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _double(number: int, value: float) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", value)


def _doubles(number: int, values: Sequence[float]) -> bytes:
    return _bytes(number, struct.pack(f"<{len(values)}d", *values))


def first_event(time: float) -> bytes:
    """The record that an event file starts with."""
    return record(_double(1, time) + _bytes(3, b"brain.Event:2"))


def event(time: float, step: int, values: Sequence[bytes]) -> bytes:
    """A record of summary values at a step."""
    return record(_double(1, time) + _whole(2, step) + _bytes(5, b"".join(_bytes(1, v) for v in values)))


def scalar(tag: str, value: float) -> bytes:
    """A number."""
    return _bytes(1, tag.encode()) + _varint(2 << 3 | 5) + struct.pack("<f", np.float32(value))


def histogram(tag: str, values: np.ndarray, buckets: int = 30) -> bytes:
    """How numbers are distributed over `buckets` intervals of one width between the least and the greatest finite one."""
    flat = np.asarray(values, np.float64).reshape(-1)
    flat = flat[np.isfinite(flat)]
    low, high = (float(flat.min()), float(flat.max())) if len(flat) else (0.0, 0.0)
    counts, edges = np.histogram(flat, buckets, (low, high) if high > low else (low - 0.5, low + 0.5))
    body = _double(1, low) + _double(2, high) + _double(3, len(flat)) + _double(4, float(flat.sum()))
    body += _double(5, float((flat * flat).sum())) + _doubles(6, edges[1:].tolist()) + _doubles(7, counts.astype(float).tolist())
    return _bytes(1, tag.encode()) + _bytes(5, body)


def text(tag: str, content: str) -> bytes:
    """A text for the text tab, which reads Markdown: a tensor of one string with the plugin's name."""
    plugin = _bytes(1, _bytes(1, b"text"))
    tensor = _whole(1, 7) + _bytes(2, b"") + _bytes(8, content.encode())
    return _bytes(1, tag.encode()) + _bytes(9, plugin + _whole(4, 2)) + _bytes(8, tensor)
