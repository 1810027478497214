"""The source: which file a frame is from, without anything that its header says of a patient."""

from __future__ import annotations

from dataclasses import dataclass

from napari_segcam.files import sha256_of
from napari_segcam.imaging.cine import Cine


@dataclass(frozen=True)
class CineSource:
    """Where frames come from.

    Attributes:
        name: of the file or folder, without where it lies.
        sha256: of the file; of a folder that of its files' names and sums; None where there is no file.
        frames: how many there are.
        frame_rate: per second, None where unknown.
        spacing_mm: of rows and of columns, None where unknown.
        value_range: what black and white are, None where unknown.
        value_range_from: who says so, None where unknown.
        notes: what was amiss or had to be assumed when the frames were read.
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
        """The source of a cine, whose file is read once for its sum.

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
        """What to call a frame of it."""
        return self.name if self.frames == 1 else f"{self.name}, frame {number}"
