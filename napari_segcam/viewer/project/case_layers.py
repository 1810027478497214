"""The layers of the case in view: added when it opens, and removed after it has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image, Layer
from qtpy.QtCore import QObject, QTimer

from napari_segcam.viewer.layers.placement import OURS, is_ours
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.project.case_opening import OpenedCase
from napari_segcam.viewer.responsiveness.garbage_collection import quick_collections, without_gc_pause

if TYPE_CHECKING:
    from napari_segcam.viewer.review.review import Review
    from napari_segcam.viewer.review.session import ReviewSession

_FIRST_MS = 250  # until the first layer is removed: the next case is drawn before
_BETWEEN_MS = 15  # from one removed layer to the next, so that the window answers meanwhile


class CaseLayers(QObject):
    """The image of the case in view, and the layers that belong to it.

    Removing the layers of a case takes napari a third of a second. They are hidden at once, and removed one by one
    while the next case is already in view.

    Attributes:
        image: of the case; None while there is none.
    """

    def __init__(self, session: ReviewSession, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.image: Image | None = None
        self._opened: OpenedCase | None = None
        self._leaving: list[Layer] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._remove_next)
        session.reviews.created.connect(self._on_review_created)

    @property
    def is_shown(self) -> bool:
        """Whether the image is in the viewer."""
        return self.image is not None and self.image in self._session.viewer.layers

    def show(self, opened: OpenedCase) -> None:
        """Add the image of a case, which the session then chooses and which fills the canvas."""
        self._opened, self.image = opened, opened.image()
        viewer = self._session.viewer
        if self.image.ndim < viewer.dims.ndim or any(_has_other_units(layer, self.image) for layer in self._leaving):
            self.remove_retired()  # napari cannot fit a still to the canvas among cines, and warns of mixed units
        with without_gc_pause():
            viewer.add_layer(self.image)
        viewer.reset_view(layers=[self.image])

    def draw_now(self) -> None:
        """Draw the canvas, before heatmaps are added one by one and earlier layers are removed."""
        canvas = canvas_of(self._session.viewer)
        if canvas is not None and canvas.isVisible():
            canvas.repaint()

    def retire(self) -> None:
        """Hide the image and all layers that belong to it, and remove them soon; the log keeps what the reader did."""
        image, self.image, self._opened = self.image, None, None
        if image is None:
            return
        self.remove_retired()
        layers = self._session.viewer.layers
        self._leaving = [layer for layer in layers if layer is image or _belongs_to(layer, image)]
        self._session.reviews.end(image)
        with quick_collections(), layers.batched_update():  # the canvas is arranged once
            for layer in self._leaving:
                if layer.visible:
                    layer.visible = False
        for layer in self._leaving:
            layer.name = f"{layer.name} (closed)"  # the layers of the next case have the same names
        self._timer.start(_FIRST_MS)

    def remove_retired(self) -> None:
        """Remove now what is still there of cases that have left."""
        self._timer.stop()
        leaving, self._leaving = self._leaving, []
        if not leaving:
            return
        layers = self._session.viewer.layers
        with quick_collections(), layers.batched_update():
            for layer in leaving:
                if layer in layers:
                    layers.remove(layer)

    def _remove_next(self) -> None:
        """Remove one layer, the image last."""
        layers = self._session.viewer.layers
        if not self._leaving:
            return
        layer = self._leaving.pop()
        if layer in layers:
            with quick_collections():
                layers.remove(layer)
        if self._leaving:
            self._timer.start(_BETWEEN_MS)

    def _on_review_created(self, review: Review) -> None:
        """Let the review read the frames that were computed ahead from the same source, so that they count for it."""
        if self._opened is not None and review.image is self.image and self._opened.source is not None:
            review.input.source = self._opened.source


def _has_other_units(layer: Layer, image: Image) -> bool:
    return tuple(layer.units)[-image.ndim :] != tuple(image.units)[-layer.ndim :]


def _belongs_to(layer: Layer, image: Image) -> bool:
    return is_ours(layer) and layer.metadata[OURS].get("image") == image.unique_id
