"""Explain the frames of a cine into a folder, with progress, and an estimate before slow methods start."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from napari_segcam.commands.crosscheck_table import CrosscheckTable
from napari_segcam.commands.evidence_table import EvidenceTable
from napari_segcam.commands.movies import Movies
from napari_segcam.commands.terminal import duration
from napari_segcam.commands.waits.bars import progress_on
from napari_segcam.commands.waits.stopped import stoppable
from napari_segcam.errors import SegcamError, error_text

if TYPE_CHECKING:
    from napari_segcam.batch.ground_truth import GroundTruth
    from napari_segcam.batch.options import ExplainOptions
    from napari_segcam.batch.pipeline import ExplainPipeline
    from napari_segcam.commands.dicom.explained_objects import DicomRequest, ExplainedObjects
    from napari_segcam.evidence.measuring import Evidence
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.imaging.cine import Cine
    from napari_segcam.network.network import Network
    from napari_segcam.reporting.overlay_style import OverlayStyle

_log = logging.getLogger(__name__)


def explain_cine(
    network: Network,
    cine: Cine,
    numbers: Sequence[int],
    options: ExplainOptions,
    out: Path,
    console: Console,
    truth: GroundTruth | None = None,
    *,
    style: OverlayStyle | None = None,
    movies: Sequence[str] = (),
    command_options: Mapping[str, Any] | None = None,
    crosscheck: bool = False,
    members: bool = False,
    dicom: DicomRequest | None = None,
) -> bool:
    """Write the explanations of some frames, and the attention figures of all; return whether it finished.

    Ctrl-C stops it between two runs of the network. Files that are written by then are complete, and so are the
    attention figures.

    Args:
        network: explains the frames.
        cine: the cine that is explained.
        numbers: which of its frames.
        options: methods, classes, stages and the like.
        out: the folder to write to.
        console: to print on.
        truth: true masks of the cine.
        style: how heatmaps are drawn.
        movies: stages that become a movie too, one for each method and class.
        command_options: options of the command line, in plain values, for the provenance.
        crosscheck: whether to compute each map with the package grad-cam too, and compare.
        members: whether to write what each member of an ensemble gives too.
        dicom: the DICOM objects to write too; None for none.

    Raises:
        SegcamError: if an option does not suit the network or the cine, or the folder cannot be written to.
    """
    from napari_segcam.batch.pipeline import ExplainPipeline
    from napari_segcam.imaging.scan.region import known_scan
    from napari_segcam.reporting.cine_source import CineSource
    from napari_segcam.reporting.exports import attention_rows, write_attention, write_frame
    from napari_segcam.reporting.overlay_style import OverlayStyle

    style = style or OverlayStyle()
    rows: list[dict[str, Any]] = []
    comparisons: list[str] = []
    finished, start = 0, time.perf_counter()
    with stoppable(console) as stop, progress_on(console) as progress:
        task = progress.add_task("Estimating", total=None, visible=False)
        pipeline = ExplainPipeline(
            network, options, lambda runs: progress.update(task, advance=runs, visible=True), stop.is_set
        )
        # A wrong target, stage or folder is refused before anything takes long.
        if truth is not None:
            truth.check(cine)
        pipeline.target(pipeline.classes[0], pipeline.true_mask(truth, numbers[0], pipeline.classes[0]))
        stage_movies = Movies(pipeline, movies)
        objects = _objects(dicom, pipeline, cine, out, style, stop.is_set)
        _check_writable(out)
        source, scan = CineSource.of(cine), known_scan(cine)
        runs = _print_estimates(pipeline, cine, numbers, console)
        evidence = EvidenceTable(pipeline, cine, numbers, progress, stop.is_set) if options.evidence else None
        check = CrosscheckTable(pipeline, cine, len(numbers), console, progress, stop.is_set) if crosscheck else None
        explainer_names = [explainer.method.name for explainer in pipeline.explainers]
        total_runs = runs * len(numbers) * len(pipeline.classes)
        progress.reset(task, total=total_runs, description="Explaining", visible=True)
        for number, results in groupby(pipeline.explanations(cine, numbers, truth), attrgetter("number")):
            explanations = write_frame(
                out / f"frame_{number:04d}" if len(numbers) > 1 else out,
                cine[number],
                (result.explanation for result in results),
                style,
                by_method=len(options.methods) > 1,
                by_class=len(pipeline.classes) > 1,
                source=source,
                number=number,
                options=command_options,
                evidence_of=_evidence_of(evidence, number, objects),
                members=members,
            )
            if finished == 0:
                _log.info("The first frame was explained and written after %.2f s", time.perf_counter() - start)
            if finished == 0 and explanations[0].no_mask is not None:
                _print_classes(number, explanations[0], console)
            for explanation in explanations:
                comparisons += _comparison(explanation)
                if len(numbers) == 1 and explanation.method == explainer_names[0]:
                    _print_disagreement(explanation, console)
                rows += attention_rows(number, explanation, scan)
                stage_movies.add(number, explanation)
                if check:
                    check.add(number, explanation)
            if objects:
                objects.add(number, explanations)
            finished += len(explanations)
        write_attention(out / "attention.csv", rows)
        if evidence:
            evidence.write(out)
        if check:
            check.write(out)
        total = len(numbers) * len(pipeline.classes) * len(options.methods)
        is_complete = finished == total and stage_movies.write(out / "movies", cine, style, progress, stop)
        if objects and is_complete:
            is_complete = objects.write(progress, stop)
    for comparison, count in Counter(comparisons).items():
        frames = f" in {count} of {len(numbers)} frames" if len(numbers) > 1 else ""
        console.print(f"{comparison}{frames}.", markup=False)
    if len(numbers) == 1:
        _print_attention(rows, console)
        if evidence:
            evidence.show(console)
        else:
            _print_not_measured(pipeline, console)
    if check:
        check.show()
    stopped = (
        ""
        if is_complete
        else f"Stopped: {finished} of {total} explanations are complete. The same command begins again. "
    )
    console.print(f"{stopped}Written to {out.resolve()}", soft_wrap=True, markup=False)
    if objects:
        objects.show(console)
    return is_complete


def _objects(
    dicom: DicomRequest | None,
    pipeline: ExplainPipeline,
    cine: Cine,
    out: Path,
    style: OverlayStyle,
    cancelled: Callable[[], bool],
) -> ExplainedObjects | None:
    """Return what collects the DICOM objects; None if none are wanted."""
    if dicom is None:
        return None
    from napari_segcam.commands.dicom.explained_objects import ExplainedObjects

    return ExplainedObjects(dicom, pipeline, cine, out, style, cancelled)


def _evidence_of(
    evidence: EvidenceTable | None, number: int, objects: ExplainedObjects | None
) -> Callable[[Explanation], Evidence | None]:
    """Return what measures the evidence of a frame's explanations."""
    if evidence is None:
        return lambda _explanation: None
    measured = partial(evidence.of, number)
    return measured if objects is None else objects.noting(measured)


