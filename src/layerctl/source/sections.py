"""What stands at the top of a model file."""

from __future__ import annotations

SECTIONS = {
    "layerctl": "The format of the file: 1.",
    "include": "Files whose sections this one starts from, relative to it; what stands here goes before what stands there.",
    "name": "The run's name; the file's name if not given.",
    "seed": "The seed of weights, splits, order and noise; 0 if not given.",
    "vars": "Values for `${name}` anywhere; `--set vars.name=64` changes one.",
    "data": "Where rows come from, and how columns become the model's inputs and targets.",
    "define": "Blocks and layers of one's own, by name.",
    "model": "The layers: a list, or inputs, layers and outputs.",
    "compile": "How the model is judged and trained: optimizer, losses and metrics.",
    "fit": "How long and in what pieces training goes on.",
}
"""The sections of a file, and what each is for."""
