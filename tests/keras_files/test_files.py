"""What comes with files: older layouts, refusals by name and all at once, hostile files, the command."""

import base64
import json
import os
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from architectures import autoencoder, heads, residual, seq2seq, stacked_bidirectional
from keras import layers as L
from keras import ops
from saved import check_both_ways, check_import, imported, shaken

from layerctl.apart import ends_badly
from layerctl.api import Model, load
from layerctl.diagnostics import LayerctlError
from layerctl.export import keras as to_keras
from layerctl.importing.keras import import_model
from layerctl.modelfile.kerasweights import place_of


def small():
    return shaken(keras.Sequential([keras.Input((4,)), L.Dense(3, activation="relu"), L.Dense(2)], name="small"))


def changed(source, target, name, change):
    """A copy of an archive with one member's bytes changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(info.filename, change(data) if info.filename == name else data)
    return target


def refused(path, folder):
    """The codes and messages of an import that is refused; nothing is written."""
    with pytest.raises(LayerctlError) as caught:
        import_model(path, folder / "out.yaml")
    assert not (folder / "out.yaml").exists() and not (folder / "out.safetensors").exists()
    assert all(d.code != "internal" for d in caught.value.diagnostics)
    return [(d.code, d.message) for d in caught.value.diagnostics]


@pytest.mark.parametrize("make", [small, residual, stacked_bidirectional, seq2seq, autoencoder], ids=lambda f: f.__name__)
def test_whole_model_h5(make, tmp_path):
    check_import(make(), tmp_path, suffix=".h5")


def test_weights_without_names_go_by_place(tmp_path):
    model = shaken(stacked_bidirectional())
    model.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        archive.extract("model.weights.h5", tmp_path)
    with h5py.File(tmp_path / "model.weights.h5", "a") as file:
        file.visititems(lambda _, o: o.attrs.pop("name", None) and None)
    data = (tmp_path / "model.weights.h5").read_bytes()
    changed(tmp_path / "a.keras", tmp_path / "b.keras", "model.weights.h5", lambda _: data)
    model.save(tmp_path / "a.keras")
    one, two = import_model(tmp_path / "a.keras", tmp_path / "a.yaml"), import_model(tmp_path / "b.keras", tmp_path / "b.yaml")
    with load(one.model) as a, load(two.model) as b:
        assert all(np.array_equal(x, y) for x, y in zip(a.weights.values(), b.weights.values(), strict=True))


def test_json_alone_gives_the_yaml(tmp_path):
    (tmp_path / "m.json").write_text(small().to_json())
    done = import_model(tmp_path / "m.json", tmp_path / "m.yaml")
    assert done.model is None and not (tmp_path / "m.safetensors").exists()
    with Model.from_yaml(tmp_path / "m.yaml") as model:
        assert model.predict(np.zeros((2, 4))).shape == (2, 2)


def written(*layers):
    """A Sequential as one writes it by hand: without modules and defaults."""
    first = {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "x"}}
    return json.dumps({"class_name": "Sequential", "config": {"name": "hand", "layers": [first, *layers]}})


@pytest.mark.parametrize(("layers", "shape"), [
    ([], (2, 4)), ([{"class_name": "Dense", "config": {"name": "d", "units": 3, "activation": "relu"}}], (2, 3)),
    ([{"class_name": "Softmax", "config": {"name": "s"}}, {"class_name": "Dense", "config": {"units": 5}}], (2, 5)),
], ids=["input-alone", "dense", "softmax"])  # fmt: skip
def test_json_that_was_written_by_hand(tmp_path, layers, shape):
    (tmp_path / "m.json").write_text(written(*layers))
    done = subprocess.run([sys.executable, "-m", "layerctl", "import", "m.json"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with Model.from_yaml(tmp_path / "m.yaml") as model:
        assert model.predict(np.zeros((2, 4))).shape == shape


def test_a_layer_that_is_none_is_named_and_nothing_is_written(tmp_path):
    (tmp_path / "m.json").write_text(written({"class_name": "Foo", "config": {"name": "f"}}))
    assert [(code, "Foo" in message) for code, message in refused(tmp_path / "m.json", tmp_path)] == [("cannot-import", True)]


def test_the_yaml(tmp_path):
    model = heads()
    imported(model, tmp_path)
    text = (tmp_path / "model.yaml").read_text()
    assert "- Dense: 9  # (9), 72 weights" in text and "outputs: [kind, size]" in text
    with Model.from_yaml(tmp_path / "model.yaml") as ours:
        assert [type(o.loss).__name__ for o in ours.outputs.values()] == ["SparseCategoricalCrossentropy", "MeanAbsoluteError"]
        assert [part.weight for o in ours.outputs.values() for part in o.losses] == [2.0, 0.5] and list(ours.outputs["kind"].metrics) == ["accuracy"]
        assert ours.optimizer.learning_rate == 0.001


@keras.saving.register_keras_serializable("own")
class Own(L.Layer):
    def call(self, x):
        return x


def own_activation(x):
    return x


def test_all_that_cannot_be_expressed_is_named_at_once(tmp_path):
    x = inputs = keras.Input((4,))
    x = Own(name="mine")(L.Lambda(lambda v: v * 2, name="doubling")(x))
    x = L.Dense(3, activation=own_activation, name="odd")(x)
    x = L.Activation("relu", dtype="uint64", name="quarter")(x)
    keras.Model(inputs, x).save(tmp_path / "m.keras")
    text = "\n".join(m for _, m in refused(tmp_path / "m.keras", tmp_path))
    assert "layer 'mine': 'test_files.Own' is a class of the program that saved the file" in text
    assert "layer 'doubling': Lambda holds a Python function as bytecode, which is never run" in text
    assert "layer 'odd', activation: uses the Python function 'own_activation', which the file does not hold" in text
    assert "layer 'quarter': the dtype 'uint64' is not computed with in layerctl" in text


def test_what_keras_does_not_have_is_named_at_once(tmp_path):
    text = """
