"""What the user asks for when a run starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CORRECTED = "corrected"  # the region that is the mask as the user has edited it, or as predicted in unedited frames


@dataclass(frozen=True)
class RunRequest:
    """What to compute for each frame of a run.

    Attributes:
        method: name of the method of the heatmaps.
        preview: whether to run a slow method as a preview, where it has one.
        stages: names of the stages to explain; None for the mask alone.
        class_index: the explained class; None for the first that is not the background.
        region: ``"mask"``, ``"image"``, ``CORRECTED``, a rule, or a Labels layer whose painted pixels are the region.
        against: the class that a method such as Finer-CAM compares with; None for the likeliest other one.
        member: of an ensemble, number of the member whose heatmaps are shown; None for those of all together.
    """

    method: str = "gradcam"
    stages: tuple[str, ...] | None = None
    class_index: int | None = None
    region: Any = "mask"
    preview: bool = False
    against: int | None = None
    member: int | None = None
