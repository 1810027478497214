"""Replay: the network again and again with other values at one stage, running only what depends on it."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from napari_segcam.explanation.slow_methods.feature_maps import feature_map, never_runs
from napari_segcam.explanation.slow_methods.interception import Handler, intercepted
from napari_segcam.network.stages.stage import Stage
from napari_segcam.network.stages.survey import logits_of


class Replay:
    """A network that can be run again with other values at one stage.

    Two forward passes prepare it. The first numbers the layers' calls and finds the one that gives the stage's map (the
    last, if there are several). The second begins a graph there and keeps a copy of what every layer gave that is not
    part of the graph: of all that does not depend on the stage, before it or beside it. In a replay these layers give
    the same again instead of running, and the stage's layer gives other values.

    A stage may be one of several outputs of a layer, which are often made from each other: then the layer runs, and
    those parts of it that take this very map get the other values. What the layer itself does with the map by a bare
    function, no layer, is not seen.

    A replay is checked once against the whole network. Where they differ (a layer may mix the images of a batch with
    something else in its first dimension, or hide from the graph what it depends on) the whole network runs instead.

    Attributes:
        activations: the stage's map ``(K, h, w)``.
        logits: of the original run ``(1, C, H, W)``.
        whole: whether the whole network runs.

    Args:
        module: frozen and in eval mode; left as it was.
        x: the input ``(1, C, H, W)``.
        stage: where values are replaced.

    Raises:
        SegcamError: if the stage never runs or gives no feature map.
    """

    def __init__(self, module: nn.Module, x: torch.Tensor, stage: Stage) -> None:
        if len(x) != 1:
            raise ValueError(f"a replay is of one image, not {len(x)}")
        self._module, self._x, self._layout = module, x, stage.layout
        self._plan = _plan(module, x, stage)
        recorder = _Recorder(self._plan)
        # The graph only tells what depends on the stage: nothing is stored for a backward pass.
        with torch.enable_grad(), saved_tensors_hooks(_emptied, _emptied), intercepted(module, recorder):
            self.logits = logits_of(module(x)).detach()
        self._output = recorder.value
        self.activations = feature_map(stage, self._output, x)
        self._kept = recorder.kept if recorder.calls == len(self._plan.ends) else {}
        self.whole = not self._kept or not self._agrees()
        if self.whole:
            self._kept = {}

    def __call__(self, activations: torch.Tensor) -> torch.Tensor:
        """The logits ``(B, C, H, W)`` with these values ``(B, K, h, w)`` at the stage, which may be overwritten.

        Where gradients are enabled and the values require them, the logits have a graph that begins there.
        """
        return self._run(activations, self._kept)

    def _run(self, activations: torch.Tensor, kept: Mapping[int, Any]) -> torch.Tensor:
        values = self._layout.restored(activations, self._output)
        with intercepted(self._module, _Player(self._plan, kept, values)):
            return logits_of(self._module(self._x.expand(len(activations), -1, -1, -1)))

    @torch.no_grad()
    def _agrees(self) -> bool:
        nought = torch.zeros_like(self.activations)[None]
        expected = torch.cat([self.logits, self._run(nought.clone(), {})])
        try:
            logits = self._run(torch.cat([self.activations[None], nought]), self._kept)
        except (RuntimeError, ValueError, IndexError, AssertionError):
            return False
        if logits.shape != expected.shape:
            return False
        # Batches add up in another order; what is wrongly replayed is off by far more.
        return bool((logits - expected).abs().max() <= 1e-3 * expected.abs().max())


@dataclass(frozen=True)
class _Plan:
    """Where a replay intervenes; calls are numbered in the order in which they begin.

    Attributes:
        stage: the call of the stage's layer.
        output: which of its outputs; None where it gives but one.
        takers: calls within it that take that output, with the positions or names of these arguments.
        ends: by call, the number of the next call that is not within it.
    """

    stage: int
    output: int | None
    takers: Mapping[int, tuple[int | str, ...]]
    ends: tuple[int, ...]

    def arguments(
        self, call: int, values: torch.Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call, with these values for the stage's map."""
        places = self.takers.get(call, ())
        return (
            tuple(values if place in places else value for place, value in enumerate(args)),
            {name: values if name in places else value for name, value in kwargs.items()},
        )

    def outputs(self, values: torch.Tensor, output: Any) -> Any:
        """What the stage's layer gives, with these values for the stage's map."""
        if self.output is None:
            return values
        outputs = list(output)
        outputs[self.output] = values
        return type(output)(outputs)


