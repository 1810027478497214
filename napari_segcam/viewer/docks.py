"""The docks of the plugin's widgets: one for each in a window, whichever way it was opened."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from npe2 import PluginManager
from qtpy.QtWidgets import QDockWidget, QWidget

PLUGIN = "napari-segcam"


def dock(viewer: ViewerModel, name: str, *, tabify: bool = False) -> tuple[QDockWidget, QWidget]:
    """The dock of a widget, and the widget: shown again where it was hidden, else made as napari's menu makes it.

    Args:
        viewer: with a window.
        name: of the widget, as in the menu.
        tabify: whether a new one becomes a tab of another.
    """
    window: Any = viewer.window
    share_names(viewer)
    found = window.dock_widgets.get(dock_names(name)[0])
    if found is None:
        widgets = PluginManager.instance().get_manifest(PLUGIN).contributions.widgets or []
        make: Any = next(widget for widget in widgets if widget.display_name == name).get_callable()
        found = make(viewer)
        window.add_dock_widget(found, name=dock_names(name)[0], tabify=tabify)
        share_names(viewer)
    holder = _dock_of(found)
    holder.show()
    return holder, found


def share_names(viewer: ViewerModel) -> None:
    """Let napari find each dock by the name that its menu gives and by the one that ``add_plugin_dock_widget`` gives.

    Each way knows a dock only by a name of its own, and would open the same widget a second time.
    """
    # a menu gives a proxy of the viewer, which warns the user of what it is asked for here
    window: Any = getattr(getattr(viewer, "__wrapped__", viewer), "window", None)
    docks = getattr(window, "_wrapped_dock_widgets", None)
    if docks is None:
        return
    for widget in PluginManager.instance().get_manifest(PLUGIN).contributions.widgets or []:
        names = dock_names(widget.display_name)
        known = [name for name in names if name in docks]
        if len(known) == 1:
            (missing,) = set(names) - set(known)
            docks[missing] = docks[known[0]]
            docks[missing].destroyed.connect(lambda *_, name=missing: docks.pop(name, None))


def dock_names(name: str) -> tuple[str, str]:
    """As napari's menu names a dock, and as its interface does."""
    title = PluginManager.instance().get_manifest(PLUGIN).display_name
    return f"{name} ({title})", f"{name} ({PLUGIN})"


def _dock_of(widget: QWidget) -> QDockWidget:
    holder: Any = widget
    while not isinstance(holder, QDockWidget):
        holder = holder.parentWidget()
    return holder
