"""The window without a mouse: Tab reaches every control, and a ring shows which one has the focus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QRadioButton,
    QScrollBar,
    QTabBar,
    QTextEdit,
    QWidget,
)
from superqt.sliders._labeled import SliderLabel

from napari_segcam.network.network import Network
from napari_segcam.viewer.docking.focus_ring import FocusRing
from napari_segcam.viewer.docks import dock, titles
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of

_CONTROLS = (
    *(QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QAbstractSlider),
    *(QAbstractItemView, QPlainTextEdit, QTextEdit, QTabBar),
)
_PARTS_OF = (QComboBox, QAbstractSpinBox, QAbstractItemView, QTabBar, QScrollBar)
_MOST_STEPS = 600


@pytest.fixture
def window(
    make_napari_viewer: Callable[..., Viewer],
    network: Network,
    frames: np.ndarray,
    finish: Callable[[ReviewSession], None],
    qtbot: QtBot,
) -> Iterator[tuple[Viewer, ReviewSession]]:
    """A window with every widget, a cine and a network."""
    viewer = make_napari_viewer(show=True)
    session = session_of(viewer)
    for name in titles():
        dock(viewer, name, tabify=name not in ("Cine strip", "First steps"))
    viewer.add_image(frames[:2], name="sweep")
    session.use(network)
    finish(session)
    viewer.window._qt_window.activateWindow()
    qtbot.waitUntil(viewer.window._qt_window.isActiveWindow)
    yield viewer, session
    session.cancel()
    finish(session)


def controls_of(widget: QWidget) -> list[QWidget]:
    """Return the controls in a widget that can be used now, without those that are parts of another."""
    return [
        control
        for kind in _CONTROLS
        for control in widget.findChildren(kind)
        if control.isVisible() and control.isEnabled() and not isinstance(control, QScrollBar | QHeaderView)
        if not is_part(control) and not (isinstance(control, QPlainTextEdit | QTextEdit) and control.isReadOnly())
    ]


def is_part(control: QWidget) -> bool:
    parent = control.parentWidget()
    while parent is not None:
        if isinstance(parent, _PARTS_OF):
            return True
        parent = parent.parentWidget()
    return False


def press_tab(viewer: Viewer) -> QWidget | None:
    """Press Tab where the window gets its keys, and return what has the focus then."""
    QTest.keyClick(viewer.window._qt_window.windowHandle(), Qt.Key.Key_Tab)
    return QApplication.focusWidget()


def walk(viewer: Viewer, look: Callable[[QWidget], object] = lambda _control: None) -> list[QWidget]:
    """Return what Tab reaches, one after the other, from the canvas on, and look at each."""
    canvas = canvas_of(viewer)
    assert canvas is not None
    canvas.setFocus()
    reached: list[QWidget] = []
    for _ in range(_MOST_STEPS):
        control = press_tab(viewer)
        if control is None or control in reached:
            break
        reached.append(control)
        look(control)
    return reached


def is_reached(control: QWidget, reached: list[QWidget]) -> bool:
    """Whether a control had the focus, or shares a group with one that had: arrow keys move within it."""
    if control in reached or control.focusProxy() in reached or isinstance(control, SliderLabel):
        return True  # the number beside a slider says what arrow keys set there
    return isinstance(control, QRadioButton) and any(
        isinstance(other, QRadioButton) and other.parentWidget() is control.parentWidget() for other in reached
    )


def described(control: QWidget) -> str:
    words = next((str(getattr(control, name)()) for name in ("text", "currentText") if hasattr(control, name)), "")
    return f"{type(control).__name__} {words or control.toolTip() or control.accessibleName()!r}"


@pytest.mark.slow
def test_tab_reaches_every_control_and_brings_its_dock_to_the_front(window: tuple[Viewer, ReviewSession]) -> None:
    viewer, _ = window
    docked = {name: dock(viewer, name) for name in titles()}
    behind = []
    reached = walk(viewer, lambda control: behind.extend([control] if control.visibleRegion().isEmpty() else []))
    missed, count = [], 0
    for name, (_, widget) in docked.items():
        native: QWidget = getattr(widget, "native", widget)
        controls = controls_of(native)
        count += len(controls)
        missed += [f"{name}: {described(control)}" for control in controls if not is_reached(control, reached)]
        runs = [native.isAncestorOf(control) for control in reached]
        if sum(now and not before for before, now in pairwise((False, *runs))) > 1:
            missed.append(f"{name}: Tab leaves it and comes back")
        missed += [
            f"{name}: {described(control)} is out of sight" for control in behind if native.isAncestorOf(control)
        ]
    assert count > 80
    assert not missed, "\n".join(missed)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_ring_shows_which_control_has_the_focus(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot, theme: str
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.theme = theme
    session = session_of(viewer)
    assert session.viewer is viewer
    place, widget = dock(viewer, "Grad-CAM")
    viewer.window._qt_window.activateWindow()
    qtbot.waitUntil(viewer.window._qt_window.isActiveWindow)
    ours = [control for control in walk(viewer) if widget.isAncestorOf(control)]
    assert len(ours) > 6
    for control in ours:
        control.previousInFocusChain().setFocus()
        control.setFocus()
        rings = control.findChildren(FocusRing)
        assert len(rings) == 1, described(control)
        with_ring = control.grab().toImage()
        rings[0].hide()
        assert control.grab().toImage() != with_ring, described(control)
    QTest.mouseClick(viewer.window._qt_window.windowHandle(), Qt.MouseButton.LeftButton, pos=place.pos())
    assert not [ring for ring in widget.findChildren(FocusRing) if ring.isVisible()]
