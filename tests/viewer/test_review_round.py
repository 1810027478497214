"""The whole round of a review in the real window: new project, verdicts, a correction, quit, reopen, report, export."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari import Viewer
from napari.layers import Labels
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QDialogButtonBox

from napari_segcam import cli, open_project
from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
from napari_segcam.imaging.opening import open_cine
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.docks import dock
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.project_reader import show_project
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.cases_widget import CasesWidget
from napari_segcam.viewer.widgets.verdicts.verdict_widget import VerdictWidget
from napari_segcam.viewer.workspace import open_workspace

CASES = 3
PAINTED = (slice(2, 12), slice(3, 23))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three stills, parts of the sample."""
    folder = tmp_path / "images"
    folder.mkdir()
    cine = open_cine(sample_cine())
    for number in range(CASES):
        Image.fromarray(np.asarray(cine[FRAME + 2 * number])[60:188, 96:224]).save(folder / f"still_{number}.png")
    return folder


class Reader:
    """The hands of a reader: they click and press keys, and wait as she does."""

    def __init__(self, viewer: Viewer, qtbot: QtBot) -> None:
        self.viewer, self.qtbot = viewer, qtbot
        open_workspace(viewer)
        cases, verdict = dock(viewer, "Cases", tabify=True)[1], dock(viewer, "Verdict", tabify=True)[1]
        assert isinstance(cases, CasesWidget)
        assert isinstance(verdict, VerdictWidget)
        self.cases, self.verdict = cases, verdict

    @property
    def session(self) -> ReviewSession:
        return self.cases.session

    @property
    def controller(self) -> ProjectController:
        return self.cases.controller

    def click(self, button: QAbstractButton | None) -> None:
        assert button is not None
        assert button.isEnabled()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        self.qtbot.wait(120)

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        canvas = canvas_of(self.viewer)
        assert canvas is not None
        QTest.keyClick(canvas, key, modifier)
        self.qtbot.wait(120)

    def await_case(self, number: int) -> None:
        """Wait until a case is in view, its frame is computed, and the widgets show it."""
        controller = self.controller
        wanted = lambda: controller.readings[number : number + 1]  # noqa: E731
        self.qtbot.waitUntil(lambda: bool(wanted()) and controller.is_shown(wanted()[0]), timeout=60_000)
        self.qtbot.waitUntil(lambda: self.session.network is not None and not self.session.is_busy, timeout=90_000)
        self.qtbot.waitUntil(lambda: not self.verdict.controller.missing(), timeout=10_000)
        self.qtbot.wait(150)

    def paint(self) -> np.ndarray:
        """Paint a rectangle into the mask, and return the correction."""
        review = self.session.review
        assert review is not None
        layer = review.layers.mask
        assert isinstance(layer, Labels)
        rows, columns = np.mgrid[PAINTED]
        layer.data_setitem((rows.ravel(), columns.ravel()), np.ones(rows.size, np.uint8))
        self.qtbot.wait(300)
        pixels = review.layers.corrections.pixels(0)
        assert pixels is not None
        return pixels.copy()

    def quit(self) -> None:
        self.qtbot.waitUntil(lambda: self.controller.log is not None and not self.controller.log.unsaved, timeout=5_000)
        assert self.controller.close()


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", ["napari-segcam", "review", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code


def new_project(reader: Reader, images: Path) -> Path:
    """Load the checkpoint, and make a project with the dialog of the Cases dock."""
    reader.session.load(ModelSource.of(demo_checkpoint()), "cpu")
    reader.qtbot.waitUntil(lambda: reader.session.network is not None and not reader.session.is_busy, timeout=90_000)
    reader.click(reader.cases.new)
    dialog = reader.cases.new_project.dialog
    assert dialog is not None
    ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    assert not ok.isEnabled()
    dialog.images.selectAll()
    QTest.keyClicks(dialog.images, str(images))
    dialog.rater.selectAll()
    QTest.keyClicks(dialog.rater, "anna")
    folder = dialog.chosen_folder()
    assert folder == images.with_name("images.segcam-review")
    reader.click(ok)
    return folder


@pytest.mark.slow
def test_a_review_from_the_first_click_to_the_export(
    make_napari_viewer: Callable[..., Any], qtbot: QtBot, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(make_napari_viewer(show=True), qtbot)
    folder = new_project(reader, images)

    reader.await_case(0)
    reader.click(reader.verdict.mask.buttons["accept"])
    reader.click(reader.verdict.grades.buttons[4])
    reader.press(Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    reader.await_case(1)
    painted = reader.paint()
    reader.click(reader.verdict.done)

    reader.await_case(2)
    reader.press(Qt.Key.Key_F4)
    reader.click(reader.verdict.reasons.boxes["missed"])
    QTest.keyClicks(reader.verdict.note, "blurred")
    reader.qtbot.wait(1500)  # a note is kept once its writer pauses
    reader.quit()
    reader.viewer.close()

    again = Reader(make_napari_viewer(show=True), qtbot)
    show_project(again.viewer, folder, "anna")
    again.await_case(2)
    assert again.verdict.mask.buttons["reject"].isChecked()
    assert again.verdict.reasons.boxes["missed"].isChecked()
    assert again.controller.state.notes[0].text == "blurred"
    assert [row.status for row in again.cases.table.rows] == ["done", "done", "begun"]
    again.click(again.cases.previous)
    again.await_case(1)
    review = again.session.review
    assert review is not None
    assert np.array_equal(review.layers.corrections.pixels(0), painted)
    assert again.verdict.mask.buttons["correct"].isChecked()
    again.quit()
    again.viewer.close()

    run_command(monkeypatch, "report", folder, "--out", tmp_path / "report")
    with (tmp_path / "report" / "verdicts.csv").open(newline="", encoding="utf-8") as file:
        verdicts = list(csv.DictReader(file))
    assert [row["verdict"] for row in verdicts if row["about"] == "mask"] == ["accept", "correct", "reject"]
    assert (tmp_path / "report" / "report.html").stat().st_size > 1000

    run_command(monkeypatch, "export", folder, "--out", tmp_path / "pairs")
    masks = sorted((tmp_path / "pairs").rglob("masks/*.png"))
    assert len(masks) == 2
    pairs = {path.stem: np.asarray(Image.open(path)) for path in masks}
    corrected = next(mask for name, mask in pairs.items() if "still_1" in name)
    assert np.array_equal(corrected > 0, painted > 0)
    assert open_project(folder).raters() == ["anna"]
