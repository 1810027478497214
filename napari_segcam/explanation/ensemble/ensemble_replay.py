"""Replay of an ensemble: all of its members ready to run again on a frame, with one stage's maps replaced in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.explanation.stage_replay import ReplayOutput, StageReplay
from napari_segcam.explanation.targets.classes import class_mask, probabilities_of
from napari_segcam.explanation.targets.frozen_region import FrozenRegion, is_mask
from napari_segcam.explanation.targets.region import RegionName
from napari_segcam.explanation.targets.target_resolution import region_on_input
from napari_segcam.network.ensemble.ensemble import Ensemble
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage


def replay_of(
    network: Network,
    explanation: Explanation,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> FrameReplay:
    """Return the replay of a network or an ensemble on a frame; the arguments and errors are those of
    ``FrameReplay``."""
    if isinstance(network, Ensemble):
        return EnsembleReplay(network, explanation, frame, value_range, cancelled)
    return FrameReplay(network, explanation, frame, value_range, cancelled)


class EnsembleReplay(FrameReplay):
    """The members of an ensemble on one frame. A stage is hidden in all of them at once.

    The mask is that of their mean probability, and the score the mean of theirs.

    Raises:
        SegcamError: as for ``FrameReplay``, or if the members see the frame in different sizes.
    """

    def __init__(
        self,
        network: Ensemble,
        explanation: Explanation,
        frame: NDArray[np.generic],
        value_range: tuple[float, float] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self.network, self.explanation, self._cancelled = network, explanation, cancelled
        self._geometry = explanation.segmentation.geometry
        self._weights: dict[Network, float] = {}  # a network that is there twice runs once
        for member, weight in zip(network.members, network.weights, strict=True):
            self._weights[member] = self._weights.get(member, 0.0) + weight
        for_members = replace(explanation, target=replace(explanation.target, region=self._region()))
        try:
            self._members = [
                FrameReplay(member, for_members, frame, value_range, cancelled) for member in self._weights
            ]
        except SegcamError as error:
            raise SegcamError(f"A stage cannot be replaced in all members of the ensemble at once: {error}") from error
        self.x = self._members[0].x

    @contextmanager
    def at(self, stage: str) -> Iterator[StageReplay]:
        """Yield the ensemble, ready for other maps at this stage; nothing else may run its members meanwhile.

        Raises:
            Cancelled: if the user cancels it.
            SegcamError: as for ``FrameReplay``, or if the stage's maps have different sizes in the members.
        """
        with ExitStack() as stack:
            replays = [stack.enter_context(member.at(stage)) for member in self._members]
            if len({tuple(replay.activations.shape[1:]) for replay in replays}) > 1:
                raise SegcamError("its maps have different sizes in the members of the ensemble")
            weights, overlap = list(self._weights.values()), self.network.classes_overlap
            yield EnsembleStageReplay(
                self.network.stage(stage), replays, weights, self._mask_of, self._cancelled, overlap=overlap
            )

    def maps_of(self, frame: NDArray[np.generic]) -> dict[str, torch.Tensor]:
        """Return the maps of the stages ``(K, h, w)``, by name, in another frame; the channels of all members.

        Raises:
            SegcamError: as for ``FrameReplay``.
        """
        maps = [member.maps_of(frame) for member in self._members]
        return {name: torch.cat([each[name] for each in maps]) for name in maps[0]}

    def _region(self) -> FrozenRegion | RegionName:
        """Return the region of the ensemble, for its members."""
        explanation = self.explanation
        if not self.network.segments:
            return "image"
        mean = torch.from_numpy(explanation.segmentation.probabilities)
        target, threshold = explanation.target, explanation.threshold
        on_input = region_on_input(target, explanation.region, self.network, mean, threshold, self._geometry)
        return FrozenRegion(explanation.region, is_mask=is_mask(target.region), on_input=on_input.numpy())

    def _mask_of(self, probabilities: torch.Tensor) -> torch.Tensor | None:
        """Return the masks ``(B, H, W)`` of the explained class for mean probabilities ``(B, C, H, W)``."""
        if not self.network.segments:
            return None
        index, overlap = self.explanation.target.class_index or 0, self.network.classes_overlap
        masks = [
            class_mask(each, index, self.explanation.threshold, overlap=overlap) & self._geometry.content
            for each in probabilities.numpy()
        ]
        return torch.from_numpy(np.stack(masks))


class EnsembleStageReplay(StageReplay):
    """The members of an ensemble on one frame, run again with other maps at one stage.

    The attributes are those of ``StageReplay``; the map has the channels of all members, one after the other.

    Args:
        stage: the stage whose maps are replaced.
        replays: of each member.
        weights: of each member.
        mask_of: masks ``(B, H, W)`` of the explained class for mean probabilities ``(B, C, H, W)``, or None.
        cancelled: called before each run; True stops it.
        overlap: whether the classes overlap.
    """

    def __init__(
        self,
        stage: Stage,
        replays: Sequence[StageReplay],
        weights: Sequence[float],
        mask_of: Callable[[torch.Tensor], torch.Tensor | None],
        cancelled: Callable[[], bool] | None,
        *,
        overlap: bool,
    ) -> None:
        self.stage, self.batch = stage, min(replay.batch for replay in replays)
        self._replays, self._weights, self._mask_of, self._cancelled = replays, weights, mask_of, cancelled
        self._overlap = overlap
        device = replays[0].activations.device
        self.activations = torch.cat([replay.activations.to(device) for replay in replays])
        self.original = self._together([None] * len(replays))

    def _run(self, maps: torch.Tensor) -> ReplayOutput:
        """Run each member once with its channels of the maps."""
        return self._together(list(maps.split([len(replay.activations) for replay in self._replays], dim=1)))

    def _together(self, maps: Sequence[torch.Tensor | None]) -> ReplayOutput:
        """Return the mask of the mean probability, and the mean score."""
        probabilities: torch.Tensor | float = 0.0
        scores: torch.Tensor | float = 0.0
        for replay, weight, own in zip(self._replays, self._weights, maps, strict=True):
            if own is not None:
                own = own.to(replay.activations.device).contiguous()
            logits, score = replay.logits_and_scores(own)
            probabilities = probabilities + weight * probabilities_of(logits, overlap=self._overlap).cpu().double()
            scores = scores + weight * score.double()
        assert isinstance(probabilities, torch.Tensor)
        assert isinstance(scores, torch.Tensor)
        return ReplayOutput(self._mask_of(probabilities.float()), scores)
