"""Dock names: napari finds a dock of the plugin by either of the two names that it uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.components import ViewerModel

from napari_segcam.viewer.napari_internals.proxies import without_proxy
from napari_segcam.viewer.napari_internals.replacement import private_attribute


def share_dock(viewer: ViewerModel, names: Sequence[str], tab: str) -> None:
    """Register a dock that napari knows by one of the names under all of them.

    napari's menu and ``add_plugin_dock_widget`` name a dock differently; each would open the same widget a second time.

    Args:
        viewer: with the dock.
        names: of the dock.
        tab: what the tab of the dock says; napari shows the dock's name in its title bar and menu.
    """
    window: Any = getattr(without_proxy(viewer), "window", None)
    is_open = window is not None and hasattr(window, "_qt_window")  # napari deletes this attribute on closing
    docks = private_attribute(window, "_wrapped_dock_widgets") if is_open else None
    if docks is None:
        return
    dock = next((docks[name] for name in names if name in docks), None)
    if dock is None:
        return
    dock.setWindowTitle(tab)
    for name in names:
        if name not in docks:
            docks[name] = dock
            dock.destroyed.connect(lambda *_, name=name: docks.pop(name, None))
