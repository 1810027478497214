"""The reviews of all images of a viewer, and which image is chosen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.frames.hiding import Hiding
from napari_segcam.viewer.frames.result_store import ResultStore
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.mendable_errors import show_error
from napari_segcam.viewer.review.review import Review

_BUDGET = 1 << 30  # bytes

Notes = Callable[[Review, int, tuple[str, ...]], Sequence[str]]


class ImageReviews(QObject):
    """One review for each image, created when it is first needed.

    Args:
        viewer: that shows the images.
        parent: with which this ends.

    Attributes:
        created: emitted with a new review, before anybody uses it.
        changed: emitted when a state, a figure or what is running has changed.
        image: the chosen image layer, or None.
        frame: the number of its frame in view.
        store: the results of all images.
        hiding: what must not be seen of an image, and is not computed.
        notes: each returns more lines for the canvas, for a review, its frame in view and the stages whose heat is
            visible; after a change of the lines, emit ``changed``.
    """

    created = Signal(object)
    changed = Signal()

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self.image: Image | None = None
        self.frame = 0
        self.store = ResultStore(_BUDGET)
        self.hiding = Hiding()
        self.notes: list[Notes] = []
        self._viewer = viewer
        self._reviews: dict[Any, Review] = {}
        self._orphaned_corrections: list[CorrectionLayer] = []  # of images that were removed

    @property
    def current(self) -> Review | None:
        """The review of the chosen image; None where there is none, or it has too many dimensions."""
        image = self.image
        if image is None or image.ndim > 3:
            return None
        if image.unique_id not in self._reviews:
            review = Review(self._viewer, image, self.store, self.changed.emit, show_error)
            review.allowed = lambda request: self.hiding.allowed(image, request)
            self.created.emit(review)
            self._reviews[image.unique_id] = review
        return self._reviews[image.unique_id]

    def started(self) -> Review | None:
        """Return the review of the chosen image if there is one already; for any thread."""
        image = self.image
        return None if image is None else self._reviews.get(image.unique_id)

    def __iter__(self) -> Iterator[Review]:
        """Iterate over the reviews that there are now."""
        return iter(list(self._reviews.values()))

    def drop_results(self, image: Image) -> bool:
        """End the review of an image whose pixels have changed; return whether there was one.

        Its corrections are kept. The image can have more or fewer frames now, so its next review is a new one.
        """
        review = self._reviews.get(image.unique_id)
        if review is None:
            return False
        review.clear()
        self._orphaned_corrections += review.release()
        del self._reviews[image.unique_id]
        return True

    def keep_only(self, images: Collection[Image]) -> None:
        """End the reviews of all other images, which were removed; their corrections are kept."""
        for image_id in self._reviews.keys() - {image.unique_id for image in images}:
            # taken out first: while it ends, the view is updated, and must show nothing of it
            self._orphaned_corrections += self._reviews.pop(image_id).release()

    def end(self, image: Image) -> None:
        """End the review of an image that is about to be removed, and drop its results.

        Its corrections are kept elsewhere. Its layers stay in the viewer.
        """
        review = self._reviews.pop(image.unique_id, None)
        if review is not None:
            for corrections in review.release():
                corrections.end()
            review.results.clear()

    def corrections(self) -> list[CorrectionLayer]:
        """Return the corrections of all images that have any, those of removed images included."""
        layers = [layer for review in self for layer in review.corrections.layers()]
        self._orphaned_corrections = [layer for layer in self._orphaned_corrections if layer.frames]
        return [layer for layer in (*layers, *self._orphaned_corrections) if layer.frames]

    def set_budget(self, budget: int) -> None:
        """Set how many bytes the results may take."""
        self.store.budget = budget
        if (review := self.current) is not None:
            review.apply_budget()

    @property
    def used_bytes(self) -> int:
        """The bytes that all results take, with the layers of the masks."""
        return self.store.used_bytes + sum(review.layers.size for review in self)
