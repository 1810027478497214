"""Texts: the few that a copy keeps, and what replaces those that an object needs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydicom import Dataset

from napari_segcam.deidentifying.header.codes import is_harmless
from napari_segcam.deidentifying.header.terms import TERMS, is_maker
from napari_segcam.deidentifying.pseudonyms import Pseudonyms

_WHOLE_WORDS = ("TextValue", "SegmentLabel", "DimensionDescriptionLabel")


def kept_text(
    keyword: str, texts: Sequence[str], item: Dataset, known: frozenset[str], pseudonyms: Pseudonyms
) -> str | None:
    """Return what a copy holds instead of a text that is no coded string; None if nothing.

    Args:
        keyword: of the element.
        texts: its values; at least one.
        item: that holds it.
        known: identifiers of the patient, in lower case.
        pseudonyms: for texts that only have to differ.
    """
    text = texts[0].strip()
    if len(texts) > 1:
        return None
    if keyword in TERMS:
        return text if text in TERMS[keyword] else None
    if keyword in ("Manufacturer", "ManufacturerModelName"):
        return text if is_maker(text) else None
    if keyword == "TrackingID":
        return f"tracking {pseudonyms.word('tracking', text)}"
    if keyword == "StackID":
        return text if re.fullmatch(r"\d{1,2}", text) else "1"
    if keyword == "AlgorithmVersion":
        return text if re.fullmatch(r"[0-9a-f]{12}|[0-9a-f]{64}", text) and not text.isdecimal() else None
    if keyword in _WHOLE_WORDS and is_harmless(text, known):
        return text
    if keyword == "SegmentLabel":
        number = str(item.get("SegmentNumber") or "")
        return f"Segment {number}" if number.isdecimal() else "Segment"
    return None
