"""The first steps in a real window: by real clicks and keys, from nothing to the sample's heat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_segcam.network.network import Network
from napari_segcam.viewer.closed_panels import FIRST_STEPS, is_closed
from napari_segcam.viewer.docks import dock
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.first_steps.first_steps_widget import FirstStepsWidget
from napari_segcam.viewer.first_steps.sample_run import STAGES
from napari_segcam.viewer.first_steps.steps import Action, Words
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.workspace import open_workspace

Finish = Callable[[ReviewSession], None]


@pytest.fixture
def panel(make_napari_viewer: Callable[..., Any], qtbot: QtBot, messages: list[str]) -> Iterator[FirstStepsWidget]:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 768)
    open_workspace(viewer)
    widget = dock(viewer, FIRST_STEPS)[1]
    assert isinstance(widget, FirstStepsWidget)
    qtbot.waitUntil(widget.isVisible)
    yield widget
    assert messages == []


def offered(panel: FirstStepsWidget) -> list[Action]:
    return [action for action, button in panel.buttons.items() if button.isVisible()]


def says(panel: FirstStepsWidget, words: str) -> Callable[[], bool]:
    return lambda: panel.words.text() == words


@pytest.mark.slow
def test_the_line_follows_what_is_open(
    panel: FirstStepsWidget, qtbot: QtBot, network: Network, frames: np.ndarray, finish: Finish
) -> None:
    session = panel.session
    assert panel.words.text() == Words.EMPTY
    assert offered(panel) == [Action.SAMPLE, Action.OPEN, Action.LOAD]
    session.viewer.add_image(frames)
    qtbot.waitUntil(says(panel, Words.LOAD))
    session.use(network)
    qtbot.waitUntil(lambda: Action.EXPLAIN in offered(panel))
    session.run(RunRequest(stages=("encoder_5",)), "all")
    finish(session)
    qtbot.waitUntil(says(panel, f"{Words.STEP} {Words.CHECK}"))
    session.viewer.layers.clear()
    qtbot.waitUntil(says(panel, Words.OPEN_IMAGE))


@pytest.mark.slow
def test_the_sample_in_one_click(panel: FirstStepsWidget, qtbot: QtBot) -> None:
    seen: list[int | None] = []
    panel.sample.changed.connect(lambda: seen.append(panel.sample.stage))
    qtbot.mouseClick(panel.buttons[Action.SAMPLE], Qt.MouseButton.LeftButton)
    assert panel.words.text() == f"{STAGES[0]} …"
    assert panel.progress.isVisible()
    qtbot.waitUntil(lambda: panel.sample.stage is None, timeout=120_000)
    numbers = [stage for stage in seen if stage is not None]
    assert numbers == sorted(numbers)
    assert {0, 3} <= set(numbers)
    session = panel.session
    first = controller_of(session, EvidenceController).influences()
    assert first is not None
    assert session.network is not None
    assert session.view.heated == ("encoder_4",)  # encoder_5 takes no part in this network's mask
    assert session.figures()
    qtbot.mouseClick(panel.buttons[Action.STOP], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: Action.CHECK in offered(panel))


def test_closed_panels_stay_closed_until_they_are_asked_for(panel: FirstStepsWidget, qtbot: QtBot) -> None:
    viewer = panel.session.viewer
    place = dock(viewer, FIRST_STEPS)[0]
    qtbot.mouseClick(panel.close_button, Qt.MouseButton.LeftButton)
    assert place.isHidden()
    assert is_closed(FIRST_STEPS)
    open_workspace(viewer)
    assert place.isHidden()
    viewer.window.add_plugin_dock_widget("napari-segcam", FIRST_STEPS)[0].show()
    assert panel.isVisible()
    assert not is_closed(FIRST_STEPS)


def test_keys_reach_every_button(panel: FirstStepsWidget, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(panel.sample, "start", lambda: done.append("sample"))
    monkeypatch.setattr(
        "napari_segcam.viewer.first_steps.first_steps_widget.ask_for_images", lambda *_: done.append("open")
    )
    panel.activateWindow()
    sample, opening = panel.buttons[Action.SAMPLE], panel.buttons[Action.OPEN]
    sample.setFocus()
    qtbot.waitUntil(sample.hasFocus)
    qtbot.keyClick(sample, Qt.Key.Key_Return)
    qtbot.keyClick(sample, Qt.Key.Key_Tab)
    assert opening.hasFocus()
    qtbot.keyClick(opening, Qt.Key.Key_Enter)
    qtbot.keyClick(opening, Qt.Key.Key_Y, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: done == ["sample", "open", "sample"])  # a shortcut presses the button for a moment
    qtbot.keyClick(opening, Qt.Key.Key_Escape)
    assert not panel.isAncestorOf(panel.window().focusWidget())


@pytest.mark.parametrize("width", [700, 1000, 1900])
def test_nothing_is_cut_off_at_any_width(panel: FirstStepsWidget, qtbot: QtBot, width: int) -> None:
    panel.session.viewer.window.resize(width, 500)  # type: ignore[attr-defined]
    qtbot.wait(50)
    for button in panel.buttons.values():
        if button.isVisible():
            assert button.width() >= button.sizeHint().width()
            assert panel.rect().contains(button.geometry().translated(button.parentWidget().pos()))
    assert panel.words.height() >= panel.words.heightForWidth(panel.words.width())
