"""The pipeline: every method and class of the options, for each frame of a cine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.ground_truth import GroundTruth
from napari_segcam.batch.options import ExplainOptions
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.registry import SlowMethod
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.targets.region_words import parse_region
from napari_segcam.explanation.targets.target import Score, Target
from napari_segcam.imaging.cine import Cine, Frame
from napari_segcam.imaging.scan.region import crop_for
from napari_segcam.network.network import Network


@dataclass(frozen=True)
class FrameExplanation:
    """One explanation of a frame: by one method, of one class.

    Attributes:
        number: of the frame in its cine.
        frame: that is explained.
        explanation: of the frame.
        true_mask: ``(Y, X)`` of the explained class; None if it is unknown.
    """

    number: int
    frame: Frame
    explanation: Explanation
    true_mask: NDArray[np.bool_] | None


class ExplainPipeline:
    """A network with an explainer for each method of the options.

    Args:
        network: that is explained.
        options: how frames are explained.
        on_runs: called after each step with the number of runs of the network that it took.
        cancelled: asked between two runs of the network whether to stop.

    Attributes:
        explainers: one for each method, in the order of the options.
        classes: output channels, in the order of the options; None is the likeliest class of a classifier.

    Raises:
        SegcamError: if an option does not suit the network.
    """

    def __init__(
        self,
        network: Network,
        options: ExplainOptions,
        on_runs: Callable[[int], None] = lambda _runs: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        control = ProgressControl(options.preview, self._on_progress, cancelled)
        self.explainers = [
            Explainer(network, method, options.stages, options.threshold, control, autocast=options.autocast)
            for method in options.methods
        ]
        self.classes = [_class_index(network, name) for name in options.classes]
        self.network, self.options = network, options
        self._against = tuple(_class_index(network, name) or 0 for name in options.against if name) or None
        self._on_runs, self._cancelled = on_runs, cancelled
        self._runs_of_stage = 0
        if not options.needs_truth:
            self.target(self.classes[0])

    def target(self, class_index: int | None, true_mask: NDArray[np.bool_] | None = None) -> Target:
        """Return the target of a class in a frame.

        Raises:
            SegcamError: if the region or the score is not understood, or the region needs a true mask that is missing.
        """
        region = parse_region(self.options.region, true_mask)
        score = cast("Score", self.options.score)  # Target refuses others
        return Target(class_index, region, score, self._against, self.options.gamma)

    def true_mask(self, truth: GroundTruth | None, number: int, class_index: int | None) -> NDArray[np.bool_] | None:
        """Return the true mask ``(Y, X)`` of a class in a frame; None if it is unknown.

        Raises:
            SegcamError: if it cannot be read, or the region needs it and only this frame or class has none.
        """
        mask = truth.mask(number, class_index) if truth is not None else None
        if mask is None and truth is not None and self.options.needs_truth:
            name = self.network.class_names[class_index or 0]
            raise SegcamError(
                f"Frame {number} has no true mask of {name}, and the region {self.options.region} needs one. Leave the "
                "frame out, or choose another region."
            )
        return mask

    def explanations(
        self, cine: Cine, numbers: Sequence[int], truth: GroundTruth | None = None
    ) -> Iterator[FrameExplanation]:
        """Explain frames: for each of them every method, and for each method every class. It ends early if cancelled.

        Args:
            cine: that the frames belong to.
            numbers: of the frames.
            truth: true masks of the cine.

        Raises:
            SegcamError: if a frame or its true mask does not suit the network.
        """
        crop = crop_for(self.options.crop, cine)
        for number in numbers:
            frame = cine[number]
            masks = {index: self.true_mask(truth, number, index) for index in self.classes}
            targets = [self.target(index, masks[index]) for index in self.classes]
            for explainer in self.explainers:
                # Classes share a forward pass. A slow method makes many more, and can be stopped between two classes.
                is_slow = isinstance(explainer.method, SlowMethod)
                for group in [[target] for target in targets] if is_slow else [targets]:
                    if self._cancelled():
                        return
                    try:
                        explanations = explainer.compare(frame, group, cine.value_range, crop, cine.pixel_aspect)
                    except Cancelled:
                        return
                    for explanation in explanations:
                        self._on_runs(1)
                        true_mask = masks.get(explanation.target.class_index, masks.get(None))
                        yield FrameExplanation(number, frame, explanation, true_mask)

    def _on_progress(self, _stage: str, done: int, total: int) -> None:
        self._on_runs(done - self._runs_of_stage)
        self._runs_of_stage = done % total  # the next stage starts at 0


def _class_index(network: Network, name: str) -> int | None:
    if not name and not network.segments:
        return None
    return network.class_index(int(name) if name.isdigit() else name or None)
