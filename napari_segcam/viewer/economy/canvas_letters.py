"""The letters on a viewer's canvas, drawn without waiting for all that lies below them."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel


def keep_filter_on_the_card(viewer: ViewerModel) -> None:
    """Have the canvas's fonts send the filter that letters are drawn with to the graphics card once.

    vispy sends its 64 kB anew with every text that it draws, and Mesa's software renderer waits each time until all
    that was drawn before is done: 3 ms of a step.

    Args:
        viewer: that has been given its first words; one without a window is left alone.
    """
    from vispy.gloo import Texture2D

    window: Any = getattr(viewer, "window", None)
    canvas = getattr(getattr(window, "_qt_viewer", None), "canvas", None)
    manager = getattr(getattr(canvas, "_font_info", None), "font_manager", None)
    for font in getattr(manager, "_fonts", {}).values():
        kernel = getattr(font, "_kernel", None)
        if kernel is not None and not isinstance(kernel, Texture2D):
            font._kernel = Texture2D(kernel)
