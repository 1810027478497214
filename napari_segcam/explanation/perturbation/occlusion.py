"""Occlusion maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from napari_segcam.explanation.perturbation.probe import Probe, perturbation
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import INPUT, Stage
from napari_segcam.network.stages.survey import logits_of

# Of the window's side to its step: neighboring windows overlap by half.
_OVERLAP = 2


@perturbation("occlusion", "Occlusion", paper="Zeiler & Fergus, arXiv:1311.2901", year=2014, stage=INPUT)
class Occlusion(Probe):
    """What the score loses when a window slides over the input and hides what is under it (Zeiler & Fergus 2014).

    The window's positions are the pixels of the map, as many to each side as the stage's stride says. The window is
    twice as wide as its step, and what it hides is replaced by the input's mean. The loss is that of the region's mean
    score: y(x) − y(x without the window), over |M|.

    It looks at the input alone and needs nothing of the network but its output: of all methods it is the one for
    networks whose layers are closed. It takes one run of the network for each position.

    Args:
        module, x, stage, objective: as for ``Probe``; of the stage only the stride counts.
    """

    def __init__(self, module: nn.Module, x: torch.Tensor, stage: Stage, objective: Objective) -> None:
        super().__init__(module, x, stage, objective)
        self._rows, self._columns = (_spans(side, stage.stride) for side in x.shape[-2:])
        self._filling = x.mean((-2, -1), keepdim=True)[0]
        with torch.no_grad():
            self._score = objective(logits_of(module(x))).cpu()

    @property
    def count(self) -> int:
        """How many windows there are."""
        return len(self._rows) * len(self._columns)

    @torch.no_grad()
    def scores(self, perturbations: Sequence[int]) -> torch.Tensor:
        occluded = torch.cat([self.x] * len(perturbations))
        for image, window in enumerate(perturbations):
            row, column = divmod(window, len(self._columns))
            occluded[image, :, self._rows[row], self._columns[column]] = self._filling
        return self.objective(logits_of(self.module(occluded)))

    def weights(self, scores: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        del known  # all are
        return (self._score - scores) / self.objective.pixels

    def heat(self, weights: torch.Tensor) -> torch.Tensor:
        """The map ``(h, w)`` with one pixel for each window."""
        return weights.to(self.x).reshape(len(self._rows), len(self._columns))


def _spans(side: int, step: int) -> list[slice]:
    """Where windows lie along a side: each around one of the equal parts that the side is cut into."""
    parts = max(1, round(side / step))
    part = side / parts
    margin = (_OVERLAP - 1) / 2 * part
    return [
        slice(max(0, round(number * part - margin)), round((number + 1) * part + margin)) for number in range(parts)
    ]
