"""Stored samples: a file's array on the disk, mapped into memory, so that only the used parts are read."""

from __future__ import annotations

import bz2
import gzip
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_segcam.budget import refuse_large_content
from napari_segcam.errors import SegcamError

Packing = Literal["none", "gzip", "bzip2", "zlib"]
_CHUNK = 1 << 20


class Readable(Protocol):
    """Source of bytes."""

    def read(self, length: int, /) -> bytes: ...


@dataclass(frozen=True)
class Layout:
    """Layout of the samples.

    Attributes:
        shape: of the array, in the file's own order of axes.
        dtype: of one sample, with its byte order.
        fortran: whether the first axis changes fastest.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool = True

    @property
    def nbytes(self) -> int:
        size = self.dtype.itemsize
        for length in self.shape:
            size *= length
        return size


class PlainSamples:
    """Array stored without compression; the file is opened for each read and does not stay open.

    Raises:
        SegcamError: if the file is missing or too short.
    """

    def __init__(self, path: Path, offset: int, layout: Layout) -> None:
        self._path, self._offset, self._layout = path, offset, layout
        refuse_special(path)
        size = path.stat().st_size
        if offset < 0 or size < offset + layout.nbytes:
            raise SegcamError(
                f"{path.name} is cut short: it holds {max(size - offset, 0)} of {layout.nbytes} bytes of pixels. "
                "Copy or export it again."
            )

    def __call__(self) -> NDArray[Any]:
        layout = self._layout
        try:
            return np.memmap(self._path, layout.dtype, "r", self._offset, layout.shape, "F" if layout.fortran else "C")
        except (OSError, ValueError) as error:
            raise SegcamError(f"{self._path} can no longer be read. Open it again.") from error


class UnpackedSamples:
    """Array stored with compression: decompressed once, at the first read, into a temporary file.

    Args:
        name: of the file, for errors.
        open_stream: opens the decompressed bytes.
        offset: of the array in them.
        layout: of the array; nothing beyond it is decompressed.

    Raises:
        SegcamError: if the array is larger than the budget.
    """

    def __init__(
        self, name: str, open_stream: Callable[[], AbstractContextManager[Readable]], offset: int, layout: Layout
    ) -> None:
        refuse_large_content(name, layout.nbytes)
        self._name, self._open, self._offset, self._layout = name, open_stream, offset, layout
        self._lock = threading.Lock()
        self._array: NDArray[Any] | None = None

    def __call__(self) -> NDArray[Any]:
        with self._lock:
            if self._array is None:
                self._array = self._unpack()
            return self._array

    def _unpack(self) -> NDArray[Any]:
        layout = self._layout
        # Closed with the map: on every system it is deleted once nothing refers to the array.
        unpacked = tempfile.TemporaryFile(prefix="napari-segcam-")  # noqa: SIM115
        try:
            with self._open() as stream:
                _skip(stream, self._offset)
                missing = layout.nbytes
                while missing and (chunk := stream.read(min(_CHUNK, missing))):
                    unpacked.write(chunk)
                    missing -= len(chunk)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise SegcamError(f"{self._name} is damaged or cannot be decompressed: {error}.") from error
        if missing:
            raise SegcamError(
                f"{self._name} is cut short: it holds {layout.nbytes - missing} of {layout.nbytes} bytes of pixels. "
                "Copy or export it again."
            )
        unpacked.flush()
        return np.memmap(unpacked, layout.dtype, "r", 0, layout.shape, "F" if layout.fortran else "C")


def samples(path: Path, offset: int, layout: Layout, packing: Packing = "none") -> Callable[[], NDArray[Any]]:
    """Return a function that returns the array of a file; call it for each read.

    Args:
        path: of the file of the samples.
        offset: of the decompressed samples; for ``zlib`` of the compressed ones.
        layout: of the array.
        packing: compression of the whole file (gzip), or of the part after the offset.

    Raises:
        SegcamError: if the file is missing, or shorter than the array.
    """
    if packing == "none":
        return PlainSamples(path, offset, layout)
    refuse_special(path)
    return UnpackedSamples(path.name, lambda: unpacking(path, offset, packing), 0, layout)


@contextmanager
def unpacking(path: Path, offset: int, packing: Packing) -> Iterator[Readable]:
    """Open the decompressed bytes of a file from an offset on.

    Raises:
        OSError: if it cannot be opened.
    """
    with path.open("rb") as file:
        file.seek(offset)
        if packing == "gzip":
            yield gzip.GzipFile(fileobj=file)
        elif packing == "bzip2":
            yield bz2.BZ2File(file)
        else:
            yield _ZlibStream(file)


class _ZlibStream:
    """Stream that decompresses zlib data piece by piece."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._unpack, self._ready = file, zlib.decompressobj(zlib.MAX_WBITS | 32), b""

    def read(self, length: int) -> bytes:
        while not self._unpack.eof:
            packed = self._unpack.unconsumed_tail or self._file.read(_CHUNK)
            unpacked = self._unpack.decompress(packed, length)
            if unpacked or not packed:
                return unpacked
        return b""


def refuse_special(path: Path) -> None:
    """Raise a SegcamError unless a path is a regular file: a device or a pipe would never end."""
    if not path.is_file():
        raise SegcamError(f"{path} is {'not a file' if path.exists() else 'missing'}: the pixels should be there.")


def _skip(stream: Readable, length: int) -> None:
    while length and (chunk := stream.read(min(_CHUNK, length))):
        length -= len(chunk)
