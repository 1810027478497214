"""The bare image, as long as a key is held."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtWidgets import QApplication

from napari_segcam.viewer.layers.placement import is_ours

if TYPE_CHECKING:
    pass


class HideOverlays:
    """Takes all our layers from the image as long as a key is held.

    They are made transparent rather than invisible: they stay sliced, so that they are back at once, and whoever asks
    what is visible finds it as the user left it. Any change of the keyboard's focus ends it, since the release of the
    key may then never be told.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._opacities: WeakKeyDictionary[Layer, float] = WeakKeyDictionary()
        self.is_held = False
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)
        viewer.layers.events.inserted.connect(self._on_inserted)

    def hold(self) -> None:
        """Hide all of our layers."""
        self.is_held = True
        for layer in self._viewer.layers:
            self._hide(layer)

    def release(self) -> None:
        """Show them as they were."""
        self.is_held = False
        for layer, opacity in list(self._opacities.items()):
            layer.opacity = opacity
        self._opacities.clear()

    def _hide(self, layer: Layer) -> None:
        if is_ours(layer) and layer not in self._opacities:
            self._opacities[layer] = layer.opacity
            layer.opacity = 0

    def _on_inserted(self) -> None:
        if self.is_held:
            self.hold()

    def _on_focus_changed(self) -> None:
        if self.is_held:
            self.release()
