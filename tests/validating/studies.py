"""Finished runs with made-up figures, written as ``batch`` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_segcam.batch.image_processing import ProcessedImage
from napari_segcam.batch.images import BatchImage
from napari_segcam.batch.run_folder import RunFolder
from napari_segcam.batch.tables import write_errors, write_results
from napari_segcam.mask_metrics.columns import METRIC_COLUMNS
from napari_segcam.reporting.run_format import COLUMNS, EVIDENCE, columns_of

Frames = Sequence[Mapping[str, Any]]


def row(image: str, frame: int, figures: Mapping[str, Any], stage: str = "encoder_4") -> dict[str, Any]:
    """One row; columns that are not given are undefined, those of evidence, and of metrics, only if one is given."""
    columns = COLUMNS | (EVIDENCE if "overlay_effect" in figures else {})
    if not METRIC_COLUMNS.keys() & figures.keys():
        columns = {name: kind for name, kind in columns.items() if name not in METRIC_COLUMNS}
    blank = {name: "" if kind is str else None for name, kind in columns.items()}
    place = {"image": image, "frame": frame, "class": "fibroid", "method": "gradcam", "stage": stage}
    known = {"pixels": 100, "truth_pixels": 100, "truth_area_mm2": 4.0}
    return {**blank, **place, **known, **figures}


def write_run(
    folder: Path,
    images: Mapping[str, Frames],
    *,
    checksums: Mapping[str, str] | None = None,
    failures: Mapping[str, str] | None = None,
    source: str = "",
    stages: Sequence[str] = ("encoder_4", "decoder_last"),
    tolerance: float | None = None,
) -> Path:
    """Write a finished run.

    Args:
        folder: of the run.
        images: the figures of each frame, by the name of the image.
        checksums: of the files, where they are not all different.
        failures: errors by image.
        source: the folder of the images.
        stages: each frame has a row for each.
        tolerance: of the surface Dice; None as in a run before there was one.
    """
    failures, checksums = failures or {}, checksums or {}
    run = RunFolder(folder)
    with run.locked():
        run.start(
            {
                "model": {"checkpoint": "made_up.pth", "sha256": "0" * 64},
                "options": {"methods": ["gradcam"]},
                **({} if tolerance is None else {"metrics": {"tolerance": tolerance}}),
                "data": {"source": source, "count": len(images) + len(failures)},
            }
        )
        every = []
        for name, frames in images.items():
            rows = [row(name, number, figures, stage) for number, figures in enumerate(frames) for stage in stages]
            record = {
                "image": name,
                "truth": f"masks/{name}",
                "frames": len(frames),
                "sha256": checksums.get(name, f"content of {name}"),
                "rows": rows,
                "sheet": None,
            }
            run.save(BatchImage(name, Path(name)), ProcessedImage(record))
            every += rows
        write_results(
            folder / "results.csv", [{name: one[name] for name in columns_of(one) if name in one} for one in every]
        )
        write_errors(folder / "errors.csv", failures.items())
    return folder


def dice_run(folder: Path, values: Sequence[float | None], **options: Any) -> Path:
    """Write a run of stills ``image_N.png`` with these Dice."""
    frames = {
        f"image_{number}.png": [{"dice": value, "overlap_undefined": "" if value is not None else "both are empty"}]
        for number, value in enumerate(values)
    }
    return write_run(folder, frames, **options)


def write_list(path: Path, heading: str, lines: Sequence[str]) -> Path:
    path.write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8")
    return path


def some_dice(count: int, seed: int = 0) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).beta(8, 2, count)]
