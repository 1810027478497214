"""The score as a function: of the network's input, or of what one of its stages gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from napari_segcam.explanation.passes.batch_size import best_batch_size
from napari_segcam.explanation.passes.forward_pass import forward
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.explanation.slow_methods.replay import Replay
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import INPUT, Stage
from napari_segcam.network.stages.survey import logits_of

# The network's input, pixel by pixel.
PIXELS = replace(INPUT, stride=1)

# Of each pass the graph is kept for the way back: more would gain little and need much memory.
_LARGEST_BATCH = 4


class Unconnected(Exception):  # noqa: N818 - it is an answer, and no error
    """The score does not depend on what it was to be differentiated by."""


class Score:
    """y as a function of a map, to be differentiated as often as a method likes.

    Attributes:
        at: the map of the frame itself ``(1, K, h, w)``.
        baseline: the same of a black frame.
        is_constant: whether the region is empty.
        batch: how many maps are worth one pass.
        done: how many maps it was taken at.
        progress: told after each pass how many these are.
        cancelled: asked before each pass.

    Args:
        logits: of maps ``(B, K, h, w)``, which it may overwrite: ``(B, C, H, W)``.
        at: as above.
        baseline: as above.
        objective: y of logits, with its region frozen from the original prediction.
        batch: as above.
    """

    def __init__(
        self,
        logits: Callable[[torch.Tensor], torch.Tensor],
        at: torch.Tensor,
        baseline: torch.Tensor,
        objective: Objective,
        batch: int = 1,
    ) -> None:
        self.at, self.baseline, self.batch = at, baseline, batch
        self.is_constant = not bool(objective.region.any())
        self.done = 0
        self.progress: Callable[[int], None] = lambda _done: None
        self.cancelled: Callable[[], bool] = lambda: False
        self._logits, self._objective = logits, objective

    def __call__(self, maps: torch.Tensor) -> torch.Tensor:
        """y of each map ``(B, K, h, w)``: ``(B,)``.

        Raises:
            Cancelled: once ``cancelled`` says so.
            Unconnected: if a gradient is wanted and there is none.
        """
        if self.cancelled():
            raise Cancelled
        score = self._objective(self._logits(maps.clone()))
        # The network is frozen: a graph can only come from the maps.
        if torch.is_grad_enabled() and maps.requires_grad and not score.requires_grad:
            raise Unconnected
        self.done += len(maps)
        self.progress(self.done)
        return score


def score_at(module: nn.Module, x: torch.Tensor, stage: Stage, objective: Objective, *, alone: bool = False) -> Score:
    """The score as a function of the network's input, where that is the stage, or of what a stage gives.

    While it is used the module must run nowhere else. A stage is replaced in the run of the frame itself: what goes
    around it, by a skip connection, stays as it is, and only what follows the stage is run.

    A frame is black where every channel has the input's least value: that is the black of the frame's padding and of
    all that lies beside the scan, whatever the normalization.

    Args:
        module: frozen and in eval mode.
        x: the input ``(1, C, H, W)``.
        stage: ``PIXELS`` or one of the network's.
        objective: y of logits, with its region frozen from the original prediction.
        alone: whether a pass may take no more than one map.

    Raises:
        SegcamError: if the stage never runs or gives no feature map.
    """
    black = x.amin((2, 3), keepdim=True).expand_as(x)
    batch = 1 if alone else min(_LARGEST_BATCH, best_batch_size((x.shape[-2], x.shape[-1]), x.device))
    if not stage.layer:
        return Score(lambda images: logits_of(module(images)), x, black, objective, batch)
    replay = Replay(module, x, stage)
    of_black = forward(module, black, [stage], graph=False).activations[stage.name]
    return Score(replay, replay.activations[None], of_black, objective, batch)
