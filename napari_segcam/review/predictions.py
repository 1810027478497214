"""Predictions: masks of a case, computed again by the project's checkpoint as the raters saw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.review.log.events import Input
from napari_segcam.review.project import ReviewProject
from napari_segcam.review.project_file import Checkpoint

if TYPE_CHECKING:  # these import torch
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.network.network import Network

Regions = Mapping[str, NDArray[np.bool_]]
"""The region ``(Y, X)`` of each class in a frame."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """The predicted mask of a frame.

    Attributes:
        regions: of the classes without the background.
        threshold: that cut it.
    """

    regions: Regions
    threshold: float


class Predictor:
    """Runs a project's checkpoint, which is loaded when the first mask is needed.

    Args:
        project: of the review.
        name: of the checkpoint.
    """

    def __init__(self, project: ReviewProject, name: str) -> None:
        self._project, self._name = project, name

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint.

        Raises:
            SegcamError: if the project has none of that name.
        """
        return self._project.checkpoint(self._name)

    @cached_property
    def network(self) -> Network:
        """The network, with the model card that the project keeps.

        Raises:
            SegcamError: if the checkpoint is missing, was changed since the project was made, or gives no masks.
        """
        if problem := self._project.checkpoint_problem(self._name):
            raise SegcamError(f"{problem} Its masks are needed: put the original file back.")
        network = self._project.model_source(self._name).load(card=self._project.model_card(self._name))
        if not network.segments:
            raise SegcamError(f"Checkpoint {self._name} classifies whole frames: it has no masks.")
        return network

    @property
    def class_names(self) -> list[str]:
        """The network's classes without the background."""
        names = list(self.network.class_names)
        return names[1:] if self.network.has_background else names

    def predict(
        self, cine: Cine, frames: Sequence[tuple[int, float | None]], seen: Input | None = None
    ) -> list[Prediction]:
        """Return the predictions for some frames of a cine, in their order.

        Args:
            cine: of the case.
            frames: the number of each, and the threshold; None for that of the project, or else of the model card.
            seen: what the network saw of the case; None for all of it, as the file says.

        Raises:
            SegcamError: if the checkpoint cannot be used, or a frame does not fit it.
        """
        from napari_segcam.explanation.explainer import Explainer
        from napari_segcam.explanation.targets.target import Target

        default = self._project.settings.threshold
        value_range, crop = cine.value_range if seen is None else seen.value_range or cine.value_range, None
        if seen is not None and seen.crop is not None:
            top, bottom, left, right = seen.crop
            crop = slice(top, bottom), slice(left, right)
        places: dict[float | None, list[int]] = {}
        for place, (_, threshold) in enumerate(frames):
            places.setdefault(default if threshold is None else threshold, []).append(place)
        found: dict[int, Prediction] = {}
        for threshold, same in places.items():
            explainer = Explainer(self.network, stages=(), threshold=threshold)
            images = (cine[frames[place][0]] for place in same)
            target = Target(region="image")
            explanations = explainer.each(images, target, value_range, crop=crop, pixel_aspect=cine.pixel_aspect)
            for place, explanation in zip(same, explanations, strict=True):
                found[place] = Prediction(_regions(explanation), explanation.threshold)
        return [found[place] for place in range(len(frames))]


def _regions(explanation: Explanation) -> Regions:
    first = 1 if explanation.has_background else 0
    return {name: explanation.class_mask(index) for index, name in enumerate(explanation.class_names) if index >= first}