layerctl: 1
define:
  Mine: {call: x * 2}
model:
  - Input: {shape: [4]}
  - Mine: null
  - Dense: 3
  - Lambda: "random_normal(x)"
"""
    with Model.from_yaml(text) as model, pytest.raises(LayerctlError) as caught:
        to_keras.export(model, tmp_path / "x.keras")
    assert [d.message for d in caught.value.diagnostics] == [
        "'mine' has no form in Keras: Mine is defined in the file, and not a layer of Keras's",
        "'lambda' has no form in Keras: the expression 'random_normal(x)': 'random_normal' is none of the ops that are written",
    ]
    assert not (tmp_path / "x.keras").exists()


def test_a_block_becomes_a_model_within_the_model(tmp_path):
    text = """
layerctl: 1
define:
  Block:
    args: {n: 3}
    layers:
      - Dense: {units: "${n}", activation: relu}
      - Lambda: "x / (1 + abs(x)) - mean(x, axis=-1, keepdims=True)"
model:
  - Input: {shape: [4]}
  - Block: 5
  - Block: 3
"""
    with Model.from_yaml(text) as model:
        to_keras.export(model, tmp_path / "x.keras")
        x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
        np.testing.assert_allclose(np.asarray(keras.models.load_model(tmp_path / "x.keras")(x)), model.predict(x), atol=1e-6)


def test_a_mask_beside_an_initial_state_is_kept(tmp_path):
    text = """
layerctl: 1
model:
  inputs: {ids: {shape: [6], dtype: int32}, h: {shape: [4]}}
  layers:
    - Embedding: {input_dim: 5, output_dim: 3, mask_zero: true}
      from: ids
      name: words
    - GRU: 4
      from: {sequence: words, initial_state: [h]}
      name: last
  outputs: [last]
