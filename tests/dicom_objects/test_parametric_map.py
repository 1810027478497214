"""Parametric maps: raw values bit for bit, their place on the frame, and what they mean."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicom_objects.made_sources import COLUMNS, ROWS, SOURCES
from dicom_objects.validators import dciodvfy_errors, dciodvfy_warnings, validator_errors
from napari_segcam import open_cine
from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.new_object import save_object
from napari_segcam.dicom_objects.parametric_map import HeatmapObject, parametric_map
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.network.stages.stage import Stage

ALGORITHM = Algorithm("unet.pth", "0f" * 32, ("architecture Unet",))
LETTERBOXED = Geometry((ROWS, COLUMNS), (96, 96), (72, 96), (12, 0))
CROPPED = Geometry((ROWS, COLUMNS), (64, 64), (64, 64), crop=(8, 90, 4, 120))


def source_of(kind: str, folder: Path) -> SourceImages:
    return SourceImages.of(open_cine(SOURCES[kind](folder)))


def heatmap(values: Any, geometry: Geometry = LETTERBOXED, **options: Any) -> Heatmap:
    stage = Stage("encoder_5", "encoder", 16, 320, "encoder.blocks.4")
    return Heatmap(stage, np.asarray(values, np.float32), geometry, **options)


def maps(count: int, geometry: Geometry = LETTERBOXED, **options: Any) -> list[tuple[int, Heatmap]]:
    values = np.random.default_rng(5).normal(scale=1e-5, size=(count, 6, 8))
    return [(number, heatmap(values[number], geometry, **options)) for number in range(count)]


def saved(path: Path, source: SourceImages, heatmaps: Any, **options: Any) -> pydicom.Dataset:
    facts = {"algorithm": ALGORITHM, "method_title": "Grad-CAM", "class_name": "fibroid"}
    save_object(parametric_map(source, "encoder_5", heatmaps, **(facts | options)), path)
    return pydicom.dcmread(path)


@pytest.mark.parametrize("kind", SOURCES)
def test_maps_are_valid(kind: str, tmp_path: Path) -> None:
    source = source_of(kind, tmp_path)
    heatmaps = maps(source.frame_count, signed=True)
    heatmaps[0] = (0, heatmap(np.zeros((6, 8)), reason=Reason.NOTHING_DRAWN))
    path = tmp_path / "heatmap_encoder_5.dcm"
    made = saved(path, source, heatmaps)
    assert dciodvfy_errors(path) == []
    assert all("99SEGCAM" in line or "NAPARI-SEGCAM" in line for line in dciodvfy_warnings(path))
    assert validator_errors(path) == []
    assert (made.StudyInstanceUID, made.PatientID) == (source.study_uid, source.first.PatientID)
    assert made.SeriesInstanceUID not in source.series_uids


def test_values_come_back_bit_for_bit(tmp_path: Path) -> None:
    source, heatmaps = source_of("gray_cine", tmp_path), maps(6, signed=True)
    made = saved(tmp_path / "a.dcm", source, heatmaps)
    assert made.pixel_array.dtype == np.float32
    np.testing.assert_array_equal(
        made.pixel_array.view(np.uint32), np.stack([one.values for _, one in heatmaps]).view(np.uint32)
    )


def test_an_empty_map_has_a_reason_and_no_values(tmp_path: Path) -> None:
    source, heatmaps = source_of("gray_cine", tmp_path), maps(3)
    heatmaps[1] = (1, heatmap(np.zeros((6, 8)), reason=Reason.EMPTY_REGION))
    broken = np.ones((6, 8))
    broken[2, 3], broken[0, 0] = np.nan, np.inf
    heatmaps[2] = (2, heatmap(broken))
    made = saved(tmp_path / "a.dcm", source, heatmaps)
    padding = made.FloatPixelPaddingValue
    assert (made.pixel_array[1] == padding).all()
    assert (made.pixel_array == padding).sum(axis=(1, 2)).tolist() == [0, 48, 2]
    assert np.isfinite(made.pixel_array).all()
    comments = [
        group.FrameContentSequence[0].get("FrameComments", "") for group in made.PerFrameFunctionalGroupsSequence
    ]
    assert comments == ["", f"Empty: {Reason.EMPTY_REGION.value}", ""]
    [mapping] = made.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert mapping.DoubleFloatRealWorldValueLastValueMapped == 1
    assert mapping.DoubleFloatRealWorldValueFirstValueMapped == padding
    [window] = made.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence
    assert abs(float(window.WindowCenter) - 0.5) < 1e-3
    assert abs(float(window.WindowWidth) - 1) < 1e-3


def test_highdicom_reads_the_values(tmp_path: Path) -> None:
    highdicom = pytest.importorskip("highdicom")
    source, heatmaps = source_of("gray_cine", tmp_path), maps(6, signed=True)
    heatmaps[2] = (2, heatmap(np.zeros((6, 8)), reason=Reason.EMPTY_REGION))
    saved(tmp_path / "a.dcm", source, heatmaps)
    values = highdicom.imread(tmp_path / "a.dcm").get_frames()
    for number, one in heatmaps:
        if one.reason is None:
            np.testing.assert_array_equal(values[number].astype(np.float32), one.values)


def test_maps_that_are_all_empty(tmp_path: Path) -> None:
    source = source_of("still", tmp_path)
    made = saved(tmp_path / "a.dcm", source, [(0, heatmap(np.zeros((6, 8)), reason=Reason.NOT_FINITE))])
    [window] = made.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence
    assert float(window.WindowWidth) > 0
    assert dciodvfy_errors(tmp_path / "a.dcm") == []


@pytest.mark.parametrize("geometry", [LETTERBOXED, CROPPED])
@pytest.mark.parametrize("kind", ["gray_cine", "anisotropic_cine"])
def test_the_standard_elements_place_the_map_in_mm(kind: str, geometry: Geometry, tmp_path: Path) -> None:
    source = source_of(kind, tmp_path)
    made = saved(tmp_path / "a.dcm", source, maps(6, geometry))
    group = made.SharedFunctionalGroupsSequence[0]
    assert source.spacing_mm is not None
    rows, columns = source.spacing_mm
    # Pixel centers of the map, worked out from where the input's pixels are on the frame.
    top, left = (geometry.crop[0], geometry.crop[2]) if geometry.crop else (0, 0)
    zoom_y, zoom_x = (geometry.content_shape[axis] / geometry.window_shape[axis] for axis in (0, 1))
    first_y = (geometry.input_shape[0] / 6 / 2 - geometry.offset[0]) / zoom_y - 0.5 + top
    first_x = (geometry.input_shape[1] / 8 / 2 - geometry.offset[1]) / zoom_x - 0.5 + left
    spacing = [float(value) for value in group.PixelMeasuresSequence[0].PixelSpacing]
    position = [float(value) for value in group.PlanePositionSequence[0].ImagePositionPatient]
    assert spacing == pytest.approx(
        [geometry.input_shape[0] / 6 / zoom_y * rows, geometry.input_shape[1] / 8 / zoom_x * columns]
    )
    assert position == pytest.approx([first_x * columns, first_y * rows, 0])


def test_without_calibration_there_are_no_millimeters(tmp_path: Path) -> None:
    made = saved(tmp_path / "a.dcm", source_of("uncalibrated_cine", tmp_path), maps(6))
    assert "PixelSpacing" not in made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]


def test_frames_refer_to_their_own_image(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    made = saved(tmp_path / "a.dcm", source, [maps(6)[number] for number in (1, 4)])
    groups = made.PerFrameFunctionalGroupsSequence
    places = [group.DerivationImageSequence[0].SourceImageSequence[0] for group in groups]
    assert [place.ReferencedFrameNumber for place in places] == [2, 5]
    assert [group.FrameContentSequence[0].TemporalPositionIndex for group in groups] == [2, 5]
    stills = source_of("folder_of_stills", tmp_path)
    made = saved(tmp_path / "b.dcm", stills, maps(3))
    places = [
        group.DerivationImageSequence[0].SourceImageSequence[0] for group in made.PerFrameFunctionalGroupsSequence
    ]
    assert [place.ReferencedSOPInstanceUID for place in places] == [header.SOPInstanceUID for header in stills.headers]


def test_it_says_what_the_values_are(tmp_path: Path) -> None:
    made = saved(tmp_path / "a.dcm", source_of("still", tmp_path), maps(1))
    [mapping] = made.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    texts = {
        item.ConceptNameCodeSequence[0].CodeValue: item.TextValue
        for item in mapping.QuantityDefinitionSequence
        if item.ValueType == "TEXT"
    }
    assert texts == {"METHOD": "Grad-CAM", "STAGE": "encoder_5", "CLASS": "fibroid"}
    assert ALGORITHM.sha256 in str(made.ContributingEquipmentSequence[0])


def test_maps_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    options = {"algorithm": ALGORITHM, "method_title": "Grad-CAM", "class_name": "fibroid"}
    made = HeatmapObject(source, "encoder_5", **options)
    with pytest.raises(SegcamError, match="no heatmap of encoder_5"):
        made.dataset()
    made.add(1, heatmap(np.ones((6, 8))))
    with pytest.raises(SegcamError, match="another size or place than in frame 1"):
        made.add(2, heatmap(np.ones((6, 8)), CROPPED))
    with pytest.raises(ValueError, match="after"):
        made.add(0, heatmap(np.ones((6, 8))))
    with pytest.raises(IndexError):
        made.add(6, heatmap(np.ones((6, 8))))
    with pytest.raises(SegcamError, match="96 × 128"):
        HeatmapObject(source, "encoder_5", **options).add(0, heatmap(np.ones((6, 8)), Geometry((9, 9), (9, 9), (9, 9))))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a disk that is always full")
def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of("gray_cine", tmp_path)
    made = HeatmapObject(source, "encoder_5", algorithm=ALGORITHM, method_title="Grad-CAM", class_name="fibroid")
    with open("/dev/full", "wb", buffering=0) as full:
        monkeypatch.setattr(made._spool, "_file", full)
        with pytest.raises(SegcamError, match="no room"):
            made.add(0, heatmap(np.ones((6, 8))))
