"""Corrections in the log: every stroke is appended, and what was kept comes back as corrections of its frames."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer, KeptCorrection
from napari_segcam.viewer.project.case_opening import CorrectionKey, read_correction
from napari_segcam.viewer.project.open_project import OpenProject

if TYPE_CHECKING:
    from napari_segcam.viewer.review.review import Review
    from napari_segcam.viewer.review.session import ReviewSession


class KeptCorrections:
    """Keeps the corrections of the case in view in the log.

    Args:
        session: whose reviews have the corrections.
        project: of the project.
    """

    def __init__(self, session: ReviewSession, project: OpenProject) -> None:
        self._session = session
        self._project = project
        self._kept: dict[CorrectionKey, SparseMask] = {}  # as the log has them
        self._waiting: dict[int, tuple[CorrectionLayer, int, NDArray[np.uint8]]] = {}  # by the number of their event
        session.reviews.created.connect(self._on_review_created)
        project.saved.connect(self._on_saved)

    def restore(self, review: Review, reading: Reading, corrections: Mapping[CorrectionKey, KeptCorrection]) -> None:
        """Show the corrections of a reading; the log already has them."""
        self._kept = {key: correction.mask for key, correction in corrections.items()}
        self._waiting.clear()
        for of_class in dict.fromkeys(of_class for of_class, _frame in corrections):
            layer = review.layers.pair(of_class).corrections
            layer.restore({frame: kept for (name, frame), kept in corrections.items() if name == of_class})
            layer.unsaved -= layer.frames
        self._keep_unread(reading)

    def let_go(self) -> None:
        """Keep nothing more of the case in view, which leaves."""
        self._kept = {}
        self._waiting.clear()

    def apply(self, reading: Reading, frame: int, of_class: str) -> None:
        """Show the correction of a frame as the log has it now, after an undo or a redo."""
        review, log = self._session.review, self._project.log
        if review is None or log is None or review.image is not self._project.layers.image:
            return
        event = log.state.of(reading).corrections.get((frame, of_class))
        layer = review.layers.pair(of_class).corrections
        if event is None:
            self._kept.pop((of_class, frame), None)
            layer.discard(frame)
            return
        try:
            kept = read_correction(log, event)
        except SegcamError as fault:
            self._project.error.emit(str(fault))
            return
        self._kept[of_class, frame] = kept.mask
        layer.restore({frame: kept})

    def _keep_unread(self, reading: Reading) -> None:
        """Count corrections whose masks cannot be read as kept: a missing file does not discard them."""
        for frame, of_class in self._project.state_of(reading).corrections:
            self._kept.setdefault((of_class, frame), _UNREAD)

    # What the reader paints

    def _on_review_created(self, review: Review) -> None:
        if review.image is not self._project.layers.image:
            return
        earlier = review.layers.on_corrected

        def on_corrected(frames: Collection[int]) -> None:
            earlier(frames)
            self._keep(review, frames)

        review.layers.on_corrected = on_corrected

    def _keep(self, review: Review, frames: Collection[int]) -> None:
        """Append what has changed in these frames."""
        project = self._project
        reading = project.reading
        if project.log is None or reading is None or review.image is not project.layers.image:
            return
        project.keep_input(reading)
        has_changed = False
        for pair in review.layers.pairs:
            for frame in frames:
                has_changed |= self._keep_frame(reading, pair.corrections, frame)
        if has_changed:
            project.state_changed.emit()

    def _keep_frame(self, reading: Reading, layer: CorrectionLayer, frame: int) -> bool:
        log, key, seen = self._project.log, (layer.of_class, frame), layer.seen(frame)
        assert log is not None
        kept = self._kept.get(key)
        if (
            seen is kept
            or (kept is _UNREAD and seen is None)
            or (seen is not None and kept is not None and _equal(seen, kept))
        ):
            return False
        if seen is None:
            del self._kept[key]
            log.correct(reading, frame, None, of_class=layer.of_class)
            return True
        labels = layer.pixels(frame)
        assert labels is not None
        labels, started_from = labels.copy(), _whole(layer.started_from(frame), labels.shape)
        if self._project.has_other_network:
            started_from = None  # it is no prediction of the project's checkpoint
        event = log.correct(
            reading,
            frame,
            labels,
            of_class=layer.of_class,
            started_from=started_from,
            names=layer.label_names.get(frame),
            threshold=self._session.threshold,
        )
        self._kept[key] = seen
        self._waiting[event.n] = (layer, frame, labels)
        return True

    def _on_saved(self, number: int) -> None:
        """Note which corrections are on disk, so that nobody is asked about them."""
        for event in [event for event in self._waiting if event <= number]:
            layer, frame, labels = self._waiting.pop(event)
            layer.mark_saved({frame: labels})


_UNREAD = SparseMask.from_labels(np.zeros((1, 1), np.uint8))


def _equal(first: SparseMask, second: SparseMask) -> bool:
    """Whether two masks of one frame are the same; both are within their bounding boxes."""
    return (first.rows, first.columns) == (second.rows, second.columns) and np.array_equal(first.labels, second.labels)


def _whole(mask: SparseMask | None, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Return the labels ``(Y, X)`` of a mask."""
    if mask is None:
        return None
    labels = np.zeros(shape, np.uint8)
    mask.paint(labels)
    return labels