"""
    ids, h = np.array([[1, 2, 0, 0, 0, 0], [3, 4, 1, 2, 1, 0]]), np.ones((2, 4), np.float32)
    with Model.from_yaml(text) as model:
        to_keras.export(model, tmp_path / "x.keras")
        theirs = keras.models.load_model(tmp_path / "x.keras")([ids.astype(np.int32), h])
        np.testing.assert_allclose(np.asarray(theirs), model.predict({"ids": ids, "h": h}), atol=1e-6)


def edited(change):
    """A change of the configuration, as a change of bytes."""

    def apply(data):
        config = json.loads(data)
        change(config)
        return json.dumps(config).encode()

    return apply


def dense(config):
    return config["config"]["layers"][1]


HOSTILE_CONFIGS = {
    "a module of Python": (lambda c: dense(c).update(module="os", class_name="system", registered_name="system"), "cannot-import"),
    "a gadget of Keras": (lambda c: dense(c).update(module="keras.utils", class_name="get_file"), "cannot-import"),
    "a model that is a class": (lambda c: c.update(module="subprocess", class_name="Popen"), "cannot-import"),
    "bytecode": (lambda c: dense(c).update(class_name="Lambda", config={"name": "l", "function": {"class_name": "__lambda__", "config": {
        "code": base64.b64encode(b"\xe3").decode()}}}), "cannot-import"),
    "an activation from elsewhere": (lambda c: dense(c)["config"].update(activation={"module": "os", "class_name": "system", "config": {}}), "cannot-import"),
    "units of text": (lambda c: dense(c)["config"].update(units="3"), "cannot-import"),
    "units beyond the file": (lambda c: dense(c)["config"].update(units=5), "wrong-weights"),
    "a name that is a path": (lambda c: dense(c)["config"].update(name="../../etc/passwd"), "cannot-import"),
    "a name of 300 letters": (lambda c: dense(c)["config"].update(name="a" * 300), "cannot-import"),
    "a name with a line break": (lambda c: dense(c)["config"].update(name="a\nb"), "cannot-import"),
    "no layers": (lambda c: c["config"].pop("layers"), "cannot-import"),
    "layers of numbers": (lambda c: c["config"].update(layers=[1, 2]), "cannot-import"),
    "a shape of text": (lambda c: c["config"]["layers"][0]["config"].update(batch_shape=[None, "4"]), "cannot-import"),
    "an unknown argument": (lambda c: dense(c)["config"].update(enable_unsafe_deserialization=True), "cannot-import"),
    "a config that is a list": (lambda c: dense(c).update(config=[1]), "cannot-import"),
    "a first layer of text": (lambda c: c["config"]["layers"][0].update(class_name="Dense", config="x"), "cannot-import"),
    "a first layer without any": (lambda c: c["config"]["layers"].__setitem__(0, ["Dense"]), "cannot-import"),
    "two layers of one name": (lambda c: dense(c)["config"].update(name="dense_1"), "cannot-import"),
    "no class": (lambda c: c.pop("class_name"), "not-a-keras-file"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_CONFIGS)
def test_a_hostile_config(name, tmp_path):
    model = small()
    dense_names = [layer.name for layer in model.layers]
    model.save(tmp_path / "m.keras")
    change, code = HOSTILE_CONFIGS[name]

    def renamed(config):
        text = json.dumps(config)
        for i, n in enumerate(dense_names):
            text = text.replace(f'"{n}"', f'"dense{f"_{i}" if i else ""}"')
        config.clear()
        config.update(json.loads(text))
        change(config)

    changed(tmp_path / "m.keras", tmp_path / "bad.keras", "config.json", edited(renamed))
    assert code in {c for c, _ in refused(tmp_path / "bad.keras", tmp_path)}


def test_a_graph_with_a_circle_or_a_hole(tmp_path):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, L.Dense(4, name="b")(L.Dense(4, name="a")(x)))
    config = json.loads(model.to_json())
    for source, text in (("b", "in a circle"), ("nowhere", "is not computed")):
        config["config"]["layers"][1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = source
        (tmp_path / "m.json").write_text(json.dumps(config))
        assert text in refused(tmp_path / "m.json", tmp_path)[0][1]


def archive_with(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_archives(tmp_path):
    config = small().to_json()
    bomb = archive_with(tmp_path / "bomb.keras", [("config.json", b" " * (64 << 20))], zipfile.ZIP_DEFLATED)
    assert refused(bomb, tmp_path)[0][0] == "unsafe-file"
    weights = [("config.json", config), ("model.weights.h5", b"\0" * (32 << 20))]
    assert refused(archive_with(tmp_path / "w.keras", weights, zipfile.ZIP_DEFLATED), tmp_path)[0][0] == "unsafe-file"
    for name in ("../evil", "/etc/evil", "a/../../evil", "C:evil", "..\\evil"):
        assert refused(archive_with(tmp_path / "p.keras", [("config.json", config), (name, "")]), tmp_path)[0][0] == "unsafe-file"
    twice = archive_with(tmp_path / "t.keras", [("config.json", config), ("config.json", config)])
    assert refused(twice, tmp_path)[0][0] == "unsafe-file"
    assert refused(archive_with(tmp_path / "n.keras", [("other.txt", "")]), tmp_path)[0][0] == "not-a-keras-file"
    assert refused(archive_with(tmp_path / "c.keras", [("config.json", config)]), tmp_path)[0][0] == "file-damaged"
    large = '{"class_name": "Sequential", "config": {"units": 1' + "0" * 30 + "}}"
    for text in ("{", "[]", large, '{"class_name": 1, "config": {}}', '{"a": 1, "a": 2}', "[" * 100_000, "\xff"):
        bad = archive_with(tmp_path / "j.keras", [("config.json", text.encode("latin-1"))])
        assert refused(bad, tmp_path)[0][0] in ("bad-json", "not-a-keras-file")


def test_every_cut_of_a_file_is_a_diagnostic(tmp_path):
    small().save(tmp_path / "m.keras")
    whole = (tmp_path / "m.keras").read_bytes()
    for i in range(1, 32):
        (tmp_path / "cut.keras").write_bytes(whole[: len(whole) * i // 32])
        refused(tmp_path / "cut.keras", tmp_path)
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        weights = archive.read("model.weights.h5")
    for i in range(32):
        changed(tmp_path / "m.keras", tmp_path / "cut.keras", "model.weights.h5", lambda _, i=i: weights[: len(weights) * i // 32])
        refused(tmp_path / "cut.keras", tmp_path)


def hdf5_with(folder, make):
    """A saved model whose first kernel is what `make(group)` puts in its place."""
    small().save(folder / "m.keras")
    with zipfile.ZipFile(folder / "m.keras") as archive:
        archive.extract("model.weights.h5", folder)
    with h5py.File(folder / "model.weights.h5", "a") as file:
        group = next(g for n, g in file["layers"].items() if "vars" in g and "0" in g["vars"])["vars"]
        del group["0"]
        make(group)
    data = (folder / "model.weights.h5").read_bytes()
    return changed(folder / "m.keras", folder / "bad.keras", "model.weights.h5", lambda _: data)


def virtual(group):
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (4, 3))
    group.create_virtual_dataset("0", layout)


def looped(group):
    group["0"] = group.parent


HDF5 = {
    "an external link": (lambda g: g.__setitem__("0", h5py.ExternalLink("/etc/passwd", "/x")), "unsafe-file"),
    "a soft link": (lambda g: g.__setitem__("0", h5py.SoftLink("/layers")), "unsafe-file"),
    "external storage": (lambda g: g.create_dataset("0", (4, 3), "f4", external=[("/etc/hostname", 0, 48)]), "unsafe-file"),
    "a virtual array": (virtual, "unsafe-file"),
    "a group within itself": (looped, "unsafe-file"),
    "terabytes": (lambda g: g.create_dataset("0", (1 << 40,), "f4"), "unsafe-file"),
    "terabytes in chunks": (lambda g: g.create_dataset("0", (1 << 40,), "f4", chunks=(1024,), compression="gzip"), "unsafe-file"),
    "text": (lambda g: g.create_dataset("0", data=np.full((4, 3), b"abc")), "file-damaged"),
    "another shape": (lambda g: g.create_dataset("0", data=np.zeros((3, 4), "f4")), "wrong-weights"),
    "nothing": (lambda g: None, "wrong-weights"),
}


@pytest.mark.parametrize("name", HDF5)
def test_hostile_hdf5(name, tmp_path):
    make, code = HDF5[name]
    assert refused(hdf5_with(tmp_path, make), tmp_path)[0][0] == code


def test_a_heap_without_an_end(tmp_path):
    """Of which the HDF5 library never comes back."""
    small().save(tmp_path / "m.h5")
    data = bytearray((tmp_path / "m.h5").read_bytes())
    at = data.index(b"GCOL\x01\0\0\0") + 16
    while data[at : at + 2] != b"\0\0":  # the object without a number is what is free
        at += 16 + (int.from_bytes(data[at + 8 : at + 16], "little") + 7) // 8 * 8
    for length in (0, 8, 1 << 20, (1 << 64) - 1):
        data[at + 8 : at + 16] = length.to_bytes(8, "little")
        (tmp_path / "bad.h5").write_bytes(data)
        code, message = refused(tmp_path / "bad.h5", tmp_path)[0]
        assert code == "file-damaged" and f"has an object of {length} bytes in the heap" in message


def test_bytes_that_end_the_process_which_reads_them(tmp_path):
    """A text of variable length whose kind there is not: the HDF5 library follows an address that is none."""
    small().save(tmp_path / "m.keras")

    def broken(data):
        assert data.count(b"name\0\0\0\0\x19\x01")
        return data.replace(b"name\0\0\0\0\x19\x01", b"name\0\0\0\0\x19\x05")

    code, message = refused(changed(tmp_path / "m.keras", tmp_path / "bad.keras", "model.weights.h5", broken), tmp_path)[0]
    assert code == "file-damaged" and "(the library that reads it ends by SIGSEGV)" in message


@pytest.mark.parametrize(("work", "ended"), [
    (lambda: None, None), (lambda: 1 / 0, None), (sys.exit, None), (os.abort, "ends by SIGABRT"),
    (lambda: any(iter(int, 1)), "does not come to an end within 1 s"),
])  # fmt: skip
def test_work_that_ends_its_process_is_done_by_a_copy(work, ended):
    assert ends_badly(work, 1) == ended


def test_other_files(tmp_path):
    (tmp_path / "a.keras").write_bytes(b"")
    (tmp_path / "b.keras").write_bytes(b"\x80\x04pickle")
    for path in (tmp_path / "a.keras", tmp_path / "b.keras", tmp_path):
        assert refused(path, tmp_path)[0][0] == "not-a-keras-file"
    assert refused(tmp_path / "none.keras", tmp_path)[0][0] == "no-such-file"
    small().save_weights(tmp_path / "w.weights.h5")
    code, text = refused(tmp_path / "w.weights.h5", tmp_path)[0]
    assert code == "not-a-keras-file" and "holds weights alone" in text


def test_the_command(tmp_path):
    small().save(tmp_path / "small.keras")
    run = [sys.executable, "-m", "layerctl"]

    def command(*arguments):
        return subprocess.run([*run, *arguments], cwd=tmp_path, capture_output=True, text=True)

    done = command("import", "small.keras")
    assert done.returncode == 0 and done.stdout.split() == ["small.yaml", "small.safetensors"]
    again = command("import", "small.keras")
    assert again.returncode == 2 and "is there already" in again.stderr
    assert command("import", "small.keras", "--force").returncode == 0
    nowhere = command("import", "small.keras", "-o", "none/small.yaml")
    assert nowhere.returncode == 2 and "its folder does not exist" in nowhere.stderr
    back = command("export", "small.safetensors", "--to", "keras", "-o", "back.keras")
    assert back.returncode == 0, back.stderr
    assert command("build", "small.yaml").returncode == 0
    x = np.ones((1, 4), np.float32)
    theirs = keras.models.load_model(tmp_path / "back.keras")(x)
    np.testing.assert_allclose(np.asarray(theirs), np.asarray(keras.models.load_model(tmp_path / "small.keras")(x)), atol=1e-6)


def test_importing_does_not_need_keras(tmp_path):
    small().save(tmp_path / "small.keras")
    code = (
        "import sys; sys.modules['keras'] = sys.modules['jax'] = None\n"
        "from layerctl.importing.keras import import_model; from layerctl.api import load; from layerctl.export import keras\n"
        "import numpy; from pathlib import Path\n"
        "m = load(import_model('small.keras', 'small.yaml').model); m.predict(numpy.zeros((1, 4))); keras.export(m, Path('b.keras'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b.keras").exists()


def test_a_mask_that_passes_by(tmp_path):
    text = """
