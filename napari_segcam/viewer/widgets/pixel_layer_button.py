"""The button that shows and hides a layer of a value for each pixel."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton

from napari_segcam.viewer.pixel_layer import PixelLayer


class PixelLayerButton(QPushButton):
    """Down while the layer is wanted.

    Args:
        text: of the button.
        tip: its tooltip.
        pixels: the layer.
    """

    def __init__(self, text: str, tip: str, pixels: PixelLayer) -> None:
        super().__init__(text)
        self._pixels = pixels
        self.setCheckable(True)
        self.setToolTip(tip)
        self.clicked.connect(self._show_or_hide)
        pixels.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Follow the layer, which another image may have or not."""
        self.setChecked(self._pixels.is_wanted)

    def _show_or_hide(self, is_shown: bool) -> None:
        if is_shown:
            self._pixels.show()
        else:
            self._pixels.hide()
        self.refresh()
