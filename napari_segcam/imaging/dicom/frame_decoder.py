"""Frame decoder: turn one stored frame of a DICOM file into gray or RGB pixels."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, as_pixel_options, get_decoder
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Frame
from napari_segcam.imaging.compressed_size import refuse_large_picture, transforms_colors
from napari_segcam.imaging.dicom.gray_values import gray_scale_of
from napari_segcam.imaging.dicom.pixel_bits import PixelBits, pixel_bits
from napari_segcam.imaging.value_range import range_of_bits

_MAX_COLORS = 2**16

PALETTE_KEYWORDS = tuple(
    f"{kind}{color}PaletteColorLookupTable{part}"
    for color in ("Red", "Green", "Blue")
    for kind, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)

# Packages for the compressions that pydicom and Pillow do not decode: free, with permissive licenses.
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
    """Turns the stored bytes of a frame into pixels; threads may share it, as it does not change.

    Gray frames keep their stored values, inverted where small values are white, as in MONOCHROME1; if the header maps
    them by a table or another curve, frames have the mapped values. Color frames are always RGB, those with a palette
    as uint8.

    Args:
        header: the image pixel module, and the transfer syntax in its file meta information.
        photometric: the real photometric interpretation of the frames.
        vr: of the pixel data element.

    Attributes:
        frame_shape: ``(Y, X)`` or ``(Y, X, 3)``.
        dtype: of the frames.
        gray_scale: meaning of gray values, None for frames in color.
        stored_range: of the bits in use, None if a table or palette replaces the values.
        inversion_sum: sum of a stored value and the frame's value, where small values are white; None elsewhere.
    """

    def __init__(self, header: Dataset, photometric: str, vr: str) -> None:
        syntax = header.file_meta.TransferSyntaxUID
        self._decoder = get_decoder(syntax)
        self._options = as_pixel_options(
            header,
            number_of_frames=1,
            photometric_interpretation=photometric,
            pixel_keyword="PixelData",
            pixel_vr=vr,
        )
        # Some damaged frames make GDCM end the whole process, so it is used only if nothing else decodes a frame.
        self._codecs = [codec for codec in self._decoder.available_plugins if codec != "gdcm"] or ["gdcm"]
        self._is_jpeg = syntax == JPEGBaseline8Bit and photometric in ("RGB", "YBR_FULL", "YBR_FULL_422")
        self._says_rgb = photometric == "RGB"
        self._leaves_bits = header.BitsStored < header.BitsAllocated and (
            not syntax.is_encapsulated or syntax == RLELossless
        )
        self._bits: PixelBits | None = None
        self._is_ybr_jpeg_2000 = syntax in (JPEG2000, JPEG2000Lossless) and photometric in ("YBR_FULL", "YBR_FULL_422")
        self._palette = _palette(header) if photometric == "PALETTE COLOR" else None
        self._is_rgb = self._palette is not None or header.SamplesPerPixel == 3
        self._frame_bytes = header.Rows * header.Columns * header.SamplesPerPixel * header.BitsAllocated // 8
        self.frame_shape: tuple[int, ...] = (header.Rows, header.Columns, *((3,) if self._is_rgb else ()))
        signed, bits = bool(header.PixelRepresentation), header.BitsStored
        self.dtype = np.dtype(f"{'i' if signed else 'u'}{header.BitsAllocated // 8}")
        self.stored_range: tuple[float, float] | None = range_of_bits(bits, signed=signed)
        self._lowest = int(self.stored_range[0])
        self.gray_scale = None if self._is_rgb else gray_scale_of(header, bits, signed=signed)
        self._table = None
        is_inverted = photometric == "MONOCHROME1"
        self.inversion_sum: float | None = None
        if self.gray_scale is not None and self.gray_scale.table is not None:
            self._table = ~self.gray_scale.table if is_inverted else self.gray_scale.table
            self.dtype, self.stored_range = self._table.dtype, None
        elif self.gray_scale is not None and is_inverted != self.gray_scale.is_inverted:
            self.inversion_sum = sum(self.stored_range)
        if self._palette is not None:
            self.dtype, self.stored_range = np.dtype(np.uint8), None

    def __call__(self, stored: bytes) -> Frame:
        """Decode a frame, ``(Y, X)`` or ``(Y, X, 3)``. Errors of the codec pass through.

        Raises:
            SegcamError: if the stream's image is larger than the header says, or too large.
        """
        self._refuse_bomb(stored)
        if self._is_jpeg:
            return self._from_jpeg(stored)
        pixels = self._decode(stored)
        if self._palette is not None:
            return self._palette[pixels]
        if self._table is not None:
            return self._table[np.clip(pixels.astype(np.int32) - self._lowest, 0, len(self._table) - 1)]
        if self.inversion_sum is not None:
            pixels = int(self.inversion_sum) - pixels.astype(np.int32)
        return pixels.astype(self.dtype, copy=False)

    def stored_values(self, stored: bytes) -> NDArray[np.generic]:
        """Decode a gray frame ``(Y, X)`` to the values of its pixels, before a palette, a table or an inversion.

        Errors of the codec pass through.

        Raises:
            SegcamError: if the stream's image is larger than the header says, or too large.
        """
        self._refuse_bomb(stored)
        return self._decode(stored)

    def settle_bits(self, header: Dataset, stored: bytes) -> str | None:
        """Detect from a frame which bits of the values hold the pixel, and return a note on it.

        Only for codecs that keep all bits; called before the first frame is decoded.
        """
        if not self._leaves_bits:
            return None
        self._refuse_bomb(stored)
        self._options["bits_stored"] = header.BitsAllocated
        self._bits = pixel_bits(header, self._decode(stored))
        return self._bits.note

    def _refuse_bomb(self, stored: bytes) -> None:
        """Refuse a stream whose image is too large, before a codec decodes it."""
        if not self._decoder.is_encapsulated:
            return
        refuse_large_picture("the stream", stored)
        # Run-length encoding adds at most one byte to 128, and a header of 64 bytes.
        if RLELossless == self._decoder.UID and len(stored) > 2 * self._frame_bytes + 1024:
            raise ValueError("its runs would fill more than the frame")

    def _from_jpeg(self, stored: bytes) -> Frame:
        """Decode to RGB with Pillow, whose conversion is several times faster than pydicom's.

        The stream shows which colors it holds: by a marker of Adobe or JFIF, the names of its components, or
        subsampling, which is used for YCbCr only. If the stream shows nothing and the header says RGB, the image
        decides, as most of it is gray.
        """
        with Image.open(io.BytesIO(stored), formats=("JPEG",)) as image:
            if self._says_rgb and _leaves_colors_open(image):
                image.draft("YCbCr", image.size)  # as it is stored
                pixels = np.array(image)
                if _is_grayer_as_ycbcr(pixels):
                    pixels = np.array(Image.fromarray(pixels, "YCbCr").convert("RGB"))
            else:
                pixels = np.array(image.convert("RGB"))
        if pixels.shape != self.frame_shape:
            raise ValueError(f"it has the shape {pixels.shape}, but the header says {self.frame_shape}")
        return pixels

    def _decode(self, stored: bytes) -> NDArray[np.generic]:
        pixels = self._from_codec(stored)
        return pixels if self._bits is None else self._bits(pixels)

    def _from_codec(self, stored: bytes) -> NDArray[np.generic]:
        if not self._decoder.is_encapsulated:
            return self._decoder.as_array(stored, index=0, **self._options)[0]
        options = self._options
        if self._is_ybr_jpeg_2000 and transforms_colors(stored):  # decoding makes them RGB
            options = {**options, "photometric_interpretation": "YBR_RCT"}
        source = encapsulate([stored], has_bot=False)
        *others, last = self._codecs
        for codec in others:
            with suppress(Exception):  # the next codec may succeed
                return self._decoder.as_array(source, index=0, decoding_plugin=codec, **options)[0]
        return self._decoder.as_array(source, index=0, decoding_plugin=last, **options)[0]


def refuse_undecodable(header: Dataset, name: str) -> None:
    """Check that a file's transfer syntax can be decoded with what is installed.

    Raises:
        SegcamError: if not; it says which package to install, or how to export the file.
    """
    syntax = header.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        raise SegcamError(f"{name} does not say how its pixels are stored (it has no Transfer Syntax UID).")
    try:
        available = get_decoder(syntax).is_available and not syntax.is_deflated
    except NotImplementedError:
        available = False
    if not available:
        package = _DECODING_PACKAGES.get(syntax)
        advice = f"Install a decoder: pip install {package}" if package else "Export it as uncompressed DICOM."
        raise SegcamError(f"{name} is stored as {syntax.name}, which cannot be decoded here. {advice}")


def _leaves_colors_open(image: Image.Image) -> bool:
    """Whether a JPEG stream leaves open if its three components are RGB or YCbCr; libjpeg assumes YCbCr."""
    components = list(getattr(image, "layer", ()))
    return (
        len(components) == 3
        and not {"jfif", "adobe", "adobe_transform"} & set(image.info)
        and [component[0] for component in components] != list(b"RGB")
        and len({component[1:3] for component in components}) == 1
    )


def _is_grayer_as_ycbcr(stored: NDArray[np.uint8]) -> bool:
    """Whether the image is grayer if its three components are YCbCr than if they are RGB."""
    first, second, third = (stored[..., component].astype(np.int16) for component in range(3))
    color_of_rgb = np.abs(first - second).mean() + np.abs(first - third).mean()
    color_of_ycbcr = np.abs(second - 128).mean() + np.abs(third - 128).mean()
    return bool(color_of_ycbcr <= color_of_rgb)


def _palette(header: Dataset) -> NDArray[np.uint8]:
    """Return the colors of all stored values, ``(values, 3)``."""
    _refuse_palette_bomb(header)
    values = np.arange(2**header.BitsStored, dtype=np.uint16)
    colors = apply_color_lut(values, header)
    # By the standard, 16-bit entries use the whole range, but some scanners write 8-bit values into them.
    return (colors >> 8 if colors.max() > 255 else colors).astype(np.uint8)


def _refuse_palette_bomb(header: Dataset) -> None:
    """Refuse a segmented palette whose segments expand to more colors than are possible.

    Raises:
        ValueError: if they do.
    """
    for color in ("Red", "Green", "Blue"):
        data = header.get(f"Segmented{color}PaletteColorLookupTableData") or b""
        wide = header.get("RedPaletteColorLookupTableDescriptor", [0, 0, 16])[2] == 16
        numbers = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if wide else "u1").tolist()
        position, colors = 0, 0
        while position + 1 < len(numbers) and colors <= _MAX_COLORS:
            kind, length = numbers[position : position + 2]
            # Discrete, linear, and indirect segments; the last repeat earlier ones (PS3.3, section C.7.9.2).
            colors += length if kind < 2 else length * _MAX_COLORS // 16
            position += 2 + {0: length, 1: 1}.get(kind, 2 if wide else 4)
        if colors > _MAX_COLORS:
            raise ValueError("its palette would have more colors than its pixels can")
