"""The command ``review export``: the frames that raters settled, as data to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_segcam.commands.review_results.report import Images, Project
from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.waits.bars import progress_on
from napari_segcam.commands.waits.stopped import INTERRUPTED, stoppable
from napari_segcam.errors import SegcamError

_NAMES_TELL = "The files have the names of the images: if these identify patients, so does this folder."


def export(
    project: Project,
    *,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder to make.")] = None,
    format: Annotated[
        Literal["png", "nifti", "nnunet", "coco", "dicom"],
        typer.Option(
            help="png: images and masks. nifti: the same with pixel spacing. nnunet: nnU-Net v2's raw layout. coco: "
            "one annotation a region. dicom: a segmentation and a report of each case, in the patient's study."
        ),
    ] = "png",
    verdict: Annotated[
        str, typer.Option(metavar="NAMES", help="Which frames: accept, correct, reject, separated by commas.")
    ] = "accept,correct",
    rater: Annotated[
        str, typer.Option(metavar="NAME", help="Whose. Default: all raters, each in a folder of their own.")
    ] = "",
    class_names: Annotated[
        str, typer.Option("--class", metavar="NAMES", help="Which classes, separated by commas. Default: all.")
    ] = "",
    checkpoint: Annotated[str, typer.Option(metavar="NAME", help="Whose masks were judged: A or B.")] = "A",
    repeats: Annotated[bool, typer.Option("--repeats", help="Export second readings too.")] = False,
    file_ending: Annotated[
        Literal[".png", ".nii.gz"], typer.Option(help="Of the files of nnU-Net; NIfTI keeps the pixel spacing.")
    ] = ".png",
    images: Images = None,
) -> None:
    """Write reviewed frames as image–mask pairs: the prediction where it was accepted, else the rater's correction.

    Frames that nobody judged are never written; provenance.csv says where each mask comes from.
    """
    from napari_segcam.review.export.exporting import ExportCancelledError, write_export
    from napari_segcam.review.export.options import ExportOptions

    if out is None:
        raise SegcamError(f"--out DIR is missing: napari-segcam review export {project} --out DIR --format {format}.")
    options = ExportOptions(
        format, _names(verdict), rater.strip(), _names(class_names), checkpoint, repeats, file_ending
    )
    console = PlainConsole(stderr=True)
    with stoppable(console) as stop, progress_on(console) as bar:

        def progress(done: int, total: int) -> bool:
            task = bar.task_ids[0] if bar.task_ids else bar.add_task("Frames")  # no bar before the first frame
            bar.update(task, completed=done, total=total)
            return not stop.is_set()

        try:
            exported = write_export(project, out, options, images=images, progress=progress)
        except ExportCancelledError as error:
            bar.stop()
            console.print(f"{error} The same command begins again.", markup=False)
            raise typer.Exit(INTERRUPTED) from None
    plain = PlainConsole()
    for warning in dict.fromkeys(warning for one in exported for warning in one.warnings):
        console.print(f"Warning: {warning}", soft_wrap=True, markup=False, highlight=False)
    for one in exported:
        classes = ", ".join(f"{label} {name}" for name, label in one.classes.items())
        frames = f"{one.frames} frame{'' if one.frames == 1 else 's'}"
        plain.print(f"{one.folder}: {frames} of {one.rater}; labels: {classes}", soft_wrap=True, markup=False)
        for reason, count in one.left_out.items():
            plain.print(f"  left out: {count}, {reason}", soft_wrap=True, markup=False)
    plain.print(_NAMES_TELL, soft_wrap=True)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
