"""Exporting: settled frames become a folder that is complete, or is not there."""

from __future__ import annotations

import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import replace_file, safe_name
from napari_segcam.review.export.class_labels import chosen_labels, classes_of
from napari_segcam.review.export.formats.coco_format import CocoWriter
from napari_segcam.review.export.formats.dicom_format import NO_DICOM, DicomWriter, is_dicom_case
from napari_segcam.review.export.formats.nifti_format import NiftiWriter
from napari_segcam.review.export.formats.nnunet_format import NnunetWriter
from napari_segcam.review.export.formats.png_format import PngWriter
from napari_segcam.review.export.formats.writer import Writer
from napari_segcam.review.export.options import ExportOptions
from napari_segcam.review.export.pairs import read_pairs
from napari_segcam.review.export.provenance import provenance_row, write_provenance
from napari_segcam.review.export.selection import ReviewedFrame, select
from napari_segcam.review.predictions import Predictor
from napari_segcam.review.project import open_project
from napari_segcam.review.report.collecting import RaterWork, Review, collect
from napari_segcam.review.report.masks import corrected

Progress = Callable[[int, int], bool]
"""Called with how many frames are written, and of how many; returns whether to go on."""


class ExportCancelledError(SegcamError):
    """The user has stopped the export; nothing of it is left."""


@dataclass(frozen=True)
class Exported:
    """What one rater's frames became.

    Attributes:
        rater: the name.
        folder: of the files.
        frames: how many pairs were written.
        classes: their labels.
        left_out: how many frames were left out, by reason.
        warnings: what could not be read, or is not as the raters saw it, in words.
    """

    rater: str
    folder: Path
    frames: int
    classes: Mapping[str, int]
    left_out: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def write_export(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: ExportOptions | None = None,
    *,
    images: str | os.PathLike[str] | None = None,
    progress: Progress = lambda _done, _total: True,
) -> list[Exported]:
    """Write the frames that raters settled as image–mask pairs; accepted masks are computed again by the checkpoint.

    Args:
        folder: of the review project.
        out: the folder to make; each rater gets one in it if several raters are exported.
        options: which frames, and how.
        images: where the images lie now, if they were moved.
        progress: see ``Progress``.

    Returns:
        One item for each rater who settled a frame.

    Raises:
        SegcamError: if the folder is not a review project, ``out`` has files in it, nothing is to be exported, an image
            or the checkpoint is missing or was changed, or a file cannot be written. Then nothing is written.
        ExportCancelledError: if ``progress`` stops it.
    """
    options, target = options or ExportOptions(), Path(out)
    _refuse_filled(target)
    review = collect(open_project(Path(folder), None if images is None else Path(images)))
    works = _chosen(review, options.rater)
    selected = {work.rater: select(review, work, options) for work in works}
    if options.format == "dicom":
        selected = _of_dicom_cases(review, selected)
    total = sum(len(frames) for frames, _ in selected.values())
    if not total:
        raise SegcamError(f"No frame is to be exported. {_reasons(selected)}")
    filled = [work for work in works if selected[work.rater][0]]
    predictor = Predictor(review.project, options.checkpoint)
    done = 0

    def count() -> None:
        nonlocal done
        if not progress(done, total):
            raise ExportCancelledError(f"{target} is not made: you stopped it.")
        done += 1

    labels = _labels(filled, selected, predictor, options)
    exported = []
    with _whole_folder(target) as temporary:
        for work in filled:
            frames, left_out = selected[work.rater]
            part = "." if len(filled) == 1 else safe_name(work.rater)
            warnings = list(review.warnings)
            _write(review, work, (frames, left_out), temporary / part, labels, options, predictor, warnings, count)
            exported.append(Exported(work.rater, target / part, len(frames), labels, left_out, tuple(warnings)))
        progress(total, total)
    return exported


Selected = tuple[list[ReviewedFrame], Counter[str]]
"""What is exported, and how many frames are left out for which reason."""


