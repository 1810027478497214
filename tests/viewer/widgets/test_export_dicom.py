"""DICOM objects from the Export widget: of the image in view, with corrections and verdicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_objects.made_sources import SOURCES
from dicom_objects.written_reports import groups_of, values
from pydicom import dcmread
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog

from napari_segcam.dicom_objects.exporting.options import DicomOptions
from napari_segcam.imaging.opening import open_cine
from napari_segcam.measuring.finding_size import measure_finding
from napari_segcam.network.network import Network
from napari_segcam.review.log.events import Verdict
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.jobs.dicom_export import DicomRequest
from napari_segcam.viewer.jobs.export_job import Export
from napari_segcam.viewer.layers.cine_layer_data import layer_data
from napari_segcam.viewer.review.outputs import export_frames
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.verdicts.dicom_request import dicom_request
from napari_segcam.viewer.workspace import PLUGIN
from tests.viewer.verdicts.one_case import OneCase

pytest.importorskip("highdicom")
Finish = Callable[[ReviewSession], None]


@pytest.fixture
def explained(session: ReviewSession, finish: Finish, network: Network, tmp_path: Path) -> ReviewSession:
    """A session with an explained DICOM cine, as the reader opens it."""
    data, attributes, _ = layer_data(open_cine(SOURCES["gray_cine"](tmp_path)))
    session.viewer.add_image(data, **attributes)
    session.viewer.dims.set_current_step(0, 0)
    session.use(network)
    session.run(RunRequest(stages=("encoder_4", "encoder_5")), "current")
    finish(session)
    return session


def wait_for_job(qtbot: QtBot, session: ReviewSession) -> str:
    """Wait until the job in the background has ended; return its last words."""
    qtbot.waitUntil(lambda: session.background.job is None, timeout=60_000)
    assert session.background.progress is not None
    return session.background.progress.words


def test_an_edited_mask_is_written_and_measured_as_the_reader_left_it(
    explained: ReviewSession, qtbot: QtBot, finish: Finish, tmp_path: Path
) -> None:
    layers = explained.layers()
    assert layers is not None
    assert layers.mask is not None
    layers.mask.data_setitem(tuple(np.array([[0], [3], [5]])), 1 - layers.mask.data[0, 3, 5])
    assert layers.corrections.layer is not None
    rows, columns = (axis.ravel() for axis in np.indices(layers.mask.data.shape[-2:]))
    is_inside = (rows >= 20) & (rows < 41) & (columns >= 30) & (columns < 45)
    layers.corrections.layer.data_setitem((np.zeros(len(rows), int), rows, columns), is_inside.astype(np.uint8))
    edited = layers.corrections.pixels(0)
    assert edited is not None
    edited = edited.copy()
    assert np.count_nonzero(edited) == 21 * 15
    finish(explained)
    out = tmp_path / "out"
    export_frames(explained, Export(out, [0, 1], dicom=DicomRequest(DicomOptions(overlay_stage="encoder_4"))))
    words = wait_for_job(qtbot, explained)
    header = dcmread(tmp_path / "gray_cine.dcm")
    assert str(header.StudyInstanceUID) in words
    assert str(header.PatientName) not in words
    segmentation, report = dcmread(out / "segmentation.dcm"), dcmread(out / "report.dcm")
    assert segmentation.StudyInstanceUID == report.StudyInstanceUID == header.StudyInstanceUID
    np.testing.assert_array_equal(segmentation.pixel_array[0], edited > 0)
    (segment,) = segmentation.SegmentSequence
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert "edited by a reader on frame 1" in segment.SegmentDescription
    size = measure_finding(edited, (0.5, 0.5))
    (group,) = [group for group in groups_of(report) if values(group, "mask_origin") == ["edited"]]
    assert values(group, "42798000") == [size.area]
    assert values(group, "103339001") == [pytest.approx(size.longest.length, rel=1e-12)]
    assert "encoder_4" in dcmread(out / "overlay.dcm").DerivationDescription
    assert layers.corrections.unsaved == set()


@pytest.mark.slow
def test_verdicts_of_the_reader_are_in_the_report(
    explained: ReviewSession, qtbot: QtBot, messages: list[str], tmp_path: Path
) -> None:
    review = OneCase(explained, tmp_path / "log")
    review.open()
    review.read("c1")
    frames = [0, 1]
    threshold = explained.threshold
    explained.set_threshold(1e-6)  # all of the frame is one finding
    review.append(Verdict(case="c1", first=0, last=0, value="accept", finding=1, point=(5.0, 7.0)))
    review.append(Verdict(case="c1", first=1, last=1, value="reject", reasons=("missed",)))
    request = dicom_request(explained, review, frames, "binary")
    assert request is not None
    assert request.options.reader == "ann"
    assert request.options.overlay_stage == "encoder_5"  # the heatmap in view
    export_frames(explained, Export(tmp_path / "out", frames, dicom=request))
    wait_for_job(qtbot, explained)
    assert messages == []
    report = dcmread(tmp_path / "out" / "report.dcm")
    first, second = groups_of(report)
    assert values(first, "verdict_finding") == ["accept"]
    assert values(second, "verdict_mask") == ["reject"]
    people = [item.PersonName for item in report.ContentSequence if item.ValueType == "PNAME"]
    assert people == ["ann^"]
    review.has_other_network = True  # its masks are not those that were judged
    other = dicom_request(explained, review, frames, "binary")
    assert other is not None
    assert (other.verdicts, other.options.reader) == ({}, "")
    assert dicom_request(explained, review, frames, "") is None
    by_finding = dicom_request(explained, review, frames, "finding")
    assert by_finding is not None
    assert (by_finding.options.kind, by_finding.options.segments) == ("binary", "finding")
    explained.set_threshold(threshold)
    review.close()


def test_an_image_that_is_no_longer_the_file_is_refused(
    explained: ReviewSession, qtbot: QtBot, messages: list[str], tmp_path: Path
) -> None:
    image = explained.image
    assert image is not None
    SOURCES["still"](tmp_path).replace(tmp_path / "gray_cine.dcm")
    export_frames(explained, Export(tmp_path / "out", [0], dicom=DicomRequest(DicomOptions())))
    wait_for_job(qtbot, explained)
    assert any("is not what gray_cine.dcm holds" in message for message in messages)
    assert not (tmp_path / "out" / "segmentation.dcm").exists()


@pytest.mark.slow
def test_the_widget_offers_dicom_for_dicom_images_alone(
    make_napari_viewer_proxy: Callable[[], Any],
    network: Network,
    finish: Finish,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Export")
    viewer.add_image(np.zeros((8, 9), np.uint8), name="plain")
    qtbot.wait(60)
    assert not widget.dicom.isEnabled()
    assert "not a DICOM file" in widget.dicom.toolTip()
    data, attributes, _ = layer_data(open_cine(SOURCES["still"](tmp_path)))
    image = viewer.add_image(data, **attributes)
    widget.session.choose_image(image)
    widget.session.use(network)
    widget.session.run(RunRequest(stages=("encoder_5",)), "current")
    finish(widget.session)
    assert widget.dicom.isEnabled()
    assert "PACS" in widget.dicom.toolTip()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    widget.dicom.setCurrentIndex(widget.dicom.findData("fractional"))
    widget.export_frame.click()
    wait_for_job(qtbot, widget.session)
    written = {path.name: path for path in (tmp_path / "still").glob("*.dcm")}
    assert set(written) == {"segmentation.dcm", "heatmap_encoder_5.dcm", "overlay.dcm", "report.dcm"}
    assert dcmread(written["segmentation.dcm"]).SegmentationType == "FRACTIONAL"
    study = str(dcmread(tmp_path / "still.dcm").StudyInstanceUID)
    assert f"4 DICOM objects of study …{study[-10:]}." in widget.message.text()
    assert study in widget.message.toolTip()
