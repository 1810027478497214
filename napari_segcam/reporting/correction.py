"""Correction: the mask of a frame as a reader painted it, kept apart from the network's prediction."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.files import safe_name, whole_file
from napari_segcam.reporting.figures import Mask

if TYPE_CHECKING:  # it imports torch
    from napari_segcam.explanation.explanation import Explanation

CORRECTION_FILE = "correction.png"
CORRECTION_REGION = "the reader's correction"
"""Name of a target's region that is a correction."""


@dataclass(frozen=True, eq=False)
class Correction:
    """A mask as a reader painted it; it belongs to the reader, never to a network.

    Attributes:
        labels: ``(Y, X)`` uint8; 0 is the background.
        names: of the labels, when they were painted.
        is_explained: whether the heatmaps explain the correction, and not the network's prediction.
    """

    labels: NDArray[np.uint8]
    names: Mapping[int, str]
    is_explained: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a frame's ``explanation.json``."""
        labels, counts = np.unique(self.labels, return_counts=True)
        pixels = dict(zip(labels.tolist(), counts.tolist(), strict=True))
        names = {label: f"label {label}" for label in pixels if label} | dict(self.names)
        return {
            "file": CORRECTION_FILE,
            "explained": self.is_explained,
            "labels": {name: label for label, name in names.items()},
            "pixels": {name: pixels.get(label, 0) for label, name in names.items()},
        }


def explained_mask(explanation: Explanation, correction: Correction | None) -> Mask:
    """Return the mask that the heat explains, whose outline is drawn with it."""
    return explanation.display_mask if correction is None or not correction.is_explained else correction.labels


OtherCorrections = Mapping[str, NDArray[np.uint8]]
"""A reader's corrections of other classes than the explained one: ``(Y, X)`` by class name, 1 where the class is."""


def write_other_corrections(folder: Path, masks: OtherCorrections) -> None:
    """Write ``correction_CLASS.png`` for each other class that a reader corrected; classes may overlap.

    Those of an earlier export that are not corrected now become ``earlier_correction_CLASS.png``.

    Args:
        folder: of the frame.
        masks: of that frame.

    Raises:
        SegcamError: if the folder cannot be written to.
    """
    files = {safe_name(f"{Path(CORRECTION_FILE).stem}_{name}.png"): mask for name, mask in masks.items()}
    set_earlier_aside(folder, f"{Path(CORRECTION_FILE).stem}_*.png", files)
    for name, mask in files.items():
        with whole_file(folder / name) as path:
            Image.fromarray(mask).save(path, format="PNG")


def set_earlier_aside(folder: Path, pattern: str, written: Collection[str]) -> None:
    """Rename corrections of an earlier export that this one does not replace: they are not of this export.

    They are a reader's work, so that none is deleted: an ``earlier_correction.png`` gets a number where there is one.

    Args:
        folder: of the frame.
        pattern: of the names of the files.
        written: names of those that are written now.

    Raises:
        SegcamError: if the folder cannot be written to.
    """
    for path in sorted(folder.glob(pattern)):
        if path.name not in written:
            names = (f"earlier{number or ''}_{path.name}" for number in count())
            aside = next(folder / name for name in names if not (folder / name).exists())
            with whole_file(aside) as temporary:
                shutil.copyfile(path, temporary)
            path.unlink()


def write_corrections(folder: Path, name: str, corrections: Mapping[int, Correction]) -> list[Path]:
    """Write corrections alone: ``NAME_frame_0012_correction.png`` for each, and one JSON file with the names of labels.

    Args:
        folder: of the files; created if it is missing.
        name: of the image.
        corrections: by frame number.

    Returns:
        The paths of the masks.

    Raises:
        SegcamError: if the folder cannot be written to.
    """
    stem = safe_name(name)
    paths = {frame: folder / f"{stem}_frame_{frame:04d}_{CORRECTION_FILE}" for frame in sorted(corrections)}
    for frame, path in paths.items():
        with whole_file(path) as temporary:
            Image.fromarray(corrections[frame].labels).save(temporary, format="PNG")
    records = {path.name: {"frame": frame, **_labels_and_pixels(corrections[frame])} for frame, path in paths.items()}
    with whole_file(folder / f"{stem}_corrections.json") as temporary:
        temporary.write_text(json.dumps({"image": name, "corrections": records}, indent=2), encoding="utf-8")
    return list(paths.values())


def _labels_and_pixels(correction: Correction) -> dict[str, Any]:
    record = correction.as_dict()
    return {"labels": record["labels"], "pixels": record["pixels"]}
