"""The probability above which the second of two classes, or a label, is predicted, chosen by what is wanted of the predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from layerctl.diagnostics import Source, Span, did_you_mean, fail
from layerctl.reporting.judged import Classified

BEST = ("f1", "youden", "accuracy")
AT_LEAST = ("precision", "recall")
OPTION = "--threshold"
FORMS = "f1, youden, accuracy, precision=0.9, recall=0.9, cost=1:5 (of a false positive and a false negative), or a number from 0 to 1"


@dataclass(frozen=True)
class Rule:
    """What is wanted: `name` with a bound (precision, recall), a number (fixed), or the costs of the two mistakes."""

    text: str
    name: str
    bound: float = 0.0
    costs: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Decision:
    """A threshold of an output: `positive` is the class that is predicted above it, `value` what the rule's measure is there, on `rows` rows.

    `label` says that `positive` is one of the output's labels, each of which has a threshold of its own.
    """

    output: str
    positive: str
    threshold: float
    rule: str
    value: float
    rows: int
    label: bool = False


def decisions_of(kept: Mapping[str, Any]) -> list[Decision]:
    """The thresholds in a model file, as far as they say how they were chosen."""
    out = []
    for output, how in kept.items():
        labels = how.get("labels")
        for positive, one in (labels.items() if labels is not None else [(str(how.get("positive", "")), how)]):
            out.append(Decision(output, positive, float(one["threshold"]), str(one.get("rule", "")), float(one.get("value", 0.0)),
                                int(one.get("rows", 0)), labels is not None))  # fmt: skip
    return out


def plain(decisions: Iterable[Decision]) -> dict[str, Any]:
    """Thresholds as a model file keeps them: the reverse of `decisions_of`."""
    out: dict[str, Any] = {}
    for d in decisions:
        how = {"threshold": d.threshold, "rule": d.rule, "value": d.value, "rows": d.rows}
        if d.label:
            out.setdefault(d.output, {"labels": {}})["labels"][d.positive] = how
        else:
            out[d.output] = {"positive": d.positive, **how}
    return out


def rule_of(text: str) -> Rule:
    """`f1`, `youden`, `accuracy`, `precision=0.9`, `recall=0.9`, `cost=1:5` or `0.3` as a rule.

    Raises:
        LayerctlError: `bad-option` for anything else.
    """
    name, _, given = text.partition("=")
    if not given:
        if name in BEST:
            return Rule(text, name)
        value = _number(name)
        if value is not None and value <= 1:
            return Rule(text, "fixed", value)
    elif name in AT_LEAST and (bound := _number(given)) is not None and 0 < bound <= 1:
        return Rule(text, name, bound)
    elif name == "cost":
        costs = [_number(part) for part in given.split(":")]
        if len(costs) == 2 and None not in costs and max(costs) > 0:  # type: ignore[type-var]
            return Rule(text, name, costs=(costs[0], costs[1]))  # type: ignore[arg-type]
    near = did_you_mean(name, (*BEST, *AT_LEAST, "cost"))
    fail("bad-option", f"{OPTION} cannot be '{text}'{near}", Span(Source(OPTION)), hint=f"it takes {FORMS}")
    raise AssertionError


def _number(text: str) -> float | None:
    """A finite number of at least 0."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def choose(c: Classified, rule: Rule) -> Decision:
    """The threshold that serves the rule best on these rows; of several the one that is nearest to a half.

    Candidates lie halfway between probabilities that occur, so that rounding decides nothing.

    Raises:
        LayerctlError: for an output that has other than two classes, or no probabilities; rows of one class; a bound that cannot be reached.
    """
    if len(c.classes) != 2:
        fail("bad-option", f"{OPTION} is for targets of two classes, and '{c.name}' has {len(c.classes)}", Span(Source(OPTION)),
             hint="of several classes the likeliest is predicted")  # fmt: skip
    if not c.honest:
        fail("bad-option", f"{OPTION} needs probabilities, and the output '{c.name}' gives other numbers", Span(Source(OPTION)),
             hint="let the last layer end in sigmoid or softmax, or the loss take logits (`from_logits: true`)")  # fmt: skip
    if rule.name == "fixed":
        right = (c.shares[:, 1] > rule.bound) == (c.true == 1)
        return Decision(c.name, c.classes[1], rule.bound, "accuracy at a given threshold", float(right.mean()), len(c.true))
    at, hits, misses = _candidates(c)
    total, others = float((c.true == 1).sum()), float((c.true == 0).sum())
    if not total or not others:
        fail("no-rows", f"all rows that the threshold is chosen on are '{c.classes[0 if others else 1]}'", Span(Source(OPTION)),
             hint="split off more validation rows, stratified: `split: {validation: 0.2, stratify: true}`")  # fmt: skip
    worth, value = _worth(rule, at, hits, misses, total, others)
    best = np.flatnonzero(worth == worth.max())
    i = int(best[np.argmin(abs(at[best] - 0.5))])
    if not np.isfinite(worth[i]):
        reached = float(value.max())
        text = f"no threshold of '{c.classes[1]}' gives a {rule.name} of {rule.bound:g} on the {len(c.true)} rows it is chosen on"
        fail("no-threshold", f"{text}: {reached:.4g} is the most",
             Span(Source(OPTION)), hint="ask for less, or train a better model")  # fmt: skip
    return Decision(c.name, c.classes[1], float(at[i]), rule.text, float(value[i]), len(c.true))


def _candidates(c: Classified) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(thresholds falling from 1, true positives, false positives) with a probability above each."""
    p = c.shares[:, 1]
    order = np.argsort(-p, kind="stable")
    ranked, positive = p[order], (c.true == 1)[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    lower = np.append(ranked[last[:-1] + 1], -ranked[last[-1]])
    hits = np.cumsum(positive)[last].astype(float)
    at, found = (ranked[last] + lower) / 2, last + 1.0
    keep = at < ranked[last]  # the last one is 0, which lets all pass unless a probability is 0 itself
    return np.append(1.0, at[keep]), np.append(0.0, hits[keep]), np.append(0.0, (found - hits)[keep])


def _worth(rule: Rule, at: np.ndarray, hits: np.ndarray, misses: np.ndarray, total: float, others: float) -> tuple[np.ndarray, np.ndarray]:
    """(what is made as large as possible, the measure that is told) of each candidate."""
    told = hits + misses
    precision, recall = np.divide(hits, told, out=np.ones_like(hits), where=told > 0), hits / total
    if rule.name == "precision":
        return np.where((precision >= rule.bound) & (told > 0), recall, -np.inf), np.where(told > 0, precision, 0.0)
    if rule.name == "recall":
        return np.where(recall >= rule.bound, precision, -np.inf), recall
    if rule.name == "cost":
        cost = rule.costs[0] * misses + rule.costs[1] * (total - hits)
        return -cost, cost
    measure = {
        "f1": 2 * hits / (total + told), "youden": recall - misses / others, "accuracy": (hits + others - misses) / (total + others),
    }[rule.name]  # fmt: skip
    return measure, measure