layerctl: 1
model:
  inputs: {ids: {shape: [6], dtype: int32}}
  layers:
    - Embedding: {input_dim: 5, output_dim: 3, mask_zero: true}
      name: words
    - GRU: {units: 4}
      from: {sequence: words, mask: false}
      name: last
  outputs: [last]
"""
    ids = np.array([[1, 2, 0, 0, 0, 0], [3, 4, 1, 2, 1, 0]], np.int32)
    with Model.from_yaml(text) as model:
        to_keras.export(model, tmp_path / "x.keras")
        np.testing.assert_allclose(np.asarray(keras.models.load_model(tmp_path / "x.keras")(ids)), model.predict(ids), atol=1e-6)


def older(model, folder, change=lambda config: None):
    """The JSON of a Sequential model as Keras 2 wrote it, changed."""
    layers = []
    for saved in json.loads(model.to_json())["config"]["layers"]:
        config = {k: v for k, v in saved["config"].items() if k not in ("dtype", "quantization_config")}
        if saved["class_name"] == "InputLayer":
            config = {"name": config["name"], "batch_input_shape": config["batch_shape"], "dtype": "float32", "sparse": False}
        layers.append({"class_name": saved["class_name"], "config": config})
    change(layers)
    text = json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}, "keras_version": "2.2.4", "backend": "tensorflow"})
    (folder / "m.json").write_text(text)
    import_model(folder / "m.json", folder / "m.yaml")
    return (folder / "m.yaml").read_text()


def test_what_meant_something_else_before_keras_3(tmp_path):
    model = keras.Sequential([keras.Input((4, 3)), L.GRU(3, recurrent_activation="hard_sigmoid"), L.LeakyReLU(), L.Activation("hard_sigmoid")])

    def change(layers):
        layers[1]["config"].pop("reset_after")
        layers[2]["config"] = {"name": "leaky", "alpha": 0.20000000298023224}

    text = older(model, tmp_path, change)
    assert "recurrent_activation: {hard_sigmoid: {slope: 0.2}}, reset_after: false" in text.replace("\n      ", " ") or (
        "hard_sigmoid: {slope: 0.2}" in text and "reset_after: false" in text)  # fmt: skip
    assert "negative_slope: 0.2" in text or "LeakyReLU: 0.2" in text
    with Model.from_yaml(tmp_path / "m.yaml") as ours:
        y = ours.predict(np.zeros((1, 4, 3)))
        np.testing.assert_allclose(y, 0.5, atol=1e-6)


def test_an_older_optimizer(tmp_path):
    model = small()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "a") as file:
        config = {"lr": 0.003, "beta_1": 0.9, "beta_2": 0.999, "decay": 0.5, "epsilon": 1e-07, "amsgrad": False}
        file.attrs["training_config"] = json.dumps({"optimizer_config": {"class_name": "Adam", "config": config}, "loss": "mse", "metrics": ["mae"]})
        file.attrs["keras_version"] = "2.4.0"
    done = import_model(tmp_path / "m.h5", tmp_path / "m.yaml")
    assert not done.warnings
    with load(done.model) as ours:
        rate = ours.optimizer.learning_rate
        assert type(rate).__name__ == "InverseTimeDecay" and (rate.initial_learning_rate, rate.decay_steps, rate.decay_rate) == (0.003, 1, 0.5)


def test_mixed_precision_is_computed_in_float32_and_said(tmp_path):
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, dtype="mixed_float16"), L.Dense(2, dtype="mixed_float16")])
    done = imported(model, tmp_path)
    assert ["mixed_float16" in d.message for d in done.warnings] == [True]
    x = np.ones((2, 4), np.float32)
    with load(done.model) as ours:
        np.testing.assert_allclose(ours.predict(x), np.asarray(model(x)).astype(np.float32), rtol=5e-3, atol=5e-3)


def test_a_layer_of_two_models_has_its_weights_in_both(tmp_path):
    shared = L.Dense(4, name="shared")
    a = keras.Input((4,))
    inner = keras.Model(a, L.Dense(3)(shared(a)), name="inner")
    x = keras.Input((4,))
    model = keras.Model(x, L.Concatenate()([inner(x), shared(x)]))
    done = check_import(model, tmp_path)  # Keras itself cannot load such a file
    assert [d.message.split(":")[0] for d in done.warnings] == ["the layer 'shared' stands in several models of the file"]


def test_ops_with_the_defaults_of_ops(tmp_path):
    x = keras.Input((4,))
    check_import(keras.Model(x, [keras.ops.gelu(x), keras.ops.gelu(x, approximate=False), keras.ops.round(x), keras.ops.normalize(x)]), tmp_path)


def test_ops_without_an_axis_and_with_a_dtype(tmp_path):
    x = keras.Input((6, 4))
    ops = keras.ops
    flat = ops.sum(ops.take(x[0], [1, 7])) + ops.repeat(x[0], 2)[5]
    places = ops.one_hot(ops.cast(x[:, 0] * 2, "int32"), 3, dtype="int32")
    y = [ops.roll(x, 1), x + flat, places, ops.cumsum(x, axis=1, dtype="int32"), ops.cast(x * 3, "int32") // 2, ops.zeros_like(x, dtype="int32"), x]
    done = check_both_ways(keras.Model(x, y), tmp_path)
    with load(done.model) as model:
        assert [a.dtype.name for a in model.predict(np.ones((2, 6, 4))).values()] == ["float32"] * 2 + ["int32"] * 4 + ["float32"]


LEARNED = {
    "StringLookup": ({"oov_token": "[UNK]", "num_oov_indices": 1, "mask_token": "", "oov_method": "floormod", "salt": None, "vocabulary_size": 4},
                     "\n[UNK]\nred\ngreen", ["green", "blue", "red"]),
    "IntegerLookup": ({"oov_token": -1, "num_oov_indices": 1, "mask_token": None, "vocabulary_dtype": "int64"}, "-1\n70\n-3\n5\n", [-3, 8, 70]),
    "TextVectorization": ({"standardize": "lower", "split": "whitespace", "output_sequence_length": 1, "ragged": False},
                          "\n[UNK]\nred\ngreen\n\n", ["Green", "blue", "red"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", LEARNED)
def test_a_vocabulary_that_was_learned_is_read_from_beside_the_weights(kind, tmp_path):
    arguments, text, words = LEARNED[kind]
    places = {"IntegerLookup": [2, 0, 1]}.get(kind, [3, 1, 2])
    model = shaken(keras.Sequential([keras.Input((1,), dtype="int32"), L.Identity(), L.Embedding(4, 2), L.Flatten()]))
    model.save(tmp_path / "a.keras")

    def change(config):
        first, second = config["config"]["layers"][:2]
        first["config"]["dtype"] = "int64" if kind == "IntegerLookup" else "string"
        second.update(class_name=kind, module="keras.layers", config={"name": "words", "vocabulary": None, "idf_weights": None, **arguments})

    changed(tmp_path / "a.keras", tmp_path / "b.keras", "config.json", edited(change))
    assert "has a vocabulary that was made of data" in refused(tmp_path / "b.keras", tmp_path)[0][1]
    with zipfile.ZipFile(tmp_path / "b.keras", "a") as archive:
        archive.writestr(f"assets/layers/{place_of(kind)}/vocabulary.txt", text)
    with load(import_model(tmp_path / "b.keras", tmp_path / "b.yaml").model) as ours:
        rows = np.array(words, np.int64 if kind == "IntegerLookup" else object)[:, None]
        np.testing.assert_array_equal(ours.predict(rows), np.asarray(model(np.array(places, np.int32)[:, None])))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_metrics_keep_their_names(suffix, tmp_path):
    model = small()
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae", keras.metrics.MeanSquaredError()])
    assert not imported(model, tmp_path, suffix).warnings
    x, y = np.ones((6, 4), np.float32), np.ones((6, 2), np.float32)
    for _ in range(2):
        model.train_on_batch(x, y)
    done = imported(model, tmp_path, suffix)
    assert not done.warnings
    with load(done.model) as ours:
        theirs = model.evaluate(x, y, verbose=0, return_dict=True)
        assert ours.evaluate(x, y) == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("axis", [None, -1, 1])
def test_what_normalization_learned(axis, tmp_path):
    layer = L.Normalization(axis=axis)
    layer.adapt(np.random.default_rng(0).standard_normal((9, 5, 3)).astype(np.float32) * 3 + np.arange(15).reshape(5, 3))
    check_both_ways(keras.Sequential([keras.Input((5, 3)), layer]), tmp_path, shake=False)


def test_images_of_any_size_that_a_small_one_does_not_pass(tmp_path):
    x = inputs = keras.Input((None, None, 1))
    for _ in range(3):
        x = L.MaxPooling2D()(L.Conv2D(2, 3)(x))
    model = shaken(keras.Model(inputs, L.GlobalAveragePooling2D()(x)))
    rows = np.random.default_rng(0).standard_normal((2, 40, 50, 1)).astype(np.float32)
    done = imported(model, tmp_path)
    assert "  # (None, None, 2), 20 weights" in done.yaml.read_text()
    with load(done.model) as ours:
        np.testing.assert_allclose(ours.predict(rows), np.asarray(model(rows)), atol=1e-5)
        to_keras.export(ours, tmp_path / "back.keras")
    inputs = keras.Input((None, 4))
    imported(keras.Model(inputs, L.Conv1D(2, 30)(inputs)), tmp_path)
    with pytest.raises(LayerctlError, match="does not fit into"):
        imported(keras.Model(inputs, L.Conv1D(2, 300)(inputs)), tmp_path)


def masked_words(n, zero=True):
    ids = keras.Input((n,), dtype="int32")
    return ids, L.Embedding(9, 4, mask_zero=zero)(ids)


def attending():
    (i, a), (j, b) = masked_words(6), masked_words(5)
    return keras.Model([i, j], L.LSTM(3)(L.MultiHeadAttention(2, 3)(a, b)))


def each_sentence():
    return keras.Sequential([keras.Input((3, 6), dtype="int32"), L.Embedding(9, 4, mask_zero=True), L.TimeDistributed(L.LSTM(3))])


def behind(layer):
    return keras.Sequential([keras.Input((6,), dtype="int32"), L.Embedding(9, 4, mask_zero=True), layer, L.GRU(3)])


MASKED = {
    "attention to another sequence": attending, "a mask within each step": each_sentence,
    "through groups": lambda: behind(L.GroupNormalization(2)), "ended by a root mean square": lambda: behind(L.RMSNormalization()),
    "ended by a product": lambda: behind(L.EinsumDense("abc,cd->abd", output_shape=(None, 4))),
}  # fmt: skip


@pytest.mark.parametrize("name", MASKED)
def test_masks_go_where_they_go_in_keras(name, tmp_path):
    check_both_ways(MASKED[name](), tmp_path)


def test_what_changes_nothing_keeps_its_mask(tmp_path):
    ids = keras.Input((6,), dtype="int32")
    x = L.Embedding(9, 4, mask_zero=True)(ids)
    same = [L.Reshape((-1, 4))(x), L.Permute((1, 2))(x), ops.cast(x, "float32"), ops.convert_to_tensor(x)]
    others = [ops.copy(x), L.Reshape((3, 8))(x), L.Permute((2, 1))(x)]
    check_import(keras.Model(ids, [L.SimpleRNN(2)(v) for v in same + others]), tmp_path)


def test_quantized_layers_are_refused_and_lora_is_told(tmp_path):
    model = keras.Sequential([keras.Input((4,)), L.Dense(3), L.Dense(2)])
    model.layers[0].enable_lora(2)
    done = check_import(model, tmp_path)
    assert ["LoRA" in d.message for d in done.warnings] == [True]
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, name="a"), L.Dense(2, name="b")])
    model.quantize("int8")
    model.save(tmp_path / "q.keras")
    text = "layer 'a' and 1 more: is quantized ('int8'), which rounds what the layer is given too"
    assert refused(tmp_path / "q.keras", tmp_path) == [("cannot-import", text)]


def test_training_leaves_what_normalization_learned(tmp_path):
    layer = L.Normalization()
    layer.adapt(np.arange(12, dtype=np.float32).reshape(4, 3))
    model = keras.Sequential([keras.Input((3,)), layer, L.Dense(2)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    with load(imported(model, tmp_path).model) as ours:
        x = np.ones((4, 3), np.float32)
        before = ours.predict(x)
        ours.fit(x, np.zeros((4, 2), np.float32))
        np.testing.assert_array_equal(ours.predict(x), before)


def test_a_mask_of_what_is_joined(tmp_path):
    (i, a), (j, b) = masked_words(6), masked_words(6, False)
    done = check_import(keras.Model([i, j], L.LSTM(3)(L.Concatenate()([a, b]))), tmp_path)
    with load(done.model) as ours, pytest.raises(LayerctlError, match="changes the order in which Keras reads the weights"):
        to_keras.export(ours, tmp_path / "back.keras")


def test_penalties_count_in_evaluation(tmp_path):
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, kernel_regularizer="l2", activity_regularizer="l1"), L.ActivityRegularization(l2=0.1)])
    model.compile("sgd", "mse")
    shaken(model)
    x, y = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32), np.ones((6, 3), np.float32)
    with load(imported(model, tmp_path).model) as ours:
        assert ours.evaluate(x, y)["loss"] == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)


def test_pooling_and_resizing_by_ops(tmp_path):
    text = """
