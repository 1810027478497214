"""The plugin's widgets with a run's results in them: nothing is cut off, at the ends of napari's font sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from napari.qt import get_qapp, get_stylesheet
from napari.settings import get_settings
from npe2 import PluginManager
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QWidget

from napari_segcam.viewer.docking.napari_font import use_napari_font
from napari_segcam.viewer.docks import PLUGIN
from napari_segcam.viewer.review.session import ReviewSession
from tests.viewer.cut_off import cut_off

_SIZES = {"column": (340, 600), "row": (1000, 260)}


@pytest.fixture
def widgets(reviewed: ReviewSession, qtbot: QtBot) -> Iterator[dict[str, QWidget]]:
    """Every widget of the manifest by its title, on a cine whose frames are explained."""
    made = {}
    for entry in PluginManager.instance().get_manifest(PLUGIN).contributions.widgets or []:
        make: Any = entry.get_callable()
        widget = make(reviewed.viewer)
        made[entry.display_name] = native = getattr(widget, "native", widget)
        native.made_by = widget  # magicgui's widget lives as long as the one in the window
        qtbot.addWidget(native)
    yield made
    for native in made.values():
        native.close()


@pytest.fixture
def dressed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that gives a widget napari's style, as a window of napari does."""

    get_qapp()  # it registers the pictures of napari's style

    def dress(widget: QWidget, theme: str, font: int) -> None:
        monkeypatch.setattr(get_settings().appearance, "font_size", font)
        widget.setStyleSheet(get_stylesheet(theme, extra_variables={"font_size": f"{font}pt"}))
        use_napari_font(widget)

    return dress


@pytest.mark.parametrize("font", [8, 18])
def test_nothing_is_cut_off(widgets: dict[str, QWidget], dressed: Callable[..., None], font: int) -> None:
    faults = {}
    for name, widget in widgets.items():
        dressed(widget, "dark", font)
        widget.show()  # which lets a style reach all that is in it
        cut_off(widget)
        for size in _SIZES.values():
            needed = widget.minimumSizeHint()
            widget.resize(max(size[0], needed.width()), max(size[1], needed.height()))
            if found := cut_off(widget):
                faults[f"{name}, {size}"] = found
        widget.hide()
    assert not faults, "\n".join(f"{place}: {line}" for place, lines in faults.items() for line in lines)
