"""Segmentations, heatmaps, overlays and reports: their copies are valid, and still point to each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dicom_objects import test_overlay_cine, test_parametric_map, test_structured_report
from dicom_objects.made_sources import SOURCES, files_of
from dicom_objects.segmentation.made_masks import write_masks
from dicom_objects.validators import dciodvfy_errors
from pydicom import Dataset, dcmread
from pydicom.uid import UID_dictionary

import napari_segcam as sc
from napari_segcam.dicom_objects.segmentation.reading import read_segmentation
from napari_segcam.dicom_objects.source_images import SourceImages

KIND = "gray_cine"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"  # too new for pydicom's dictionary


def uids_of(header: Dataset) -> Iterator[str]:
    """Yield all UIDs of a file that are no part of the standard, with those in sequences."""
    for element in header.iterall():
        if element.VR == "UI":
            values = element.value if element.VM > 1 else [element.value]
            yield from (str(value) for value in values if value and value not in {*UID_dictionary, LABEL_MAP})


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Write a cine and all objects made from it; return their folder and that of their copies."""
    folder, copies = tmp_path_factory.mktemp("study"), tmp_path_factory.mktemp("copies")
    source = SourceImages.of(sc.open_cine(SOURCES[KIND](folder)))
    for kind in ("binary", "fractional", "labelmap"):
        write_masks(folder / f"{kind}.dcm", source, kind)  # type: ignore[arg-type]
    test_parametric_map.saved(folder / "map.dcm", source, test_parametric_map.maps(3))
    report = test_structured_report.structured_report(
        source,
        [test_structured_report.finding_in(source, 1)],
        examined={"fibroid": range(3)},
        algorithm=test_structured_report.ALGORITHM,
        segmentation=dcmread(folder / "binary.dcm"),
    )
    test_structured_report.saved(report, folder)
    overlay_source, pictures = test_overlay_cine.pictures_of(folder / f"{KIND}.dcm")
    test_overlay_cine.saved(folder / "overlay.dcm", overlay_source, pictures, compression="jpeg")
    sc.deidentify(folder, copies, sc.DeidentifyOptions(region="none"))
    return folder, copies


def by_class(folder: Path) -> dict[str, list[Dataset]]:
    headers: dict[str, list[Dataset]] = {}
    for path in sorted(folder.rglob("*.dcm")):
        header = dcmread(path)
        headers.setdefault(header.SOPClassUID.name, []).append(header)
    return headers


def test_every_object_has_a_copy_and_the_references_agree(study: tuple[Path, Path]) -> None:
    before, after = map(by_class, study)
    assert {name: len(headers) for name, headers in before.items()} == {
        name: len(headers) for name, headers in after.items()
    }
    kept, new = (
        {uid for headers in files.values() for header in headers for uid in uids_of(header)}
        for files in (before, after)
    )
    assert not kept & new
    images = after["Ultrasound Multi-frame Image Storage"]  # the cine, and the overlay cine
    (cine,) = (header for header in images if header.ImageType[1] == "PRIMARY")
    for name, headers in after.items():
        for header in headers:
            assert header.StudyInstanceUID == cine.StudyInstanceUID
            assert header.PatientID == cine.PatientID
            if header is not cine:
                assert cine.SOPInstanceUID in set(uids_of(header)), name
    (report,) = (headers[0] for name, headers in after.items() if "SR" in name)
    assert {header.SOPInstanceUID for header in after["Segmentation Storage"]} & set(uids_of(report))


def test_masks_and_maps_stay(study: tuple[Path, Path]) -> None:
    before, after = map(by_class, study)
    for name in ("Segmentation Storage", LABEL_MAP):
        kinds = {header.SegmentationType: header.filename for header in after[name]}
        for header in before[name]:
            read, copy = (
                read_segmentation(Path(header.filename)),
                read_segmentation(Path(kinds[header.SegmentationType])),
            )
            for number in range(3):
                for segment in read.segments:
                    np.testing.assert_array_equal(read.mask(number, segment.number), copy.mask(number, segment.number))
    (name,) = (name for name in before if "Parametric" in name)
    assert before[name][0].FloatPixelData == after[name][0].FloatPixelData


def test_names_of_segments_stay_only_if_they_are_plain_words(study: tuple[Path, Path]) -> None:
    for header in by_class(study[1])["Segmentation Storage"]:
        labels = [item.SegmentLabel for item in header.SegmentSequence]
        assert labels == ["fibroid", "Segment 2", "cyst 2"]


def test_copies_of_objects_are_valid(study: tuple[Path, Path]) -> None:
    for path in study[1].rglob("*.dcm"):
        if dcmread(path).SOPClassUID != LABEL_MAP:  # which dciodvfy does not know yet
            assert dciodvfy_errors(path) == [], path


@pytest.mark.parametrize("kind", SOURCES)
def test_copies_are_as_valid_as_their_files(kind: str, tmp_path: Path) -> None:
    source = SOURCES[kind](tmp_path)
    file = files_of(source)[0] if source.is_dir() else source
    sc.deidentify(file, tmp_path / "copy.dcm", sc.DeidentifyOptions(region="8,4,120,92"))
    assert dciodvfy_errors(tmp_path / "copy.dcm") == []
    before, after = sc.open_cine(file), sc.open_cine(tmp_path / "copy.dcm")
    assert (before.frame_rate, before.spacing_mm) == (after.frame_rate, after.spacing_mm)
