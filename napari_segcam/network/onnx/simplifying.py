"""Simplify a graph: compute what depends on constants only, choose branches, and leave out what does nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from napari_segcam.network.onnx.graph import Array, Graph, MissingOperatorError, Node
from napari_segcam.network.onnx.operators import find_operator

_MOST_BYTES = 2**26
"""Of a constant that is computed from smaller ones."""

_DEEPEST_BRANCH = 20
_ZERO_POINT = 2


def simplify(graph: Graph) -> Graph:
    """Return the same graph without operations on constants, branches, and operations that change nothing.

    Raises:
        MissingOperatorError: if it chooses a branch while it runs.
        ValueError, RuntimeError: if an operation on constants fails.
    """
    if graph.unreadable:
        raise MissingOperatorError(f"the constant {graph.unreadable[0]} is of a type that torch does not have")
    simplifier = _Simplifier(dict(graph.constants))
    nodes = simplifier.simplified(graph.nodes, 0)
    outputs = [simplifier.renamed(name) for name in graph.outputs]
    needed = _needed(nodes, outputs)
    used = {name for node in needed for name in node.inputs} | set(outputs)
    constants = {name: value for name, value in simplifier.constants.items() if name in used}
    return Graph(needed, constants, graph.inputs, outputs, graph.metadata)


class _Simplifier:
    """Walks through nodes in order.

    Attributes:
        constants: those of the graph, and those that are computed from them.
    """

    def __init__(self, constants: dict[str, Array]) -> None:
        self.constants = constants
        self._aliases: dict[str, str] = {}

    def renamed(self, name: str) -> str:
        return self._aliases.get(name, name)

    def simplified(self, nodes: list[Node], depth: int) -> list[Node]:
        kept: list[Node] = []
        for node in nodes:
            node = self._with_inputs(node)
            if node.operator == "If":
                kept += self._branch(node, depth)
            elif self._does_nothing(node):
                self._aliases[node.outputs[0]] = node.inputs[0]
            elif not self._fold(node):
                kept.append(node)
        return kept

    def _with_inputs(self, node: Node) -> Node:
        inputs = tuple(self.renamed(name) for name in node.inputs)
        return replace(node, inputs=inputs)

    def _does_nothing(self, node: Node) -> bool:
        if node.operator == "Identity":
            return True
        if node.operator == "Dropout":
            return not any(node.outputs[1:])
        return False

    def _branch(self, node: Node, depth: int) -> list[Node]:
        condition = self.constants.get(node.inputs[0])
        if condition is None or depth > _DEEPEST_BRANCH:
            raise node.missing("a condition that depends on the image")
        branch = node.attributes["then_branch" if bool(condition.reshape(-1)[0]) else "else_branch"]
        if not isinstance(branch, Graph):
            raise ValueError(f"{node.title} has no branches")
        self.constants |= branch.constants
        nodes = self.simplified(branch.nodes, depth + 1)
        self._aliases |= {name: self.renamed(inner) for name, inner in zip(node.outputs, branch.outputs, strict=True)}
        return nodes

    def _fold(self, node: Node) -> bool:
        """Compute a node whose inputs are all constants; return whether it was."""
        values = _constant_value(node)
        if values is None:
            if node.operator.startswith("Random") or any(name and name not in self.constants for name in node.inputs):
                return False
            arrays = [self.constants[name] if name else None for name in node.inputs]
            values = _dequantized(node, arrays) if node.operator == "DequantizeLinear" else _computed(node, arrays)
            if sum(value.nbytes for value in values) > _MOST_BYTES + sum(a.nbytes for a in arrays if a is not None):
                return False
        self.constants |= {name: value for name, value in zip(node.outputs, values, strict=False) if name}
        return True


def _needed(nodes: list[Node], outputs: list[str]) -> list[Node]:
    """Return the nodes that the outputs depend on."""
    wanted, needed = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            wanted.update(node.inputs)
            needed.append(node)
    return needed[::-1]


def _constant_value(node: Node) -> list[Array] | None:
    """Return the value of a Constant; None for any other node."""
    if node.operator != "Constant":
        return None
    for name, value in node.attributes.items():
        if name == "value" and isinstance(value, np.ndarray):
            return [value]
        if name in ("value_int", "value_ints"):
            return [np.asarray(value, np.int64)]
        if name in ("value_float", "value_floats"):
            return [np.asarray(value, np.float32)]
    raise node.missing(f"{', '.join(node.attributes) or 'no value'}")


def _computed(node: Node, arrays: list[Array | None]) -> list[Array]:
    operator = find_operator(node)
    return on_arrays(operator.make(node), operator.host, arrays)


def on_arrays(function: Any, host: frozenset[int], arrays: list[Array | None]) -> list[Array]:
    """Run the function of a node on numpy arrays; return its results as such."""
    arguments = [
        array if array is None or index in host else torch.from_numpy(np.array(array))
        for index, array in enumerate(arrays)
    ]
    with torch.no_grad():
        results = function(*arguments)
    several = results if isinstance(results, tuple | list) else [results]
    return [np.asarray(result) for result in several]


def _dequantized(node: Node, arrays: list[Array | None]) -> list[Array]:
    """Return weights that were stored as small integers."""
    values, scale = arrays[0], arrays[1]
    assert values is not None
    assert scale is not None
    zero = arrays[_ZERO_POINT] if len(arrays) > _ZERO_POINT else None
    if scale.ndim > 1 or node.integer("block_size"):
        raise node.missing("blocks")
    axis = node.integer("axis", 1)
    sides = [1] * values.ndim
    if scale.size > 1:
        sides[axis] = scale.size
    shift = np.float32(0) if zero is None else zero.astype(np.float32).reshape(sides if zero.size > 1 else ())
    factor = scale.reshape(sides if scale.size > 1 else ())
    return [((values.astype(np.float32) - shift) * factor).astype(np.float32)]


def quantized_node(graph: Graph) -> Node | None:
    """Return the first node that computes with small integers; None if there is none."""
    words = ("Quantize", "QLinear", "Integer", "QGemm", "QAttention", "MatMulNBits")
    return next((node for node in graph.nodes if any(word in node.operator for word in words)), None)
