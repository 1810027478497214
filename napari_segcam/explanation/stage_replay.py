"""Stage replay: the output of a network for one frame when the map of one stage is replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.explanation.slow_methods.replay import Replay
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import Stage


@dataclass(frozen=True, eq=False)
class ReplayOutput:
    """Masks and scores of a frame for each of B maps of a stage.

    Attributes:
        masks: ``(B, H, W)`` bool, masks of the explained class on the grid of the input, within the frame; None for a
            network that classifies the whole frame.
        scores: ``(B,)`` float64, the explained score S over the region of the explanation.
    """

    masks: torch.Tensor | None
    scores: torch.Tensor


class StageReplay:
    """The network on one frame, run again with other maps at one stage; only the part after the stage runs.

    ``FrameReplay.at`` makes it. Nothing else may run the network meanwhile.

    Attributes:
        stage: the stage whose map is replaced.
        activations: its map in this frame ``(K, h, w)``.
        original: the output with that map.
        batch: how many maps to run at once.

    Args:
        replay: from the stage.
        stage: as above.
        objective: the explained score.
        class_masks: masks ``(B, H, W)`` of the explained class for logits ``(B, C, H, W)``, or None.
        batch: as above.
        cancelled: called before each run; True stops it.
    """

    def __init__(
        self,
        replay: Replay,
        stage: Stage,
        objective: Objective,
        class_masks: Callable[[torch.Tensor], torch.Tensor | None],
        batch: int,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self.stage, self.batch = stage, batch
        self._objective, self._class_masks, self._cancelled = objective, class_masks, cancelled
        self._replay = replay
        self.activations = self._replay.activations
        self.original = self._output_of(self._replay.logits)

    @torch.no_grad()
    def __call__(self, maps: torch.Tensor) -> ReplayOutput:
        """Run the network once with these maps ``(B, K, h, w)``, which may be overwritten.

        Raises:
            Cancelled: if the user cancels it.
        """
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        return self._run(maps)

    def _run(self, maps: torch.Tensor) -> ReplayOutput:
        return self._output_of(self._replay(maps))

    @torch.no_grad()
    def logits_and_scores(self, maps: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits ``(B, C, H, W)`` and the scores ``(B,)`` with these maps; with None, with the stage's own.

        Args:
            maps: ``(B, K, h, w)``, which may be overwritten.
        """
        logits = self._replay.logits if maps is None else self._replay(maps)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return logits, self._objective(logits).cpu()

    def in_batches(self, count: int, maps: Callable[[range], torch.Tensor]) -> Iterator[tuple[int, ReplayOutput]]:
        """Run the network with each of ``count`` maps: pairs of a number and the output for that map.

        Args:
            count: number of maps.
            maps: makes the maps of these numbers, ``(B, K, h, w)``, when they are needed.

        Raises:
            Cancelled: if the user cancels it.
            SegcamError: if there is too little memory for one map.
        """
        start = 0
        while start < count:
            numbers = range(start, min(start + self.batch, count))
            try:
                output = self(maps(numbers))
            except torch.OutOfMemoryError as error:
                if len(numbers) == 1:
                    raise SegcamError(
                        "There is too little memory to run the network again. Use the CPU.", action="use_cpu"
                    ) from error
                self.batch = len(numbers) // 2
                continue
            for i, number in enumerate(numbers):
                masks = None if output.masks is None else output.masks[i : i + 1]
                yield number, ReplayOutput(masks, output.scores[i : i + 1])
            start += len(numbers)

    def _output_of(self, logits: torch.Tensor) -> ReplayOutput:
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return ReplayOutput(self._class_masks(logits), self._objective(logits).cpu())
