"""Explaining a cine from the command line: files in a folder, progress, and an estimate before what takes long."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from napari_segcam.commands.evidence import EvidenceTable
from napari_segcam.commands.terminal import duration, progress_on, stoppable
from napari_segcam.errors import SegcamError, error_text

if TYPE_CHECKING:
    from rich.progress import Progress

    from napari_segcam.batch.analysis import Analysis
    from napari_segcam.batch.options import ExplainOptions
    from napari_segcam.batch.truth import Truth
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.imaging.cine import Cine
    from napari_segcam.network.network import Network
    from napari_segcam.reporting.clip import Clip
    from napari_segcam.reporting.overlay_style import OverlayStyle


def explain_cine(
    network: Network,
    cine: Cine,
    numbers: Sequence[int],
    options: ExplainOptions,
    out: Path,
    console: Console,
    truth: Truth | None = None,
    *,
    look: OverlayStyle | None = None,
    movies: Sequence[str] = (),
    typed: Mapping[str, Any] | None = None,
    evidence_draws: int | None = None,
) -> bool:
    """Write what was wished of these frames, and the attention figures of all; whether it came to its end.

    Ctrl-C stops between two runs of the network. What is written by then is whole, the attention figures included.

    Args:
        network: that explains.
        cine: whose frames are explained.
        numbers: of the frames.
        wishes: methods, classes, stages and the like.
        out: the folder to write to.
        console: to report on.
        truth: that goes with the cine.
        look: how heatmaps are drawn.
        movies: stages that also become a movie, one for each method and class.
        options: what the user typed, in plain values, for the provenance.
        evidence_draws: of the null of faithfulness; None to measure no evidence.

    Raises:
        SegcamError: if a wish does not go with the network or the cine, or the folder cannot be written to.
    """
    from napari_segcam.batch.analysis import Analysis
    from napari_segcam.reporting.cine_source import CineSource
    from napari_segcam.reporting.exports import attention_rows, write_attention, write_frame
    from napari_segcam.reporting.overlay_style import OverlayStyle

    look = look or OverlayStyle()
    rows: list[dict[str, Any]] = []
    done = 0
    with stoppable(console) as stop, progress_on(console) as progress:
        task = progress.add_task("Estimating", total=None)
        analysis = Analysis(network, options, lambda runs: progress.advance(task, runs), stop.is_set)
        # The first target is refused, if it must be, before anything takes long; so are stages and the folder.
        if truth is not None:
            truth.check(cine)
        analysis.target(analysis.classes[0], truth.mask(numbers[0], analysis.classes[0]) if truth else None)
        clips = _Clips(analysis, movies)
        _refuse_unwritable(out)
        source = CineSource.of(cine)
        runs = _announce(analysis, cine, numbers, console)
        evidence = EvidenceTable(analysis, cine, evidence_draws, progress, stop.is_set) if evidence_draws else None
        progress.reset(task, total=runs * len(numbers) * len(analysis.classes), description="Explaining")
        for number, explained in groupby(analysis.explanations(cine, numbers, truth), itemgetter(0)):
            written = write_frame(
                out / f"frame_{number:04d}" if len(numbers) > 1 else out,
                cine[number],
                (explanation for _, explanation in explained),
                look,
                by_method=len(options.methods) > 1,
                by_class=len(analysis.classes) > 1,
                source=source,
                number=number,
                options=typed,
                evidence_of=partial(evidence.of, number) if evidence else lambda _explanation: None,
            )
            if done == 0 and written[0].no_mask is not None:
                _print_classes(number, written[0], console)
            for explanation in written:
                rows += attention_rows(number, explanation)
                clips.enter(number, explanation)
            done += len(written)
        write_attention(out / "attention.csv", rows)
        if evidence:
            evidence.write(out)
        asked = len(numbers) * len(analysis.classes) * len(options.methods)
        is_whole = done == asked and clips.write(out / "movies", cine, look, progress, stop)
    if len(numbers) == 1:
        _print_attention(rows, console)
        if evidence:
            evidence.show(console)
    stopped = "" if is_whole else f"Stopped: {done} of {asked} explanations are whole. "
    console.print(f"{stopped}Written to {out.resolve()}", soft_wrap=True, markup=False)
    return is_whole


class _Clips:
    """The movies that are wished for: one per stage, method and class.

    Raises:
        SegcamError: if no method explains one of the stages.
    """

    def __init__(self, analysis: Analysis, stages: Iterable[str]) -> None:
        from napari_segcam.network.stages.stage import aliases

        full_names = aliases(analysis.network.stages)
        self._stages = list(dict.fromkeys(full_names.get(stage, stage) for stage in stages))
        explained = list(dict.fromkeys(stage.name for one in analysis.explainers for stage in one.stages))
        for stage in self._stages:
            if stage not in explained:
                raise SegcamError(
                    f"There can be no movie of {stage}, which is not explained. Choose from: {', '.join(explained)}; "
                    "or name it in --stages too."
                )
        self._clips: dict[tuple[str, int | None, str], Clip] = {}

    def enter(self, number: int, explanation: Explanation) -> None:
        from napari_segcam.reporting.clip import Clip

        for stage in self._stages:
            if stage in explanation.heatmaps:  # a method may have a stage of its own
                key = (explanation.method, explanation.target.class_index, stage)
                self._clips.setdefault(key, Clip(stage)).enter(number, explanation)

    def write(self, folder: Path, cine: Cine, look: OverlayStyle, progress: Progress, stop: threading.Event) -> bool:
        """Write all movies; whether the user let it come to its end."""
        task = progress.add_task("Movies", total=sum(map(len, self._clips.values())), visible=bool(self._clips))
        for clip in self._clips.values():
            with closing(clip.written(folder, cine, look)) as frames:
                for _ in frames:
                    progress.advance(task)
                    if stop.is_set():
                        return False
        return True


def _refuse_unwritable(folder: Path) -> None:
    """Raise a SegcamError now if nothing can be written to a folder, rather than after the first explanation."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegcamError(f"{folder} cannot be written to: {error_text(error)}.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SegcamError(f"{folder} cannot be written to: Permission denied.")


