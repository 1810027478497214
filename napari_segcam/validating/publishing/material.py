"""What a validated run can say about its network, its data and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_segcam.reporting.evidence_summary.shares import numbers
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.validating.attributes import FINDING_SIZE
from napari_segcam.validating.failures.analysis import FailureAnalysis
from napari_segcam.validating.failures.doubt_curve import DoubtCurve
from napari_segcam.validating.summaries import Summary
from napari_segcam.validating.validate import Validation

_ACQUISITION = ("manufacturer", "scanner", "probe")


@dataclass(frozen=True)
class Material:
    """A validated run with its analyses.

    Attributes:
        run: that was validated.
        validation: of the run.
        analysis: of its failures.
        curves: of the doubt of each class that has one.
        anonymous: whether names of files and folders are left out.
    """

    run: FinishedRun
    validation: Validation
    analysis: FailureAnalysis
    curves: Sequence[DoubtCurve] = ()
    anonymous: bool = False

    @property
    def model(self) -> Mapping[str, object]:
        """What ``run.json`` says of the network."""
        return self.run.part("model")

    @property
    def measured(self) -> list[Summary]:
        """The metrics against the truth that some case has."""
        return [one for one in self.validation.summaries if one.metric.needs_truth and one.cases]

    @property
    def with_interval(self) -> list[Summary]:
        """Those of them that have an interval."""
        return [one for one in self.measured if one.interval.low is not None and one.interval.high is not None]

    @property
    def attributes(self) -> list[str]:
        """The attributes of the cases, besides the size of the finding."""
        return [one.attribute for one in self.validation.groupings if one.attribute != FINDING_SIZE]

    @property
    def acquisition(self) -> list[str]:
        """The attributes that say how images were acquired."""
        return [name for name in self.attributes if name.lower() in _ACQUISITION]

    @property
    def has_faithfulness(self) -> bool:
        """Whether the run tested how faithful its explanations are, and any test has a result."""
        return bool(numbers((row for image in self.run.images for row in image.rows), "faithfulness_p"))

    @property
    def members(self) -> int:
        """Number of networks of an ensemble; 0 of one network."""
        members = self.model.get("members")
        return len(members) if isinstance(members, list) else 0

    def metrics_named(self, *names: str) -> list[str]:
        """Return the titles of those metrics that some case has."""
        found = [one.metric.title for one in self.validation.summaries if one.metric.name in names and one.cases]
        return list(dict.fromkeys(found))
