"""The bytes of a DICOM file in any order: as they are stored, or inflated."""

from __future__ import annotations

import zlib
from pathlib import Path

from napari_segcam.budget import refuse_large_content

_BLOCK = 2**20  # bytes


class FileBytes:
    """Reads a file in blocks; no file stays open, and threads may share it.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size
        self._block = (0, b"")

    def __call__(self, start: int, stop: int) -> bytes:
        """Return the bytes of a range; fewer at the end of the file."""
        first, block = self._block
        if not first <= start <= stop <= first + len(block):
            with self._path.open("rb") as file:
                file.seek(start)
                block = file.read(max(_BLOCK, min(stop, self.size) - start))
            first = start
            if len(block) <= 2 * _BLOCK:
                self._block = (first, block)
        return block[start - first : stop - first]


class InflatedBytes:
    """The content of a deflated data set, held in blocks that are compressed again.

    Its size in memory depends on its content, not on what the file claims; one block at a time is decompressed.

    Args:
        stored: the bytes of the file.
        start: where the deflated data set begins.
        name: of the file, for the error.

    Raises:
        SegcamError: if the content is too large.
        zlib.error: if it is damaged.
    """

    def __init__(self, stored: FileBytes, start: int, name: str) -> None:
        self._blocks: list[bytes] = []
        self._block = (-1, b"")
        self.size = 0
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        pending = bytearray()
        for position in range(start, stored.size, _BLOCK):
            data = stored(position, min(position + _BLOCK, stored.size))
            while data and not inflate.eof:
                part = inflate.decompress(data, _BLOCK)
                data = inflate.unconsumed_tail
                pending += part
                self.size += len(part)
                refuse_large_content(name, self.size)
                while len(pending) >= _BLOCK:
                    self._blocks.append(zlib.compress(bytes(pending[:_BLOCK]), 1))
                    del pending[:_BLOCK]
        rest = inflate.flush()
        self.size += len(rest)
        pending += rest
        for first in range(0, len(pending), _BLOCK):
            self._blocks.append(zlib.compress(bytes(pending[first : first + _BLOCK]), 1))

    def __call__(self, start: int, stop: int) -> bytes:
        """Return the bytes of a range; fewer at the end of the content."""
        stop = min(stop, self.size)
        if start >= stop:
            return b""
        parts = [self._get(index) for index in range(start // _BLOCK, (stop - 1) // _BLOCK + 1)]
        offset = start // _BLOCK * _BLOCK
        joined = parts[0] if len(parts) == 1 else b"".join(parts)
        return joined[start - offset : stop - offset]

    def _get(self, index: int) -> bytes:
        known, block = self._block
        if known != index:
            block = zlib.decompress(self._blocks[index])
            self._block = (index, block)
        return block
