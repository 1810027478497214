"""Deferred deletion: a canvas deletes what layers were drawn with in its own OpenGL context."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari.components import ViewerModel

from napari_segcam.viewer.napari_internals.replacement import Replacement, private_attribute

_PARSE = Replacement("GlirParser._parse", parameters=("command",))
_FINISH = Replacement("GLContext.finish", parameters=())


def delete_while_drawing(viewer: ViewerModel) -> None:
    """Let the canvas of a viewer delete textures, buffers and programs when it next starts to draw.

    vispy deletes them as soon as a layer is removed, while the OpenGL context of other widgets of the window is
    current. Mesa then unbinds the shaders that were used last, and the context of the canvas does not notice: if the
    canvas next draws with the same shaders, as it does if only text or one image is left, the process crashes. With
    two viewers, the textures of the other one are deleted. The context of a canvas is sure to be current only while
    that canvas draws.

    napari also makes a canvas finish its queued commands when a layer is removed, in the same wrong context. What
    other layers wait for is then made there or not at all, and the next drawing ends with "Could not find texture".
    So these commands stay queued until the next drawing as well.

    Args:
        viewer: one without a window is left as it is.
    """
    window: Any = getattr(viewer, "window", None)
    if window is None:
        return
    context: Any = private_attribute(window, "_qt_viewer.canvas._scene_canvas.context")
    parser: Any = None if context is None else private_attribute(context, "shared.parser")
    if parser is not None and _PARSE.install(parser, _DeferredDeletion):
        _FINISH.install(context, lambda _finish: _keep_queued)


def _keep_queued() -> None:
    """Replaces ``finish`` of a vispy context: commands stay queued until the canvas draws."""


class _DeferredDeletion:
    """Replaces ``_parse`` of a vispy parser, which executes one command."""

    def __init__(self, parse: Callable[..., Any]) -> None:
        self._parse = weakref.WeakMethod(parse)
        self._deletions: list[tuple[Any, ...]] = []

    def __call__(self, command: tuple[Any, ...]) -> None:
        parse = self._parse()
        if parse is None:
            return
        if command[0] == "DELETE":
            self._deletions.append(command)
            return
        parse(command)
        if command[0] == "CURRENT":  # the canvas starts to draw
            deletions, self._deletions = self._deletions, []
            for deletion in deletions:
                parse(deletion)
