"""Parametric maps read back: bit for bit and in place; damaged and foreign ones get a clear message."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicom_objects.made_sources import COLUMNS, ROWS, SOURCES
from dicom_objects.test_parametric_map import CROPPED, LETTERBOXED, heatmap, maps, saved, source_of
from napari_segcam.dicom_objects.parametric_map import read_parametric_map
from napari_segcam.dicom_objects.parametric_map.placement import CREATOR, GROUP, OFFSET
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.emptiness import Failure, Reason
from napari_segcam.imaging.geometry import Geometry

KINDS = ["gray_cine", "still", "anisotropic_cine", "uncalibrated_cine", "folder_of_stills"]


@pytest.mark.parametrize("geometry", [LETTERBOXED, CROPPED, Geometry((ROWS, COLUMNS), (96, 128), (96, 128))])
@pytest.mark.parametrize("kind", KINDS)
def test_heatmaps_come_back_as_they_were(kind: str, geometry: Geometry, tmp_path: Path) -> None:
    source = source_of(kind, tmp_path)
    written = maps(source.frame_count, geometry, signed=True, has_outliers=True)
    saved(tmp_path / "a.dcm", source, written)
    read = read_parametric_map(tmp_path / "a.dcm")
    assert (read.stage, read.method, read.class_name, read.unit) == ("encoder_5", "Grad-CAM", "fibroid", "no units")
    assert read.numbers_in(source) == {number: number for number in range(source.frame_count)}
    for index, (_, one) in enumerate(written):
        back = read.heatmap(index)
        np.testing.assert_array_equal(back.values.view(np.uint32), one.values.view(np.uint32))
        assert (back.geometry, back.stage, back.signed, back.has_outliers) == (one.geometry, one.stage, True, True)
        assert back.reason is None
        np.testing.assert_array_equal(back.raw_on_frame(), one.raw_on_frame())
    placed = read.placement_on(source)
    assert (placed.scale, placed.translate) == (written[0][1].scale, written[0][1].translate)


def test_empty_maps_keep_their_reason(tmp_path: Path) -> None:
    source, written = source_of("gray_cine", tmp_path), maps(6)
    written[1] = (1, heatmap(np.zeros((6, 8)), reason=Reason.NOTHING_POSITIVE))
    written[4] = (4, heatmap(np.zeros((6, 8)), reason=Failure("its package found no way")))
    saved(tmp_path / "a.dcm", source, written)
    read = read_parametric_map(tmp_path / "a.dcm")
    assert np.isnan(read.values(1)).all()
    assert read.frames[1].reason == Reason.NOTHING_POSITIVE.value
    assert read.heatmap(1).reason is Reason.NOTHING_POSITIVE
    assert not read.heatmap(1).values.any()
    assert read.heatmap(4).reason == Failure("its package found no way")
    assert read.heatmap(0).reason is None


def test_some_frames_of_a_cine(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    saved(tmp_path / "a.dcm", source, [maps(6)[number] for number in (1, 4)])
    read = read_parametric_map(tmp_path / "a.dcm")
    assert read.numbers_in(source) == {1: 0, 4: 1}
    np.testing.assert_array_equal(read.values(1), maps(6)[4][1].values)
    assert read.numbers_in(source_of("rgb_cine", tmp_path)) == {}


@pytest.mark.parametrize("geometry", [LETTERBOXED, CROPPED])
@pytest.mark.parametrize("kind", ["gray_cine", "anisotropic_cine"])
def test_the_place_survives_without_private_elements(kind: str, geometry: Geometry, tmp_path: Path) -> None:
    source, written = source_of(kind, tmp_path), maps(6, geometry)
    made = saved(tmp_path / "a.dcm", source, written)
    made.remove_private_tags()
    made.save_as(tmp_path / "b.dcm")
    read = read_parametric_map(tmp_path / "b.dcm")
    placed = read.placement_on(source)
    assert placed.scale == pytest.approx(written[0][1].scale, rel=1e-8)
    assert placed.translate == pytest.approx(written[0][1].translate, rel=1e-8)
    with pytest.raises(SegcamError, match="does not say to which stage"):
        read.heatmap(0)


def test_a_map_of_another_program_covers_the_frame(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    made = saved(tmp_path / "a.dcm", source, maps(6))
    made.remove_private_tags()
    made.FrameOfReferenceUID = pydicom.uid.generate_uid()
    made.save_as(tmp_path / "b.dcm")
    placed = read_parametric_map(tmp_path / "b.dcm").placement_on(source)
    # The first and the last pixel end where the frame ends.
    for axis, (length, frame) in enumerate(((6, ROWS), (8, COLUMNS))):
        assert placed.translate[axis] - placed.scale[axis] / 2 == pytest.approx(-0.5)
        last = placed.translate[axis] + placed.scale[axis] * (length - 1)
        assert last + placed.scale[axis] / 2 == pytest.approx(frame - 0.5)


def test_integers_are_mapped_to_values(tmp_path: Path) -> None:
    source = source_of("still", tmp_path)
    made = saved(tmp_path / "a.dcm", source, maps(1))
    stored = np.arange(48, dtype="<u2").reshape(6, 8)
    for keyword in ("FloatPixelData", "FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"):
        delattr(made, keyword)
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 0
    made.add_new("PixelPaddingValue", "US", 3)
    [mapping] = made.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 0.5, -2.0
    made.PixelData = stored.tobytes()
    made["PixelData"].VR = "OW"
    made.save_as(tmp_path / "b.dcm")
    values = read_parametric_map(tmp_path / "b.dcm").values(0)
    assert np.argwhere(np.isnan(values)).tolist() == [[0, 3]]
    np.testing.assert_allclose(values[1:], stored[1:] * 0.5 - 2)


def test_what_is_no_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match="no Parametric Map, but: Ultrasound Multi-frame"):
        read_parametric_map(SOURCES["gray_cine"](tmp_path))
    (tmp_path / "a.dcm").write_text("no DICOM")
    with pytest.raises(SegcamError, match="not a DICOM file"):
        read_parametric_map(tmp_path / "a.dcm")
    with pytest.raises(SegcamError):
        read_parametric_map(tmp_path / "missing.dcm")


def test_a_map_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    saved(path := tmp_path / "a.dcm", source_of("gray_cine", tmp_path), maps(6))
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    with pytest.raises(SegcamError, match="cut short"):
        read_parametric_map(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"frame_shape": [96]},
        {"frame_shape": [96, 2**40]},
        {"input_shape": [0, 96]},
        {"offset": [90, 0]},
        {"offset": [-1, 0]},
        {"crop": [8, 2000, 4, 120]},
        {"crop": [8, 8, 4, 120]},
        {"crop": "all"},
        {"pixel_aspect": 0},
        {"pixel_aspect": "NaN"},
        {"kind": "kitchen"},
        {"stride": 1.5},
        {"layer": None},
    ],
)
def test_private_facts_that_contradict_themselves_are_not_used(changes: dict[str, Any], tmp_path: Path) -> None:
    import json

    made = saved(tmp_path / "a.dcm", source_of("gray_cine", tmp_path), maps(6))
    block = made.private_block(GROUP, CREATOR)
    facts = json.loads(block[OFFSET].value)
    block[OFFSET].value = json.dumps(facts | changes)
    made.save_as(tmp_path / "b.dcm")
    with pytest.raises(SegcamError, match="does not say"):
        read_parametric_map(tmp_path / "b.dcm").heatmap(0)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), content=st.binary(min_size=1, max_size=12))
def test_damaged_files_give_our_own_error(place: float, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    if not path.exists():
        source = source_of("gray_cine", tmp_path)
        saved(path, source, [(n, replace(one, reason=None)) for n, one in maps(6)])
    whole = path.read_bytes()
    start = int(place * (len(whole) - len(content)))
    (tmp_path / "b.dcm").write_bytes(whole[:start] + content + whole[start + len(content) :])
    try:
        read = read_parametric_map(tmp_path / "b.dcm")
        for index in range(len(read)):
            read.values(index)
        read.heatmap(0)
    except SegcamError:
        pass
