"""Read a graph before its end: where it returns class indices or a cut mask, the scores that these come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_segcam.network.onnx.graph import Graph, Node

# Operations that come after a class was chosen, and only write it differently.
_WRITES = frozenset({"Cast", "Squeeze", "Unsqueeze", "Identity", "Reshape", "Transpose", "Mul", "Where", "Flatten"})
_ACTIVATIONS = {"Sigmoid": "sigmoid", "Softmax": "softmax"}
_MOST_STEPS = 8


@dataclass(frozen=True)
class Ending:
    """How an output of a graph is read.

    Attributes:
        name: of the value that is read instead of the output.
        note: what was left out, for the user; empty if it is the output itself.
        threshold: at which the graph cuts its probabilities; None if it does not.
    """

    name: str
    note: str = ""
    threshold: float | None = None


def find_ending(graph: Graph, output: str) -> Ending:
    """Return how to read an output of a graph: as it is, or before the classes are chosen."""
    producers = graph.producers()
    name = output
    for _ in range(_MOST_STEPS):
        node = producers.get(name)
        if node is None:
            break
        if node.operator == "ArgMax" and node.integer("axis") in (1, -3, 3, -1):
            return Ending(
                node.inputs[0], "The file returns the index of the class with the highest score. The scores are read."
            )
        if node.operator in ("Greater", "GreaterOrEqual"):
            threshold = _number(graph, node.inputs[1])
            if threshold is not None:
                return _before_cut(producers, node, threshold)
        if node.operator == "Round":
            return _before_cut(producers, node, 0.5)
        if node.operator not in _WRITES:
            break
        name = next((given for given in node.inputs if given not in graph.constants), "")
    return Ending(output)


def _before_cut(producers: dict[str, Node], node: Node, threshold: float) -> Ending:
    source = producers.get(node.inputs[0])
    is_probability = source is not None and source.operator in _ACTIVATIONS
    note = f"The file returns a mask cut at {threshold:g}. What is cut is read."
    valid = is_probability and 0 < threshold < 1 and threshold != 0.5
    return Ending(node.inputs[0], note, threshold if valid else None)


def _number(graph: Graph, name: str) -> float | None:
    value = graph.constants.get(name)
    return float(np.asarray(value).reshape(-1)[0]) if value is not None and value.size == 1 else None


def final_activation(graph: Graph, output: str) -> tuple[str, str, dict[str, Any]] | None:
    """Return the last function of a graph, if it is a sigmoid or softmax of its classes.

    Returns:
        The value before it, ``"sigmoid"`` or ``"softmax"``, and the axis of a softmax; None for any other ending.
    """
    node = graph.producers().get(output)
    if node is None or node.operator not in _ACTIVATIONS:
        return None
    axis = node.integer("axis", -1 if node.version >= 13 else 1)
    return node.inputs[0], _ACTIVATIONS[node.operator], {"axis": axis}
