"""Where the texts of measurements go: beside their lines, within the frame, and not over another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LINE = 1 / 24  # height of a line of text by the frame's shorter side, where the whole frame is seen in a usual window
_LETTER = 0.38  # width of a letter by the height of a line
_SIDE = 0.28  # of the frame's width: no text is centered nearer to its sides, where it would be cut off


def label_places(
    drawn: Sequence[tuple[int, NDArray[np.float64], str]], shape: tuple[float, float]
) -> list[NDArray[np.float64]]:
    """Return the center ``(row, column)`` of each text: below its lines, or above them where there is no room.

    Args:
        drawn: frame number, points ``(N, 2)`` and text of each measurement, the first ones placed first.
        shape: height and width of a frame.
    """
    height, width = shape
    line = min(height, width) * LINE
    taken: list[tuple[int, NDArray[np.float64], NDArray[np.float64]]] = []
    for frame, points, text in drawn:
        texts = text.split("\n")
        size = np.array([len(texts) * line, max(map(len, texts)) * line * _LETTER])
        if len(points):
            low = float(points[:, 0].max()) + 0.6 * line + size[0] / 2
            high = float(points[:, 0].min()) - 0.6 * line - size[0] / 2
            column = float(points[:, 1].mean())
        else:
            low, high, column = 1.5 * line + size[0] / 2, 0.0, width / 2
        is_below = low + size[0] / 2 < height
        place = np.array([
            low if is_below else max(high, size[0] / 2),
            float(np.clip(column, width * _SIDE, width * (1 - _SIDE))),
        ])  # fmt: skip
        others = [(other, other_size) for number, other, other_size in taken if number == frame]
        while any((np.abs(place - other) < (size + other_size) / 2).all() for other, other_size in others):
            place[0] += line / 2 if is_below else -line / 2
        taken.append((frame, place, size))
    return [place for _, place, _ in taken]
