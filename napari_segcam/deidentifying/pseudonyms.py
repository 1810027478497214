"""Pseudonyms: new UIDs, patients and dates, the same for the same original, which nobody can trace back."""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import uuid
from datetime import date, timedelta
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import UID, UID_dictionary

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import json_bytes, whole_file

_FIRST_SHIFT, _MORE_SHIFT = 365, 9 * 365  # days: at least one year, at most ten
_BYTES = 32
_LONGEST_MAPPING = 64 * 2**20


class Pseudonyms:
    """Makes pseudonyms with a secret, so that all files of a run agree and nothing can be computed back.

    Args:
        secret: of at least 32 bytes; a new one by default, which is forgotten after the run.

    Attributes:
        originals: what was replaced by what, for the mapping; it identifies patients.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(_BYTES)
        self.originals: dict[str, dict[str, str]] = {"uids": {}, "patients": {}}

    @classmethod
    def of_mapping(cls, path: Path) -> Pseudonyms:
        """Return the pseudonyms of an earlier run, by its mapping, or new ones if there is no such file yet.

        Raises:
            SegcamError: if the file is not a mapping.
        """
        if not path.exists():
            return cls()
        try:
            if path.stat().st_size > _LONGEST_MAPPING:
                raise ValueError("it is too large")
            content = json.loads(path.read_text(encoding="utf-8"))
            pseudonyms = cls(bytes.fromhex(content["secret"]))
            if len(pseudonyms._secret) < _BYTES:
                raise ValueError("its secret is too short")
            for kind, known in pseudonyms.originals.items():
                known.update({str(old): str(new) for old, new in content[kind].items()})
        except OSError as error:
            raise SegcamError(f"{path} cannot be read: {error_text(error)}.") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SegcamError(
                f"{path} is not a mapping of an earlier run ({error_text(error, 80)}). Give another name to write one."
            ) from error
        return pseudonyms

    def save(self, path: Path) -> None:
        """Write the secret and what was replaced by what, readable by the user alone.

        Raises:
            SegcamError: if the file cannot be written.
        """
        content = json_bytes({"secret": self._secret.hex(), **self.originals}, indent=1)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with whole_file(path) as temporary, os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)

    def uid(self, original: str) -> UID:
        """Return the UID that replaces one; those of the standard itself stay, such as that of a transfer syntax."""
        if original in UID_dictionary:
            return UID(original)
        number = uuid.UUID(bytes=self._digest("uid", original)[:16], version=4)
        new = UID(f"2.25.{number.int}")
        self.originals["uids"][original] = str(new)
        return new

    def patient(self, key: str) -> str:
        """Return the name and ID that replace those of a patient."""
        new = f"ANON{self._digest('patient', key).hex()[:10].upper()}"
        self.originals["patients"][key] = new
        return new

    def word(self, kind: str, original: str) -> str:
        """Return eight letters and digits that replace a text, such as a tracking identifier."""
        return self._digest(kind, original).hex()[:8].upper()

    def shifted_date(self, text: str, key: str) -> str | None:
        """Return a date ``YYYYMMDD`` moved into the past, by the same days for all dates of a patient.

        Returns None for a text that is not a date.

        Args:
            text: of a date, or beginning with one.
            key: of the patient.
        """
        if not re.fullmatch(r"\d{8}.*", text):
            return None
        days = _FIRST_SHIFT + int.from_bytes(self._digest("days", key)[:8], "big") % _MORE_SHIFT
        try:
            moved = date(int(text[:4]), int(text[4:6]), int(text[6:8])) - timedelta(days)
        except (ValueError, OverflowError):
            return None
        return f"{moved:%Y%m%d}" if moved.year >= 1000 else None

    def _digest(self, kind: str, original: str) -> bytes:
        return hmac.digest(self._secret, f"{kind}\0{original}".encode("utf-8", "surrogateescape"), "sha256")


def patient_key(header: Dataset) -> str:
    """Return what tells a patient from others: the ID, else the name, else the study."""
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID"):
        try:
            text = " ".join(str(header.get(keyword) or "").split()).casefold()
        except Exception:  # a malformed value
            continue
        if text:
            return text
    return ""