layerctl: 1
model:
  - Input: {shape: [8, 8, 3]}
  - Lambda: "max_pool(x, [2, 2], [2, 2])"
  - Lambda: "average_pool(resize(x, [6, 6]), 2, 1, 'same')"
  - Lambda: "extract_patches(x, 3)"
"""
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype(np.float32)
    with Model.from_yaml(text) as model:
        to_keras.export(model, tmp_path / "x.keras")
        np.testing.assert_allclose(np.asarray(keras.models.load_model(tmp_path / "x.keras")(x)), model.predict(x), atol=1e-5)


class Trainer(keras.Model):
    """A functional model with steps of training of its own, as people write it."""

    def train_step(self, data):
        return super().train_step(data)


def test_a_functional_model_of_a_class_of_ones_own(tmp_path):
    inner = keras.Input((5,))
    block = Trainer(inner, L.Dense(4, activation="tanh")(inner), name="block")
    x = keras.Input((5,))
    done = check_import(Trainer(x, L.Dense(2)(block(x))), tmp_path)
    said = [d.message for d in done.warnings]
    assert len(said) == 2 and all("'Trainer' of the program that saved the file: its layers are read" in m for m in said)


def test_a_model_within_that_is_called_as_a_layer(tmp_path):
    """Twins, as keras.io writes them: the tower is called `embedding`."""
    tower = keras.Sequential([keras.Input((6,)), L.Dense(4, activation="tanh"), L.BatchNormalization()], name="embedding")
    a, b = keras.Input((6,)), keras.Input((6,))
    far = ops.sqrt(ops.maximum(ops.sum(ops.square(tower(a) - tower(b)), axis=1, keepdims=True), 1e-7))
    done = check_both_ways(keras.Model([a, b], L.Dense(1, activation="sigmoid")(far)), tmp_path)
    assert "name: embedding\n" in done.yaml.read_text()


def test_activations_with_arguments(tmp_path):
    x = keras.Input((5,))
    y = [L.Dense(3, activation=a)(x) for a in (L.LeakyReLU(negative_slope=0.3), L.ReLU(max_value=0.5), L.ELU(alpha=0.4), L.Softmax(axis=1))]
    check_both_ways(keras.Model(x, L.Concatenate()(y)), tmp_path)


def test_masks_that_attention_leaves(tmp_path):
    """Keras would take them off the tensor, for whatever comes after it."""
    text = """
