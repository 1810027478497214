"""File parts: ``FILE::NAME`` names one image of a file, ``FILE::YXT`` its axes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.errors import SegcamError

_SEPARATOR = "::"
DISPLAYED = "displayed"


@dataclass(frozen=True)
class FilePart:
    """A file, and the part of it that the user chose.

    Attributes:
        path: of the file.
        name: of one image in it, None if not given.
        axes: the stored axes in letters: T time, Y rows, X columns, C colors; None if not given.
        displayed: turn the frames by the orientation in the header.
    """

    path: Path
    name: str | None = None
    axes: str | None = None
    displayed: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether only the file was given."""
        return self.name is None and self.axes is None and not self.displayed


def file_part(path: str | os.PathLike[str]) -> FilePart:
    """Parse a path: ``scan.mat::frames::YXT`` is the image ``frames`` of the file, with time as its last axis.

    Raises:
        SegcamError: if something is given twice, or the axes are not those of frames.
    """
    text = os.fspath(path)
    if _SEPARATOR not in text or os.path.lexists(text):
        return FilePart(Path(path))
    file, *words = text.split(_SEPARATOR)
    name: str | None = None
    axes: str | None = None
    displayed = False
    for word in words:
        if word == DISPLAYED:
            displayed = True
        elif word and set(word) <= set("TYXC") and axes is None:
            axes = word
        elif word and name is None:
            name = word
        else:
            raise SegcamError(
                f"{text} is not understood: after the file you can add ::NAME, ::AXES such as ::YXT, or both."
            )
    if axes is not None and (not {"Y", "X"} <= set(axes) or len(set(axes)) < len(axes)):
        raise SegcamError(
            f"The axes {axes} are not those of frames: give Y for rows, X for columns, T for time, C for colors."
        )
    return FilePart(Path(file), name, axes, displayed)
