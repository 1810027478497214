"""What a PACS has found: its answers in DICOM JSON (PS3.18, annex F), of which nothing is believed unchecked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_segcam.errors import printable

_LONGEST_TEXT = 200
_LONGEST_UID = 64
_UID = re.compile(r"\d+(\.\d+)*", re.ASCII)
_MOST = 2**18

# Storage classes without pixels: reports, presentation states, documents, waveforms, plans.
_NO_IMAGES = ("1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.11.", "1.2.840.10008.5.1.4.1.1.104.",
              "1.2.840.10008.5.1.4.1.1.9.", "1.2.840.10008.5.1.4.1.1.66.3", "1.2.840.10008.5.1.4.1.1.481.3",
              "1.2.840.10008.5.1.4.1.1.481.5")  # fmt: skip


@dataclass(frozen=True)
class FoundSeries:
    """A series on a server.

    Attributes:
        patient_name: as people write it, ``Meyer, Anna``.
        date: of the study, ``2026-01-31``; empty if unknown.
        time: of the study, ``14:05``; empty if unknown.
        number: of the series.
        instances: how many there are; None if the server does not say.
    """

    study_uid: str
    series_uid: str
    patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""
    date: str = ""
    time: str = ""
    study_description: str = ""
    series_description: str = ""
    number: int | None = None
    modality: str = ""
    accession: str = ""
    instances: int | None = None


@dataclass(frozen=True)
class FoundInstance:
    """An instance of a series: a still, a cine, a report.

    Attributes:
        uid: its SOP Instance UID.
        number: in its series.
        frames: at least 1.
    """

    study_uid: str
    series_uid: str
    uid: str
    sop_class_uid: str = ""
    number: int | None = None
    frames: int = 1
    rows: int | None = None
    columns: int | None = None

    @property
    def is_image(self) -> bool:
        """Whether it has pixels, as far as the server says."""
        return not self.sop_class_uid.startswith(_NO_IMAGES)


def series_of(answer: Mapping[str, Any], study_uid: str = "") -> FoundSeries | None:
    """Return the series that an item of an answer describes, None if its UIDs are none."""
    study_uid = text_of(answer, "0020000D") or study_uid
    series_uid = text_of(answer, "0020000E")
    if not (is_uid(study_uid) and is_uid(series_uid)):
        return None
    return FoundSeries(
        study_uid,
        series_uid,
        patient_id=text_of(answer, "00100020"),
        patient_name=name_of(answer, "00100010"),
        birth_date=_date(text_of(answer, "00100030")),
        date=_date(text_of(answer, "00080020")),
        time=_time(text_of(answer, "00080030")),
        study_description=text_of(answer, "00081030"),
        series_description=text_of(answer, "0008103E"),
        number=number_of(answer, "00200011"),
        modality=text_of(answer, "00080060").upper(),
        accession=text_of(answer, "00080050"),
        instances=_count(answer, "00201209"),
    )


def instance_of(answer: Mapping[str, Any], study_uid: str = "", series_uid: str = "") -> FoundInstance | None:
    """Return the instance that an item of an answer describes, None if its UIDs are none."""
    study_uid = text_of(answer, "0020000D") or study_uid
    series_uid = text_of(answer, "0020000E") or series_uid
    uid = text_of(answer, "00080018")
    if not (is_uid(study_uid) and is_uid(series_uid) and is_uid(uid)):
        return None
    return FoundInstance(
        study_uid,
        series_uid,
        uid,
        sop_class_uid=text_of(answer, "00080016"),
        number=number_of(answer, "00200013"),
        frames=_count(answer, "00280008") or 1,
        rows=_count(answer, "00280010"),
        columns=_count(answer, "00280011"),
    )


def is_uid(uid: object) -> bool:
    """Whether something is a UID, which may be part of a path or URL (PS3.5, section 9.1; leading zeros are common)."""
    return isinstance(uid, str) and len(uid) <= _LONGEST_UID and _UID.fullmatch(uid) is not None


def values_of(answer: Mapping[str, Any], tag: str) -> list[Any]:
    """Return the values of an element; empty if it is missing or no element at all."""
    element = answer.get(tag)
    values = element.get("Value") if isinstance(element, Mapping) else None
    return values if isinstance(values, list) else []


def text_of(answer: Mapping[str, Any], tag: str) -> str:
    """Return the first value of an element as a printable text."""
    values = values_of(answer, tag)
    value = values[0] if values else None
    return _shown(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def name_of(answer: Mapping[str, Any], tag: str) -> str:
    """Return a person's name as people write it: ``Meyer, Anna``; letters of other scripts follow those of this one."""
    values = values_of(answer, tag)
    value = values[0] if values else None
    groups = value if isinstance(value, Mapping) else {"Alphabetic": value}
    written = []
    for group in ("Alphabetic", "Ideographic"):
        name = groups.get(group)
        if isinstance(name, str) and name.strip("^ ="):
            family, *others = (part.strip() for part in name.split("=")[0].split("^"))
            given = " ".join(part for part in others[:2] if part)
            written.append(", ".join(part for part in (family, given) if part))
    return _shown(" · ".join(written))


def number_of(answer: Mapping[str, Any], tag: str) -> int | None:
    """Return the first value of an element as a whole number, None if it is none."""
    values = values_of(answer, tag)
    value = values[0] if values else None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = int(value) if not isinstance(value, str) else int(value[:20])
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 2**31 else None


def _count(answer: Mapping[str, Any], tag: str) -> int | None:
    number = number_of(answer, tag)
    return number if number is not None and 0 <= number <= _MOST else None


def _shown(value: object) -> str:
    return printable(" ".join(str(value).split()))[:_LONGEST_TEXT]


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if re.fullmatch(r"\d{8}", text, re.ASCII) else ""


def _time(text: str) -> str:
    return f"{text[:2]}:{text[2:4]}" if re.match(r"\d{4}", text, re.ASCII) else ""
