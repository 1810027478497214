"""Identifiers: the words and numbers of a header that tell who the patient is, to find them again elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pydicom import Dataset

_IDENTIFYING_KEYWORDS = (
    "PatientID OtherPatientIDs AccessionNumber StudyID PatientBirthDate PatientBirthName "
    "PatientTelephoneNumbers PatientAddress InstitutionName InstitutionAddress StationName "
    "DeviceSerialNumber AdmissionID IssuerOfPatientID MedicalRecordLocator MilitaryRank "
    "PatientMotherBirthName OtherPatientNames RequestedProcedureID ScheduledProcedureStepID "
    "PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest"
)
_IDENTIFYING = frozenset(_IDENTIFYING_KEYWORDS.split())
_SHORTEST = 3
_DEEPEST = 40


def known_identifiers(header: Dataset) -> frozenset[str]:
    """Return the words of names and IDs anywhere in a header, in lower case, of at least three characters."""
    return frozenset(
        word
        for text in _texts(header, 0)
        for word in (*re.findall(r"[^\W_]+", text.casefold()), text.casefold().strip())
        if len(word) >= _SHORTEST
    )


def _texts(header: Dataset, depth: int) -> Iterator[str]:
    for tag in list(header.keys()):
        with suppress(Exception):  # a malformed element is not kept either
            element = header[tag]
            if element.VR == "SQ":
                if depth < _DEEPEST:
                    for item in element.value:
                        yield from _texts(item, depth + 1)
            elif element.VR == "PN" or element.keyword in _IDENTIFYING:
                for value in listed(element.value):
                    yield str(value)


def listed(value: Any) -> list[Any]:
    """Return the values of an element as a list."""
    if value is None or (isinstance(value, (str, bytes)) and not value):
        return []
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__") or hasattr(value, "components"):
        return [value]
    return list(value)
