"""Docks of the plugin's widgets: one for each widget of a window, however it is opened."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from npe2 import PluginManager
from qtpy.QtWidgets import QDockWidget, QWidget

from napari_segcam.viewer.napari_internals.dock_names import share_dock

PLUGIN = "napari-segcam"
COMMANDS = {f"{PLUGIN}.preferences": "Preferences …", f"{PLUGIN}.report_problem": "Report a problem …"}
"""Of the manifest, which are no widgets: titles by ids, as the plugin's menu lists them."""


def dock(viewer: ViewerModel, name: str, *, tabify: bool = False) -> tuple[QDockWidget, QWidget]:
    """Return the dock of a widget, and the widget: an open or hidden one is shown, else a new one is made.

    Args:
        viewer: with a window.
        name: of the widget, as in napari's menu.
        tabify: whether a new dock becomes a tab of another.
    """
    window: Any = viewer.window
    share_names(viewer)
    widget = window.dock_widgets.get(dock_names(name)[0])
    if widget is None:
        widgets = PluginManager.instance().get_manifest(PLUGIN).contributions.widgets or []
        make: Any = next(entry for entry in widgets if entry.display_name == name).get_callable()
        widget = make(viewer)
        window.add_dock_widget(widget, name=dock_names(name)[0], tabify=tabify)
        share_names(viewer)
    dock_widget = _dock_of(widget)
    dock_widget.show()
    return dock_widget, widget


def share_names(viewer: ViewerModel) -> None:
    """Let napari find each dock by the name in its menu and by the name that ``add_plugin_dock_widget`` uses.

    Its tab has the widget's name alone.
    """
    for title in titles():
        share_dock(viewer, dock_names(title), title)


def titles() -> list[str]:
    """Return the names of the plugin's widgets."""
    return [entry.display_name for entry in PluginManager.instance().get_manifest(PLUGIN).contributions.widgets or []]


def dock_names(name: str) -> tuple[str, str]:
    """Return the names of a widget's dock: as napari's menu names it, and as ``add_plugin_dock_widget`` does."""
    title = PluginManager.instance().get_manifest(PLUGIN).display_name
    return f"{name} ({title})", f"{name} ({PLUGIN})"


def _dock_of(widget: QWidget) -> QDockWidget:
    parent: Any = getattr(widget, "native", widget)  # of magicgui's widgets, the one in the window
    while not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent
