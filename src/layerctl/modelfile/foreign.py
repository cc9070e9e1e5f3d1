"""Recognising files that are not safetensors by their first bytes, to say what they are and what to do instead."""

from __future__ import annotations

UNKNOWN = "of a kind that layerctl does not know, or damaged"
_GIVE = "give the .safetensors file that `layerctl train` wrote"
_TRAIN = "describe the model in a YAML file and train it with `layerctl train`"
_PICKLE = "layerctl never opens pickles: they can run code. Write the arrays with safetensors, or " + _TRAIN


def recognise(head: bytes) -> tuple[str, str]:
    """What a file is, going by its first bytes (4,096 are enough), and the cure: (`a pickle`, `layerctl never …`)."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(head)
    for magic, what, hint in _MAGIC:
        if head.startswith(magic):
            return what, hint
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and len(head) > 1:
        return "a pickle (such as an older .pt or .pkl file)", _PICKLE
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model", _TRAIN
    if head[257:262] == b"ustar":
        return "a tar archive", "unpack it, and give the .safetensors file inside"
    if head[:1] == b"\x08" and any(word in head for word in (b"onnx", b"pytorch", b"tf2onnx", b"layerctl")):
        return "an ONNX model", "layerctl writes ONNX (`layerctl export`), and does not read it"
    return _text(head)


_MAGIC = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (a Keras .h5 model or weights)", "read a whole model with `layerctl import`, weights with `fit: {weights: FILE}`"),
    (b"\x93NUMPY", "a numpy .npy array", "give the model first, then the data: `layerctl predict MODEL DATA`"),
    (b"\x1f\x8b", "a gzip file", "unpack it with gunzip"),
    (b"BZh", "a bzip2 file", "unpack it with bunzip2"),
    (b"\xfd7zXZ\x00", "an xz file", "unpack it with unxz"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it with unzstd"),
    (b"GGUF", "a GGUF model", _TRAIN),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch the file with `git lfs pull`"),
    (b"PAR1", "a Parquet table", "give the model first, then the data: `layerctl predict MODEL DATA`"),
    (b"\x7fELF", "a program or library", _TRAIN),
)


def _zip(head: bytes) -> tuple[str, str]:
    if b"model.weights.h5" in head or b"metadata.json" in head[:60] or b"config.json" in head[:60]:
        return "a Keras .keras model", "read it with `layerctl import FILE.keras`"
    if b"data.pkl" in head:
        return "a PyTorch .pt file (a zip with a pickle)", _PICKLE
    if b".npy" in head[:400]:
        return "a numpy .npz archive", "give the model first, then the data: `layerctl predict MODEL DATA`"
    return "a zip archive", "unpack it, and give the .safetensors file inside"


def _text(head: bytes) -> tuple[str, str]:
    text = head.decode("utf-8", "ignore")  # the head may end within a character
    readable = len(text.encode()) >= len(head) - 3 and all(c.isprintable() or c in "\r\n\t\ufeff" for c in text)
    if not readable:
        return UNKNOWN, _GIVE
    if text.lstrip()[:1] in "{[":
        return "a JSON text", _GIVE
    keys = {line.split(":")[0].strip("'\" ") for line in text.splitlines() if ":" in line}
    if keys & {"layerctl", "model", "data"}:
        return "a YAML model, not yet trained", "train it first with `layerctl train`, then give the run's folder"
    return "a text", _GIVE
