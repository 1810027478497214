"""Budget of a TIFF page: its strips may decompress to more than the page's size."""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Callable
from typing import Any

import tifffile

from napari_segcam.budget import FRAME_BYTES
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.compressed_size import refuse_large_picture

_INFLATERS: dict[int, Callable[[], Any]] = {
    8: zlib.decompressobj,
    32946: zlib.decompressobj,
    34925: lzma.LZMADecompressor,
}
_IMAGE_CODECS = frozenset({7, 33003, 33004, 33005, 34712, 34892})  # JPEG and JPEG 2000
_GROWTH = 8192  # largest compression ratio of any of these


def refuse_growing(name: str, file: tifffile.FileHandle, page: tifffile.TiffPage) -> None:
    """Refuse a page whose strips or tiles decompress to more than their size.

    Args:
        name: of the file, for the error.
        file: the open file.
        page: of the file.

    Raises:
        SegcamError: if one does.
    """
    size = math.prod(page.chunks) * (page.dtype.itemsize if page.dtype else 1)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if page.compression in _IMAGE_CODECS:
            file.seek(offset)
            refuse_large_picture(name, file.read(min(count, FRAME_BYTES)))
        elif page.compression in _INFLATERS and count * _GROWTH > FRAME_BYTES:
            file.seek(offset)
            inflater = _INFLATERS[page.compression]()
            if len(inflater.decompress(file.read(min(count, FRAME_BYTES)), size + 1)) > size:
                raise SegcamError(f"{name} holds more data in a strip than fits into its page. It is not read.")
