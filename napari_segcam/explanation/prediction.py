"""The prediction: what a network gives for frames of one shape, before any of it is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explanation import Segmentation
from napari_segcam.explanation.passes.batch_size import best_batch_size
from napari_segcam.explanation.passes.forward_pass import ForwardPass
from napari_segcam.explanation.runner import Runner
from napari_segcam.explanation.targets.classes import class_mask, label_mask, probabilities_of
from napari_segcam.explanation.targets.target import Target
from napari_segcam.explanation.targets.target_resolution import region_on_input, resolve_references, resolve_target
from napari_segcam.explanation.tiles.layout import TileLayout
from napari_segcam.explanation.tiles.rule import tiles_for
from napari_segcam.explanation.tiles.tiled_pass import TiledPass
from napari_segcam.imaging.geometry import Crop, Geometry, lay_out
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.ensemble.ensemble import Ensemble
from napari_segcam.network.network import Network


@dataclass(frozen=True, eq=False)
class Prediction:
    """Frames of one shape after their forward pass.

    Attributes:
        network: that ran.
        threshold: cuts the probability of a single class, and of each of several that overlap.
        x: the input ``(B, C, H, W)``.
        geometry: where each frame is in the input.
        forward_pass: of the batch.
        probabilities: ``(B, C, H, W)`` on the grid of the logits.
        segmentations: one a frame.
        frame_probabilities: for each frame, ``(C, Y, X)`` on its own grid.
        masks: for each frame, the labels ``(Y, X)``.
    """

    network: Network
    threshold: float
    x: torch.Tensor
    geometry: Geometry
    forward_pass: ForwardPass | TiledPass
    probabilities: torch.Tensor
    segmentations: list[Segmentation]
    frame_probabilities: list[NDArray[np.float32]]
    masks: list[NDArray[np.uint8]]

    @property
    def tiles(self) -> TileLayout | None:
        """Tiles in which the frames ran; None if they ran whole."""
        return self.forward_pass.layout if isinstance(self.forward_pass, TiledPass) else None

    def resolve(self, targets: Sequence[Target], *, contrasts: bool = False) -> ResolvedTargets:
        """Resolve one target of each frame.

        Args:
            targets: as the user chose them.
            contrasts: whether the method compares classes, as ``Method.contrasts``; else their choice is dropped.

        Raises:
            SegcamError: if a target does not fit the network or its frame.
        """
        resolved = [
            resolve_target(target, self.network, probabilities)
            for target, probabilities in zip(targets, self.probabilities, strict=True)
        ]
        frame_regions = [
            self.geometry.within_window(target.pixels(self._class_mask(number, target)))
            for number, target in enumerate(resolved)
        ]
        input_regions = [
            region_on_input(target, region, self.network, probabilities, self.threshold, self.geometry)
            for target, region, probabilities in zip(resolved, frame_regions, self.probabilities, strict=True)
        ]
        resolved = [
            resolve_references(target, self.network, probabilities, region)
            if contrasts
            else replace(target, against=None)
            for target, region, probabilities in zip(resolved, input_regions, self.probabilities, strict=True)
        ]
        return ResolvedTargets(resolved, frame_regions, torch.stack(input_regions))

    def _class_mask(self, number: int, target: Target) -> NDArray[np.bool_]:
        """Return the mask ``(Y, X)`` of a resolved target's class in a frame; empty for a network without masks."""
        labels = self.masks[number]
        if not self.network.segments:
            return np.zeros(labels.shape, np.bool_)
        overlap, index = self.network.classes_overlap, target.class_index or 0
        return class_mask(self.frame_probabilities[number], index, self.threshold, overlap=overlap, labels=labels)


@dataclass(frozen=True, eq=False)
class ResolvedTargets:
    """One target of each frame of a prediction.

    Attributes:
        targets: each with its class.
        frame_regions: M of each, ``(Y, X)`` on the frame's grid.
        input_regions: M of each on the grid of the logits, ``(B, H, W)``.
    """

    targets: list[Target]
    frame_regions: list[NDArray[np.bool_]]
    input_regions: torch.Tensor


def tiles_of(network: Network, frame_shape: Sequence[int], crop: Crop | None, pixel_aspect: float) -> TileLayout | None:
    """Return the tiles in which frames of this shape run; None if they run whole.

    For an ensemble they are those of its first member.

    Args:
        network: that runs.
        frame_shape: ``(Y, X)`` or ``(Y, X, 3)``.
        crop: as for ``Explainer``.
        pixel_aspect: as for ``Explainer``.

    Raises:
        SegcamError: if the frame or the crop does not fit the network, or there would be too many tiles.
    """
    network = network.members[0] if isinstance(network, Ensemble) else network
    shape = (frame_shape[0], frame_shape[1])
    return tiles_for(network, lay_out(shape, network.card.size, network.stride, crop, pixel_aspect).input_shape)


def frames_per_pass(
    network: Network, frame: NDArray[np.generic], device: torch.device, crop: Crop | None, pixel_aspect: float
) -> int:
    """Return how many frames like this one to run at once: one where it runs in tiles, else what is fastest."""
    if tiles_of(network, frame.shape, crop, pixel_aspect) is not None:
        return 1
    return best_batch_size((frame.shape[0], frame.shape[1]), device)


def predict(
    network: Network,
    runner: Runner,
    threshold: float,
    frames: Sequence[NDArray[np.generic]],
    value_range: tuple[float, float] | None,
    crop: Crop | None,
    pixel_aspect: float,
) -> Prediction:
    """Run the network once on frames of one shape; the arguments are those of ``Explainer``.

    Raises:
        SegcamError: if the frames do not fit the network, the crop or each other.
    """
    inputs, geometries = zip(
        *(prepare(frame, network.card, network.stride, value_range, crop, pixel_aspect) for frame in frames),
        strict=True,
    )
    geometry = geometries[0]
    if any(other != geometry for other in geometries):
        raise SegcamError("The frames of one sequence must have one shape, but these have several.")
    x = runner.on_device(inputs)
    tiles, overlap = tiles_for(network, geometry.input_shape), network.classes_overlap
    forward_pass = runner.forward(x, tiles)

    def labels_of(logits: torch.Tensor) -> NDArray[np.uint8]:
        values = probabilities_of(logits.float(), overlap=overlap).cpu().numpy()
        return np.stack([label_mask(probabilities, threshold, overlap=overlap) for probabilities in values])

    runner.check_autocast(x, tiles, forward_pass.logits, labels_of)
    probabilities = probabilities_of(forward_pass.logits.float(), overlap=overlap)
    segmentations = [Segmentation(values, geometry, overlap) for values in probabilities.cpu().numpy()]
    frame_probabilities = [segmentation.on_frame() for segmentation in segmentations]
    masks = [
        label_mask(values, threshold, overlap=overlap) if segmentation.is_map else segmentation.mask(threshold)
        for values, segmentation in zip(frame_probabilities, segmentations, strict=True)
    ]
    return Prediction(
        network, threshold, x, geometry, forward_pass, probabilities, segmentations, frame_probabilities, masks
    )
