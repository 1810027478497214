"""Which finding is measured, on which mask, and whether that mask has changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_segcam.measuring.components import component
from napari_segcam.measuring.measurement import MaskSource, Measurement
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.frame_names import frame_in_words
from napari_segcam.viewer.layers.mask_pair import MaskPair
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.review.view_state import is_drawn

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_PREDICTION, _CORRECTION = "prediction", "correction"


@dataclass(frozen=True, eq=False)
class Finding:
    """A connected part of a mask.

    Attributes:
        mask: ``(Y, X)`` bool: the class that it belongs to.
        pixel: row and column of one of its pixels.
        source: what is kept of the mask with a measurement.
    """

    mask: NDArray[np.bool_]
    pixel: tuple[int, int]
    source: MaskSource


@dataclass(frozen=True, eq=False)
class _Seen:
    """A class in a mask that is drawn."""

    pair: MaskPair
    mask: SparseMask
    label: int
    of: str
    class_name: str
    is_explained: bool

    def whole(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        labels = np.zeros(shape, np.uint8)
        self.mask.paint(labels)
        return np.asarray(labels == self.label)


def find(session: ReviewSession, pixel: tuple[int, int] | None = None) -> Finding | str:
    """Return the finding at a pixel of the frame in view, or the largest one; or why there is none, in words.

    The correction is used where the frame has one, else the prediction; only what is drawn is measured. Without a
    pixel, or where it is beside all masks, it is the largest part of the explained class, else of any.
    """
    review, frame = session.review, session.current_frame()
    if review is None:
        return "Open an image first." if session.image is None else "This image has too many dimensions to be measured."
    seen = list(_seen(review, frame))
    if not seen:
        return _why_nothing(review, frame)
    shape = review.full_frame.labels.shape[0], review.full_frame.labels.shape[1]
    if pixel is not None:
        for each in reversed(seen):
            whole = each.whole(shape)
            if whole[pixel]:
                return _finding(session, each, component(whole, pixel), whole)
    explained = [each for each in seen if each.is_explained] or seen
    parts = [(each, whole, component(whole)) for each in explained for whole in [each.whole(shape)]]
    largest = max(parts, key=lambda part: np.count_nonzero(part[2]))
    return _finding(session, largest[0], largest[2], largest[1])


def masks_in_view(session: ReviewSession) -> list[NDArray[np.bool_]]:
    """Return each class in the masks that are drawn in the frame in view, ``(Y, X)``, the topmost last."""
    review = session.review
    if review is None:
        return []
    shape = review.full_frame.labels.shape[0], review.full_frame.labels.shape[1]
    return [each.whole(shape) for each in _seen(review, session.current_frame())]


def outdated_words(session: ReviewSession, review: Review, measurement: Measurement) -> str:
    """Return why a measurement of a mask is outdated, in words; empty if it is not, or nothing is known of the mask."""
    source, frame = measurement.source, measurement.frame
    if source is None:
        return ""
    corrections = [pair.corrections.seen(frame) for pair in _pairs_of(review, source)]
    corrected = [mask for mask in corrections if mask is not None]
    if source.of == _CORRECTION:
        if not corrected:
            return "the correction is no longer there"
        return "" if _is_in(corrected, source) else "the correction has changed"
    if source.threshold is not None and abs(source.threshold - session.threshold) > 1e-9:
        return f"the threshold is now {session.threshold:.2f}"
    if corrected:
        return f"{frame_in_words(review.image, frame)} is corrected now"
    predictions = [pair.mask.predicted(frame) for pair in _pairs_of(review, source)]
    predicted = [mask for mask in predictions if mask is not None]
    return "" if not predicted or _is_in(predicted, source) else "the predicted mask has changed"


def _seen(review: Review, frame: int) -> Iterator[_Seen]:
    """Yield the classes in the masks that are drawn, the topmost last."""
    plan = review.plan
    names = review.corrections.label_names()
    for pair in review.layers.pairs:
        is_explained_pair = pair.mask is review.layers.masks
        correction = pair.corrections.seen(frame)
        if correction is not None:
            mask, of = correction, _CORRECTION
            labels_of = pair.corrections.label_names.get(frame, {})
            explained = None if plan is None else pair.corrections.label_of(frame, plan.label)
            layer = pair.corrections.layer
        else:
            predicted = pair.mask.drawn(frame)
            if predicted is None:
                continue
            mask, of, labels_of, layer = predicted, _PREDICTION, names, pair.mask.layer
            explained = None if plan is None else plan.label
        if not is_drawn(layer):
            continue
        for label in np.unique(mask.labels[mask.labels > 0]).tolist():
            name = pair.corrections.of_class or labels_of.get(label, "")
            yield _Seen(pair, mask, label, of, name, is_explained_pair and label == explained)


def _finding(session: ReviewSession, seen: _Seen, part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Finding:
    network = session.network
    row, column = (int(value) for value in np.argwhere(part)[0])
    is_prediction = seen.of == _PREDICTION
    has_threshold = is_prediction and network is not None and not network.has_background
    source = MaskSource(
        seen.of,
        session.threshold if has_threshold else None,
        seen.class_name,
        session.source.title if is_prediction and session.source is not None else "",
        _digest(part),
        (row, column),
    )
    return Finding(whole, (row, column), source)


def _why_nothing(review: Review, frame: int) -> str:
    words = frame_in_words(review.image, frame)
    layers = [layer for pair in review.layers.pairs for layer in (pair.mask.layer, pair.corrections.layer)]
    has_masks = any(
        (mask := pair.corrections.seen(frame) or pair.mask.predicted(frame)) is not None and not mask.is_blank
        for pair in review.layers.pairs
    )
    if has_masks and not any(is_drawn(layer) for layer in layers):
        return "The mask is hidden: show its layer to measure a finding."
    if any(pair.mask.predicted(frame) is not None or frame in pair.corrections.frames for pair in review.layers.pairs):
        return f"There is no finding in {words}."
    return f"There is no mask of {words} yet: run Segmentation first, or draw a caliper."


def _pairs_of(review: Review, source: MaskSource) -> list[MaskPair]:
    """Return the masks that may hold the class of a measurement."""
    pairs = review.layers.pairs
    return [pair for pair in pairs if pair.corrections.of_class == source.class_name] or pairs


_digests: WeakKeyDictionary[SparseMask, dict[tuple[int, int], str]] = WeakKeyDictionary()


def _is_in(masks: list[SparseMask], source: MaskSource) -> bool:
    """Whether one of the masks still has exactly the measured part."""
    return source.pixel is not None and any(_digest_at(mask, source.pixel) == source.digest for mask in masks)


def _digest_at(mask: SparseMask, pixel: tuple[int, int]) -> str:
    known = _digests.setdefault(mask, {})
    if pixel not in known:
        row, column = pixel[0] - mask.rows.start, pixel[1] - mask.columns.start
        is_inside = 0 <= row < mask.labels.shape[0] and 0 <= column < mask.labels.shape[1]
        label = mask.labels[row, column] if is_inside else 0
        part = component(mask.labels == label, (row, column)) if label else np.zeros((1, 1), bool)
        known[pixel] = _digest(part, (mask.rows.start, mask.columns.start)) if label else ""
    return known[pixel]


def _digest(part: NDArray[np.bool_], offset: tuple[int, int] = (0, 0)) -> str:
    """Return a checksum of the pixels of a part, and of where they are in the frame."""
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    cut = part[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    place = f"{rows[0] + offset[0]},{columns[0] + offset[1]},{cut.shape[0]},{cut.shape[1]};"
    return hashlib.sha1(place.encode() + np.packbits(cut).tobytes(), usedforsecurity=False).hexdigest()
