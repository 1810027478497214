"""A control that cannot be used yet says in its tooltip what is missing, in every widget of the manifest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from npe2 import PluginManager
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QPushButton,
    QScrollBar,
    QWidget,
)

from napari_segcam.network.network import Network
from napari_segcam.viewer.docks import PLUGIN, dock
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.fitting.usable import set_usable

CONTROLS = (QAbstractButton, QComboBox, QAbstractSlider, QAbstractSpinBox)


def controls(widgets: dict[str, QWidget]) -> dict[str, QWidget]:
    """The controls that a user can see, or could after opening a part or page, by a name that is the same later."""
    found: dict[str, QWidget] = {}
    for title, widget in widgets.items():
        for number, control in enumerate(widget.findChildren(QWidget)):
            if isinstance(control, CONTROLS) and is_own(control) and can_be_seen(control, widget):
                found[f"{title} {number} {getattr(control, 'text', str)() or type(control).__name__}"] = control
    return found


def can_be_seen(control: QWidget, widget: QWidget) -> bool:
    """Whether a control is shown, or would be after opening a part or page that can be opened."""
    parent = control.parentWidget()
    return control.isVisibleTo(widget) or parent is None or parent.isEnabled()


def is_own(control: QWidget) -> bool:
    """Whether a control is no part of another one, as the arrows of a slider or the cross in a field are."""
    parent = control.parentWidget()
    names = (type(parent).__name__, control.objectName(), type(control).__name__)
    parts = ("Labeled", "SliderLabel", "LineEdit", "qt_", "Table", "TabBar")
    return not isinstance(control, QScrollBar) and not any(part in name for name in names for part in parts)


def reason(control: QWidget) -> str:
    """What a user reads over a disabled control: its own tooltip, or else that of a part around it."""
    part: QWidget | None = control
    while part is not None and not part.toolTip():
        part = part.parentWidget()
    return "" if part is None else part.toolTip()


def disabled(all_controls: dict[str, QWidget]) -> dict[str, str]:
    return {name: reason(control) for name, control in all_controls.items() if not control.isEnabled()}


def unexplained(all_controls: dict[str, QWidget]) -> list[str]:
    """The disabled controls whose tooltip does not begin with a sentence."""
    return [name for name, tip in disabled(all_controls).items() if not tip.split("\n")[0].endswith((".", "…"))]


@pytest.fixture
def docked(make_napari_viewer: Callable[..., Any], messages: list[str]) -> tuple[Any, dict[str, QWidget]]:  # noqa: ARG001
    viewer = make_napari_viewer()
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    titles = [widget.display_name for widget in manifest.contributions.widgets or ()]
    assert len(titles) >= 13
    return viewer, {title: getattr(dock(viewer, title)[1], "native", dock(viewer, title)[1]) for title in titles}


@pytest.mark.slow
def test_what_is_missing_is_said_until_it_is_there(
    docked: tuple[Any, dict[str, QWidget]],
    network: Network,
    frames: np.ndarray,
    finish: Callable[[ReviewSession], None],
) -> None:
    viewer, widgets = docked
    session = session_of(viewer)
    empty = disabled(controls(widgets))
    assert len(empty) > 25
    assert unexplained(controls(widgets)) == []
    explain = next(tip for name, tip in empty.items() if name.startswith("Grad-CAM") and name.endswith("Explain"))
    assert explain.startswith("Load a checkpoint first")

    layer: Image = viewer.add_image(frames, name="sweep")
    finish(session)
    assert unexplained(controls(widgets)) == []
    session.use(network)
    finish(session)
    assert unexplained(controls(widgets)) == []
    widgets["Grad-CAM"].run_bar.requested.emit("current")  # type: ignore[attr-defined]
    finish(session)
    now = controls(widgets)
    assert unexplained(now) == []
    enabled = [name for name in empty if name in now and now[name].isEnabled()]
    assert len(enabled) > 12  # they have become useful, and their tooltips no longer say what was missing
    assert [name for name in enabled if reason(now[name]) == empty[name]] == []
    viewer.layers.remove(layer)
    finish(session)
    assert unexplained(controls(widgets)) == []


def test_a_tooltip_says_what_is_missing_before_what_the_control_does(qtbot: Any) -> None:
    button = QPushButton("Delete")
    qtbot.addWidget(button)
    button.setToolTip("Delete the chosen one")
    for _ in range(2):
        set_usable(button, "Choose one first.")
        assert (button.isEnabled(), button.toolTip()) == (False, "Choose one first.\nDelete the chosen one")
    set_usable(button, None)
    assert (button.isEnabled(), button.toolTip()) == (True, "Delete the chosen one")
    set_usable(button, "Nothing is open.", "Delete the image")
    assert button.toolTip() == "Nothing is open.\nDelete the image"
