"""The analysis of the failures of a validated run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_segcam.reporting.evidence_summary.shares import numbers
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.validating.failures.kinds import FailureLimits
from napari_segcam.validating.failures.neighbors import features_of_cases, nearest_cases
from napari_segcam.validating.failures.shared import SharedAttribute, attributes_of_cases, shared_attributes
from napari_segcam.validating.failures.sorting import SortedCase, sorted_cases, worst_cases
from napari_segcam.validating.figures import by_class, figures_of, frames_of
from napari_segcam.validating.metrics import BY_NAME
from napari_segcam.validating.validate import Validation

WORST = 12
"""How many of the worst cases are shown."""


@dataclass(frozen=True)
class FailureAnalysis:
    """The failures of a run, and what they share.

    Attributes:
        limits: where failure begins.
        cases: each class of each case with its kind.
        worst: the worst failures of each class, by kind.
        shared: the groups that failures share.
        nearest: the cases that are most alike to the network, by class and case; empty where features were not kept.
        has_doubt, has_graphics, has_off_scan, has_doubled: whether the run measured what a kind or a group needs.
    """

    limits: FailureLimits
    cases: Sequence[SortedCase]
    worst: Mapping[str, Sequence[SortedCase]]
    shared: Sequence[SharedAttribute]
    nearest: Mapping[str, Mapping[str, Sequence[SortedCase]]]
    has_doubt: bool
    has_graphics: bool
    has_off_scan: bool
    has_doubled: bool

    @property
    def has_neighbors(self) -> bool:
        """Whether it is known which cases are alike to the network."""
        return any(self.nearest.values())

    @property
    def classes(self) -> list[str]:
        """The classes in their order."""
        return list(dict.fromkeys(one.class_name for one in self.cases))

    def of_class(self, name: str) -> list[SortedCase]:
        """Return the cases of a class."""
        return [one for one in self.cases if one.class_name == name]


def analyze_failures(
    run: FinishedRun, validation: Validation, limits: FailureLimits | None = None, count: int = WORST
) -> FailureAnalysis:
    """Sort the cases of a run by the kind of their failure, and return what failures share.

    Examples:
        >>> for _ in sc.run_batch("images", "run", "best_model.safetensors", truth="masks"):
        ...     pass
        >>> from pathlib import Path
        >>> from napari_segcam.reporting.report.finished_run import read_run
        >>> from napari_segcam.validating.failures.analysis import analyze_failures
        >>> analysis = analyze_failures(read_run(Path("run")), sc.validate("run"))
        >>> [(one.kind, one.dice) for one in analysis.cases]
        [('fine', 1.0)]

    Args:
        run: that was validated.
        validation: of the run.
        limits: where failure begins.
        count: how many of the worst cases of each class are shown at most.
    """
    limits = limits or FailureLimits()
    found = sorted_cases(run, validation.assigned, limits)
    frames = by_class(frames_of(run, validation.assigned))
    rows = [row for image in run.images for row in image.rows]
    hanging = {(row["case"], row["class"]) for row in validation.shortcuts}
    features = features_of_cases(run, validation.assigned)
    worst, shared, nearest = {}, [], {}
    for name, each in frames.items():
        of_class = [one for one in found if one.class_name == name]
        worst[name] = worst_cases(of_class, count)
        doubts, effects = (
            {figure.case: figure.value for figure in figures_of(BY_NAME[metric], each) if figure.value is not None}
            for metric in ("doubt", "overlay_effect")
        )
        graphics = {case: (case, name) in hanging for case in effects}
        nearest[name] = nearest_cases(of_class, features)
        attributes = attributes_of_cases(of_class, validation.groupings, doubts, graphics, nearest[name])
        shared += shared_attributes(of_class, attributes)
    return FailureAnalysis(
        limits,
        found,
        worst,
        shared,
        nearest,
        *(bool(numbers(rows, column)) for column in ("doubt", "overlay_effect", "off_scan", "findings_split")),
    )
