"""Replay: run a network again with other values at one stage, and only the layers that depend on it."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from napari_segcam.explanation.slow_methods.calls import Plan, Player, copied, empty, tensors_in
from napari_segcam.explanation.slow_methods.feature_maps import feature_map, never_runs
from napari_segcam.explanation.slow_methods.interception import Handler, intercept
from napari_segcam.explanation.slow_methods.recording import Recording
from napari_segcam.network.stages.forward_trace import logits_of
from napari_segcam.network.stages.stage import Stage


class Replay:
    """A network that can run again with other values at one stage.

    Two forward passes prepare it. The first numbers the layers' calls and finds the call that gives the stage's map
    (the last, if there are several). The second begins a graph there and copies the output of every layer outside the
    graph: these layers do not depend on the stage. In a replay they return the copy instead of running, and the stage's
    layer returns the other values.

    A stage may be one of several outputs of a layer, which are often computed from each other: then the layer runs, and
    its inner layers that take this map get the other values. A function that the layer itself applies to the map,
    outside of any inner layer, does not.

    A replay is checked once against the whole network. If they differ, or if no other value has any effect, the whole
    network runs instead: a layer may mix the images of a batch with something else in its first dimension, or hide a
    dependency from the graph.

    Attributes:
        activations: the stage's map ``(K, h, w)``.
        logits: of the original run ``(1, C, H, W)``.
        runs_whole_network: whether the check failed, so that every layer runs.

    Args:
        module: frozen and in eval mode; afterwards it is as it was.
        x: the input ``(1, C, H, W)``.
        stage: where values are replaced.
        recording: of the same module and input, with this stage, if there is one: then no pass is needed.
        is_exact: whether replays from this stage are known to equal the whole network; None to find out.

    Raises:
        SegcamError: if the stage never runs or gives no feature map.
    """

    def __init__(
        self,
        module: nn.Module,
        x: torch.Tensor,
        stage: Stage,
        recording: Recording | None = None,
        *,
        is_exact: bool | None = None,
    ) -> None:
        if len(x) != 1:
            raise ValueError(f"a replay takes one image, not {len(x)}")
        self._module, self._x, self._layout = module, x, stage.layout
        if recording is not None and stage.output is None:
            self._output = recording.output(stage)
            self.logits = recording.logits
            self._plan = recording.plan(stage)
            self._recorded: Mapping[int, Any] = recording.recorded(stage)
        else:
            self._record(stage)
        self.activations = feature_map(stage, self._output, x)
        if self._recorded and is_exact is None:
            is_exact = self._agrees()
        self.runs_whole_network = not self._recorded or not is_exact
        if self.runs_whole_network:
            self._recorded = {}

    def _record(self, stage: Stage) -> None:
        self._plan = _plan_replay(self._module, self._x, stage)
        recorder = _Recorder(self._plan)
        # The graph only shows which layers depend on the stage: nothing is stored for a backward pass.
        with torch.enable_grad(), saved_tensors_hooks(empty, empty), intercept(self._module, recorder):
            self.logits = logits_of(self._module(self._x)).detach()
        self._output = recorder.value
        self._recorded = recorder.outputs if recorder.calls == len(self._plan.ends) else {}

    def __call__(self, activations: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(B, C, H, W)`` with these values ``(B, K, h, w)`` at the stage, which may be overwritten.

        Where gradients are enabled and the values require them, the logits have a graph that begins there.
        """
        return self._run(activations, self._recorded)

    def _run(self, activations: torch.Tensor, recorded: Mapping[int, Any]) -> torch.Tensor:
        values = self._layout.restored(activations, self._output)
        with intercept(self._module, Player(self._plan, recorded, values)):
            return logits_of(self._module(self._x.expand(len(activations), -1, -1, -1)))

    @torch.no_grad()
    def _agrees(self) -> bool:
        """Return whether replays equal the whole network; a check in which no value had any effect shows nothing."""
        others = torch.stack([torch.zeros_like(self.activations), -self.activations])
        hidden = torch.cat([self._run(values[None], {}) for values in others])
        expected = torch.cat([self.logits, hidden])
        try:
            logits = self._run(torch.cat([self.activations[None], others]), self._recorded)
        except (RuntimeError, ValueError, IndexError, AssertionError):
            return False
        if logits.shape != expected.shape:
            return False
        # Batches add up in another order. A wrong replay differs by more, and from a stage without much effect at
        # least by a part of this effect.
        errors, effects, largest = (
            values.abs().flatten(1).amax(1) for values in (logits - expected, expected - self.logits, expected)
        )
        effect = effects.max()
        agree = (errors <= 1e-3 * largest) & ((errors <= 1e-5 * largest) | (errors <= 0.05 * effect))
        return bool(agree.all() and effect > errors.max())


