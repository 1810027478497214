"""Walking through the stages, and seeing more or less of what lies over the speckle."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtWidgets import QApplication

from napari_segcam.viewer.placement import is_ours

if TYPE_CHECKING:
    from napari_segcam.viewer.session import ReviewSession

_OUTLINE = 2  # screen pixels
_NO_HEATMAPS = "There are no heatmaps yet: run Grad-CAM first."


def step_stage(session: ReviewSession, direction: int) -> None:
    """Show the next heatmap alone: 1 towards the output, -1 towards the input; after the last comes the first."""
    layers = session.layers()
    heatmaps = layers.heatmaps if layers is not None else {}
    if not heatmaps:
        session.viewer.status = _NO_HEATMAPS
        return
    stages = list(heatmaps)
    shown = [at for at, stage in enumerate(stages) if heatmaps[stage].visible]
    here = (shown[-1] if direction > 0 else shown[0]) if shown else (-1 if direction > 0 else 0)
    show_stage(session, stages[(here + direction) % len(stages)])


def show_stage(session: ReviewSession, stage: str) -> None:
    """Show this heatmap alone, and say which it is."""
    layers = session.layers()
    heatmaps = layers.heatmaps if layers is not None else {}
    if stage not in heatmaps:
        session.viewer.status = _NO_HEATMAPS
        return
    heatmaps[stage].visible = True  # before the others go: nobody ever finds none shown
    for name, layer in heatmaps.items():
        layer.visible = name == stage
    at = list(heatmaps).index(stage) + 1
    session.viewer.status = f"Stage {at} of {len(heatmaps)}: {heatmaps[stage].name}"


def toggle_outline(session: ReviewSession) -> None:
    """Show the mask as an outline, or filled."""
    layers = session.layers()
    masks = layers.mask_layers if layers is not None else []
    if not masks:
        session.viewer.status = "There is no mask yet: run Segmentation or Grad-CAM first."
        return
    is_filled = bool(masks[0].contour)
    for mask in masks:
        mask.contour = 0 if is_filled else _OUTLINE
    session.viewer.status = "Mask filled" if is_filled else "Mask outlined"


def toggle_scale(session: ReviewSession) -> None:
    """Scale the heat to each frame, or to the whole clip."""
    session.set_scale("frame" if session.scale == "clip" else "clip")
    session.viewer.status = "Heat scaled frame by frame" if session.scale == "frame" else "Heat scaled over the clip"


class BareSpeckle:
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
