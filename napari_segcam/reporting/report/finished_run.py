"""A finished run: the folder that ``napari-segcam batch`` wrote, read and checked."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import from_cell, natural_key
from napari_segcam.reporting.run_format import FORMAT, KEY_COLUMNS, Row, present_run


@dataclass(frozen=True)
class ReportedImage:
    """The results of one image or cine.

    Attributes:
        name: its path, relative to the data folder.
        truth: path of its true mask; None where there is none.
        frames: how many were explained.
        rows: one per frame, class, method and stage.
        sheet: a JPEG of its heatmaps; None where there is none.
        sha256: checksum of its file; empty where it is not recorded.
        features: ``(F, K)``, those of the frames that have any; None where they were not kept.
    """

    name: str
    truth: str | None
    frames: int
    rows: tuple[Row, ...]
    sheet: Path | None
    sha256: str = ""
    features: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Failure:
    """An image that could not be explained, and why."""

    name: str
    error: str


@dataclass(frozen=True)
class FinishedRun:
    """A run over many images.

    Attributes:
        settings: the content of ``run.json``, with the names of today.
        images: in the order of ``results.csv``; those that it does not list come last, in the natural order of their
            names.
        failures: in the natural order of their names.
        missing: how many images have neither a result nor an error.
    """

    settings: Mapping[str, Any]
    images: tuple[ReportedImage, ...]
    failures: tuple[Failure, ...]
    missing: int

    def part(self, name: str) -> Mapping[str, Any]:
        """Return a part of ``run.json``, such as ``"model"``; empty where it is missing."""
        part = self.settings.get(name)
        return part if isinstance(part, Mapping) else {}


def read_run(folder: Path, partial: bool = False) -> FinishedRun:
    """Read a run.

    Args:
        folder: that the run was written to.
        partial: whether an unfinished run is accepted.

    Raises:
        SegcamError: if the folder holds no run, one of another format or a damaged one, one without any image, or an
            unfinished one and ``partial`` is not set.
    """
    path = folder / "run.json"
    if not path.is_file():
        raise SegcamError(f"{folder} holds no run: there is no run.json in it. Give the --out folder of a batch.")
    content = _read_json(path)
    if content.get("format") != FORMAT:
        raise SegcamError(
            f"{folder} holds a run of format {content.get('format')}, but this version of napari-segcam reads format "
            f"{FORMAT}. Make the report with the version that made the run, or run the batch again."
        )
    try:
        settings = present_run(content)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    positions = _positions(folder / "results.csv")
    images = sorted(
        _read_images(folder),
        key=lambda image: (positions.get(image.name, len(positions)), natural_key(image.name)),
    )
    explained = {image.name for image in images}
    failures = [failure for failure in _read_failures(folder / "errors.csv") if failure.name not in explained]
    failures.sort(key=lambda failure: natural_key(failure.name))
    expected = _expected_images(settings, len(images) + len(failures))
    missing = max(0, expected - len(images) - len(failures))
    if missing and not partial:
        raise SegcamError(
            f"The run in {folder} is unfinished: {missing} of {expected} images are missing. Give the batch command "
            "again to complete it, or --partial to report what is there."
        )
    if not images:
        raise SegcamError(f"The run in {folder} has no image that was explained, so there is nothing to report.")
    return FinishedRun(settings, tuple(images), tuple(failures), missing)


def _expected_images(settings: Mapping[str, Any], default: int) -> int:
    """Return how many images the run was to explain."""
    data = settings.get("data")
    counts = [data.get(name) for name in ("count", "num_samples")] if isinstance(data, Mapping) else []
    return min((count for count in counts if isinstance(count, int)), default=default)


def _positions(results: Path) -> dict[str, int]:
    """Return the position of each image in the table of results; empty where the table cannot be read."""
    positions: dict[str, int] = {}
    try:
        with results.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            for row in csv.DictReader(file):
                positions.setdefault(from_cell(row.get("image") or ""), len(positions))
    except (OSError, csv.Error):
        return {}
    return positions


def _read_images(folder: Path) -> Iterator[ReportedImage]:
    for path in (folder / "images").glob("*/record.json"):
        record = _read_json(path)
        rows = record.get("rows")
        if not isinstance(record.get("image"), str) or not isinstance(rows, list) or not all(map(_is_row, rows)):
            raise _damaged(path, "it is not a result of napari-segcam batch")
        # Only the name is used, so that no record can put a file from elsewhere into the report.
        sheet = path.with_name(Path(str(record["sheet"])).name) if record.get("sheet") else None
        truth, frames = record.get("truth"), record.get("frames")
        yield ReportedImage(
            record["image"],
            truth if isinstance(truth, str) else None,
            frames if isinstance(frames, int) else 1,
            tuple(rows),
            sheet if sheet is not None and sheet.is_file() else None,
            str(record.get("sha256") or ""),
            _features(record.get("features"), path),
        )


def _features(value: object, path: Path) -> NDArray[np.float32] | None:
    """Return the features of a record."""
    if value is None:
        return None
    try:
        features = np.array([frame for frame in value["frames"] if frame is not None], np.float32)  # type: ignore[index]
    except (TypeError, KeyError, ValueError) as error:
        raise _damaged(path, "its features are not numbers") from error
    if features.size and (features.ndim != 2 or not np.isfinite(features).all()):
        raise _damaged(path, "its features are not numbers")
    return features if features.size else None


def _is_row(value: object) -> bool:
    return isinstance(value, dict) and all(column in value for column in KEY_COLUMNS)


def _read_failures(path: Path) -> list[Failure]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [
            Failure(from_cell(row.get("image") or ""), from_cell(row.get("error") or ""))
            for row in csv.DictReader(file)
        ]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error_text(error)) from error
    if not isinstance(content, dict):
        raise _damaged(path, "it is not a JSON object")
    return content


def _damaged(path: Path, fault: str) -> SegcamError:
    remedy = "Run the batch again" if path.name == "run.json" else "Delete its folder and give the batch command again"
    return SegcamError(f"{path} cannot be read: {fault.rstrip('.')}. {remedy}.")
