"""Dependencies: which stages the output of every layer of a network depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import Node, saved_tensors_hooks

from napari_segcam.explanation.slow_methods.calls import empty, tensors_in
from napari_segcam.explanation.slow_methods.interception import Handler, intercept
from napari_segcam.network.stages.stage import Stage

# Of a call whose dependencies are not known: it counts as dependent on every stage.
_ON_ALL = -1


@dataclass(frozen=True)
class Dependencies:
    """The calls of a network's layers, numbered in the order in which they begin, and the stages they depend on.

    Sets of stages are integers with a bit for each call of a stage's layer.

    Attributes:
        layers: for each call, the number of its layer among ``module.modules()``.
        ends: for each call, the number of the next call that is not inside it.
        stages: for each call, the stages that its output depends on.
        stage_calls: the last call of each stage's layer and its bit, by the number of the layer.
    """

    layers: tuple[int, ...]
    ends: tuple[int, ...]
    stages: tuple[int, ...]
    stage_calls: Mapping[int, tuple[int, int]] = field(hash=False)

    def needed(self) -> frozenset[int]:
        """Return the calls that need not run in some replay in which the calls around them run."""
        every_stage = (1 << len(self.layers)) - 1
        needed: set[int] = set()
        around: list[tuple[int, int]] = []  # end, and the stages whose replays run it
        for call, (end, stages) in enumerate(zip(self.ends, self.stages, strict=True)):
            while around and around[-1][0] <= call:
                around.pop()
            runs = around[-1][1] if around else every_stage
            if runs & ~stages:
                needed.add(call)
            around.append((end, runs & stages))
        return frozenset(needed)


def find_dependencies(module: nn.Module, x: torch.Tensor, stages: Sequence[Stage]) -> Dependencies:
    """Find the dependencies in one forward pass.

    The output of every stage begins a branch of the graph. A layer depends on the stages whose branches lead to its
    output. Nothing is stored for a backward pass.

    Args:
        module: frozen and in eval mode; afterwards it is as it was.
        x: the input ``(1, C, H, W)``.
        stages: each the only output of its layer.
    """
    finder = _Finder(module, stages)
    with torch.enable_grad(), saved_tensors_hooks(empty, empty), intercept(module, finder):
        module(x)
    return finder.dependencies()


class _Finder:
    def __init__(self, module: nn.Module, stages: Sequence[Stage]) -> None:
        self._numbers = {id(layer): number for number, layer in enumerate(module.modules())}
        self._stage_layers = {id(module.get_submodule(stage.layer)) for stage in stages}
        self._layers: list[int] = []
        self._ends: dict[int, int] = {}
        self._stages: dict[int, int] = {}
        self._stage_calls: dict[int, tuple[int, int]] = {}
        self._bits = (1 << position for position in count())
        self._branches: dict[Node, int] = {}
        self._led_from: dict[Node, int] = {}  # it keeps the nodes alive, so that no two share an identity

    def dependencies(self) -> Dependencies:
        calls = range(len(self._layers))
        ends, stages = (tuple(values[call] for call in calls) for values in (self._ends, self._stages))
        return Dependencies(tuple(self._layers), ends, stages, self._stage_calls)

    def __call__(self, layer: nn.Module, forward: Handler, *args: Any, **kwargs: Any) -> Any:
        call, number = len(self._layers), self._numbers[id(layer)]
        self._layers.append(number)
        # Inside a function with a gradient of its own there is no graph, and only its arguments have one.
        stages = _ON_ALL if torch.is_grad_enabled() else self._stages_of_arguments([*args, *kwargs.values()])
        output = forward(*args, **kwargs)
        self._ends[call] = len(self._layers)
        if id(layer) in self._stage_layers:
            output = self._begin_branch(call, number, output)
        if torch.is_grad_enabled():
            stages = self._stages_before(tensors_in(output))
        self._stages[call] = stages
        return output

    def _begin_branch(self, call: int, number: int, output: Any) -> Any:
        bit = next(self._bits)
        self._stage_calls[number] = call, bit
        if not isinstance(output, torch.Tensor) or not output.is_floating_point() or not torch.is_grad_enabled():
            return output  # the comparison with the whole network shows whether this matters
        branch = (output if output.requires_grad else output.detach().requires_grad_()).clone()
        assert branch.grad_fn is not None
        self._branches[branch.grad_fn] = bit
        return branch

    def _stages_of_arguments(self, arguments: Sequence[Any]) -> int:
        tensors = tensors_in(arguments)
        known = bool(tensors) and all(tensor.grad_fn is not None for tensor in tensors)
        return self._stages_before(tensors) if known else _ON_ALL

    def _stages_before(self, tensors: Sequence[torch.Tensor]) -> int:
        stages = 0
        for tensor in tensors:
            if tensor.grad_fn is not None:
                stages |= self._stages_leading_to(tensor.grad_fn)
        return stages

    def _stages_leading_to(self, node: Node) -> int:
        pending = [node]
        while pending:
            last = pending[-1]
            before = list(_before(last))
            unknown = [step for step in before if step not in self._led_from]
            if last not in self._led_from and unknown:
                pending += unknown
                continue
            pending.pop()
            if last not in self._led_from:
                stages = self._branches.get(last, 0)
                for step in before:
                    stages |= self._led_from[step]
                self._led_from[last] = stages
        return self._led_from[node]


def _before(node: Node) -> Iterator[Node]:
    return (step for step, _ in node.next_functions if step is not None)
