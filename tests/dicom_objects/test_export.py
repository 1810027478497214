"""The export from Python, and what it says when something is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from pydicom import dcmread

import napari_segcam as sc
from dicom_objects.made_sources import SOURCES
from napari_segcam import optional
from napari_segcam.batch.images import images_of
from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.export import check_dicom_export
from napari_segcam.dicom_objects.exporting.frame_masks import FrameMasks
from napari_segcam.dicom_objects.findings.measured_mask import MOST_FINDINGS

pytest.importorskip("highdicom")


@pytest.fixture(scope="module")
def explainer() -> sc.Explainer:
    torch.manual_seed(0)
    module = smp.Unet("resnet18", encoder_weights=None, decoder_channels=(32, 16, 8, 8, 4))
    return sc.Explainer(sc.Network.from_module(module, device="cpu"), stages=("encoder_4", "encoder_5"))


def exported(cine: Any, explainer: sc.Explainer, folder: Path, frames: list[int], **options: Any) -> Any:
    export = sc.DicomExport(sc.SourceImages.of(cine), cine, folder, **options)
    for number in frames:
        result = explainer(cine[number], value_range=cine.value_range, pixel_aspect=cine.pixel_aspect)
        export.add(number, result, shown_first="encoder_4" if number else "encoder_5")
    return export.write()


def test_objects_are_written_from_python(explainer: sc.Explainer, tmp_path: Path) -> None:
    cine = sc.open_cine(SOURCES["gray_cine"](tmp_path))
    written = exported(cine, explainer, tmp_path / "out", [0, 1, 4], options=sc.DicomOptions(kind="fractional"))
    assert written.problems == ()
    names = [made.path.name for made in written.objects]
    assert names == [
        "segmentation.dcm",
        "heatmap_encoder_4.dcm",
        "heatmap_encoder_5.dcm",
        "overlay.dcm",
        "report.dcm",
    ]
    for made in written.objects:
        assert dcmread(made.path).SeriesInstanceUID == made.series_uid
    stored = dcmread(tmp_path / "out" / "segmentation.dcm").pixel_array
    probabilities = explainer(cine[4], value_range=cine.value_range).probabilities[0]
    np.testing.assert_array_equal(stored[2], np.rint(np.clip(probabilities, 0, 1) * 255))


@pytest.mark.parametrize(
    ("first_stages", "frames", "stage"),
    [
        ("each frame", [0, 1, 2], "encoder_4"),  # in two frames of three
        ("never", [1, 2], "encoder_5"),
        ("once", [1, 2], "encoder_4"),
        ("once", [0, 1, 2], "encoder_5"),
    ],
)
def test_the_overlay_shows_the_stage_to_look_at_first(
    explainer: sc.Explainer, tmp_path: Path, first_stages: str, frames: list[int], stage: str
) -> None:
    cine = sc.open_cine(SOURCES["gray_cine"](tmp_path))
    exported(cine, explainer, tmp_path, frames, first_stages=first_stages)
    assert stage in dcmread(tmp_path / "overlay.dcm").DerivationDescription


def test_a_pause_before_an_object_leaves_it_out(explainer: sc.Explainer, tmp_path: Path) -> None:
    cine = sc.open_cine(SOURCES["still"](tmp_path))
    export = sc.DicomExport(sc.SourceImages.of(cine), cine, tmp_path / "out")
    export.add(0, explainer(cine[0], value_range=cine.value_range))
    asked = iter([False, True])
    written = export.write(lambda: next(asked, True))
    assert [made.path.name for made in written.objects] == ["segmentation.dcm"]
    assert any("report.dcm: not written, as you stopped it" in problem for problem in written.problems)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["segmentation.dcm"]


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(optional, "find_spec", lambda name: None if name == "highdicom" else find(name))
    cine = sc.open_cine(SOURCES["still"](tmp_path))
    with pytest.raises(sc.SegcamError, match=r'pip install "napari-segcam\[dicom\]"'):
        check_dicom_export(cine)


def test_a_segment_for_each_finding_leaves_out_what_is_not_measured(tmp_path: Path) -> None:
    cine = sc.open_cine(SOURCES["still"](tmp_path))
    specks = np.zeros(cine.frame_shape, np.bool_)
    specks[::6, ::6] = True
    specks[0:5, 0:5] = True
    options = sc.DicomOptions(segments="finding")
    export = sc.DicomExport(sc.SourceImages.of(cine), cine, tmp_path, options, algorithm=Algorithm("a.pth", "ab" * 32))
    export.add_masks(0, FrameMasks({"speck": specks}, {"speck": "network"}))
    assert export.write().problems == ()
    assert len(dcmread(tmp_path / "segmentation.dcm").SegmentSequence) == MOST_FINDINGS
    words = dcmread(tmp_path / "report.dcm").to_json()
    assert "The segmentation holds the findings that are measured, and no others." in words
    assert f"the {16 * 22 - MOST_FINDINGS} smallest" in words


def test_nothing_examined_writes_nothing(tmp_path: Path) -> None:
    cine = sc.open_cine(SOURCES["still"](tmp_path))
    written = sc.DicomExport(sc.SourceImages.of(cine), cine, tmp_path / "out").write()
    assert written.objects == ()
    assert "no frame was examined" in written.left_out[0]
    assert not (tmp_path / "out").exists()


def test_an_overlay_is_known_as_one(explainer: sc.Explainer, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    image = SOURCES["gray_cine"](tmp_path / "images")
    exported(sc.open_cine(image), explainer, tmp_path / "images", [0, 1])
    assert any(
        "results of a network are drawn into" in note for note in sc.open_cine(image.parent / "overlay.dcm").notes
    )
    assert not any("results of a network" in note for note in sc.open_cine(image).notes)
    assert [entry.path for entry in images_of(image.parent)] == [image]
