"""Spool: the pixels of a long object, kept in a temporary file until the object is written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from typing import IO, cast

from napari_segcam.errors import SegcamError, error_text

LONGEST = 2**32 - 2
"""Most bytes of a value; an element says its length in 32 bits."""


class Spool:
    """Bytes on disk in the order in which they came; gone when the object that holds them is.

    Raises:
        SegcamError: if there is no room for them.
    """

    def __init__(self) -> None:
        with _disk_errors():
            self._file: IO[bytes] = tempfile.TemporaryFile(prefix="napari-segcam-")  # noqa: SIM115  # pydicom reads it later
        self.length = 0

    def append(self, content: bytes) -> None:
        """Add bytes at the end.

        Raises:
            SegcamError: if they do not fit, on the disk or into one element.
        """
        if self.length + len(content) > LONGEST:
            raise SegcamError("The object has more than 4 GB of pixels, the most for DICOM. Export fewer frames.")
        with _disk_errors():
            self._file.write(content)
        self.length += len(content)

    def buffer(self, begin: bytes = b"") -> BufferedRandom:
        """Return the bytes as pydicom takes them for a value.

        Args:
            begin: bytes that come before all others, known only at the end.
        """
        if begin:
            whole = Spool()
            whole.append(begin)
            with _disk_errors():
                self._file.seek(0)
                shutil.copyfileobj(self._file, whole._file)
            return whole.buffer()
        with _disk_errors():
            self._file.flush()
        self._file.seek(0)
        return cast(BufferedRandom, self._file)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SegcamError(
            f"There is no room for the pixels in {tempfile.gettempdir()}: {error_text(error)}. Free some space, or "
            "export fewer frames."
        ) from error
