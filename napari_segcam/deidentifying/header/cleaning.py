"""Cleaning: a new header that holds only what is known to be harmless, with an entry for everything else."""

from __future__ import annotations

import math
import re
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.filewriter import correct_ambiguous_vr_element
from pydicom.tag import BaseTag

from napari_segcam.deidentifying.entries import Entries
from napari_segcam.deidentifying.header.codes import clean_code
from napari_segcam.deidentifying.header.identifiers import known_identifiers, listed
from napari_segcam.deidentifying.header.rules import (
    BULK_KEPT,
    CLEANED_SEQUENCES,
    NEEDED,
    NEEDED_EMPTY,
    REMOVED_SEQUENCES,
    Rule,
    profile,
)
from napari_segcam.deidentifying.header.terms import REPLACEMENTS, kept_terms
from napari_segcam.deidentifying.header.texts import kept_text
from napari_segcam.deidentifying.pseudonyms import Pseudonyms, patient_key
from napari_segcam.errors import SegcamError

_INTEGERS = ("US", "SS", "UL", "SL", "UV", "SV")
_NUMBERS = (*_INTEGERS, "DS", "IS", "FD", "FL")
_TIMES = {"DA": "19000101", "TM": "000000", "DT": "19000101000000"}
_BULK = ("OB", "OW", "OF", "OD", "OL", "OV", "UN")
_CHOICES = {
    "US or SS": ("US", "SS"),
    "OB or OW": ("OB", "OW"),
    "US or SS or OW": ("US", "SS", "OW"),
    "US or OW": ("US", "OW"),
}
_PATIENT_GROUP = 0x0010
_DEEPEST = 40
_CLASS = re.compile(r"1\.2\.840\.10008\.5\.1\.4(\.\d{1,3}){2,6}")
_LARGEST = {"IS": 1e6, "DS": 1e7}  # from which on a number is more likely to be an ID or a date
_LONGEST_NUMBER = 5  # digits, from which on an integer is compared with the patient's identifiers

PROFILE, PRIVATE = "basic profile", "private"
LISTED = "not known to be harmless"


class HeaderCleaner:
    """Makes clean headers of the files of one run.

    Args:
        pseudonyms: of the run.
        shift_dates: whether to move dates into the past instead of removing them.
    """

    def __init__(self, pseudonyms: Pseudonyms, *, shift_dates: bool = False) -> None:
        self._pseudonyms = pseudonyms
        self._shift_dates = shift_dates

    def clean(self, header: Dataset, entries: Entries) -> Dataset:
        """Return the header of the copy, without file meta information and pixels.

        Args:
            header: of the file, with its transfer syntax in the file meta information.
            entries: get what was done.

        Raises:
            SegcamError: if sequences are nested too deeply, or the table of the profile is missing.
        """
        known, is_little = known_identifiers(header), header.file_meta.TransferSyntaxUID.is_little_endian
        copy = _Copy(self._pseudonyms, self._shift_dates, patient_key(header), known, entries, is_little)
        cleaned = copy.of(header, "", [])
        patient = self._pseudonyms.patient(copy.key)
        cleaned.PatientName, cleaned.PatientID = f"Anonymous^{patient}", patient
        if "BodyPartExamined" in header and "BodyPartExamined" not in cleaned and "Laterality" not in cleaned:
            cleaned.Laterality = ""  # without a body part, it could be one of a pair
        return cleaned


