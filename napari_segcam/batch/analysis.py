"""The analysis: every method and class that is wished for, of each frame of a cine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.options import ExplainOptions
from napari_segcam.batch.truth import Truth
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.registry import SlowMethod
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.targets.region_words import parse_region
from napari_segcam.explanation.targets.target import Score, Target
from napari_segcam.imaging.cine import Cine, Frame
from napari_segcam.imaging.geometry import Crop
from napari_segcam.imaging.scan.region import crop_for
from napari_segcam.network.network import Network

TrueMasks = Mapping[int | None, NDArray[np.bool_] | None]
"""The true mask ``(Y, X)`` of each class, None where it is not known."""


class Analysis:
    """One network with an explainer for each method that is wished for.

    Args:
        network: that explains.
        wishes: what is wanted of every frame.
        on_runs: told after each step how many runs of the network it was.
        cancelled: asked between two runs of the network whether to stop.

    Attributes:
        explainers: one per method, in the order of the wishes.
        classes: output channels, in the order of the wishes; None is the likeliest of a network that classifies.

    Raises:
        SegcamError: if a wish does not go with the network.
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
        self._on_runs, self._cancelled = on_runs, cancelled
        self._seen = 0
        if not options.needs_truth:
            self.target(self.classes[0])

    def target(self, index: int | None, truth: NDArray[np.bool_] | None = None) -> Target:
        """What is explained of a class in a frame.

        Raises:
            SegcamError: if the region or the score is not understood, or needs a truth that is not there.
        """
        region = parse_region(self.options.region, truth)
        return Target(index, region, cast("Score", self.options.score))  # which refuses others

    def explanations(
        self, cine: Cine, numbers: Sequence[int], truth: Truth | None = None
    ) -> Iterator[tuple[int, Explanation]]:
        """Frame number and explanation, for each frame, method and class; it ends early when cancelled.

        Args:
            cine: whose frames are explained.
            numbers: of the frames.
            truth: that goes with the cine.

        Raises:
            SegcamError: if a frame or its truth does not go with the network.
        """
        crop = crop_for(self.options.crop, cine)
        for number in numbers:
            masks = {index: truth.mask(number, index) if truth else None for index in self.classes}
            for explanation in self.of_frame(cine[number], cine.value_range, crop, masks, cine.pixel_aspect):
                yield number, explanation

    def of_frame(
        self,
        frame: Frame,
        value_range: tuple[float, float],
        crop: Crop | None,
        truth: TrueMasks,
        pixel_aspect: float,
    ) -> Iterator[Explanation]:
        """Each method's explanation of each class of one frame; it ends early when cancelled.

        Args:
            frame: as for ``Explainer``.
            value_range: as for ``Explainer``.
            crop: as for ``Explainer``.
            truth: for each of the classes.
            pixel_aspect: as for ``Explainer``.

        Raises:
            SegcamError: if the frame or its truth does not go with the network.
        """
        targets = [self.target(index, truth[index]) for index in self.classes]
        for explainer in self.explainers:
            # Classes share a forward pass; beside the many of a slow method that is nothing, and one can stop between.
            is_slow = isinstance(explainer.method, SlowMethod)
            for together in [[target] for target in targets] if is_slow else [targets]:
                if self._cancelled():
                    return
                try:
                    explanations = explainer.compare(frame, together, value_range, crop, pixel_aspect)
                except Cancelled:
                    return
                for explanation in explanations:
                    self._on_runs(1)
                    yield explanation

    def _on_progress(self, _stage: str, done: int, total: int) -> None:
        self._on_runs(done - self._seen)
        self._seen = done % total  # the next stage begins at nought


def _class_index(network: Network, name: str) -> int | None:
    if not name and not network.segments:
        return None
    return network.class_index(int(name) if name.isdigit() else name or None)
