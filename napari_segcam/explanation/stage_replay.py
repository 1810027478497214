"""Stage replay: what a network says of one frame once the map of one stage is replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch

from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.explanation.slow_methods.replay import Replay
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import Stage

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the network says of a frame, for each of B maps of a stage.

    Attributes:
        masks: ``(B, H, W)`` bool, where it finds the explained class, on the grid of its input and within the frame;
            None for a network that classifies the whole frame.
        scores: ``(B,)`` float64, the explained score S over the region of the explanation.
    """

    masks: torch.Tensor | None
    scores: torch.Tensor


class StageReplay:
    """The network on one frame, run again and again with other maps at one stage; only what follows the stage runs.

    Made by ``Explainer.replaying``; while it is used the network runs nowhere else.

    Attributes:
        stage: whose map is replaced.
        activations: its map in this frame ``(K, h, w)``.
        original: what the network says with that map.
        batch: how many maps are worth one run.

    Args:
        module: frozen and in eval mode.
        x: the input ``(1, C, H, W)``.
        stage: as above.
        objective: the explained score.
        find: where the explained class is, given logits ``(B, C, H, W)``: ``(B, H, W)`` bool, or None.
        batch: as above.
        cancelled: asked before each run.

    Raises:
        SegcamError: if the stage never runs or gives no feature map.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        x: torch.Tensor,
        stage: Stage,
        objective: Objective,
        find: Callable[[torch.Tensor], torch.Tensor | None],
        batch: int,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self.stage, self.batch = stage, batch
        self._objective, self._find, self._cancelled = objective, find, cancelled
        self._replay = Replay(module, x, stage)
        self.activations = self._replay.activations
        self.original = self._read(self._replay.logits)

    @torch.no_grad()
    def __call__(self, maps: torch.Tensor) -> Outcome:
        """What the network says with these maps ``(B, K, h, w)``, which may be overwritten, in one run.

        Raises:
            Cancelled: once the user has stopped it.
        """
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        return self._read(self._replay(maps))

    def in_batches(self, count: int, maps: Callable[[range], torch.Tensor]) -> Iterator[tuple[int, Outcome]]:
        """What the network says with each of ``count`` maps: pairs of a number and an outcome of one map.

        Args:
            count: of maps.
            maps: makes those of these numbers, ``(B, K, h, w)``, when their turn comes.

        Raises:
            Cancelled: once the user has stopped it.
        """
        for start in range(0, count, self.batch):
            numbers = range(start, min(start + self.batch, count))
            outcome = self(maps(numbers))
            for place, number in enumerate(numbers):
                masks = None if outcome.masks is None else outcome.masks[place : place + 1]
                yield number, Outcome(masks, outcome.scores[place : place + 1])

    def _read(self, logits: torch.Tensor) -> Outcome:
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return Outcome(self._find(logits), self._objective(logits).cpu())
