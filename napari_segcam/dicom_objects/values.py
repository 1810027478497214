"""Values of DICOM elements: texts and times in the forms that their types allow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydicom import Dataset
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR
from pydicom.tag import Tag
from pydicom.valuerep import validate_value

from napari_segcam.errors import printable

LONG_STRING, SHORT_STRING, SHORT_TEXT = 64, 16, 1024
"""Most characters of the types LO, SH and ST."""

_CUT = "..."


def fitted(text: str, length: int = LONG_STRING) -> str:
    r"""Return a text as the value of an element: printable, not too long, without the separator of values ``\``.

    Args:
        text: of any length.
        length: most characters; a longer text keeps its beginning and its end. Its bytes in UTF-8 are counted, as some
            readers do.
    """
    plain = " ".join(printable(text, keep="\n\t").replace("\\", "/").split())
    letters = plain.encode("utf-8", "replace")
    if len(letters) <= length:
        return plain
    head = (length - len(_CUT)) // 2
    ends = letters[:head], letters[len(letters) - (length - len(_CUT) - head) :]
    return _CUT.join(end.decode("utf-8", "ignore") for end in ends)


def is_valid(vr: str, value: object) -> bool:
    """Return whether a value, or each of several, has the form that its type asks for."""
    try:
        for one in value if isinstance(value, (list, tuple)) else [value]:
            validate_value(vr, one, RAISE)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def valid_value(header: Dataset, keyword: str) -> Any:
    """Return the value of an element; None if it is missing, empty, or not valid."""
    try:
        element = header.get(Tag(keyword))
    except Exception:  # pydicom's errors for a damaged value are of many types
        return None
    if element is None or element.is_empty:
        return None
    vr = dictionary_VR(Tag(keyword))
    values = list(element.value) if element.VM > 1 else [element.value]
    texts = [str(value) if vr in ("CS", "DS", "IS") else value for value in values]
    return element.value if is_valid(vr, texts) else None


def valid_values(header: Dataset, keyword: str) -> list[str]:
    """Return the values of an element as texts; none if it is missing or one of them is not valid."""
    value = valid_value(header, keyword)
    if value is None:
        return []
    return [str(value)] if isinstance(value, (str, float, int)) else [str(one) for one in value]


def date_and_time(moment: datetime) -> tuple[str, str]:
    """Return a moment as a date (DA) and a time (TM)."""
    return f"{moment:%Y%m%d}", f"{moment:%H%M%S}.{moment.microsecond:06d}"
