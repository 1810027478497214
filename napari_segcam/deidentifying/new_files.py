"""New files: written completely or not at all, and never over another file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_segcam.deidentifying.refusals import UNWRITABLE, RefusedError
from napari_segcam.files import whole_file


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes ``target`` if the writing succeeds.

    Raises:
        RefusedError: if there is a file of this name.
        SegcamError: if the file cannot be written there.
    """
    if target.exists() or target.is_symlink():
        raise RefusedError(f"{target} is there already: nothing is overwritten. Give another name.", UNWRITABLE)
    with whole_file(target) as temporary:
        yield temporary
