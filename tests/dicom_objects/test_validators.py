"""Every object of every kind of source is valid; ``docs/dicom.md`` argues each warning of a validator."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from reporting.made_explanations import SHAPE, explanation, heatmap, ramp

from dicom_objects.made_sources import SOURCES
from dicom_objects.validators import dciodvfy_errors, dciodvfy_warnings, validator_errors
from napari_segcam import open_cine
from napari_segcam.dicom_objects.export import DicomExport
from napari_segcam.dicom_objects.exporting.options import DicomOptions
from napari_segcam.dicom_objects.findings.reported_finding import FrameVerdicts, ReaderVerdict
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.reporting.correction import Correction

pytest.importorskip("highdicom", reason="reports need highdicom")

# dciodvfy does not count Label Map Segmentation among the objects with several frames; docs/dicom.md says so.
LABELMAP_FRAME = "not be present for Referenced SOP Class that is not multi-frame"
# What dciodvfy warns of, as a pattern, and the words by which docs/dicom.md argues it.
ARGUED = {
    r"CodingSchemeDesignator.*Unrecognized defined term = <99SEGCAM>": "99SEGCAM",
    r'\(4e53,1001,"NAPARI-SEGCAM"\).*Unrecognized tag': "(4E53,1001)",
}
OPTIONS = {
    "binary": DicomOptions(reader="Reader^Rita"),
    "fractional": DicomOptions("fractional", compression="none"),
    "labelmap": DicomOptions("labelmap"),
    "findings": DicomOptions(segments="finding", compression="none", reader="Leserin^Lena"),
}


def explained(number: int) -> Explanation:
    """Two findings of a lesion that move, an empty map in frame 1, and nothing found in frame 2."""
    mask = np.zeros(SHAPE, np.uint8)
    if number != 2:
        mask[30 + number : 50 + number, 40:70] = 1
        mask[60:70, 80 + number : 95 + number] = 1
    reason = Reason.NOTHING_POSITIVE if number == 1 else None
    shallow = heatmap(ramp(12, 16) * (reason is None), name="encoder_3", reason=reason)
    return explanation({"encoder_3": shallow, "encoder_5": heatmap(ramp() + number)}, mask=mask)


def exported(kind: str, options: DicomOptions, folder: Path) -> list[Path]:
    """Export all frames of a source as all objects; a reader edited frame 0, and gave verdicts."""
    cine = open_cine(SOURCES[kind](folder))
    export = DicomExport(SourceImages.of(cine), cine, folder / "out", options)
    for number in range(len(cine)):
        result = explained(number)
        edited = result.mask.copy()
        edited[30:35] = 0
        export.add(
            number,
            result,
            correction=Correction(edited, {1: "lesion"}) if number == 0 else None,
            verdicts=FrameVerdicts(ReaderVerdict("reject", ("too large",)) if number == 0 else None),
        )
    written = export.write()
    assert written.problems == ()
    return [made.path for made in written.objects]


@pytest.fixture
def documentation() -> str:
    return (Path(__file__).parents[2] / "docs" / "dicom.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, "binary") for kind in SOURCES]
    + [(kind, name) for kind in ("ybr_jpeg_cine", "still", "folder_of_stills") for name in OPTIONS if name != "binary"],
)
def test_all_objects_of_all_sources_are_valid(kind: str, name: str, documentation: str, tmp_path: Path) -> None:
    paths = exported(kind, OPTIONS[name], tmp_path)
    assert [path.name for path in paths] == [
        "segmentation.dcm",
        "heatmap_encoder_3.dcm",
        "heatmap_encoder_5.dcm",
        "overlay.dcm",
        "report.dcm",
    ]
    series = set()
    for path in paths:
        errors = dciodvfy_errors(path)
        if path.name == "report.dcm" and name == "labelmap":
            errors = [error for error in errors if LABELMAP_FRAME not in error]
        assert errors == []
        for warning in dciodvfy_warnings(path):
            argued = [words for pattern, words in ARGUED.items() if re.search(pattern, warning)]
            assert argued, f"{path.name}: {warning}"
            assert argued[0] in documentation
        if path.name != "segmentation.dcm" or name != "labelmap":  # newer than the text of the standard
            assert validator_errors(path) == []
        series.add(pydicom.dcmread(path).SeriesInstanceUID)
    assert len(series) == len(paths)


@pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="dcmtk is missing")
@pytest.mark.parametrize("compression", ["jpeg", "none"])
def test_dcmtk_draws_the_overlay_as_pydicom_does(compression: str, tmp_path: Path) -> None:
    from PIL import Image

    exported("rgb_cine", DicomOptions(compression=compression), tmp_path)
    overlay = tmp_path / "out" / "overlay.dcm"
    drawn = pydicom.dcmread(overlay).pixel_array
    picture = tmp_path / "frame.ppm"
    subprocess.run(["dcmj2pnm", "--write-raw-pnm", "--frame", "4", str(overlay), str(picture)], check=True)
    other = np.asarray(Image.open(picture)).astype(int)
    assert np.abs(other - drawn[3]).max() <= (0 if compression == "none" else 24)
    assert np.abs(other - drawn[3]).mean() < 1


@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="dcmtk is missing")
def test_dcmtk_reads_every_object(tmp_path: Path) -> None:
    for path in exported("japanese_cine", DicomOptions(), tmp_path):
        process = subprocess.run(["dcmdump", "+P", "PatientName", str(path)], capture_output=True, check=True)
        assert "山田^太郎".encode() in process.stdout
        assert not process.stderr.strip()
