"""nnU-Net v2: the raw layout that ``nnUNetv2_plan_and_preprocess --verify_dataset_integrity`` accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from napari_segcam.errors import SegcamError
from napari_segcam.files import whole_file
from napari_segcam.review.export.class_labels import label_map
from napari_segcam.review.export.formats.nifti_format import need_nifti, write_volume
from napari_segcam.review.export.formats.writer import Written, write_image_png, write_json, write_mask_png
from napari_segcam.review.export.pairs import Pair

_COLORS = ("R", "G", "B")


class NnunetWriter:
    """Writes ``imagesTr/NAME_0000.png``, ``labelsTr/NAME.png`` and ``dataset.json``; or ``.nii.gz`` files.

    nnU-Net wants the same channels of every image. If some frames are in color and others gray, the gray ones are
    written again in color when all are known. In PNG the three colors are one file, in NIfTI three.

    Args:
        folder: of the export.
        labels: of the classes.
        file_ending: ``.png`` or ``.nii.gz``.

    Raises:
        SegcamError: if the package for NIfTI is needed and not installed.
    """

    def __init__(self, folder: Path, labels: Mapping[str, int], file_ending: str) -> None:
        self._folder, self._labels, self._ending = folder, labels, file_ending
        self._is_png = file_ending == ".png"
        if not self._is_png:
            need_nifti()
        self._gray: list[str] = []
        self._deep: list[str] = []  # written with 16 bits
        self._colored = 0

    def write(self, pair: Pair) -> Written:
        mask = label_map(pair.regions, self._labels, pair.shape, pair.where)
        mask_file = f"labelsTr/{pair.name}{self._ending}"
        is_color = pair.image.ndim == 3
        self._colored += is_color
        if not is_color:
            self._gray.append(pair.name)
        if self._is_png:
            images = [self._image_file(pair.name, 0)]
            pixels = write_image_png(self._folder / images[0], pair)
            if not is_color and pair.image.dtype not in (np.uint8, np.bool_):
                self._deep.append(pair.name)
            write_mask_png(self._folder / mask_file, mask)
        else:
            channels = [pair.image[..., color] for color in range(3)] if is_color else [pair.image]
            images = [self._image_file(pair.name, number) for number in range(len(channels))]
            pixels = ""
            for file, values in zip(images, channels, strict=True):
                pixels = write_volume(self._folder / file, _finite(values), replace(pair, image=values))
            write_volume(self._folder / mask_file, mask, pair)
        return Written(tuple(images), mask_file, pixels)

    def finish(self) -> None:
        """Give gray images the colors that others have, and write ``dataset.json``.

        Raises:
            SegcamError: if a 16-bit image would lose its values in color, or a file cannot be written.
        """
        if self._colored:
            if self._deep:
                raise SegcamError(
                    f"Some frames are in color and {self._deep[0]} has 16 bits, which no color PNG holds: choose "
                    "--file-ending .nii.gz."
                )
            for name in self._gray:
                self._give_colors(name)
        channels = _COLORS if self._colored else ("ultrasound",)
        write_json(
            self._folder / "dataset.json",
            {
                "channel_names": {str(number): name for number, name in enumerate(channels)},
                "labels": {"background": 0, **self._labels},
                "numTraining": len(self._gray) + self._colored,
                "file_ending": self._ending,
            },
        )

    def _image_file(self, name: str, channel: int) -> str:
        return f"imagesTr/{name}_{channel:04d}{self._ending}"

    def _give_colors(self, name: str) -> None:
        path = self._folder / self._image_file(name, 0)
        if self._is_png:
            with Image.open(path) as picture:
                values = np.asarray(picture)
            with whole_file(path) as temporary:
                Image.fromarray(np.stack([values] * 3, axis=-1)).save(temporary, format="PNG")
            return
        for channel in (1, 2):
            with whole_file(self._folder / self._image_file(name, channel)) as temporary:
                temporary.write_bytes(path.read_bytes())


def _finite(values: np.ndarray) -> np.ndarray:
    """Return values without NaN, which nnU-Net refuses."""
    return np.nan_to_num(values) if values.dtype.kind == "f" else values
