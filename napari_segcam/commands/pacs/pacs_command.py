"""The commands ``pacs search | fetch | send``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import TextColumn

from napari_segcam.commands.pacs.dicom_files import dicom_files
from napari_segcam.commands.pacs.servers_command import add, login, logout, remove, servers
from napari_segcam.commands.problem.command_line import CommandLine
from napari_segcam.commands.terminal import PlainConsole, takes_any_text
from napari_segcam.commands.waits.bars import progress_on
from napari_segcam.commands.waits.stopped import INTERRUPTED, stoppable
from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.client import PacsClient
    from napari_segcam.imaging.dicomweb.fetching import FetchProgress
    from napari_segcam.imaging.dicomweb.found import FoundSeries

pacs = CommandLine(
    no_args_is_help=True,
    help="Search a PACS, fetch from it and send to it, by DICOMweb. Without a configured server, nothing is connected.",
)
for command in (servers, add, remove, login, logout):
    pacs.command()(command)

ServerName = Annotated[
    str | None,
    typer.Option(
        "--server",
        "--url",
        metavar="NAME",
        help="The server: its name as in `pacs servers`, or its URL. Default: the only one that is configured.",
    ),
]
_STATES = {
    "stored": "[green]stored ",
    "present": "[green]present",
    "refused": "[red]refused",
    "unknown": "[yellow]unknown",
    "unsent": "[yellow]unsent ",
}


@pacs.command()
def search(
    *,
    patient_id: Annotated[str, typer.Option(metavar="ID", help="The whole ID; * stands for any characters.")] = "",
    patient_name: Annotated[
        str, typer.Option(metavar="NAME", help="A part of the name, or FAMILY, GIVEN; * stands for any characters.")
    ] = "",
    date: Annotated[
        str,
        typer.Option(
            metavar="DATE",
            help="Of the study: 2026-01-31, 2026-01, 2026-01-01..2026-01-31, 2026-01-01.., today, yesterday, or 7d for "
            "the last 7 days.",
        ),
    ] = "",
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="A part of the description of the study or series.")
    ] = "",
    modality: Annotated[str, typer.Option(metavar="CODE", help="Such as US, or SEG for masks. Default: all.")] = "",
    study: Annotated[str, typer.Option(metavar="UID", help="The study.")] = "",
    series: Annotated[str, typer.Option(metavar="UID", help="The series.")] = "",
    limit: Annotated[int, typer.Option(metavar="COUNT", help="At most so many series.", min=1, max=10000)] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print the series as JSON.")] = False,
    server: ServerName = None,
) -> None:
    """Search for series, the newest first.

    Exit code 0: the search has worked, also if nothing matches; 2: a wrong argument, or the server fails; 130: Ctrl-C.
    """
    console = PlainConsole()
    with _client(server) as client:
        found = client.search(
            patient_id=patient_id,
            patient_name=patient_name,
            date=date,
            description=description,
            modality=modality,
            study_uid=study,
            series_uid=series,
            limit=limit,
        )
        _print_notes(client)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=not takes_any_text(sys.stdout)))
        return
    _print_series(console, found)


@pacs.command()
def fetch(
    uids: Annotated[
        list[str] | None,
        typer.Argument(metavar="UID…", help="Of a study, a series or an instance, as search shows it."),
    ] = None,
    *,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to write to.")] = Path("fetched"),
    study: Annotated[str, typer.Option(metavar="UID", help="A study; the same as UID.")] = "",
    series: Annotated[str, typer.Option(metavar="UID", help="A series; the same as UID.")] = "",
    instance: Annotated[str, typer.Option(metavar="UID", help="An instance; the same as UID.")] = "",
    server: ServerName = None,
) -> None:
    """Fetch files as they are stored. The same command goes on where it was stopped; nothing is overwritten.

    Several series are put into a folder each. Of the options, the most specific counts.

    Exit code 0: all is there; 2: a wrong argument, or the server fails; 130: stopped by Ctrl-C.
    """
    console = PlainConsole()
    wanted = [*(uids or []), *filter(None, [instance or series or study])]
    if not wanted:
        raise SegcamError("Say what to fetch: the UID of a study, a series or an instance, as pacs search shows it.")
    if out.exists() and not out.is_dir():
        raise SegcamError(f"{out} is a file: give a folder with --out.")
    with _client(server) as client:
        found = list(dict.fromkeys(one for uid in wanted for one in client.find(uid)))
        all_series = list(dict.fromkeys(one.series_uid for one in found))
        with progress_on(console, TextColumn("{task.fields[size]}")) as progress:
            task = progress.add_task("Files", total=len(found), size="")
            size, done = 0, 0
            for uid in all_series:
                members = [one for one in found if one.series_uid == uid]
                folder = out / uid if len(all_series) > 1 else out
                before, so_far = done, size

                def report(step: FetchProgress, before: int = before, so_far: int = so_far) -> None:
                    received = f"{(so_far + step.received) / 1e6:.1f} MB"
                    progress.update(task, completed=before + step.done, size=received)

                paths = client.fetch(members, folder, report)
                done += len(paths)
                size += sum(path.stat().st_size for path in paths)
        _print_notes(client)
    files = "1 file" if done == 1 else f"{done} files"
    console.print(f"{files} ({size / 1e6:.1f} MB) in {out.resolve()}", soft_wrap=True, markup=False)


@pacs.command()
def send(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE…", help="DICOM files, or folders of them.")],
    *,
    again: Annotated[bool, typer.Option("--again", help="Send also what the server has already.")] = False,
    server: ServerName = None,
) -> None:
    """Send DICOM files, and say of each what became of it. What the server has already is not sent.

    Exit code 0: the server has all; 1: it has not; 2: a wrong argument; 130: stopped by Ctrl-C.
    """
    console = PlainConsole()
    files, others = dicom_files(paths)
    if others:
        console.print(f"{others} other files in these folders are no DICOM: they are not sent.")
    with _client(server) as client, progress_on(console) as progress:
        task = progress.add_task("Files", total=len(files))

        def report(sent: object, done: int, _total: int) -> None:
            state, path, reason = (getattr(sent, name) for name in ("state", "path", "reason"))
            text = f"{_STATES[state]}[/] {escape(str(path))}{': ' if reason else ''}{escape(reason)}"
            progress.console.print(text, soft_wrap=True)
            progress.update(task, completed=done)

        results = client.send(files, report, again=again)
        _print_notes(client)
    there = sum(result.is_there for result in results)
    console.print(f"{client.server.title} has {there} of {len(results)} files.", markup=False)
    raise typer.Exit(0 if there == len(results) else 1)


@contextmanager
def _client(name: str | None) -> Iterator[PacsClient]:
    """Give a client that Ctrl-C cancels."""
    from napari_segcam.imaging.dicomweb.client import PacsClient
    from napari_segcam.imaging.dicomweb.servers import find_server
    from napari_segcam.imaging.dicomweb.watch import CancelledError

    found = find_server(name)
    with stoppable(Console(stderr=True), "Stopping …") as stop, PacsClient(found, cancelled=stop.is_set) as client:
        if found.is_unsafe:
            _print_notes(client)
            client.notes.clear()
        try:
            yield client
        except CancelledError:
            Console(stderr=True).print("Stopped; the same command goes on.")
            raise typer.Exit(INTERRUPTED) from None


def _print_notes(client: PacsClient) -> None:
    for note in client.notes:
        PlainConsole(stderr=True).print(f"[yellow]{escape(note)}", soft_wrap=True)


def _print_series(console: Console, found: list[FoundSeries]) -> None:
    """Print series under their studies."""
    study = None
    for series in found:
        if series.study_uid != study:
            study = series.study_uid
            person = series.patient_name or "(no name)"
            details = ", ".join(filter(None, [series.patient_id, series.birth_date and f"born {series.birth_date}"]))
            when = " ".join(filter(None, [series.date, series.time])) or "(no date)"
            about = f" · {series.study_description}" if series.study_description else ""
            console.print(f"[bold]{escape(f'{when} · {person} ({details}){about}')}", soft_wrap=True)
            console.print(f"  study {study}", markup=False, highlight=False, soft_wrap=True)
        words = [series.modality or "?", series.series_description]
        if series.instances is not None:
            words.append(f"{series.instances} {'instance' if series.instances == 1 else 'instances'}")
        console.print(f"    {' · '.join(filter(None, words))}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"    series {series.series_uid}", markup=False, highlight=False, soft_wrap=True)
    count = len(found)
    console.print(f"{count} series." if count else "Nothing matches.", highlight=False)
