"""Whatever is fitted comes from training rows: other held-back rows change neither the schema nor, to the last bit, the trained weights."""

import csv
import io

import numpy as np
import pytest

from layerctl.api import Model

WORDS = ["red", "green", "blue", "grey"]
COLUMNS = ["n", "m", "c", "yes", "day", "moment", "text", "vec", "seq", "price", "labels", "a", "b", "steps", "class", "g", "part"]


def row(i, rng, held):
    """Training rows, and held-back rows of other sizes, words, dates and lengths."""
    far = 1000.0 * held
    n, m = rng.normal(size=2) * (1 + far) + far
    words = [f"other{j}" for j in range(9)] if held == 2 else WORDS
    text = " ".join(rng.choice(words, 3 + 5 * (held == 2)))
    seq = rng.integers(0, 9, 1 + i % 4 + 3 * (held == 2))
    return {
        "n": "" if i % 6 == 1 else f"{n:.5f}", "m": f"{m:.5f}", "c": "" if i % 7 == 2 else str(rng.choice(words)), "yes": ["yes", "NO"][(i + held // 2) % 2],
        "day": f"20{10 + i % 9 + 10 * (held == 2)}-0{1 + i % 9}-1{i % 9}", "moment": f"1{i % 9}/0{1 + i % 9}/20{10 + held * 20 + i % 9} 1{i % 9}:30",
        "text": text, "vec": f"[{n:.3f} {m:.3f} 1]", "seq": " ".join(map(str, seq)), "price": f"${abs(n) + far:,.2f}",
        "labels": ";".join(rng.choice(["p", "q", "r"], (i // 2) % 3, replace=False)), "a": f"{n + m:.4f}", "b": f"{n - m:.4f}",
        "steps": " ".join("AB"[int(s) % 2] for s in seq), "class": "xyz"[(i // 3 + held) % 3] if i % 4 else "x", "g": f"group {i // 4}",
        "part": ["train", "validation", "test"][min(held, 2)] if held else "train",
    }  # fmt: skip


def table(other):
    """120 rows, of which a third is held back; `other` makes that third anew and changes nothing else."""
    rng, out = np.random.default_rng(1), io.StringIO()
    lines = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    lines.writeheader()
    for i in range(120):
        held = i % 3 == 2
        own = row(i, np.random.default_rng(500 + i) if held and other else rng if not held else np.random.default_rng(i), 2 if held and other else 0)
        lines.writerow({**own, "part": ["validation", "test"][i // 3 % 2] if held else "train"})
    return out.getvalue()


FEATURES = {
    "standard": "{columns: [n, m], kind: number, missing: mean}", "minmax": "{columns: [m], scale: minmax}", "median": "{columns: [n], missing: median}",
    "most frequent": "{columns: [n], missing: most_frequent}", "constant": "{columns: [n], missing: constant, constant: 3.5}",
    "clip": "{columns: [m], outlying: clip, quantiles: [0.05, 0.95]}", "outlying missing": "{columns: [m], missing: mean, outlying: missing, range: [-1, 1]}",
    "bucket": "{columns: [c], kind: category, missing: most_frequent}", "min_count": "{columns: [c], kind: category, missing: most_frequent, min_count: 9}",
    "vocabulary": "{columns: [c], kind: category, missing: constant, constant: red, vocabulary: 2}", "drop": "{columns: [n], missing: drop}",
    "unseen most frequent": "{columns: [c], kind: category, missing: most_frequent, unseen: most_frequent}", "binary": "{columns: [yes], kind: binary}",
    "inferred": "{columns: [n, c, day, price, text, yes], missing: median}", "date": "{columns: [day], kind: date}",
    "moments": '{columns: [moment], kind: date, format: ["%d/%m/%Y %H:%M"], parts: [elapsed, year, hour]}',
    "days": "{columns: [day], kind: date, scale: none, parts: [days]}", "vector": "{columns: [vec], kind: vector, scale: standard}",
    "price": "{columns: [price], kind: number}", "robust": "{columns: [n], scale: robust, missing: median}",
    "array": "{columns: [m, b], kind: array, scale: standard}",
    "array minmax": "{columns: [m, b], kind: array, scale: minmax}", "vector minmax": "{columns: [vec], kind: vector, scale: minmax}",
    "quantiles missing": "{columns: [m], missing: median, outlying: missing, quantiles: [0.1, 0.9]}",
}  # fmt: skip
DENSE = "  - Dense: {units: %d, name: out%s}"
SPLIT = "{by: column, column: part}"


def trained(folder, other, feature, target="a", loss="mse", layers=None, split=SPLIT, more="", fit=""):
    """(schema, weights, targets of the training rows) of a model trained for two epochs."""
    folder.mkdir()
    (folder / "t.csv").write_text(table(other))
    (folder / "m.yaml").write_text(f"""
layerctl: 1
name: m
seed: 4
data:
  source: t.csv
  features: {{x: {feature}}}
  target: {target}
  split: {split}
  {more}
model:
{layers or DENSE % (1, '')}
compile: {{optimizer: adam, loss: {loss}}}
fit: {{epochs: 2, batch_size: 16{fit}}}
""")
    with Model.from_yaml(folder / "m.yaml") as model:
        held = [model.data.validation, model.data.test]
        model.fit()
        weights = {n: w.tobytes() for n, w in model.weights.items()}
        held_bytes = [b"".join(a.tobytes() for a in (*h.inputs.values(), *h.targets.values())) for h in held if h is not None]
        return model.schema.to_dict(), weights, held_bytes


def same(tmp_path, *given, **options):
    """Trains with the one and with the other held-back rows."""
    before, after = (trained(tmp_path / str(other), other, *given, **options) for other in (False, True))
    assert before[0] == after[0]
    assert before[1] == after[1]
    assert before[2] != after[2], "the held-back rows must be others for this to mean anything"
    return before


@pytest.mark.parametrize("name", FEATURES)
def test_every_kind_and_policy_of_a_feature(tmp_path, name):
    same(tmp_path, FEATURES[name])


EMBED = '  - Embedding: {input_dim: "${features.x.size}", output_dim: 3, mask_zero: true}\n'
STEPS = "  - SimpleRNN: {units: 3, return_sequences: true}\n"
SPARSE = "sparse_categorical_crossentropy"
TARGETS = {
    "number": ("{columns: [m]}", "{column: a, scale: standard}", "mse", DENSE % (1, "")),
    "price": ("{columns: [m]}", "{column: price, kind: number, scale: minmax}", "mse", DENSE % (1, "")),
    "numbers": ("{columns: [m]}", "{columns: [a, b], scale: standard}", "mse", DENSE % (2, "")),
    "category": ("{columns: [m]}", "class", SPARSE, DENSE % (3, ", activation: softmax")),
    "binary": ("{columns: [m]}", "{column: yes, kind: binary}", "binary_crossentropy", DENSE % (1, ", activation: sigmoid")),
    "labels": ("{columns: [m]}", "{column: labels, kind: labels}", "binary_crossentropy", DENSE % (3, ", activation: sigmoid")),
    "text": ("{columns: [text], kind: text}", "a", "mse", f"{EMBED}  - GlobalAveragePooling1D\n{DENSE % (1, '')}"),
    "characters": ("{columns: [text], kind: text, split: characters, length: 20}", "a", "mse", f"{EMBED}  - LSTM: 3\n{DENSE % (1, '')}"),
    "sequence": ("{columns: [seq], kind: sequence, scale: standard}", "a", "mse", f"  - LSTM: 3\n{DENSE % (1, '')}"),
    "steps": ("{columns: [seq], kind: text, split: whitespace}", "{column: steps, kind: sequence}", SPARSE,
              EMBED + STEPS + DENSE % (2, ", activation: softmax")),
    "input": ("{columns: [a, b]}", "input", "mse", f"  - Dense: 1\n{DENSE % (2, '')}"),
    "next": ("{columns: [text], kind: text, length: 6}", "next", SPARSE, EMBED + STEPS + '  - Dense: {units: "${features.x.size}", activation: softmax}'),
    "normalization": ("{columns: [m, b], scale: none}", "a", "mse", f"  - Normalization\n{DENSE % (1, '')}"),
    "vectorization": ("{columns: [text], kind: string}", "a", "mse",
                      f"  - TextVectorization: {{output_mode: multi_hot, max_tokens: 9, pad_to_max_tokens: true}}\n{DENSE % (1, '')}"),
    "index": ("{columns: [c, yes], kind: category, encode: index, missing: most_frequent}", "a", "mse",
              EMBED.replace(", mask_zero: true", "") + f"  - Flatten\n{DENSE % (1, '')}"),
}  # fmt: skip


@pytest.mark.parametrize("name", TARGETS)
def test_every_kind_of_target(tmp_path, name):
    feature, target, loss, layers = TARGETS[name]
    same(tmp_path, feature, target, loss, layers)


@pytest.mark.parametrize("more", ["sampling: over", "sampling: under", "sampling: {method: over, ratio: 0.7}", "weight: g2"])
def test_sampling_and_balanced_weights(tmp_path, more, monkeypatch):
    if more == "weight: g2":
        monkeypatch.setitem(globals(), "COLUMNS", [*COLUMNS, "g2"])
        plain = row
        monkeypatch.setitem(globals(), "row", lambda i, rng, held: {**plain(i, rng, held), "g2": str(1 + i % 3 + held)})
    layers = DENSE % (3, ", activation: softmax")
    schema, _, _ = same(tmp_path, "{columns: [m]}", "class", SPARSE, layers, more=more, fit=", class_weight: balanced")
    counts = schema["targets"]["class"]["counts"]
    assert len(counts) == 3 and (len(set(counts)) == 1) == (more in ("sampling: over", "sampling: under"))


@pytest.mark.parametrize("scale", ["minmax", "standard"])
def test_images(tmp_path, scale):
    """Their size is the first training image's, their mean and deviation the training images'."""
    from PIL import Image

    made = []
    for other in (False, True):
        folder = tmp_path / str(other)
        folder.mkdir()
        lines = ["file,y,part"]
        for i in range(30):
            held, rng = i % 3 == 0, np.random.default_rng(i)
            side = 9 if held and other else 6
            pixels = rng.integers(0, 255 if held and other else 90, (side, side), np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
            lines.append(f"{i}.png,{i % 5},{['validation', 'test'][i // 3 % 2] if held else 'train'}")
        (folder / "t.csv").write_text("\n".join(lines) + "\n")
        (folder / "m.yaml").write_text(f"""
layerctl: 1
name: m
seed: 4
data: {{source: t.csv, features: {{x: {{columns: [file], kind: image, scale: {scale}}}}}, target: {{column: y, kind: number}}, split: {SPLIT}}}
model: [Flatten, Dense: 1]
compile: {{optimizer: adam, loss: mse}}
fit: {{epochs: 2, batch_size: 8}}
""")
        with Model.from_yaml(folder / "m.yaml") as model:
            held = model.data.test.inputs["x"].tobytes()
            model.fit()
            made.append((model.schema.to_dict(), {n: w.tobytes() for n, w in model.weights.items()}, held))
    assert made[0][:2] == made[1][:2] and made[0][2] != made[1][2]
    assert made[0][0]["features"]["x"]["shape"][:2] == [6, 6]


def test_windows_of_a_series(tmp_path):
    """By time the last rows are held back: here they are made others, with the windows that reach into them."""
    made = []
    for other in (False, True):
        folder = tmp_path / str(other)
        folder.mkdir()
        values = np.sin(np.arange(80.0))
        values[66:] += 900.0 * other
        (folder / "t.csv").write_text("v\n" + "\n".join(f"{v:.6f}" for v in values) + "\n")
        (folder / "m.yaml").write_text("""
layerctl: 1
data:
  source: t.csv
  features: {x: {columns: [v], kind: window, window: {length: 5, horizon: 2}}}
  target: {column: v, kind: number}
  split: {test: 0.2}
model: [LSTM: 3, Dense: 1]
compile: {optimizer: adam, loss: mse}
fit: {epochs: 2}
""")
        with Model.from_yaml(folder / "m.yaml") as model:
            model.fit()
            made.append((model.schema.to_dict(), {n: w.tobytes() for n, w in model.weights.items()}))
            assert len(model.data.test) == 15
    assert made[0] == made[1]


def test_this_test_can_fail(tmp_path):
    """Other features give another schema and other weights."""
    a = trained(tmp_path / "a", False, FEATURES["standard"])
    changed = trained(tmp_path / "b", False, FEATURES["standard"].replace("n, m", "m, n"))
    assert a[0] != changed[0] and a[1] != changed[1]
