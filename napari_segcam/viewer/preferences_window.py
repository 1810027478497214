"""The dialog of preferences of a viewer."""

from __future__ import annotations

import napari.viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.napari_internals.proxies import without_proxy
from napari_segcam.viewer.preferences.preferences_controller import PreferencesController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.preferences.preferences_dialog import PreferencesDialog


def open_preferences(viewer: napari.viewer.Viewer) -> PreferencesDialog:
    """Open the dialog of preferences, or bring it to the front."""
    session = session_of(viewer)
    canvas = canvas_of(without_proxy(viewer))  # napari hands a command a proxy
    window: QWidget | None = None if canvas is None else canvas.window()
    dialog = None if window is None else window.findChild(PreferencesDialog)
    if dialog is None:
        dialog = PreferencesDialog(controller_of(session, PreferencesController), window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.session = session  # which lives as long as the dialog, or a widget
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
    return dialog
