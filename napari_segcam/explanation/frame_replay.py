"""Frame replay: the network of an explanation, ready to run again on its frame with one stage's map replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.passes.batch_size import best_batch_size
from napari_segcam.explanation.passes.forward_pass import forward
from napari_segcam.explanation.passes.transfer import to_device
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.explanation.slow_methods.feature_maps import never_runs
from napari_segcam.explanation.slow_methods.replays import Replays
from napari_segcam.explanation.stage_replay import StageReplay
from napari_segcam.explanation.targets.classes import class_mask, probabilities_of
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.explanation.targets.target_resolution import region_on_input
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage


class FrameReplay:
    """The network of an explanation on its frame.

    Attributes:
        x: the input ``(1, C, H, W)``.
        objective: the explained score.

    Args:
        network: the explained network.
        explanation: of the frame; its target, region and threshold stay as they are.
        frame: the same frame, ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the same as for the explainer.
        cancelled: called before each run; True stops it.
        stages: names of those that will be replayed, which share one pass; by default those of the explanation.

    Raises:
        SegcamError: if the frame has another shape than the explained one, or runs in tiles.
    """

    def __init__(
        self,
        network: Network,
        explanation: Explanation,
        frame: NDArray[np.generic],
        value_range: tuple[float, float] | None = None,
        cancelled: Callable[[], bool] | None = None,
        stages: Sequence[str] | None = None,
    ) -> None:
        if frame.shape[:2] != explanation.frame_shape:
            raise SegcamError(
                f"The frame has {frame.shape[0]}×{frame.shape[1]} pixels, but the explained one has "
                f"{explanation.frame_shape[0]}×{explanation.frame_shape[1]}. Give the frame that was explained."
            )
        if explanation.runs_in_tiles:
            raise SegcamError(
                "This image runs in tiles: the network cannot run again with another map at one stage. Let it see a "
                "smaller part of the image, as with a crop."
            )
        geometry = explanation.segmentation.geometry
        self.network, self.explanation, self._cancelled = network, explanation, cancelled
        self._geometry, self._value_range = geometry, value_range
        self.x = self._input(frame)
        target = explanation.target
        probabilities = torch.from_numpy(explanation.segmentation.probabilities)
        region = region_on_input(target, explanation.region, network, probabilities, explanation.threshold, geometry)
        overlap = network.classes_overlap
        self.objective = Objective.of(target, region.to(network.device), classes_overlap=overlap)

        self._stages = tuple(explanation.heatmaps) if stages is None else tuple(stages)
        self._replays: dict[torch.nn.Module, Replays] = {}

    @contextmanager
    def at(self, stage: str) -> Iterator[StageReplay]:
        """Yield the network, ready for other maps at this stage; nothing else may run it meanwhile.

        Raises:
            Cancelled: if the user cancels it.
            SegcamError: if the stage is unknown, never runs, or gives no feature map, or memory is short.
        """
        module, (tapped,) = self.network.module_for([self.network.stage(stage)])
        with self.network.lock:
            if self._cancelled is not None and self._cancelled():
                raise Cancelled
            replay = self._replays_of(module).of(tapped)
            yield StageReplay(replay, tapped, self.objective, self._class_masks, self._batch, self._cancelled)

    def maps_of(self, frame: NDArray[np.generic]) -> dict[str, torch.Tensor]:
        """Return the maps of the stages ``(K, h, w)``, by name, in another frame of the same shape.

        Raises:
            SegcamError: if the frame has another shape, or a stage gives no feature map.
        """
        x, maps = self._input(frame), {}
        with self.network.lock:
            for module, stages in self._stages_by_module().items():
                activations = forward(module, x, list(stages.values()), graph=False).activations
                for name, stage in stages.items():
                    if stage.name not in activations:
                        raise never_runs(stage)
                    maps[name] = activations[stage.name][0]
        return maps

    def _input(self, frame: NDArray[np.generic]) -> torch.Tensor:
        """Return the network's input ``(1, C, H, W)`` for a frame, where it was explained."""
        geometry, card = self._geometry, self.network.card
        crop = geometry.window if geometry.crop else None
        if frame.shape[:2] != geometry.frame_shape:
            raise SegcamError(
                f"The frame has {frame.shape[0]}×{frame.shape[1]} pixels, but the explained one has "
                f"{geometry.frame_shape[0]}×{geometry.frame_shape[1]}. Give a frame of that shape."
            )
        x, prepared = prepare(frame, card, self.network.stride, self._value_range, crop, geometry.pixel_aspect)
        if prepared != geometry:
            raise SegcamError("The frame is not where it was in the network's input when it was explained.")
        return to_device(x, self.network.device, self.network.dtype)

    @property
    def _batch(self) -> int:
        if self.network.one_frame_at_a_time:
            return 1
        return max(best_batch_size((self.x.shape[-2], self.x.shape[-1]), self.x.device), 4)

    def _replays_of(self, module: torch.nn.Module) -> Replays:
        """Return the replays of the stages that are layers of this module."""
        if module not in self._replays:
            stages = list(self._stages_by_module().get(module, {}).values())
            self._replays[module] = Replays(module, self.x, stages, self.network.trace.size)
        return self._replays[module]

    def _stages_by_module(self) -> dict[torch.nn.Module, dict[str, Stage]]:
        """Return the stages by name, as they are in the module that runs to replay them."""
        by_module: dict[torch.nn.Module, dict[str, Stage]] = {}
        for name in self._stages:
            module, (tapped,) = self.network.module_for([self.network.stage(name)])
            by_module.setdefault(module, {})[name] = tapped
        return by_module

    def _class_masks(self, logits: torch.Tensor) -> torch.Tensor | None:
        """Return the masks ``(B, H, W)`` of the explained class for logits ``(B, C, H, W)``."""
        if not self.network.segments:
            return None
        index, overlap = self.explanation.target.class_index or 0, self.network.classes_overlap
        masks = [
            class_mask(probabilities, index, self.explanation.threshold, overlap=overlap) & self._geometry.content
            for probabilities in probabilities_of(logits, overlap=overlap).cpu().numpy()
        ]
        return torch.from_numpy(np.stack(masks))