layerctl: 1
define:
  Inner: {layers: [MultiHeadAttention: {num_heads: 1, key_dim: 4}]}
model:
  inputs: {ids: {shape: [6], dtype: int32}}
  layers:
    - Embedding: {input_dim: 5, output_dim: 8, mask_zero: true}
      name: words
    - Dropout: 0.1
      name: dropped
    - MultiHeadAttention: {num_heads: 2, key_dim: 4}
      name: one
      from: {query: dropped, value: dropped}
    - MultiHeadAttention: {num_heads: 2, key_dim: 4}
      name: two
      from: {query: words, value: one, key: words}
    - Inner: null
      name: three
      from: words
    - Add: null
      name: sum
      from: [words, one, three]
    - GlobalAveragePooling1D
    - LSTM: 3
      from: sum
      name: last
  outputs: [global_average_pooling1d, last, two]
"""
    ids = np.array([[1, 2, 0, 0, 0, 0], [3, 4, 1, 2, 1, 0]], np.int32)
    with Model.from_yaml(text) as model:
        to_keras.export(model, tmp_path / "x.keras")
        theirs = keras.models.load_model(tmp_path / "x.keras").predict_on_batch(ids)
        for a, b in zip(theirs, model.predict(ids).values(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def of_bytes():
    x = keras.Input((8, 8, 3), dtype="uint8")
    return keras.Model(x, [L.Conv2D(2, 3)(x), L.MaxPooling2D(2)(x), L.AveragePooling2D(2)(L.Rescaling(1 / 255)(x))])


def of_halves():
    x = keras.Input((5,), dtype="float16")
    return keras.Model(x, L.Dense(2)(L.Dense(3, dtype="float16")(x)))


@pytest.mark.parametrize(("make", "dtypes", "bound"), [(of_bytes, ["uint8"], 1e-6), (of_halves, ["float16"], 2e-3)], ids=["bytes", "halves"])
def test_dtypes_that_are_not_computed_with(make, dtypes, bound, tmp_path):
    model = shaken(make())
    done = imported(model, tmp_path)
    assert [f"'{d}'" in w.message for d, w in zip(dtypes, done.warnings, strict=True)] == [True]
    x = np.random.default_rng(0).integers(0, 255, (3, *model.input.shape[1:])).astype(dtypes[0])
    with load(done.model) as ours:
        found = ours.predict(x)
        theirs = model.predict_on_batch(x)
        pairs = zip(found.values(), theirs, strict=True) if isinstance(found, dict) else [(found, theirs)]
        assert all(np.abs(a - np.asarray(b, np.float64)).max() <= bound * np.abs(b).max() for a, b in pairs)


def test_masks_that_attention_is_given(tmp_path):
    ids = keras.Input((6,), dtype="int32")
    m, x = ops.not_equal(ids, 0), L.Embedding(9, 8)(ids)
    given = [
        {"attention_mask": m[:, None, :]}, {"key_mask": m}, {"query_mask": m, "value_mask": m}, {"value_mask": m, "attention_mask": m[:, :, None]},
    ]  # fmt: skip
    heads = [L.MultiHeadAttention(2, 4)(x, x, **k) for k in given] + [L.GroupQueryAttention(4, 4, 2)(x, x, value_mask=m)]
    check_import(keras.Model(ids, heads), tmp_path)


def test_several_axes_are_rolled(tmp_path):
    x = keras.Input((4, 6))
    check_both_ways(keras.Model(x, ops.roll(ops.roll(x, [1, -2], [1, 2]), (1, 1), (2, 1))), tmp_path)


@pytest.mark.parametrize(("loss", "left_out"), [(keras.losses.Huber(0.5), "delta"), (keras.losses.CosineSimilarity(axis=0), "axis"), ("huber", None)])
def test_what_keras_does_not_write_is_said(loss, left_out, tmp_path):
    model = small()
    model.compile("sgd", loss)
    told = [w.message for w in imported(model, tmp_path).warnings]
    assert [f"'{left_out}'" in t for t in told] == ([True] if left_out else [])