@torch.no_grad()
def _plan(module: nn.Module, x: torch.Tensor, stage: Stage) -> _Plan:
    layer = module.get_submodule(stage.layer)
    # By call, its arguments: not held, or all that the network computes would stay alive.
    taken: list[dict[int | str, weakref.ref[torch.Tensor]]] = []
    ends: dict[int, int] = {}
    found: tuple[int, dict[int, tuple[int | str, ...]]] | None = None

    def note(part: nn.Module, forward: Handler, *args: Any, **kwargs: Any) -> Any:
        nonlocal found
        call = len(taken)
        places: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
        taken.append({place: weakref.ref(value) for place, value in places if isinstance(value, torch.Tensor)})
        output = forward(*args, **kwargs)
        ends[call] = len(taken)
        if part is layer:
            found = call, {}
            if stage.output is not None:
                chosen = output[stage.output]
                for inner in range(call + 1, len(taken)):
                    if given := tuple(place for place, value in taken[inner].items() if value() is chosen):
                        found[1][inner] = given
        return output

    with intercepted(module, note):
        module(x)
    if found is None:
        raise never_runs(stage)
    call, takers = found
    return _Plan(call, stage.output, takers, tuple(ends[number] for number in range(len(taken))))


class _Recorder:
    """Keeps what does not depend on the stage: copies, since what follows may work in place."""

    def __init__(self, plan: _Plan) -> None:
        self.kept: dict[int, Any] = {}
        self.value: Any = None
        self.calls = 0
        self._plan = plan
        self._in_graph: Any = None

    def __call__(self, _layer: nn.Module, forward: Handler, *args: Any, **kwargs: Any) -> Any:
        call, plan = self.calls, self._plan
        self.calls += 1
        if call in plan.takers:
            if self._in_graph is None:
                place = plan.takers[call][0]
                self._begin_graph(kwargs[place] if isinstance(place, str) else args[place])
            args, kwargs = plan.arguments(call, self._in_graph, args, kwargs)
        output = forward(*args, **kwargs)
        if call == plan.stage:
            if not plan.takers:
                self._begin_graph(output if plan.output is None else output[plan.output])
                self._forget_within(call)
                if plan.output is not None:
                    self.kept[call] = _for_batch(output, 1)
            return plan.outputs(self._in_graph, output)
        if not _in_graph(output):
            self._forget_within(call)
            self.kept[call] = _for_batch(output, 1)
        return output

    def _begin_graph(self, value: Any) -> None:
        self.value = self._in_graph = _for_batch(value, 1)
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            self._in_graph = self.value.detach().requires_grad_().clone()  # no leaf: it may be overwritten

    def _forget_within(self, call: int) -> None:
        for inner in range(call + 1, self.calls):
            self.kept.pop(inner, None)


class _Player:
    """Gives what was kept instead of running, and other values at the stage."""

    def __init__(self, plan: _Plan, kept: Mapping[int, Any], activations: torch.Tensor) -> None:
        self._plan, self._kept, self._activations = plan, kept, activations
        self._next = 0

    def __call__(self, _layer: nn.Module, forward: Handler, *args: Any, **kwargs: Any) -> Any:
        call, plan = self._next, self._plan
        if call in self._kept or (call == plan.stage and plan.output is None):
            self._next = plan.ends[call]
            output = _for_batch(self._kept.get(call), len(self._activations))
        else:
            self._next = call + 1
            args, kwargs = plan.arguments(call, self._activations, args, kwargs)
            output = forward(*args, **kwargs)
        return plan.outputs(self._activations, output) if call == plan.stage else output


def _in_graph(output: Any) -> bool:
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, tuple | list):
        return any(_in_graph(value) for value in output)
    return isinstance(output, torch.Tensor) and output.requires_grad


def _for_batch(output: Any, size: int) -> Any:
    """A copy of what a layer gave for one image, repeated for a batch of this size, in the same memory format."""
    if isinstance(output, torch.Tensor):
        output = output.detach()
        return torch.cat([output] * size) if output.ndim and size > 1 else output.clone()
    if isinstance(output, dict):
        return type(output)({key: _for_batch(value, size) for key, value in output.items()})
    if isinstance(output, tuple | list):
        return type(output)(_for_batch(value, size) for value in output)
    return output


def _emptied(_value: object) -> torch.Tensor:
    return torch.empty(0)
