"""Source images: the DICOM instances whose frames a cine shows, to which a new object refers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import UID

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.dicom.dicom_cine import dicom_errors
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.imaging.image_folder import FolderCine

_LONGEST_VALUE = "64 KB"  # longer ones stay in the file until they are asked for
_UIDS = {
    "SOPClassUID": "a class",
    "SOPInstanceUID": "an identifier of its own",
    "StudyInstanceUID": "a study",
    "SeriesInstanceUID": "a series",
}


@dataclass(frozen=True)
class FramePlace:
    """A frame of the cine in its DICOM instance.

    Attributes:
        header: of the instance, without its pixels; it must not be changed.
        frame: its number in the instance, from 1 as in DICOM.
        is_multiframe: whether the instance is of a kind that counts its frames.
    """

    header: Dataset
    frame: int
    is_multiframe: bool


class SourceImages:
    """The DICOM instances of a cine: one file, or the stills of a folder; all of one patient and one study.

    Attributes:
        headers: of the instances in the order of the cine, without pixels; they must not be changed.
        frame_count: number of frames of the cine.
        rows: number of rows of each frame.
        columns: number of columns of each frame.
        spacing_mm: distance between rows and between columns, None if unknown.
        frame_rate: frames per second, None if unknown.
    """

    def __init__(
        self,
        headers: Sequence[Dataset],
        frame_counts: Sequence[int],
        *,
        spacing_mm: tuple[float, float] | None = None,
        frame_rate: float | None = None,
    ) -> None:
        """Join instances that belong together.

        Args:
            headers: of the instances, in order.
            frame_counts: how many frames of the cine each of them holds.
            spacing_mm: see the attributes.
            frame_rate: see the attributes.

        Raises:
            SegcamError: if they are of several patients, studies or frame sizes, or one lacks its identifiers.
        """
        if not headers:
            raise SegcamError("There is no DICOM image that a new object could refer to.")
        for header in headers:
            _refuse_nameless(header)
        _refuse_mixed(headers)
        self.headers = tuple(headers)
        self._counts = tuple(frame_counts)
        self.frame_count = sum(frame_counts)
        self.rows, self.columns = int(headers[0].Rows), int(headers[0].Columns)
        self.spacing_mm = spacing_mm
        self.frame_rate = frame_rate

    @classmethod
    def of(cls, cine: Cine) -> SourceImages:
        """Read the headers of the files that a cine shows.

        Raises:
            SegcamError: if they are not DICOM, cannot be read, have changed since the cine was opened, or do not
                belong to one patient and one study.
        """
        paths = cine.frame_paths if isinstance(cine, FolderCine) else (cine.path,) if cine.path else ()
        if not paths:
            raise SegcamError(f"{cine.name} is no file. A DICOM object can only be made for a DICOM file.")
        headers = [_read_header(path) for path in paths]
        counts = [len(cine)] if len(paths) == 1 else [1] * len(paths)
        for path, header in zip(paths, headers, strict=True):
            size = (header.get("Rows"), header.get("Columns"))
            if size != cine.frame_shape[:2]:
                raise SegcamError(f"{path.name} has changed since it was opened. Open it again.")
            if (stated := int(header.get("NumberOfFrames") or 1)) < max(counts):
                raise SegcamError(
                    f"{path.name} holds {max(counts)} frames, but its header counts {stated}: no DICOM object can "
                    "refer to the others. Export it again from the scanner or the PACS."
                )
        return cls(headers, counts, spacing_mm=cine.spacing_mm, frame_rate=cine.frame_rate)

    @property
    def first(self) -> Dataset:
        """The header of the first instance, which stands for the patient and the study."""
        return self.headers[0]

    @property
    def study_uid(self) -> str:
        """The study of the instances."""
        return str(self.first.StudyInstanceUID)

    @property
    def series_uids(self) -> tuple[str, ...]:
        """The series of the instances, each once."""
        return tuple(dict.fromkeys(str(header.SeriesInstanceUID) for header in self.headers))

    @cached_property
    def _places(self) -> tuple[FramePlace, ...]:
        return tuple(
            FramePlace(header, frame, _counts_frames(header))
            for header, count in zip(self.headers, self._counts, strict=True)
            for frame in range(1, count + 1)
        )

    def place(self, number: int) -> FramePlace:
        """Return where a frame of the cine is.

        Args:
            number: of the frame in the cine, from 0.

        Raises:
            IndexError: if the cine has no such frame.
        """
        if not 0 <= number < self.frame_count:
            raise IndexError(f"frame {number} of a cine with {self.frame_count}")
        return self._places[number]

    def numbers_of(self, sop_instance_uid: str) -> range | None:
        """Return the numbers, from 0, of the cine's frames that an instance holds; None if it is none of the cine's.

        Args:
            sop_instance_uid: of the instance.
        """
        start = 0
        for header, count in zip(self.headers, self._counts, strict=True):
            if header.SOPInstanceUID == sop_instance_uid:
                return range(start, start + count)
            start += count
        return None


def _counts_frames(header: Dataset) -> bool:
    """Return whether a frame number belongs to a reference: scanners write a number of 1 into single images too."""
    return int(header.get("NumberOfFrames") or 1) > 1 or "Multi-frame" in UID(str(header.SOPClassUID)).name


def _read_header(path: Path) -> Dataset:
    with dicom_errors(path):
        if kind_of(read_head(path)) is not FileKind.DICOM:
            raise SegcamError(
                f"{path.name} is not a DICOM file: it belongs to no patient and no study, so no DICOM object can be "
                "made for it. Export it as DICOM from the scanner or the PACS."
            )
        return dcmread(path, stop_before_pixels=True, defer_size=_LONGEST_VALUE, force=True)


def _refuse_nameless(header: Dataset) -> None:
    """Raise a SegcamError unless the header has the identifiers by which a new object refers to its image."""
    name = Path(str(header.get("filename") or "The image")).name
    for keyword, meaning in _UIDS.items():
        value = str(header.get(keyword) or "")
        if not UID(value).is_valid or len(value) > 64:
            reason = f"its {keyword} is not valid" if value else f"its header names no {keyword}"
            raise SegcamError(
                f"{name} does not say that it has {meaning}: {reason}. No DICOM object can refer to it; export it "
                "again from the scanner or the PACS."
            )


def _refuse_mixed(headers: Sequence[Dataset]) -> None:
    """Raise a SegcamError unless all instances are of one patient, one study and one frame size, each only once."""
    for meaning, keyword, may_be_unknown in (
        ("patients", "PatientID", False),
        ("patients", "PatientName", False),
        ("patients", "IssuerOfPatientID", True),
        ("patients", "PatientBirthDate", True),
        ("studies", "StudyInstanceUID", False),
        ("frame sizes", "Rows", False),
        ("frame sizes", "Columns", False),
    ):
        values = {_comparable(header, keyword) for header in headers}
        if len(values - {""} if may_be_unknown else values) > 1:
            raise SegcamError(
                f"The {len(headers)} images are of several {meaning} ({keyword} differs): one DICOM object can belong "
                "to only one. Put them into a folder each, and export each by itself."
            )
    if len({str(header.SOPInstanceUID) for header in headers}) < len(headers):
        raise SegcamError("Two of the images have the same SOPInstanceUID: a reference could mean either. Remove one.")


def _comparable(header: Dataset, keyword: str) -> str:
    """Return a value as it is compared: the case of a name and empty parts at its end make no other patient."""
    return str(header.get(keyword) or "").strip().rstrip("^ ").casefold()
