"""Reviewed masks as DICOM objects of each case's study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from batches import write_checkpoint, write_images
from dicom_objects.made_sources import COLUMNS, ROWS, SOURCES
from dicom_objects.validators import dciodvfy_errors
from dicom_objects.written_reports import groups_of, values
from made_review import CLASS, Rater
from numpy.typing import NDArray
from pydicom import dcmread

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.measuring.finding_size import measure_finding
from napari_segcam.review.creating import create_project
from napari_segcam.review.project import ReviewProject

pytest.importorskip("highdicom")


def square(top: int, left: int, side: int) -> NDArray[np.uint8]:
    labels = np.zeros((ROWS, COLUMNS), np.uint8)
    labels[top : top + side, left : left + side] = 1
    return labels


PREDICTED, PAINTED = square(10, 20, 20), square(10, 20, 23)


@pytest.fixture
def project(tmp_path: Path) -> ReviewProject:
    """Return a review of a cine and a still in DICOM, and a picture; each of them is judged."""
    images = tmp_path / "images"
    write_images(images, 1)
    SOURCES["gray_cine"](images)
    SOURCES["still"](images)
    project = create_project(tmp_path / "study.segcam-review", images, [write_checkpoint(tmp_path / "unet.pth")])
    with Rater(project, "anna_ray") as rater:
        rater.judge("image_0", "accept")
        rater.judge("gray_cine", "accept", first=0, last=1)
        rater.judge("gray_cine", "correct", first=3, last=3)
        rater.judge("gray_cine", "reject", first=4, last=4)
        rater.judge("gray_cine", "accept", first=3, last=3, finding=1, point=(12.0, 25.0))
        rater.paint("gray_cine", PAINTED, PREDICTED, frame=3)
        rater.paint("gray_cine", PREDICTED, PREDICTED, frame=2)
        rater.judge("still", "accept")
    return project


@pytest.mark.slow
def test_each_case_has_a_segmentation_and_a_report(project: ReviewProject, tmp_path: Path) -> None:
    (exported,) = sc.export_review(project.folder, tmp_path / "out", "dicom")
    assert exported.frames == 5
    assert exported.left_out["the image is not a DICOM file, so no DICOM object can belong to it"] == 1
    written = {str(path.relative_to(exported.folder)) for path in exported.folder.rglob("*.dcm")}
    names = {"gray_cine/segmentation.dcm", "gray_cine/report.dcm", "still/segmentation.dcm", "still/report.dcm"}
    assert written == names
    segmentation, report = (
        dcmread(exported.folder / "gray_cine" / name) for name in ("segmentation.dcm", "report.dcm")
    )
    header = dcmread(tmp_path / "images" / "gray_cine.dcm")
    assert (report.StudyInstanceUID, report.PatientID) == (header.StudyInstanceUID, header.PatientID)
    assert dcmread(exported.folder / "still" / "report.dcm").PatientID != header.PatientID
    frames = [
        groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        for groups in segmentation.PerFrameFunctionalGroupsSequence
    ]
    assert frames == [1, 2, 3, 4]  # the rejected one is not among them
    explainer = sc.Explainer(sc.load_network(tmp_path / "unet.pth", "cpu"), stages=())
    cine = sc.open_cine(tmp_path / "images" / "gray_cine.dcm")
    for number in (0, 1):
        mask = explainer(cine[number], sc.Target(region="image"), cine.value_range).mask
        np.testing.assert_array_equal(segmentation.pixel_array[number], mask)
    np.testing.assert_array_equal(segmentation.pixel_array[2], PREDICTED)
    np.testing.assert_array_equal(segmentation.pixel_array[3], PAINTED)
    (segment,) = segmentation.SegmentSequence
    assert (segment.SegmentLabel, segment.SegmentAlgorithmType) == (CLASS, "SEMIAUTOMATIC")
    assert "edited by a reader on frame 4" in segment.SegmentDescription
    for name in names:
        assert dciodvfy_errors(exported.folder / name) == []


@pytest.mark.slow
def test_the_report_measures_the_edited_mask_and_names_the_reader(project: ReviewProject, tmp_path: Path) -> None:
    (exported,) = sc.export_review(project.folder, tmp_path / "out", "dicom")
    report = dcmread(exported.folder / "gray_cine" / "report.dcm")
    assert [item.PersonName for item in report.ContentSequence if item.ValueType == "PNAME"] == ["anna_ray^"]
    (edited,) = [group for group in groups_of(report) if values(group, "mask_origin") == ["edited"]]
    size = measure_finding(PAINTED, (0.5, 0.5))
    assert values(edited, "42798000") == [size.area]
    assert values(edited, "103339001") == [pytest.approx(size.longest.length, rel=1e-12)]
    assert values(edited, "verdict_finding") == ["accept"]
    assert values(edited, "mean_probability") == []
    texts = " ".join(str(item.TextValue) for item in edited.ContentSequence if item.ValueType == "TEXT")
    assert "keeps no probabilities" in texts
    accepted = [group for group in groups_of(report) if values(group, "verdict_mask") == ["accept"]]
    assert all(values(group, "mask_origin") == ["by_network"] for group in accepted)
    assert "unet.pth" in report.to_json()
    assert "folder" not in report.to_json()


def test_a_project_without_dicom_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "images", 1)
    project = create_project(
        tmp_path / "p.segcam-review", tmp_path / "images", [write_checkpoint(tmp_path / "unet.pth")]
    )
    with Rater(project, "anna") as rater:
        rater.judge("image_0", "accept")
    with pytest.raises(SegcamError, match="1 frames: the image is not a DICOM file"):
        sc.export_review(project.folder, tmp_path / "out", "dicom")
    assert not (tmp_path / "out").exists()
