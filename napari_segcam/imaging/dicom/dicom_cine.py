"""DICOM ultrasound, single-frame and multi-frame, decoded one frame at a time."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom import Dataset
from pydicom.errors import InvalidDicomError

from napari_segcam.budget import refuse_large_frame
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.cine import Cine, Frame, name_of
from napari_segcam.imaging.dicom.calibration import (
    CALIBRATION_KEYWORDS,
    are_slices,
    aspect_of,
    frame_rate_of,
    spacing_of,
    tissue_region_of,
)
from napari_segcam.imaging.dicom.frame_decoder import PALETTE_KEYWORDS, FrameDecoder, refuse_undecodable
from napari_segcam.imaging.dicom.frame_positions import (
    FramePositions,
    Span,
    locate_encapsulated,
    locate_native,
    read_spans,
)
from napari_segcam.imaging.dicom.gray_values import VALUE_KEYWORDS
from napari_segcam.imaging.dicom.header import read_header
from napari_segcam.imaging.dicom.object_kind import is_overlay

_PHOTOMETRIC_INTERPRETATIONS = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
}
_REQUIRED_KEYWORDS = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)
HEADER_KEYWORDS = (
    *_REQUIRED_KEYWORDS,
    *PALETTE_KEYWORDS,
    *CALIBRATION_KEYWORDS,
    *VALUE_KEYWORDS,
    "DerivationCodeSequence",
    "HighBit",
    "InstanceNumber",
    "NumberOfFrames",
    "PlanarConfiguration",
    "SeriesInstanceUID",
)
_PIXEL_DATA = (0x7FE0, 0x0010)
_UNDEFINED_LENGTH = 0xFFFFFFFF
_PADDING = 16  # largest number of bytes after the last frame


class DicomCine(Cine):
    """Cine of an ultrasound DICOM file.

    Gray frames keep their stored values, inverted where small values are white, as in MONOCHROME1; a window in the
    header gives black and white. If the header maps them by a table or another curve, frames have the mapped values.
    Color frames are always RGB, those with a palette as uint8.

    Opening reads the header and locates each frame; reading a frame opens the file, reads its bytes and decodes them.
    So memory does not grow with the number of frames, no file stays open, and threads share nothing.

    Attributes:
        series: UID of the file's series, None if not given.
        instance_number: the file's number in its series, None if not given.
        photometric: the real photometric interpretation of the stored frames.
        planar_configuration: 1 if a color frame is stored plane by plane, else 0.

    Raises:
        SegcamError: if the file is not DICOM, holds no image, is truncated, or cannot be decoded here.
    """

    path: Path

    def __init__(self, path: Path) -> None:
        self.name = name_of(path)
        self.path = path
        with dicom_errors(path), path.open("rb") as file:
            header = read_header(file, HEADER_KEYWORDS)
            refuse_undecodable(header, path.name)
            vr, pixels = pixel_element(file, header)
            _refuse_unusual(header)
            refuse_large_frame(
                path.name,
                (header.Rows, header.Columns, header.SamplesPerPixel),
                header.BitsAllocated // 8,
                header.get("NumberOfFrames") or 1,
            )
            located, photometric = locate_frames(file, header, pixels)
            self._spans = located.spans
            self.photometric = photometric
            header.NumberOfFrames = 1  # they are decoded one by one
            notes = [
                note
                for note in (self._note_on_count(located), _set_planar_configuration(file, header, located))
                if note
            ]
            self.planar_configuration = int(header.get("PlanarConfiguration") or 0)
            self._decoder = FrameDecoder(header, photometric, vr)
            if note := self._decoder.settle_bits(header, read_spans(file, self._spans[0])):
                notes.append(note)
            self.frame_rate = frame_rate_of(header, notes if len(located.spans) > 1 else [])
            self.spacing_mm = spacing_of(header, notes)
            self.stated_aspect = aspect_of(header)
            self.are_slices = len(located.spans) > 1 and are_slices(header)
            if self.are_slices:
                notes.append("The frames are slices of a volume, not moments in time.")
            if is_overlay(header):
                notes.append(
                    "The results of a network are drawn into this image: what a network finds in it says nothing about "
                    "the scan. Open the image that it was made from."
                )
            self.notes = notes
            self.region = tissue_region_of(header)
            self.series: str | None = header.get("SeriesInstanceUID")
            self.instance_number: int | None = header.get("InstanceNumber")
        self.frame_shape = self._decoder.frame_shape
        self.dtype = self._decoder.dtype
        self._apply_gray_scale()

    def __len__(self) -> int:
        return len(self._spans)

    def _note_on_count(self, located: FramePositions) -> str | None:
        """Return a note on the number of frames, None if it is the stated one."""
        return located.note

    def _apply_gray_scale(self) -> None:
        """Set black and white as the header defines them."""
        self.stored_range, self.inversion_sum = self._decoder.stored_range, self._decoder.inversion_sum
        scale, total = self._decoder.gray_scale, self._decoder.inversion_sum
        if scale is None:
            return
        self.stated_range, self.stated_extent = scale.stated, scale.extent
        self.notes = (*self._notes, *scale.notes)
        if total is not None and scale.stated is not None:
            black, white = scale.stated.limits
            self.stated_range = replace(scale.stated, black=total - white, white=total - black)

    def stored(self, index: int) -> bytes:
        """Return the bytes of a frame as they are stored, with its fragments joined.

        Raises:
            SegcamError: if the file cannot be read any more.
        """
        try:
            with self.path.open("rb") as file:
                return read_spans(file, self._spans[index])
        except OSError as error:
            raise SegcamError(f"{self.path} can no longer be read: {error_text(error)}.") from error

    def stored_values(self, index: int) -> Frame:
        """Return the pixels ``(Y, X)`` of a gray frame as they are stored, without a palette, a table or an inversion.

        Raises:
            SegcamError: if the frame cannot be read or decoded.
        """
        return self._decoded(index, self._decoder.stored_values)

    def _read(self, index: int) -> Frame:
        return self._decoded(index, self._decoder)

    def _decoded(self, index: int, decode: Callable[[bytes], Frame]) -> Frame:
        stored = self.stored(index)
        try:
            return decode(stored)
        except Exception as error:  # each decoder raises its own errors
            raise SegcamError(f"Frame {index} of {self.path.name} cannot be decoded: {error_text(error)}.") from error


@contextmanager
def dicom_errors(path: Path) -> Iterator[None]:
    """Turn any error while the header is read into a SegcamError."""
    try:
        yield
    except InvalidDicomError:
        raise SegcamError(f"{path.name} is not a DICOM file.") from None
    except SegcamError:
        raise
    except Exception as error:  # a damaged header makes pydicom raise errors of many types
        raise SegcamError(f"{path.name} cannot be read: {error_text(error)}.") from error


def pixel_element(file: BinaryIO, header: Dataset) -> tuple[str, Span]:
    """Return the VR and the value's span of the pixel data element at the file's position; its length may be undefined.

    Raises:
        ValueError: if the element is missing.
    """
    syntax = header.file_meta.TransferSyntaxUID
    order = "<" if syntax.is_little_endian else ">"
    start = file.read(8)
    if len(start) < 8 or struct.unpack(f"{order}HH", start[:4]) != _PIXEL_DATA:
        raise ValueError("it holds no image, perhaps a report or a directory")
    vr = "OW" if syntax.is_implicit_VR else start[4:6].decode("latin-1")
    (length,) = struct.unpack(f"{order}L", start[4:] if syntax.is_implicit_VR else file.read(4))
    return vr, Span(file.tell(), length)


def _refuse_unusual(header: Dataset) -> None:
    """Raise a ValueError unless the header describes 8- or 16-bit gray or color frames."""
    missing = [keyword for keyword in _REQUIRED_KEYWORDS if header.get(keyword) is None]
    if missing:
        raise ValueError(f"its header lacks {' and '.join(missing)}")
    photometric, samples = header.PhotometricInterpretation, header.SamplesPerPixel
    if _PHOTOMETRIC_INTERPRETATIONS.get(photometric) != samples:
        raise ValueError(f"{photometric} with {samples} samples per pixel is not supported")
    if header.BitsAllocated not in (8, 16) or not 1 <= header.BitsStored <= header.BitsAllocated:
        raise ValueError(f"{header.BitsStored} bits stored in {header.BitsAllocated} per pixel are not supported")
    if not header.Rows or not header.Columns:
        raise ValueError(f"its frames have the size {header.Rows}×{header.Columns}")


def locate_frames(file: BinaryIO, header: Dataset, pixels: Span) -> tuple[FramePositions, str]:
    """Locate each frame, and return the real photometric interpretation of the frames.

    Raises:
        ValueError: if there is no complete frame.
    """
    file_length = os.fstat(file.fileno()).st_size
    stated, photometric = int(header.get("NumberOfFrames") or 0), str(header.PhotometricInterpretation)
    frames = stated if stated > 0 else None
    if header.file_meta.TransferSyntaxUID.is_encapsulated:
        return locate_encapsulated(file, pixels.offset, file_length, frames), photometric
    if pixels.length == _UNDEFINED_LENGTH:
        raise ValueError("its pixel data have no length, but are not compressed")
    frame_length = header.Rows * header.Columns * header.SamplesPerPixel * header.BitsAllocated // 8
    if photometric == "YBR_FULL_422":
        # Two pixels share their color and need 4 bytes instead of 6; some files claim this but store all 6.
        packed = frame_length * 2 // 3
        if 0 <= pixels.length - (frames or 1) * frame_length < min(packed, _PADDING):
            photometric = "YBR_FULL"
        else:
            frame_length = packed
    return locate_native(pixels, frames, frame_length, file_length), photometric


def _set_planar_configuration(file: BinaryIO, header: Dataset, located: FramePositions) -> str | None:
    """Set the planar configuration if the header lacks it, and return a note on it.

    Most of an ultrasound image is gray: in the right order, the three colors of a pixel are similar.
    """
    if header.SamplesPerPixel == 1 or header.get("PlanarConfiguration") in (0, 1):
        return None
    header.PlanarConfiguration = 0
    if header.file_meta.TransferSyntaxUID.is_encapsulated or header.PhotometricInterpretation != "RGB":
        return None
    stored = np.frombuffer(read_spans(file, located.spans[0]), f"u{header.BitsAllocated // 8}").astype(np.int32)
    by_pixel, by_plane = stored.reshape(-1, 3), stored.reshape(3, -1).T
    if np.ptp(by_plane, axis=1).mean() < np.ptp(by_pixel, axis=1).mean():
        header.PlanarConfiguration = 1
    order = "plane by plane" if header.PlanarConfiguration else "pixel by pixel"
    return f"The header does not say in which order its colors are stored: they are read {order}."
