"""The graph of an ONNX file as plain values: nodes, constants, inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class MissingOperatorError(Exception):
    """Something in a graph that has no counterpart in torch; the text says what, as part of a sentence."""


@dataclass(frozen=True, eq=False)
class Node:
    """One operation of a graph.

    Attributes:
        operator: its ONNX name, such as ``"Conv"``; with its domain before it if that is not ONNX's own.
        name: of the node; empty if the file gives none.
        inputs: names of the values that it takes; an empty name stands for an optional input that is left out.
        outputs: names of the values that it makes.
        attributes: by name: numbers, texts, lists of these, arrays, and graphs.
        version: of the operator set that its operator belongs to.
        path: of the module that it comes from, as the exporter wrote it down; empty if unknown.
        called: lengths of the beginnings of the path that are modules with a call of their own. A list of modules, for
            example, has none.
    """

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    version: int
    path: tuple[str, ...] = ()
    called: frozenset[int] = frozenset()

    @property
    def title(self) -> str:
        """What to call the node in a message."""
        return self.name or (self.outputs[0] if self.outputs else self.operator)

    def integer(self, name: str, default: int = 0) -> int:
        return int(self.attributes.get(name, default))

    def number(self, name: str, default: float = 0.0) -> float:
        return float(self.attributes.get(name, default))

    def text(self, name: str, default: str = "") -> str:
        return str(self.attributes.get(name, default))

    def integers(self, name: str) -> list[int] | None:
        """Return a list of integers; None if the attribute is absent."""
        values = self.attributes.get(name)
        return None if values is None else [int(value) for value in values]

    def missing(self, what: str = "") -> MissingOperatorError:
        """Return the error for an operator, or a form of it, that has no counterpart in torch here."""
        form = f" with {what}" if what else ""
        what = f"the operator {self.operator}{form} of node {self.title}"
        return MissingOperatorError(f"{what} is not available in torch")


@dataclass(frozen=True)
class GraphInput:
    """An input of a graph that is not a constant.

    Attributes:
        name: of the value.
        dtype: of its elements; None if numpy has none.
        shape: its sides; None for each that the file leaves open. None as a whole if the file does not say.
    """

    name: str
    dtype: np.dtype[Any] | None
    shape: tuple[int | None, ...] | None


@dataclass(eq=False)
class Graph:
    """A graph: every node takes only constants, inputs, and what earlier nodes make.

    Attributes:
        nodes: in the order in which they run.
        constants: by name; numbers of lower or higher precision than float32 are float32.
        inputs: that are not constants.
        outputs: names of the values that it returns.
        metadata: texts that the exporter added, by key.
        unreadable: names of constants of types that torch does not have.
    """

    nodes: list[Node]
    constants: dict[str, Array]
    inputs: list[GraphInput]
    outputs: list[str]
    metadata: Mapping[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    def producers(self) -> dict[str, Node]:
        """Return the node that makes each value, by the value's name."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    def consumers(self) -> dict[str, list[Node]]:
        """Return the nodes that take each value, by the value's name."""
        taken: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in used_names(node):
                taken.setdefault(name, []).append(node)
        return taken


def used_names(node: Node) -> list[str]:
    """Return the names of the values that a node takes, also those that the graphs in it take from outside."""
    names = [name for name in node.inputs if name]
    for value in node.attributes.values():
        for graph in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
            if isinstance(graph, Graph):
                names += _names_from_outside(graph)
    return list(dict.fromkeys(names))


def _names_from_outside(graph: Graph) -> list[str]:
    own = {*graph.constants, *(graph_input.name for graph_input in graph.inputs)}
    names: list[str] = []
    for node in graph.nodes:
        names += [name for name in used_names(node) if name not in own]
        own.update(node.outputs)
    return names + [name for name in graph.outputs if name not in own]
