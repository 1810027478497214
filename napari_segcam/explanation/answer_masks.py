"""What each answer to a question about a network makes of one frame: its masks side by side show which one is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explainer import Explainer, Frame
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.geometry import Crop
from napari_segcam.network.network import Network
from napari_segcam.network.questions.answers import with_answer
from napari_segcam.network.questions.questions import Option

_NEARLY_ALL = 0.95  # share of the frame


@dataclass(frozen=True, eq=False)
class AnswerMask:
    """The mask of one frame if a question has one of its answers.

    Attributes:
        mask: labels ``(Y, X)`` uint8; one mask per class ``(C, Y, X)`` bool where classes overlap; None if the network
            gives no mask, or does not run.
        areas: pixels of each output channel; of the background none.
        words: what was found, in a few words.
        failure: why there is nothing, in the user's words; else empty.
    """

    mask: NDArray[np.uint8] | NDArray[np.bool_] | None
    areas: tuple[int, ...]
    words: str
    failure: str = ""

    def is_like(self, other: AnswerMask) -> bool:
        """Whether another answer gives the same on this frame, pixel by pixel."""
        if self.mask is None or other.mask is None:
            return self.words == other.words and not self.failure and not other.failure
        return self.mask.shape == other.mask.shape and bool((self.mask == other.mask).all())


def answer_masks(
    network: Network,
    options: tuple[Option, ...],
    frame: Frame,
    value_range: tuple[float, float] | None = None,
    crop: Crop | None = None,
    pixel_aspect: float = 1.0,
    threshold: float | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[AnswerMask]:
    """Yield the mask of a frame for each answer, one run of the network each.

    Args:
        network: as it is used now; it is not changed.
        options: the answers.
        frame: as for ``Explainer``.
        value_range: as for ``Explainer``.
        crop: as for ``Explainer``.
        pixel_aspect: as for ``Explainer``.
        threshold: as for ``Explainer``.
        cancelled: returns whether to stop.
    """
    for option in options:
        try:
            explainer = Explainer(
                with_answer(network, option.fields),
                stages=(),
                threshold=threshold,
                control=ProgressControl(cancelled=cancelled),
            )
            explanation = explainer(frame, Target(region="image"), value_range, crop, pixel_aspect)
        except Cancelled:
            return
        except SegcamError as error:
            yield AnswerMask(None, (), "not possible", str(error))
        else:
            yield mask_of(explanation, explainer.network)


def mask_of(explanation: Explanation, network: Network) -> AnswerMask:
    """Return the mask of an explanation with its areas, as answers are compared by."""
    if not network.segments:
        index = int(explanation.probabilities.reshape(network.classes, -1).max(1).argmax())
        share = float(explanation.probabilities[index].max())
        return AnswerMask(None, (), f"{network.class_names[index]} {share:.0%}")
    mask: Any = explanation.mask
    if network.classes_overlap:
        mask = explanation.probabilities > explanation.threshold
        areas = tuple(int(of_class.sum()) for of_class in mask)
        covered = int(mask.any(0).sum())
    else:
        counts = np.bincount(mask.ravel(), minlength=network.classes + 1)
        first = 0 if network.has_background else 1
        areas = tuple(int(count) for count in counts[first : first + network.classes])
        areas = (0, *areas[1:]) if network.has_background else areas
        covered = sum(areas)
    return AnswerMask(mask, areas, _area_words(covered, mask.shape[-2] * mask.shape[-1]))


def _area_words(covered: int, pixels: int) -> str:
    if not covered:
        return "nothing found"
    share = covered / pixels
    if share > _NEARLY_ALL:
        return "nearly all" if share < 1 else "everything"
    return f"{share:.0%}" if share >= 0.095 else f"{share:.1%}" if share >= 0.0005 else f"{covered} pixels"
