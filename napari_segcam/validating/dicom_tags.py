"""What the DICOM headers of a run's images say of patient and scanner, if the images are still there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicom.header import read_header
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.validating.run_images import image_file

_ATTRIBUTES = {
    "manufacturer": ("Manufacturer",),
    "scanner": ("ManufacturerModelName",),
    "probe": ("TransducerType", "TransducerData"),
    "sex": ("PatientSex",),
}
_KEYWORDS = ("PatientID", "IssuerOfPatientID", "PatientAge", *(name for each in _ATTRIBUTES.values() for name in each))
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


@dataclass(frozen=True)
class DicomTags:
    """The header of one image.

    Attributes:
        patient: a checksum of the patient's ID, to compare it with others; empty without one.
        attributes: what an image may be grouped by, as text, such as the manufacturer.
    """

    patient: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def read_tags(run: FinishedRun) -> dict[str, DicomTags]:
    """Return the tags of each DICOM image of a run that is still where the run has read it, by its name."""
    tags = {}
    for name in (*(image.name for image in run.images), *(failure.name for failure in run.failures)):
        path = image_file(run, name)
        if path is not None and (header := _header(path)) is not None:
            tags[name] = tags_of(header)
    return tags


def tags_of(header: Dataset) -> DicomTags:
    """Return the tags of a header."""
    identity = [str(header.get(keyword) or "").strip() for keyword in ("PatientID", "IssuerOfPatientID")]
    patient = hashlib.sha256("\n".join(identity).encode()).hexdigest() if identity[0] else ""
    attributes = {
        name: text
        for name, keywords in _ATTRIBUTES.items()
        if (text := next((text for keyword in keywords if (text := _text(header, keyword))), ""))
    }
    if age := _years(_text(header, "PatientAge")):
        attributes["age"] = age
    return DicomTags(patient, attributes)


def _header(path: Path) -> Dataset | None:
    """Return the header of a DICOM file, or of the first in a folder; None for any other file."""
    try:
        if path.is_dir():
            path = min(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        if kind_of(read_head(path)) is not FileKind.DICOM:
            return None
        with path.open("rb") as file:
            return read_header(file, _KEYWORDS)
    except SegcamError:
        return None
    except Exception:  # a damaged header makes pydicom raise anything
        return None


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    return "" if value is None else str(value).strip()


def _years(age: str) -> str:
    """Return an age such as ``"045Y"`` in years, as text; empty if it is none."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", age)
    return f"{int(match[1]) * _YEARS[match[2]]:g}" if match else ""
