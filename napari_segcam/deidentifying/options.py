"""Options of de-identified copies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_segcam.errors import SegcamError

Dates = Literal["remove", "shift"]


@dataclass(frozen=True)
class DeidentifyOptions:
    """How copies are made.

    Attributes:
        region: of the pixels that stay: ``"auto"``, the scan; ``"none"``, all of them; or
            ``"LEFT,TOP,RIGHT,BOTTOM"`` in pixels, without the last row and column.
        dates: ``"remove"``, or ``"shift"`` to move all dates of a patient into the past by the same number of days.
        mapping: file to which the secret and what was replaced by what are written; if it is there, its secret is used,
            so that runs agree. None: nobody can find out.
    """

    region: str = "auto"
    dates: Dates = "remove"
    mapping: Path | None = None

    def __post_init__(self) -> None:
        if self.dates not in ("remove", "shift"):
            raise SegcamError(f"The dates {self.dates!r} are not understood: give 'remove' or 'shift'.")
