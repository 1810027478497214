"""Wishes: what is wanted of every frame, in plain words and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ExplainOptions:
    """What is wanted of every frame; the same for one image and for thousands.

    Attributes:
        methods: names of CAM methods.
        stages: as for ``Explainer``.
        classes: names or numbers; an empty name is the first class that is not the background.
        region: as for ``parse_region``.
        score: as for ``Target``.
        crop: as for ``parse_crop``; worked out for each cine.
        preview: of slow methods that have one.
        autocast: as for ``Explainer``.
        threshold: likewise; None is the model card's.
        value_range: the values that mean black and white in every image; None for what each file says or shows.
    """

    methods: Sequence[str] = ("gradcam",)
    stages: str | Sequence[str] = "main"
    classes: Sequence[str] = ("",)
    region: str = "mask"
    score: str = "logit"
    crop: str = "none"
    preview: bool = False
    autocast: bool = False
    threshold: float | None = None
    value_range: tuple[float, float] | None = None

    @property
    def needs_truth(self) -> bool:
        """Whether the region is one of errors, which only a true mask tells."""
        return self.region in ("false-positive", "false-negative")
