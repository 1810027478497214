"""The call that validates a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_segcam.reporting.report.finished_run import FinishedRun, read_run
from napari_segcam.validating.cases import Cases, CasesSource, find_cases
from napari_segcam.validating.dicom_tags import read_tags
from napari_segcam.validating.figures import by_class, figures_of, frames_of
from napari_segcam.validating.metrics import metrics_of
from napari_segcam.validating.rows import Rows
from napari_segcam.validating.summaries import Summary, case_rows, metric_rows, summary_of


@dataclass(frozen=True)
class Validation:
    """The numbers of a run, over cases.

    Attributes:
        metrics: a row for each metric and class: its statistic over the cases with its 95 % interval, its quartiles,
            and how many cases have none, and why.
        cases: a row for each case, class and metric: the median over its frames, or counts summed over them.
        assigned: which images are of one case, where that comes from, what is missing, and identical images.
        summaries: the metrics with the values that they come from.
    """

    metrics: Rows
    cases: Rows
    assigned: Cases
    summaries: Sequence[Summary] = field(repr=False)


def validate(
    run: str | Path | FinishedRun,
    cases: CasesSource | None = None,
    *,
    case_pattern: str | None = None,
    seed: int = 0,
    partial: bool = False,
) -> Validation:
    """Return the numbers of a finished run over cases, never over frames. No network is run.

    Examples:
        >>> for _ in sc.run_batch("images", "run", "best_model.safetensors", truth="masks"):
        ...     pass
        >>> validation = sc.validate("run")
        >>> dice = validation.metrics[0]
        >>> dice["metric"], dice["statistic"], dice["value"], dice["cases"]
        ('dice', 'median', 1.0, 1)
        >>> validation.assigned.how
        'Each file is taken as a case of its own: nothing says which belong together.'

    Each table is a list of dicts, and has ``to_pandas()`` and ``to_polars()``.

    Args:
        run: the folder that ``batch`` wrote, or what ``read_run`` made of it.
        cases: a CSV list with the columns ``image`` and ``case``, or the case of each image by its name.
        case_pattern: instead, a regular expression with one group, which finds the case in the name of an image. With
            neither, DICOM images of one patient are a case if they are still there, and any other file is a case.
        seed: of the intervals.
        partial: whether an unfinished run is accepted.

    Raises:
        SegcamError: if the folder holds no finished run, or a list or the pattern is wrong.
    """
    finished = run if isinstance(run, FinishedRun) else read_run(Path(run), partial)
    assigned = find_cases(finished, cases, case_pattern, read_tags(finished))
    frames = by_class(frames_of(finished, assigned))
    metrics = metrics_of(frame.row for each in frames.values() for frame in each)
    figures = {(metric.name, name): figures_of(metric, each) for name, each in frames.items() for metric in metrics}
    summaries = [summary_of(metric, name, figures[metric.name, name], seed) for name in frames for metric in metrics]
    return Validation(metric_rows(summaries), case_rows(figures), assigned, summaries)
