"""Kept region: the rows and columns whose pixels a copy keeps."""

from __future__ import annotations

from dataclasses import dataclass

from napari_segcam.deidentifying.refusals import NO_REGION, RefusedError
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.geometry import Crop
from napari_segcam.imaging.scan.region import CropWord, find_scan_region, parse_crop
from napari_segcam.remedies import remedy

_SOURCES = {
    "dicom": "the scan, as the file gives it",
    "motion": "the scan, found by its motion",
    "fan": "the scan, found by its brightness",
}
_CUTS = "The region in the file seems to cut off tissue, which is black in the copy: give a larger one to keep it."


@dataclass(frozen=True)
class KeptRegion:
    """The part of the frames that keeps its pixels.

    Attributes:
        crop: rows and columns; None if all pixels stay.
        source: where it is from, in words.
        note: what the user should know about it, in a sentence; may be empty.
    """

    crop: Crop | None
    source: str
    note: str = ""

    @property
    def words(self) -> str:
        """The region in words, in the order of ``--region``."""
        if self.crop is None:
            return self.source
        rows, columns = self.crop
        return f"{columns.start},{rows.start},{columns.stop},{rows.stop} ({self.source})"

    @classmethod
    def of(cls, text: str, cine: Cine) -> KeptRegion:
        """Return the region of a cine, from the words of a user, as in ``DeidentifyOptions``.

        Raises:
            RefusedError: if the scan is not recognized.
            SegcamError: if the words are not understood, or the region is outside the frame.
        """
        crop = check_region(text)
        if crop == "none":
            return cls(None, "the whole frame, as you asked: no pixel is blanked")
        if crop == "auto":
            region = find_scan_region(cine)
            if region.source not in _SOURCES:
                raise RefusedError(
                    f"The scan in {_name(cine)} is not recognized, so that writing beside it may stay. "
                    + remedy("scan_region"),
                    NO_REGION,
                )
            if cine.region is not None and region.source != "dicom" and _area(cine.region) <= _area(region.crop):
                # Pixels beyond the file's own region may be writing: the smaller one stays.
                return cls(cine.region, _SOURCES["dicom"], _CUTS)
            return cls(region.crop, _SOURCES[region.source])
        rows, columns = (
            slice(part.start, min(part.stop, length)) for part, length in zip(crop, cine.frame_shape[:2], strict=True)
        )
        if rows.start >= rows.stop or columns.start >= columns.stop:
            height, width = cine.frame_shape[:2]
            raise SegcamError(
                f"The region {text} is outside the frames of {_name(cine)}, which have {width} × {height} pixels."
            )
        return cls((rows, columns), "as you gave it")


def check_region(text: str) -> CropWord | Crop:
    """Return what the words of a user about a region mean.

    Raises:
        SegcamError: if they are not understood.
    """
    try:
        return parse_crop(text)
    except SegcamError:
        raise SegcamError(
            f"The region {text or '(empty)'} is not understood: give auto (the scan), none (all pixels stay), or four "
            "numbers of pixels, LEFT,TOP,RIGHT,BOTTOM."
        ) from None


def _area(crop: Crop) -> int:
    rows, columns = crop
    return (rows.stop - rows.start) * (columns.stop - columns.start)


def _name(cine: Cine) -> str:
    return cine.path.name if cine.path else cine.name
