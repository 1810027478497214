"""Averages: the probabilities and heatmaps of the members of an ensemble as those of one network.

All sums are in double precision and divided by the sum of the weights, so that the average of equal members is what
each of them gives, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from napari_segcam.explanation.emptiness import Failure, Reason
from napari_segcam.explanation.explanation import Heatmap, Segmentation
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.network.stages.stage import Stage


def weighted_mean(arrays: Sequence[NDArray[np.float32]], weights: Sequence[float]) -> NDArray[np.float32]:
    """Return Σ w_i a_i / Σ w_i of arrays of one shape; with all weights 0, all count the same."""
    if not any(weights):
        weights = [1.0] * len(arrays)
    total = np.zeros(arrays[0].shape)
    for array, weight in zip(arrays, weights, strict=True):
        if weight:
            total += weight * array.astype(np.float64)
    return (total / sum(weights)).astype(np.float32)


def mean_segmentation(segmentations: Sequence[Segmentation], weights: Sequence[float]) -> Segmentation:
    """Return the mean probabilities of some networks for one frame.

    They are on the networks' own grid where all have the same, else on the frame's grid, within the crop.
    """
    first = segmentations[0]
    arrays = [segmentation.probabilities for segmentation in segmentations]
    if first.is_map and not have_one_grid(segmentations):
        arrays = [
            segmentation.geometry.to_window(torch.from_numpy(segmentation.probabilities)).numpy()
            for segmentation in segmentations
        ]
        return Segmentation(weighted_mean(arrays, weights), frame_grid(first.geometry), first.classes_overlap)
    return Segmentation(weighted_mean(arrays, weights), first.geometry, first.classes_overlap)


def have_one_grid(maps: Sequence[Segmentation]) -> bool:
    """Return whether the probabilities of all networks are on one grid, in the same place of the frame."""
    first = maps[0]
    return all(
        other.geometry == first.geometry and other.probabilities.shape == first.probabilities.shape for other in maps
    )


def frame_grid(geometry: Geometry) -> Geometry:
    """Return the geometry of maps on the frame's own grid, within the same crop."""
    shape = geometry.window_shape
    return Geometry(geometry.frame_shape, shape, shape, crop=geometry.crop, pixel_aspect=geometry.pixel_aspect)


def mean_heatmap(stage: Stage, heatmaps: Sequence[Heatmap], weights: Sequence[float], names: Sequence[str]) -> Heatmap:
    """Return the weighted mean of the heatmaps of a stage in each member.

    A member where nothing supports the target, or whose score does not depend on the stage, counts with zeros. Maps of
    several sizes are brought to the largest one; where the members see the frame in different places of their input,
    all are on the frame's grid.

    Args:
        stage: of the ensemble.
        heatmaps: one of each member.
        weights: of each member: its weight in the ensemble times its mean probability of the class in the region.
        names: of the members, for the reason why there is no map.
    """
    reason = _shared_reason(heatmaps, names)
    maps = _on_one_grid(heatmaps)
    values = weighted_mean([heatmap.values for heatmap in maps], weights)
    if reason is None and not np.isfinite(values).all():
        reason = Reason.NOT_FINITE
    if reason is None and not values.any():
        reason = Reason.NOTHING_POSITIVE
    if reason is not None:
        values = np.zeros_like(values)
    errors = [heatmap.completeness_error for heatmap in heatmaps if heatmap.completeness_error is not None]
    return replace(
        maps[0],
        stage=replace(heatmaps[0].stage, name=stage.name),
        values=values,
        reason=reason,
        completeness_error=max(errors) if errors else None,
    )


def _shared_reason(heatmaps: Sequence[Heatmap], names: Sequence[str]) -> Reason | Failure | None:
    """Return why the mean of some heatmaps is empty; None if it is not, or not for one of the members' reasons."""
    reasons = [heatmap.reason for heatmap in heatmaps]
    if len(set(reasons)) == 1:
        return reasons[0]
    for reason, name in zip(reasons, names, strict=True):
        if isinstance(reason, Failure):
            return Failure(f"{name}: {reason.value}")
    return Reason.NOT_FINITE if Reason.NOT_FINITE in reasons else None


def _on_one_grid(heatmaps: Sequence[Heatmap]) -> list[Heatmap]:
    """Return heatmaps of one stage on one grid."""
    first = heatmaps[0]
    if any(heatmap.geometry != first.geometry for heatmap in heatmaps):
        geometry = frame_grid(first.geometry)
        return [
            replace(
                heatmap,
                values=heatmap.geometry.to_window(torch.from_numpy(heatmap.values)).numpy(),
                geometry=geometry,
            )
            for heatmap in heatmaps
        ]
    rows = max(heatmap.values.shape[0] for heatmap in heatmaps)
    columns = max(heatmap.values.shape[1] for heatmap in heatmaps)
    return [_enlarged(heatmap, (rows, columns)) for heatmap in heatmaps]


def _enlarged(heatmap: Heatmap, shape: tuple[int, int]) -> Heatmap:
    """Return a heatmap with its values interpolated to another shape of the same input."""
    if heatmap.values.shape == shape:
        return heatmap
    values = torch.from_numpy(heatmap.values)[None, None]
    return replace(heatmap, values=F.interpolate(values, shape, mode="bilinear", align_corners=False)[0, 0].numpy())
