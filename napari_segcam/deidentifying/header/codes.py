"""Codes: items of code sequences, and which words are harmless because a terminology uses them."""

from __future__ import annotations

import re
from functools import cache

from pydicom import Dataset
from pydicom.sr.codedict import Collection

from napari_segcam.deidentifying.pseudonyms import Pseudonyms

_SCHEMES = ("DCM", "SCT", "UCUM", "LN", "RADLEX", "NCIt", "UMLS", "FMA", "IBSI", "MDC")
_LEGACY = {"SRT": r"[A-Z]-[0-9A-F]{4,6}", "SNM3": r"[A-Z]-[0-9A-F]{4,6}", "99SDM": r"[A-Z]-[0-9A-F]{4,6}"}
_FORMS = {"DCM": r"\d{6}", "LN": r"\d{3,5}-\d", "RADLEX": r"RID\d{1,6}", **_LEGACY}
_UNIT_WORDS = (
    "1 % mm cm m mm2 cm2 mm3 cm3 ml l s ms min h Hz kHz MHz dB cm/s m/s mm/s cm/s2 ml/min g kg rad deg "
    "{frames}/s {pixels} {frames} {ratio} {score} [arb'U] {bpm} /min kPa mmHg mm[Hg] no units"
)
_UNITS = frozenset(_UNIT_WORDS.split())
_OWN = "99SEGCAM"

# Of the check digit of SNOMED CT's identifiers (J. Verhoeff 1969).
_TIMES = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_MOVES = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def clean_code(item: Dataset, pseudonyms: Pseudonyms, is_known: bool) -> tuple[Dataset, bool]:
    """Return an item of a code sequence with its value, scheme and meaning only, and whether its code was kept.

    The meaning is that of the terminology, never the file's own text. A code of another scheme is replaced by a
    pseudonym, the same for the same code.

    Args:
        item: of the file.
        pseudonyms: for codes that are not kept.
        is_known: whether the code's value is a known identifier of the patient.
    """
    value, scheme = (str(item.get(keyword) or "") for keyword in ("CodeValue", "CodingSchemeDesignator"))
    code = Dataset()
    meaning = meanings(scheme).get(value) if scheme in _SCHEMES else None
    if meaning is None and not is_known and _is_well_formed(value, scheme):
        meaning = "unit" if scheme == "UCUM" else f"Code {value}"
    is_kept = meaning is not None
    if meaning is None and scheme == _OWN and is_harmless(value.replace("_", " ").replace("-", " "), frozenset()):
        meaning, is_kept = value, True
    if meaning is None:
        value, scheme, meaning = pseudonyms.word("code", f"{scheme} {value}"), "99REMOVED", "Removed"
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning[:64]
    return code, is_kept


def _is_well_formed(value: str, scheme: str) -> bool:
    if scheme == "SCT":
        return re.fullmatch(r"\d{4,15}[01]0\d", value) is not None and _has_check_digit(value)
    if scheme == "UCUM":
        return value in _UNITS
    return scheme in _FORMS and re.fullmatch(_FORMS[scheme], value) is not None


def _has_check_digit(number: str) -> bool:
    check = 0
    for position, digit in enumerate(reversed(number)):
        check = int(_TIMES[check][int(_MOVES[position % 8][int(digit)])])
    return check == 0


@cache
def meanings(scheme: str) -> dict[str, str]:
    """Return the codes of a terminology that pydicom knows, with their meanings."""
    return {code.value: code.meaning for code in Collection(scheme).concepts.values()}


@cache
def harmless_words() -> frozenset[str]:
    """Return the words that terminologies write in lower case: no names, which have a capital letter."""
    texts = " ".join(meaning for scheme in ("DCM", "SCT") for meaning in meanings(scheme).values())
    return frozenset(re.findall(r"\b[a-z]{2,}\b", texts)) | {"fibroid", "segment", "background", "lesion", "mask"}


def is_harmless(text: str, known: frozenset[str]) -> bool:
    """Return whether a text has nothing but words of terminologies and numbers of at most two digits.

    Args:
        text: of a file.
        known: identifiers of the patient, in lower case.
    """
    if not text.isascii() or re.search(r"\d{3}|[^\w\s.,:;()%+-]", text):
        return False
    words = re.findall(r"[a-z]+", text.casefold())
    return all(word in harmless_words() and word not in known for word in words if len(word) > 1) and all(
        len(word) > 1 or word in "abclrx" for word in words
    )
