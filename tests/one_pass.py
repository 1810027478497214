"""A forward and a backward pass for one score, for tests and benchmarks alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from napari_segcam.explanation.passes.forward_pass import forward
from napari_segcam.network.stages.stage import Stage


@dataclass(frozen=True)
class Pass:
    """What one pass gave, by stage name."""

    logits: torch.Tensor
    activations: Mapping[str, torch.Tensor]
    gradients: Mapping[str, torch.Tensor | None]


def run(
    module: nn.Module, x: torch.Tensor, stages: Sequence[Stage], region_of: Callable[[torch.Tensor], torch.Tensor]
) -> Pass:
    """One pass for the score y = Σ logits · M, M given by ``region_of(logits)``."""
    made = forward(module, x, stages)
    gradients = made.gradients(region_of(made.logits)) if stages else {}
    return Pass(made.logits, made.activations, gradients)
