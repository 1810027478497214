"""A preview: what a copy would hold, beside what the file holds, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import dictionary_description, dictionary_has_tag

from napari_segcam.deidentifying.dicom_copy import DicomCopier
from napari_segcam.deidentifying.dicom_header import read_whole_header, refused_errors
from napari_segcam.deidentifying.header.cleaning import HeaderCleaner
from napari_segcam.deidentifying.kinds import ObjectKind, object_kind
from napari_segcam.deidentifying.options import DeidentifyOptions
from napari_segcam.deidentifying.pixels.blanking import blanked
from napari_segcam.deidentifying.pixels.kept_region import KeptRegion
from napari_segcam.deidentifying.pseudonyms import Pseudonyms
from napari_segcam.deidentifying.records import CopyRecord
from napari_segcam.deidentifying.refusals import OTHER_FILE, RefusedError
from napari_segcam.errors import one_line
from napari_segcam.files import natural_key
from napari_segcam.imaging.cine import Frame
from napari_segcam.imaging.file_kind import DICOM_DIRECTORY, FileKind, kind_of, read_head
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.value_range import to_unit

_LONGEST_VALUE = 80
_REMOVED = "removed"
_PICTURES = (FileKind.STILL, FileKind.TIFF, FileKind.VIDEO)


@dataclass(frozen=True)
class HeaderRow:
    """One element of a header, before and after.

    Attributes:
        tag: such as ``(0010,0010)``.
        name: of the element, as the standard writes it.
        before: its value in the file, as text; empty if it is not there.
        after: its value in the copy; ``"removed"`` if it is not there.
    """

    tag: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, eq=False)
class Preview:
    """What a copy would hold.

    Attributes:
        name: of the file.
        rows: elements of the header that are not the same in the copy.
        before: the frame in the file, ``(Y, X)`` or ``(Y, X, 3)`` uint8; None for an object without pictures.
        after: the frame in the copy.
        region: that keeps its pixels, in words.
        pixels: how they are stored, in words.
    """

    name: str
    rows: tuple[HeaderRow, ...]
    before: NDArray[np.uint8] | None
    after: NDArray[np.uint8] | None
    region: str
    pixels: str


def preview(path: Path, options: DeidentifyOptions) -> Preview:
    """Return what the copy of a file would hold, or of the first file in a folder that gets a copy.

    New UIDs and patients are examples: each run has its own. The frame is the middle one. Nothing is searched for what
    is burned in.

    Raises:
        SegcamError: if the file gets no copy.
    """
    if path.is_dir():
        path = _first_image(path)
    kind = kind_of(read_head(path))
    if kind in _PICTURES:
        return _of_picture(path, options)
    if kind is not FileKind.DICOM:
        raise RefusedError(f"{path.name} is not a DICOM file, a still or a video: it gets no copy.", OTHER_FILE)
    pseudonyms, record = Pseudonyms(), CopyRecord(1, "", "")
    header = read_whole_header(path)
    with refused_errors(path):
        object_type = object_kind(header, path.name)
        clean = HeaderCleaner(pseudonyms, shift_dates=options.dates == "shift").clean(header, record.entries)
    if object_type is not ObjectKind.IMAGE:
        return Preview(path.name, _rows(header, clean), None, None, "all: it holds no picture", "")
    frames = DicomCopier(options, pseudonyms).clean_image(path, header, clean, record, search=False)
    middle = len(frames) // 2
    cine = frames.cine
    before = _shown(cine[middle], cine.value_range)
    after = blanked(before, frames.crop, (0, 0, 0))
    return Preview(path.name, _rows(header, clean), before, after.astype(np.uint8), record.region, record.pixels)


def _of_picture(path: Path, options: DeidentifyOptions) -> Preview:
    with refused_errors(path):
        cine = open_cine(path)
        region = KeptRegion.of(options.region, cine)
        before = _shown(cine[len(cine) // 2], cine.value_range)
    after = blanked(before, region.crop, (0, 0, 0))
    rows = (HeaderRow("", "All texts in the file", "not shown", _REMOVED),)
    stored = "FFV1 in Matroska" if len(cine) > 1 else "PNG"
    return Preview(path.name, rows, before, after.astype(np.uint8), region.words, f"lossless, as {stored}")


def _first_image(folder: Path) -> Path:
    """Return the first file of a folder that can have a copy.

    Raises:
        RefusedError: if there is none.
    """
    for path in sorted(folder.rglob("*"), key=lambda path: natural_key(str(path))):
        if path.is_file() and path.stat().st_size and path.name.upper() != DICOM_DIRECTORY:
            kind = kind_of(read_head(path))
            if kind is FileKind.DICOM or kind in _PICTURES:
                return path
    raise RefusedError(f"{folder.name} holds no DICOM file, still or video.", OTHER_FILE)


def _shown(frame: Frame, limits: tuple[float, float]) -> NDArray[np.uint8]:
    return np.asarray(np.nan_to_num(to_unit(frame, *limits)) * 255, np.uint8)


def _rows(header: Dataset, clean: Dataset) -> tuple[HeaderRow, ...]:
    """Return the elements that differ, in the order of their tags."""
    rows = []
    for tag in sorted({*header.keys(), *clean.keys()}):
        if tag.element == 0:
            continue
        before, after = _text(header, tag), _text(clean, tag)
        if before != after:
            name = (
                dictionary_description(tag) if dictionary_has_tag(tag) else "private" if tag.is_private else "unknown"
            )
            rows.append(HeaderRow(f"({tag.group:04X},{tag.element:04X})", name, before, after or _REMOVED))
    return tuple(rows)


def _text(header: Dataset, tag: int) -> str:
    if tag not in header:
        return ""
    try:
        element = header[tag]
        if element.VR == "SQ":
            count = len(element.value)
            return f"{count} item{'' if count == 1 else 's'}: {_items(element.value)}"
        if element.is_empty:
            return "empty"
        if isinstance(element.value, bytes):
            return f"{len(element.value):,} bytes"
        return one_line(element.value if element.VM < 2 else "\\".join(map(str, element.value)), _LONGEST_VALUE)
    except Exception:  # a malformed value raises errors of many types
        return "unreadable"


def _items(items: Sequence[Dataset]) -> str:
    """Return the first texts in a sequence."""
    texts = (str(element.value) for item in items for element in item if element.VR not in ("SQ", "OB", "OW", "UN"))
    return one_line(", ".join(texts), _LONGEST_VALUE)
