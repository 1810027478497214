"""The dialog for de-identified copies: what it shows, and what it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_objects.made_sources import SOURCES
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QFileDialog

import napari_segcam as sc
from napari_segcam.viewer.jobs.deidentify_job import CopyRequest, deidentify_job
from napari_segcam.viewer.widgets.deidentify.copy_dialog import CopyDialog
from napari_segcam.viewer.worker.background import Progress
from napari_segcam.viewer.worker.worker import Job, Worker

pytest.importorskip("dicomanonymizer")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return SOURCES["gray_cine"](tmp_path)


def open_dialog(qtbot: QtBot, source: Path, written: list[tuple[CopyRequest, Path]]) -> CopyDialog:
    dialog = CopyDialog(source, "", Worker().submit, lambda request, out: written.append((request, out)))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)  # qtbot deletes it
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(dialog.save.isEnabled, timeout=20_000)
    return dialog


def pixels_of(picture: QImage) -> np.ndarray:
    gray = picture.convertToFormat(QImage.Format.Format_Grayscale8)
    stored = np.frombuffer(gray.constBits().asstring(gray.sizeInBytes()), np.uint8)
    return stored.reshape(gray.height(), gray.bytesPerLine())[:, : gray.width()]


def rows_of(dialog: CopyDialog) -> dict[str, tuple[str, str]]:
    table = dialog.table
    return {
        table.item(number, 1).text(): (table.item(number, 2).text(), table.item(number, 3).text())
        for number in range(table.rowCount())
    }


def test_it_shows_the_header_and_the_pixels_before_and_after(qtbot: QtBot, source: Path) -> None:
    dialog = open_dialog(qtbot, source, [])
    rows = rows_of(dialog)
    assert rows["Patient's Name"][0] == "Phantom^Petra"
    assert rows["Patient's Name"][1].startswith("Anonymous^ANON")
    assert rows["Institution Name"] == ("Hospital of nobody", "removed")
    assert rows["Patient's Birth Date"] == ("19800101", "empty")
    assert "Rows" not in rows
    assert "8,4,120,92" in dialog.message.text()
    dialog.region.setCurrentIndex(1)
    assert not dialog.save.isEnabled()
    assert "four numbers" in dialog.message.text()
    qtbot.keyClicks(dialog.box, "50,20,80,60")
    qtbot.waitUntil(dialog.save.isEnabled, timeout=20_000)
    before, after = (pixels_of(picture.pixmap.toImage()) for picture in (dialog.pictures.before, dialog.pictures.after))
    assert before[70, 64] > 0
    np.testing.assert_array_equal(before[20:60, 50:80], after[20:60, 50:80])
    assert after.sum() == after[20:60, 50:80].sum()


def test_a_region_that_cannot_be_is_said_and_not_saved(qtbot: QtBot, source: Path) -> None:
    dialog = open_dialog(qtbot, source, [])
    dialog.region.setCurrentIndex(1)
    qtbot.keyClicks(dialog.box, "900,0,950,20")
    qtbot.waitUntil(lambda: "outside the frames" in dialog.message.text(), timeout=20_000)
    assert not dialog.save.isEnabled()
    assert dialog.table.rowCount() == 0


def test_save_hands_over_what_was_chosen(
    qtbot: QtBot, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[CopyRequest, Path]] = []
    dialog = open_dialog(qtbot, source, written)
    dialog.dates.setCurrentIndex(1)
    qtbot.waitUntil(dialog.save.isEnabled, timeout=20_000)
    offered: list[str] = []

    def choose(_parent: object, _title: str, name: str) -> tuple[str, str]:
        offered.append(name)
        return str(tmp_path / "out.dcm"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert written == [(CopyRequest(source, "auto", "shift"), tmp_path / "out.dcm")]
    assert offered == [str(source.parent / "copy.dcm")]  # the name of the file may be the patient's
    assert not dialog.isVisible()


def test_the_job_writes_the_copy_and_says_so(source: Path, tmp_path: Path) -> None:
    request = CopyRequest(source, "auto", "remove")
    words: list[Progress] = []
    job = deidentify_job(request, tmp_path / "copy.dcm", lambda: False)
    job.on_result = words.append
    errors: list[str | None] = []
    job.on_done = errors.append
    job.run(lambda call: call())
    assert errors == [None]
    assert words[-1].words.startswith(f"Written to {tmp_path / 'copy.dcm'}.")
    assert len(sc.open_cine(tmp_path / "copy.dcm")) == 6


def test_a_file_that_gets_no_copy_fails_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing")
    errors: list[str | None] = []
    job: Job = deidentify_job(CopyRequest(path, "auto", "remove"), tmp_path / "copy.dcm", lambda: False)
    job.on_done = errors.append
    job.run(lambda call: call())
    assert errors[0] is not None
    assert "not an image" in errors[0]
    assert not (tmp_path / "copy.dcm").exists()


def test_a_long_message_in_a_large_font_keeps_the_dialog_on_a_small_screen(qtbot: QtBot) -> None:
    dialog = CopyDialog(None, "", lambda _job: None, lambda _request, _out: None)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)  # qtbot deletes it
    qtbot.addWidget(dialog)
    dialog.setStyleSheet("QWidget { font-size: 18pt; }")
    dialog.message.setText("Stays: 0,0,320,256 (the scan, as the file gives it). " * 4)
    dialog.show()
    qtbot.wait(50)
    assert dialog.height() <= 768
    assert dialog.message.height() >= dialog.message.heightForWidth(dialog.message.width())
