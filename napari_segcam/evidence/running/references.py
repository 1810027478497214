"""References: what replaces a stage's map when the stage is hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.evidence.hiding import Reference, blur, map_of
from napari_segcam.explanation.frame_replay import FrameReplay

ReferenceName = Literal["mean", "blur", "other frame"]
REFERENCES: tuple[ReferenceName, ...] = get_args(ReferenceName)
"""Each channel's spatial mean, which is always measured; the map strongly blurred; the map of another frame."""


class OtherReferences:
    """The references besides the spatial mean, for the stages of a frame.

    Args:
        names: of the references.
        replay: of the frame.
        other_frame: another frame of the cine, of the same shape; needed for ``"other frame"``.

    Raises:
        SegcamError: if a name is unknown, or the other frame is missing or has another shape.
    """

    def __init__(
        self, names: Sequence[ReferenceName], replay: FrameReplay, other_frame: NDArray[np.generic] | None
    ) -> None:
        check_references(names, other_frame)
        self._names = [name for name in dict.fromkeys(names) if name != "mean"]

        @cache  # one pass for all stages, when the first is hidden
        def maps() -> Mapping[str, torch.Tensor]:
            assert other_frame is not None
            return replay.maps_of(other_frame)

        self._maps = maps

    def of(self, stage: str) -> dict[str, Reference]:
        """Return the references for a stage, by name."""
        return {name: blur if name == "blur" else map_of(self._maps()[stage]) for name in self._names}


def check_references(names: Sequence[str], other_frame: NDArray[np.generic] | None) -> None:
    """Raise a SegcamError if a reference is unknown, or another frame is needed and missing."""
    if unknown := [name for name in names if name not in REFERENCES]:
        raise SegcamError(f"There is no reference {unknown[0]!r}. Choose from: {', '.join(REFERENCES)}.")
    if "other frame" in names and other_frame is None:
        raise SegcamError(
            "For the reference 'other frame' another frame of the cine is needed. A still has none: choose 'blur'."
        )
