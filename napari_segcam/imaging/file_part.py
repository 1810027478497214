"""What of a file is meant: ``FILE::NAME`` names one of its images, ``FILE::YXT`` its axes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.errors import SegcamError

_SEPARATOR = "::"
DISPLAYED = "displayed"


@dataclass(frozen=True)
class FilePart:
    """A file, and what the user said of it.

    Attributes:
        path: of the file.
        name: of one image in it, None where nothing was said.
        axes: what each stored axis is, in letters: T time, Y rows, X columns, C colors; None where nothing was said.
        displayed: turn the frames as the orientation in the header asks viewers to.
    """

    path: Path
    name: str | None = None
    axes: str | None = None
    displayed: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether nothing was said but the file."""
        return self.name is None and self.axes is None and not self.displayed


def file_part(path: str | os.PathLike[str]) -> FilePart:
    """What a path means: ``scan.mat::frames::YXT`` is the image ``frames`` of the file, its last axis being time.

    Raises:
        SegcamError: if something is said twice, or the axes make no frames.
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
                f"{text} is not understood: after the file may come ::NAME, ::AXES such as ::YXT, or both."
            )
    if axes is not None and (not {"Y", "X"} <= set(axes) or len(set(axes)) < len(axes)):
        raise SegcamError(f"The axes {axes} make no frames: give Y for rows, X for columns, T for time, C for colors.")
    return FilePart(Path(file), name, axes, displayed)
