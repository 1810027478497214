"""The call that validates a finished run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_segcam.reporting.report.finished_run import FinishedRun, read_run
from napari_segcam.validating.attributes import Attributes, Grouping, ListedAttributes, read_attributes
from napari_segcam.validating.cases import Cases, CasesSource, find_cases
from napari_segcam.validating.criteria.checking import CRITERIA_COLUMNS, check_criteria
from napari_segcam.validating.criteria.criteria_file import CriteriaSource, read_criteria
from napari_segcam.validating.dicom_tags import read_tags
from napari_segcam.validating.differences import DIFFERENCE_COLUMNS, difference_rows
from napari_segcam.validating.methods import METHOD_COLUMNS, method_rows
from napari_segcam.validating.rows import Rows
from napari_segcam.validating.shortcuts import shortcut_rows
from napari_segcam.validating.study import Study
from napari_segcam.validating.subgroups import Subgroup, subgroup_rows
from napari_segcam.validating.summaries import Summary, case_rows, metric_rows


@dataclass(frozen=True)
class Validation:
    """The numbers of a run, over cases.

    Attributes:
        metrics: a row for each metric and class: its statistic over the cases with its 95 % interval, its quartiles,
            and how many cases have none, and why.
        cases: a row for each case, class and metric: the median over its frames, or counts summed over them.
        subgroups: a row for each group of cases, class and metric, with its interval; the worst group of each metric is
            marked, and so are groups with fewer than six cases, which are never the worst.
        criteria: a row for each criterion and class: pass, fail or not enough cases.
        differences: a row for each metric and class of two runs: the mean paired difference over the cases.
        shortcuts: a row for each case and class whose mask burned-in graphics change more than patches elsewhere do.
        assigned: which images are of one case, where that comes from, what is missing, and identical images.
        unmatched: names in the list of subgroups that are no case or image of the run.
        summaries: the metrics with the values that they come from.
        groups: the subgroups with the values that they come from.
        groupings: the attributes that the subgroups come from.
        seed: of the intervals.
        methods: a row for each class, figure of a map and method but the first: the mean paired difference over the
            cases.
    """

    metrics: Rows
    cases: Rows
    subgroups: Rows
    criteria: Rows
    differences: Rows
    shortcuts: Rows
    assigned: Cases
    unmatched: tuple[str, ...] = ()
    summaries: Sequence[Summary] = field(default=(), repr=False)
    groups: Sequence[Subgroup] = field(default=(), repr=False)
    groupings: Sequence[Grouping] = field(default=(), repr=False)
    seed: int = 0
    methods: Rows = field(default_factory=lambda: Rows(METHOD_COLUMNS))


def validate(
    run: str | Path | FinishedRun,
    cases: CasesSource | None = None,
    subgroups: Attributes | None = None,
    criteria: CriteriaSource | None = None,
    seed: int = 0,
    *,
    case_pattern: str | None = None,
    bounds: Mapping[str, Sequence[float]] | None = None,
    against: str | Path | FinishedRun | None = None,
    partial: bool = False,
) -> Validation:
    """Return the numbers of a finished run over cases, never over frames. No network is run.

    Examples:
        >>> for _ in sc.run_batch("images", "run", "best_model.safetensors", truth="masks"):
        ...     pass
        >>> validation = sc.validate("run", criteria=["dice median >= 0.85 with 1 cases"])
        >>> dice = validation.metrics[0]
        >>> dice["metric"], dice["statistic"], dice["value"], dice["cases"]
        ('dice', 'median', 1.0, 1)
        >>> validation.criteria[0]["outcome"]
        'pass'
        >>> validation.assigned.how
        'Each file is taken as a case of its own: nothing says which belong together.'

    Each table is a list of dicts, and has ``to_pandas()`` and ``to_polars()``.

    Args:
        run: the folder that ``batch`` wrote, or what ``read_run`` made of it.
        cases: a CSV list with the columns ``image`` and ``case``, or the case of each image by its name.
        subgroups: a CSV list with a column ``case`` or ``image`` and one for each attribute, such as probe or age, or
            its rows. The size of the finding is an attribute too, and so are tags of DICOM images that are still there.
        criteria: a YAML file, or a list of criteria, each as fields or as one line of text.
        seed: of the intervals.
        case_pattern: instead of ``cases``, a regular expression with one group, which finds the case in the name of an
            image. With neither, DICOM images of one patient are a case if they are still there, and any other file is.
        bounds: where to cut the numbers of an attribute into groups, such as ``{"age": [40, 60]}``; without, they are
            cut into thirds of the cases.
        against: another run on the same images, of another model for example, to take differences from.
        partial: whether an unfinished run is accepted.

    Raises:
        SegcamError: if a folder holds no finished run, a list, the pattern, a bound or a criterion is wrong, or both
            runs have nothing in common.
    """
    wanted = read_criteria(criteria) if criteria is not None else []
    finished = _finished(run, partial)
    other = _finished(against, partial) if against is not None else None
    tags = read_tags(finished)
    assigned = find_cases(finished, cases, case_pattern, tags)
    listed = read_attributes(subgroups, assigned) if subgroups is not None else ListedAttributes({})
    study = Study(finished, assigned, listed.values, tags, bounds or {}, seed)
    attributes = {grouping.attribute: grouping.groups for grouping in study.groupings}
    return Validation(
        metric_rows(study.summaries),
        case_rows(study.figures),
        subgroup_rows(study.subgroups),
        check_criteria(wanted, list(study.frames), attributes, study.summarize) if wanted else Rows(CRITERIA_COLUMNS),
        difference_rows(finished, other, assigned, seed) if other is not None else Rows(DIFFERENCE_COLUMNS),
        shortcut_rows(study.frames),
        assigned,
        listed.unmatched,
        study.summaries,
        study.subgroups,
        study.groupings,
        seed,
        method_rows(finished, assigned, seed),
    )


def _finished(run: str | Path | FinishedRun, partial: bool) -> FinishedRun:
    return run if isinstance(run, FinishedRun) else read_run(Path(run), partial)
