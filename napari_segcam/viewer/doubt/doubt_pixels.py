"""The layer that shows how doubtful each pixel of the frame in view is, on request."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.drawing.colormaps import heat_colormap
from napari_segcam.viewer.layers.frame_stack import FrameStack
from napari_segcam.viewer.layers.placement import OURS, Pair, Placement
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.napari_internals.blank_frames import skip_blank_frames
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.explanation.explanation import Segmentation
    from napari_segcam.viewer.review.session import ReviewSession

_KEPT = 16  # maps, of the frames seen last


class DoubtPixels(QObject):
    """The layer of the chosen image; one per session, as its child.

    It shows the entropy in bits of whether each pixel belongs to the explained class. Maps are made in the worker, from
    probabilities that are there already.
    """

    changed = Signal()

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self._layer: Image | None = None
        self._review: Review | None = None
        self._placement: Placement | None = None
        self._key: Hashable = None
        self._maps: dict[int, NDArray[np.float32]] = {}
        session.frame_changed.connect(self._on_change)
        session.record_changed.connect(self._on_change)
        session.image_changed.connect(self._on_image)

    @property
    def layer(self) -> Image | None:
        """The layer, while it is in the viewer."""
        return self._layer if self._layer in self._session.viewer.layers else None

    @property
    def is_wanted(self) -> bool:
        """Whether the user has asked for the layer of the chosen image, and not removed it."""
        return self._review is not None and self._review is self._session.review

    def show(self) -> None:
        """Add the layer, or bring it back into sight."""
        layer = self.layer
        if layer is not None:
            layer.visible = True
            return
        if self._segmentation() is None:
            self._session.viewer.status = "Segment this frame first: its doubtful pixels follow from the probabilities."
            return
        self._review, self._key, self._maps = self._session.review, None, {}
        self._ask()

    def hide(self) -> None:
        """Remove the layer."""
        layer, self._layer, self._review = self.layer, None, None
        if layer is not None:
            self._session.viewer.layers.remove(layer)

    def _segmentation(self) -> Segmentation | None:
        review = self._session.review
        stored = None if review is None else review.results.segmentation(self._session.current_frame())
        return stored.segmentation if stored is not None and stored.segmentation.is_map else None

    def _on_image(self) -> None:
        if self._review is not None and self._review is not self._session.review:
            self.hide()
            self.changed.emit()

    def _on_change(self, _frame: int | None = None) -> None:
        if self._review is None or self._review is not self._session.review:
            return
        if self._layer is not None and self.layer is None:  # the user has removed it
            self._layer = self._review = None
            self.changed.emit()
        elif self._layer is None or self._layer.visible:
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
            self._add(review, values, scale, translate)
        elif layer.data.ndim == 2:
            layer.data = values
        elif layer.visible and frame == self._session.current_frame():
            layer.refresh(extent=False, thumbnail=False)

    def _add(self, review: Review, values: NDArray[np.float32], scale: Pair, translate: Pair) -> None:
        layers = self._session.viewer.layers
        if (earlier := self.layer) is not None:
            layers.remove(earlier)
        placement = self._placement = Placement(review.image)
        lead = placement.lead()
        layer = Image(
            FrameStack(lambda frame: self._maps.get(frame), (lead[0], *values.shape)) if lead else values,
            name=f"{review.image.name} doubt per pixel",
            rgb=False,
            multiscale=False,
            colormap=heat_colormap("viridis", 0.0),
            contrast_limits=(0, 1),
            opacity=0.8,
            blending="translucent_no_depth",
            interpolation2d="linear",
            metadata={OURS: {"image": review.image.unique_id, "laid": (values.shape, scale, translate)}},
            **placement.transform(scale, translate),
            **placement.names(),
        )
        placement.lay(layer, scale, translate)
        defer_slicing(layer)
        skip_blank_frames(layer, lambda drawn: bool(np.isnan(drawn).all()))
        layer.events.visible.connect(lambda _event: self._on_change())
        self._layer = layer
        with keep_selection(layers):
            layers.append(layer)
        self.changed.emit()