def _announce(analysis: Analysis, cine: Cine, numbers: Sequence[int], console: Console) -> int:
    """Say beforehand what slow methods will take; runs of the network for each frame and class."""
    from napari_segcam.explanation.registry import SlowMethod
    from napari_segcam.imaging.scan.region import parse_crop

    runs = 0
    for explainer in analysis.explainers:
        if not isinstance(explainer.method, SlowMethod):
            runs += 1
            continue
        crop = parse_crop(analysis.options.crop, cine)
        cost = explainer.estimate(cine[numbers[0]], cine.value_range, crop, cine.pixel_aspect)
        times = len(numbers) * len(analysis.classes)
        console.print(
            f"{explainer.method.title}{_preview(explainer)}: {cost.forwards * times} runs of the network, "
            f"about {duration(cost.seconds * times)}. Ctrl-C stops it."
        )
        runs += cost.forwards
    return runs


def _preview(explainer: Explainer) -> str:
    return ", preview" if getattr(explainer.method, "has_preview", False) and explainer.control.preview else ""


def _print_classes(number: int, explanation: Explanation, console: Console) -> None:
    """The three likeliest classes of a frame that a network classified, which gives no mask to look at."""
    likeliest = sorted(explanation.class_probabilities.items(), key=lambda item: -item[1])[:3]
    console.print(f"Frame {number}: {', '.join(f'{name} {share:.1%}' for name, share in likeliest)}", markup=False)
    console.print(f"No mask: {explanation.no_mask}.")


def _print_attention(rows: Sequence[dict[str, Any]], console: Console) -> None:
    table = Table("class", "method", "stage", "mean", "std", "in / out", title="Attention (raw heat)")
    for row in rows:
        ratio = row["ratio"]
        in_out = f"{ratio:.2f}" if isinstance(ratio, float) else f"undefined: {row['undefined']}"
        mean, std = (f"{row[key]:.3g}" if row[key] is not None else "–" for key in ("mean", "std"))
        table.add_row(*(str(row[key]) for key in ("class", "method", "stage")), mean, std, in_out)
    console.print(table)
