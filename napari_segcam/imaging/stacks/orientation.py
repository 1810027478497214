"""Orientation: how frames are shown on the screen, as they are stored or turned by the orientation in the header."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_segcam.imaging.stacks.axes import Axes

# Signs for left, posterior and superior: radiologists look at the patient from the front or from the feet.
_TO_THE_RIGHT = (1, 1, 1)  # on the screen: the patient's left, or else posterior
_DOWN = (1, 1, -1)  # posterior, or else inferior


def displayed_axes(axes: Axes, directions: Sequence[NDArray[np.float64]]) -> Axes:
    """Return the axes as the usual viewers show them on the screen.

    Args:
        axes: as the file stores them.
        directions: of each stored axis in the patient, ``(left, posterior, superior)``.
    """
    row, column = axes.letters.index("Y"), axes.letters.index("X")
    main = {axis: int(np.abs(directions[axis]).argmax()) for axis in (row, column)}
    # The axis most to the patient's left runs along a row, the one most along the body down a column.
    if main[column] > main[row]:
        row, column = column, row
    letters = list(axes.letters)
    letters[row], letters[column] = "Y", "X"
    flipped = set()
    if directions[row][main[row]] * _DOWN[main[row]] < 0:
        flipped.add("Y")
    if directions[column][main[column]] * _TO_THE_RIGHT[main[column]] < 0:
        flipped.add("X")
    return Axes("".join(letters), frozenset(flipped))


def orient(axes: Axes, directions: Sequence[NDArray[np.float64]], displayed: bool, name: str) -> tuple[Axes, str]:
    """Return the axes to use, and a note if viewers that follow the header show the frames in another way.

    Args:
        axes: as the file stores them.
        directions: as for ``displayed_axes``.
        displayed: whether to turn the frames by the orientation in the header.
        name: of the file.
    """
    on_screen = displayed_axes(axes, directions)
    if displayed or on_screen == axes:
        return on_screen, ""
    return axes, (
        f"The frames are shown as they are stored, with the first axis along the rows. To turn them by the orientation "
        f"in the header, open {name}::displayed."
    )
