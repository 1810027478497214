"""The layer that shows how doubtful each pixel of the frame in view is, on request."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.layers.placement import OURS
from napari_segcam.viewer.pixel_layer import PixelLayer
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.explanation.explanation import Segmentation
    from napari_segcam.viewer.review.session import ReviewSession

_KEPT = 16  # maps, of the frames seen last


class DoubtPixels(PixelLayer):
    """The entropy in bits of whether each pixel belongs to the explained class.

    Maps are made in the worker, from probabilities that are there already.
    """

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._key: Hashable = None
        self._maps: dict[int, NDArray[np.float32]] = {}

    def show(self) -> None:
        layer = self.layer
        if layer is not None:
            layer.visible = True
            return
        if self._segmentation() is None:
            self._session.viewer.status = "Segment this frame first: its doubtful pixels follow from the probabilities."
            return
        self._review, self._key, self._maps = self._session.review, None, {}
        self._ask()

    def _segmentation(self) -> Segmentation | None:
        review = self._session.review
        stored = None if review is None else review.results.segmentation(self._session.current_frame())
        return stored.segmentation if stored is not None and stored.segmentation.is_map else None

    def _update(self) -> None:
        if self._layer is None or self._layer.visible:
            self._ask()

    def _ask(self) -> None:
        """Have the map of the frame in view made, if it is not there."""
        review, frame, segmentation = self._session.review, self._session.current_frame(), self._segmentation()
        plan = None if review is None else review.plan
        if review is None or plan is None:
            self._forget(None)
            return
        class_index, threshold = plan.class_index, review.frame_jobs.mask_threshold
        key = (review.record, plan.mask_key, class_index, threshold)
        self._forget(key)
        if frame in self._maps or segmentation is None:
            return

        def work() -> Iterator[NDArray[np.float32]]:
            from napari_segcam.evidence.doubt.pixel_map import entropy_on_input

            yield entropy_on_input(segmentation, class_index, threshold)

        def enter(values: NDArray[np.float32]) -> None:
            if self._key == key and self._review is review:
                self._enter(review, frame, values, segmentation)

        self._session.submit(Job("doubt pixels", "Doubt per pixel", work, on_result=enter))

    def _forget(self, key: Hashable) -> None:
        if key != self._key:
            self._key, self._maps = key, {}
            if (layer := self.layer) is not None:
                layer.refresh(extent=False, thumbnail=False)

    def _enter(self, review: Review, frame: int, values: NDArray[np.float32], segmentation: Segmentation) -> None:
        self._maps.pop(frame, None)
        self._maps[frame] = values
        while len(self._maps) > _KEPT:
            del self._maps[next(iter(self._maps))]
        scale, translate = segmentation.geometry.placement((values.shape[0], values.shape[1]))
        layer = self.layer
        if layer is None or layer.metadata[OURS]["laid"] != (values.shape, scale, translate):
            if layer is not None:
                self._session.viewer.layers.remove(layer)
            self._add(
                review,
                values,
                lambda frame: self._maps.get(frame),
                scale,
                translate,
                name="doubt per pixel",
                colormap="viridis",
                contrast_limits=(0, 1),
                interpolation2d="linear",
            )
        elif layer.data.ndim == 2:
            layer.data = values
        elif layer.visible and frame == self._session.current_frame():
            layer.refresh(extent=False, thumbnail=False)
