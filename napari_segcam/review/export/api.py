"""The export as one call with plain arguments."""

from __future__ import annotations

import os
from collections.abc import Sequence

from napari_segcam.review.export.exporting import Exported, write_export
from napari_segcam.review.export.options import ExportOptions


def export_review(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    format: str = "png",
    *,
    verdicts: Sequence[str] = ("accept", "correct"),
    rater: str | None = None,
    classes: Sequence[str] = (),
    checkpoint: str = "A",
    repeats: bool = False,
    file_ending: str = ".png",
    images: str | os.PathLike[str] | None = None,
) -> list[Exported]:
    """Write the frames that raters have accepted or corrected as image–mask pairs with their provenance.

    Args:
        folder: of the review project.
        out: the folder to make; each rater gets one in it if several raters are exported.
        format: ``"png"``, ``"nifti"``, ``"nnunet"`` (v2, raw), ``"coco"`` or ``"dicom"``.
        verdicts: which frames: some of ``"accept"``, ``"correct"`` and ``"reject"``.
        rater: whose; all raters by default.
        classes: names; all classes by default.
        checkpoint: whose masks were judged.
        repeats: whether second readings are exported too.
        file_ending: of the files of nnU-Net: ``".png"`` or ``".nii.gz"``.
        images: where the images lie now, if they were moved.

    Returns:
        For each rater the folder, how many frames were written, and why others were left out.

    Raises:
        SegcamError: as ``write_export``; then nothing is written.
    """
    options = ExportOptions(format, tuple(verdicts), rater or "", tuple(classes), checkpoint, repeats, file_ending)
    return write_export(folder, out, options, images=images)
