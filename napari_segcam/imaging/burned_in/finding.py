"""Finding: the burned-in graphics of a frame, alone or with the cine that it is from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import polygon2mask

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.burned_in.dots import find_dots
from napari_segcam.imaging.burned_in.flow import find_flow
from napari_segcam.imaging.burned_in.graphics import Graphic, Graphics
from napari_segcam.imaging.burned_in.grouping import group
from napari_segcam.imaging.burned_in.kinds import kind_of
from napari_segcam.imaging.burned_in.sharp_parts import Gray, Mask, find_sharp_parts
from napari_segcam.imaging.burned_in.stillness import Stillness
from napari_segcam.imaging.cine import ArrayCine, Cine
from napari_segcam.imaging.scan.region import ScanRegion, find_scan_region
from napari_segcam.imaging.value_range import to_unit, value_range_of

_FRAMES = 12
_MARKED = 0.1  # brightness above the screen's black beside the scan
_NEAR_SCAN = 1 / 100  # of the longer side: how far the scan may reach beyond its outline

_SHARP = "far brighter than all pixels beside it, with a step as its edge"
_STILL = "stays the same while the tissue around it moves"
_DOTTED = "a row of equally spaced dots"
_BESIDE = "on the screen, beside the scan"

_STILLNESS: WeakKeyDictionary[Cine, Stillness | None] = WeakKeyDictionary()


def find_graphics(
    frame: NDArray[np.generic],
    cine: Cine | None = None,
    *,
    value_range: tuple[float, float] | None = None,
) -> Graphics:
    """Find the graphics that a scanner burned into a frame: text, calipers, rulers, lines, bars and markers.

    Four signs count: a bright part with a step as its edge, a row of equally spaced dots, what stays the same in a cine
    while the tissue around it moves, and whatever is on the screen beside the scan. The colors of Doppler imaging are
    no graphics. Graphics that are hardly brighter than the tissue beside them are not found: paint them.

    Examples:
        >>> with_calipers = sc.paste_calipers(frame, [(120, 80), (120, 160)], line=True)
        >>> graphics = sc.find_graphics(with_calipers)
        >>> bool(graphics.mask[120, 80]), bool(graphics.mask[60, 160])
        (True, False)
        >>> clean = sc.inpaint(with_calipers, graphics.mask)

    Args:
        frame: ``(Y, X)`` or ``(Y, X, 3)``, any real dtype.
        cine: that the frame is from; it is looked at once. It gives more certainty than a frame alone.
        value_range: the values of black and white; by default those of the cine, else estimated from the frame.

    Raises:
        SegcamError: if the frame is not one image, or of another shape than the cine's.
    """
    if frame.ndim not in (2, 3) or 0 in frame.shape or (frame.ndim == 3 and frame.shape[2] != 3):
        raise SegcamError(f"A frame must be (Y, X) or (Y, X, 3), but its shape is {frame.shape}.")
    if cine is not None and tuple(cine.frame_shape[:2]) != frame.shape[:2]:
        raise SegcamError(
            f"The frame has {frame.shape[0]}×{frame.shape[1]} pixels, but those of the cine have "
            f"{cine.frame_shape[0]}×{cine.frame_shape[1]}. Give the cine that the frame is from."
        )
    black, white = value_range or (cine.value_range if cine is not None else value_range_of(frame))
    unit = np.nan_to_num(to_unit(frame, black, white))
    gray = _brightest(unit)
    whys = {
        _BESIDE: _beside_scan(gray, find_scan_region(cine or ArrayCine(frame, value_range=(black, white)))),
        _SHARP: find_sharp_parts(gray),
        _DOTTED: find_dots(gray),
    }
    if (stillness := None if cine is None else _stillness_of(cine)) is not None:
        whys[_STILL] = stillness.find_still_parts(gray)
    flow = find_flow(unit) if unit.ndim == 3 else np.zeros(gray.shape, bool)
    return _graphics(whys, flow)


def _brightest(unit: NDArray[np.float32]) -> Gray:
    """Return the brightest channel ``(Y, X)``, in which colored graphics are as bright as white ones."""
    return unit.max(2) if unit.ndim == 3 else unit


def _stillness_of(cine: Cine) -> Stillness | None:
    """Return the stillness of a cine, from up to 12 frames; None for fewer than three."""
    if cine not in _STILLNESS:
        _STILLNESS[cine] = Stillness.of(_sampled(cine))
    return _STILLNESS[cine]


def _sampled(cine: Cine) -> Iterator[Gray]:
    """Yield some frames of a cine, gray; those that cannot be decoded are skipped."""
    for index in np.unique(np.linspace(0, len(cine) - 1, _FRAMES).round().astype(int)):
        with suppress(SegcamError):
            yield _brightest(np.nan_to_num(to_unit(cine[int(index)], *cine.value_range)))


def _beside_scan(gray: Gray, region: ScanRegion) -> Mask:
    """Return everything but black beside the scan; nothing if the scan was not found in the pixels."""
    if region.source not in ("motion", "fan"):
        return np.zeros(gray.shape, bool)
    scan = polygon2mask(gray.shape, region.outline)
    near = ndimage.distance_transform_edt(~scan) <= max(2, max(gray.shape) * _NEAR_SCAN)
    if near.all():
        return np.zeros(gray.shape, bool)
    return np.asarray(~near & (gray > float(np.median(gray[~near])) + _MARKED))


def _graphics(whys: dict[str, Mask], flow: Mask) -> Graphics:
    """Divide what was found into graphics; what has the colors of flow is left out."""
    beside = whys[_BESIDE]
    shape = beside.shape[0], beside.shape[1]
    mask = np.any(list(whys.values()), axis=0) & (beside | ~flow)
    groups = group(mask, whys[_DOTTED])
    mask = groups > 0
    parts = []
    for number, box in enumerate(ndimage.find_objects(groups), start=1):
        if box is not None:
            pixels = groups[box] == number
            why = max(whys, key=lambda why: int((whys[why][box] & pixels).sum()))
            in_scan = bool((beside[box] & pixels).sum() < 0.5 * pixels.sum())
            parts.append(Graphic(kind_of(pixels, shape), why, box, pixels, in_scan))
    return Graphics(mask, tuple(sorted(parts, key=lambda part: (part.box[0].start, part.box[1].start))))
