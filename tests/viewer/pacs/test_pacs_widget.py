"""The PACS dock on a PACS in memory: found, seen in small, opened frame by frame, stopped and failed."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from dicom_objects.made_sources import SOURCES
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_segcam.imaging.dicomweb.found import FoundSeries
from napari_segcam.imaging.opening import open_cine
from napari_segcam.viewer.frames.arriving_frames import ArrivingFrames
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.pacs.searching import NOTHING_FOUND
from napari_segcam.viewer.widgets.cases.new_project import image_file
from napari_segcam.viewer.widgets.pacs.pacs_widget import PacsWidget
from napari_segcam.viewer.widgets.pacs.series_table import Column
from tests.viewer.pacs.fake_pacs import FakePacs

LEFT = Qt.MouseButton.LeftButton


def search(widget: PacsWidget, qtbot: QtBot) -> None:
    with qtbot.waitSignal(widget.controller.searching.found):
        qtbot.mouseClick(widget.form.search, LEFT)


def select(widget: PacsWidget, row: int) -> None:
    widget.table.setCurrentIndex(widget.table.sorted.index(row, Column.PATIENT))


def column(widget: PacsWidget, which: Column) -> list[str]:
    rows = widget.table.sorted
    return [str(rows.index(row, which).data()) for row in range(rows.rowCount())]


def kept_files(widget: PacsWidget) -> list[Path]:
    return list(widget.controller.temporary.path().iterdir())


def open_first(widget: PacsWidget, qtbot: QtBot) -> None:
    search(widget, qtbot)
    select(widget, 0)
    qtbot.mouseClick(widget.open, LEFT)


def test_without_a_server_nothing_is_connected_and_the_dock_says_how(
    widget: PacsWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    assert widget.add_first.isVisible()
    assert not widget.form.search.isVisible()
    assert "No network connection is made until you configure a server" in widget.first_words.text()
    widget.form.searched.emit(widget.form.criteria())
    assert not widget.controller.searching.is_searching


def test_found_series_can_be_sorted_and_get_their_pictures(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, tmp_path: Path
) -> None:
    still = SOURCES["still"](tmp_path)
    fake.add(still, patient_name="Beta, Ben", patient_id="2", date="2026-01-31", series_description="liver")
    fake.add(still, patient_name="Alpha, Ann", patient_id="1", date="2025-01-31", series_description="uterus")
    search(widget, qtbot)
    assert column(widget, Column.PATIENT) == ["Beta, Ben\n2", "Alpha, Ann\n1"]  # the newest first
    widget.table.sortByColumn(Column.PATIENT, Qt.SortOrder.AscendingOrder)
    assert column(widget, Column.DESCRIPTION) == ["uterus", "liver"]
    qtbot.waitUntil(lambda: len(widget.controller.pictures.pictures) == 2)
    widget.form.name.setText("Zeta")
    search(widget, qtbot)
    assert column(widget, Column.PATIENT) == []
    assert widget.found.text() == NOTHING_FOUND
    assert widget.controller.pictures.pictures == {}


def test_only_the_pictures_in_sight_are_loaded_from_the_top(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, tmp_path: Path
) -> None:
    still = SOURCES["still"](tmp_path)
    for number in range(40):
        fake.add(still, patient_name=f"Patient {number:02d}", date=f"2026-01-{31 - number % 31:02d}")
    widget.resize(420, 700)
    widget.table.sortByColumn(Column.PATIENT, Qt.SortOrder.AscendingOrder)
    search(widget, qtbot)
    pictures = widget.controller.pictures
    seen = [series.series_uid for series in widget.table.in_sight()]
    assert 2 < len(seen) < 20
    qtbot.waitUntil(lambda: set(seen) <= set(pictures.pictures))
    qtbot.wait(200)
    assert len(pictures.pictures) <= len(seen) + 1
    widget.table.scrollToBottom()
    last = widget.table.in_sight()[-1].series_uid
    qtbot.waitUntil(lambda: last in pictures.pictures)


def test_a_cine_opens_frame_by_frame_and_becomes_the_file(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, tmp_path: Path
) -> None:
    path = SOURCES["gray_cine"](tmp_path)
    fake.add(path, patient_name="Meyer, Anna", series_description="Uterus")
    fake.let_through(2)
    viewer: ViewerModel = widget.session.viewer
    open_first(widget, qtbot)
    qtbot.waitUntil(lambda: widget.controller.opening.frames == (2, 6))
    (image,) = viewer.layers
    assert image.name == "Uterus"  # what, not who: the name is used for files
    assert isinstance(image.data, ArrivingFrames)
    assert widget.session.image is image
    assert widget.session.current_frame() == 0
    assert "still coming" in str(widget.session.missing()) or widget.session.network is None
    cine = open_cine(path)
    np.testing.assert_array_equal(image.data[1], cine[1])
    widget.session.go_to(4)
    assert not np.array_equal(image._slice.image.raw, cine[4])
    assert widget.progress.value() == 2
    fake.let_through(5)
    qtbot.waitUntil(lambda: np.array_equal(image._slice.image.raw, cine[4]))  # drawn again once it is here
    with qtbot.waitSignal(widget.controller.opening.opened):
        fake.let_through(None)
    assert list(viewer.layers) == [image]
    assert widget.session.current_frame() == 4
    assert not isinstance(image.data, ArrivingFrames)
    source = LayerSource.from_layer(image)
    assert source.path is not None
    assert source.path.read_bytes() == path.read_bytes()
    np.testing.assert_array_equal(np.asarray(source.cine[5]), cine[5])
    assert source.spacing_mm == cine.spacing_mm
    assert image_file(image.metadata, None) is None  # a review must not rest on a temporary file
    qtbot.waitUntil(lambda: not widget.controller.opening.is_busy)
    assert widget.message.text() == "Uterus is open."


@pytest.mark.parametrize("end", ["stop", "failure", "removed"])
def test_nothing_is_left_of_a_cine_that_does_not_come_to_its_end(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, tmp_path: Path, end: str
) -> None:
    fake.add(SOURCES["rgb_cine"](tmp_path), series_description="Liver")
    fake.let_through(3)
    viewer: ViewerModel = widget.session.viewer
    open_first(widget, qtbot)
    qtbot.waitUntil(lambda: widget.controller.opening.frames == (3, 6))
    assert kept_files(widget)
    if end == "stop":
        qtbot.mouseClick(widget.stop, LEFT)
    elif end == "failure":
        fake.let_through(3, "Clinic has ended the connection. Try again.")
    else:
        viewer.layers.clear()
    qtbot.waitUntil(lambda: not kept_files(widget))
    qtbot.waitUntil(lambda: not widget.controller.opening.is_busy)
    assert not viewer.layers
    expected = "⚠ Clinic has ended the connection. Try again." if end == "failure" else "Stopped."
    assert widget.message.text().startswith(expected)
    fake.let_through(None)  # the dock is alive: the same again, now to its end
    with qtbot.waitSignal(widget.controller.opening.opened):
        qtbot.mouseClick(widget.open, LEFT)
    assert len(viewer.layers) == 1


def test_some_images_of_a_series_are_opened_one_after_the_other(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, tmp_path: Path
) -> None:
    stills = sorted(SOURCES["folder_of_stills"](tmp_path).iterdir())
    fake.add_to(FoundSeries("1.5", "1.5.1", series_description="Kidney", instances=3), stills)
    search(widget, qtbot)
    select(widget, 0)
    qtbot.waitUntil(lambda: widget.images.count() == 3)
    assert widget.open.text() == "Open all 3"
    widget.images.item(0).setSelected(True)
    widget.images.item(2).setSelected(True)
    assert widget.open.text() == "Open 2"
    qtbot.mouseClick(widget.open, LEFT)
    qtbot.waitUntil(lambda: len(widget.session.viewer.layers) == 2)
    assert [layer.name for layer in widget.session.viewer.layers] == ["Kidney 1", "Kidney 3"]
    np.testing.assert_array_equal(np.asarray(widget.session.viewer.layers[1].data), open_cine(stills[2])[0])


def test_files_are_kept_where_the_user_says(fake: FakePacs, widget: PacsWidget, qtbot: QtBot, tmp_path: Path) -> None:
    path = SOURCES["gray_cine"](tmp_path)
    kept = tmp_path / "kept"
    kept.mkdir()
    fake.add(path, series_description="Uterus")
    widget.controller.opening.folder = kept
    with qtbot.waitSignal(widget.controller.opening.opened):
        open_first(widget, qtbot)
    (file,) = kept.iterdir()
    assert file.read_bytes() == path.read_bytes()
    assert image_file(widget.session.viewer.layers[0].metadata, None) == file


def test_a_search_that_is_stopped_or_fails_leaves_the_dock_alive(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, tmp_path: Path
) -> None:
    fake.add(SOURCES["still"](tmp_path), patient_name="Meyer, Anna")
    fake.is_slow = True
    qtbot.mouseClick(widget.form.search, LEFT)
    qtbot.waitUntil(lambda: "search" in fake.asked)
    assert widget.form.stop.isVisible()
    qtbot.mouseClick(widget.form.stop, LEFT)
    assert widget.form.search.isVisible()
    fake.is_slow = False
    fake.failure = "Clinic does not answer. Is the address right?"
    with qtbot.waitSignal(widget.controller.searching.failed):
        qtbot.mouseClick(widget.form.search, LEFT)
    assert widget.message.text() == f"⚠ {fake.failure}"
    fake.failure = ""
    search(widget, qtbot)
    assert column(widget, Column.PATIENT) == ["Meyer, Anna"]
    assert not widget.message.isVisible()


def test_a_search_goes_on_while_the_images_of_a_series_are_listed(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, tmp_path: Path
) -> None:
    stills = sorted(SOURCES["folder_of_stills"](tmp_path).iterdir())
    fake.add_to(FoundSeries("1.5", "1.5.1", series_description="Kidney", instances=3), stills)
    search(widget, qtbot)
    fake.is_slow = True
    qtbot.mouseClick(widget.form.search, LEFT)
    select(widget, 0)
    qtbot.waitUntil(lambda: widget.images.count() == 3)
    assert widget.form.stop.isVisible()
    with qtbot.waitSignal(widget.controller.searching.found):
        fake.is_slow = False
    assert widget.form.search.isVisible()


def test_closing_midway_leaves_no_thread_and_no_file(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, tmp_path: Path
) -> None:
    fake.add(SOURCES["gray_cine"](tmp_path))
    fake.let_through(1)
    before = {thread for thread in threading.enumerate() if thread.name == "segcam-worker"}
    open_first(widget, qtbot)
    qtbot.waitUntil(lambda: bool(widget.session.viewer.layers))
    folder = widget.controller.temporary.path()
    during = {thread for thread in threading.enumerate() if thread.name == "segcam-worker"} - before
    assert during
    widget.controller.close()
    qtbot.waitUntil(lambda: not folder.exists())
    qtbot.waitUntil(lambda: not any(thread.is_alive() for thread in during))
