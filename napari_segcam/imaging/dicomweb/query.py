"""Searches: what a user types, as the keys of DICOM (PS3.4, section C.2.2.2)."""

from __future__ import annotations

import datetime
import fnmatch
import re
import unicodedata
from dataclasses import dataclass

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicomweb.found import FoundSeries, is_uid

_LONGEST = 64
_DATE_WORDS = "a date is 2026-01-31, 2026-01-01..2026-01-31, 2026-01.., today, yesterday, or 7d for the last 7 days"


@dataclass(frozen=True)
class Search:
    """What is searched for; empty texts match everything.

    Attributes:
        patient_id: the whole ID; ``*`` and ``?`` stand for any characters and any one.
        patient_name: a part of the name, such as ``Doe`` or ``Doe, Jane``.
        date: of the study, or a range.
        description: a part of the description of the study or series.
        modality: such as ``US``.
        study_uid, series_uid: of one study or series.
    """

    patient_id: str = ""
    patient_name: str = ""
    date: str = ""
    description: str = ""
    modality: str = ""
    study_uid: str = ""
    series_uid: str = ""

    def filters(self) -> list[dict[str, str]]:
        """Return the keys of each query; together their answers are what is searched for.

        Raises:
            SegcamError: if a text cannot be searched for.
        """
        keys = {
            "PatientID": _text("patient ID", self.patient_id),
            "PatientName": name_key(self.patient_name),
            "StudyDate": date_key(self.date),
            "Modality": _modality(self.modality),
            "StudyInstanceUID": uid_key(self.study_uid),
            "SeriesInstanceUID": uid_key(self.series_uid),
        }
        keys = {key: value for key, value in keys.items() if value}
        description = _part(_text("description", self.description))
        if not description:
            return [keys]
        # A server joins its keys by "and"; here either description may match.
        return [{**keys, key: description} for key in ("SeriesDescription", "StudyDescription")]

    def matches(self, series: FoundSeries) -> bool:
        """Whether a series is what was searched for, as some servers ignore the keys that they do not know."""
        first, last = _range_of(date_key(self.date))
        return (
            (not self.patient_id or _matches(series.patient_id, self.patient_id))
            and (not self.modality or series.modality in ("", _modality(self.modality)))
            and (not series.date or first <= series.date.replace("-", "") <= last)
            and self.study_uid in ("", series.study_uid)
            and self.series_uid in ("", series.series_uid)
        )

    def resembles(self, series: FoundSeries) -> bool:
        """Whether the name and the descriptions of a series are what was searched for, in upper or lower case."""
        name = unicodedata.normalize("NFC", self.patient_name).replace("^", ", ", 1).replace("^", " ")
        family, comma, given = (part.strip() for part in name.partition(","))
        pattern = f"{family}, {given}{'' if _has_wildcard(name) else '*'}" if comma else _part(name.strip())
        descriptions = (series.study_description, series.series_description)
        return (not pattern or _matches(unicodedata.normalize("NFC", series.patient_name), pattern)) and (
            not self.description or any(_matches(text, _part(self.description.strip())) for text in descriptions)
        )


def loosened(keys: dict[str, str]) -> dict[str, str]:
    """Return keys in which ``*`` stands for all characters that a URL must encode.

    Some servers search for ``M%C3%BCller`` as it is written. Their answers to these keys need ``Search.resembles``.
    """
    loose = {
        key: value if key.endswith(("UID", "Date")) else re.sub(r"[^A-Za-z0-9._~?-]+", "*", value)
        for key, value in keys.items()
    }
    return {key: value for key, value in loose.items() if value != "*"}


def name_key(name: str) -> str:
    """Return the key of a patient's name: ``Doe, Jane`` is ``Doe^Jane*``, ``Doe`` is ``*Doe*``."""
    name = unicodedata.normalize("NFC", _text("name", name))
    family, comma, given = (part.strip() for part in name.partition(","))
    if comma:
        return f"{family}^{given}" if _has_wildcard(name) else f"{family}^{given}*"
    return _part(name)


