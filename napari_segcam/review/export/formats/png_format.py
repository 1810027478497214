"""PNG: a folder of images and one of masks, under the same names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari_segcam.review.export.class_labels import label_map
from napari_segcam.review.export.formats.writer import Written, write_image_png, write_json, write_mask_png
from napari_segcam.review.export.pairs import Pair


class PngWriter:
    """Writes ``images/NAME.png``, ``masks/NAME.png`` and ``classes.json``.

    Args:
        folder: of the export.
        labels: of the classes.
    """

    def __init__(self, folder: Path, labels: Mapping[str, int]) -> None:
        self._folder, self._labels = folder, labels

    def write(self, pair: Pair) -> Written:
        mask = label_map(pair.regions, self._labels, pair.shape, pair.where)
        image_file, mask_file = f"images/{pair.name}.png", f"masks/{pair.name}.png"
        pixels = write_image_png(self._folder / image_file, pair)
        write_mask_png(self._folder / mask_file, mask)
        return Written((image_file,), mask_file, pixels)

    def finish(self) -> None:
        write_json(self._folder / "classes.json", {"background": 0, **self._labels})
