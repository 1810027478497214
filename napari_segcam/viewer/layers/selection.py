"""The selection of the layer list, and the brush of a layer that is painted in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari.components import LayerList, ViewerModel
from napari.layers import Labels

from napari_segcam.viewer.napari_internals.selecting import without_selecting

_TOOL = ("n_edit_dimensions", "contiguous", "preserve_labels", "brush_size", "selected_label", "mode")
_FIRST_BRUSH = 10  # of napari, in pixels
_BRUSHES = ("paint", "erase", "fill", "polygon", "pick")


@contextmanager
def keep_selection(layers: LayerList) -> Iterator[None]:
    """Keep the selection while layers are added, which napari would select: each time, it shows other controls."""
    selected = set(layers.selection)
    with without_selecting(layers):
        yield
    if layers.selection != (kept := selected & set(layers)):
        layers.selection = kept


def paint_in(viewer: ViewerModel, layer: Labels) -> None:
    """Select a layer and its brush; a brush that was never set covers a fiftieth of the shorter side."""
    layer.visible = True
    viewer.layers.selection.active = layer
    layer.selected_label = max(layer.selected_label, 1)
    if layer.brush_size == _FIRST_BRUSH:
        layer.brush_size = max(_FIRST_BRUSH // 2, round(min(layer.data.shape[-2:]) / 50))
    layer.mode = "paint"


def move_brush(viewer: ViewerModel, source: Labels | None, target: Labels | None) -> None:
    """If the user is painting in one layer, select another one with the same tool.

    Args:
        viewer: that shows both.
        source: the layer that the user may be painting in.
        target: the layer to paint in.
    """
    if source is None or target is None:
        return
    if viewer.layers.selection.active is not source or str(source.mode) not in _BRUSHES:
        return
    for name in _TOOL:
        setattr(target, name, getattr(source, name))
    source.mode = "pan_zoom"
    viewer.layers.selection.active = target
