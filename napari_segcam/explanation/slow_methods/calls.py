"""Calls of a network's layers, numbered in the order in which they begin, and what they return without running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from napari_segcam.explanation.slow_methods.interception import Handler


@dataclass(frozen=True)
class Plan:
    """The calls of layers that a replay changes; calls are numbered in the order in which they begin.

    Attributes:
        stage: the call of the stage's layer.
        output: which of its outputs; None if it has only one.
        ends: for each call, the number of the next call that is not inside it.
        consumers: calls inside it that take that output, with the positions or names of these arguments.
    """

    stage: int
    output: int | None
    ends: tuple[int, ...]
    consumers: Mapping[int, tuple[int | str, ...]] = field(default_factory=dict)

    def arguments(
        self, call: int, values: torch.Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call, with these values for the stage's map."""
        keys = self.consumers.get(call, ())
        return (
            tuple(values if position in keys else value for position, value in enumerate(args)),
            {name: values if name in keys else value for name, value in kwargs.items()},
        )

    def outputs(self, values: torch.Tensor, output: Any) -> Any:
        """Return the output of the stage's layer, with these values for the stage's map."""
        if self.output is None:
            return values
        outputs = list(output)
        outputs[self.output] = values
        return type(output)(outputs)


class Player:
    """Returns recorded outputs instead of running layers, and other values at the stage.

    Args:
        plan: of the stage.
        recorded: outputs by call, of layers that need not run.
        values: of the stage, as its layer returns them.
    """

    def __init__(self, plan: Plan, recorded: Mapping[int, Any], values: torch.Tensor) -> None:
        self._plan, self._recorded, self._values = plan, recorded, values
        self._next = 0

    def __call__(self, _layer: nn.Module, forward: Handler, *args: Any, **kwargs: Any) -> Any:
        call, plan = self._next, self._plan
        if call in self._recorded or (call == plan.stage and plan.output is None):
            self._next = plan.ends[call]
            output = copied(self._recorded.get(call), len(self._values))
        else:
            self._next = call + 1
            args, kwargs = plan.arguments(call, self._values, args, kwargs)
            output = forward(*args, **kwargs)
        return plan.outputs(self._values, output) if call == plan.stage else output


def tensors_in(output: Any) -> list[torch.Tensor]:
    """Return the tensors in a layer's output."""
    if isinstance(output, torch.Tensor):
        return [output]
    if isinstance(output, dict):
        output = list(output.values())
    return [tensor for value in output for tensor in tensors_in(value)] if isinstance(output, tuple | list) else []


def copied(output: Any, size: int = 1) -> Any:
    """Return a copy of a layer's output for one image, repeated for a batch of this size, in the same memory format."""
    if isinstance(output, torch.Tensor):
        output = output.detach()
        return torch.cat([output] * size) if output.ndim and size > 1 else output.clone()
    if isinstance(output, dict):
        return type(output)({key: copied(value, size) for key, value in output.items()})
    if isinstance(output, tuple | list):
        return type(output)(copied(value, size) for value in output)
    return output


def empty(_value: object) -> torch.Tensor:
    """Store nothing of a tensor that a graph saves: the graph only shows which layers depend on a stage."""
    return torch.empty(0)
