"""Layers of the chosen image: shown, while those of other images are hidden."""

from __future__ import annotations

from weakref import WeakSet

from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_segcam.viewer.layers.placement import OURS, is_ours


class ChosenLayers:
    """Shows the layers of one image and hides those of the others; the user's own layers stay as they are."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._hidden: WeakSet[Layer] = WeakSet()  # hidden by this class; what the user hides stays hidden

    def show(self, image: Image | None) -> None:
        """Show this image with the layers it had; hide other images, and the layers of images that are gone."""
        chosen_id = None if image is None else image.unique_id
        for layer in list(self._viewer.layers):
            image_id = _image_id(layer)
            if image_id is not None and image_id == chosen_id:
                if layer in self._hidden or layer is image:
                    self._hidden.discard(layer)
                    if not layer.visible:  # napari draws the canvas again even if nothing changes
                        layer.visible = True
            elif image_id is not None and layer.visible:
                self._hidden.add(layer)
                layer.visible = False


def _image_id(layer: Layer) -> object:
    """Return the id of the image that a layer is or belongs to; None if it belongs to none."""
    if is_ours(layer):
        return layer.metadata[OURS].get("image")
    return layer.unique_id if isinstance(layer, Image) else None
