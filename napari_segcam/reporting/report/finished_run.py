"""Reading a run: the folder that ``napari-segcam batch`` leaves, checked before anything is made of it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_segcam.errors import SegcamError
from napari_segcam.files import from_cell

FORMAT = 1
_ROW_KEYS = ("frame", "class", "method", "stage")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ReportedImage:
    """What the run holds of one image or cine.

    Attributes:
        name: its path, relative to the data folder.
        truth: path of its true mask; None where there is none.
        frames: how many were explained.
        rows: one per frame, class, method and stage.
        sheet: a JPEG of its heatmaps; None where there is none.
    """

    name: str
    truth: str | None
    frames: int
    rows: tuple[Row, ...]
    sheet: Path | None


@dataclass(frozen=True)
class Failure:
    """An image that the run could not explain, and why."""

    name: str
    error: str


@dataclass(frozen=True)
class FinishedRun:
    """A run over many images.

    Attributes:
        about: the content of ``run.json``.
        images: in the natural order of their names.
        failures: likewise.
        missing: how many images are neither explained nor known to have failed.
    """

    about: Mapping[str, Any]
    images: tuple[ReportedImage, ...]
    failures: tuple[Failure, ...]
    missing: int

    def part(self, name: str) -> Mapping[str, Any]:
        """A part of ``run.json``, such as ``"model"``; empty where it is not there."""
        part = self.about.get(name)
        return part if isinstance(part, Mapping) else {}


def read_run(folder: Path, partial: bool = False) -> FinishedRun:
    """Read a run.

    Args:
        folder: that the run was written to.
        partial: whether an unfinished run will do.

    Raises:
        SegcamError: if the folder holds no run, one of another format or a damaged one, one without any image, or an
            unfinished one and ``partial`` is not set.
    """
    if not (folder / "run.json").is_file():
        raise SegcamError(f"{folder} holds no run: there is no run.json in it. Give the --out folder of a batch.")
    about = _read_json(folder / "run.json")
    if about.get("format") != FORMAT:
        raise SegcamError(
            f"{folder} holds a run of format {about.get('format')}, but this version of napari-segcam reads format "
            f"{FORMAT}. Make the report with the version that made the run, or run the batch anew."
        )
    images = sorted(_images(folder), key=lambda image: _natural(image.name))
    explained = {image.name for image in images}
    failures = [failure for failure in _failures(folder / "errors.csv") if failure.name not in explained]
    run = FinishedRun(about, tuple(images), tuple(sorted(failures, key=lambda failure: _natural(failure.name))), 0)
    wanted = _wanted(run)
    missing = max(0, wanted - len(images) - len(failures))
    if missing and not partial:
        raise SegcamError(
            f"The run in {folder} is unfinished: {missing} of {wanted} images are missing. Give the batch command "
            "again to complete it, or --partial to report what is there."
        )
    if not images:
        raise SegcamError(f"The run in {folder} has no image that was explained, so there is nothing to report.")
    return FinishedRun(about, run.images, run.failures, missing)


def _wanted(run: FinishedRun) -> int:
    """How many images the run was to explain."""
    numbers = [run.part("data").get(name) for name in ("count", "num_samples")]
    return min((number for number in numbers if isinstance(number, int)), default=len(run.images) + len(run.failures))


def _images(folder: Path) -> Iterator[ReportedImage]:
    for record in (folder / "images").glob("*/record.json"):
        content = _read_json(record)
        rows = content.get("rows")
        if not isinstance(content.get("image"), str) or not isinstance(rows, list) or not all(map(_is_row, rows)):
            raise _damaged(record, "it is not a result of napari-segcam batch")
        # Only the name is taken, so that no record can put a file from elsewhere into the report.
        sheet = record.with_name(Path(str(content["sheet"])).name) if content.get("sheet") else None
        truth, frames = content.get("truth"), content.get("frames")
        yield ReportedImage(
            content["image"],
            truth if isinstance(truth, str) else None,
            frames if isinstance(frames, int) else 1,
            tuple(rows),
            sheet if sheet is not None and sheet.is_file() else None,
        )


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and all(key in row for key in _ROW_KEYS)


def _failures(path: Path) -> list[Failure]:
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
        raise _damaged(path, " ".join(str(error).split())) from error
    if not isinstance(content, dict):
        raise _damaged(path, "it is not a JSON object")
    return content


def _damaged(path: Path, fault: str) -> SegcamError:
    remedy = "Run the batch anew" if path.name == "run.json" else "Delete its folder and give the batch command again"
    return SegcamError(f"{path} cannot be read: {fault.rstrip('.')}. {remedy}.")


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key that puts ``frame_2`` before ``frame_10``."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]
