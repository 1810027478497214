"""The score as a function of the network's input or of a stage's map."""

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
from napari_segcam.network.stages.forward_trace import logits_of
from napari_segcam.network.stages.stage import INPUT, Stage

# The network's input, pixel by pixel.
PIXELS = replace(INPUT, stride=1)

# Each pass stores its graph for the backward pass: larger batches gain little and need much memory.
_MAX_BATCH = 4


class Unconnected(Exception):  # noqa: N818 - it is an answer, not an error
    """The score does not depend on the map."""


class Score:
    """y as a function of a map, which can be differentiated any number of times.

    Attributes:
        at: the map of the frame itself ``(1, K, h, w)``.
        baseline: the map of a black frame.
        is_constant: whether the region is empty.
        batch: how many maps to run at once.
        done: number of maps run so far.
        progress: called after each pass with this number.
        cancelled: called before each pass; True stops it.

    Args:
        logits: returns the logits ``(B, C, H, W)`` of maps ``(B, K, h, w)``, which it may overwrite.
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
        """Return y of each map ``(B, K, h, w)``: ``(B,)``.

        Raises:
            Cancelled: if ``cancelled`` returns True.
            Unconnected: if gradients are enabled and the score does not depend on the maps.
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


def score_at(
    module: nn.Module, x: torch.Tensor, stage: Stage, objective: Objective, *, one_by_one: bool = False
) -> Score:
    """Return the score as a function of the network's input, if that is the stage, or of a stage's map.

    Nothing else may run the module meanwhile. A stage's map is replaced in the run of the frame itself: everything that
    bypasses it, by a skip connection, stays as it is, and only the part after the stage runs.

    In a black frame every channel has the input's lowest value: this is the black of the frame's padding and of
    everything outside the scan, for any normalization.

    Args:
        module: frozen and in eval mode.
        x: the input ``(1, C, H, W)``.
        stage: ``PIXELS`` or one of the network's.
        objective: y of logits, with its region frozen from the original prediction.
        one_by_one: whether a pass may have only one map.

    Raises:
        SegcamError: if the stage never runs or gives no feature map.
    """
    black = x.amin((2, 3), keepdim=True).expand_as(x)
    batch = 1 if one_by_one else min(_MAX_BATCH, best_batch_size((x.shape[-2], x.shape[-1]), x.device))
    if not stage.layer:
        return Score(lambda images: logits_of(module(images)), x, black, objective, batch)
    replay = Replay(module, x, stage)
    black_map = forward(module, black, [stage], graph=False).activations[stage.name]
    return Score(replay, replay.activations[None], black_map, objective, batch)
