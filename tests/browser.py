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
    out = np.zeros_like(line)
    left, corner = np.zeros(line.shape[1], np.int32), np.zeros(line.shape[1], np.int32)
    for x in range(len(line)):
        if kind == 3:
            guess = (left + above[x]) // 2
        else:
            p = left + above[x] - corner
            a, b, c = abs(p - left), abs(p - above[x]), abs(p - corner)
            guess = np.where((a <= b) & (a <= c), left, np.where(b <= c, above[x], corner))
        left = out[x] = (line[x] + guess) & 255
        corner = above[x]
    return out
