"""The one pass: one forward and one backward give the activations and gradients of every selected stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.stages import Stage
from napari_segcam.network.survey import logits_of


@dataclass(frozen=True)
class Pass:
    """What one pass gave.

    Attributes:
        logits: ``(B, C, H, W)``.
        activations: by stage name, each ``(B, K, h, w)``.
        gradients: of the score, in the shape of the activations; None where the score does not depend on the stage.
        region: M ``(B, C, H, W)``; None where no stage was selected.
    """

    logits: torch.Tensor
    activations: Mapping[str, torch.Tensor]
    gradients: Mapping[str, torch.Tensor | None]
    region: torch.Tensor | None = None


def run(
    module: nn.Module,
    x: torch.Tensor,
    stages: Sequence[Stage],
    region_of: Callable[[torch.Tensor], torch.Tensor],
) -> Pass:
    """Run a frozen, eval-mode module once and differentiate the score y = Σ logits · M.

    The graph begins at the first selected stage reached: whatever lies before it runs without one. A layer that runs
    several times counts with its last run.

    Args:
        module: its parameters must not require gradients; it is left as it was.
        x: the input ``(B, C, H, W)``.
        stages: to be tapped; without any, only the logits are computed.
        region_of: gives M ``(B, C, H, W)`` from the detached logits; it is constant for the gradient.

    Raises:
        SegcamError: if the module gives no logits as large as its input.
    """
    if not stages:
        # no_grad and not inference_mode: what a module caches in the latter cannot serve a later pass with a graph.
        with torch.no_grad():
            return Pass(_logits(module, x), {}, {})
    with torch.enable_grad(), _taps(module, stages) as taps:
        logits = _logits(module, x)
    region = region_of(logits.detach())
    reached = [stage.name for stage in stages if stage.name in taps]
    gradients: Sequence[torch.Tensor | None] = [None] * len(reached)
    if logits.requires_grad:
        gradients = torch.autograd.grad(logits, [taps[name] for name in reached], region, allow_unused=True)
    return Pass(
        logits.detach(),
        {name: taps[name].detach() for name in reached},
        dict(zip(reached, gradients, strict=True)),
        region,
    )


def _logits(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    logits = logits_of(module(x))
    if logits.shape[-2:] != x.shape[-2:]:
        raise SegcamError(
            f"This network's output has {tuple(logits.shape[-2:])} pixels for an input of {tuple(x.shape[-2:])}: "
            "only networks whose mask is as large as their input are supported."
        )
    return logits


@contextmanager
def _taps(module: nn.Module, stages: Sequence[Stage]) -> Iterator[dict[str, torch.Tensor]]:
    """Collect the stages' outputs by name while the module runs; no hook is left behind."""
    taps: dict[str, torch.Tensor] = {}

    def tap(stage: Stage, output: torch.Tensor) -> torch.Tensor:
        # Nothing selected lies before it, so the graph begins here.
        taps[stage.name] = output if output.requires_grad else output.detach().requires_grad_()
        # An in-place layer that follows must change a copy, or it would change what is explained.
        return taps[stage.name].clone() if stage.overwritten else taps[stage.name]

    def watch(stage: Stage) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            if stage.output is None:
                return tap(stage, output)
            tapped = list(output)
            tapped[stage.output] = tap(stage, output[stage.output])
            return type(output)(tapped)

        return hook

    def begin_graph(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            value.detach().requires_grad_()
            if torch.is_tensor(value) and value.is_floating_point() and not value.requires_grad
            else value
            for value in inputs
        )

    handles = []
    try:
        for stage in stages:
            layer = module.get_submodule(stage.layer)
            handles.append(layer.register_forward_hook(watch(stage)))
        # The outputs of one layer may depend on each other: its graph must begin before it.
        for name in {stage.layer for stage in stages if stage.output is not None}:
            handles.append(module.get_submodule(name).register_forward_pre_hook(begin_graph))
        yield taps
    finally:
        for handle in handles:
            handle.remove()
