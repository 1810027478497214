"""Objects that can be sent to a PACS: what their headers say, read before the user is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.errors import error_text, printable
from napari_segcam.viewer.worker.worker import Job

_TAGS = (
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "SOPClassUID",
    "SeriesDescription",
    "Modality",
)


@dataclass(frozen=True)
class Sendable:
    """A file that may be sent.

    Attributes:
        path: of the file.
        kind: of its object, in words.
        patient: ID, its issuer and the date of birth, which distinguish patients; empty where the file has none.
        study: its UID.
        problem: why it cannot be sent, in words; empty if it can.
    """

    path: Path
    kind: str = ""
    patient: tuple[str, str, str] = ("", "", "")
    study: str = ""
    problem: str = ""

    def is_of(self, other: Sendable) -> bool:
        """Return whether both belong to the same patient, as far as their headers say so."""
        mine, others = self.patient, other.patient
        if not mine[0] and not others[0]:
            return self.study == other.study
        return mine[0] == others[0] and all(a == b or not (a and b) for a, b in zip(mine, others, strict=True))


def read_sendable(path: Path) -> Sendable:
    """Return what the header of a file says; what it cannot be sent for is its ``problem``."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
        missing = [name for name in ("StudyInstanceUID", "SOPInstanceUID", "SOPClassUID") if not header.get(name)]
    except InvalidDicomError:
        return Sendable(path, problem="is not a DICOM file")
    except Exception as error:  # a damaged header makes pydicom raise errors of many types
        return Sendable(path, problem=f"cannot be read: {error_text(error)}")
    if missing:
        return Sendable(path, problem=f"has no {' and no '.join(missing)}")
    kind = printable(str(header.get("SeriesDescription") or header.SOPClassUID.name))
    patient = (_text(header, "PatientID"), _text(header, "IssuerOfPatientID"), _text(header, "PatientBirthDate"))
    return Sendable(path, kind, patient, str(header.StudyInstanceUID))


def read_job(paths: Sequence[Path], image: Path | None) -> Job:
    """Return a job whose one result is a list of the objects, and then the open image or None.

    Args:
        paths: files, or folders whose DICOM files (``*.dcm``) are meant.
        image: file or folder of the open image; None if there is none.
    """

    def work() -> Iterator[tuple[list[Sendable], Sendable | None]]:
        files: list[Path] = []
        for path in paths:
            files += sorted(path.rglob("*.dcm")) if path.is_dir() else [path]
        found = [read_sendable(path) for path in dict.fromkeys(files)]
        of_image = None
        if image is not None:
            of_image = read_sendable(next(iter(sorted(image.iterdir())), image) if image.is_dir() else image)
        yield found, of_image if of_image is not None and not of_image.problem else None

    return Job("pacs", "Reading the objects", work)


def _text(header: object, keyword: str) -> str:
    return printable(str(getattr(header, keyword, "") or "")).strip()
