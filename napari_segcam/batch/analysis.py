"""The analysis: every method and class that is wished for, of each frame of a cine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.wishes import Wishes
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.perturbation import Cancelled
from napari_segcam.explanation.region_words import parse_region
from napari_segcam.explanation.stage_maps import Patience
from napari_segcam.explanation.target import Score, Target
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.scan_region import parse_crop
from napari_segcam.network.network import Network


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
        wishes: Wishes,
        on_runs: Callable[[int], None] = lambda _runs: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        patience = Patience(wishes.preview, self._on_progress, cancelled)
        self.explainers = [
            Explainer(network, method, wishes.stages, patience=patience, autocast=wishes.autocast)
            for method in wishes.methods
        ]
        self.classes = [_class_index(network, name) for name in wishes.classes]
        self.network, self.wishes = network, wishes
        self._on_runs, self._cancelled = on_runs, cancelled
        self._seen = 0
        if wishes.region not in ("false-positive", "false-negative"):  # which need a truth to be understood
            self.target(self.classes[0])

    def target(self, index: int | None, truth: NDArray[np.bool_] | None = None) -> Target:
        """What is explained of a class in a frame.

        Raises:
            SegcamError: if the region or the score is not understood, or needs a truth that is not there.
        """
        region = parse_region(self.wishes.region, truth)
        return Target(index, region, cast("Score", self.wishes.score))  # which refuses others

    def explanations(
        self, cine: Cine, numbers: Sequence[int], truth: Cine | None = None
    ) -> Iterator[tuple[int, Explanation]]:
        """Frame number and explanation, for each frame, method and class; it ends early when cancelled.

        Args:
            cine: whose frames are explained.
            numbers: of the frames.
            truth: true masks, one per frame of the cine, or one for all.

        Raises:
            SegcamError: if a frame or its truth does not go with the network.
        """
        crop = parse_crop(self.wishes.crop, cine)
        for number in numbers:
            frame = cine[number]
            for explainer in self.explainers:
                for index in self.classes:
                    if self._cancelled():
                        return
                    target = self.target(index, true_mask(truth, number, index, self.network))
                    try:
                        explanation = explainer(frame, target, cine.value_range, crop)
                    except Cancelled:
                        return
                    self._on_runs(1)
                    yield number, explanation

    def _on_progress(self, _stage: str, done: int, total: int) -> None:
        self._on_runs(done - self._seen)
        self._seen = done % total  # the next stage begins at nought


def true_mask(truth: Cine | None, number: int, index: int | None, network: Network) -> NDArray[np.bool_] | None:
    """The true mask of a class; in a file for several classes pixels hold the class's number, for one anything.

    Raises:
        SegcamError: if there is none for this frame, or it cannot tell several classes apart.
    """
    if truth is None:
        return None
    if len(truth) > 1 and number >= len(truth):
        raise SegcamError(f"The truth {truth.name} has {len(truth)} frames: there is none for frame {number}.")
    mask: NDArray[Any] = truth[number if len(truth) > 1 else 0]
    if network.classes > 1:
        if mask.ndim == 3:
            raise SegcamError(f"The truth {truth.name} is a colour image: its pixels must hold the classes' numbers.")
        return np.asarray(mask == index)
    return np.asarray((mask > 0).any(-1) if mask.ndim == 3 else mask > 0)


def _class_index(network: Network, name: str) -> int | None:
    if not name and not network.segments:
        return None
    return network.class_index(int(name) if name.isdigit() else name or None)