def date_key(text: str, today: datetime.date | None = None) -> str:
    """Return the key of a date or range of dates, ``20260101-20260131``; one end of a range may be open.

    Raises:
        SegcamError: if the text is no date.
    """
    text, today = text.strip().lower(), today or datetime.date.today()
    if not text:
        return ""
    if text in ("today", "yesterday"):
        return f"{today - datetime.timedelta(days=text == 'yesterday'):%Y%m%d}"
    if match := re.fullmatch(r"(\d{1,4})\s*d(ays?)?", text):
        return f"{today - datetime.timedelta(days=int(match[1])):%Y%m%d}-{today:%Y%m%d}"
    beginning, separator, end = text.partition("..")
    if not separator and re.fullmatch(r"\d{8}-(\d{8})?|-\d{8}", text):  # as in DICOM
        beginning, separator, end = text.partition("-")
    if not separator:
        first, last = _day(text)
        return first if first == last else f"{first}-{last}"
    first = _day(beginning)[0] if beginning.strip() else ""
    last = _day(end)[1] if end.strip() else ""
    if not (first or last) or (first and last and first > last):
        raise SegcamError(f"{text} is no range of dates: {_DATE_WORDS}.")
    return f"{first}-{last}"


def uid_key(uid: str) -> str:
    """Return a UID.

    Raises:
        SegcamError: if the text is none.
    """
    uid = uid.strip()
    if uid and not is_uid(uid):
        raise SegcamError(f"{uid} is no UID: these have digits and dots only, such as 1.2.840.10008.")
    return uid


def _day(text: str) -> tuple[str, str]:
    """Return the first and the last day of a day, month or year."""
    match = re.fullmatch(r"(\d{4})-?(\d{2})-?(\d{2})|(\d{4})(?:-(\d{2}))?", text.strip(), re.ASCII)
    if match is None:
        raise SegcamError(f"{text.strip()} is no date: {_DATE_WORDS}.")
    try:
        if match[1]:
            day = datetime.date(int(match[1]), int(match[2]), int(match[3]))
            return f"{day:%Y%m%d}", f"{day:%Y%m%d}"
        year, month = int(match[4]), int(match[5] or 1)
        first = datetime.date(year, month, 1)
        after = datetime.date(year + 1, 1, 1) if not match[5] or month == 12 else datetime.date(year, month + 1, 1)
    except (ValueError, OverflowError):
        raise SegcamError(f"{text.strip()} is no date of the calendar: {_DATE_WORDS}.") from None
    return f"{first:%Y%m%d}", f"{after - datetime.timedelta(days=1):%Y%m%d}"


def _range_of(key: str) -> tuple[str, str]:
    first, dash, last = key.partition("-")
    return first or "00000000", (last if dash else first) or "99999999"


def _text(what: str, text: str) -> str:
    text = text.strip()
    if not text.isprintable() or "\\" in text:
        raise SegcamError(f"The {what} cannot hold a backslash or characters that cannot be printed.")
    if len(text) > _LONGEST:
        raise SegcamError(f"The {what} is longer than the {_LONGEST} characters that DICOM allows.")
    return text


def _modality(text: str) -> str:
    text = _text("modality", text).upper()
    if text and not re.fullmatch(r"[A-Z0-9_ ]{1,16}", text):
        raise SegcamError(f"{text} is no modality: these are short codes, such as US, CT, MR or SEG.")
    return text


def _part(text: str) -> str:
    return text if not text or _has_wildcard(text) else f"*{text}*"


def _has_wildcard(text: str) -> bool:
    return "*" in text or "?" in text


def _matches(text: str, pattern: str) -> bool:
    pattern = pattern.strip().replace("[", "[[]")
    return fnmatch.fnmatchcase(text.strip().casefold(), pattern.casefold())
