"""Predictions: the masks that a rater accepted as they are, computed again by the project's checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.review.export.class_labels import Regions
from napari_segcam.review.export.selection import ReviewedFrame
from napari_segcam.review.project import ReviewProject
from napari_segcam.review.project_file import Checkpoint

if TYPE_CHECKING:  # these import torch
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.network.network import Network


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
        """The network.

        Raises:
            SegcamError: if the checkpoint is missing, was changed since the project was made, or gives no masks.
        """
        if problem := self._project.checkpoint_problem(self._name):
            raise SegcamError(
                f"{problem} The masks that were accepted are computed by it: put the original file back, or export "
                "corrections alone with --verdict correct."
            )
        network = self._project.model_source(self._name).load(card=self._project.model_card(self._name))
        if not network.segments:
            raise SegcamError(f"Checkpoint {self._name} classifies whole frames: it has no masks to export.")
        return network

    @property
    def class_names(self) -> list[str]:
        """The network's classes without the background."""
        names = list(self.network.class_names)
        return names[1:] if self.network.has_background else names

    def predict(self, cine: Cine, frames: Sequence[ReviewedFrame]) -> Mapping[ReviewedFrame, Prediction]:
        """Return the prediction for each of the frames of a cine, at the threshold that the rater saw.

        Raises:
            SegcamError: if the checkpoint cannot be used, or a frame does not fit it.
        """
        from napari_segcam.explanation.explainer import Explainer
        from napari_segcam.explanation.targets.target import Target

        found: dict[ReviewedFrame, Prediction] = {}
        wanted: dict[float | None, list[ReviewedFrame]] = {}
        for frame in frames:
            threshold = self._project.settings.threshold if frame.threshold is None else frame.threshold
            wanted.setdefault(threshold, []).append(frame)
        for threshold, same in wanted.items():
            explainer = Explainer(self.network, stages=(), threshold=threshold)
            images = (cine[frame.frame] for frame in same)
            explanations = explainer.each(
                images, Target(region="image"), cine.value_range, pixel_aspect=cine.pixel_aspect
            )
            for frame, explanation in zip(same, explanations, strict=True):
                found[frame] = Prediction(_regions(explanation), explanation.threshold)
        return found


def _regions(explanation: Explanation) -> Regions:
    first = 1 if explanation.has_background else 0
    return {name: explanation.class_mask(index) for index, name in enumerate(explanation.class_names) if index >= first}
