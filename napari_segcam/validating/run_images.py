"""The images of a run where the run has read them, if they are still there."""

from __future__ import annotations

from pathlib import Path

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.file_part import file_part
from napari_segcam.reporting.report.finished_run import FinishedRun


def image_file(run: FinishedRun, name: str) -> Path | None:
    """Return the file or folder of an image; None if it is not where the run has read it."""
    source = run.part("data").get("source")
    if not isinstance(source, str) or not source:
        return None
    folder = Path(source)
    if folder.suffix.lower() == ".csv" and not folder.is_dir():
        folder = folder.parent
    try:
        path = file_part(folder / name).path
        return path if path.exists() else None
    except (SegcamError, OSError, ValueError):
        return None


def part_free(name: str) -> str:
    """Return the name of an image without what chooses a part of its file."""
    try:
        return file_part(name).path.as_posix()
    except SegcamError:
        return name
