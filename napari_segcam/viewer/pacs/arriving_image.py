"""The image layer of a cine that is still coming: shown with the first frame, drawn again, and completed in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject

from napari_segcam.viewer.frames.arriving_frames import ArrivingFrames
from napari_segcam.viewer.mendable_errors import show_warning
from napari_segcam.viewer.pacs.arrival import Begun, Complete
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.session import ReviewSession

_REDRAW_MS = 150


class ArrivingImage(QObject):
    """One image that is being received.

    Args:
        session: of the viewer that shows it.
        on_removed: called when the user removes the layer before it is complete.

    Attributes:
        image: the layer; None before the first frame.
    """

    def __init__(self, session: ReviewSession, on_removed: Callable[[], None]) -> None:
        super().__init__(session)
        self._session = session
        self._on_removed = on_removed
        self.image: Image | None = None
        self._drawn_with: tuple[int, bool] | None = None
        self._redraw = Throttle(self._draw_if_new, self, _REDRAW_MS)
        session.viewer.layers.events.removed.connect(self._on_layer_removed)

    def begin(self, begun: Begun) -> None:
        """Add the layer, which the session then chooses."""
        self.image = Image(begun.data, **begun.attributes)
        self._add(self.image)
        self._session.go_to(0)  # napari begins in the middle, where nothing is yet

    def receive(self) -> None:
        """Draw the frame in view again, if it has come."""
        if self.image is not None:
            self._redraw.ask()

    def complete(self, complete: Complete) -> Image:
        """Show the whole file, in the same layer where that fits."""
        image, self.image = self.image, None
        self.end()
        if complete.notes:
            show_warning(f"{complete.attributes['name']}: {complete.notes}")
        if image is None or not _fits(image, complete):
            if image is not None:
                self._session.viewer.layers.remove(image)
            image = Image(complete.data, **complete.attributes)
            self._add(image)
            return image
        image.metadata = {**image.metadata, **complete.attributes["metadata"]}
        image.data = complete.data  # the session drops what it knew of the image
        if "contrast_limits" in complete.attributes and not image.rgb:
            image.contrast_limits = complete.attributes["contrast_limits"]
        return image

    def fail(self) -> None:
        """Remove what is there of it."""
        image, self.image = self.image, None
        self.end()
        if image is not None and image in self._session.viewer.layers:
            self._session.viewer.layers.remove(image)

    def end(self) -> None:
        """Follow the viewer no longer."""
        self._redraw.stop()
        self._session.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.deleteLater()

    def _add(self, image: Image) -> None:
        viewer = self._session.viewer
        viewer.add_layer(image)
        if image.ndim == viewer.dims.ndim:
            viewer.reset_view(layers=[image])
        else:  # napari cannot fit a still alone to the canvas among cines
            viewer.reset_view()

    def _draw_if_new(self) -> None:
        image = self.image
        if image is None or not isinstance(image.data, ArrivingFrames):
            return
        number = self._session.current_frame() if self._session.image is image else 0
        state = (number, image.data.has(number))
        if state[1] and state != self._drawn_with:
            image.refresh(extent=False)
        self._drawn_with = state

    def _on_layer_removed(self, event: Any) -> None:
        if event.value is self.image and self.image is not None:
            self.image = None
            self.end()
            self._on_removed()


def _fits(image: Image, complete: Complete) -> bool:
    """Return whether the layer that showed the frames as they came can show the file."""
    data, attributes = complete.data, complete.attributes
    scale = attributes.get("scale", (1.0,) * data.ndim)
    return bool(
        image.rgb == attributes["rgb"]
        and tuple(image.data.shape) == tuple(data.shape)
        and image.dtype == data.dtype
        and np.allclose(image.scale, scale[-image.ndim :])
    )
