"""What the header of a Segmentation says about its segments and its frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from napari_segcam.dicom_objects.coded_entry import CodedEntry
from napari_segcam.dicom_objects.segmentation.colors import color_of
from napari_segcam.dicom_objects.segmentation.elements import Element, Group
from napari_segcam.errors import printable

_SEGMENT_NUMBER, _LABEL, _DESCRIPTION = 0x00620004, 0x00620005, 0x00620006
_ORIGIN, _ALGORITHM_NAME, _ALGORITHM = 0x00620008, 0x00620009, 0x00620007
_CATEGORY, _TYPE, _REGION = 0x00620003, 0x0062000F, 0x00082218
_TRACKING_ID, _TRACKING_UID, _CIELAB = 0x00620020, 0x00620021, 0x0062000D
_CODE, _SCHEME, _MEANING = 0x00080100, 0x00080102, 0x00080104
_VERSION, _PARAMETERS = 0x00660031, 0x00660032
_COMMENT = 0x00209158
_FRAME_CONTENT, _IDENTIFICATION, _DERIVATION = 0x00209111, 0x0062000A, 0x00089124
_PLANE_POSITION, _IMAGE_POSITION = 0x00209113, 0x00200032
_REFERENCED_SEGMENT, _SOURCE_IMAGE = 0x0062000B, 0x00082112
_INSTANCE, _FRAME_NUMBER = 0x00081155, 0x00081160
_INDEX_VALUES, _TEMPORAL, _IN_STACK = 0x00209157, 0x00209128, 0x00209057


@dataclass(frozen=True)
class ReadSegment:
    """A segment as its file describes it; empty or None where the file says nothing.

    Attributes:
        number: of the segment in its file; numbers may have gaps.
        label: its name.
        description: in the words of the file.
        category: the broad kind.
        type: what it is.
        region: where in the body it is.
        origin: AUTOMATIC, SEMIAUTOMATIC or MANUAL.
        algorithm_name: the network or program that drew it.
        algorithm_version: its version.
        algorithm_parameters: its settings; with the SHA-256 of the weights in files of this program.
        tracking_id: name of the thing that is followed.
        tracking_uid: the same as a UID.
        color: ``#rrggbb`` that the file recommends.
    """

    number: int
    label: str
    description: str = ""
    category: CodedEntry | None = None
    type: CodedEntry | None = None
    region: CodedEntry | None = None
    origin: str = ""
    algorithm_name: str = ""
    algorithm_version: str = ""
    algorithm_parameters: str = ""
    tracking_id: str = ""
    tracking_uid: str = ""
    color: str | None = None


@dataclass(frozen=True)
class StoredFrame:
    """One frame of a Segmentation.

    Attributes:
        segment: number of the segment that it is about; None in a label map.
        references: source images, each by its UID with the numbers of its frames, from 1; none if it has but one frame.
        moment: its Temporal Position Index, from 1.
        in_stack: its In-Stack Position Number, from 1.
        index_values: its Dimension Index Values.
        position: of its first pixel in the patient, mm.
        comment: on it, in the words of the file.
    """

    segment: int | None = None
    references: tuple[tuple[str, tuple[int, ...]], ...] = ()
    moment: int | None = None
    in_stack: int | None = None
    index_values: tuple[int, ...] = ()
    position: tuple[float, ...] | None = None
    comment: str = ""


def read_segments(sequence: Element, encodings: Sequence[str]) -> Iterator[ReadSegment]:
    """Yield the segments of a Segment Sequence.

    Raises:
        ValueError: if it is damaged.
    """
    for item in sequence.items():
        if _SEGMENT_NUMBER not in item:
            raise ValueError("one of its segments has no number")
        (number,) = item[_SEGMENT_NUMBER].numbers()
        algorithm = next(item[_ALGORITHM].items(), {}) if _ALGORITHM in item else {}

        def text(tag: int, group: Group = item) -> str:
            return printable(group[tag].decoded(encodings), "\n").strip() if tag in group else ""

        def code(tag: int, group: Group = item) -> CodedEntry | None:
            entry = next(group[tag].items(), None) if tag in group else None
            return (
                None if entry is None else CodedEntry(text(_CODE, entry), text(_SCHEME, entry), text(_MEANING, entry))
            )

        cielab = item[_CIELAB].numbers() if _CIELAB in item else []
        yield ReadSegment(
            number,
            text(_LABEL) or f"Segment {number}",
            text(_DESCRIPTION),
            code(_CATEGORY),
            code(_TYPE),
            code(_REGION),
            text(_ORIGIN),
            text(_ALGORITHM_NAME),
            text(_VERSION, algorithm),
            text(_PARAMETERS, algorithm),
            text(_TRACKING_ID),
            text(_TRACKING_UID),
            color_of(cielab) if len(cielab) == 3 else None,
        )


def read_frame(group: Group, shared: Group) -> StoredFrame:
    """Return what the functional groups of a frame say.

    Args:
        group: its own.
        shared: those of all frames.

    Raises:
        ValueError: if they are damaged.
    """
    content, identification = (_first(group, shared, tag) for tag in (_FRAME_CONTENT, _IDENTIFICATION))
    plane = _first(group, shared, _PLANE_POSITION)
    position = tuple(plane[_IMAGE_POSITION].decimals()) if _IMAGE_POSITION in plane else ()
    references = []
    derivations = group.get(_DERIVATION) or shared.get(_DERIVATION)
    for derivation in derivations.items() if derivations is not None else ():
        for image in derivation[_SOURCE_IMAGE].items() if _SOURCE_IMAGE in derivation else ():
            if _INSTANCE in image:
                frames = image[_FRAME_NUMBER].numbers() if _FRAME_NUMBER in image else []
                references.append((image[_INSTANCE].text(), tuple(frames)))
    segment = identification[_REFERENCED_SEGMENT].numbers() if _REFERENCED_SEGMENT in identification else []
    return StoredFrame(
        segment[0] if segment else None,
        tuple(references),
        _number(content, _TEMPORAL),
        _number(content, _IN_STACK),
        tuple(content[_INDEX_VALUES].numbers()) if _INDEX_VALUES in content else (),
        position if len(position) == 3 else None,
        content[_COMMENT].text() if _COMMENT in content else "",
    )


def _first(group: Group, shared: Group, tag: int) -> Group:
    """Return the first item of a sequence, from the frame's own groups or the shared ones; empty if there is none."""
    sequence = group.get(tag) or shared.get(tag)
    return next(sequence.items(), {}) if sequence is not None else {}


def _number(group: Group, tag: int) -> int | None:
    values = group[tag].numbers() if tag in group else []
    return values[0] if values else None
