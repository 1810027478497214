"""Animations and image series, with Pillow: animated PNG and WebP, and JPEG files with several images."""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from napari_segcam.budget import refuse_large_frame
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine, Frame, name_of
from napari_segcam.imaging.stills.deep_png import deep_kind
from napari_segcam.imaging.stills.still_cine import StillCine, opened_still


def open_still(path: Path) -> Cine:
    """Open a PNG, JPEG, BMP or WebP file: a still, or all its images.

    Raises:
        SegcamError: if the file is damaged or of another kind, or an animation of 16-bit images.
    """
    with opened_still(path) as image:
        count = int(getattr(image, "n_frames", 1))
        if count == 1:
            return StillCine(path)
        refuse_large_frame(path.name, (image.height, image.width, len(image.getbands())), frames=count)
        if image.mode.startswith("I") or deep_kind(path) is not None:
            raise SegcamError(
                f"{path.name} is an animation of 16-bit images, which cannot be read. Save its frames as a TIFF file."
            )
        if image.format == "MPO" and not _are_of_one_size(image, count):
            still = StillCine(path)
            still.notes = (f"The file holds {count} images, not all of one size: only the first is read.",)
            return still
    return AnimatedCine(path)


class AnimatedCine(Cine):
    """Cine of the images of one file, composed as a browser shows them; uint8, alpha is dropped.

    A frame depends on those before it, so the file stays open after the first read, and steps forward are cheap.

    Raises:
        SegcamError: if the file is damaged or of another kind.
    """

    path: Path

    def __init__(self, path: Path) -> None:
        self.name, self.path = name_of(path), path
        self._lock = threading.Lock()
        self._image: Image.Image | None = None
        with opened_still(path) as image:
            # The default image is for viewers without animation, and not part of it.
            self._first = int(bool(getattr(image, "default_image", False)))
            promised = int(getattr(image, "n_frames", 1)) - self._first
            self._mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
            self.frame_shape = (image.height, image.width, *((3,) if self._mode == "RGB" else ()))
            form = image.format
        self.dtype = np.dtype(np.uint8)
        timing = _timing(path)
        self._length = promised
        if form == "MPO":
            self.notes = (f"The file holds {promised} images, which are read as frames.",)
        elif timing is not None and timing.complete < promised:
            self._length = timing.complete
            if not self._length:
                raise SegcamError(f"{path.name} is cut short: none of its {promised} frames is complete.")
            self.notes = (f"The file is cut short: of its {promised} frames only {timing.complete} are complete.",)
        if timing is not None and timing.seconds > 0:
            self.frame_rate = timing.count / timing.seconds

    def __len__(self) -> int:
        return self._length

    def _read(self, index: int) -> Frame:
        with self._lock:
            try:
                if self._image is None:
                    self._image = opened_still(self.path)
                self._image.seek(index + self._first)
                frame = np.array(self._image.convert(self._mode))
            except (OSError, ValueError, SyntaxError, EOFError) as error:
                self._image = None
                raise SegcamError(f"Frame {index} of {self.path.name} cannot be decoded: {error}.") from error
        if frame.shape != self.frame_shape:
            raise SegcamError(f"Frame {index} of {self.path.name} has another size than the first one.")
        return frame


@dataclass(frozen=True)
class _Timing:
    """Frames of a file by its chunks: number of frames, number of complete ones, and their total duration."""

    count: int
    complete: int
    seconds: float


def _timing(path: Path) -> _Timing | None:
    """Read the timing of an animated PNG or WebP file; None for others."""
    with path.open("rb") as file:
        head = file.read(12)
        if head.startswith(b"\x89PNG"):
            file.seek(8)
            return _png_timing(file.read())
        return _webp_timing(file.read()) if head[8:] == b"WEBP" else None


def _png_timing(chunks: bytes) -> _Timing:
    """Read the timing of PNG chunks: a chunk with its duration precedes each frame; another, or the end, follows."""
    offset, count, complete, seconds = 0, 0, 0, 0.0
    while offset + 12 <= len(chunks):
        length, kind = struct.unpack_from(">L4s", chunks, offset)
        if kind in (b"fcTL", b"IEND"):
            complete = count
        if kind == b"fcTL" and offset + 34 <= len(chunks):
            numerator, denominator = struct.unpack_from(">HH", chunks, offset + 28)
            seconds += numerator / (denominator or 100)
            count += 1
        offset += 12 + length
    return _Timing(count, complete, seconds)


def _webp_timing(chunks: bytes) -> _Timing:
    offset, count, seconds = 0, 0, 0.0
    while offset + 8 <= len(chunks):
        kind, length = struct.unpack_from("<4sL", chunks, offset)
        if kind == b"ANMF" and offset + 24 <= len(chunks):
            seconds += int.from_bytes(chunks[offset + 20 : offset + 23], "little") / 1000
            count += 1
        offset += 8 + length + length % 2
    return _Timing(count, count, seconds)


def _are_of_one_size(image: Image.Image, count: int) -> bool:
    size = image.size
    try:
        for index in range(1, count):
            image.seek(index)
            if image.size != size:
                return False
    except (OSError, ValueError, SyntaxError, EOFError):  # a missing image
        return False
    return True
