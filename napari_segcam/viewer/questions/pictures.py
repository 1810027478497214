"""Pictures of answers: the frame in view with the mask that each answer gives, made in the worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.layer_source import LayerSource

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.explanation.answer_masks import AnswerMask
    from napari_segcam.network.network import Network
    from napari_segcam.network.questions.questions import Option

_SIDE = 240  # pixels of a picture's longer side, also on screens with two pixels a point
_MAJORITY = 127  # of 255


@dataclass(frozen=True, eq=False)
class Shown:
    """What the pictures are of.

    Attributes:
        source: of the frames.
        frame: its number.
        threshold: of the masks; None for the network's own.
        colors: of the network's classes, as the viewer draws them.
    """

    source: LayerSource
    frame: int
    threshold: float | None
    colors: tuple[str, ...]

    @property
    def key(self) -> tuple[object, ...]:
        """Differs where other pictures are needed."""
        return (self.source, self.frame, self.threshold, self.colors)


@dataclass(frozen=True, eq=False)
class AnswerPicture:
    """One answer's picture.

    Attributes:
        index: of the answer.
        pixels: ``(h, w, 3)`` RGB.
        words: what was found.
        failure: why nothing can be shown; empty if it can.
        result: the mask itself.
    """

    index: int
    pixels: NDArray[np.uint8]
    words: str
    failure: str
    result: AnswerMask


def answer_pictures(
    network: Network, options: tuple[Option, ...], shown: Shown, cancelled: Callable[[], bool]
) -> Iterator[AnswerPicture]:
    """Yield the picture of each answer, after one run of the network each.

    Args:
        network: as it is used now.
        options: the answers.
        shown: the frame.
        cancelled: returns whether to stop.
    """
    from napari_segcam.explanation.answer_masks import answer_masks

    cine, crop = shown.source.cine, shown.source.crop
    frame = cine[shown.frame]
    masks = answer_masks(
        network, options, frame, cine.value_range, crop, cine.pixel_aspect, shown.threshold, cancelled=cancelled
    )
    for index, mask in enumerate(masks):
        yield picture_of(index, mask, frame, shown)


def picture_of(index: int, answer: AnswerMask, frame: NDArray[np.generic], shown: Shown) -> AnswerPicture:
    """Return the frame with the mask of an answer, as a small picture."""
    from PIL import Image

    from napari_segcam.reporting.figures import display, with_mask
    from napari_segcam.viewer.drawing.colormaps import class_colors

    cine = shown.source.cine
    picture = display(frame, cine.value_range)
    height, width = picture.shape[0] * max(cine.pixel_aspect, 1.0), picture.shape[1] / min(cine.pixel_aspect, 1.0)
    zoom = _SIDE / max(height, width)
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    small = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.LANCZOS))
    if answer.mask is not None:
        classes, overlap = len(answer.areas), answer.mask.ndim == 3
        colors = class_colors(classes, shown.colors, overlap=overlap)
        small = with_mask(small, _small_mask(answer.mask, size), colors[int(classes > 1 and not overlap) :])
    return AnswerPicture(index, small, answer.words, answer.failure, answer)


def failed_picture(index: int, failure: str, frame: NDArray[np.generic], shown: Shown) -> AnswerPicture:
    """Return the frame alone, for an answer that cannot be used."""
    from napari_segcam.explanation.answer_masks import AnswerMask

    return picture_of(index, AnswerMask(None, (), "not possible", failure), frame, shown)


def all_alike(pictures: Sequence[AnswerPicture]) -> bool:
    """Whether all answers give the same on this frame."""
    return len(pictures) > 1 and all(pictures[0].result.is_like(other.result) for other in pictures[1:])


def _small_mask(
    mask: NDArray[np.uint8] | NDArray[np.bool_], size: tuple[int, int]
) -> NDArray[np.uint8] | NDArray[np.bool_]:
    """Return labels, or masks of overlapping classes, at another size; what is found never vanishes."""
    if mask.ndim == 3:
        return np.stack([_small(of_class, size) for of_class in mask])
    small = np.zeros(size[::-1], np.uint8)
    for label in np.unique(mask[mask > 0]):
        small[_small(mask == label, size)] = label
    return small


def _small(inside: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    from PIL import Image

    shares = np.asarray(Image.fromarray(inside.view(np.uint8) * np.uint8(255)).resize(size, Image.Resampling.BOX))
    most = shares > _MAJORITY
    return most if most.any() else shares > 0
