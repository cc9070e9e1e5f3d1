"""Slips of the pen in one file: each is answered once, at its own place, with a cure."""

import re
import textwrap

import pytest

from layerctl.cli.main import main

FILE = """\
layerctl: 1
name: iris
seed: 7
vars: {width: 16}
define:
  Body:
    args: {units: 32}
    layers:
      - Dense: {units: "${units}", activation: relu}
        name: inner
data:
  source: builtin:iris
  features:
    flower: {columns: [sepal_length, sepal_width], scale: standard}
  target: {column: species, kind: category}
  split: {validation: 0.15, test: 0.2, stratify: true}
model:
  - Body: {units: "${width}"}
  - Dropout: 0.2
  - Dense: {units: 3, activation: softmax}
compile:
  optimizer: {Adam: {learning_rate: 0.01}}
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
fit:
  epochs: 100
  batch_size: 16
  callbacks:
    - EarlyStopping: {monitor: val_loss, patience: 20}
"""
DEFINE, DATA = FILE[FILE.index("define:") : FILE.index("data:")], FILE[FILE.index("data:") : FILE.index("model:")]
SLIPS = [
    # what stands there, what is written, where the answer points, words of the answer
    ("source: builtin:iris", "source builtin:iris", "12:3", "no ':' after 'source'", "`source: builtin:iris`"),
    ("source: builtin:iris", "source = builtin:iris", "12:3", "no ':' after 'source'", "`source: builtin:iris`"),
    ("source: builtin:iris", "source:builtin:iris", "12:3", "expected a space after ':'", "`source: builtin:iris`"),
    ("metrics: [accuracy]", "metrics [accuracy]", "24:3", "no ':' after 'metrics'", "`metrics: [accuracy]`"),
    ("optimizer: {Adam", "optimizer {Adam", "22:3", "no ':' after 'optimizer'", "`optimizer: {Adam: {learning_rate: 0.01}}`"),
    ("optimizer: {Adam: {", "optimizer: {Adam {", "22:15", "no ':' after 'Adam'", "`Adam: {learning_rate: 0.01}}`"),
    ("{units: 3, ", "{units 3, ", "20:13", "no ':' after 'units'", "`units: 3`"),
    ("- Dense: {units: 3, activation: softmax}", "- Dense: units: 3, activation: softmax}", "20:12", "it is missing before 'units'", "`Dense: {units: 3,"),
    ("metrics: [accuracy]", "metrics: accuracy]", "24:20", "']' closes nothing", "`[accuracy]`"),
    ("metrics: [accuracy]", "metrics: [accuracy];", "24:22", "';' after a value", "remove it"),
    ("{units: 3, activation", "{units: 3 activation", "20:22", "expected ',' before 'activation'", "`3, activation: softmax`"),
    ('{units: "${width}"}', '{units: "${width}}', "18:19", "is not closed", '`"${width}"`'),
    ('{units: "${width}"}', '{units: ${width}"}', "18:19", "lacks the quote before it", '`"${width}"`'),
    ('{units: "${width}"}', '{units: “${width}”}', "18:19", "no quote of YAML", "straight ones"),
    ('{units: "${width}"}', '{units: "$width}"}', "18:19", "must be a whole number", '"${width}"'),
    ("patience: 20}", "patience: 20 # more}", "29:22", "'{' is not closed", "is a comment"),
    ("  - Body: {", "  -Body: {", "18:3", "expected a space after '-'", "`- Body:"),
    ("  - Body: {", "    Body: {", "18:5", "no '- ' before 'Body'", "`- Body:"),
    ("  - Dropout: 0.2", "  – Dropout: 0.2", "19:3", "'–' is no '-'", "`- Dropout: 0.2`"),
    ("  source: builtin:iris", "   source: builtin:iris", "12:4", "an indentation of 3 spaces, the lines after it have 2", "same column"),
    ("  source: builtin:iris", " source: builtin:iris", "12:2", "an indentation of 1 space, the lines after it have 2", "same column"),
    ("  source: builtin:iris", "source: builtin:iris", "12:1", "an indentation of 0 spaces, the lines after it have 2", "same column"),
    ("layerctl: 1\n", " layerctl: 1\n", "1:2", "an indentation of 1 space, the lines after it have 0", "same column"),
    ("  optimizer: {", "  - optimizer: {", "22:3", "makes a list of this line", "remove the '- '"),
    ("seed: 7", "seed:\u00a07", "3:6", "a space that is not the ordinary one", "ordinary spaces"),
    ("  epochs: 100", "\u3000epochs: 100", "26:1", "a space that is not the ordinary one", "ordinary spaces"),
    ("seed: 7\n", "<<<<<<< HEAD\nseed: 7\n=======\nseed: 8\n>>>>>>> main\n", "3:1", "a mark of git", "keep one"),
    ("activation: softmax", "activаtion: softmax", "20:23", "Its 6. letter is cyrillic small letter a (U+0430)", ""),
    ("define:", "defne:", "5:1", "did you mean 'define'?", "the sections are"),
    ("layerctl: 1", "layerclt: 1", "1:1", "did you mean 'layerctl'?", ""),
    ("    args:", "    arg:", "7:5", "did you mean 'args'?", ""),
    ("  Body:\n", "    Body:\n", "7:5", "'args' stands where a definition has its name", "indent it"),
    ("units: 3, ", "units: {seatch: [4, 64]}, ", "20:20", "must be a whole number", "`{search: [4, 64]}`"),
    ("    args: {units: 32}\n", "", "8:27", "there is no variable 'units'", "there are width"),
    ('{units: "${width}"}', '{units: "${width / 5}"}', "18:19", "must be a whole number, got 3.2", ""),
    ("model:", "  model:", "17:3", "a section of its own, and stands within 'data'", "first column"),
    ("{column: species, kind", "{colum: species, kind", "15:12", "a target has no 'colum'; did you mean 'column'?", ""),
    ("kind: category}", "kind: categroy}", "15:35", "did you mean 'category'?", ""),
    ("{column: species,", "{column: speices,", "15:20", "is no column of builtin:iris; did you mean 'species'?", ""),
    ("[sepal_length, sepal_width]", "[sepal_lenght]", "14:24", "did you mean 'sepal_length'?", ""),
    ("[sepal_length, sepal_width]", "[a1, b2, c3]", "14:23", "wants the columns 'a1', 'b2' and 'c3'", "it has sepal_length"),
    ("builtin:iris", "builtin iris", "12:11", "did you mean 'builtin:iris'?", ""),
    ("test: 0.2", "train: 0.2", "16:29", "has no argument 'train'", "all rows that"),
    ("seed: 7", "random_state: 7", "3:1", "no section 'random_state'", "`seed: 7`"),
    ("[accuracy]", "accuracy, AUC", "24:12", "expected a list", "`[accuracy, AUC]`"),
    ("[accuracy]", "[matthews_correlation]", "24:13", "there is no matthews_correlation here", "f1_score"),
    ("{Adam: {learning_rate: 0.01}}", "TFOptimizer", "22:14", "there is no TFOptimizer here", "Keras 2"),
    ("learning_rate: 0.01", "learning_rate:\u00a00.01", "22:36", "a space that is not the ordinary one", "ordinary spaces"),
    ("- Dropout: 0.2", "- Dropout:\u00a00.2", "19:13", "a space that is not the ordinary one", "ordinary spaces"),
    ("optimizer: {", "optimizer:\u00a0{", "22:13", "a space that is not the ordinary one", "ordinary spaces"),
    ("  Body:\n", "  Body:\u00a0\n", "6:8", "a space that is not the ordinary one", "ordinary spaces"),
    ("  - Body: {", "  Body: {", "18:3", "no '- ' before 'Body'", "`- Body: {units"),
    ("  - Dropout: 0.2", "  -- Dropout: 0.2", "19:3", "'--' is no '-'", "`- Dropout: 0.2`"),
    ("{columns: [sepal_length", '{columns: ["sepal_length', "14:24", 'the quote " is not closed', 'put " at the end'),
    ("activation: relu}\n", 'activation: "relu}\n', "9:48", 'the quote " is not closed', 'put " at the end'),
    ("builtin:iris", '"builtin:iris', "12:11", 'the quote " is not closed', 'put " at the end'),
    ("fit:\n", FILE.partition("fit:")[0] + "fit:\n", "25:1", "the file begins again here: 8 of its keys", "remove one of the two texts"),
    (DATA, textwrap.indent(DATA, "  "), "11:3", "'data' is a section of its own, and stands within 'define'", "first column"),
    ("vars: {width: 16}\n" + DEFINE, "vars:\n  width: 16\n" + textwrap.indent(DEFINE, "  "), "6:3", "'define' is a section of its own, and", "first column"),
    ("activation: softmax", "bias_initializer: identity", "20:5", "the weight 'bias': an identity matrix has two dimensions", ""),
    ("activation: softmax", "bias_initializer: {Constant: {value: [1, 2]}}", "20:5", "have the shape (2,), expected (3,)", ""),
    ("activation: softmax", "bias_initializer: {Constant: {value: [1, a]}}", "20:60", "expected a number, or a list of numbers", "value: A number"),
    ("units: 3, activation: softmax", "3, softmax", "20:12", "has values without names", "`[3, softmax]`"),
    ("monitor: val_loss,", 'monitor: val_loss",', "29:32", "the quote \" behind 'val_loss' has none before it", "write `val_loss`"),
    ("monitor: val_loss", "monitor: val_los", "29:32", "which is not measured; did you mean 'val_loss'?", "measured are"),
    ("patience: 20", "patience: 1,000", "29:52", "'1,000' is cut at its comma", "write 1000"),
    ("validation: 0.15", "validation: 0,15", "16:23", "'0,15' is cut at its comma", "write 0.15"),
    ("learning_rate: 0.01", "learning_rate: 001", "22:37", "begins with 0", "0.01 if a point was lost"),
    ("    flower: {", "    flower:: {", "14:5", "a second ':' behind 'flower'", "`flower: …`"),
    ("{column: species, kind: category}", "", "15:10", "'target' has no value", "`target: NAME`"),
    ("{column: species, kind: category}", "[species]", "15:11", "'target' is a list", "`target: species`"),
    ("{column: species, kind: category}", "{a: 1}", "15:15", "a target is a column's name, a list of them or a mapping", ""),
    ("  source: builtin:iris", "    source: builtin:iris", "12:5", "an indentation of 4 spaces, the lines after it have 2", "same column"),
    ("  - Dropout: 0.2", "  - Flatten\n    - Dropout: 0.2", "20:5", "below one of 2, expected 2", "same column"),
    ("  - Dropout: 0.2", "  - {name: Dropout, rate: 0.2}", "19:21", "'rate' is not a key", "`- Dropout: {rate: …}`"),
    ("  - Dropout: 0.2", "  - Dropout: {a: 1}", "19:15", "has no argument 'a'", "its arguments are"),
    ("  - Dropout: 0.2", "  - Dropout: [0.2]", "19:14", "must be a number", "without brackets: 0.2"),
    ("  - Dropout: 0.2", "  - Reshape: (4, 4)", "19:14", "must be a list", "[4, 4]"),
    ("  - Dropout: 0.2", "  - Reshape: {target_shape: 4, 4}", "19:29", "is cut at its comma", "`[4, 4]`"),
    ("  - Dropout: 0.2", "  - Lambda: relu(x, foo=1)", "19:13", "relu has no argument 'foo'", "without names"),
    ("  - Dropout: 0.2", "  - Dense: {units: 3; activation: relu}", "19:23", "expected ',' before 'activation'", "`3, activation: relu`"),
    ("  - Dropout: 0.2", '  - Dense: {units: "{width}"}', "19:20", "must be a whole number", '"${width}"'),
    ("model:\n", "model:\n  - Input: {shape: [2], dtype: int32}\n", "18:5", "behind the point is lost", "leave `dtype` out"),
    ("  - Dropout: 0.2", "  - Input: {shape: [5]}", "19:5", "an Input stands at the top", "`from`"),
    ("        name: inner\n", "        name: inner\n      - Dense: 3\n        from: input\n", "9:9", "the result of 'inner' is not used", "`from`"),
    ("units: 3, activation", "units: 2, activation", "20:5", "has 2 units, and the target 3 classes", "3 units"),
    ("- Dense: {units: 3", "- Reshape: [4, 4]\n  - Dense: {units: 3", "21:5", "one value a row", "Flatten"),
    ("loss: sparse_categorical_crossentropy", "loss: binary_crossentropy", "23:9", "is one for BinaryCrossentropy", "a unit each"),
    ("  epochs: 100", "  epochs: 100\n  initial_epoch: 100", "27:18", "must be less than epochs", "number of the first epoch"),
    ("  epochs: 100", "  epochs: 100\n  class_weight: balance", "27:17", "did you mean 'balanced'?", ""),
    ("fit:\n", "", "25:3", "'compile' has no keys 'epochs', 'batch_size', 'callbacks'", "`fit:`, a line of its own"),
    ("fit:\n", "  fit:\n", "25:3", "'fit' is a section of its own, and stands within 'compile'", "first column"),
    ("fit:\n", "train:\n", "25:1", "there is no section 'train'", "`fit: {…}`"),
    (DATA, textwrap.dedent(DATA.partition("\n")[2]), "11:1", "there are no sections 'source', 'features', 'target', 'split'", "`data:`"),
    (DEFINE, textwrap.dedent(DEFINE.partition("\n")[2]), "5:1", "the definition of 'Body' stands outside of 'define'", "below `define:`"),
    ("    layers:", "  layers:", "8:3", "'layers' stands where a definition has its name", "indent it"),
    ("  - Dropout: 0.2", "  - Dropout: 20", "19:14", "must be at most 1, got 20", "write 0.2 for 20 percent"),
    ("  - Dropout: 0.2", "  - Conv2D: [32, 3]", "19:13", "takes one value without a name, got 2", "`Conv2D: {filters: 32, kernel_size: 3}`"),
    ("  - Dropout: 0.2", "  - Conv2D(32, 3)", "19:5", "is code", "`Conv2D: {filters: 32, kernel_size: 3}`"),
    ("  - Dropout: 0.2", "  - Dense: 3, relu", "19:12", "takes one value without a name, got 2", "`Dense: {units: 3, activation: relu}`"),
    ("  - Dropout: 0.2", "  - Dense: 3;", "19:12", "must be a whole number", "write 3 without the ';'"),
    ("  - Dropout: 0.2", "  - Dense: 3 // units", "19:12", "must be a whole number", "a comment begins with #"),
    ("  - Dropout: 0.2", "  // noise\n  - Dropout: 0.2", "19:3", "'//' begins no comment", "write `# noise`"),
    ("  - Dropout: 0.2", "  - Dense = 3", "19:5", "expected a ':' behind 'Dense'", "write `Dense: 3`"),
    ("  - Dropout: 0.2", "  - Dense 3", "19:5", "expected a ':' behind 'Dense'", "write `Dense: 3`"),
    ("  - Dropout: 0.2", '  - Dense: "$(width)"', "19:12", "must be a whole number", '"${width}"'),
    ("  - Dropout: 0.2", "  - Reshape: 16", "19:14", "must be a list", "[16]"),
    ("  - Dropout: 0.2", "  - Dense: {units: 3, use_bias: 1}", "19:33", "must be true or false", "write true"),
    ("  - Dropout: 0.2", "  - Lambda: x * 1e999", "19:17", "beyond the largest float", "smaller"),
    ("  - Dropout: 0.2", "  - Embedding: {input_dim: 9, output_dim: 2}\n  - Flatten", "19:5", "takes ids, but", "behind an input of whole numbers"),
    ("validation: 0.15", "validation: 20", "16:23", "must be less than 1", "write 0.2 for 20 percent"),
    ("  split: {validation: 0.15", "  validation_split: 0.2\n  split: {validation: 0.15", "16:3", "no argument 'validation_split'", "split: {validation"),
    ("learning_rate: 0.01", "learning_rate: 10^-3", "22:37", "must be a number or the name of a schedule", "write 0.001"),
    ("learning_rate: 0.01", "learning_rate: 1/100", "22:37", "must be a number or the name of a schedule", "write 0.01"),
    ("learning_rate: 0.01", "momentum: 0.9", "22:22", "it is 'beta_1' here", ""),
    ("activation: softmax", "activation: ", "20:35", "'activation' has no value", "missing behind the colon"),
    ("{column: species, kind: category}", "{column: species, kind: category}\n  taraet: {column: species}", "16:3", "did you mean 'target'?", ""),
    ("  target: {", "    target: {", "15:5", "'target' is a key of data, and stands among the features", "in the column of `features:`"),
    ("  features:", "features:", "13:1", "an indentation of 0 spaces, the lines after it have 2", "same column"),
    ("    flower: {", "  flower: {", "14:3", "data has no argument 'flower'", "below `features:`"),
    ("- Dropout: 0.2", "- type: Dropout\n    rate: 0.2", "19:5", "'type' is not a key of a layer's item", "`- Dropout: {…}`"),
    ("loss: sparse_categorical_crossentropy", "loss:", "23:3", "it has no loss", "`compile: {optimizer"),
    ("optimizer: {Adam: {learning_rate: 0.01}}", "optimizer: Adam\n    learning_rate: 0.01", "23:5", "which already has a value",
     "`optimizer: {Adam: {learning_rate: 0.01}}`"),
    ("vars: {width: 16}", "vars:\n  - width: 16", "5:3", "'vars' must be a mapping", "`vars: {width: 32}`"),
    ('"${width}"', "width", "18:19", "must be a whole number", '"${width}"'),
    ('"${width}"', '"{{ width }}"', "18:19", "must be a whole number", '"${width}"'),
    ('"${width}"', '"%(width)s"', "18:19", "must be a whole number", '"${width}"'),
    ('"${width}"', '"${env.WIDTH}"', "18:26", "is no variable of the environment", "`${env:WIDTH}`"),
    ('"${width}"', '"${ENV:WIDTH}"', "18:26", "is no variable of the environment", "`${env:WIDTH}`"),
    ('"${width}"', '"${data.source}"', "18:22", "there is no variable 'data'", "`vars:`"),
    ('"${width}"', '"${len(width)}"', "18:22", "len takes a list or a text", "without `len`"),
    ('"${width}"', '"${}"', "18:22", "an empty expression", "the name of a variable"),
    ("  - Dropout: 0.2", "  - Lambda: tf.reduce_sum(x)", "19:13", "did you mean 'sum'?", ""),
    ("  - Dropout: 0.2", "  - Lambda: split(x, 5, axis=1)[0]", "19:13", "cannot be cut", "a number that divides it"),
    ("  - Dropout: 0.2", "  - Lambda: relu()", "19:13", "takes 1 operands, got 0", "between the parentheses"),
    ("  - Dropout: 0.2", "  - Reshape: [-1, -1]", "19:5", "one -1 at most", "-1 once at most"),
    ("- Dropout: 0.2", "- Dense: {units: 8, #activation: relu}", "19:12", "'{' is not closed", "is a comment"),
    ("- Dropout: 0.2", "- Dense: {units=8, activation=relu}", "19:12", "'=' in place of ':'", "`{units: 8, activation: relu}`"),
    ("- Dropout: 0.2", "- Dense: {units => 8}", "19:13", "no ':' after 'units'", "`units: 8`"),
    ("- Dropout: 0.2", "- Dense: (units: 8, activation: relu)", "19:12", "round brackets", "`Dense: {units: 8, activation: relu}`"),
    ("- Dropout: 0.2", "- Dense: \uff18", "19:12", "must be a whole number", "ordinary digits: 8"),
    ("- Dropout: 0.2", "- Dense: 8%", "19:12", "must be a whole number", "write 8 without the sign"),
    ("learning_rate: 0.01", "learning_rate: 1e\u22123", "22:37", "must be a number", "ordinary minus: 1e-3"),
    ("    flower: {columns: [sepal_length, sepal_width], scale: standard}", "    flower: [sepal_length, sepal_width]", "14:13", "must be a mapping",
     "`flower: {columns: [sepal_length, sepal_width]}`"),
    ("    layers:", "    layrs:", "8:5", "did you mean 'layers'?", ""),
    ("    - EarlyStopping: {monitor: val_loss, patience: 20}", "    - SwapEMAWeights", "29:7", "give it `use_ema: true`", ""),
    ("data:\n", "3:\n", "11:1", "there is no section '3'", "the sections are"),
    ("layerctl: 1", "3: 1", "1:1", "there is no section '3'", "the sections are"),
    ("      - Dense: {units: \"${units}\", activation: relu}\n        name: inner\n",
     "      - Dense: 4\n        name: inner\n      - Add:\n        from: [inner, iner]\n", "12:23", "there is no 'iner' above", "above are"),
    ("  - Dropout: 0.2", "  - Dense: []", "19:12", "must be a whole number, got []", ""),
    ("  - Dropout: 0.2", "  - Embedding: [a, b, c]", "19:16", "must be a whole number, got ['a', 'b', 'c']", "each with its name"),
    ("    - Early", "- Early", "29:1", "an item of 'callbacks' indented by 0 spaces", "in the column of `callbacks:`"),
    ("  - Dropout: 0.2", "- Dropout: 0.2", "19:1", "an item indented by 0 spaces below one of 2", "same column"),
    ("  target:", "target:", "15:1", "an indentation of 0 spaces, the lines after it have 2", "same column"),
    ("optimizer: {Adam: {learning_rate: 0.01}}", "optimizer: Adam: {learning_rate: 0.01}", "22:18", "a second ': '", "`optimizer: {Adam: {learning"),
    ("[accuracy]", "[accuracy, accuracy]", "24:23", "a second time", "remove one"),
    ("scale: standard", "scale: zscore", "14:59", "must be 'standard'", "write `scale: standard`"),
    ("scale: standard", "missing: zero", "14:61", "must be 'error'", "write `missing: constant, constant: 0`"),
    ("columns: [sepal_length, sepal_width]", "columns: sepal_length, sepal_width", "14:37", "has no argument 'sepal_width'",
     "`columns: [sepal_length, sepal_width]`"),
    ("kind: category}", "kind: classification}", "15:35", "must be 'category'", "write `kind: category`"),
    ("kind: category}", "type: category}", "15:29", "a target has no 'type'", "write `kind: …`"),
    ("{column: species,", "{columns: species,", "15:21", "must be a list", "`column` for one"),
    ("loss: sparse_categorical_crossentropy", "loss: mse", "23:9", "has 3 numbers", "`loss: sparse_categorical_crossentropy`"),
    ("  loss: sparse_categorical_crossentropy\n", "", "22:3", "it has no loss", "`compile: {optimizer"),
    ("builtin:iris", "{train: builtin:iris, validation: nope.csv}", "12:45", "there is no file nope.csv", "relative to the model file"),
    ("  epochs: 100", "  epochs: 100\n  class_weight: {rose: 2}", "27:18", "names 'rose', which is no class", "the classes are"),
    ("  epochs: 100", "  epochs: 100\n  weights: nope.npz", "27:12", "cannot be read", "relative to the model file"),
    ("  epochs: 100", "  epochs: 100\n  gpus: 1", "27:3", "has no argument 'gpus'", "this machine's processor"),
    ("- EarlyStopping: {monitor: val_loss, patience: 20}", "- ModelCheckpoint: {filepath: 'm-{val_acc}'}", "29:35", "names 'val_acc'", "says what it takes"),
    ("validation: 0.15, test: 0.2, stratify: true", "test: 0.2", "29:32", "there are no validation rows", "validation: 0.2"),
    ("vars: {width: 16}", "vars: {width: 16}\ndataset: {}", "5:1", "there is no section 'dataset'", "`data: {source: …}`"),
    (DEFINE, "define:\n  - Body:\n      layers: [Flatten]\n", "6:3", "'define' must be a mapping", "as in `define:"),
    ("args: {units: 32}", "args: [units]", "7:11", "'args' of 'Body' must be a mapping", "`args: {units: 8}`"),
]  # fmt: skip


