"""The command ``explain --dicom``: what it writes, and what it refuses before the network is loaded."""

from __future__ import annotations

import csv
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from dicom_objects.made_sources import FRAMES, SOURCES
from dicom_objects.validators import dciodvfy_errors
from PIL import Image
from pydicom import Dataset, dcmread

import napari_segcam as sc
from napari_segcam import cli
from napari_segcam.measuring.components import component
from napari_segcam.measuring.finding_size import measure_finding

pytest.importorskip("highdicom")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "unet.pth"
    torch.save(smp.Unet("resnet18", encoder_weights=None, decoder_channels=(32, 16, 8, 8, 4)).state_dict(), path)
    return path


@pytest.fixture
def explain(monkeypatch: pytest.MonkeyPatch, checkpoint: Path, tmp_path: Path) -> Any:
    """``napari-segcam explain IMAGE --dicom OPTIONS``: its exit code; it writes to ``out``."""

    def run(image: Path, *options: object, model: Path = checkpoint) -> int:
        usual = ("explain", image, "--dicom", "--model", model, "--device", "cpu", "--out", tmp_path / "out")
        monkeypatch.setattr(
            sys, "argv", ["napari-segcam", *map(str, (*usual, "--stages", "encoder_4,encoder_5", *options))]
        )
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0)

    return run


@pytest.fixture
def threshold(checkpoint: Path, tmp_path: Path) -> float:
    """Return a threshold by which the network finds something in some pixels."""
    cine = sc.open_cine(SOURCES["anisotropic_cine"](tmp_path))
    return float(np.quantile(sc.Explainer(sc.load_network(checkpoint, "cpu"), stages=())(cine[0]).probabilities, 0.9))


def numbers(report: Dataset, code: str) -> list[float]:
    """Return all numbers of a report with a code as their name, by pydicom alone."""
    found: list[float] = []

    def walk(item: Dataset) -> None:
        if item.get("ValueType") == "NUM" and item.ConceptNameCodeSequence[0].CodeValue == code:
            found.append(item.MeasuredValueSequence[0].FloatingPointValue)
        for child in item.get("ContentSequence", ()):
            walk(child)

    walk(report)
    return found