class _Copy:
    """The cleaning of one file."""

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        shift_dates: bool,
        key: str,
        known: frozenset[str],
        entries: Entries,
        is_little: bool,
    ) -> None:
        self.key = key
        self._pseudonyms, self._shift_dates, self._known, self._entries = pseudonyms, shift_dates, known, entries
        self._is_little = is_little
        self._profile = profile()

    def of(self, header: Dataset, above: str, holders: list[Dataset]) -> Dataset:
        """Return the copy of a header or of an item, whose holders come with the nearest first."""
        if len(holders) > _DEEPEST:
            raise SegcamError("Its sequences are nested too deeply: it is damaged.")
        cleaned = Dataset()
        for tag in sorted(header.keys()):
            self._add(cleaned, header, tag, above, holders)
        return cleaned

    def _add(self, cleaned: Dataset, header: Dataset, tag: BaseTag, above: str, holders: list[Dataset]) -> None:
        """Add what the copy keeps of one element."""
        place = f"{above}({tag.group:04X},{tag.element:04X})"
        group = _group_words(tag)
        if group or tag.element == 0:
            if tag.element:
                self._entries.add(place, "", "", "removed", group)
            return
        keyword, stated = keyword_for_tag(tag), dictionary_VR(tag)
        try:
            element = header[tag]
            if element.VR in _CHOICES:
                element = correct_ambiguous_vr_element(element, header, self._is_little, [header, *holders])
            vr, value = element.VR, element.value
        except Exception:  # a malformed value raises errors of many types
            self._drop(cleaned, tag, stated, place, "unreadable value")
            return
        if vr != stated and vr not in _CHOICES.get(stated, ()):
            self._drop(cleaned, tag, stated, place, "value of an unexpected type")
        elif vr == "SQ":
            self._add_sequence(cleaned, tag, keyword, value, place, [header, *holders])
        elif vr == "UI":
            self._add_uids(cleaned, tag, keyword, value, place)
        elif vr in _TIMES:
            self._add_time(cleaned, tag, vr, value, place)
        elif tag in self._profile and keyword not in ("TextValue", "TrackingID"):
            self._drop(cleaned, tag, vr, place, PROFILE)
        elif keyword == "LUTData" and vr in _INTEGERS:
            self._keep(cleaned, tag, vr, _entries_of(listed(value), header))
        elif vr in _NUMBERS:
            self._add_numbers(cleaned, tag, vr, value, place)
        elif vr == "AT":
            kept = [entry for entry in listed(value) if not BaseTag(entry).is_private]
            self._keep(cleaned, tag, vr, kept or None)
        elif vr in _BULK:
            if tag in BULK_KEPT:
                self._keep(cleaned, tag, vr, value if keyword != "LUTData" else _entries_of(value, header))
            else:
                self._drop(cleaned, tag, vr, place, LISTED)
        else:
            self._add_text(cleaned, tag, keyword, vr, value, place, header)

    def _add_sequence(
        self, cleaned: Dataset, tag: BaseTag, keyword: str, items: Any, place: str, holders: list[Dataset]
    ) -> None:
        rule = self._profile.get(tag)
        if tag in REMOVED_SEQUENCES or (rule is not None and tag not in CLEANED_SEQUENCES):
            self._entries.add(place, keyword, "SQ", "removed", PROFILE if rule else LISTED)
            if tag in NEEDED_EMPTY:
                self._keep(cleaned, tag, "SQ", [])
            return
        kept = []
        for item in items:
            if "CodeValue" in item or "LongCodeValue" in item or "URNCodeValue" in item:
                value = str(item.get("CodeValue") or "")
                code, is_kept = clean_code(item, self._pseudonyms, value.casefold() in self._known)
                if not is_kept:
                    self._entries.add(f"{place}>(0008,0100)", "CodeValue", "SH", "replaced", "not in a terminology")
                kept.append(code)
            elif len(clean := self.of(item, f"{place}>", holders)):
                kept.append(clean)
        if kept or not items or tag in NEEDED_EMPTY:
            self._keep(cleaned, tag, "SQ", kept)

    def _add_uids(self, cleaned: Dataset, tag: BaseTag, keyword: str, value: Any, place: str) -> None:
        originals = [str(uid) for uid in listed(value)]
        if not originals:
            return
        if self._profile.get(tag) is Rule.REMOVE:
            self._entries.add(place, keyword, "UI", "removed", PROFILE)
            return
        if keyword.endswith("SOPClassUID") and all(_CLASS.fullmatch(original) for original in originals):
            new = originals  # pydicom does not know the newest ones
        else:
            new = [str(self._pseudonyms.uid(original)) for original in originals]
        if new != originals:
            self._entries.add(place, keyword, "UI", "new UID", PROFILE if tag in self._profile else LISTED)
        self._keep(cleaned, tag, "UI", new)

    def _add_time(self, cleaned: Dataset, tag: BaseTag, vr: str, value: Any, place: str) -> None:
        values = [str(entry) for entry in listed(value)]
        if self._shift_dates and values and tag.group != _PATIENT_GROUP:
            moved = [self._moved(vr, text) for text in values]
            if None not in moved:
                self._entries.add(place, keyword_for_tag(tag), vr, "kept" if vr == "TM" else "moved", "dates are moved")
                self._keep(cleaned, tag, vr, moved)
                return
        if values or tag in NEEDED_EMPTY:
            self._drop(cleaned, tag, vr, place, PROFILE)

    def _moved(self, vr: str, text: str) -> str | None:
        """Return a date moved into the past, a time as it is, None for what is neither."""
        if vr == "TM":
            digits, _, fraction = text.strip().partition(".")
            return text.strip() if (digits + fraction).isdecimal() and len(digits) in (2, 4, 6) else None
        moved = self._pseudonyms.shifted_date(text.strip(), self.key)
        if vr == "DA" or moved is None:
            return moved if len(text.strip()) == 8 else None
        rest = text.strip()[8:]
        return moved + rest if set(rest) <= set("0123456789.") else moved

    def _add_numbers(self, cleaned: Dataset, tag: BaseTag, vr: str, value: Any, place: str) -> None:
        values = listed(value)
        try:
            numbers = [float(entry) for entry in values]
        except (TypeError, ValueError, OverflowError):
            self._drop(cleaned, tag, vr, place, "unreadable value")
            return
        if any(abs(number) >= _LARGEST.get(vr, math.inf) for number in numbers):
            self._drop(cleaned, tag, vr, place, "as long as an identifier")
            return
        if vr not in ("FD", "FL") and any(self._identifies(number) for number in numbers):
            self._drop(cleaned, tag, vr, place, "the same as an identifier of the patient")
            return
        self._keep(cleaned, tag, vr, value)

    def _identifies(self, number: float) -> bool:
        if not math.isfinite(number) or number != int(number):
            return False
        digits = str(abs(int(number)))
        return len(digits) >= _LONGEST_NUMBER and any(word.lstrip("0") == digits for word in self._known)

    def _add_text(
        self, cleaned: Dataset, tag: BaseTag, keyword: str, vr: str, value: Any, place: str, header: Dataset
    ) -> None:
        texts = [str(entry) for entry in listed(value)]
        if not texts:
            if tag in NEEDED_EMPTY or tag in NEEDED:
                self._keep(cleaned, tag, vr, "")
            return
        if vr == "CS":
            kept = kept_terms(keyword, texts)
            if kept is not None and len(kept) == len(texts):
                self._keep(cleaned, tag, vr, kept)
                return
            if kept:
                self._entries.add(place, keyword, vr, "shortened", LISTED)
                self._keep(cleaned, tag, vr, kept)
                return
        elif (text := kept_text(keyword, texts, header, self._known, self._pseudonyms)) is not None:
            if text != "\\".join(texts):
                self._entries.add(place, keyword, vr, "replaced", LISTED)
            self._keep(cleaned, tag, vr, text)
            return
        self._drop(cleaned, tag, vr, place, PROFILE if tag in self._profile else LISTED)

    def _drop(self, cleaned: Dataset, tag: BaseTag, vr: str, place: str, reason: str) -> None:
        """Leave an element out; where the object needs it, keep it empty or with a value that says nothing."""
        keyword = keyword_for_tag(tag)
        action = "removed"
        value: Any = None
        if tag in NEEDED:
            action, value = "replaced", _dummy(keyword, vr)
        elif tag in NEEDED_EMPTY:
            action, value = "emptied", [] if vr == "SQ" else ""
        self._entries.add(place, keyword, vr, action, reason)
        if value is not None:
            self._keep(cleaned, tag, vr, value if value != "" else None)

    def _keep(self, cleaned: Dataset, tag: BaseTag, vr: str, value: Any) -> None:
        cleaned.add(DataElement(tag, vr, value))


def _group_words(tag: BaseTag) -> str:
    """Return why an element is removed whatever it holds; empty if it depends."""
    if tag.is_private:
        return PRIVATE
    if tag.group & 0xFF00 == 0x5000:
        return "curve"
    if tag.group & 0xFF00 == 0x6000:
        return "overlay"
    if tag.group in (0xFFFA, 0xFFFC):
        return "digital signature or padding"
    return "" if dictionary_has_tag(tag) else "not in the standard's dictionary"


def _dummy(keyword: str, vr: str) -> str:
    return _TIMES.get(vr) or REPLACEMENTS.get(keyword) or ("REMOVED" if vr == "CS" else "Removed")


def _entries_of(data: Any, item: Dataset) -> Any:
    """Return the data of a table without what follows its entries: as numbers, or as bytes of 16-bit numbers."""
    described = listed(item.get("LUTDescriptor"))
    count = (int(described[0]) or 2**16) if described else 0
    return data[: 2 * count if isinstance(data, bytes) else count]
