"""Making and deleting what layers are drawn with in the OpenGL context of their own canvas."""

from __future__ import annotations

import weakref
from typing import Any

from napari.components import ViewerModel


def delete_while_drawing(viewer: ViewerModel) -> None:
    """Have a viewer's canvas delete textures, buffers and programs at the beginning of its next drawing.

    vispy deletes them as soon as a layer is removed, when the OpenGL context of the window's other widgets is current.
    Mesa then takes the shaders that were used last out of use without the canvas's context knowing of it: if that draws
    with the same ones next, as it does where nothing but words or one image is left, the process crashes. With two
    viewers it is the textures of the other one that are deleted. Only while a canvas draws, its own context is current.

    napari has a canvas finish what it has begun whenever a layer is removed, in the same wrong context. What other
    layers wait for is then made there or not at all, and the next drawing ends with "Could not find texture": that is
    left for the next drawing as well.

    Args:
        viewer: whose canvas is meant; one without a window, or that has no such canvas, is left alone.
    """
    window: Any = getattr(viewer, "window", None)
    canvas = getattr(getattr(window, "_qt_viewer", None), "canvas", None)
    context: Any = getattr(getattr(canvas, "_scene_canvas", None), "context", None)
    parser: Any = getattr(getattr(context, "shared", None), "parser", None)
    if hasattr(parser, "_parse") and "_parse" not in vars(parser):
        parser._parse = _LaterDeletion(parser)
        context.finish = _left_for_next_drawing


def _left_for_next_drawing() -> None:
    """Stands in for a vispy context's ``finish``: what is queued stays so until the canvas draws."""


class _LaterDeletion:
    """Stands in for a vispy parser's ``_parse``, which carries out one command."""

    def __init__(self, parser: Any) -> None:
        self._parse = weakref.WeakMethod(parser._parse)
        self._deletions: list[tuple[Any, ...]] = []

    def __call__(self, command: tuple[Any, ...]) -> None:
        parse = self._parse()
        if parse is None:
            return
        if command[0] == "DELETE":
            self._deletions.append(command)
            return
        parse(command)
        if command[0] == "CURRENT":  # the canvas begins to draw
            deletions, self._deletions = self._deletions, []
            for deletion in deletions:
                parse(deletion)
