"""In / out with its null: whether a region holds more heat than its size and shape alone would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.evidence.attention import Attention, attention_to
from napari_segcam.evidence.null import Measurement
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.imaging.geometry import Crop

DRAWS = 199

_NO_PLACE = "the region fills the scan, so there is no other place to compare it with"
_SIGNED = "the map also holds evidence against the target, so a share is not defined"


@dataclass(frozen=True)
class InOut:
    """Heat inside the region of one stage.

    Attributes:
        ratio: mean heat inside the region over mean heat outside.
        share: share of all heat that is inside the region (relevance mass accuracy, Arras et al. 2022).
    """

    ratio: Measurement
    share: Measurement


def in_out(
    explanation: Explanation, *, scan: Crop | None = None, draws: int = DRAWS, seed: int = 0
) -> dict[str, InOut]:
    """Return the ratio and the share of every stage, with the region at random places of the scan as null.

    The region keeps its size and shape: it is moved, turned by quarters and mirrored. The network does not run.

    Args:
        explanation: of one frame.
        scan: rows and columns within which the region is moved; by default the part that the network saw.
        draws: K, how many places.
        seed: of the places.
    """
    region = explanation.region
    if not region.any():
        undefined = Measurement(None, undefined=Reason.EMPTY_REGION.value)
        return dict.fromkeys(explanation.heatmaps, InOut(undefined, undefined))
    placements = random_placements(region, scan or explanation.segmentation.geometry.window, draws, seed)
    figures = attention_to(explanation, [region, *placements])
    return {name: _in_out(explanation, name, [by_name[name] for by_name in figures]) for name in explanation.heatmaps}


def random_placements(region: NDArray[np.bool_], scan: Crop, draws: int, seed: int) -> list[NDArray[np.bool_]]:
    """Return the region ``(Y, X)`` at random places within the scan, or an empty list if it fits nowhere else.

    All quarter turns and mirror images that fit are equally likely, and so are all places.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    shape = region[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = scan[0].stop - scan[0].start, scan[1].stop - scan[1].start
    poses = [np.rot90(mirrored, turns) for mirrored in (shape, shape[:, ::-1]) for turns in range(4)]
    poses = [pose for pose in poses if pose.shape[0] <= height and pose.shape[1] <= width]
    if not any(pose.shape != (height, width) for pose in poses):
        return []
    placements = []
    for _ in range(draws):
        pose = poses[rng.integers(len(poses))]
        top = scan[0].start + int(rng.integers(height - pose.shape[0] + 1))
        left = scan[1].start + int(rng.integers(width - pose.shape[1] + 1))
        placement = np.zeros_like(region)
        placement[top : top + pose.shape[0], left : left + pose.shape[1]] = pose
        placements.append(placement)
    return placements


def _in_out(explanation: Explanation, name: str, figures: list[Attention]) -> InOut:
    heatmap = explanation.heatmaps[name]
    if heatmap.reason is not None or heatmap.signed:
        undefined = Measurement(None, undefined=_SIGNED if heatmap.reason is None else heatmap.reason.value)
        return InOut(undefined, undefined)
    pixels = explanation.region.sum()
    total = figures[0].mean * np.prod(explanation.segmentation.geometry.window_shape)
    no_null = "" if len(figures) > 1 else _NO_PLACE
    shares = [(attention.inside or 0.0) * pixels / total if total else None for attention in figures]
    share = (
        Measurement(None, undefined="the heat adds up to 0")
        if shares[0] is None
        else Measurement(float(shares[0]), tuple(float(null_share or 0) for null_share in shares[1:]), no_null)
    )
    ratio = figures[0].ratio
    if ratio is None:
        return InOut(Measurement(None, undefined=figures[0].undefined or ""), share)
    # A place that holds all the heat has no ratio: it counts as larger than any.
    null = tuple(float("inf") if attention.ratio is None else attention.ratio for attention in figures[1:])
    return InOut(Measurement(ratio, null, no_null), share)
