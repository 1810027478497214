"""Reading a DICOM Segmentation of any program: bits, fractions or a label map, in any order of frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydicom.charset import convert_encodings
from pydicom.config import IGNORE
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    SegmentationStorage,
)

from napari_segcam.budget import refuse_large_frame
from napari_segcam.dicom_objects.segmentation.content import FileBytes, InflatedBytes
from napari_segcam.dicom_objects.segmentation.described import ReadSegment, StoredFrame, read_frame, read_segments
from napari_segcam.dicom_objects.segmentation.elements import PIXEL_DATA, Element, Group, Reader
from napari_segcam.dicom_objects.segmentation.masks import ReadSegmentation, SegmentationFacts, Values
from napari_segcam.dicom_objects.segmentation.stored_pixels import (
    DEFLATED_FRAMES,
    CompressedPixels,
    PixelFormat,
    StoredPixels,
)
from napari_segcam.errors import SegcamError, one_line
from napari_segcam.imaging.dicom.dicom_cine import dicom_errors
from napari_segcam.imaging.dicom.object_kind import LABEL_MAP_SEGMENTATION_STORAGE
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head

_META_LENGTH, _SYNTAX = 0x00020000, 0x00020010
_CHARACTER_SET, _CLASS, _INSTANCE = 0x00080005, 0x00080016, 0x00080018
_PATIENT, _STUDY, _SERIES, _DESCRIPTION = 0x00100020, 0x0020000D, 0x0020000E, 0x0008103E
_MANUFACTURER = 0x00080070
_REFERENCED_SERIES, _REFERENCED_INSTANCES, _REFERENCED_UID = 0x00081115, 0x0008114A, 0x00081155
_FRAMES, _ROWS, _COLUMNS, _BITS, _SAMPLES = 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280002
_TYPE, _SEGMENTS, _FRACTION, _MAXIMUM = 0x00620001, 0x00620002, 0x00620010, 0x0062000E
_PADDING, _SHARED, _PER_FRAME = 0x00280120, 0x52009229, 0x52009230
_WANTED = frozenset(
    (
        *(_CHARACTER_SET, _CLASS, _INSTANCE, _PATIENT, _STUDY, _SERIES, _DESCRIPTION, _REFERENCED_SERIES),
        *(_FRAMES, _ROWS, _COLUMNS, _BITS, _SAMPLES, _TYPE, _SEGMENTS, _FRACTION, _MAXIMUM, _PADDING),
        *(_MANUFACTURER, _SHARED, _PER_FRAME, PIXEL_DATA),
    )
)
_NAMES = {
    _ROWS: "Rows",
    _COLUMNS: "Columns",
    _FRAMES: "NumberOfFrames",
    _BITS: "BitsAllocated",
    _SEGMENTS: "SegmentSequence",
    PIXEL_DATA: "PixelData",
}
_PREAMBLE = 132  # with DICM
_MOST_REFERENCES = 1_000_000
_LONGEST_NAME = 200


def read_segmentation(path: str | Path) -> ReadSegmentation:
    """Read a DICOM Segmentation; the pixels of a frame are read when they are asked for.

    Its frames are numbered as its file alone says; ``ReadSegmentation.laid_over`` numbers them as a cine does.

    Args:
        path: of the file: Segmentation Storage (bits or fractions) or Label Map Segmentation Storage.

    Raises:
        SegcamError: if it is no such file, is damaged or too large, or does not say what its frames are about.
    """
    path = Path(path)
    if kind_of(read_head(path)) is not FileKind.DICOM:
        raise SegcamError(f"{path.name} is not a DICOM file, and so no DICOM segmentation.")
    with dicom_errors(path):
        reader, syntax = _open(path)
        header = _header(reader)
        _refuse_other_classes(path, header)
        facts, form = _facts(path, header, syntax)
        segments = _segments(header, facts)
        frames = _frames(header, form, facts, segments)
        instances = _instances(header)
        pixels = header[PIXEL_DATA]
        values: Values
        if pixels.is_encapsulated:
            values = CompressedPixels(path, pixels.start, form)
        elif syntax == DEFLATED_FRAMES or syntax.is_encapsulated:
            raise ValueError(f"its pixels are stored as {syntax.name}, but are not in fragments")
        else:
            values = StoredPixels(reader.read, pixels.start, min(pixels.stop, reader.size), form)
    return ReadSegmentation(path, facts, segments, frames, instances, values)


def _open(path: Path) -> tuple[Reader, UID]:
    """Return a reader of the data set after the file meta information, and the transfer syntax.

    Raises:
        ValueError: if the file does not say how it is encoded.
    """
    stored = FileBytes(path)
    if stored(128, _PREAMBLE) != b"DICM":
        raise ValueError("it lacks the file meta information, which says how it is encoded")
    meta = Reader(stored, stored.size)
    syntax, start, stop = UID(""), _PREAMBLE, stored.size
    while start < stop and stored(start, start + 2) == b"\2\0":  # the group of all its elements
        element = next(meta.elements(start, stored.size))
        start = element.end
        if element.tag == _META_LENGTH:
            stop = start + _one(element)
        elif element.tag == _SYNTAX:
            syntax = _uid(element)
    if not syntax:
        raise ValueError("its file meta information does not name a transfer syntax")
    if syntax != DEFLATED_FRAMES and not syntax.is_transfer_syntax:
        raise ValueError(f"it is stored in an unknown way ({one_line(syntax, _LONGEST_NAME)})")
    if syntax == DeflatedExplicitVRLittleEndian:
        inflated = InflatedBytes(stored, start, path.name)
        return Reader(inflated, inflated.size), syntax
    is_explicit, is_little = syntax != ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    return Reader(stored, stored.size, is_explicit, is_little, start), syntax


def _header(reader: Reader) -> Group:
    header: Group = {}
    for element in reader.elements(reader.start, reader.size):
        if element.tag in _WANTED:
            header.setdefault(element.tag, element)
    return header


def _refuse_other_classes(path: Path, header: Group) -> None:
    sop_class = _uid(header[_CLASS]) if _CLASS in header else UID("")
    if sop_class not in (SegmentationStorage, LABEL_MAP_SEGMENTATION_STORAGE):
        name = one_line(sop_class.name or "unknown", _LONGEST_NAME).removesuffix(" Storage")
        raise SegcamError(f"{path.name} is no segmentation of pixels (DICOM SEG): it is of the kind {name}.")


def _facts(path: Path, header: Group, syntax: UID) -> tuple[SegmentationFacts, PixelFormat]:
    missing = [name for tag, name in _NAMES.items() if tag not in header]
    if missing:
        raise ValueError(f"its header lacks {' and '.join(missing)}")
    rows, columns, count, bits = (_one(header[tag]) for tag in (_ROWS, _COLUMNS, _FRAMES, _BITS))
    if rows < 1 or columns < 1 or count < 1:
        raise ValueError(f"it says that it has {count} frames of {columns}×{rows} pixels")
    is_map = header[_CLASS].text() == LABEL_MAP_SEGMENTATION_STORAGE
    kind = (header[_TYPE].text() if _TYPE in header else "LABELMAP" if is_map else "BINARY").lower()
    if kind not in ("binary", "fractional", "labelmap"):
        raise ValueError(f"its SegmentationType is {one_line(kind.upper(), _LONGEST_NAME)}, which is not known")
    if bits not in {"binary": (1,), "fractional": (8,), "labelmap": (8, 16)}[kind] and not (kind, bits) == (
        "binary",
        8,
    ):
        raise ValueError(f"it is {kind.upper()} with {bits} bits for a pixel, which is not read")
    if _SAMPLES in header and _one(header[_SAMPLES]) != 1:
        raise ValueError("its pixels have several samples, which a segmentation never has")
    refuse_large_frame(path.name, (rows, columns), max(bits // 8, 1), count)
    maximum = _one(header[_MAXIMUM]) if _MAXIMUM in header else 0
    if kind == "fractional" and not 1 <= maximum <= 255:
        raise ValueError("it holds fractions, but no valid MaximumFractionalValue")

    def text(tag: int) -> str:
        return header[tag].text() if tag in header else ""

    facts = SegmentationFacts(
        kind=kind,
        rows=rows,
        columns=columns,
        uid=text(_INSTANCE),
        series_uid=text(_SERIES),
        study_uid=text(_STUDY),
        patient_id=header[_PATIENT].decoded(_encodings(header)) if _PATIENT in header else "",
        description=header[_DESCRIPTION].decoded(_encodings(header)) if _DESCRIPTION in header else "",
        manufacturer=text(_MANUFACTURER),
        fraction=text(_FRACTION).lower(),
        maximum=maximum,
        padding=_one(header[_PADDING]) if kind == "labelmap" and _PADDING in header else 0,
    )
    return facts, PixelFormat(rows, columns, count, bits, syntax)


def _segments(header: Group, facts: SegmentationFacts) -> tuple[ReadSegment, ...]:
    segments = tuple(read_segments(header[_SEGMENTS], _encodings(header)))
    numbers = [segment.number for segment in segments]
    if len(set(numbers)) < len(numbers):
        raise ValueError("two of its segments have the same number")
    if any(not 0 <= number < 2**16 for number in numbers):
        raise ValueError("a number of its segments is not possible")
    if facts.kind == "labelmap":  # the background may be listed too
        segments = tuple(segment for segment in segments if segment.number not in (0, facts.padding))
    if not segments:
        raise ValueError("it describes no segment")
    return segments


def _frames(
    header: Group, form: PixelFormat, facts: SegmentationFacts, segments: tuple[ReadSegment, ...]
) -> tuple[StoredFrame, ...]:
    shared: Group = next(header[_SHARED].items(), {}) if _SHARED in header else {}
    frames: list[StoredFrame] = []
    references = 0
    for group in header[_PER_FRAME].items() if _PER_FRAME in header else ():
        frames.append(read_frame(group, shared))
        references += sum(1 + len(numbers) for _, numbers in frames[-1].references)
        if references > _MOST_REFERENCES:
            raise ValueError(f"its frames refer to more than {_MOST_REFERENCES:,} frames")
        if len(frames) > form.frames:
            break
    if not frames and form.frames == 1:
        frames = [read_frame({}, shared)]
    if len(frames) != form.frames:
        described = f"more than {form.frames}" if len(frames) > form.frames else str(len(frames))
        raise ValueError(f"it has {form.frames} frames, but its header describes {described}")
    if facts.kind == "labelmap":
        return tuple(frames)
    if len(segments) == 1:
        frames = [replace(frame, segment=segments[0].number) if frame.segment is None else frame for frame in frames]
    known = {segment.number for segment in segments}
    for number, frame in enumerate(frames, start=1):
        if frame.segment not in known:
            fault = "no segment" if frame.segment is None else f"segment {frame.segment}, which it does not describe"
            raise ValueError(f"its frame {number} is about {fault}")
    return tuple(frames)


def _instances(header: Group) -> tuple[str, ...]:
    """Return the UIDs of all images that the file refers to, in its order."""
    uids = []
    for series in header[_REFERENCED_SERIES].items() if _REFERENCED_SERIES in header else ():
        for instance in series[_REFERENCED_INSTANCES].items() if _REFERENCED_INSTANCES in series else ():
            if _REFERENCED_UID in instance:
                uids.append(instance[_REFERENCED_UID].text())
    return tuple(dict.fromkeys(uids))


def _encodings(header: Group) -> list[str]:
    """Return Python's names of the file's character sets."""
    names = header[_CHARACTER_SET].texts() if _CHARACTER_SET in header else []
    return convert_encodings(names or None)


def _uid(element: Element) -> UID:
    return UID(element.text(), validation_mode=IGNORE)  # a damaged one is not what is looked for


def _one(element: Element) -> int:
    values = element.numbers()
    if len(values) != 1:
        raise ValueError(f"the element {element.tag:08X} in its header has {len(values)} values instead of one")
    return values[0]
