"""What a session writes: exports of the chosen image, batches over a folder, corrections and model cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.jobs.export_job import Export, export_job
from napari_segcam.viewer.jobs.folder_job import FolderRun, folder_job, options_from_plan, options_in_words
from napari_segcam.viewer.jobs.network_jobs import card_job, corrections_job
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.mendable_errors import show_error, show_warning
from napari_segcam.viewer.review.requirements import LOAD_FIRST
from napari_segcam.viewer.review.session import ReviewSession

if TYPE_CHECKING:  # torch comes with it: it is imported in the worker, where nobody waits for it
    from napari_segcam.batch.options import ExplainOptions
    from napari_segcam.network.model_card import ModelCard


_last_exports: WeakKeyDictionary[ReviewSession, Path] = WeakKeyDictionary()


def last_export(session: ReviewSession) -> Path | None:
    """Return the folder of the last export of a session that has come to its end; None if there was none."""
    return _last_exports.get(session)


def export_frames(session: ReviewSession, export: Export) -> None:
    """Write frames of the chosen image to files, with the current mask threshold."""
    review = session.review
    plan = None if review is None else review.results.shown
    if review is None or plan is None:
        show_warning("Nothing has been computed of this image yet: run Segmentation or Grad-CAM first.")
        return
    corrections = review.corrections.copies(export.frames)
    other_classes = review.corrections.copies_of_other_classes(export.frames)
    plan = review.corrections.plan_for(replace(plan, threshold=session.threshold), corrections)

    def then() -> None:
        review.corrections.mark_saved(corrections, other_classes)
        _last_exports[session] = export.folder

    session.background.start(
        lambda cancelled: export_job(plan, export, corrections, other_classes, cancelled),
        then,
    )


def run_folder(session: ReviewSession, run: FolderRun) -> None:
    """Explain all images of a folder as the chosen image is explained; refused if that is not possible."""
    network, source = session.network, session.source
    if network is None:
        show_warning(LOAD_FIRST)
        return
    if (hidden := session.reviews.hiding.reason_of_heat(session.image)) is not None:
        show_warning(hidden)  # the folder may hold this image
        return
    try:
        options = _options(session)
    except SegcamError as fault:
        show_warning(str(fault))
        return
    session.background.start(lambda cancelled: folder_job(run, network, source, options, cancelled))


def folder_run_preview(session: ReviewSession) -> tuple[bool, str]:
    """Return whether a folder can be run now, and in words what is done to each image, or why it cannot."""
    if session.network is None:
        return False, LOAD_FIRST
    if (hidden := session.reviews.hiding.reason_of_heat(session.image)) is not None:
        return False, hidden
    try:
        return True, options_in_words(_options(session), session.network)
    except SegcamError as fault:
        return False, str(fault)


def write_corrections(
    session: ReviewSession,
    folder: Path,
    layers: Sequence[CorrectionLayer] | None = None,
    then: Callable[[], object] = lambda: None,
) -> None:
    """Write corrections to files.

    Args:
        session: whose images they correct.
        folder: to write to.
        layers: of corrections; None for those of all images.
        then: called when they are on disk.
    """
    layers = session.reviews.corrections() if layers is None else layers
    if not layers:
        show_warning("There are no corrections yet: paint over a mask first.")
        return
    job = corrections_job(folder, [(layer, layer.taken(sorted(layer.frames))) for layer in layers], then)
    job.on_done = lambda error: None if error is None else show_error(error)
    session.submit(job)  # beside the job in the foreground, which it must not cancel


def write_card(session: ReviewSession, card: ModelCard, path: Path, then: Callable[[str | None], None]) -> None:
    """Write a card of the loaded network; ``then`` is called with what failed, or None."""
    if session.network is not None:
        session.start_job(card_job(session.network, card, path, then))


def bring_back_corrections(session: ReviewSession) -> None:
    """Add the layers of corrections that the user has removed to the viewer again."""
    for layer in session.reviews.corrections():
        layer.bring_back()


def _options(session: ReviewSession) -> ExplainOptions:
    return options_from_plan(None if session.review is None else session.review.plan, session.threshold)
