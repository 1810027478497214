"""Registry of operators, by their ONNX names.

An operator is a function of a node, which looks at its attributes and returns the function that computes it. That one
takes tensors, and None for inputs that are left out. Sizes, axes and the like arrive as numpy arrays, so that they stay
in Python: these inputs are listed as ``host`` inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from napari_segcam.network.onnx.graph import Node

Function = Callable[..., Any]
_Make = Callable[[Node], Function]


@dataclass(frozen=True)
class Operator:
    """An operator of ONNX.

    Attributes:
        make: returns the function that computes a node.
        host: positions of the inputs that arrive as numpy arrays.
    """

    make: _Make
    host: frozenset[int]


_OPERATORS: dict[str, Operator] = {}


def operator(
    *names: str, host: tuple[int, ...] = ()
) -> Callable[[Callable[[Node], Function]], Callable[..., Function]]:
    """Register a function as the operator of these names."""

    def register(make: _Make) -> _Make:
        for name in names:
            _OPERATORS[name] = Operator(make, frozenset(host))
        return make

    return register


def find_operator(node: Node) -> Operator:
    """Return the operator of a node.

    Raises:
        MissingOperatorError: if there is none.
    """
    found = _OPERATORS.get(node.operator)
    if found is None:
        raise node.missing()
    return found


def integers(values: Any) -> list[int]:
    """Return the integers in a numpy array or a tensor, in a list."""
    flat = np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values).reshape(-1)
    return [int(value) for value in flat]


def axes_of(node: Node, values: Any, name: str = "axes") -> list[int] | None:
    """Return the axes of a node: an input in newer versions of the operators, an attribute in older ones."""
    return node.integers(name) if values is None else integers(values)
