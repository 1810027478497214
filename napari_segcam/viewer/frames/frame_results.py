"""What the network gave for a frame."""

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
class FrameResult:
    """What the network gave for a frame.

    Attributes:
        plan: that it was computed by.
        frame: its number.
        segmentation: from which the mask can be cut again.
        masks: one mask of all classes, or of classes that overlap one of each, whose label is 1.
        cut: the threshold of that mask.
        finding: figures of the explained class in them.
        heatmaps: by stage name; those that were asked for.
        figures: of the heatmaps, by stage name.
        class_names: one per channel of the probabilities.
        painted: a digest of what was painted as its region; None where nothing was.
        region: ``(Y, X)`` that the heatmaps explain; None for the whole frame.
    """

    plan: Plan
    frame: int
    segmentation: Segmentation
    masks: tuple[SparseMask, ...]
    cut: float
    finding: Finding
    heatmaps: Mapping[str, Heatmap]
    figures: Mapping[str, Attention]
    class_names: tuple[str, ...]
    painted: bytes | None
    region: NDArray[np.bool_] | None


@dataclass(frozen=True)
class FrameFailure:
    """Why a frame has no result, in the user's words."""

    frame: int
    message: str
