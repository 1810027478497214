"""The Verdict widget in a real window: buttons, keys' tooltips, notes, the blinded panel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QLabel

from napari_segcam.network.network import Network
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.verdicts.verdict_keys import VERDICT_KEYS
from napari_segcam.viewer.widgets.verdicts.verdict_widget import VerdictWidget
from tests.viewer.verdicts.one_case import REASONS, Review, review_of_one_case


@pytest.fixture
def window(
    make_napari_viewer: Callable[..., Any],
    network: Network,
    frames: np.ndarray,
    finish: Callable[[Any], None],
    tmp_path: Path,
) -> Iterator[tuple[Review, VerdictWidget]]:
    """A window with the widget docked, and a cine that is not computed yet."""
    viewer = make_napari_viewer(show=True)
    session = session_of(viewer)
    review = review_of_one_case(session, tmp_path, finish)
    widget = VerdictWidget(viewer)
    viewer.window.add_dock_widget(widget)
    session.use(network)
    viewer.add_image(frames, name="sweep")
    session.go_to(0)
    yield review, widget
    review.project.close()


def click(qtbot: QtBot, button: QAbstractButton) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.wait(80)  # the widget follows after a moment


def texts(widget: VerdictWidget) -> list[str]:
    """Return every word that the widget shows."""
    labels = [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
    buttons = [button.text() for button in widget.findChildren(QAbstractButton) if button.isVisible()]
    return [text for text in (*labels, *buttons) if text]


def start(review: Review, **settings: Any) -> None:
    review.project.open(**settings)
    review.project.read("c1")
    review.run()


def test_without_a_review_it_says_what_to_do(window: tuple[Review, VerdictWidget], qtbot: QtBot) -> None:
    _review, widget = window
    qtbot.wait(80)
    assert texts(widget) == ["Verdicts are kept in a review project: open one, or make one, in the Cases dock."]


@pytest.mark.slow
def test_buttons_give_change_and_take_back(window: tuple[Review, VerdictWidget], qtbot: QtBot) -> None:
    review, widget = window
    start(review)
    qtbot.wait(80)
    assert list(widget.reasons.boxes) == list(REASONS)
    click(qtbot, widget.mask.buttons["accept"])
    assert review.given() == [(0, 0, "accept")]
    assert widget.mask.buttons["accept"].isChecked()
    click(qtbot, widget.reasons.boxes["missed"])
    assert review.project.state is not None
    assert review.project.state.verdicts[0].reasons == ("missed",)
    assert widget.mask.buttons["reject"].isChecked()
    assert not widget.mask.buttons["accept"].isChecked()
    assert widget.given.text() == "Frame 0: rejected (missed)"
    click(qtbot, widget.grades.buttons[4])
    click(qtbot, widget.heatmap.buttons["cannot tell"])
    assert "heatmap of encoder_5: cannot tell" in widget.given.text()
    assert "grade 4" in widget.given.text()
    click(qtbot, widget.mask.buttons["reject"])  # the pressed one takes it back
    assert review.given() == []
    assert not any(box.isChecked() for box in widget.reasons.boxes.values())
    review.session.go_to(1)
    qtbot.wait(80)
    assert widget.given.text() == "No verdict here yet."
    assert not widget.grades.buttons[4].isChecked()


@pytest.mark.slow
def test_the_scope_names_the_range_and_the_finding(window: tuple[Review, VerdictWidget], qtbot: QtBot) -> None:
    review, widget = window
    start(review)
    review.session.go_to(1)
    review.verdicts.choice.mark_start()
    review.session.go_to(3)
    qtbot.wait(80)
    assert widget.scope.currentText() == "Frames 1–3"
    review.verdicts.choice.choose("finding")
    qtbot.wait(80)
    assert widget.scope.currentText().startswith("Finding 1 of ") or "none here" in widget.scope.currentText()


@pytest.mark.slow
def test_each_tooltip_names_the_key_that_does_the_same(window: tuple[Review, VerdictWidget]) -> None:
    review, widget = window
    start(review)
    widget.refresh()
    keys = {key for key, _action, _press in VERDICT_KEYS}
    buttons = [
        *widget.mask.buttons.values(),
        *widget.heatmap.buttons.values(),
        *widget.grades.buttons.values(),
        *widget.reasons.boxes.values(),
        widget.take_back,
        widget.blinding.found,
        widget.blinding.not_found,
        widget.blinding.draw,
        widget.blinding.drawn,
    ]
    for button in buttons:
        assert any(f"({key})" in button.toolTip() for key in keys), button.text()


@pytest.mark.slow
def test_a_note_is_kept_for_the_frame_it_was_written_about(window: tuple[Review, VerdictWidget], qtbot: QtBot) -> None:
    review, widget = window
    start(review)
    qtbot.wait(80)
    qtbot.keyClicks(widget.note, "shadow")
    review.session.go_to(2)  # at once
    qtbot.waitUntil(lambda: bool(review.events("note")), timeout=2000)
    qtbot.wait(80)
    assert [(note.first, note.last, note.text) for note in review.events("note")] == [(0, 0, "shadow")]
    assert widget.note.toPlainText() == ""
    qtbot.keyClicks(widget.note, "clear")
    qtbot.waitUntil(lambda: len(review.events("note")) == 2, timeout=2000)
    review.session.go_to(0)
    qtbot.waitUntil(lambda: widget.note.toPlainText() == "shadow", timeout=2000)
    assert len(review.events("note")) == 2
    widget.note.clear()
    qtbot.waitUntil(lambda: len(review.events("note")) == 3, timeout=2000)
    assert review.project.state is not None
    assert [note.text for note in review.project.state.notes] == ["clear"]


@pytest.mark.slow
def test_the_blinded_panel_from_the_question_to_the_verdict(window: tuple[Review, VerdictWidget], qtbot: QtBot) -> None:
    review, widget = window
    start(review, hide_prediction=True, hide_heatmaps="until verdict")
    qtbot.wait(80)
    assert "Blinded: the prediction appears after your answer." in texts(widget)
    assert {"Yes", "No", "Draw it", "Drawing done"} <= set(texts(widget))
    assert "Accept" not in texts(widget)
    assert not widget.blinding.drawn.isEnabled()
    click(qtbot, widget.blinding.draw)
    review.paint(0)
    qtbot.waitUntil(widget.blinding.drawn.isEnabled)
    click(qtbot, widget.blinding.drawn)
    qtbot.waitUntil(lambda: "Accept" in texts(widget), timeout=30_000)
    review.finish(review.session)
    assert "Yes" not in texts(widget)
    assert widget.blinding.words.text().startswith("You drew before you saw the prediction.")
    assert not widget.heatmap.isEnabled()
    click(qtbot, widget.mask.buttons["accept"])
    qtbot.waitUntil(lambda: widget.heatmap.isEnabled(), timeout=30_000)
    assert widget.blinding.words.text() == "You drew before you saw the prediction."


@pytest.mark.slow
def test_it_says_when_every_finding_has_a_verdict(window: tuple[Review, VerdictWidget], qtbot: QtBot) -> None:
    review, widget = window
    start(review)
    qtbot.wait(80)
    review.verdicts.choice.choose("case")
    click(qtbot, widget.mask.buttons["accept"])
    assert widget.progress.text() == "Every finding has a verdict."
    click(qtbot, widget.done)
    assert review.project.state is not None
    assert review.project.state.is_done
    assert review.project.finished == 1
