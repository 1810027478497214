"""The selection of the layer list, and the brush of a layer that is painted in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari.components import LayerList, ViewerModel
from napari.layers import Labels

_TOOL = ("n_edit_dimensions", "contiguous", "preserve_labels", "brush_size", "selected_label", "mode")
_BRUSHES = ("paint", "erase", "fill", "polygon", "pick")


@contextmanager
def keep_selection(layers: LayerList) -> Iterator[None]:
    """Restore the selection at the end, since napari selects each layer that is added."""
    selected = set(layers.selection)
    yield
    layers.selection = selected & set(layers)


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
