"""Options of an export as DICOM objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_segcam.errors import SegcamError

KINDS = ("binary", "fractional", "labelmap")
SEGMENTS = ("class", "finding")
COMPRESSIONS = ("jpeg", "none")

FirstStages = Literal["never", "once", "each frame"]
"""When it is said which stage to look at first."""

FRAMES_WAITED = 32
"""In how many frames it can be said once which stage to look at first: all heatmaps wait in memory until then."""


@dataclass(frozen=True)
class DicomOptions:
    """How results become DICOM objects.

    Attributes:
        kind: of the segmentation: ``binary``, ``fractional`` (probabilities) or ``labelmap``.
        segments: what a segment of it is: a ``class``, or a ``finding`` that is followed over the frames.
        overlay_stage: whose heatmap the overlay cine shows; None for the stage that is to be looked at first.
        compression: of the overlay cine: ``jpeg``, or ``none``.
        reader: name of who judged or edited masks, as typed; empty if it is not known.
    """

    kind: str = "binary"
    segments: str = "class"
    overlay_stage: str | None = None
    compression: str = "jpeg"
    reader: str = ""

    def __post_init__(self) -> None:
        """Refuse what is not possible.

        Raises:
            SegcamError: if so.
        """
        for what, given, known in (
            ("kind of segmentation", self.kind, KINDS),
            ("kind of segment", self.segments, SEGMENTS),
            ("compression", self.compression, COMPRESSIONS),
        ):
            if given not in known:
                raise SegcamError(f"There is no {what} “{given}”: give one of {', '.join(known)}.")
        if self.kind == "fractional" and self.segments == "finding":
            raise SegcamError(
                "A fractional segmentation holds the probability of a class in every pixel, so it cannot be divided "
                "into findings: choose binary or labelmap, or one segment for each class."
            )
