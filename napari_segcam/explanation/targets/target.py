"""The target: the explained score, as a class and the region M of pixels whose scores are summed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.targets.region import REGION_NAMES, Mask, Painted, Region, RegionName

Score = Literal["logit", "probability"]
USUAL_GAMMA = 0.6
"""γ of Finer-CAM unless the user sets it: torchcam's. The package grad-cam has 1."""

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
        against: for Finer-CAM, the classes that the class is explained against, by number or name; several count with
            their mean. By default the likeliest other class in M. In an explanation these are numbers, and None where
            the method does not compare classes.
        gamma: for Finer-CAM, the weight γ of their score: 0 is Grad-CAM, 1 the whole difference.
    """

    class_index: int | None = None
    region: RegionName | NDArray[np.bool_] | Region = "mask"
    score: Score = "logit"
    against: int | str | tuple[int | str, ...] | None = None
    gamma: float = USUAL_GAMMA

    def __post_init__(self) -> None:
        if isinstance(self.region, str):
            if self.region not in REGION_NAMES:
                raise SegcamError(f"There is no region {self.region!r}. Choose 'mask', 'image', or give a bool array.")
        elif not isinstance(self.region, Region):
            object.__setattr__(self, "region", Painted(self.region))
        if self.score not in get_args(Score):
            raise SegcamError(f"There is no score {self.score!r}. Choose 'logit' or 'probability'.")
        if not 0 <= self.gamma < math.inf:
            raise SegcamError(f"γ, the weight of the other class, must be 0 or more, but it is {self.gamma:g}.")
        if isinstance(self.against, list):
            object.__setattr__(self, "against", tuple(self.against))

    @property
    def reference_classes(self) -> tuple[int, ...]:
        """Output channels that a resolved target is explained against; empty where classes are not compared."""
        named = self.against if isinstance(self.against, tuple) else ()
        return tuple(index for index in named if isinstance(index, int))

    def pixels(self, mask: Mask) -> Mask:
        """Return M on the frame's grid ``(Y, X)``, for the predicted mask of the class there.

        Raises:
            SegcamError: if the region does not fit the frame.
        """
        if isinstance(self.region, Region):
            return self.region.pixels(mask)
        return mask if self.region == "mask" else np.ones_like(mask)

    def as_dict(self, class_names: Sequence[str] = ()) -> dict[str, Any]:
        """Return the target in plain values, for provenance, with the names of the classes it is explained against.

        Args:
            class_names: of the network, by output channel.
        """
        region: str
        if isinstance(self.region, str):
            region = self.region
        elif isinstance(self.region, Painted):
            region = self.region.name
        else:
            settings = {key: value for key, value in vars(self.region).items() if not isinstance(value, np.ndarray)}
            region = " ".join([type(self.region).__name__, *(f"{key}={value}" for key, value in settings.items())])
        plain: dict[str, Any] = {
            "class_index": self.class_index,
            "region": region,
            "score": f"sum of {_SUMMED[self.score]} over the region",
        }
        if self.reference_classes:
            numbers = list(self.reference_classes)
            names = [class_names[number] if class_names else f"class {number}" for number in numbers]
            others = f"the mean of those of {' and '.join(names)}" if len(names) > 1 else f"those of {names[0]}"
            plain |= {
                "score": f"sum of {_SUMMED[self.score]}, less {self.gamma:g} × {others}, over the region",
                "against": numbers,
                "against_names": names,
                "gamma": self.gamma,
            }
        return plain
