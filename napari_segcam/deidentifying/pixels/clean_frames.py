"""Clean frames: the frames of a DICOM file without the screen around the scan, as they are written to a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels import get_encoder
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from napari_segcam.deidentifying.pixels.blanking import blanked, blanked_422
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.dicom.dicom_cine import DicomCine
from napari_segcam.imaging.geometry import Crop

_LARGEST_NATIVE = 2**32 - 2
_SAME_SYNTAX = (RLELossless, JPEGLSLossless)
_LOSSLESS = (RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLossless, JPEGLosslessSV1)
_MAY_BE_LOSSLESS = (*_LOSSLESS, JPEG2000)  # the header says whether it is


@dataclass(eq=False)
class CleanFrames:
    """The frames of a copy, made one by one.

    Args:
        cine: of the file.
        header: of the file, with its image pixel module and the transfer syntax in its file meta information.
        crop: rows and columns that stay; None for all.

    Attributes:
        syntax: in which the frames are stored.
        module: elements of the image pixel module that the copy has.
        words: what is stored how, for the log.
    """

    cine: Cine
    header: Dataset
    crop: Crop | None
    syntax: UID = ExplicitVRLittleEndian
    module: dict[str, Any] = field(default_factory=dict)
    words: str = ""

    def __post_init__(self) -> None:
        cine, source = self.cine, UID(self.header.file_meta.TransferSyntaxUID)
        is_color = len(cine.frame_shape) == 3
        native = isinstance(cine, DicomCine) and not source.is_encapsulated
        photometric = cine.photometric if isinstance(cine, DicomCine) else "RGB"
        self._kind = "gray" if isinstance(cine, DicomCine) and photometric in _ONE_SAMPLE else "color"
        if self._kind == "color" and native and self._is_usual(photometric):
            self._kind = "422" if photometric == "YBR_FULL_422" else "stored"
        if self._kind == "color":
            photometric = "RGB" if is_color else "MONOCHROME2"
        bits = np.dtype(cine.dtype).itemsize * 8 if self._kind == "color" else int(self.header.BitsAllocated)
        stored = bits if self._kind == "color" else int(self.header.BitsStored)
        self.module = {
            "SamplesPerPixel": 1 if self._kind == "gray" or not is_color else 3,
            "PhotometricInterpretation": photometric,
            "Rows": cine.frame_shape[0],
            "Columns": cine.frame_shape[1],
            "BitsAllocated": bits,
            "BitsStored": stored,
            "HighBit": stored - 1,
            "PixelRepresentation": int(self.header.get("PixelRepresentation") or 0) if self._kind == "gray" else 0,
        }
        self._by_plane = self._kind == "stored" and isinstance(cine, DicomCine) and cine.planar_configuration == 1
        if self.module["SamplesPerPixel"] == 3:
            self.module["PlanarConfiguration"] = int(self._by_plane)
        self._dtype = np.dtype(f"{'i' if self.module['PixelRepresentation'] else 'u'}{bits // 8}")
        self._stored_dtype = self._dtype.newbyteorder("<" if source.is_little_endian else ">")
        self._black = self._black_of()
        self._choose_syntax(source, is_lossy=source.is_encapsulated and source not in _MAY_BE_LOSSLESS)

    def __len__(self) -> int:
        return len(self.cine)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes of each frame, in the copy's transfer syntax.

        Raises:
            SegcamError: if a frame cannot be read, decoded or encoded.
        """
        for index in range(len(self.cine)):
            pixels = self.frame(index)
            if self.syntax == ExplicitVRLittleEndian:
                yield pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
            else:
                yield self._encoded(pixels, index)

    @property
    def frame_bytes(self) -> int:
        """Bytes of an uncompressed frame."""
        samples = 2 if self._kind == "422" else self.module["SamplesPerPixel"]
        return int(self.module["Rows"] * self.module["Columns"] * samples * self.module["BitsAllocated"] // 8)

    def frame(self, index: int) -> NDArray[np.generic]:
        """Return a frame as it is stored, black outside the region.

        Raises:
            SegcamError: if it cannot be read or decoded.
        """
        cine = self.cine
        if self._kind == "gray" and isinstance(cine, DicomCine):
            values = cine.stored_values(index).astype(self._dtype, copy=False)
            return blanked(values, self.crop, self._black)
        if self._kind in ("stored", "422") and isinstance(cine, DicomCine):
            rows, columns = cine.frame_shape[:2]
            values = np.frombuffer(cine.stored(index), self._stored_dtype)
            if self._kind == "422":
                return blanked_422(values.reshape(rows, columns // 2, 4), columns, self.crop, self._black[1])
            shape = (3, rows, columns) if self._by_plane else (rows, columns, 3)
            return blanked(values.reshape(shape), self.crop, self._black, by_plane=self._by_plane)
        return blanked(cine[index], self.crop, self._black)

    def _is_usual(self, photometric: str) -> bool:
        """Whether the bytes of a color frame can be copied without decoding it."""
        full = self.header.BitsStored == self.header.BitsAllocated
        even = photometric != "YBR_FULL_422" or self.cine.frame_shape[1] % 2 == 0
        return bool(full and even and photometric in ("RGB", "YBR_FULL", "YBR_FULL_422"))

    def _black_of(self) -> tuple[int, ...]:
        """Return the stored value of black: of each channel, or of the darkest pixel in a gray frame."""
        if self._kind != "gray" or not isinstance(self.cine, DicomCine):
            middle = 1 << (self.module["BitsStored"] - 1)
            is_ybr = self.module["PhotometricInterpretation"].startswith("YBR")
            return (0, middle, middle) if is_ybr else (0, 0, 0)
        values = self.cine.stored_values(0)
        if self.module["PhotometricInterpretation"] == "MONOCHROME2" and not self.module["PixelRepresentation"]:
            return (0,)
        shown = self.cine[0].astype(np.int64)
        brightness = shown.sum(-1) if shown.ndim == 3 else shown
        return (int(values.flat[int(brightness.argmin())]),)

    def _choose_syntax(self, source: UID, *, is_lossy: bool) -> None:
        size = self.frame_bytes * len(self.cine)
        if source in _SAME_SYNTAX and get_encoder(source).is_available and self._kind != "422":
            self.syntax = source
            self.words = f"lossless: {source.name}, as in the file"
        elif size > _LARGEST_NATIVE:
            self.syntax = RLELossless
            self.words = f"{source.name} in the file; the decoded pixels are stored lossless, as {RLELossless.name}"
        elif source.is_encapsulated:
            self.words = f"{source.name} in the file; the decoded pixels are stored uncompressed"
            if source in _LOSSLESS:
                self.words += ", which loses nothing"
        else:
            self.words = "lossless: uncompressed, as in the file"
        if is_lossy or self.header.get("LossyImageCompression") == "01":
            self.module["LossyImageCompression"] = "01"

    def _encoded(self, pixels: NDArray[np.generic], index: int) -> bytes:
        if self._by_plane:
            pixels = np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
        module = self.module
        try:
            return get_encoder(self.syntax).encode(
                pixels,
                rows=module["Rows"],
                columns=module["Columns"],
                samples_per_pixel=module["SamplesPerPixel"],
                bits_allocated=module["BitsAllocated"],
                bits_stored=module["BitsStored"],
                pixel_representation=module["PixelRepresentation"],
                photometric_interpretation=module["PhotometricInterpretation"],
                number_of_frames=1,
                planar_configuration=0,
            )
        except Exception as error:  # each encoder raises its own errors
            raise SegcamError(f"Frame {index} cannot be stored as {self.syntax.name}: {error_text(error)}.") from error


_ONE_SAMPLE = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
