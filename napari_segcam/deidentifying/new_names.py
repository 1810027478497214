"""New names: files of a copy are named by their place among patients, studies and series, never by their old names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pydicom import Dataset

from napari_segcam.deidentifying.kinds import ObjectKind


class NewNames:
    """Gives the files of a run their new names, in the order in which they come.

    Args:
        folder: of the copies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers: dict[tuple[str, ...], int] = {}
        self._counts: Counter[tuple[str, ...]] = Counter()

    def of_object(self, clean: Dataset, kind: ObjectKind) -> Path:
        """Return the path of a DICOM copy, from its header: ``patient_001/study_001/series_001/image_0001.dcm``."""
        place: tuple[str, ...] = ()
        folder = self._folder
        for level, keyword in (
            ("patient", "PatientID"),
            ("study", "StudyInstanceUID"),
            ("series", "SeriesInstanceUID"),
        ):
            place = (*place, str(clean.get(keyword) or ""))
            folder /= f"{level}_{self._number(place):03d}"
        return folder / f"{kind.value}_{self._next((*place, kind.value)):04d}.dcm"

    def of_picture(self, parent: Path, kind: str, suffix: str) -> Path:
        """Return the path of a still or video, from the folder of its file: ``pictures_001/still_0001.png``."""
        place = ("pictures", str(parent))
        folder = self._folder / f"pictures_{self._number(place):03d}"
        return folder / f"{kind}_{self._next((*place, kind)):04d}{suffix}"

    def _number(self, place: tuple[str, ...]) -> int:
        if place not in self._numbers:
            self._numbers[place] = self._next(("number", *place[:-1]))
        return self._numbers[place]

    def _next(self, place: tuple[str, ...]) -> int:
        self._counts[place] += 1
        return self._counts[place]
