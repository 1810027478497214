"""The target: the explained score, as a class and the region M of pixels whose scores are summed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.targets.region import REGION_NAMES, Mask, Painted, Region, RegionName

Score = Literal["logit", "probability"]
_SUMMED: dict[Score, str] = {"logit": "logits", "probability": "probabilities"}


@dataclass(frozen=True, eq=False)
class Target:
    """The explained score y = Σ_{p ∈ M} s_class(p), as in Seg-Grad-CAM (Vinogradova et al. 2020, arXiv:2002.11434).

    M is frozen from the original prediction, and the scores are summed over it, not averaged: the Grad-CAM++ weights
    depend on that.

    The two scores answer different questions. The *logit* of a class rises with the evidence for it, even where the
    network is already sure. Its *probability* hardly changes where the network is sure, so its gradient p (1 − p) comes
    from the uncertain pixels, mostly at the boundary; and where classes exclude each other it also falls with the
    evidence for the others. Tutorials that use the mean of the softmax explain the probability.

    Attributes:
        class_index: the output channel; by default the first that is not the background.
        region: M: ``"mask"``, where the network finds the class; ``"image"``, everywhere; a bool array ``(Y, X)``
            on the frame's grid; or one of the kinds in ``napari_segcam.explanation.targets.region``.
        score: ``"logit"`` or ``"probability"``.
    """

    class_index: int | None = None
    region: RegionName | NDArray[np.bool_] | Region = "mask"
    score: Score = "logit"

    def __post_init__(self) -> None:
        if isinstance(self.region, str):
            if self.region not in REGION_NAMES:
                raise SegcamError(f"There is no region {self.region!r}. Choose 'mask', 'image', or give a bool array.")
        elif not isinstance(self.region, Region):
            object.__setattr__(self, "region", Painted(self.region))
        if self.score not in get_args(Score):
            raise SegcamError(f"There is no score {self.score!r}. Choose 'logit' or 'probability'.")

    def pixels(self, mask: Mask) -> Mask:
        """Return M on the frame's grid ``(Y, X)``, for the predicted mask of the class there.

        Raises:
            SegcamError: if the region does not fit the frame.
        """
        if isinstance(self.region, Region):
            return self.region.pixels(mask)
        return mask if self.region == "mask" else np.ones_like(mask)

    def as_dict(self) -> dict[str, Any]:
        """Return the target in plain values, for provenance."""
        region: str
        if isinstance(self.region, str):
            region = self.region
        elif isinstance(self.region, Painted):
            region = self.region.name
        else:
            settings = {key: value for key, value in vars(self.region).items() if not isinstance(value, np.ndarray)}
            region = " ".join([type(self.region).__name__, *(f"{key}={value}" for key, value in settings.items())])
        return {
            "class_index": self.class_index,
            "region": region,
            "score": f"sum of {_SUMMED[self.score]} over the region",
        }