def _check_writable(folder: Path) -> None:
    """Raise a SegcamError if a folder cannot be written to: now, not after the first explanation."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegcamError(f"{folder} cannot be written to: {error_text(error)}.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SegcamError(f"{folder} cannot be written to: Permission denied.")


def _print_estimates(pipeline: ExplainPipeline, cine: Cine, numbers: Sequence[int], console: Console) -> int:
    """Print how long slow methods and images in tiles take; return the runs of the network for each frame and class."""
    from napari_segcam.explanation.prediction import tiles_of
    from napari_segcam.explanation.registry import SlowMethod
    from napari_segcam.explanation.tiles.cost import TiledCost
    from napari_segcam.imaging.scan.region import crop_for

    runs, frame, crop = 0, cine[numbers[0]], crop_for(pipeline.options.crop, cine)
    tiles = tiles_of(pipeline.network, frame.shape, crop, cine.pixel_aspect)
    if tiles is not None:
        words = f"The image runs in {tiles.words}: {tiles.reason}. {tiles.caution}".rstrip()
        console.print(words, soft_wrap=True, markup=False)
    for explainer in pipeline.explainers:
        if not isinstance(explainer.method, SlowMethod) and tiles is None:
            runs += 1
            continue
        cost = explainer.estimate(frame, cine.value_range, crop, cine.pixel_aspect)
        times = len(numbers) * len(pipeline.classes)
        if isinstance(cost, TiledCost):
            most, least = duration(cost.seconds * times), duration(cost.least_seconds * len(numbers))
            console.print(f"{explainer.method.title}: {least} to {most}, by the tiles in the region. Ctrl-C stops it.")
            runs += cost.forwards
            continue
        console.print(
            f"{explainer.method.title}{_preview(explainer)}: {cost.forwards * times} runs of the network, "
            f"about {duration(cost.seconds * times)}. Ctrl-C stops it."
        )
        runs += cost.forwards
    return runs


def _preview(explainer: Explainer) -> str:
    return ", preview" if getattr(explainer.method, "has_preview", False) and explainer.control.preview else ""


def _print_classes(number: int, explanation: Explanation, console: Console) -> None:
    """Print the three likeliest classes of a frame, for a network that classifies and gives no mask."""
    likeliest = sorted(explanation.class_probabilities.items(), key=lambda item: -item[1])[:3]
    console.print(f"Frame {number}: {', '.join(f'{name} {share:.1%}' for name, share in likeliest)}", markup=False)
    console.print(f"No mask: {explanation.no_mask}.")


def _print_disagreement(explanation: Explanation, console: Console) -> None:
    """Print how much the members of an ensemble differ."""
    if (known := explanation.disagreement) is not None:
        class_name = explanation.class_names[explanation.target.class_index or 0]
        value = f"{known.value:.3f} (1 − Dice)" if known.value is not None else f"undefined: {known.undefined}"
        console.print(f"Disagreement of {len(explanation.members)} members on {class_name}: {value}", markup=False)


def _comparison(explanation: Explanation) -> list[str]:
    """Return in words which classes a method compared; empty if it did not."""
    from napari_segcam.explanation.stage_maps import find_method
    from napari_segcam.reporting.sheets import explained_classes

    if not explanation.target.reference_classes:
        return []
    title, classes = find_method(explanation.method).title, explained_classes(explanation)
    return [f"{title}: {classes} (γ = {explanation.target.gamma:g})"]


def _print_attention(rows: Sequence[dict[str, Any]], console: Console) -> None:
    columns = ("class", "method", "stage", "mean", "std", "in / out", "by chance", "p")
    tests = sum(row["ratio_p"] is not None for row in rows)
    caption = (
        "by chance: the mean for the region at random places of the scan; "
        f"p: the share of places with no less, in {tests} tests"
    )
    table = Table(*columns, title="Attention (raw heat)", caption=caption)
    for row in rows:
        in_out = _number(row["ratio"], ".2f") if row["ratio"] is not None else f"undefined: {row['undefined']}"
        null = _number(row["ratio_null"], ".2f") if row["ratio_p"] is not None else row["null_undefined"] or "–"
        mean, std = (_number(row[key], ".3g") for key in ("mean", "std"))
        key = (str(row[key]) for key in ("class", "method", "stage"))
        table.add_row(*key, mean, std, in_out, null, _number(row["ratio_p"], ".3g"))
    console.print(table)


def _print_not_measured(pipeline: ExplainPipeline, console: Console) -> None:
    """Print that nobody knows yet which stage to look at."""
    encoder = [stage for stage in pipeline.explainers[0].stages if stage.kind == "encoder"]
    deepest = f": {encoder[-1].name} is the deepest, but may take no part in the mask" if encoder else ""
    console.print(f"Which stage to look at is not measured{deepest}. --evidence measures it.", soft_wrap=True)


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
