"""What belongs to an image that is not chosen is hidden, and comes back with it."""

from __future__ import annotations

from weakref import WeakSet

from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_segcam.viewer.layers.placement import OURS, is_ours


class ChosenLayers:
    """Shows the layers of one image out of those of all; the user's other layers stay as they are."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._hidden: WeakSet[Layer] = WeakSet()  # by us: what the user has hidden stays hidden

    def show(self, image: Image | None) -> None:
        """Show this image and what was shown of it before; hide the others, and what images that are gone have left."""
        chosen = None if image is None else image.unique_id
        for layer in list(self._viewer.layers):
            owner = _image_of(layer)
            if owner is not None and owner == chosen:
                if layer in self._hidden or layer is image:
                    self._hidden.discard(layer)
                    layer.visible = True
            elif owner is not None and layer.visible:
                self._hidden.add(layer)
                layer.visible = False


def _image_of(layer: Layer) -> object:
    """Which image a layer is or belongs to; None where to none."""
    if is_ours(layer):
        return layer.metadata[OURS].get("image")
    return layer.unique_id if isinstance(layer, Image) else None
