"""The layers of measurements of all images of a viewer: only those of the chosen image are shown."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from napari.components import ViewerModel
from napari.layers import Image

from napari_segcam.viewer.calipers.measurement_layer import Drawing, MeasurementLayer

_NO_FRAME = -1


class MeasurementLayers:
    """One layer for each image that has been measured.

    Args:
        viewer: that shows the images.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: WeakKeyDictionary[Image, MeasurementLayer] = WeakKeyDictionary()

    def show(self, image: Image, drawings: Sequence[Drawing], frame: int | None) -> None:
        """Draw the measurements of an image, with this frame in view; None if another image is chosen."""
        if image not in self._viewer.layers or (not drawings and image not in self._layers):
            return
        self._of(image).show(drawings, _NO_FRAME if frame is None else frame)

    def look_at(self, image: Image | None, frame: int) -> None:
        """Follow the user to a frame of the chosen image; those of other images are hidden."""
        for other, layer in self._layers.items():
            layer.look_at(frame if other is image else _NO_FRAME)

    def is_seen(self, image: Image) -> bool:
        """Whether measurements of the frame in view are drawn."""
        return image in self._layers and self._layers[image].is_seen

    def reveal(self, image: Image) -> None:
        """Show the layer of an image even if the user has hidden it before, since something new is drawn."""
        self._of(image).reveal()

    def let_go_of_removed(self) -> None:
        """Leave the layers of removed images to the user."""
        for image, layer in list(self._layers.items()):
            if image not in self._viewer.layers:
                layer.let_go()
                del self._layers[image]

    def _of(self, image: Image) -> MeasurementLayer:
        if image not in self._layers:
            self._layers[image] = MeasurementLayer(self._viewer, image)
        return self._layers[image]
