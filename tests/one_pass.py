"""A forward and a backward pass for one score, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from napari_segcam.explanation.passes.forward_pass import forward
from napari_segcam.network.stages.stage import Stage


@dataclass(frozen=True)
class Pass:
    """Results of one pass, by stage name."""

    logits: torch.Tensor
    activations: Mapping[str, torch.Tensor]
    gradients: Mapping[str, torch.Tensor | None]


def run(
    module: nn.Module, x: torch.Tensor, stages: Sequence[Stage], region_of: Callable[[torch.Tensor], torch.Tensor]
) -> Pass:
    """Run one pass for the score y = Σ logits · M, with M from ``region_of(logits)``."""
    forward_pass = forward(module, x, stages)
    gradients = forward_pass.gradients(region_of(forward_pass.logits)) if stages else {}
    return Pass(forward_pass.logits, forward_pass.activations, gradients)
