"""Options of explanations, in plain texts and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ExplainOptions:
    """How frames are explained; the same for one image and for thousands.

    Attributes:
        methods: names of CAM methods.
        stages: as for ``Explainer``.
        classes: names or numbers; an empty name is the first class that is not the background.
        region: as for ``parse_region``.
        score: as for ``Target``.
        against: names or numbers of the classes that Finer-CAM compares with; empty for the likeliest other one.
        gamma: as for ``Target``.
        crop: as for ``parse_crop``; ``"auto"`` is worked out for each cine.
        preview: whether slow methods run their preview, if they have one.
        autocast: as for ``Explainer``.
        threshold: as for ``Explainer``; None is that of the model card.
        value_range: the values that are black and white in every image; None is what each file says or suggests.
        tolerance: how far the boundaries of the mask and of the true mask may be apart to agree: in mm, or in pixels
            where the image is not calibrated.
        evidence: names of the measures of evidence to take, of ``MEASURES``; empty for none.
        evidence_draws: how many moved copies of each heatmap its faithfulness is compared with.
        evidence_references: what replaces a stage for its influence: ``"mean"``, ``"blur"``, ``"other frame"``.
        evidence_seed: of everything random in the evidence.
    """

    methods: Sequence[str] = ("gradcam",)
    stages: str | Sequence[str] = "main"
    classes: Sequence[str] = ("",)
    region: str = "mask"
    score: str = "logit"
    against: Sequence[str] = ()
    gamma: float = 0.6
    crop: str = "none"
    preview: bool = False
    autocast: bool = False
    threshold: float | None = None
    value_range: tuple[float, float] | None = None
    tolerance: float = 1.0
    evidence: Sequence[str] = ()
    evidence_draws: int = 19
    evidence_references: Sequence[str] = ("mean",)
    evidence_seed: int = 0

    @property
    def needs_truth(self) -> bool:
        """Whether the region depends on a true mask."""
        return self.region in ("false-positive", "false-negative")
