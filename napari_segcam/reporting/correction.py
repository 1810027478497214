"""The correction: a frame's mask as a reader painted it, beside what the network predicted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.files import safe_name, whole_file
from napari_segcam.reporting.figures import Mask

if TYPE_CHECKING:  # torch comes with it
    from napari_segcam.explanation.explanation import Explanation

FILE = "correction.png"
REGION = "the reader's correction"
"""What a target's region is called that is a correction."""


@dataclass(frozen=True, eq=False)
class Correction:
    """A mask as a reader painted it; it belongs to the reader, never to a network.

    Attributes:
        labels: ``(Y, X)`` uint8, 0 being the background.
        names: what the labels were called when they were painted.
        is_explained: whether the heatmaps explain it, rather than the network's prediction.
    """

    labels: NDArray[np.uint8]
    names: Mapping[int, str]
    is_explained: bool = False

    def as_dict(self) -> dict[str, Any]:
        """In plain values, for a frame's ``explanation.json``."""
        labels, counts = np.unique(self.labels, return_counts=True)
        found = dict(zip(labels.tolist(), counts.tolist(), strict=True))
        names = {label: f"label {label}" for label in found if label} | dict(self.names)
        return {
            "file": FILE,
            "explained": self.is_explained,
            "labels": {name: label for label, name in names.items()},
            "pixels": {name: found.get(label, 0) for label, name in names.items()},
        }


def outlined(explanation: Explanation, correction: Correction | None) -> Mask:
    """The mask whose outline goes with the heat: the one that is explained."""
    return explanation.display_mask if correction is None or not correction.is_explained else correction.labels


Beside = Mapping[str, NDArray[np.uint8]]
"""What a reader has corrected of other classes than the explained one: ``(Y, X)`` by class, 1 where the class is."""


def write_beside(folder: Path, masks: Beside) -> None:
    """Write what a reader has corrected of other classes that may overlap the explained one: ``correction_CLASS.png``.

    Args:
        folder: of the frame.
        masks: of that frame.

    Raises:
        SegcamError: if the folder cannot be written to.
    """
    for name, mask in masks.items():
        with whole_file(folder / safe_name(f"{Path(FILE).stem}_{name}.png")) as path:
            Image.fromarray(mask).save(path, format="PNG")


def write_corrections(folder: Path, name: str, corrections: Mapping[int, Correction]) -> list[Path]:
    """Write corrections by themselves: ``NAME_frame_0012_correction.png`` and, for all of them, their labels' names.

    Args:
        folder: is made.
        name: of the image.
        corrections: by frame.

    Raises:
        SegcamError: if the folder cannot be written to.
    """
    stem, written = safe_name(name), []
    for frame, correction in sorted(corrections.items()):
        with whole_file(folder / f"{stem}_frame_{frame:04d}_{FILE}") as path:
            Image.fromarray(correction.labels).save(path, format="PNG")
        written.append(folder / f"{stem}_frame_{frame:04d}_{FILE}")
    described = {
        f"{stem}_frame_{frame:04d}_{FILE}": {"frame": frame, **_without_file(correction)}
        for frame, correction in sorted(corrections.items())
    }
    with whole_file(folder / f"{stem}_corrections.json") as path:
        path.write_text(json.dumps({"image": name, "corrections": described}, indent=2), encoding="utf-8")
    return written


def _without_file(correction: Correction) -> dict[str, Any]:
    described = correction.as_dict()
    return {"labels": described["labels"], "pixels": described["pixels"]}
