"""Writing files: none is ever left half-written, and their names go with every system."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_segcam.errors import SegcamError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, which takes the place of ``path`` once the writing has succeeded.

    Raises:
        SegcamError: if the file cannot be written there.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise SegcamError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def safe_name(text: str) -> str:
    """A text as a file name that every system takes: letters and digits of any script, and ``. _ - +``."""
    return re.sub(r"[^\w.+-]", "_", text).strip(".") or "_"
