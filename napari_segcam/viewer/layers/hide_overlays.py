"""Hide overlays: the plain image while a key is held down."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtWidgets import QApplication

from napari_segcam.viewer.layers.placement import is_ours


class HideOverlays:
    """Hides all layers of the plugin while a key is held down.

    The layers become transparent, not invisible: they stay sliced and come back at once, and their visibility stays as
    the user set it. A change of keyboard focus shows them again, because the release of the key may then not arrive.
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
        """Hide all layers of the plugin."""
        self.is_held = True
        for layer in self._viewer.layers:
            self._hide(layer)

    def release(self) -> None:
        """Show them as before."""
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
