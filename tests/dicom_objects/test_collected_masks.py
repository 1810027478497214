"""What is collected frame by frame becomes segmentations and findings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dicom_objects.made_sources import SOURCES
from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.exporting.collected_masks import CollectedMasks
from napari_segcam.dicom_objects.exporting.frame_masks import FrameMasks
from napari_segcam.dicom_objects.exporting.options import DicomOptions
from napari_segcam.dicom_objects.findings.reported_finding import FrameVerdicts, ReaderVerdict
from napari_segcam.dicom_objects.new_object import save_object
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine

ALGORITHM = Algorithm("fibroids.pth", "ab" * 32)
Masks = dict[int, dict[str, NDArray[np.bool_]]]


@pytest.fixture
def source(tmp_path: Path) -> SourceImages:
    return SourceImages.of(open_cine(SOURCES["gray_cine"](tmp_path)))


def masks_of(source: SourceImages) -> Masks:
    """Return two classes in four frames: a finding that moves, and one that comes later."""
    masks: Masks = {}
    for number in (0, 1, 2, 4):
        cyst = np.zeros((source.rows, source.columns), np.bool_)
        cyst[10 + number : 30 + number, 20:47] = True
        if number > 1:
            cyst[60:70, 80:95] = True
        masks[number] = {"cyst": cyst, "needle": np.roll(cyst, 50, axis=1) & ~cyst if number == 2 else cyst & False}
    return masks


def collected(source: SourceImages, options: DicomOptions, *, edited: tuple[int, ...] = ()) -> CollectedMasks:
    result = CollectedMasks(source, options)
    random = np.random.default_rng(1)
    for number, masks in masks_of(source).items():
        result.add(
            number,
            FrameMasks(
                masks,
                {"cyst": "edited" if number in edited else "network", "needle": "network"},
                {name: random.random(mask.shape, np.float32) for name, mask in masks.items()},
            ),
        )
    return result


def stored_planes(path: Path) -> tuple[NDArray[np.generic], list[tuple[int, int | None]]]:
    """Return the frames of a segmentation, read by pydicom alone, and the source frame and segment of each."""
    from pydicom import dcmread

    dataset = dcmread(path)
    planes = np.atleast_3d(dataset.pixel_array)
    if planes.ndim == 2:
        planes = planes[None]
    keys = []
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        image = groups.DerivationImageSequence[0].SourceImageSequence[0]
        segment = groups.get("SegmentIdentificationSequence")
        keys.append(
            (int(image.ReferencedFrameNumber) - 1, int(segment[0].ReferencedSegmentNumber) if segment else None)
        )
    return planes, keys


def test_every_examined_frame_is_stored_bit_for_bit(source: SourceImages, tmp_path: Path) -> None:
    dataset = collected(source, DicomOptions()).segmentation(ALGORITHM)
    save_object(dataset, tmp_path / "segmentation.dcm")
    planes, keys = stored_planes(tmp_path / "segmentation.dcm")
    masks = masks_of(source)
    assert sorted(keys) == sorted((number, segment) for number in masks for segment in (1, 2))
    for plane, (number, segment) in zip(planes, keys, strict=True):
        np.testing.assert_array_equal(plane.astype(bool), masks[number]["cyst" if segment == 1 else "needle"])


def test_a_label_map_and_fractions_hold_the_same(source: SourceImages, tmp_path: Path) -> None:
    masks = masks_of(source)
    save_object(collected(source, DicomOptions("labelmap")).segmentation(ALGORITHM), tmp_path / "labels.dcm")
    planes, keys = stored_planes(tmp_path / "labels.dcm")
    for plane, (number, _) in zip(planes, keys, strict=True):
        np.testing.assert_array_equal(plane, masks[number]["cyst"] + 2 * masks[number]["needle"])
    result = collected(source, DicomOptions("fractional"), edited=(1,))
    save_object(result.segmentation(ALGORITHM), tmp_path / "fractions.dcm")
    planes, keys = stored_planes(tmp_path / "fractions.dcm")
    random = np.random.default_rng(1)
    expected = {
        (number, segment): np.rint(255 * random.random((source.rows, source.columns), np.float32))
        for number in masks
        for segment in (1, 2)
    }
    expected[1, 1] = 255.0 * masks[1]["cyst"]  # edited: the reader says where it is, not how likely
    for plane, (number, segment) in zip(planes, keys, strict=True):
        np.testing.assert_array_equal(plane, expected[number, segment or 0])


def test_a_segment_for_each_finding_is_followed_over_the_frames(source: SourceImages, tmp_path: Path) -> None:
    result = collected(source, DicomOptions(segments="finding"), edited=(2,))
    dataset = result.segmentation(ALGORITHM)
    save_object(dataset, tmp_path / "segmentation.dcm")
    labels = [segment.SegmentLabel for segment in dataset.SegmentSequence]
    assert labels == ["cyst 1", "cyst 2", "cyst 3", "cyst 4", "needle 1", "needle 2"]  # frame 3 was not examined
    uids = {segment.SegmentLabel: segment.TrackingUID for segment in dataset.SegmentSequence}
    found = result.findings()
    assert {finding.tracking_id: finding.tracking_uid for finding in found} == uids
    assert [dataset.SegmentSequence[place].SegmentAlgorithmType for place in (0, 1, 2)] == [
        "SEMIAUTOMATIC",
        "SEMIAUTOMATIC",
        "AUTOMATIC",
    ]
    planes, keys = stored_planes(tmp_path / "segmentation.dcm")
    whole = {number: np.zeros((source.rows, source.columns), np.bool_) for number in (0, 1, 2, 4)}
    for plane, (number, segment) in zip(planes, keys, strict=True):
        if segment is not None and segment <= 4:
            assert not (whole[number] & plane.astype(bool)).any()
            whole[number] |= plane.astype(bool)
    for number, masks in masks_of(source).items():
        np.testing.assert_array_equal(whole[number], masks["cyst"])


def test_findings_carry_verdicts_and_probabilities(source: SourceImages) -> None:
    result = CollectedMasks(source, DicomOptions())
    masks = masks_of(source)[2]
    probabilities = {"cyst": np.where(masks["cyst"], np.float32(0.75), np.float32(0.1))}
    verdicts = FrameVerdicts(
        ReaderVerdict("accept"),
        (((65, 85), ReaderVerdict("reject", ("too small",), "finding")), ((500, 2), ReaderVerdict("correct"))),
    )
    result.add(2, FrameMasks(masks, {"cyst": "network", "needle": "network"}, probabilities), verdicts)
    cysts = [finding for finding in result.findings() if finding.class_name == "cyst"]
    assert [finding.verdict.value for finding in cysts if finding.verdict] == ["accept", "reject"]
    assert [finding.probability for finding in cysts] == [0.75, 0.75]
    (needle, *_) = [finding for finding in result.findings() if finding.class_name == "needle"]
    assert needle.probability is None
    assert result.examined() == {"cyst": [2], "needle": [2]}


def test_what_only_a_reader_drew_is_said_to_be_manual(source: SourceImages) -> None:
    result = collected(source, DicomOptions())
    mask = np.zeros((source.rows, source.columns), np.bool_)
    mask[3:9, 3:12] = True
    result.add(5, FrameMasks({"scar": mask}, {"scar": "reader"}))
    dataset = result.segmentation(ALGORITHM)
    kinds = {segment.SegmentLabel: segment.SegmentAlgorithmType for segment in dataset.SegmentSequence}
    assert kinds == {"cyst": "AUTOMATIC", "needle": "AUTOMATIC", "scar": "MANUAL"}
    assert "SegmentAlgorithmName" not in dataset.SegmentSequence[2]
    assert result.examined()["scar"] == [5]


def test_what_cannot_be_written_is_refused_in_words(source: SourceImages) -> None:
    with pytest.raises(SegcamError, match="cannot be divided into findings"):
        DicomOptions("fractional", "finding")
    with pytest.raises(SegcamError, match="no kind of segmentation “mask”"):
        DicomOptions("mask")
    overlapping = CollectedMasks(source, DicomOptions("labelmap"))
    mask = np.ones((source.rows, source.columns), np.bool_)
    overlapping.add(0, FrameMasks({"a": mask, "b": mask}, {"a": "network", "b": "network"}))
    with pytest.raises(SegcamError, match="overlap"):
        overlapping.segmentation(ALGORITHM)
    blank = CollectedMasks(source, DicomOptions(segments="finding"))
    blank.add(0, FrameMasks({"a": ~mask}, {"a": "network"}))
    with pytest.raises(SegcamError, match="no finding"):
        blank.segmentation(ALGORITHM)
