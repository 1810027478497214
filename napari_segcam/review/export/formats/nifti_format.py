"""NIfTI: images and masks as ``(X, Y, 1)`` volumes of one slice, with the pixel spacing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_segcam.files import replace_file, whole_file
from napari_segcam.optional import needed
from napari_segcam.review.export.class_labels import label_map
from napari_segcam.review.export.formats.writer import Written, write_json
from napari_segcam.review.export.pairs import Pair

SUFFIX = ".nii.gz"
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
_KEPT = {"uint8", "int16", "int32", "uint16", "float32", "float64"}


class NiftiWriter:
    """Writes ``images/NAME.nii.gz``, ``masks/NAME.nii.gz`` and ``classes.json``.

    Args:
        folder: of the export.
        labels: of the classes.

    Raises:
        SegcamError: if the package for NIfTI is not installed.
    """

    def __init__(self, folder: Path, labels: Mapping[str, int]) -> None:
        need_nifti()
        self._folder, self._labels = folder, labels

    def write(self, pair: Pair) -> Written:
        mask = label_map(pair.regions, self._labels, pair.shape, pair.where)
        image_file, mask_file = f"images/{pair.name}{SUFFIX}", f"masks/{pair.name}{SUFFIX}"
        pixels = write_volume(self._folder / image_file, pair.image, pair)
        write_volume(self._folder / mask_file, mask, pair)
        return Written((image_file,), mask_file, pixels)

    def finish(self) -> None:
        write_json(self._folder / "classes.json", {"background": 0, **self._labels})


def need_nifti() -> None:
    """Check that NIfTI can be written.

    Raises:
        SegcamError: if the package is missing.
    """
    needed("nibabel", "NIfTI is written by nibabel", extra="formats")


def write_volume(path: Path, values: NDArray[np.generic], pair: Pair) -> str:
    """Write a picture as a volume of one slice; return how its values were changed, if they were.

    The first axis is the column, the second the row, both in the direction in which ITK and its programs show a picture
    upright: the affine is diag(−column spacing, −row spacing, 1). Where the spacing is unknown, it is 1 and the
    header's unit is "unknown".

    Args:
        path: of the file.
        values: ``(Y, X)``, or ``(Y, X, 3)``, which becomes RGB in 8 bits.
        pair: whose spacing and value range it has.

    Raises:
        SegcamError: if it cannot be written.
    """
    import nibabel

    volume, pixels = _volume(values, pair)
    rows, columns = pair.spacing_mm or (1.0, 1.0)
    image = nibabel.Nifti1Image(volume, np.diag([-columns, -rows, 1.0, 1.0]))
    image.header.set_xyzt_units("mm" if pair.spacing_mm else "unknown")
    image.header["descrip"] = b"calibrated" if pair.spacing_mm else b"uncalibrated"
    with whole_file(path) as temporary:  # its name must end as nibabel expects
        named = temporary.with_name(f"{temporary.name}{SUFFIX}")
        try:
            nibabel.save(image, named)
            replace_file(named, temporary)
        finally:
            named.unlink(missing_ok=True)
    return pixels


def _volume(values: NDArray[np.generic], pair: Pair) -> tuple[NDArray[np.generic], str]:
    pixels = ""
    if values.ndim == 3:
        if values.dtype != np.uint8:
            black, white = pair.value_range
            scaled = np.clip((values.astype(np.float64) - black) / (white - black), 0, 1) * 255
            values, pixels = np.rint(scaled).astype(np.uint8), f"{black:g} to {white:g} became 0 to 255"
        colors = np.ascontiguousarray(values).view(_RGB)[..., 0]
        return colors.T[:, :, None], pixels
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    elif values.dtype.name not in _KEPT:
        values = values.astype(np.float64 if values.dtype.itemsize > 2 else np.float32)
    return values.T[:, :, None], pixels
