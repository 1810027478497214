"""Cine source: the file that frames come from, without any patient data of its header."""

from __future__ import annotations

from dataclasses import dataclass

from napari_segcam.files import sha256_of
from napari_segcam.imaging.cine import Cine


@dataclass(frozen=True)
class CineSource:
    """Where frames come from.

    Attributes:
        name: of the file or folder, without its path.
        sha256: of the file; for a folder, of the names and checksums of its files; None where there is no file.
        frames: number of frames.
        frame_rate: per second, None where unknown.
        spacing_mm: of rows and of columns, None where unknown.
        value_range: the values that are black and white, None where unknown.
        value_range_from: where the value range comes from, None where unknown.
        notes: problems and assumptions when the frames were read.
    """

    name: str
    sha256: str | None = None
    frames: int = 1
    frame_rate: float | None = None
    spacing_mm: tuple[float, float] | None = None
    value_range: tuple[float, float] | None = None
    value_range_from: str | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, cine: Cine) -> CineSource:
        """Return the source of a cine; its file is read once for the checksum.

        Raises:
            SegcamError: if the file cannot be read.
        """
        path = cine.path
        return cls(
            cine.name if path is None else path.name,
            None if path is None else sha256_of(path),
            len(cine),
            cine.frame_rate,
            cine.spacing_mm,
            cine.value_range,
            cine.black_and_white.reason,
            cine.notes,
        )

    def title(self, number: int) -> str:
        """Return the title of a frame."""
        return self.name if self.frames == 1 else f"{self.name}, frame {number}"
