"""What the computation of a frame returns, as it is sent from the worker to the review."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.sparse_mask import SparseMask

if TYPE_CHECKING:  # torch comes with these: they are imported where the work is done
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.evidence.finding import Finding
    from napari_segcam.explanation.explanation import Heatmap, Segmentation


@dataclass(frozen=True, eq=False)
class StoredDisagreement:
    """How much the members of an ensemble differ about a class in a frame.

    Attributes:
        value: 0–1, as in ``Disagreement``; None if it is undefined.
        undefined: why, in words.
        deviation: ``(Y, X)`` uint8, the standard deviation of the members' probabilities in steps of 1/510: 0 where all
            agree, 255 for 0.5.
        threshold: of the masks that were compared.
    """

    value: float | None
    undefined: str
    deviation: NDArray[np.uint8]
    threshold: float


@dataclass(frozen=True)
class FrameStarted:
    """The computation of this frame has started."""

    frame: int


@dataclass(frozen=True, eq=False)
class FrameResult:
    """Masks, heatmaps and figures of a frame.

    Attributes:
        plan: by which it was computed.
        frame: its number.
        segmentation: from which masks at another threshold are made.
        masks: one mask of all classes, or one for each class if classes overlap, in which its label is 1.
        mask_threshold: of these masks.
        finding: figures of the explained class in them.
        heatmaps: of the requested stages, by stage name.
        figures: of the heatmaps, by stage name.
        class_names: one per channel of the probabilities.
        region_digest: of the pixels painted as its region; None where there are none.
        region: ``(Y, X)`` that the heatmaps explain; None for the whole frame.
        is_found: whether the network found the class at the place that was asked about; None where none was.
        against: the classes that the heatmaps explain the class against; empty where classes are not compared.
        disagreement: of the members of an ensemble about the explained class; None for one network.
    """

    plan: Plan
    frame: int
    segmentation: Segmentation
    masks: tuple[SparseMask, ...]
    mask_threshold: float
    finding: Finding
    heatmaps: Mapping[str, Heatmap]
    figures: Mapping[str, Attention]
    class_names: tuple[str, ...]
    region_digest: bytes | None
    region: NDArray[np.bool_] | None
    is_found: bool | None = None
    against: tuple[int, ...] = ()
    disagreement: StoredDisagreement | None = None


@dataclass(frozen=True)
class FrameFailure:
    """Why a frame has no result, in the user's words."""

    frame: int
    message: str


@dataclass(frozen=True, eq=False)
class FrameMasks:
    """The masks of a frame at another threshold, and the figures of the plan's class in them."""

    plan: Plan
    frame: int
    masks: tuple[SparseMask, ...]
    finding: Finding
    mask_threshold: float


FrameUpdate = FrameStarted | FrameResult | FrameFailure | FrameMasks