@torch.no_grad()
def _plan_replay(module: nn.Module, x: torch.Tensor, stage: Stage) -> Plan:
    stage_layer = module.get_submodule(stage.layer)
    # The arguments of each call, as weak references: else all activations of the network would stay in memory.
    arguments: list[dict[int | str, weakref.ref[torch.Tensor]]] = []
    ends: dict[int, int] = {}
    stage_call: tuple[int, dict[int, tuple[int | str, ...]]] | None = None

    def record_call(layer: nn.Module, forward: Handler, *args: Any, **kwargs: Any) -> Any:
        nonlocal stage_call
        call = len(arguments)
        items: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
        arguments.append({key: weakref.ref(value) for key, value in items if isinstance(value, torch.Tensor)})
        output = forward(*args, **kwargs)
        ends[call] = len(arguments)
        if layer is stage_layer:
            consumers: dict[int, tuple[int | str, ...]] = {}
            if stage.output is not None:
                stage_map = output[stage.output]
                for inner in range(call + 1, len(arguments)):
                    if keys := tuple(key for key, value in arguments[inner].items() if value() is stage_map):
                        consumers[inner] = keys
            stage_call = call, consumers
        return output

    with intercept(module, record_call):
        module(x)
    if stage_call is None:
        raise never_runs(stage)
    call, consumers = stage_call
    return Plan(call, stage.output, tuple(ends[number] for number in range(len(arguments))), consumers)


class _Recorder:
    """Copies the outputs of the layers that do not depend on the stage, as later layers may work in place."""

    def __init__(self, plan: Plan) -> None:
        self.outputs: dict[int, Any] = {}
        self.value: Any = None
        self.calls = 0
        self._plan = plan
        self._in_graph: Any = None

    def __call__(self, _layer: nn.Module, forward: Handler, *args: Any, **kwargs: Any) -> Any:
        call, plan = self.calls, self._plan
        self.calls += 1
        if call in plan.consumers:
            if self._in_graph is None:
                key = plan.consumers[call][0]
                self._begin_graph(kwargs[key] if isinstance(key, str) else args[key])
            args, kwargs = plan.arguments(call, self._in_graph, args, kwargs)
        output = forward(*args, **kwargs)
        if call == plan.stage:
            if not plan.consumers:
                self._begin_graph(output if plan.output is None else output[plan.output])
                self._forget_inside(call)
                if plan.output is not None:
                    self.outputs[call] = copied(output)
            return plan.outputs(self._in_graph, output)
        # Without a graph, as inside a function with a gradient of its own, it is not known what a layer depends on.
        if torch.is_grad_enabled() and not any(tensor.requires_grad for tensor in tensors_in(output)):
            self._forget_inside(call)
            self.outputs[call] = copied(output)
        return output

    def _begin_graph(self, value: Any) -> None:
        self.value = self._in_graph = copied(value)
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            self._in_graph = self.value.detach().requires_grad_().clone()  # not a leaf: it may be overwritten

    def _forget_inside(self, call: int) -> None:
        for inner in range(call + 1, self.calls):
            self.outputs.pop(inner, None)
