"""Options of a measurement of robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RobustnessOptions:
    """What is perturbed, and what is measured.

    Attributes:
        perturbations: names, of ``napari_segcam.perturbing.catalog.PERTURBATIONS``; empty for those of ``strengths``,
            or else for all.
        strengths: by name, instead of the usual ones of a perturbation.
        classes: names or numbers; an empty name is the first class that is not the background.
        method: name of the CAM method of the heatmap.
        stage: name of the heatmap's stage; None for the stage that is shown first in the unperturbed frame.
        crop: as for ``parse_crop``: only this part of each frame is perturbed and measured.
        value_range: the values that are black and white in every image; None is what each file says or suggests.
        threshold: of the network; None is that of its model card.
        frames_of_cine: the most frames of each cine, evenly spread.
        limit: the most images; a random sample if there are more. None for all.
        seed: of the sample, of everything random in perturbations, and of the bootstrap.
    """

    perturbations: Sequence[str] = ()
    strengths: Mapping[str, Sequence[float]] = field(default_factory=dict)
    classes: Sequence[str] = ("",)
    method: str = "gradcam"
    stage: str | None = None
    crop: str = "none"
    value_range: tuple[float, float] | None = None
    threshold: float | None = None
    frames_of_cine: int = 3
    limit: int | None = None
    seed: int = 0