@pytest.mark.slow
def test_a_cine_becomes_objects_of_its_study(
    explain: Any, checkpoint: Path, threshold: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = SOURCES["anisotropic_cine"](tmp_path)
    assert explain(image, "--threshold", threshold) == 0
    names = ["heatmap_encoder_4.dcm", "heatmap_encoder_5.dcm", "overlay.dcm", "report.dcm", "segmentation.dcm"]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.dcm")) == names
    assert not list((tmp_path / "out").glob("*.part"))
    header = dcmread(image)
    objects = {name: dcmread(tmp_path / "out" / name) for name in names}
    assert {made.StudyInstanceUID for made in objects.values()} == {header.StudyInstanceUID}
    assert {(made.PatientName, made.PatientID) for made in objects.values()} == {(header.PatientName, header.PatientID)}
    series = [made.SeriesInstanceUID for made in objects.values()]
    assert len({*series, header.SeriesInstanceUID}) == len(names) + 1

    printed = capsys.readouterr().out
    assert str(header.StudyInstanceUID) in printed
    assert all(str(uid) in printed for uid in series)
    assert str(header.PatientName) not in printed
    assert "Petra" not in printed

    explainer = sc.Explainer(sc.load_network(checkpoint, "cpu"), stages=("encoder_5",), threshold=threshold)
    cine = sc.open_cine(image)
    explanations = [
        explainer(cine[number], value_range=cine.value_range, pixel_aspect=cine.pixel_aspect)
        for number in range(FRAMES)
    ]
    masks = [explanation.mask for explanation in explanations]
    np.testing.assert_array_equal(objects["segmentation.dcm"].pixel_array.astype(bool), np.stack(masks) > 0)
    assert np.stack(masks).any()
    areas = numbers(objects["report.dcm"], "42798000")
    largest = [measure_finding(mask, cine.spacing_mm) for mask in masks if mask.any()]
    assert all(size.area in areas for size in largest)
    lengths = np.array(numbers(objects["report.dcm"], "103339001"))
    assert all(np.isclose(lengths, size.longest.length, rtol=1e-12).any() for size in largest)
    heat = objects["heatmap_encoder_5.dcm"]
    values = np.frombuffer(heat.FloatPixelData, "<f4").reshape(FRAMES, heat.Rows, heat.Columns)
    np.testing.assert_array_equal(values[2], explanations[2].heatmaps["encoder_5"].values)


@pytest.mark.slow
def test_the_report_names_the_frames_and_their_masks(explain: Any, threshold: float, tmp_path: Path) -> None:
    assert explain(SOURCES["anisotropic_cine"](tmp_path), "--threshold", threshold, "--frames", "4,1-2,1") == 0
    for path in (tmp_path / "out").glob("*.dcm"):
        assert dciodvfy_errors(path) == []
    report, segmentation = (dcmread(tmp_path / "out" / name) for name in ("report.dcm", "segmentation.dcm"))
    pixels = segmentation.pixel_array
    (measurements,) = [item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010"]
    seen = set()
    for group in measurements.ContentSequence:
        items = {item.ConceptNameCodeSequence[0].CodeValue: item for item in group.ContentSequence}
        if "121214" not in items:
            continue
        frame = items["121233"].ReferencedSOPSequence[0].ReferencedFrameNumber
        place = items["121214"].ReferencedSOPSequence[0]
        assert place.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
        groups = segmentation.PerFrameFunctionalGroupsSequence[place.ReferencedFrameNumber - 1]
        assert groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber == frame
        area = items["42798000"].MeasuredValueSequence[0].FloatingPointValue
        mask = pixels[place.ReferencedFrameNumber - 1].astype(bool)
        parts = []
        while mask.any():
            parts.append(component(mask))
            mask = mask & ~parts[-1]
        assert any(np.isclose(area, np.count_nonzero(part) * 0.3 * 0.5) for part in parts)
        seen.add(frame)
    assert seen <= {2, 3, 5}
    assert seen


@pytest.mark.slow
def test_other_kinds_of_segmentation_and_the_stage_of_the_overlay_are_as_requested(
    explain: Any, threshold: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = SOURCES["gray_cine"](tmp_path)
    options = ("--threshold", threshold, "--frames", "0-1")
    kinds = [
        ("fractional", "FRACTIONAL", "1.2.840.10008.5.1.4.1.1.66.4"),
        ("labelmap", "LABELMAP", "1.2.840.10008.5.1.4.1.1.66.7"),
    ]
    for kind, stated, sop_class in kinds:
        assert explain(image, *options, "--dicom-segmentation", kind, "--dicom-stage", "encoder_4") == 0
        made = dcmread(tmp_path / "out" / "segmentation.dcm")
        assert (made.SegmentationType, made.SOPClassUID) == (stated, sop_class)
        assert "encoder_4" in dcmread(tmp_path / "out" / "overlay.dcm").DerivationDescription
        assert len(numbers(dcmread(tmp_path / "out" / "report.dcm"), "42798000")) > 0
    assert explain(image, *options, "--dicom-segments", "finding", "--dicom-compression", "none") == 0
    made, report = (dcmread(tmp_path / "out" / name) for name in ("segmentation.dcm", "report.dcm"))
    assert all(segment.TrackingUID for segment in made.SegmentSequence)
    assert made.SegmentSequence[0].TrackingUID in report.to_json()
    assert not dcmread(tmp_path / "out" / "overlay.dcm").file_meta.TransferSyntaxUID.is_compressed
    capsys.readouterr()
    assert explain(image, "--dicom-stage", "encoder_2") == 2
    assert "no overlay of encoder_2" in " ".join(capsys.readouterr().err.split())


def test_several_methods_have_a_folder_each_and_one_segmentation(explain: Any, tmp_path: Path) -> None:
    assert explain(SOURCES["still"](tmp_path), "--methods", "gradcam,layercam") == 0
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.dcm")}
    parts = {"heatmap_encoder_4.dcm", "heatmap_encoder_5.dcm", "overlay.dcm"}
    expected = {f"{method}/{name}" for method in ("gradcam", "layercam") for name in parts}
    assert written == {"segmentation.dcm", "report.dcm"} | expected


@pytest.mark.slow
def test_a_folder_of_stills_is_one_segmentation_that_refers_to_each(explain: Any, tmp_path: Path) -> None:
    folder = SOURCES["folder_of_stills"](tmp_path)
    assert explain(folder) == 0
    made = dcmread(tmp_path / "out" / "segmentation.dcm")
    referred = [
        groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        for groups in made.PerFrameFunctionalGroupsSequence
    ]
    assert referred == [dcmread(path).SOPInstanceUID for path in sorted(folder.iterdir())]


def test_what_no_object_can_be_made_of_is_refused_before_the_network_is_read(
    explain: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = SOURCES["folder_of_stills"](tmp_path)
    other = dcmread(mixed / "still_2.dcm")
    other.PatientID, other.PatientName = "P-other", "Other^Patient"
    other.save_as(mixed / "still_2.dcm")
    plain = tmp_path / "plain.png"
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(plain)
    nowhere = tmp_path / "missing.pth"
    wanted = {
        plain: "plain.png is not a DICOM file: it belongs to no patient and no study",
        mixed: "are of several patients",
    }
    for image, words in wanted.items():
        assert explain(image, model=nowhere) == 2
        message = " ".join(capsys.readouterr().err.split())
        assert words in message
        assert "missing.pth" not in message
        assert not (tmp_path / "out").exists()
    assert explain(SOURCES["still"](tmp_path), "--dicom-segmentation", "fractional", "--dicom-segments", "finding") == 2
    assert "cannot be divided into findings" in " ".join(capsys.readouterr().err.split())


def test_options_without_dicom_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = SOURCES["still"](tmp_path)
    monkeypatch.setattr(sys, "argv", ["napari-segcam", "explain", str(image), "--dicom-stage", "encoder_1"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert "add --dicom" in " ".join(capsys.readouterr().err.split())


def test_ctrl_c_leaves_no_dicom_object(
    explain: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_segcam.reporting import exports

    write = exports.write_explanation

    def write_and_interrupt(*arguments: Any, **options: Any) -> None:
        write(*arguments, **options)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(exports, "write_explanation", write_and_interrupt)
    assert explain(SOURCES["gray_cine"](tmp_path)) == 130
    assert "No DICOM object is written" in capsys.readouterr().out
    assert not list((tmp_path / "out").rglob("*.dcm"))
    with (tmp_path / "out" / "attention.csv").open(newline="") as file:
        assert {row["frame"] for row in csv.DictReader(file)} == {"0"}


@pytest.mark.slow
def test_one_object_that_fails_does_not_keep_the_others_from_it(
    explain: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out" / "segmentation.dcm").mkdir(parents=True)  # a folder is in its place
    assert explain(SOURCES["still"](tmp_path)) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "segmentation.dcm" in message
    assert "cannot be written" in message
    assert {path.name for path in (tmp_path / "out").glob("*.dcm") if path.is_file()} == {
        "heatmap_encoder_4.dcm",
        "heatmap_encoder_5.dcm",
        "overlay.dcm",
        "report.dcm",
    }
    assert "There is no segmentation of these findings" in dcmread(tmp_path / "out" / "report.dcm").to_json()


@pytest.mark.slow
def test_the_overlay_shows_a_stage_that_takes_part(
    explain: Any, checkpoint: Path, threshold: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = torch.load(checkpoint)
    weights["decoder.blocks.0.conv1.0.weight"][:, :512] = 0  # what comes from the deepest stage
    torch.save(weights, tmp_path / "blind.pth")
    image = SOURCES["gray_cine"](tmp_path)
    assert explain(image, "--threshold", threshold, model=tmp_path / "blind.pth") == 0
    assert "shows encoder_4: the deepest encoder stage that takes part" in " ".join(capsys.readouterr().out.split())
    assert "encoder_4" in dcmread(tmp_path / "out" / "overlay.dcm").DerivationDescription

    assert explain(image, "--threshold", threshold, "--dicom-stage", "encoder_5", model=tmp_path / "blind.pth") == 0
    assert "takes part" not in capsys.readouterr().out
    assert "encoder_5" in dcmread(tmp_path / "out" / "overlay.dcm").DerivationDescription
