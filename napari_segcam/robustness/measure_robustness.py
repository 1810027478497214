"""The call that measures robustness, and what a finished run writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from napari_segcam.batch.color_tables.color_table import Color
from napari_segcam.batch.color_tables.named_classes import with_names_of
from napari_segcam.errors import SegcamError
from napari_segcam.files import whole_file, write_table
from napari_segcam.network.network import Network
from napari_segcam.network.source import ModelSource
from napari_segcam.reporting.report.html import write_html
from napari_segcam.robustness.columns import Row
from napari_segcam.robustness.options import RobustnessOptions
from napari_segcam.robustness.page import page_of, plots_of
from napari_segcam.robustness.run_file import locked, write_record
from napari_segcam.robustness.running import Robustness
from napari_segcam.robustness.summary import RULE, SUMMARY_COLUMNS, StrengthSummary, as_records, summarize
from napari_segcam.robustness.words import sentences
from napari_segcam.statistics.interval import CONFIDENCE, RESAMPLES


@dataclass(frozen=True)
class RobustnessResult:
    """How masks and heatmaps of a network change when frames are perturbed.

    Attributes:
        rows: one for each frame, class, perturbation and strength, with the columns of ``robustness.csv``.
        summaries: figures over cases, for each class, perturbation and strength.
        errors: by image, of those that could not be measured.
        settings: what was measured and how, in plain values.
        sentences: what it says, in words.
    """

    rows: list[Row]
    summaries: list[StrengthSummary]
    errors: Mapping[str, str]
    settings: Mapping[str, Any] = field(repr=False)
    sentences: Sequence[str]


def measure_robustness(
    network: Network | ModelSource | str | Path | Sequence[str | Path],
    images: str | Path,
    truth: str | Path | None = None,
    options: RobustnessOptions | None = None,
    *,
    out: str | Path | None = None,
    truth_colors: Mapping[str, Color] | None = None,
    cases: str | Path | None = None,
) -> RobustnessResult:
    """Measure how masks and heatmaps change when frames are perturbed, in the units of a sonographer.

    Examples:
        >>> options = sc.RobustnessOptions(strengths={"gain": [-6, -12]})
        >>> result = sc.measure_robustness("best_model.safetensors", "images", "masks", options)
        >>> [(row["perturbation"], row["strength"]) for row in result.rows[:3]]
        [('none', 0.0), ('gain', -6.0), ('gain', -12.0)]

    Args:
        network: a loaded network, or a path, several paths of an ensemble, or a source.
        images: a folder of images and cines, a CSV list with a column image (and truth and case, if you like), or one
            image or cine. Each file is a case, unless a list names cases.
        truth: a folder of true masks with the names of their images; for one image its mask. Without, masks are
            compared with that of the unperturbed frame.
        options: what is perturbed and measured.
        out: the folder to write tables, curves and page to. A run there that was stopped goes on; by default nothing is
            written.
        truth_colors: as ``read_colors`` returns them.
        cases: a CSV list with the columns image and case.

    Raises:
        SegcamError: if the network cannot be loaded, an option is wrong, the folder holds another run, or no image can
            be measured.
    """
    loaded = network if isinstance(network, Network) else ModelSource.of(network).load()
    folder = None if out is None else Path(out)
    run = Robustness(
        with_names_of(loaded, truth_colors),
        Path(images),
        folder,
        options or RobustnessOptions(),
        truth=None if truth is None else Path(truth),
        colors=truth_colors,
        cases=None if cases is None else Path(cases),
    )
    with locked(folder):
        result = finished(run)
        assert result is not None  # nothing cancels it
        if folder is not None:
            write_result(folder, result)
    return result


def finished(
    run: Robustness, on_image: Callable[[str, str], None] = lambda _name, _error: None
) -> RobustnessResult | None:
    """Measure what is left of a run and return its result; None if it was cancelled before the end.

    Args:
        run: what to measure; its folder is locked.
        on_image: called after each image with its name and its error.

    Raises:
        SegcamError: if no image could be measured, or rows cannot be written.
    """
    run.start()
    errors: dict[str, str] = {}
    done = 0
    for name, error in run:
        done += 1
        if error:
            errors[name] = error
        on_image(name, error)
    if done < len(run.images):
        return None
    if not run.store.rows:
        raise SegcamError(
            f"None of the {len(run.images)} images could be measured; the first: {next(iter(errors.values()), '')}"
        )
    summaries = summarize(run.store.rows, run.options.seed)
    return RobustnessResult(run.store.rows, summaries, errors, run.settings, sentences(summaries))


def write_result(folder: Path, result: RobustnessResult) -> list[Path]:
    """Write the summary, the page, the curves as SVG and as PNG of 300 dpi, and last the record of a finished run.

    Args:
        folder: that holds ``robustness.csv``.
        result: of the finished run.

    Returns:
        The files, without the curves.

    Raises:
        SegcamError: if a file cannot be written, or a package of the extra ``report`` is missing.
    """
    summary, page = folder / "robustness_summary.csv", folder / "robustness.html"
    write_table(summary, SUMMARY_COLUMNS, (one.as_row() for one in result.summaries))
    plots = plots_of(result.summaries)
    for name, plot in plots.items():
        for suffix, data in (("svg", plot.svg), ("png", plot.png)):
            with whole_file(folder / "plots" / f"{name}.{suffix}") as path:
                path.write_bytes(data)
    written = datetime.now().astimezone()
    write_html(page, page_of(result.summaries, plots, result.settings, result.errors, written))
    seed = result.settings["seed"]
    results = {
        "interval": {"over": "cases", "confidence": CONFIDENCE, "resamples": RESAMPLES, "seed": seed},
        "rule_of_cases": RULE,
        "in_words": list(result.sentences),
        "summary": as_records(result.summaries),
        "errors": dict(result.errors),
    }
    write_record(folder, result.settings, results)
    return [folder / "robustness.csv", summary, page, folder / "robustness.json"]
