"""Ablation-CAM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from napari_segcam.explanation.perturbation.probe import Probe, perturbation
from napari_segcam.explanation.slow_methods.replay import Replay
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import Stage


@perturbation("ablationcam", "Ablation-CAM", paper="Desai & Ramaswamy, WACV", year=2020)
class AblationCam(Probe):
    """Channels weighted by the drop of the score when they are set to zero: y − y_k (Desai & Ramaswamy, WACV 2020).

    The paper divides the drop by y, a class score above zero. The score of a region can be near zero or below, which
    would make the weights very large or turn their sign. So the drop is divided by the size of the region instead:
    w_k is the mean drop of the region's scores, and positive where the channel supports the target.

    For each batch of channels only the part of the module after the stage runs.

    Args:
        module, x, stage, objective: as for ``Probe``.
        weighting: ``"relative"`` divides by y, as the paper and the package grad-cam do.

    Raises:
        SegcamError: if the stage never runs or gives no feature map.
    """

    def __init__(
        self,
        module: nn.Module,
        x: torch.Tensor,
        stage: Stage,
        objective: Objective,
        *,
        weighting: Literal["mean", "relative"] = "mean",
    ) -> None:
        super().__init__(module, x, stage, objective)
        self._replay = Replay(module, x, stage)
        self.activations = self._replay.activations
        self._score = objective(self._replay.logits).cpu()
        self._divisor = self._score if weighting == "relative" else objective.pixels

    @torch.no_grad()
    def scores(self, perturbations: Sequence[int]) -> torch.Tensor:
        ablated = torch.cat([self.activations[None]] * len(perturbations))
        for image, channel in enumerate(perturbations):
            ablated[image, channel] = 0
        return self.objective(self._replay(ablated))

    def weights(self, scores: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
        del measured  # all scores are
        return (self._score - scores) / self._divisor
