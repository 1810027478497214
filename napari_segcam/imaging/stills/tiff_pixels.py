"""Pixels of a TIFF page as a gray or RGB frame: color models, palettes, alpha and orientation."""

from __future__ import annotations

from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_segcam.imaging.cine import Frame

_PHOTOMETRIC = tifffile.PHOTOMETRIC
_GRAY = (_PHOTOMETRIC.MINISBLACK, _PHOTOMETRIC.MINISWHITE)
# Compressions whose decoders return RGB.
_JPEG = (6, 7)


class PageReader:
    """Turns the stored samples of pages into frames.

    Args:
        page: a page whose tags are valid for all.

    Raises:
        ValueError: if the pixels are not gray or color pixels of a known kind.
    """

    def __init__(self, page: tifffile.TiffPage) -> None:
        self._photometric, self._colormap = page.photometric, page.colormap
        self._planar = page.axes == "SYX"
        self._bits = page.bitspersample
        tag = page.tags.get("Orientation")
        self.orientation = int(tag.value) if tag is not None and int(tag.value) in range(1, 9) else 1
        is_number = page.dtype is not None and page.dtype.kind in "bu"
        self.is_inverted = is_number and self._photometric == _PHOTOMETRIC.MINISWHITE
        self._is_ycbcr = self._photometric == _PHOTOMETRIC.YCBCR and page.compression not in _JPEG
        samples = 1 if page.axes == "YX" else page.shape[page.axes.index("S")] if "S" in page.axes else 0
        min_samples: dict[int, int] = {_PHOTOMETRIC.RGB: 3, _PHOTOMETRIC.YCBCR: 3, _PHOTOMETRIC.SEPARATED: 4}
        if page.axes not in ("YX", "YXS", "SYX") or samples > 4:
            raise ValueError(f"its pages have the axes {page.axes} and the shape {page.shape}")
        is_palette = self._photometric == _PHOTOMETRIC.PALETTE and self._colormap is not None and samples == 1
        is_gray = self._photometric in _GRAY and samples in (1, 2)
        plain = self._photometric in (*_GRAY, _PHOTOMETRIC.PALETTE) and samples in (3, 4)  # colors, badly labeled
        if not (is_palette or is_gray or plain or min_samples.get(self._photometric, 99) <= samples):
            name = getattr(self._photometric, "name", self._photometric)
            raise ValueError(f"its pixels are {name} with {samples} samples each")
        inks = page.tags.get("InkSet")
        if self._photometric == _PHOTOMETRIC.SEPARATED and inks is not None and int(inks.value) != 1:
            raise ValueError("its inks are not cyan, magenta, yellow and black")
        if self._is_ycbcr and page.subsampling not in (None, (1, 1)):
            raise ValueError("its colors are subsampled, but not as JPEG")

    @property
    def is_transposed(self) -> bool:
        """Whether rows of the page are columns of the frame."""
        return self.orientation >= 5

    def __call__(self, page: NDArray[Any]) -> Frame:
        """Return the frame ``(Y, X)`` or ``(Y, X, 3)``, upright."""
        return np.ascontiguousarray(_upright(self._convert_colors(page), self.orientation))

    def _convert_colors(self, page: NDArray[Any]) -> Frame:
        if self._planar:
            page = page.transpose(1, 2, 0)
        if self._photometric == _PHOTOMETRIC.PALETTE and self._colormap is not None and page.ndim == 2:
            # By the standard, 16-bit entries use the whole range, but some writers put 8-bit values into them.
            colors = self._colormap.T >> 8 if self._colormap.max() > 255 else self._colormap.T
            return np.asarray(colors.astype(np.uint8)[page])
        if page.ndim == 3 and page.shape[2] == 2:  # gray with alpha
            page = page[..., 0]
        if self.is_inverted and page.ndim == 2:
            return ~page if page.dtype == bool else page.dtype.type(2**self._bits - 1) - page
        if self._photometric == _PHOTOMETRIC.SEPARATED:
            white = np.float32(np.iinfo(page.dtype).max if page.dtype.kind in "ui" else 1)
            ink = page[..., :4].astype(np.float32) / white
            rgb = (1 - ink[..., :3]) * (1 - ink[..., 3:]) * white
            return np.asarray((np.round(rgb) if page.dtype.kind in "ui" else rgb).astype(page.dtype))
        if self._is_ycbcr:
            return _from_ycbcr(page[..., :3])
        return page[..., :3] if page.ndim == 3 else page


def _upright(frame: Frame, orientation: int) -> Frame:
    """Turn and mirror a frame so that the first row is the top and the first column the left (TIFF 6.0, page 36)."""
    if orientation >= 5:
        frame = frame.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        frame = frame[::-1]
    if orientation in (2, 3, 6, 7):
        frame = frame[:, ::-1]
    return frame


def _from_ycbcr(page: NDArray[Any]) -> Frame:
    """Convert full-range YCbCr to RGB (ITU-T T.871)."""
    white = np.iinfo(page.dtype).max
    y, cb, cr = (page[..., component].astype(np.float32) for component in range(3))
    cb, cr = cb - (white + 1) / 2, cr - (white + 1) / 2
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    return np.asarray(np.clip(np.round(rgb), 0, white).astype(page.dtype))
