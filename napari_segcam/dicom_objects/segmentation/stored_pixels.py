"""Stored pixels: one frame of a Segmentation at a time, of bits, bytes or compressed fragments."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from napari_segcam.dicom_objects.segmentation.elements import Bytes
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.dicom.frame_decoder import FrameDecoder, refuse_undecodable
from napari_segcam.imaging.dicom.frame_positions import FrameSpans, locate_encapsulated

DEFLATED_FRAMES = UID("1.2.840.10008.1.2.8.1")
"""Deflated Image Frame Compression, which pydicom does not know."""


@dataclass(frozen=True)
class PixelFormat:
    """How pixels are stored.

    Attributes:
        rows: of each frame.
        columns: of each frame.
        frames: number of frames.
        bits: of a pixel in the file: 1, 8 or 16.
        syntax: transfer syntax of the file.
    """

    rows: int
    columns: int
    frames: int
    bits: int
    syntax: UID

    @property
    def pixels(self) -> int:
        """Of one frame."""
        return self.rows * self.columns


class StoredPixels:
    """Reads the frames of a file that are not compressed.

    Args:
        read: the bytes of the file, without deflation.
        start: of the pixel data.
        stop: end of the pixel data, or of the file if that comes first.
        form: how they are stored.

    Raises:
        ValueError: if they are not complete.
    """

    def __init__(self, read: Bytes, start: int, stop: int, form: PixelFormat) -> None:
        self._read, self._start, self._form = read, start, form
        complete = (stop - start) * 8 // (form.pixels * form.bits)
        if complete < form.frames:
            raise ValueError(f"it is cut short: of its {form.frames} frames only {max(complete, 0)} are complete")

    def __call__(self, index: int) -> NDArray[np.unsignedinteger]:
        """Return the stored values ``(Y, X)`` of a frame."""
        form = self._form
        first = index * form.pixels * form.bits
        last = first + form.pixels * form.bits
        data = self._read(self._start + first // 8, self._start + (last + 7) // 8)
        if form.bits == 1:
            return _bits(data, first % 8, form)
        order = "<" if form.syntax.is_little_endian else ">"
        values = np.frombuffer(data, f"{order}u{form.bits // 8}", form.pixels)
        return values.reshape(form.rows, form.columns)


class CompressedPixels:
    """Reads the frames of a file whose pixel data are compressed frame by frame.

    Args:
        path: of the file.
        start: of the pixel data.
        form: how they are stored.

    Raises:
        SegcamError: if no decoder is installed.
        ValueError: if they are not complete.
    """

    def __init__(self, path: Path, start: int, form: PixelFormat) -> None:
        self._path, self._form = path, form
        with path.open("rb") as file:
            located = locate_encapsulated(file, start, path.stat().st_size, form.frames)
        if len(located.spans) != form.frames:
            raise ValueError(f"it is damaged: of its {form.frames} frames {len(located.spans)} are found")
        self._spans: list[FrameSpans] = located.spans
        self._is_deflated = form.syntax == DEFLATED_FRAMES
        if self._is_deflated:
            return
        if form.bits == 1:
            raise ValueError(f"its single bits are stored as {form.syntax.name}, which is not read")
        header = _header(form)
        refuse_undecodable(header, path.name)
        self._decoder = FrameDecoder(header, "MONOCHROME2", "OB")

    def __call__(self, index: int) -> NDArray[np.unsignedinteger]:
        """Return the stored values ``(Y, X)`` of a frame.

        Raises:
            SegcamError: if it cannot be decoded.
        """
        form = self._form
        with self._path.open("rb") as file:
            parts = []
            for span in self._spans[index]:
                file.seek(span.offset)
                parts.append(file.read(span.length))
        try:
            if not self._is_deflated:
                return self._decoder(b"".join(parts)).astype(f"u{form.bits // 8}", copy=False)
            size = (form.pixels * form.bits + 7) // 8
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(b"".join(parts), size)
            if len(data) < size:
                raise ValueError("it is cut short")
            if form.bits == 1:
                return _bits(data, 0, form)
            return np.frombuffer(data, f"<u{form.bits // 8}", form.pixels).reshape(form.rows, form.columns)
        except Exception as error:  # each decoder raises its own errors
            raise SegcamError(
                f"Frame {index + 1} of {self._path.name} cannot be decoded: {error_text(error)}."
            ) from error


def _bits(data: bytes, first: int, form: PixelFormat) -> NDArray[np.uint8]:
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[first : first + form.pixels]
    return bits.reshape(form.rows, form.columns)


def _header(form: PixelFormat) -> Dataset:
    """Return a header for the decoder: gray, as palettes of label maps are only for display."""
    header = Dataset()
    header.Rows, header.Columns, header.SamplesPerPixel = form.rows, form.columns, 1
    header.PhotometricInterpretation, header.PixelRepresentation = "MONOCHROME2", 0
    header.BitsAllocated = header.BitsStored = form.bits
    header.HighBit = form.bits - 1
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = form.syntax
    return header