WIRED = """\
layerctl: 1
vars: {wide: 16}
data:
  source: builtin:wine
  features:
    acids: {columns: [malic_acid, ash], scale: standard}
    colour: {columns: [hue, proline], scale: standard}
  target:
    cultivar: {column: cultivar, kind: category}
    strength: {column: alcohol, kind: number}
model:
  inputs:
    acids: {shape: [2]}
    colour: {shape: [2]}
  layers:
    - Dense: "${wide}"
      name: body
      from: acids
    - Dense: "${wide}"
      name: shades
      from: colour
    - Concatenate:
      from: [body, shades]
      name: all
    - Dense: {units: 3, activation: softmax}
      name: cultivar
      from: all
    - Dense: 1
      name: strength
      from: all
  outputs: [cultivar, strength]
compile:
  loss: {cultivar: sparse_categorical_crossentropy, strength: mse}
"""
WIRED_SLIPS = [
    ("  inputs:", "  input:", "12:3", "did you mean 'inputs'?", ""),
    ("    acids: {shape: [2]}\n    colour: {shape: [2]}\n", "    - acids: {shape: [2]}\n    - colour: {shape: [2]}\n", "13:5", "'inputs' must be a mapping",
     "without the dashes"),
    ("compile:\n", "compile:\n  loss_weights: {cultivar: .nan}\n", "33:28", "must be a number, got nan", "as in `loss_weights"),
    ("model:\n", "", "11:3", "'data' has no keys 'inputs', 'layers', 'outputs'", "`model:`, a line of its own"),
    ("model:\n", "  model:\n", "11:3", "'model' is a section of its own, and stands within 'data'", "first column"),
    ("compile:\n", "  compile:\n", "32:3", "'compile' is a section of its own, and stands within 'model'", "first column"),
    ("  layers:\n", "    layers:\n", "15:5", "'layers' stands among the inputs", "in the column of `inputs:`"),
    ("  outputs:", "outputs:", "31:1", "there is no section 'outputs'", "`model: {outputs: …}`"),
    ("    colour: {columns", "  colour: {columns", "7:3", "data has no argument 'colour'", ""),
    ("{wide: 16}", "{wdie: 16}", "16:17", "there is no variable 'wide'; did you mean 'wdie'?", "wdie"),
    ("name: body", "name: null", "17:13", "expected a name, got null", "leave the key out"),
    ("from: acids", "from: null", "18:13", "expected a name, got null", "leave the key out"),
    ("name: all", "name: al", "27:13", "there is no 'all' above", "above are"),
    ('    - Dense: "${wide}"\n      name: shades', "    - use: null\n      name: shades", "19:12", "expected a name, got null", ""),
    ("      from: [body, shades]\n", "", "22:7", "which results does this layer join? It takes 'shades' alone", "`from: [body, shades]`"),
    ("    acids: {shape: [2]}\n    colour: {shape: [2]}\n", "    - 2\n", "13:5", "'inputs' must be a mapping", "`inputs: {image: {shape: [2]}}`"),
    ("columns: [hue, proline], scale: standard", "columns: [hue, proline], kind: string", "14:5", "the input takes numbers", "`dtype: string`"),
    ("    acids: {shape: [2]}", "    '?': {shape: [2]}", "13:5", "no feature of the data is called '?'", "the features are"),
    ("outputs: [cultivar, strength]", "outputs: []", "31:12", "names no layer's result", "`outputs: [strength]`"),
    ("      name: all\n", "name: all\n", "24:1", "an indentation of 0 spaces, the lines after it have 4", "the same column"),
    ('vars: {wide: 16}', 'vars: {wide: broad}', "2:14", "must be a whole number, got 'broad'", "units:"),
    ("    strength: {column: alcohol, kind: number}\n", "", "9:5", "the output 'strength' has a loss, but", "target: {OUTPUT: COLUMN}"),
    ("acids: {shape: [2]}", "acids: {shape: [3]}", "13:5", "the data's feature 'acids' gives (2,)", "`shape: [2]`"),
    ("strength: {column", "strengh: {column", "10:5", "the target 'strengh' belongs to no output; did you mean 'strength'?", "name a target for each"),
]  # fmt: skip


