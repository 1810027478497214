"""The Cases widget: the list of a review, its filters, and the way through it by buttons."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_segcam.demo import demo_checkpoint
from napari_segcam.network.source import ModelSource
from napari_segcam.review.creating import create_project
from napari_segcam.review.log.events import Note, Verdict
from napari_segcam.review.project_file import Settings
from napari_segcam.viewer.project.opening import ProjectPlan
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.cases.case_table import NO_VERDICT, Column
from napari_segcam.viewer.widgets.cases.new_project import NewProjectDialog
from napari_segcam.viewer.widgets.cases.rater import rater_problem, remember_rater, remembered_rater
from napari_segcam.viewer.widgets.cases_widget import CasesWidget
from napari_segcam.viewer.widgets.gradcam_widget import GradCamWidget


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of four small stills, the second of which is no picture."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "images").mkdir()
    generator = np.random.default_rng(0)
    for number in range(4):
        pixels = generator.integers(0, 255, (64, 96), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"case_{number}.png")
    (folder / "images" / "case_1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    project = folder / "study.segcam-review"
    create_project(project, folder / "images", [demo_checkpoint()], Settings(stages=("encoder_3",), method="layercam"))
    return project


@pytest.fixture
def widget(made: Path, tmp_path: Path, qtbot: QtBot, messages: list[str]) -> Iterator[CasesWidget]:  # noqa: ARG001
    """The widget with the project open and its first case in view."""
    shutil.copytree(made.parent, tmp_path, dirs_exist_ok=True)
    widget = CasesWidget(ViewerModel())
    qtbot.addWidget(widget)
    widget.show()
    widget.controller.open(tmp_path / made.name, "anna")
    qtbot.waitUntil(lambda: widget.controller.layers.is_shown, timeout=30_000)
    yield widget
    widget.controller.close()
    widget.session.cancel()
    qtbot.waitUntil(lambda: not widget.session.is_busy, timeout=30_000)


def listed(widget: CasesWidget, column: Column = Column.NAME) -> list[str]:
    """Return the texts of a column, as they are listed."""
    return [str(widget.filter.index(row, column).data()) for row in range(widget.filter.rowCount())]


def test_the_list_says_how_far_each_case_is(widget: CasesWidget, qtbot: QtBot) -> None:
    controller = widget.controller
    assert listed(widget) == [f"case_{number}.png" for number in range(4)]
    qtbot.waitUntil(lambda: listed(widget, Column.STATUS) == ["◐", "⚠", "○", "○"])
    first = controller.readings[0]
    controller.append(Verdict(case=first.case, value="reject", reasons=("missed",)))
    controller.append(Note(case=first.case, text="look again"))
    qtbot.mouseClick(widget.done, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: widget.counts.text() == "1 of 4 done, 1 with a problem")
    assert listed(widget, Column.STATUS)[0] == "●"
    assert listed(widget, Column.VERDICT) == ["rejected (missed)", "", "", ""]
    assert listed(widget, Column.NOTE) == ["✎", "", "", ""]
    problem = widget.filter.index(1, Column.STATUS).data(Qt.ItemDataRole.ToolTipRole)
    assert "case_1.png" in problem
    assert "cannot be read" in problem


def test_filters_and_the_order_of_the_list_say_what_comes_next(widget: CasesWidget, qtbot: QtBot) -> None:
    controller = widget.controller
    readings = controller.readings
    controller.append(Verdict(case=readings[2].case, value="accept"))
    controller.append(Note(case=readings[3].case, text="shadow behind a rib"))
    qtbot.waitUntil(lambda: listed(widget, Column.NOTE)[3] == "✎")
    widget.search.setText("SHADOW")
    assert listed(widget) == ["case_3.png"]
    assert "1 listed" in widget.counts.text()
    widget.search.clear()
    widget.verdict.setCurrentIndex(widget.verdict.findData("accept"))
    widget.verdict.activated.emit(0)
    assert listed(widget) == ["case_2.png"]
    widget.verdict.setCurrentIndex(widget.verdict.findData(NO_VERDICT))
    widget.verdict.activated.emit(0)
    widget.list.sortByColumn(Column.NAME, Qt.SortOrder.DescendingOrder)
    assert listed(widget) == ["case_3.png", "case_1.png", "case_0.png"]
    assert controller.listed == [readings[3], readings[1], readings[0]]
    qtbot.mouseClick(widget.previous, Qt.MouseButton.LeftButton)
    assert controller.reading == readings[1]
    qtbot.mouseClick(widget.previous, Qt.MouseButton.LeftButton)
    assert controller.reading == readings[3]


@pytest.mark.slow
def test_next_not_done_skips_what_is_done(widget: CasesWidget, qtbot: QtBot) -> None:
    controller = widget.controller
    readings = controller.readings
    controller.go_to(readings[2])
    qtbot.waitUntil(lambda: controller.is_shown(readings[2]), timeout=20_000)
    controller.finish()
    assert controller.reading == readings[3]
    controller.go_to(readings[0])
    qtbot.waitUntil(lambda: controller.is_shown(readings[0]), timeout=20_000)
    controller.go_to(readings[1])
    qtbot.waitUntil(lambda: not controller.reader.is_busy, timeout=20_000)
    qtbot.mouseClick(widget.next_open, Qt.MouseButton.LeftButton)
    assert controller.reading == readings[3]


def test_a_click_goes_to_a_case_and_only_its_row_is_drawn_again(widget: CasesWidget, qtbot: QtBot) -> None:
    resets: list[None] = []
    widget.table.modelReset.connect(lambda: resets.append(None))
    place = widget.list.visualRect(widget.filter.index(2, Column.NAME)).center()
    qtbot.mouseClick(widget.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    third = widget.controller.readings[2]
    qtbot.waitUntil(lambda: widget.controller.is_shown(third), timeout=20_000)
    qtbot.wait(200)
    assert listed(widget, Column.STATUS)[2] == "◐"
    assert not resets


def test_closing_the_project_empties_the_list(widget: CasesWidget) -> None:
    widget.controller.close()
    assert widget.table.rows == []
    assert not widget.list.isVisible()
    assert widget.new.isVisible()


@pytest.mark.slow
def test_the_gradcam_widget_shows_the_settings_of_the_review(widget: CasesWidget, qtbot: QtBot) -> None:
    gradcam = GradCamWidget(widget.session.viewer)
    qtbot.addWidget(gradcam)
    qtbot.waitUntil(lambda: widget.session.network is not None and not widget.session.is_busy, timeout=60_000)
    assert gradcam.method.value == ("layercam", False)
    assert gradcam.checked() == ("encoder_3",)
    gradcam.opacity.setValue(0.25)
    qtbot.waitUntil(lambda: widget.controller.log.state.settings.get("opacity") == 0.25, timeout=5_000)  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_new_project_is_made_and_opened(qtbot: QtBot, made: Path, tmp_path: Path, messages: list[str]) -> None:
    assert messages == []
    widget = CasesWidget(ViewerModel())
    qtbot.addWidget(widget)
    session, controller = session_of(widget.session.viewer), widget.controller
    source = ModelSource(str(demo_checkpoint()))
    new = ProjectPlan(tmp_path / "new.segcam-review", made.parent / "images", [source], Settings(repeats=1))
    controller.create(new, "berta")
    said: list[str] = []
    controller.reader.changed.connect(lambda: said.append(controller.reader.words))
    qtbot.waitUntil(lambda: controller.layers.is_shown, timeout=60_000)
    assert any("of 4 cases" in words for words in said)
    assert (controller.rater, len(controller.readings)) == ("berta", 5)  # one of them twice
    qtbot.waitUntil(lambda: session.network is not None and not session.is_busy, timeout=60_000)
    controller.close()


def test_the_dialog_says_what_is_missing(qtbot: QtBot, made: Path, tmp_path: Path) -> None:
    assert "checkpoint" in NewProjectDialog([], 0, "").problem()
    dialog = NewProjectDialog([], 0, "net.pth")
    qtbot.addWidget(dialog)
    assert "folder of images" in dialog.problem()
    for text in ("/", str(made.parent / "images")):  # as it is typed
        dialog.images.setText(text)
    assert dialog.chosen_folder() == made.parent / "images.segcam-review"
    dialog.folder.setText(str(made))
    assert "already" in dialog.problem() or "there" in dialog.problem()
    dialog.folder.setText(str(tmp_path / "mine"))
    assert dialog.chosen_folder() == tmp_path / "mine.segcam-review"
    dialog.rater.setText("a/b")
    assert "a/b" in dialog.problem()
    dialog.rater.setText("anna.b-2")
    assert dialog.problem() == ""


def test_the_rater_is_remembered() -> None:
    assert remembered_rater() == ""
    remember_rater("anna")
    assert remembered_rater() == "anna"
    assert rater_problem("../anna") != ""
