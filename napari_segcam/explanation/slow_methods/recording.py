"""Recording: the outputs of a network's layers on one image, for replays from each of many stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from napari_segcam.explanation.slow_methods.calls import Plan, copied, tensors_in
from napari_segcam.explanation.slow_methods.dependencies import Dependencies
from napari_segcam.explanation.slow_methods.feature_maps import never_runs
from napari_segcam.explanation.slow_methods.interception import Handler, intercept
from napari_segcam.network.stages.forward_trace import logits_of
from napari_segcam.network.stages.stage import Stage


class OtherCalls(Exception):  # noqa: N818 - it is an answer, not an error
    """On this image, other layers run than were expected."""


class Recording:
    """The outputs of a network's layers on one image, made by one forward pass.

    Attributes:
        dependencies: of the layers.
        logits: ``(1, C, H, W)``.
        bytes: of the outputs that are kept.

    Args:
        module: frozen and in eval mode; afterwards it is as it was.
        x: the input ``(1, C, H, W)``.
        dependencies: as above, found on this or on another image.
        limit: largest number of bytes of outputs to keep. A layer whose output is not kept runs in every replay.

    Raises:
        OtherCalls: if other layers run than in the dependencies.
    """

    def __init__(self, module: nn.Module, x: torch.Tensor, dependencies: Dependencies, limit: int) -> None:
        self.dependencies, self.bytes = dependencies, 0
        self._module, self._limit = module, limit
        self._numbers = {id(layer): number for number, layer in enumerate(module.modules())}
        self._needed = dependencies.needed()
        self._stage_calls = {call: number for number, (call, _) in dependencies.stage_calls.items()}
        self._outputs: dict[int, Any] = {}
        self._values: dict[int, Any] = {}  # by the number of a stage's layer
        self._calls = 0
        with torch.no_grad(), intercept(module, self._record):
            self.logits = logits_of(module(x)).detach()
        if self._calls != len(dependencies.layers):
            raise OtherCalls

    def output(self, stage: Stage) -> Any:
        """Return the output of the stage's layer.

        Raises:
            SegcamError: if the layer never runs.
        """
        number = self._number(stage)
        if number not in self._values:
            raise never_runs(stage)
        return self._values[number]

    def plan(self, stage: Stage) -> Plan:
        """Return the calls that a replay of the stage changes."""
        call, _ = self.dependencies.stage_calls[self._number(stage)]
        return Plan(call, None, self.dependencies.ends)

    def recorded(self, stage: Stage) -> Mapping[int, Any]:
        """Return the outputs, by call, of the layers that do not depend on the stage."""
        _, bit = self.dependencies.stage_calls[self._number(stage)]
        stages = self.dependencies.stages
        return {call: output for call, output in self._outputs.items() if not stages[call] & bit}

    def _number(self, stage: Stage) -> int:
        return self._numbers[id(self._module.get_submodule(stage.layer))]

    def _record(self, layer: nn.Module, forward: Handler, *args: Any, **kwargs: Any) -> Any:
        call, layers = self._calls, self.dependencies.layers
        self._calls += 1
        if call >= len(layers) or layers[call] != self._numbers[id(layer)]:
            raise OtherCalls
        output = forward(*args, **kwargs)
        if self._calls != self.dependencies.ends[call]:
            raise OtherCalls
        if call in self._stage_calls:
            self._values[self._stage_calls[call]] = copied(output)
        if call in self._needed:
            size = sum(tensor.nbytes for tensor in tensors_in(output))
            if self.bytes + size <= self._limit:
                self._outputs[call] = copied(output)  # later layers may work in place
                self.bytes += size
        return output
