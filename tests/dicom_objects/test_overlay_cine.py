"""Overlays: every viewer plays them at the source's pace, and they say what they are at every size."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import generate_fragments, parse_basic_offsets

from dicom_objects.made_sources import FRAME_TIME_MS, SOURCES, native
from dicom_objects.validators import dciodvfy_errors, dciodvfy_warnings, validator_errors
from napari_segcam import open_cine
from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.new_object import save_object
from napari_segcam.dicom_objects.overlay_cine import OverlayObject, burned_in_warning, overlay_cine
from napari_segcam.dicom_objects.overlay_cine.caption import Caption, ColorBar
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.reporting.figures import display

ALGORITHM = Algorithm("unet.pth", "0f" * 32, ("architecture Unet",))
TITLE = "Grad-CAM of encoder_5, fibroid"
GRAYS = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


def pictures_of(path: Path) -> tuple[SourceImages, list[tuple[int, Any]]]:
    cine = open_cine(path)
    return SourceImages.of(cine), [(n, display(cine[n], cine.value_range)) for n in range(len(cine))]


def saved(path: Path, source: SourceImages, pictures: Any, **options: Any) -> pydicom.Dataset:
    save_object(overlay_cine(source, pictures, algorithm=ALGORITHM, title=TITLE, **options), path)
    return pydicom.dcmread(path)


@pytest.mark.parametrize("compression", ["jpeg", "none"])
@pytest.mark.parametrize("kind", SOURCES)
def test_overlays_are_valid(kind: str, compression: Any, tmp_path: Path) -> None:
    source, pictures = pictures_of(SOURCES[kind](tmp_path))
    path = tmp_path / "overlay.dcm"
    overlay = saved(path, source, pictures, compression=compression, bar=ColorBar(GRAYS, "0", "1"))
    assert dciodvfy_errors(path) == []
    assert all("99SEGCAM" in line for line in dciodvfy_warnings(path))
    assert validator_errors(path) == []
    assert overlay.StudyInstanceUID == source.study_uid
    assert overlay.SeriesInstanceUID not in source.series_uids
    assert str(overlay.PatientName) == str(source.first.PatientName)
    assert overlay.BurnedInAnnotation == "YES"


def test_the_scan_keeps_its_place_and_its_pixels(tmp_path: Path) -> None:
    source, pictures = pictures_of(SOURCES["rgb_cine"](tmp_path))
    exact = saved(tmp_path / "a.dcm", source, pictures, compression="none").pixel_array
    for number, picture in pictures:
        np.testing.assert_array_equal(exact[number, : source.rows, : source.columns], picture)
    lossy = saved(tmp_path / "b.dcm", source, pictures).pixel_array
    assert lossy.shape == exact.shape
    assert np.abs(lossy.astype(int) - exact).mean() < 3
    assert exact[0, source.rows :].max() > 200  # the caption


def test_jpeg_frames_are_whole_and_found_by_the_offset_table(tmp_path: Path) -> None:
    source, pictures = pictures_of(SOURCES["gray_cine"](tmp_path))
    overlay = saved(tmp_path / "a.dcm", source, pictures)
    assert overlay.file_meta.TransferSyntaxUID == pydicom.uid.JPEGBaseline8Bit
    offsets = parse_basic_offsets(overlay.PixelData)
    streams = list(generate_fragments(overlay.PixelData))[-len(pictures) :]
    assert len(offsets) == len(pictures)
    sizes = [8 + len(stream) for stream in streams]
    assert offsets == [sum(sizes[:index]) for index in range(len(sizes))]
    for stream in streams:
        with Image.open(io.BytesIO(stream)) as image:
            assert image.size == (overlay.Columns, overlay.Rows)
            assert image.layer[0][1:3] == (2, 1)  # 4:2:2
    ratio = 3 * overlay.Rows * overlay.Columns * len(streams) / sum(map(len, streams))
    assert float(overlay.LossyImageCompressionRatio) == pytest.approx(ratio, rel=0.01)


def test_earlier_losses_are_kept(tmp_path: Path) -> None:
    source, pictures = pictures_of(SOURCES["ybr_jpeg_cine"](tmp_path))
    exact = saved(tmp_path / "a.dcm", source, pictures, compression="none")
    assert exact.LossyImageCompression == "01"
    assert float(exact.LossyImageCompressionRatio) == float(source.first.LossyImageCompressionRatio)
    twice = saved(tmp_path / "b.dcm", source, pictures)
    assert list(twice.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_10918_1"]
    gray, frames = pictures_of(SOURCES["gray_cine"](tmp_path))
    assert saved(tmp_path / "c.dcm", gray, frames, compression="none").LossyImageCompression == "00"


def test_the_loss_of_a_jpeg_image_that_does_not_name_it_is_named(tmp_path: Path) -> None:
    path = SOURCES["ybr_jpeg_cine"](tmp_path)
    header = pydicom.dcmread(path)
    for what in ("", "Ratio", "Method"):
        del header[f"LossyImageCompression{what}"]
    header.save_as(path)
    source, pictures = pictures_of(path)
    exact = saved(tmp_path / "exact.dcm", source, pictures, compression="none")
    assert (exact.LossyImageCompression, exact.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    pixels = len(pictures) * source.rows * source.columns * 3
    assert float(exact.LossyImageCompressionRatio) == pytest.approx(pixels / path.stat().st_size, abs=0.01)
    assert list(saved(tmp_path / "twice.dcm", source, pictures).LossyImageCompressionMethod) == ["ISO_10918_1"] * 2
    assert dciodvfy_errors(tmp_path / "exact.dcm") == []


@pytest.mark.parametrize(
    ("kind", "numbers", "times"),
    [
        ("gray_cine", [0, 1, 2, 3, 4, 5], FRAME_TIME_MS),
        ("gray_cine", [1, 3, 5], 2 * FRAME_TIME_MS),
        ("gray_cine", [0, 1, 4], [0, FRAME_TIME_MS, 3 * FRAME_TIME_MS]),
        ("varying_cine", [0, 1, 2, 3, 4, 5], [0, 30, 40, 50, 40, 35.5]),
        ("varying_cine", [0, 2, 5], [0, 70, 125.5]),
        ("two_pointers", [0, 2], 2 * FRAME_TIME_MS),
    ],
)
def test_the_source_sets_the_pace(kind: str, numbers: list[int], times: Any, tmp_path: Path) -> None:
    path = SOURCES["gray_cine" if kind == "two_pointers" else kind](tmp_path)
    if kind == "two_pointers":
        header = pydicom.dcmread(path)
        header.FrameIncrementPointer = [0x00181063, 0x00181064]
        header.CineRate = 50  # not what is pointed to
        header.save_as(path)
    source, pictures = pictures_of(path)
    overlay = saved(tmp_path / "a.dcm", source, [pictures[number] for number in numbers])
    if isinstance(times, list):
        assert overlay.FrameIncrementPointer == pydicom.tag.Tag("FrameTimeVector")
        assert [float(step) for step in overlay.FrameTimeVector] == times
    else:
        assert overlay.FrameIncrementPointer == pydicom.tag.Tag("FrameTime")
        assert float(overlay.FrameTime) == times
    [reference] = overlay.SourceImageSequence
    frames = reference.ReferencedFrameNumber
    assert list(frames if len(numbers) > 1 else [frames]) == [number + 1 for number in numbers]
    assert open_cine(tmp_path / "a.dcm").frame_rate == pytest.approx(
        1000 / (np.mean(times[1:]) if isinstance(times, list) else times)
    )


def test_stills_of_a_folder_have_no_pace(tmp_path: Path) -> None:
    source, pictures = pictures_of(SOURCES["folder_of_stills"](tmp_path))
    overlay = saved(tmp_path / "a.dcm", source, pictures)
    assert overlay.SOPClassUID == pydicom.uid.MultiFrameTrueColorSecondaryCaptureImageStorage
    assert "FrameTime" not in overlay
    assert len(overlay.SourceImageSequence) == 3


def test_calibration_is_kept(tmp_path: Path) -> None:
    source, pictures = pictures_of(SOURCES["anisotropic_cine"](tmp_path))
    saved(tmp_path / "a.dcm", source, pictures)
    assert open_cine(tmp_path / "a.dcm").spacing_mm == pytest.approx((0.3, 0.5))
    source, pictures = pictures_of(SOURCES["uncalibrated_cine"](tmp_path))
    saved(tmp_path / "b.dcm", source, pictures)
    assert open_cine(tmp_path / "b.dcm").spacing_mm is None


@pytest.mark.parametrize("shape", [(24, 16), (48, 64), (600, 800), (2000, 30)])
def test_every_size_has_room_for_every_word(shape: tuple[int, int]) -> None:
    caption = Caption(shape, TITLE)
    drawn = caption.draw(np.zeros((*shape, 3), np.uint8))
    assert drawn.shape == (*caption.shape, 3)
    assert caption.shape[1] % 2 == 0
    words = " ".join(line for line, _ in caption._lines).split()
    assert words[:7] == ["Research", "use", "only", "–", "not", "for", "diagnostic"]
    assert " ".join(words).endswith(TITLE)
    band = drawn[shape[0] :].max(axis=-1)
    assert not (band[:, -2:] > 60).any()  # no letter is cut off
    assert (band > 150).any()


def test_a_note_changes_only_the_band() -> None:
    caption = Caption((60, 300), TITLE)
    picture = np.random.default_rng(0).integers(0, 255, (60, 300, 3), dtype=np.uint8)
    plain, noted = caption.draw(picture), caption.draw(picture, "Empty: the chosen region is empty in this frame")
    assert plain.shape == noted.shape
    np.testing.assert_array_equal(noted[:60], picture)
    assert (plain[60:] != noted[60:]).any()
    assert len(Caption((60, 300), TITLE, has_notes=False).draw(picture)) < len(plain)


@pytest.mark.parametrize("columns", [90, 128, 320, 640, 1024])
@pytest.mark.parametrize("reason", Reason)
def test_notes_on_empty_maps_end_between_words(reason: Reason, columns: int) -> None:
    caption = Caption((100, columns), TITLE)
    note = f"Frame 35 of 60. Empty: {reason.value}."
    lines = caption._fitting(note)
    assert len(lines) <= caption._note_lines
    words = " ".join(lines)
    assert note.startswith(words.removesuffix("…").rstrip(" ."))
    if columns >= 320:
        assert words == note or note[len(words) - 1] == ","


def test_each_picture_says_which_frame_it_is(tmp_path: Path) -> None:
    source, pictures = pictures_of(SOURCES["gray_cine"](tmp_path))
    frames = saved(tmp_path / "a.dcm", source, pictures, compression="none").pixel_array
    bands = [frame[source.rows :].tobytes() for frame in frames]
    assert len(set(bands)) == len(pictures)
    expected = Caption((source.rows, source.columns), TITLE).draw(pictures[4][1], "Frame 5 of 6")
    np.testing.assert_array_equal(frames[4], expected)


def test_what_the_source_says_about_names_in_its_pixels(tmp_path: Path) -> None:
    path = SOURCES["still"](tmp_path)
    assert burned_in_warning(SourceImages.of(open_cine(path))) is None
    for value, word in (("YES", "show who the patient is"), (None, "does not say")):
        header = pydicom.dcmread(path)
        if value is None:
            del header.BurnedInAnnotation
        else:
            header.BurnedInAnnotation = value
        header.save_as(path)
        assert word in (burned_in_warning(SourceImages.of(open_cine(path))) or "")


def test_pictures_must_fit(tmp_path: Path) -> None:
    source, pictures = pictures_of(SOURCES["gray_cine"](tmp_path))
    made = OverlayObject(source, algorithm=None, title=TITLE)
    with pytest.raises(SegcamError, match="no picture"):
        made.dataset()
    made.add(*pictures[1])
    with pytest.raises(ValueError, match="after"):
        made.add(*pictures[0])
    with pytest.raises(ValueError, match="shape"):
        made.add(2, pictures[2][1][:-1])


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    import tracemalloc

    count, rows, columns = 120, 240, 320
    path = native(tmp_path, "long_cine", np.zeros((count, rows, columns), np.uint8))
    source = SourceImages.of(open_cine(path))
    picture = np.random.default_rng(0).integers(0, 255, (rows, columns, 3), dtype=np.uint8)
    overlay_cine(source, [(0, picture)], algorithm=None, title=TITLE)  # imports and fonts
    tracemalloc.start()
    dataset = overlay_cine(
        source, ((n, picture) for n in range(count)), algorithm=None, title=TITLE, compression="none"
    )
    save_object(dataset, tmp_path / "overlay.dcm")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.25 * count * picture.nbytes


@pytest.mark.parametrize(
    ("keyword", "vr", "content"),
    [
        ("FrameTime", "DS", b"abc "),
        ("FrameTimeVector", "DS", b"x\\y\\z "),
        ("FrameIncrementPointer", "AT", b"\x01\x00"),
        ("CineRate", "IS", b"fast"),
        ("ImageType", "CS", b"DERIVED\\SECONDARY\\?\\weird "),
        ("LossyImageCompression", "CS", b"01"),
        ("LossyImageCompressionRatio", "DS", b"ten "),
        ("BodyPartExamined", "CS", b"ut\xe9rus, and much more text "),
        ("Laterality", "CS", b"x "),
        ("Modality", "CS", b"us"),
        ("BurnedInAnnotation", "CS", b"PERHAPS "),
    ],
)
def test_what_is_wrong_in_the_source_stays_there(keyword: str, vr: str, content: bytes, tmp_path: Path) -> None:
    path = SOURCES["gray_cine"](tmp_path)
    header = pydicom.dcmread(path)
    tag = pydicom.tag.Tag(keyword)
    header._dict[tag] = pydicom.dataelem.RawDataElement(tag, vr, len(content), content, 0, False, True)
    header.save_as(path)
    source, pictures = pictures_of(path)
    overlay = saved(tmp_path / "overlay.dcm", source, pictures)
    assert dciodvfy_errors(tmp_path / "overlay.dcm") == []
    assert validator_errors(tmp_path / "overlay.dcm") == []
    assert "PixelData" in overlay


def test_a_region_without_flags_still_calibrates(tmp_path: Path) -> None:
    path = SOURCES["gray_cine"](tmp_path)
    header = pydicom.dcmread(path)
    del header.SequenceOfUltrasoundRegions[0].RegionFlags
    header.save_as(path)
    source, pictures = pictures_of(path)
    saved(tmp_path / "overlay.dcm", source, pictures)
    assert dciodvfy_errors(tmp_path / "overlay.dcm") == []
    assert open_cine(tmp_path / "overlay.dcm").spacing_mm == (0.5, 0.5)
