"""PNG files of 16-bit colors, or of 16-bit gray with alpha, which Pillow reduces to 8 bits."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY_WITH_ALPHA = 4
_SAMPLES = {2: 3, GRAY_WITH_ALPHA: 2, 6: 4}  # by color type
_PIXEL_FORMATS = {2: "rgb48be", GRAY_WITH_ALPHA: "ya16be", 6: "rgba64be"}  # of FFmpeg, by color type
# First row, first column, and steps between rows and between columns of the passes of an interlaced image.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def deep_kind(path: Path) -> int | None:
    """Return the color type of a PNG file of 16-bit colors, or of 16-bit gray with alpha; None for other files."""
    with path.open("rb") as file:
        head = file.read(26)
    is_deep = head.startswith(_SIGNATURE[:4]) and head[12:16] == b"IHDR" and head[24] == 16
    return head[25] if is_deep and head[25] in _SAMPLES else None


def read_deep_png(path: Path) -> NDArray[np.uint16]:
    """Read the first image of such a file, ``(Y, X, 3)``, or ``(Y, X)`` for gray with alpha; alpha is dropped.

    FFmpeg decodes it. As FFmpeg writes beyond its memory for interlaced images, it gets their passes one by one, each
    as an image that is not interlaced.

    Raises:
        ValueError: if the file is damaged.
        OSError: if it cannot be read.
    """
    coded = path.read_bytes()
    width, height, _, kind, _, _, interlaced = struct.unpack_from(">LLBBBBB", coded, 16)
    if not interlaced:
        return _decode(coded, kind)
    row_bytes = [_row_bytes(width, kind, column, right) for _, column, _, right in _PASSES]
    counts = [
        _count(height, row, down) if length else 0 for (row, _, down, _), length in zip(_PASSES, row_bytes, strict=True)
    ]
    sizes = [count * length for count, length in zip(counts, row_bytes, strict=True)]
    rows = zlib.decompressobj().decompress(b"".join(_chunks(coded, b"IDAT")), sum(sizes))
    if len(rows) < sum(sizes):
        raise ValueError("it is cut short")
    image = np.zeros((height, width) if kind == GRAY_WITH_ALPHA else (height, width, 3), np.uint16)
    start = 0
    for (row, column, down, right), size, count in zip(_PASSES, sizes, counts, strict=True):
        if size:
            columns = _count(width, column, right)
            part = _as_png(rows[start : start + size], count, columns, kind)
            image[row::down, column::right] = _decode(part, kind)
        start += size
    return image


def _count(length: int, first: int, step: int) -> int:
    return max(0, -(-(length - first) // step))


def _row_bytes(width: int, kind: int, first: int, step: int) -> int:
    """Return the bytes of a row of a pass, with the byte of its filter; 0 if it has no columns."""
    columns = _count(width, first, step)
    return 1 + 2 * _SAMPLES[kind] * columns if columns else 0


def _chunks(coded: bytes, kind: bytes) -> Iterator[bytes]:
    offset = len(_SIGNATURE)
    while offset + 12 <= len(coded):
        length, name = struct.unpack_from(">L4s", coded, offset)
        if name == kind:
            yield coded[offset + 8 : offset + 8 + length]
        offset += 12 + length


def _as_png(rows: bytes, height: int, width: int, kind: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))

    head = struct.pack(">LLBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return _SIGNATURE + b"".join(chunk(name, content) for name, content in parts)


def _decode(coded: bytes, kind: int) -> NDArray[np.uint16]:
    """Decode with FFmpeg, without its conversion of pixel formats, which is wrong for gray with alpha."""
    import av

    try:
        with av.open(io.BytesIO(coded), "r", format="png_pipe") as container:
            picture = next(container.decode(video=0))
    except (av.FFmpegError, StopIteration) as error:
        raise ValueError(str(error)) from error
    if picture.format.name != _PIXEL_FORMATS[kind]:
        raise ValueError(f"its pixels are {picture.format.name}, not {_PIXEL_FORMATS[kind]}")
    (plane,) = picture.planes
    rows = np.frombuffer(memoryview(plane), ">u2").reshape(picture.height, plane.line_size // 2)
    samples = rows[:, : picture.width * _SAMPLES[kind]].reshape(picture.height, picture.width, _SAMPLES[kind])
    return np.ascontiguousarray(samples[..., 0] if kind == GRAY_WITH_ALPHA else samples[..., :3], np.uint16)
