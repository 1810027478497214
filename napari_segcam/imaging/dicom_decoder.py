"""One stored frame of a DICOM file becomes pixels, gray or RGB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, as_pixel_options, get_decoder
from pydicom.uid import JPEGBaseline8Bit, MPEGTransferSyntaxes

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Frame

PALETTE_KEYWORDS = tuple(
    f"{kind}{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for kind, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)

# What to install for the compressions that pydicom and Pillow do not decode: free packages with permissive licences.
_DECODING_PACKAGES = {
    "1.2.840.10008.1.2.4.57": "python-gdcm",  # JPEG Lossless
    "1.2.840.10008.1.2.4.70": "python-gdcm",  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": "pyjpegls",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81": "pyjpegls",  # JPEG-LS Near-Lossless
    "1.2.840.10008.1.2.4.201": "pylibjpeg pylibjpeg-openjpeg",  # High-Throughput JPEG 2000 and its variants
    "1.2.840.10008.1.2.4.202": "pylibjpeg pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg pylibjpeg-openjpeg",
}


class FrameDecoder:
    """Turns the stored bytes of a frame into pixels; holds nothing that changes, so threads may share it.

    Gray frames keep their stored values, with MONOCHROME1 turned so that large is white; the rescale and window of
    other modalities do not apply to ultrasound. Colour frames come as RGB however they are stored, those with a
    palette as uint8.

    Args:
        header: the image pixel module, and the transfer syntax in its file meta information.
        photometric: the photometric interpretation that the frames really have.
        vr: of the pixel data element.

    Attributes:
        frame_shape: ``(Y, X)`` or ``(Y, X, 3)``.
        dtype: of the frames.
        value_range: the values that mean black and white.
    """

    def __init__(self, header: Dataset, photometric: str, vr: str) -> None:
        self._transfer_syntax = header.file_meta.TransferSyntaxUID
        self._decoder = get_decoder(self._transfer_syntax)
        self._options = as_pixel_options(
            header,
            number_of_frames=1,
            photometric_interpretation=photometric,
            pixel_keyword="PixelData",
            pixel_vr=vr,
        )
        self._inverted = photometric == "MONOCHROME1"
        self._palette = _palette(header) if photometric == "PALETTE COLOR" else None
        self._is_rgb = self._palette is not None or header.SamplesPerPixel == 3
        self.frame_shape: tuple[int, ...] = (header.Rows, header.Columns, *((3,) if self._is_rgb else ()))
        signed, bits = bool(header.PixelRepresentation), header.BitsStored
        lowest = -(2 ** (bits - 1)) if signed else 0
        self.dtype = np.dtype(f"{'i' if signed else 'u'}{header.BitsAllocated // 8}")
        self.value_range = (float(lowest), float(lowest + 2**bits - 1))
        if self._palette is not None:
            self.dtype, self.value_range = np.dtype(np.uint8), (0.0, 255.0)

    def __call__(self, stored: bytes) -> Frame:
        """The frame, ``(Y, X)`` or ``(Y, X, 3)``. Raises what the codec raises."""
        options, plugin = self._options, ""
        if self._transfer_syntax == JPEGBaseline8Bit:
            plugin = "pillow"
            # An Adobe marker tells Pillow the colour space, so that it gives RGB; pydicom would convert once more.
            if self._is_rgb and _has_adobe_marker(stored):
                options = options | {"photometric_interpretation": "RGB"}
        source = encapsulate([stored], has_bot=False) if self._decoder.is_encapsulated else stored
        pixels, _ = self._decoder.as_array(source, index=0, decoding_plugin=plugin, **options)
        if self._palette is not None:
            return self._palette[pixels]
        if self._inverted:
            pixels = int(sum(self.value_range)) - pixels.astype(np.int32)
        return pixels.astype(self.dtype, copy=False)


def refuse_undecodable(header: Dataset, name: str) -> None:
    """Check that a file's transfer syntax can be decoded with what is installed.

    Raises:
        SegcamError: if not; it says which package to install, or in what form to export the file.
    """
    syntax = header.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        raise SegcamError(f"{name} does not say how its pixels are stored (it has no Transfer Syntax UID).")
    if syntax in MPEGTransferSyntaxes:
        raise SegcamError(
            f"{name} holds a video inside DICOM ({syntax.name}), which cannot be read yet. "
            "Export it as JPEG or uncompressed multi-frame DICOM."
        )
    try:
        available = get_decoder(syntax).is_available and not syntax.is_deflated
    except NotImplementedError:
        available = False
    if not available:
        package = _DECODING_PACKAGES.get(syntax)
        advice = f"Install what decodes it: pip install {package}" if package else "Export it as uncompressed DICOM."
        raise SegcamError(f"{name} is stored as {syntax.name}, which cannot be decoded here. {advice}")


def _palette(header: Dataset) -> NDArray[np.uint8]:
    """The colours of all stored values, ``(values, 3)``."""
    values = np.arange(2**header.BitsStored, dtype=np.uint16)
    colours = apply_color_lut(values, header)
    # 16-bit entries use the whole range by the standard, but some scanners write 8-bit values into them.
    return (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)


def _has_adobe_marker(jpeg: bytes) -> bool:
    """Whether an Adobe APP14 segment is among the markers before the image data."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != 0xDA:
        if jpeg[at + 1] == 0xEE and jpeg[at + 4 : at + 9] == b"Adobe":
            return True
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return False
