"""A de-identified copy of a DICOM file: a clean header, and pixels without the screen around the scan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydicom import Dataset

from napari_segcam.deidentifying.dicom_header import read_whole_header, refused_errors
from napari_segcam.deidentifying.header.cleaning import HeaderCleaner
from napari_segcam.deidentifying.kinds import ObjectKind, object_kind
from napari_segcam.deidentifying.new_files import new_file
from napari_segcam.deidentifying.object_pixels import append_object_pixels
from napari_segcam.deidentifying.options import DeidentifyOptions
from napari_segcam.deidentifying.pixels.burned_in_search import BurnedIn, find_burned_in
from napari_segcam.deidentifying.pixels.clean_frames import CleanFrames
from napari_segcam.deidentifying.pixels.kept_region import KeptRegion
from napari_segcam.deidentifying.pixels.writing import append_encapsulated, append_native, write_header
from napari_segcam.deidentifying.pseudonyms import Pseudonyms
from napari_segcam.deidentifying.records import CopyRecord
from napari_segcam.deidentifying.refusals import UNREADABLE, RefusedError, StoppedError
from napari_segcam.deidentifying.stamps import stamp
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.dicom.frame_decoder import PALETTE_KEYWORDS
from napari_segcam.imaging.dicom.opening import open_dicom

_BLANKED = "Pixels outside the scan blanked"
_SINGLE_FRAME = ("1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.7")


class DicomCopier:
    """Makes the copies of the DICOM files of one run.

    Args:
        options: of the run.
        pseudonyms: of the run.
        cancelled: returns whether to stop.
    """

    def __init__(
        self, options: DeidentifyOptions, pseudonyms: Pseudonyms, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        self._options = options
        self._cleaner = HeaderCleaner(pseudonyms, shift_dates=options.dates == "shift")
        self._cancelled = cancelled

    def copy(self, path: Path, place: Callable[[Dataset, ObjectKind], Path], record: CopyRecord) -> Path:
        """Write the copy of a file and return its path; the file is complete or not there.

        Args:
            path: of the file.
            place: returns where the copy goes, from its header.
            record: gets what was done.

        Raises:
            RefusedError: if there can be no copy.
        """
        header = read_whole_header(path)
        with refused_errors(path):
            kind = object_kind(header, path.name)
            record.kind = kind.value
            clean = self._cleaner.clean(header, record.entries)
        if not clean.get("SOPInstanceUID") or not clean.get("SOPClassUID"):
            raise RefusedError(f"{path.name} has no SOP Instance UID: it is damaged.", UNREADABLE)
        if kind is ObjectKind.IMAGE:
            return self._copy_image(path, header, clean, place, record)
        stamp(clean, dates_shifted=self._shifts, pixels_clean=False, is_report=kind is ObjectKind.REPORT)
        target = place(clean, kind)
        with new_file(target) as temporary, refused_errors(path, reading=False):
            write_header(temporary, clean)
            append_object_pixels(temporary, path, header, record)
        return target

    @property
    def _shifts(self) -> bool:
        return self._options.dates == "shift"

    def clean_image(
        self, path: Path, header: Dataset, clean: Dataset, record: CopyRecord, *, search: bool = True
    ) -> CleanFrames:
        """Return the frames of an image's copy, and complete its header.

        Args:
            path: of the file.
            header: of the file.
            clean: of the copy; changed.
            record: gets what is done to the pixels.
            search: whether to search the region that stays for burned-in graphics.

        Raises:
            RefusedError: if there can be no copy.
        """
        with refused_errors(path):
            cine = open_dicom(path)
            region = KeptRegion.of(self._options.region, cine)
            found = find_burned_in(cine, region.crop, self._cancelled) if search else None
            frames = CleanFrames(cine, header, region.crop)
            _describe_pixels(clean, frames, cine)
            _trim_palette(clean)
            stated = str(header.get("BurnedInAnnotation") or "")
        record.frames, record.region, record.pixels = len(cine), region.words, frames.words
        value = _burned_in_annotation(found, region, stated, is_needed="BurnedInAnnotation" in clean)
        if "BurnedInAnnotation" in clean:
            del clean.BurnedInAnnotation
        if value:
            clean.BurnedInAnnotation = value
        record.burned_in_annotation = value
        record.burned_in = found.words if found else ""
        record.notes += [
            note for note in (region.note, *cine.notes) if note == region.note != "" or "cut short" in note
        ]
        if region.crop is not None:
            record.entries.add("(7FE0,0010)", "PixelData", "OW", "blanked", "outside the region")
        is_clean = region.crop is not None and value == "NO"
        stamp(clean, dates_shifted=self._shifts, pixels_clean=is_clean, is_report=False)
        return frames

    def _copy_image(
        self,
        path: Path,
        header: Dataset,
        clean: Dataset,
        place: Callable[[Dataset, ObjectKind], Path],
        record: CopyRecord,
    ) -> Path:
        frames = self.clean_image(path, header, clean, record)
        target = place(clean, ObjectKind.IMAGE)
        with new_file(target) as temporary, refused_errors(path, reading=False):
            write_header(temporary, clean, frames.syntax)
            stream = (self._unless_cancelled(frame) for frame in frames)
            if frames.syntax.is_encapsulated:
                append_encapsulated(temporary, stream)
            else:
                vr = "OB" if frames.module["BitsAllocated"] == 8 else "OW"
                append_native(temporary, stream, frames.frame_bytes * len(frames), vr=vr)
        return target

    def _unless_cancelled(self, frame: bytes) -> bytes:
        if self._cancelled():
            raise StoppedError("Stopped.")
        return frame


def _describe_pixels(clean: Dataset, frames: CleanFrames, cine: Cine) -> None:
    """Set the image pixel module and what depends on it."""
    for keyword, value in frames.module.items():
        setattr(clean, keyword, value)
    if frames.module["SamplesPerPixel"] == 1 and "PlanarConfiguration" in clean:
        del clean.PlanarConfiguration
    if len(cine) > 1 or "NumberOfFrames" in clean or clean.SOPClassUID not in _SINGLE_FRAME:
        clean.NumberOfFrames = len(cine)
    if frames.crop is not None:
        terms = [str(term) for term in clean.get("ImageType") or ()]
        clean.ImageType = ["DERIVED", *(terms[1:] or ["PRIMARY"])]
        clean.DerivationDescription = _BLANKED


def _trim_palette(clean: Dataset) -> None:
    """Remove a palette that the pixels do not use, and cut what follows the entries of one that they use."""
    is_used = clean.PhotometricInterpretation == "PALETTE COLOR"
    for keyword in PALETTE_KEYWORDS:
        if keyword in clean and not is_used:
            del clean[keyword]
    for color in ("Red", "Green", "Blue") if is_used else ():
        described = clean.get(f"{color}PaletteColorLookupTableDescriptor")
        data = clean.get(f"{color}PaletteColorLookupTableData")
        if described is not None and data is not None and len(described) == 3:
            entries = int(described[0]) or 2**16
            size = entries * (2 if int(described[2]) > 8 or len(data) >= 2 * entries else 1)
            data = bytes(data)[:size]
            setattr(clean, f"{color}PaletteColorLookupTableData", data + b"\0" * (len(data) % 2))


def _burned_in_annotation(found: BurnedIn | None, region: KeptRegion, stated: str, *, is_needed: bool) -> str:
    """Return the value of BurnedInAnnotation: NO only if the screen is blanked and all frames are free of graphics."""
    if found is not None and found.is_found:
        return "YES"
    if stated == "YES" and region.crop is None:
        return "YES"
    if found is not None and found.is_complete and region.crop is not None:
        return "NO"
    return "YES" if is_needed and stated != "NO" else ""
