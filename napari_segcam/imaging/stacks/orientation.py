"""Orientation: how the frames lie on the screen, as they are stored or as the header asks viewers to turn them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_segcam.imaging.stacks.axes import Axes

# Left, posterior and superior: radiologists look at the patient from the front or from the feet.
_TO_THE_RIGHT = (1, 1, 1)  # of the screen grows the patient's left, or else posterior
_DOWN = (1, 1, -1)  # grows posterior, or else inferior


def displayed_axes(axes: Axes, directions: Sequence[NDArray[np.float64]]) -> Axes:
    """The axes as the usual viewers lay them on the screen.

    Args:
        axes: as the file stores them.
        directions: of each stored axis in the patient, ``(left, posterior, superior)``.
    """
    row, column = axes.letters.index("Y"), axes.letters.index("X")
    main = {at: int(np.abs(directions[at]).argmax()) for at in (row, column)}
    # Along a row runs the axis that lies most to the patient's left, down the column the one most along the body.
    if main[column] > main[row]:
        row, column = column, row
    letters = list(axes.letters)
    letters[row], letters[column] = "Y", "X"
    turned = set()
    if directions[row][main[row]] * _DOWN[main[row]] < 0:
        turned.add("Y")
    if directions[column][main[column]] * _TO_THE_RIGHT[main[column]] < 0:
        turned.add("X")
    return Axes("".join(letters), frozenset(turned))


def oriented(axes: Axes, directions: Sequence[NDArray[np.float64]], displayed: bool, name: str) -> tuple[Axes, str]:
    """The axes to use, and a note where viewers that heed the header show the frames another way.

    Args:
        axes: as the file stores them.
        directions: as for ``displayed_axes``.
        displayed: whether to turn the frames as the header says.
        name: of the file.
    """
    on_screen = displayed_axes(axes, directions)
    if displayed or on_screen == axes:
        return on_screen, ""
    return axes, (
        f"The frames are shown as they are stored, the first axis along the rows; by the orientation in the header "
        f"they would be turned: open {name}::displayed for that."
    )
