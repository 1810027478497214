"""Stills: PNG, JPEG and BMP with Pillow, and TIFF, whose pages may form a cine, with tifffile."""

from __future__ import annotations

import struct
import threading
import zlib
from pathlib import Path
from typing import cast

import numpy as np
import tifffile
from PIL import ExifTags, Image, ImageOps

from napari_segcam.budget import refuse_large_frame
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine, Frame, name_of
from napari_segcam.imaging.compressed_size import refuse_large_picture
from napari_segcam.imaging.stills.deep_png import GRAY_WITH_ALPHA, deep_kind, read_deep_png
from napari_segcam.imaging.stills.tiff_budget import refuse_growing
from napari_segcam.imaging.stills.tiff_pixels import PageReader
from napari_segcam.imaging.stills.tiff_spacing import spacing_of
from napari_segcam.imaging.stills.tiff_timing import frame_rate_of
from napari_segcam.imaging.value_range import range_of_bits
from napari_segcam.optional import needed

# EXIF orientations that turn the image by a quarter, so that rows become columns.
_QUARTER_TURNS = range(5, 9)


class StillCine(Cine):
    """Cine of one frame from a PNG, JPEG, BMP or WebP file, turned upright by its EXIF orientation.

    Palettes become RGB, alpha is dropped, 16-bit gray stays 16-bit. Opening reads only the header; the frame is decoded
    each time it is read.

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
            # This method only reads the header; the one of PNG images decodes the whole image.
            if Image.Image.getexif(image).get(ExifTags.Base.Orientation) in _QUARTER_TURNS:
                width, height = height, width
            kind = deep_kind(path)
            self._is_deep_color = kind is not None  # Pillow reduces it to 8 bits
            is_gray = kind == GRAY_WITH_ALPHA if kind is not None else _is_gray(image)
            self.frame_shape = (height, width) if is_gray else (height, width, 3)
            self.dtype = np.dtype(np.uint16 if _is_deep(image) or self._is_deep_color else np.uint8)
        if self._is_deep_color:
            needed("av", f"{path.name} holds colors of 16 bits")

    def __len__(self) -> int:
        return 1

    def _read(self, index: int) -> Frame:  # noqa: ARG002 -- there is only one
        if self._is_deep_color:
            return self._read_deep_color()
        with opened_still(self.path) as image:
            self._refuse_scans(image)
            try:
                upright = ImageOps.exif_transpose(image)
                if _is_deep(upright):  # some versions of Pillow open it as 32-bit integers
                    return np.asarray(upright).astype(np.uint16)
                return np.array(upright.convert("L" if _is_gray(upright) else "RGB"))
            except (OSError, ValueError, SyntaxError) as error:
                raise SegcamError(f"{self.path.name} is damaged and cannot be decoded: {error}.") from error

    def _read_deep_color(self) -> Frame:
        """Read 16-bit colors, or gray with alpha, of a PNG file."""
        try:
            return read_deep_png(self.path)
        except (OSError, ValueError, zlib.error) as error:
            raise SegcamError(f"{self.path.name} is damaged and cannot be decoded: {error}.") from error

    def _refuse_scans(self, image: Image.Image) -> None:
        """Refuse a JPEG with too many scans: each decodes the whole image again."""
        if image.format == "JPEG" and image.info.get("progressive"):
            refuse_large_picture(self.path.name, self.path.read_bytes())


def opened_still(path: Path) -> Image.Image:
    """Open a PNG, JPEG, BMP or WebP file with Pillow, which reads only its header.

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
    """Cine of a TIFF file: one page is a still, several pages of one shape are frames, read one page at a time.

    Frame rate and pixel spacing are from ImageJ or OME metadata in the file.

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
                self._drop_incomplete_pages()
                self._frame_of = PageReader(first)
                blank = self._frame_of(np.zeros(first.shape, first.dtype))
                self.frame_rate = frame_rate_of(self._file) if len(self._pages) > 1 else None
                spacing = spacing_of(self._file, first)
                self.spacing_mm = spacing[::-1] if spacing and self._frame_of.is_transposed else spacing
        except SegcamError:
            raise
        except Exception as error:  # a damaged file makes tifffile raise errors of many types
            raise SegcamError(f"{path.name} is a TIFF file, but a damaged one: {error}.") from error
        self.frame_shape = blank.shape
        self.dtype = blank.dtype
        bits = self._first.bitspersample
        if self.dtype.kind == "u" and not self.is_rgb and bits < 8 * self.dtype.itemsize:
            self.stored_range = range_of_bits(bits)
        if self._frame_of.is_inverted:
            self.inversion_sum = 2.0**bits - 1

    def __len__(self) -> int:
        return len(self._pages)

    def _read(self, index: int) -> Frame:
        # One open file has one position, so one read at a time; closed in between, it can be moved or deleted.
        with self._lock:
            try:
                self._file.filehandle.open()
                page = cast(tifffile.TiffPage, self._pages[index])
                refuse_growing(self.name, self._file.filehandle, page)
                return self._frame_of(page.asarray())
            except SegcamError:
                raise
            except Exception as error:
                advice = ' Install it: pip install "napari-segcam[tiff]"' if "imagecodecs" in str(error) else ""
                raise SegcamError(f"Page {index} of {self._file.filename} cannot be read: {error}.{advice}") from error
            finally:
                self._file.filehandle.close()

    def _drop_incomplete_pages(self) -> None:
        """Drop pages beyond the end of a truncated file, with a note.

        Raises:
            SegcamError: if no page is complete.
        """
        length, count = self._file.filehandle.size, len(self._pages)
        is_complete = [
            all(offset + size <= length for offset, size in zip(page.dataoffsets, page.databytecounts, strict=False))
            for page in self._pages
        ]
        complete = is_complete.index(False) if False in is_complete else count
        if not complete:
            raise SegcamError(f"{self._file.filename} is cut short: none of its {count} pages is complete.")
        is_list_cut = self._is_list_cut()
        if complete < count or is_list_cut:
            promised = f"at least {count + 1}" if is_list_cut else str(count)
            self.notes = (f"The file is cut short: of its {promised} frames only {complete} are complete.",)
        del self._pages[complete:]

    def _is_list_cut(self) -> bool:
        """Whether the last page points to another one beyond the end of the file."""
        handle, form, last = self._file.filehandle, self._file.tiff, self._pages[-1]
        handle.seek(last.offset)
        (tags,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
        handle.seek(last.offset + form.tagnosize + tags * form.tagsize)
        pointer = handle.read(form.offsetsize)
        return len(pointer) < form.offsetsize or struct.unpack(form.offsetformat, pointer)[0] >= handle.size

    def _refuse_other_layouts(self) -> None:
        """Raise a SegcamError unless every page is one frame, and the pages are along one axis."""
        first = self._first
        try:
            PageReader(first)
        except ValueError as error:
            self._refuse(str(error))
        if first.dtype is None or first.dtype.kind not in "buif":
            self._refuse("its values are not real numbers")
        if any(page.shape != first.shape or page.dtype != first.dtype for page in self._pages):
            self._refuse("its pages differ in size or type")
        series = self._file.series[0]
        order = series.axes.replace("Y", "").replace("X", "").replace("S", "")
        if len(order) > 1 or order == "C":
            self._refuse(f"its pages are along {' and '.join(order)} (axes {series.axes})")
        if np.prod(series.shape) != np.prod(first.shape) * len(self._pages):
            self._refuse("not all of its frames are pages")

    def _refuse(self, reason: str) -> None:
        raise SegcamError(
            f"{self._file.filename} is not a frame or a sequence of frames: {reason}. Save it as a TIFF file whose "
            "pages are gray or RGB frames in order of time."
        )