def _labels(
    works: Sequence[RaterWork], selected: Mapping[str, Selected], predictor: Predictor, options: ExportOptions
) -> Mapping[str, int]:
    """Return the labels of the classes to export, which are the same for all raters."""
    frames = [(work, frame) for work in works for frame in selected[work.rater][0]]
    painted = (corrected(work, event) for work, frame in frames for event in frame.corrections.values())
    predicted = predictor.class_names if any(frame.needs_prediction(options.classes) for _, frame in frames) else ()
    return chosen_labels(classes_of(predicted, (mask for mask in painted if mask is not None)), options.classes)


def _write(
    review: Review,
    work: RaterWork,
    selected: Selected,
    folder: Path,
    labels: Mapping[str, int],
    options: ExportOptions,
    predictor: Predictor,
    warnings: list[str],
    on_frame: Callable[[], None],
) -> None:
    """Write the pairs of one rater."""
    frames, left_out = selected
    order = {case.id: number for number, case in enumerate(review.project.cases)}
    frames = sorted(frames, key=lambda frame: (order[frame.case.id], frame.reading.repeat, frame.frame))
    folder.mkdir(parents=True, exist_ok=True)
    writer = _writer(folder, labels, options, review, work)
    rows = []
    for pair in read_pairs(review, work, frames, options.classes, predictor, warnings, on_frame):
        written = writer.write(pair)
        rows.append(provenance_row(work, pair, written, predictor))
    writer.finish()
    write_provenance(folder, review, work, options, labels, rows, left_out, warnings, datetime.now(UTC))


def _of_dicom_cases(review: Review, selected: Mapping[str, Selected]) -> dict[str, Selected]:
    """Return what is exported without the frames of images that are no DICOM files, which are counted as left out."""
    ids = {frame.case.id for frames, _ in selected.values() for frame in frames}
    fitting = {case for case in ids if is_dicom_case(review.project, review.cases[case])}
    kept = {}
    for rater, (frames, left_out) in selected.items():
        own = [frame for frame in frames if frame.case.id in fitting]
        others = Counter({NO_DICOM: len(frames) - len(own)}) if len(own) < len(frames) else Counter()
        kept[rater] = own, left_out + others
    return kept


def _writer(folder: Path, labels: Mapping[str, int], options: ExportOptions, review: Review, work: RaterWork) -> Writer:
    match options.format:
        case "nifti":
            return NiftiWriter(folder, labels)
        case "nnunet":
            return NnunetWriter(folder, labels, options.file_ending)
        case "coco":
            return CocoWriter(folder, labels)
        case "dicom":
            return DicomWriter(folder, labels, review.project, work, review.project.checkpoint(options.checkpoint))
    return PngWriter(folder, labels)


def _chosen(review: Review, rater: str) -> list[RaterWork]:
    works = [work for work in review.raters if not rater or work.rater.casefold() == rater.casefold()]
    if not works:
        known = ", ".join(work.rater for work in review.raters)
        if not known:
            raise SegcamError("Nobody has read this project yet, so there is nothing to export.")
        raise SegcamError(f"No rater is named “{rater}”. The raters are: {known}.")
    return works


def _reasons(selected: Mapping[str, Selected]) -> str:
    reasons: Counter[str] = Counter()
    for _, left_out in selected.values():
        reasons += left_out
    return "; ".join(f"{count} frames: {reason}" for reason, count in reasons.most_common()) + "."


def _refuse_filled(out: Path) -> None:
    try:
        is_filled = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise SegcamError(f"{out} cannot be read: {error_text(error)}.") from error
    if is_filled:
        raise SegcamError(f"{out} is not an empty folder. Give another one with --out; nothing is overwritten.")


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``out``, which takes its place if all goes well, and is removed if not.

    Raises:
        SegcamError: if it cannot be made there.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = out.with_name(f".{out.name}-{uuid.uuid4().hex[:8]}.part")
        temporary.mkdir()
    except OSError as error:
        raise SegcamError(f"{out} cannot be made: {error_text(error)}.") from error
    try:
        yield temporary
        try:
            if out.exists():
                out.rmdir()  # it is empty, or this fails
            replace_file(temporary, out)
        except OSError as error:
            raise SegcamError(f"{out} cannot be made: {error_text(error)}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
