"""Graphics: what was found burned into a frame, part by part."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

Kind = Literal["text", "caliper", "line", "dotted line", "bar", "graphic"]


@dataclass(frozen=True, eq=False)
class Graphic:
    """One burned-in graphic, such as a word or a caliper.

    Attributes:
        kind: what it looks like; ``"graphic"`` where that is not clear.
        why: why it counts as burned in, in words.
        box: rows and columns that hold it.
        pixels: ``(rows, columns)`` bool within the box.
        in_scan: whether it is on the scan; else it is beside the scan, on the screen.
    """

    kind: Kind
    why: str
    box: tuple[slice, slice]
    pixels: Mask
    in_scan: bool = True

    @property
    def area(self) -> int:
        """Number of its pixels."""
        return int(self.pixels.sum())


@dataclass(frozen=True, eq=False)
class Graphics:
    """Burned-in graphics of a frame.

    Attributes:
        mask: ``(Y, X)`` bool, True on all of them.
        parts: one by one, from the top of the frame.
    """

    mask: Mask
    parts: tuple[Graphic, ...]

    @property
    def summary(self) -> str:
        """What was found, in words, such as ``"2 calipers, 1 text"``."""
        if not self.parts:
            return "no burned-in graphics were found"
        counts = Counter(part.kind for part in self.parts).most_common()
        return ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts)
