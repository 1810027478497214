"""The command ``deidentify``: copies without the patient's identity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.waits.bars import progress_on
from napari_segcam.commands.waits.stopped import INTERRUPTED, stoppable
from napari_segcam.number_format import counted

if TYPE_CHECKING:
    from napari_segcam.deidentifying.records import CopyRecord
    from napari_segcam.deidentifying.run import DeidentificationLog

_SOME_REFUSED = 1


def deidentify(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A DICOM file, a still, a video, or a folder with subfolders.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write; for a folder, a folder that is new or empty.")
    ],
    *,
    region: Annotated[
        str,
        typer.Option(
            metavar="BOX",
            help="The pixels that stay; all others become black: auto (the scan), LEFT,TOP,RIGHT,BOTTOM in pixels, or "
            "none (all stay, with what is written beside the scan).",
        ),
    ] = "auto",
    dates: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="remove, or shift: all dates of a patient move into the past by the same number of days, and times of "
            "day stay.",
        ),
    ] = "remove",
    mapping: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write old and new UIDs and patients to this file, so that later runs agree with this one. It "
            "identifies the patients: keep it safe.",
        ),
    ] = None,
) -> None:
    """Write copies without the patient's identity: clean headers, black around the scan, new names, and a log."""
    from napari_segcam.deidentifying.options import DeidentifyOptions
    from napari_segcam.deidentifying.run import deidentify

    console = PlainConsole()
    options = DeidentifyOptions(region, dates, mapping)  # type: ignore[arg-type]  # it checks the word
    with stoppable(console, "Stopping …") as stop, progress_on(console) as progress:
        task = progress.add_task("De-identifying", total=None, visible=False)
        log = deidentify(
            source,
            out,
            options,
            lambda done, total, _words: progress.update(task, completed=done, total=total, visible=True),
            stop.is_set,
        )
    _print(log, console)
    if mapping is not None:
        console.print(f"The mapping identifies the patients: keep {mapping} safe.", soft_wrap=True, markup=False)
    if not log.is_complete:
        raise typer.Exit(INTERRUPTED)
    if log.refusals:
        raise typer.Exit(_SOME_REFUSED)


def _print(log: DeidentificationLog, console: PlainConsole) -> None:
    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False, highlight=False)

    for record in log.copies:
        say(f"{record.copy}: {_summary(record)}")
        for line in (record.burned_in, *record.notes):
            if line:
                say(f"  {line}")
    for refusal in log.refusals:
        say(f"Not copied: {refusal.name}: {refusal.message}")
    stopped = "" if log.is_complete else "Stopped; for all of them, give the command again with another place. "
    refused = f", {len(log.refusals)} not copied" if log.refusals else ""
    say(f"{stopped}{len(log.copies)} copied{refused}. What was removed: {log.files[0]}")


def _summary(record: CopyRecord) -> str:
    entries = record.entries
    parts = [
        f"{counted(entries.total('removed', 'emptied'), 'element')} removed",
        f"{entries.total('replaced', 'moved', 'shortened')} replaced",
        counted(entries.total("new UID"), "new UID"),
    ]
    if record.region:
        parts.append(f"pixels kept: {record.region}")
    if record.pixels:
        parts.append(record.pixels)
    if record.kind == "image":
        parts.append(f"BurnedInAnnotation {record.burned_in_annotation or 'left out'}")
    return "; ".join(parts)
