"""Sending from the dock: whose objects they are, the question before, and what became of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from dicom_objects.made_sources import SOURCES
from napari import Viewer
from pydicom import dcmread
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.jobs.export_job import Export
from napari_segcam.viewer.pacs.sendable import Sendable, read_sendable
from napari_segcam.viewer.review.losses import LossGuard
from napari_segcam.viewer.review.outputs import export_frames
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.pacs import send_panel
from napari_segcam.viewer.widgets.pacs.pacs_widget import PacsWidget
from napari_segcam.viewer.widgets.pacs.send_panel import SendPanel
from tests.viewer.pacs.fake_pacs import FakePacs

LEFT = Qt.MouseButton.LeftButton


class Asked:
    """The questions that were asked, and the answer that is given to each."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.answer = "Send"

    def __call__(self, _viewer: object, text: str, items: list[str], answers: list[send_panel.Answer]) -> None:
        self.texts.append("\n".join([text, *items]))
        next(each for each in answers if each.words == self.answer).act()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked()
    monkeypatch.setattr(send_panel, "ask", asked)
    return asked


def derived(path: Path, folder: Path, name: str, **changes: str) -> Path:
    """Write an object of the same patient and study, with other values where they are given."""
    dataset = dcmread(path)
    dataset.SeriesDescription = name
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    folder.mkdir(exist_ok=True)
    dataset.save_as(folder / f"{name}.dcm")
    return folder / f"{name}.dcm"


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """A folder with two objects of one patient, one of another, and a file that is no DICOM."""
    folder = tmp_path / "objects"
    cine = SOURCES["gray_cine"](tmp_path)
    derived(cine, folder, "report")
    derived(cine, folder, "segmentation")
    derived(cine, folder, "strange", PatientID="P-other", StudyInstanceUID="1.2.3")
    (folder / "notes.dcm").write_text("no DICOM")
    return folder


def rows(panel: SendPanel) -> dict[str, tuple[bool, str]]:
    """Return for each file whether it is checked, and what is said of it."""
    items = [(panel.table.item(row, 0), panel.table.item(row, 2)) for row in range(panel.table.rowCount())]
    return {file.text(): (file.checkState() == Qt.CheckState.Checked, words.text()) for file, words in items}


def choose(widget: PacsWidget, qtbot: QtBot, folder: Path) -> SendPanel:
    widget.tabs.setCurrentWidget(widget.send_panel)
    widget.send_panel.choose([folder])
    qtbot.waitUntil(lambda: not widget.controller.sending.is_busy)
    return widget.send_panel


def open_image(widget: PacsWidget, path: Path) -> None:
    widget.session.viewer.open([str(path)], plugin="napari-segcam")


def test_nothing_is_sent_without_a_yes(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, objects: Path, asked: Asked
) -> None:
    panel = choose(widget, qtbot, objects)
    assert panel.send.text() == "Send 3 …"
    asked.answer = "Do not send"
    qtbot.mouseClick(panel.send, LEFT)
    (question,) = asked.texts
    assert "Send 3 objects to Clinic (https://pacs.example.org/dicom-web)?" in question
    study = dcmread(objects / "report.dcm", stop_before_pixels=True).StudyInstanceUID
    assert f"report.dcm: report, patient P-gray_cine, study {study}" in question
    qtbot.wait(100)
    assert fake.sent == []


def test_what_became_of_each_file_is_said(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, objects: Path, asked: Asked
) -> None:
    fake.states = {
        "report.dcm": ("refused", "it stores no reports"),
        "strange.dcm": ("unknown", "it broke off"),
    }
    panel = choose(widget, qtbot, objects)
    with qtbot.waitSignal(widget.controller.sending.sent) as sent:
        qtbot.mouseClick(panel.send, LEFT)
    qtbot.waitUntil(lambda: not widget.controller.sending.is_busy)
    assert asked.texts
    assert [path.name for path in fake.sent] == ["report.dcm", "segmentation.dcm", "strange.dcm"]
    said = rows(panel)
    assert said["report.dcm"] == (True, "refused: it stores no reports")
    assert said["segmentation.dcm"] == (False, "stored")  # not sent twice by mistake
    assert said["strange.dcm"][1].startswith("unknown: search for it")
    assert said["notes.dcm"] == (False, "is not a DICOM file")
    assert sent.args == ["1 of 3 are on Clinic."]


def test_objects_of_another_patient_than_the_open_one_are_sent_only_on_purpose(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, objects: Path, tmp_path: Path, asked: Asked
) -> None:
    open_image(widget, tmp_path / "gray_cine.dcm")
    panel = choose(widget, qtbot, objects)
    assert rows(panel)["segmentation.dcm"] == (True, "the open image's patient")
    assert rows(panel)["strange.dcm"] == (False, "ANOTHER patient than the open image")
    assert not panel.table.item(3, 0).flags() & Qt.ItemFlag.ItemIsEnabled
    assert panel.send.text() == "Send 2 …"
    panel.allow_other.click()
    assert panel.send.text() == "Send 3 …"
    qtbot.mouseClick(panel.send, LEFT)
    assert "ANOTHER patient" in asked.texts[0]
    qtbot.waitUntil(lambda: len(fake.sent) == 3)


