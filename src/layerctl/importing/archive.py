"""What a file saved by Keras holds, without running any of it: the configuration, and the weights as an index of arrays."""

from __future__ import annotations

import os
import stat
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from layerctl.data.zips import DAMAGED
from layerctl.diagnostics import Source, Span, fail
from layerctl.modelfile import foreign, hdf5, strictjson

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
ASSETS, VOCABULARY = "assets/", "/vocabulary.txt"
LARGEST_TEXT = 64 << 20
LARGEST_RATIO = 100
"""Keras stores without compression; a member that unpacks to more than this many times its size is no model."""


@dataclass(frozen=True)
class Saved:
    """A model as Keras saved it: `layout` is keras (a zip), h5 (a whole model of older versions) or json (no weights)."""

    path: str
    layout: str
    config: dict[str, Any]
    compiled: Any
    weights: hdf5.Group | None
    version: str
    assets: dict[str, str] = field(default_factory=dict)
    """Texts that layers keep beside their weights, by their places in the archive: what lookups learned."""
    has_masks: bool = True
    """Whether calls say which masks they were given: Keras writes them down, layerctl's export leaves them to Keras."""


def read(path: str | os.PathLike[str]) -> Saved:
    """Reads a `.keras`, `.h5` or `.json` file; its first bytes say which it is.

    Raises:
        LayerctlError: for a file that is none of them, damaged or hostile.
    """
    path = os.fspath(path)
    head = _head(path)
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _h5(path)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        text = Path(path).read_bytes()
        if len(text) > LARGEST_TEXT:
            refuse(path, "file-too-large", f"has {len(text)} bytes of JSON, expected at most {LARGEST_TEXT}")
        config = _model(path, _json(path, text, "the file"))
        return Saved(path, "json", config, config.get("compile_config"), None, str(config.get("keras_version", "")))
    what, _ = foreign.recognise(head)
    refuse(path, "not-a-keras-file", f"is {what}, expected a .keras file, a whole-model .h5 or the JSON of model.to_json()",
           "in Python: model.save('model.keras')")


def refuse(path: str, code: str, what: str, hint: str | None = None) -> NoReturn:
    """Raises a diagnostic about the file."""
    fail(code, f"{os.path.basename(path)!r} {what}", Span(Source(path)), hint=hint)
    raise AssertionError


def _head(path: str) -> bytes:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            refuse(path, "not-a-keras-file", "is no regular file, expected a .keras file", "give the file itself")
        with open(path, "rb") as file:
            return file.read(4096)
    except FileNotFoundError:
        refuse(path, "no-such-file", "does not exist", "give the file that model.save() wrote")
    except (OSError, ValueError) as error:
        refuse(path, "cannot-read", f"cannot be read: {getattr(error, 'strerror', None) or error}")


def _zip(path: str) -> Saved:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            names = set(archive.namelist())
            if CONFIG not in names:
                refuse(path, "not-a-keras-file", f"is a zip archive without {CONFIG}", "in Python: model.save('model.keras')")
            config = _model(path, _json(path, _member(path, archive, CONFIG, LARGEST_TEXT), CONFIG))
            metadata = _json(path, _member(path, archive, METADATA, 1 << 20), METADATA) if METADATA in names else {}
            weights = None
            if WEIGHTS in names:
                label = f"{path}/{WEIGHTS}"
                weights = hdf5.read(path, _member(path, archive, WEIGHTS, os.path.getsize(path) * LARGEST_RATIO), label)
            assets = {n[len(ASSETS) : -len(VOCABULARY)]: _text(path, archive, n) for n in names if n.startswith(ASSETS) and n.endswith(VOCABULARY)}
            metadata = metadata if isinstance(metadata, dict) else {}
            version = str(metadata.get("keras_version", ""))
    except DAMAGED as error:
        refuse(path, "file-damaged", f"is no whole zip archive ({str(error)[:120]})", hdf5.DAMAGED)
    if weights is None:
        refuse(path, "file-damaged", f"has no {WEIGHTS}: the weights are missing", hdf5.DAMAGED)
    return Saved(path, "keras", config, config.get("compile_config"), weights, version, assets, "layerctl" not in metadata)


def _check_members(path: str, archive: zipfile.ZipFile) -> None:
    seen: set[str] = set()
    for info in archive.infolist():
        name = info.filename
        shown = strictjson.shown(name)
        if name in seen:
            refuse(path, "unsafe-file", f"has the member {shown} twice", hdf5.UNSAFE)
        seen.add(name)
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name:
            refuse(path, "unsafe-file", f"has a member that leads out of its folder: {shown}", hdf5.UNSAFE)
        if info.flag_bits & 1:
            refuse(path, "not-a-keras-file", f"is encrypted at {shown}", "unpack it, and pack it without a password")
        if info.file_size > LARGEST_RATIO * max(info.compress_size, 1) and info.file_size > 1 << 20:
            refuse(path, "unsafe-file", f"unpacks {shown} from {info.compress_size} to {info.file_size} bytes", hdf5.UNSAFE)


def _member(path: str, archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """A member's bytes; one that is longer than it says is never read to its end."""
    size = archive.getinfo(name).file_size
    if size > limit:
        refuse(path, "file-too-large", f"has {size} bytes at {name}, expected at most {limit}")
    with archive.open(name) as file:
        data = file.read(size + 1)
    if len(data) != size:
        refuse(path, "file-damaged", f"has {len(data)} bytes at {name}, its directory says {size}", hdf5.DAMAGED)
    return data


def _text(path: str, archive: zipfile.ZipFile, name: str) -> str:
    try:
        return _member(path, archive, name, LARGEST_TEXT).decode()
    except UnicodeDecodeError:
        refuse(path, "file-damaged", f"has bytes that are no UTF-8 at {strictjson.shown(name)}", hdf5.DAMAGED)


def _json(path: str, data: bytes, where: str) -> Any:
    try:
        return strictjson.loads(data.decode("utf-8-sig"), long_integers=False)
    except ValueError as error:
        refuse(path, "bad-json", f"cannot be read: {where} is no JSON ({str(error)[:120]})", hdf5.DAMAGED)


def _model(path: str, config: Any) -> dict[str, Any]:
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str) or not isinstance(config.get("config"), (dict, list)):
        refuse(path, "not-a-keras-file", "has JSON that describes no model: 'class_name' and 'config' are missing", "in Python: model.save('model.keras')")
    return config


def _h5(path: str) -> Saved:
    root = hdf5.read(path)
    text = root.attributes.get("model_config")
    if not isinstance(text, str):
        refuse(path, "not-a-keras-file", "holds weights alone: it does not say which layers they belong to",
               "build the model in YAML and start from them: `fit: {weights: FILE}`; or save the whole model: model.save('model.keras')")
    config = _model(path, _json(path, text.encode("utf-8", "replace"), "model_config"))
    training = root.attributes.get("training_config")
    compiled = _json(path, training.encode("utf-8", "replace"), "training_config") if isinstance(training, str) else None
    return Saved(path, "h5", config, compiled, root, str(root.attributes.get("keras_version", "")))
