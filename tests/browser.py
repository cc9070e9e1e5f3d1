"""A headless browser for tests: what a page looks like, and what it holds once it is laid out."""

import shutil
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


def browser():
    found = next((p for n in NAMES if (p := shutil.which(n))), None)
    assert found is not None, f"the tests need a browser: one of {', '.join(NAMES)}"
    return found


def _run(page, *more):
    with tempfile.TemporaryDirectory() as profile:
        command = [browser(), *FLAGS, f"--user-data-dir={profile}", *more, Path(page).absolute().as_uri()]
        done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout.decode()


def dom(page):
    """The page's elements after loading, as HTML."""
    return _run(page, "--dump-dom")


def screenshot(page, out, width, height, dark=False):
    """The page's pixels (height, width, 3), also written to `out`."""
    theme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    _run(page, *theme, f"--window-size={width},{height}", f"--screenshot={out}")
    return pixels(Path(out).read_bytes())


def pixels(png):
    """A PNG of eight bits a channel as an array (ISO/IEC 15948)."""
    at, packed, head = 8, b"", None
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        head = struct.unpack(">IIBBBBB", body) if kind == b"IHDR" else head
        packed += body if kind == b"IDAT" else b""
        at += 12 + size
    width, height, depth, colour, *_ = head
    channels = {0: 1, 2: 3, 6: 4}[colour]
    assert depth == 8
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    out = np.zeros((height, width, channels), np.int32)
    above = np.zeros((width, channels), np.int32)
    for y, row in enumerate(rows):
        above = out[y] = _unfiltered(int(row[0]), row[1:].reshape(width, channels).astype(np.int32), above)
    return out[:, :, :3]


def _unfiltered(kind, line, above):
    if kind == 0:
        return line
    if kind == 1:
        return np.cumsum(line, axis=0) & 255
    if kind == 2:
        return (line + above) & 255
    channels = [_guessed(kind, line[:, c].tolist(), above[:, c].tolist()) for c in range(line.shape[1])]
    return np.array(channels, np.int32).T


def _guessed(kind, line, above):
    """One channel of a line that was filtered by the mean of its neighbours (3) or the nearest of them to their sum (4)."""
    out, left, corner = [], 0, 0
    for value, up in zip(line, above, strict=True):
        if kind == 3:
            guess = (left + up) >> 1
        else:
            a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            guess = left if a <= b and a <= c else up if b <= c else corner
        left, corner = (value + guess) & 255, up
        out.append(left)
    return out
