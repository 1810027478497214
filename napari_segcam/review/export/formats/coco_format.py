"""COCO: a folder of images and one file with an annotation for each connected region of each class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.review.export.formats.rle import compress, run_lengths
from napari_segcam.review.export.formats.writer import Written, write_image_png, write_json
from napari_segcam.review.export.pairs import Pair
from napari_segcam.version import __version__

FILE = "annotations.json"


class CocoWriter:
    """Writes ``images/NAME.png`` and ``annotations.json``; classes may overlap, and an image may have no annotation.

    Args:
        folder: of the export.
        labels: of the classes, which are their category numbers.
    """

    def __init__(self, folder: Path, labels: Mapping[str, int]) -> None:
        self._folder, self._labels = folder, labels
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def write(self, pair: Pair) -> Written:
        file = f"images/{pair.name}.png"
        pixels = write_image_png(self._folder / file, pair)
        rows, columns = pair.shape
        number = len(self._images) + 1
        self._images.append({"id": number, "file_name": f"{pair.name}.png", "height": rows, "width": columns})
        for name, label in self._labels.items():
            region = pair.regions.get(name)
            if region is not None:
                self._annotations += [
                    {"id": len(self._annotations) + place, "image_id": number, "category_id": label, **annotation}
                    for place, annotation in enumerate(annotations_of(region), start=1)
                ]
        return Written((file,), FILE, pixels)

    def finish(self) -> None:
        write_json(
            self._folder / FILE,
            {
                "info": {"description": "Reviewed masks", "version": __version__},
                "licenses": [],
                "images": self._images,
                "annotations": self._annotations,
                "categories": [{"id": label, "name": name} for name, label in self._labels.items()],
            },
        )


def annotations_of(region: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return the annotation of each connected region (8 neighbors), with its run lengths, area and box."""
    components, count = ndimage.label(region, structure=np.ones((3, 3)))
    found = []
    for number in range(1, count + 1):
        mask = components == number
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        top, left = int(rows[0]), int(columns[0])
        box = [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]
        found.append(
            {
                "segmentation": {"size": list(mask.shape), "counts": compress(run_lengths(mask))},
                "area": int(np.count_nonzero(mask)),
                "bbox": box,
                "iscrowd": 0,
            }
        )
    return found