def test_another_open_image_is_another_patient(
    fake: FakePacs,  # noqa: ARG001
    widget: PacsWidget,
    qtbot: QtBot,
    objects: Path,
    tmp_path: Path,
) -> None:
    open_image(widget, tmp_path / "gray_cine.dcm")
    panel = choose(widget, qtbot, objects)
    assert rows(panel)["segmentation.dcm"][0]
    open_image(widget, SOURCES["still"](tmp_path))
    qtbot.waitUntil(lambda: rows(panel)["segmentation.dcm"] == (False, "ANOTHER patient than the open image"))
    assert panel.send.text() == "Send 0 …"
    assert not panel.send.isEnabled()


def test_a_folder_without_objects_is_said(
    fake: FakePacs,  # noqa: ARG001
    widget: PacsWidget,
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    (tmp_path / "empty").mkdir()
    choose(widget, qtbot, tmp_path / "empty")
    assert "There is no DICOM file (*.dcm) in empty." in widget.message.text()


def test_the_last_export_is_offered_once_it_is_written(
    fake: FakePacs,  # noqa: ARG001
    widget: PacsWidget,
    qtbot: QtBot,
    network: Network,
    finish: Callable[[ReviewSession], None],
    tmp_path: Path,
) -> None:
    session, panel = widget.session, widget.send_panel
    open_image(widget, SOURCES["gray_cine"](tmp_path))
    assert not panel.last.isEnabled()
    session.use(network)
    session.run(RunRequest(stages=("encoder_5",)), "current")
    finish(session)
    export_frames(session, Export(tmp_path / "out", [0]))
    qtbot.waitUntil(lambda: session.background.job is None, timeout=30_000)
    qtbot.waitUntil(panel.last.isEnabled)
    derived(tmp_path / "gray_cine.dcm", tmp_path / "out", "report")
    qtbot.mouseClick(panel.last, LEFT)
    qtbot.waitUntil(lambda: rows(panel) == {"report.dcm": (True, "the open image's patient")})


def test_patients_are_distinguished_by_id_issuer_and_date_of_birth() -> None:
    def of(patient: tuple[str, str, str], study: str = "1.2") -> Sendable:
        return Sendable(Path("a.dcm"), patient=patient, study=study)

    anna = of(("7", "Ward", "19800101"))
    assert of(("7", "", "")).is_of(anna)
    assert of(("7", "Ward", "19800101"), "9.9").is_of(anna)
    assert not of(("7", "Clinic", "")).is_of(anna)
    assert not of(("7", "Ward", "19900101")).is_of(anna)
    assert not of(("8", "Ward", "19800101")).is_of(anna)
    assert not of(("", "", "")).is_of(anna)
    assert of(("", "", "")).is_of(of(("", "", "")))
    assert not of(("", "", ""), "9.9").is_of(of(("", "", "")))


def test_a_damaged_file_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    content = SOURCES["gray_cine"](tmp_path).read_bytes()
    for length in (0, 100, 200, 400, 700):
        (tmp_path / "cut.dcm").write_bytes(content[:length])
        found = read_sendable(tmp_path / "cut.dcm")
        assert found.problem
    assert read_sendable(tmp_path / "missing.dcm").problem.startswith("cannot be read")


def test_the_question_opens_in_a_real_window(
    make_napari_viewer: Callable[..., Viewer], fake: FakePacs, qtbot: QtBot, objects: Path
) -> None:
    viewer = make_napari_viewer(show=True)
    widget = PacsWidget(viewer)
    viewer.window.add_dock_widget(widget)
    qtbot.waitUntil(lambda: widget.controller.servers.is_read)
    panel = choose(widget, qtbot, objects)
    qtbot.mouseClick(panel.send, LEFT)
    question = panel.question
    assert question is not None
    assert question.isVisible()
    assert question.defaultButton().text() == "Do not send"
    (yes,) = [button for button in question.buttons() if button.text() == "Send"]
    qtbot.mouseClick(yes, LEFT)
    qtbot.waitUntil(lambda: len(fake.sent) == 3)
    qtbot.waitUntil(lambda: not widget.controller.sending.is_busy)
    widget.controller.close()


def test_closing_the_window_asks_while_objects_are_sent(
    fake: FakePacs, widget: PacsWidget, qtbot: QtBot, objects: Path, asked: Asked
) -> None:
    sending = widget.controller.sending
    choose(widget, qtbot, objects)
    assert sending.in_progress() == []
    fake.is_slow = True
    qtbot.mouseClick(widget.send_panel.send, LEFT)
    assert asked.texts
    assert sending.in_progress() == ["Sending to Clinic: 0 of 3"]
    (guard,) = widget.session.findChildren(LossGuard)
    assert sending.in_progress in guard.other_running
    fake.is_slow = False
    qtbot.waitUntil(lambda: not sending.is_busy)
    assert sending.in_progress() == []
