"""The brush: it is in the layer that holds the reader's mask of the frame in view."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.layers import Labels

_TOOL = ("n_edit_dimensions", "contiguous", "preserve_labels", "brush_size", "selected_label", "mode")
_BRUSHES = ("paint", "erase", "fill", "polygon", "pick")


def hand_over_brush(viewer: ViewerModel, of: Labels | None, to: Labels | None) -> None:
    """Select another layer with the tool at hand, where the user is painting in the first.

    Args:
        viewer: that shows both.
        of: the layer that may be painted in now.
        to: the layer to paint in.
    """
    if of is None or to is None or viewer.layers.selection.active is not of or str(of.mode) not in _BRUSHES:
        return
    for name in _TOOL:
        setattr(to, name, getattr(of, name))
    of.mode = "pan_zoom"
    viewer.layers.selection.active = to
