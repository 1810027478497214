"""Stills: PNG, JPEG and BMP through Pillow, and TIFF, whose pages may be a cine, through tifffile."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from napari_segcam.budget import refuse_large_frame
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine, Frame, name_of
from napari_segcam.imaging.coded_size import refuse_large_picture
from napari_segcam.imaging.tiff_budget import refuse_growing
from napari_segcam.imaging.tiff_timing import frame_rate_of
from napari_segcam.imaging.value_range import range_of_bits

# EXIF orientations that turn the picture by a quarter, so that rows become columns.
_QUARTER_TURNS = range(5, 9)


class StillCine(Cine):
    """A PNG, JPEG, BMP or WebP file as a cine of one frame, turned upright as its EXIF orientation says.

    Palettes become RGB, alpha is dropped, 16-bit gray stays 16-bit. Opening reads the header; the frame is decoded each
    time it is read.

    Raises:
        SegcamError: if the file is damaged or of another kind.
    """

    path: Path

    def __init__(self, path: Path) -> None:
        self.name = name_of(path)
        self.path = path
        with opened_still(path) as image:
            width, height = image.size
            refuse_large_frame(path.name, (height, width, len(image.getbands())), 2 if _is_deep(image) else 1)
            # The general method only reads the header; that of PNG decodes the whole image.
            if Image.Image.getexif(image).get(ExifTags.Base.Orientation) in _QUARTER_TURNS:
                width, height = height, width
            self.frame_shape = (height, width) if _is_gray(image) else (height, width, 3)
            self.dtype = np.dtype(np.uint16 if _is_deep(image) else np.uint8)

    def __len__(self) -> int:
        return 1

    def _read(self, index: int) -> Frame:  # noqa: ARG002 -- there is only one
        with opened_still(self.path) as image:
            self._refuse_scans(image)
            try:
                upright = ImageOps.exif_transpose(image)
                if _is_deep(upright):  # some versions of Pillow open it as 32-bit integers
                    return np.asarray(upright).astype(np.uint16)
                return np.array(upright.convert("L" if _is_gray(upright) else "RGB"))
            except (OSError, ValueError, SyntaxError) as error:
                raise SegcamError(f"{self.path.name} is damaged and cannot be decoded: {error}.") from error

    def _refuse_scans(self, image: Image.Image) -> None:
        """Refuse a JPEG that would take too long: its size is that of the header, but it may be drawn many times."""
        if image.format == "JPEG" and image.info.get("progressive"):
            refuse_large_picture(self.path.name, self.path.read_bytes())


def opened_still(path: Path) -> Image.Image:
    """A PNG, JPEG, BMP or WebP file with Pillow, which reads no more than its header.

    Raises:
        SegcamError: if it is none of these.
    """
    try:
        return Image.open(path, formats=("PNG", "JPEG", "BMP", "WEBP"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).rstrip(".")
        raise SegcamError(f"{path.name} cannot be read as a PNG, JPEG, BMP or WebP image: {reason}.") from error


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I")


def _is_gray(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA") or _is_deep(image)


class TiffCine(Cine):
    """A TIFF file: one page is a still, several pages of one shape are a cine that is read a page at a time.

    The frame rate is the one that ImageJ's or OME's notes in the file give.

    Raises:
        SegcamError: if the file is damaged, or its pages are not the frames of one gray or RGB sequence.
    """

    def __init__(self, path: Path) -> None:
        self.name = name_of(path)
        self.path = path
        self._lock = threading.Lock()
        try:
            with tifffile.TiffFile(path) as self._file:
                self._pages = list(self._file.pages)
                self._first = first = cast(tifffile.TiffPage, self._pages[0])
                refuse_large_frame(path.name, first.shape, first.dtype.itemsize if first.dtype else 1, len(self._pages))
                self._refuse_other_layouts()
                blank = self._as_frame(np.zeros(self._first.shape, self._first.dtype))
                self.frame_rate = frame_rate_of(self._file) if len(self._pages) > 1 else None
        except SegcamError:
            raise
        except Exception as error:  # a damaged file makes tifffile raise errors of many types
            raise SegcamError(f"{path.name} is a TIFF file, but a damaged one: {error}.") from error
        self.frame_shape = blank.shape
        self.dtype = blank.dtype
        bits = self._first.bitspersample
        if self.dtype.kind == "u" and not self.is_rgb and bits < 8 * self.dtype.itemsize:
            self.stored_range = range_of_bits(bits)
        if self._is_turned:
            self.turned_about = 2.0**bits - 1

    def __len__(self) -> int:
        return len(self._pages)

    def _read(self, index: int) -> Frame:
        # One open file has one position, so one read at a time; closed in between, it can be moved or deleted.
        with self._lock:
            try:
                self._file.filehandle.open()
                page = cast(tifffile.TiffPage, self._pages[index])
                refuse_growing(self.name, self._file.filehandle, page)
                return self._as_frame(page.asarray())
            except SegcamError:
                raise
            except Exception as error:
                advice = ' Install it: pip install "napari-segcam[tiff]"' if "imagecodecs" in str(error) else ""
                raise SegcamError(f"Page {index} of {self._file.filename} cannot be read: {error}.{advice}") from error
            finally:
                self._file.filehandle.close()

    def _as_frame(self, page: NDArray[Any]) -> Frame:
        if self._is_turned:
            return ~page if page.dtype == bool else page.dtype.type(2**self._first.bitspersample - 1) - page
        if self._first.photometric == tifffile.PHOTOMETRIC.PALETTE and self._first.colormap is not None:
            return (self._first.colormap.T >> 8).astype(np.uint8)[page]
        if page.ndim == 2:
            return page
        return page.transpose(1, 2, 0)[..., :3] if self._first.axes == "SYX" else page[..., :3]

    @property
    def _is_turned(self) -> bool:
        """Whether white is stored as 0."""
        is_whole = self._first.dtype is not None and self._first.dtype.kind in "bu"
        return is_whole and self._first.photometric == tifffile.PHOTOMETRIC.MINISWHITE

    def _refuse_other_layouts(self) -> None:
        """Raise a SegcamError unless every page is one frame, and the pages follow one another along one axis."""
        first = self._first
        colour = first.axes in ("YXS", "SYX") and first.shape[first.axes.index("S")] in (3, 4)
        if first.axes != "YX" and not colour:
            self._refuse(f"its pages have the axes {first.axes} and the shape {first.shape}")
        if first.dtype is None or first.dtype.kind not in "buif":
            self._refuse("its values are not real numbers")
        if any(page.shape != first.shape or page.dtype != first.dtype for page in self._pages):
            self._refuse("its pages differ in size or type")
        series = self._file.series[0]
        order = series.axes.replace("Y", "").replace("X", "").replace("S", "")
        if len(order) > 1 or order == "C":
            self._refuse(f"its pages follow one another along {' and '.join(order)} (axes {series.axes})")
        if np.prod(series.shape) != np.prod(first.shape) * len(self._pages):
            self._refuse("not all of its frames are pages")

    def _refuse(self, reason: str) -> None:
        raise SegcamError(
            f"{self._file.filename} is not a frame or a sequence of frames: {reason}. Save it as a TIFF file whose "
            "pages are gray or RGB frames in order of time."
        )