def answered(text, folder, monkeypatch, capsys):
    """(exit code, the places of errors, all that is said) of a build."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    (folder / "model.yaml").write_text(text)
    with pytest.raises(SystemExit) as ended:
        main(["build", "model.yaml"])
    said = capsys.readouterr().err
    return ended.value.code, re.findall(r"^model.yaml:(\d+:\d+): error: ", said, re.MULTILINE), said


@pytest.mark.parametrize("file, old, new, place, says, cure", [(FILE, *s) for s in SLIPS] + [(WIRED, *s) for s in WIRED_SLIPS],
                         ids=lambda v: re.sub(r"\W+", "-", v)[:30])  # fmt: skip
def test_a_slip_is_answered_once_at_its_place(file, old, new, place, says, cure, tmp_path, monkeypatch, capsys):
    assert file.count(old) >= 1
    code, places, said = answered(file.replace(old, new, 1), tmp_path, monkeypatch, capsys)
    assert (code, places) == (2, [place]), said
    assert says in said and cure in said, said
    assert cure == "" or "hint: " in said


@pytest.mark.parametrize("file", [FILE, WIRED], ids=["listed", "wired"])
def test_the_file_itself_is_right(file, tmp_path, monkeypatch, capsys):
    assert answered(file, tmp_path, monkeypatch, capsys)[0] == 0
