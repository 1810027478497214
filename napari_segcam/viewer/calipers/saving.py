"""Measurements as rows of a table, and the job that writes them to a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

from napari.layers import Image

from napari_segcam.measuring.table import FILE, measurement_row, write_measurements
from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.mendable_errors import show_error, show_info
from napari_segcam.viewer.review.losses import OtherWork
from napari_segcam.viewer.worker.background import Progress
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


def rows_of(
    controller: CalipersController, image: Image, frames: Collection[int] | None = None
) -> list[dict[str, Any]]:
    """Return the measurements of an image as rows of a table; of these frames alone, if they are given."""
    path = LayerSource.from_layer(image).path
    return [
        measurement_row(each, image.name, "" if path is None else str(path))
        for each in controller.of(image)
        if frames is None or each.frame in frames
    ]


def save_table(
    session: ReviewSession,
    controller: CalipersController,
    path: Path,
    then: Callable[[], object] = lambda: None,
) -> None:
    """Write all measurements of all images to a CSV file, in the worker; ``then`` is called once they are on disk."""
    images = [image for image in controller.images() if image in session.viewer.layers]
    rows = [row for image in images for row in rows_of(controller, image)]
    count = len(rows)

    def work() -> Iterator[Progress]:
        write_measurements(path, rows)
        yield Progress(1, 1, f"Written to {path}")

    def on_done(error: str | None) -> None:
        if error is not None:
            show_error(error)
            return
        controller.mark_saved(images)
        show_info(f"{count} measurement{'s' * (count != 1)} written to {path}.")
        then()

    job = Job("measurements", "Writing the table of measurements", work)
    job.on_done = on_done
    session.submit(job)


def unsaved_measurements(session: ReviewSession, controller: CalipersController) -> OtherWork:
    """Return what a user would lose of the measurements by closing the window, and how to save it."""
    of_session = ref(session)

    def save(folder: Path, then: Callable[[], object]) -> None:
        session = of_session()
        if session is not None:
            save_table(session, controller, folder / FILE, then)

    return OtherWork(controller.unsaved, save)
