"""A window on a small screen: it fits in every font size, and shrinks again with the font."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from napari import Viewer
from napari.settings import get_settings
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QRect, Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow

from napari_segcam.viewer.docking import dock_corners
from napari_segcam.viewer.docks import dock
from napari_segcam.viewer.sessions import session_of

_LOW = 768  # pixels
_ROUNDING = 20


class Screen:
    """A screen of 1366 × 768 pixels, on whatever screen the tests run."""

    def availableGeometry(self) -> QRect:  # noqa: N802
        return QRect(0, 0, 1366, _LOW)


@pytest.fixture
def set_font(qtbot: QtBot) -> Iterator[Callable[[int], None]]:
    """A function that sets napari's font size."""
    appearance = get_settings().appearance
    before = appearance.font_size

    def set_size(size: int) -> None:
        appearance.font_size = size
        qtbot.wait(250)

    yield set_size
    appearance.font_size = before


@pytest.mark.slow
def test_a_window_fits_a_low_screen_in_a_large_font_and_in_a_small_one_again(
    make_napari_viewer: Callable[..., Viewer], set_font: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dock_corners, "screen_of", lambda _window: Screen())
    viewer = make_napari_viewer(show=True)
    session = session_of(viewer)
    assert session.viewer is viewer
    viewer.add_image(np.zeros((4, 40, 50), np.uint8))
    viewer.add_labels(np.zeros((4, 40, 50), np.uint8))
    viewer.add_shapes()
    for name in ("Checkpoint", "Explain", "Measure"):
        dock(viewer, name, tabify=name != "Checkpoint")
    dock(viewer, "Cine strip")
    window: QMainWindow = viewer.window._qt_window
    set_font(9)
    before = window.minimumSizeHint()
    lower = Qt.Corner.BottomLeftCorner
    assert window.corner(lower) == Qt.DockWidgetArea.BottomDockWidgetArea
    set_font(18)
    assert window.corner(lower) == Qt.DockWidgetArea.LeftDockWidgetArea
    assert window.minimumSizeHint().height() <= _LOW
    assert window.minimumSizeHint().width() <= 1366
    assert window.height() <= _LOW
    set_font(9)
    assert window.corner(lower) == Qt.DockWidgetArea.BottomDockWidgetArea
    after = window.minimumSizeHint()
    assert after.width() <= before.width() + _ROUNDING
    assert after.height() <= before.height() + _ROUNDING
    for place in window.findChildren(QDockWidget):
        assert place.minimumWidth() <= 700
        assert place.minimumHeight() <= 420
