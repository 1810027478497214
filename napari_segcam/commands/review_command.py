"""The commands ``review new | report | export``. ``review PROJECT`` opens the window, which ``cli`` adds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from napari_segcam.commands.network_options import Device, NetworkOptions
from napari_segcam.commands.options import Threshold, stage_names, with_option_groups
from napari_segcam.commands.problem.command_line import CommandLine
from napari_segcam.commands.review_results.export import export
from napari_segcam.commands.review_results.report import report
from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.waits.bars import progress_on
from napari_segcam.commands.waits.stopped import INTERRUPTED, stoppable
from napari_segcam.errors import SegcamError, error_text

OPEN = "open"
"""The command that ``review PROJECT`` stands for."""

_READING = "How the cases are read"


class ReviewGroup(TyperGroup):
    """Commands of which ``open`` may be left out: ``review PROJECT`` is ``review open PROJECT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = [OPEN, *args]
        return super().parse_args(ctx, args)


review = CommandLine(
    cls=ReviewGroup,
    no_args_is_help=True,
    help="Review masks and heatmaps case by case: verdicts, corrections and measurements are kept in a folder.",
)


review.command("report")(report)
review.command("export")(export)


@review.command("new")
@with_option_groups
def new(
    project: Annotated[Path, typer.Argument(metavar="PROJECT", help="The folder to make: NAME.segcam-review.")],
    *,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A folder of images and cines with its subfolders, or a CSV list with a column image."
        ),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="The checkpoint; given several times, an ensemble of all of them."),
    ] = None,
    second: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A second checkpoint, to compare the first with.")
    ] = None,
    title: Annotated[str, typer.Option(metavar="TEXT", help="Default: the name of the folder.")] = "",
    cases: Annotated[
        Literal["files", "folders"],
        typer.Option(help="files: each file is a case. folders: the stills in one folder are a case, read as a cine."),
    ] = "files",
    hide_prediction: Annotated[
        bool,
        typer.Option(
            "--hide-prediction",
            help="Show the prediction after the rater has drawn or answered.",
            rich_help_panel=_READING,
        ),
    ] = False,
    hide_heatmaps: Annotated[
        Literal["never", "until-verdict", "always"],
        typer.Option(help="Whether the heatmaps are hidden.", rich_help_panel=_READING),
    ] = "never",
    shuffle: Annotated[
        int | None,
        typer.Option(metavar="SEED", help="Shuffle the cases, for each rater differently.", rich_help_panel=_READING),
    ] = None,
    repeats: Annotated[
        int,
        typer.Option(
            metavar="COUNT",
            help="Mix so many cases in a second time, to see how well a rater agrees with herself.",
            min=0,
            rich_help_panel=_READING,
        ),
    ] = 0,
    reasons: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Why a mask can be rejected, separated by commas, or a .txt file with one in each line. Default: "
            "false positive, missed, wrong extent, artifact, not assessable.",
            rich_help_panel=_READING,
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="Method of the heatmaps.", rich_help_panel=_READING)
    ] = "gradcam",
    stages: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="all, main, encoder, decoder, or names separated by commas.",
            rich_help_panel=_READING,
        ),
    ] = "main",
    threshold: Threshold = None,
    device: Device = "auto",
    network: NetworkOptions,
) -> None:
    """Make a review project: the list of cases with their checksums, the checkpoint with its card, and the settings."""
    from napari_segcam.network.source import ModelSource
    from napari_segcam.review.creating import CancelledError, create_project
    from napari_segcam.review.project_file import make_settings

    if images is None or not model:
        missing = "--images DIR" if images is None else "--model FILE"
        raise SegcamError(f"{missing} is missing: napari-segcam review new PROJECT --images DIR --model FILE.")
    chosen_stages = stage_names(stages)
    settings = make_settings(
        **({} if reasons is None else {"reasons": _reasons(reasons)}),
        hide_prediction=hide_prediction,
        hide_heatmaps="until verdict" if hide_heatmaps == "until-verdict" else hide_heatmaps,
        shuffle_seed=shuffle,
        repeats=repeats,
        threshold=threshold,
        method=method,
        stages=chosen_stages if isinstance(chosen_stages, str) else tuple(chosen_stages),
    )
    models = [network.source(model, device), *([] if second is None else [ModelSource.of(second)])]
    console = Console(stderr=True)
    with stoppable(console) as stop, progress_on(console) as bar:

        def progress(done: int, total: int) -> bool:
            task = bar.task_ids[0] if bar.task_ids else bar.add_task("Cases")  # no bar before the first case
            bar.update(task, completed=done, total=total)
            return not stop.is_set()

        try:
            made = create_project(
                project, images, models, settings, title=title, folders_are_cines=cases == "folders", progress=progress
            )
        except CancelledError as error:
            bar.stop()
            console.print(f"{error} The same command begins again.", markup=False)
            raise typer.Exit(INTERRUPTED) from None
    _summarize(made, PlainConsole())


def _summarize(made: Any, console: Console) -> None:
    problems = [case for case in made.cases if case.problem]
    console.print(f"[bold]{escape(str(made.folder))}[/bold]: {len(made.cases)} cases", highlight=False, soft_wrap=True)
    for case in problems:
        console.print(f"  {escape(case.name)}: {escape(case.problem)}", highlight=False, soft_wrap=True)
    if problems:
        console.print(f"{len(problems)} of them cannot be opened; they stay in the list as problems.", highlight=False)
    console.print(f"Open it: napari-segcam review {escape(str(made.folder))}", highlight=False, soft_wrap=True)


def _reasons(text: str) -> tuple[str, ...]:
    """Return the reasons in a list or a file of them.

    Raises:
        SegcamError: if the file cannot be read, or a reason is empty, too long or there twice.
    """
    path = Path(text)
    if path.suffix.lower() == ".txt":
        try:
            names = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SegcamError(f"The reasons in {path} cannot be read: {error_text(error)}.") from error
    else:
        names = text.split(",")
    return tuple(name.strip() for name in names if name.strip())
