"""The next piece is read while this one is predicted and written."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

T = TypeVar("T")
DEPTH = 2
"""Pieces that may wait: memory stays bounded by them."""
PATIENCE = 1.0
"""Seconds to wait for the reader where its pieces are no longer wanted: it ends with the piece that it is at, so that the process does not end
while it runs a kernel, unless it waits for a stream."""


def ahead(pieces: Iterator[T]) -> Iterator[T]:
    """The same pieces, from the second on made by a thread of their own, if it can be had; an exception comes where its piece would have come."""
    first = next(pieces, None)
    if first is None:
        return
    ready: queue.Queue[tuple[Any, bool, BaseException | None]] = queue.Queue(DEPTH)
    ended = threading.Event()
    reader = threading.Thread(target=_fill, args=(pieces, ready, ended), daemon=True, name="layerctl-reader")
    try:
        reader.start()
    except RuntimeError:  # the system lets no thread be started
        yield first
        yield from pieces
        return
    try:
        yield first
        while True:
            piece, more, error = ready.get()
            if error is not None:
                raise error
            if not more:
                return
            yield piece
    finally:
        ended.set()
        reader.join(PATIENCE)


def _fill(pieces: Iterator[Any], ready: queue.Queue, ended: threading.Event) -> None:
    def put(piece: Any, more: bool, error: BaseException | None) -> None:
        while not ended.is_set():
            try:
                return ready.put((piece, more, error), timeout=0.1)
            except queue.Full:
                continue

    try:
        for piece in pieces:
            put(piece, True, None)
            if ended.is_set():
                return
    except BaseException as error:
        put(None, False, error)
        return
    put(None, False, None)
