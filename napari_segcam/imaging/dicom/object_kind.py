"""The kind of a DICOM object: an image, something drawn over an image, or neither."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path

from pydicom import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ParametricMapStorage, SegmentationStorage

from napari_segcam.errors import SegcamError, one_line
from napari_segcam.imaging.dicom.header import read_header

_PREAMBLE = 128  # bytes
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# Storage classes without pixels of their own, as the UID goes on after _STORAGE (PS3.4, section B.5).
_WITHOUT_PIXELS = (
    *("9.", "11.", "66", "67", "68.", "78.", "79.", "80.", "88.", "90.", "91.", "104.", "131", "200."),
    *(f"481.{number}" for number in (3, 4, 5, 6, 7, 8, 9)),
)
LABEL_MAP_SEGMENTATION_STORAGE = UID(f"{_STORAGE}66.7")
OVERLAY_CODE = ("OVERLAY", "99SEGCAM")
"""Code value and coding scheme of the derivation of the overlays that this program writes."""
_SEGMENTATIONS = (SegmentationStorage, LABEL_MAP_SEGMENTATION_STORAGE)


class ObjectKind(Enum):
    """What a DICOM file holds, by its SOP class."""

    IMAGE = auto()
    """Also anything unknown, which the reader of images then looks at."""
    OVERLAY = auto()
    """An image with a network's results drawn into it by this program."""
    SEGMENTATION = auto()
    """Segments of another image, as bits, fractions or labels."""
    PARAMETRIC_MAP = auto()
    """Values of another image's pixels."""
    WITHOUT_IMAGE = auto()
    """A report, a document, a waveform or the like."""


def kind_of_class(sop_class: str) -> ObjectKind:
    """Return the kind of the objects of a SOP class.

    Args:
        sop_class: its UID.
    """
    if sop_class in _SEGMENTATIONS:
        return ObjectKind.SEGMENTATION
    if sop_class == ParametricMapStorage:
        return ObjectKind.PARAMETRIC_MAP
    if sop_class.startswith(tuple(_STORAGE + following for following in _WITHOUT_PIXELS)):
        return ObjectKind.WITHOUT_IMAGE
    return ObjectKind.IMAGE


def is_overlay(header: Dataset) -> bool:
    """Return whether a header says that this program drew results into the image."""
    derivations = header.get("DerivationCodeSequence") or ()
    return any((code.get("CodeValue"), code.get("CodingSchemeDesignator")) == OVERLAY_CODE for code in derivations)


def sop_class_of(path: Path) -> str:
    """Return the UID of a file's SOP class; empty if the file does not give it.

    Raises:
        InvalidDicomError: if it is not DICOM; pydicom and the system raise other errors for one that cannot be read.
    """
    with path.open("rb") as file:
        begins_with_meta = file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    if begins_with_meta and (stated := read_file_meta_info(path).get("MediaStorageSOPClassUID")):
        return str(stated)  # without the data set, which may be deflated
    with path.open("rb") as file:
        return str(read_header(file, ["SOPClassUID"]).get("SOPClassUID") or "")


def object_kind(path: Path) -> ObjectKind:
    """Return what a file holds; an image if that cannot be found out, so that opening it says why."""
    try:
        kind = kind_of_class(sop_class_of(path))
        if kind is not ObjectKind.IMAGE:
            return kind
        with path.open("rb") as file:
            return ObjectKind.OVERLAY if is_overlay(read_header(file, ["DerivationCodeSequence"])) else kind
    except Exception:  # a damaged header makes pydicom raise errors of many types
        return ObjectKind.IMAGE


def refuse_other_kinds(path: Path, sop_class: str) -> None:
    """Refuse an object that is no image of its own.

    Raises:
        SegcamError: that says what it is instead.
    """
    kind, name = kind_of_class(sop_class), one_line(UID(sop_class).name).removesuffix(" Storage")
    if kind is ObjectKind.SEGMENTATION:
        raise SegcamError(
            f"{path.name} holds no image of its own: it is a segmentation (DICOM SEG) of another image. In napari it "
            "opens over that image; a batch takes it as ground truth."
        )
    if kind is ObjectKind.PARAMETRIC_MAP:
        raise SegcamError(
            f"{path.name} holds no image of its own: it is a parametric map of another image, over which it opens in "
            "napari."
        )
    if kind is ObjectKind.WITHOUT_IMAGE:
        raise SegcamError(f"{path.name} holds no image: it is of the kind {name}. Open the image that it belongs to.")
