"""The target: which score is explained, a class and the region M of pixels whose logits are summed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError

REGIONS = ("mask", "image")


@dataclass(frozen=True, eq=False)
class Target:
    """The explained score y = Σ_{p ∈ M} logit_class(p), Seg-Grad-CAM (Vinogradova et al. 2020, arXiv:2002.11434).

    Logits are summed, neither averaged nor turned into probabilities; M is frozen from the original prediction.

    Attributes:
        class_index: the output channel; by default the first that is not the background.
        region: M: ``"mask"``, where the network itself finds the class; ``"image"``, everywhere; or a bool array
            ``(Y, X)`` on the frame's grid.
    """

    class_index: int | None = None
    region: Literal["mask", "image"] | NDArray[np.bool_] = "mask"

    def __post_init__(self) -> None:
        if isinstance(self.region, str):
            if self.region not in REGIONS:
                raise SegcamError(f"There is no region {self.region!r}. Choose 'mask', 'image', or give a bool array.")
        elif np.ndim(self.region) != 2:
            raise SegcamError(f"A region must be a (Y, X) array, but this one has the shape {np.shape(self.region)}.")
        else:  # a copy: the caller may go on drawing
            object.__setattr__(self, "region", np.array(self.region, dtype=bool))

    def drawn_region(self, frame_shape: tuple[int, int]) -> NDArray[np.bool_] | None:
        """The region that was given as an array, checked against the frame; None for a region in words.

        Raises:
            SegcamError: if its shape is not the frame's.
        """
        if isinstance(self.region, str):
            return None
        if self.region.shape != frame_shape:
            raise SegcamError(f"The region has the shape {self.region.shape}, but the frame has {frame_shape}.")
        return self.region

    def described(self) -> dict[str, Any]:
        """The target in plain values, for provenance."""
        return {
            "class_index": self.class_index,
            "region": self.region if isinstance(self.region, str) else "drawn",
            "score": "sum of logits over the region",
        }
