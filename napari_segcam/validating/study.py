"""A study: the frames of a run by class, with its cases and groups, from which all figures are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.statistics.interval import StatisticName
from napari_segcam.validating.attributes import Grouping, groupings
from napari_segcam.validating.cases import Cases
from napari_segcam.validating.criteria.criterion import Criterion
from napari_segcam.validating.dicom_tags import DicomTags
from napari_segcam.validating.figures import Figure, Frame, by_class, figures_of, frames_of, scale_of
from napari_segcam.validating.metrics import Metric, metrics_of
from napari_segcam.validating.subgroups import RESAMPLES, Subgroup, subgroups_of
from napari_segcam.validating.summaries import Summary, summary_of


class Study:
    """The figures of a run over cases.

    Args:
        run: with its images.
        cases: of the images.
        listed: attributes of the images, by name and image.
        tags: of DICOM images.
        bounds: where to cut the numbers of an attribute.
        seed: of the intervals.

    Attributes:
        frames: those of each class.
        metrics: those that the run has.
        groupings: the attributes by which the cases fall into groups.

    Raises:
        SegcamError: if bounds do not suit the attributes.
    """

    def __init__(
        self,
        run: FinishedRun,
        cases: Cases,
        listed: Mapping[str, Mapping[str, str]],
        tags: Mapping[str, DicomTags],
        bounds: Mapping[str, Sequence[float]],
        seed: int,
    ) -> None:
        self._seed = seed
        self.frames: dict[str, list[Frame]] = by_class(frames_of(run, cases))
        self.metrics: list[Metric] = metrics_of(frame.row for each in self.frames.values() for frame in each)
        self.groupings: list[Grouping] = groupings(self.frames, listed, tags, bounds)

    @cached_property
    def figures(self) -> dict[tuple[str, str], list[Figure]]:
        """The figure of each case, by the names of metric and class."""
        return {
            (metric.name, name): figures_of(metric, frames)
            for name, frames in self.frames.items()
            for metric in self.metrics
        }

    @cached_property
    def summaries(self) -> list[Summary]:
        """Each metric of each class over all cases."""
        return [
            summary_of(metric, name, self.figures[metric.name, name], self._seed)
            for name in self.frames
            for metric in self.metrics
        ]

    @cached_property
    def subgroups(self) -> list[Subgroup]:
        """Each metric of each class in each group."""
        return subgroups_of(self.metrics, self.frames, self.groupings, self._seed)

    def summarize(self, criterion: Criterion, class_name: str, attribute: str) -> list[tuple[str, Summary]]:
        """Return the figure of all cases or, with an attribute, of each of its groups."""
        metric, statistic = criterion.metric, criterion.statistic
        if not attribute:
            return [("", self._summary(metric, class_name, statistic))]
        grouping = next(one for one in self.groupings if one.attribute == attribute)
        scale = scale_of(metric, self.frames[class_name])
        found = []
        for group in grouping.groups:
            known = self._known(attribute, group, metric, class_name) if statistic == metric.statistic else None
            if known is None:
                frames = [
                    frame for frame in self.frames[class_name] if grouping.group_of[frame.image, class_name] == group
                ]
                figures = figures_of(metric, frames, scale)
                known = summary_of(metric, class_name, figures, self._seed, statistic, RESAMPLES)
            found.append((f"{attribute}: {group}", known))
        return found

    def _summary(self, metric: Metric, class_name: str, statistic: StatisticName) -> Summary:
        for summary in self.summaries if statistic == metric.statistic else ():
            if summary.metric is metric and summary.class_name == class_name:
                return summary
        figures = self.figures.get((metric.name, class_name)) or figures_of(metric, self.frames[class_name])
        return summary_of(metric, class_name, figures, self._seed, statistic)

    def _known(self, attribute: str, group: str, metric: Metric, class_name: str) -> Summary | None:
        wanted = (attribute, group, metric.name, class_name)
        for one in self.subgroups:
            if (one.attribute, one.group, one.summary.metric.name, one.summary.class_name) == wanted:
                return one.summary
        return None
