"""`${…}` in a node, with arithmetic on variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerctl.expressions.evaluate import evaluate_text
from layerctl.source.document import Node
from layerctl.source.resolve import substitute


def resolved(node: Node, scope: Mapping[str, Any], *, defer: bool = False) -> Node:
    """A copy of the node with its variables replaced by what the scope says.

    Raises:
        LayerctlError: for unknown names, unless `defer` leaves them as they are.
    """
    return substitute(node, scope, defer=defer, evaluate=evaluate_text)
