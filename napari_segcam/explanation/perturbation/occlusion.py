"""Occlusion maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from napari_segcam.explanation.perturbation.probe import Probe, perturbation
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.forward_trace import logits_of
from napari_segcam.network.stages.stage import INPUT, Stage

# The window's side in steps: neighboring windows overlap by half.
_SIDE_IN_STEPS = 2


@perturbation("occlusion", "Occlusion", paper="Zeiler & Fergus, arXiv:1311.2901", year=2014, stage=INPUT)
class Occlusion(Probe):
    """Drop of the score when a window slides over the input and hides the pixels under it (Zeiler & Fergus 2014).

    Each position of the window is one pixel of the map; the stage's stride sets how many there are. The window is twice
    as wide as its step, and the input's mean replaces the hidden pixels. The value is the drop of the region's mean
    score: y(x) − y(x without the window), over |M|.

    It changes only the input and needs only the network's output, so it also works for networks whose layers cannot be
    read. It takes one run of the network for each position.

    Args:
        module, x, stage, objective: as for ``Probe``; only the stride of the stage matters.
    """

    def __init__(self, module: nn.Module, x: torch.Tensor, stage: Stage, objective: Objective) -> None:
        super().__init__(module, x, stage, objective)
        self._rows, self._columns = (_spans(side, stage.stride) for side in x.shape[-2:])
        self._fill = x.mean((-2, -1), keepdim=True)[0]
        with torch.no_grad():
            self._score = objective(logits_of(module(x))).cpu()

    @property
    def count(self) -> int:
        """Number of windows."""
        return len(self._rows) * len(self._columns)

    @torch.no_grad()
    def scores(self, perturbations: Sequence[int]) -> torch.Tensor:
        occluded = torch.cat([self.x] * len(perturbations))
        for image, window in enumerate(perturbations):
            row, column = divmod(window, len(self._columns))
            occluded[image, :, self._rows[row], self._columns[column]] = self._fill
        return self.objective(logits_of(self.module(occluded)))

    def weights(self, scores: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
        del measured  # all scores are
        return (self._score - scores) / self.objective.pixels

    def weighted_map(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the map ``(h, w)`` with one pixel for each window."""
        return weights.to(self.x).reshape(len(self._rows), len(self._columns))


def _spans(side: int, step: int) -> list[slice]:
    """Return the windows along a side: each is centered on one of the equal parts that the side is divided into."""
    parts = max(1, round(side / step))
    part = side / parts
    margin = (_SIDE_IN_STEPS - 1) / 2 * part
    return [
        slice(max(0, round(number * part - margin)), round((number + 1) * part + margin)) for number in range(parts)
    ]
