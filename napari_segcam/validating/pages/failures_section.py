"""The section of a report on failures: of which kinds they are, the worst of them, and what they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_segcam.evidence.doubt.feature_space import LEAST_REFERENCES
from napari_segcam.number_format import counted, percent, score
from napari_segcam.reporting.report.document import Block, Bullets, Card, Cards, Paragraph, Section, Subheading, Table
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.reporting.report.measures import image_anchor
from napari_segcam.reporting.report.sheets import card_of
from napari_segcam.validating.failures.analysis import FailureAnalysis
from napari_segcam.validating.failures.kinds import kinds
from napari_segcam.validating.failures.shared import ANY_FAILURE, SharedAttribute
from napari_segcam.validating.failures.sorting import SortedCase
from napari_segcam.validating.figures import reasons_text
from napari_segcam.validating.pages.names import Names

_MOST_SHARED = 5
_TEXT = frozenset({"kind", "rule", "attribute", "group"})
_FEATURES = f"batch --features and at least {LEAST_REFERENCES} cases"
_READING = (
    "Each frame is of one kind: the first in the table whose rule it meets. A case is fine if more than half of its "
    "frames are; else it is of the kind of failure that most of its frames are of. The limits are conventions: a case "
    "that is fine here may be unfit for your use."
)


def failures_section(analysis: FailureAnalysis, run: FinishedRun, names: Names, linked: bool = False) -> Section:
    """Return the section on failures.

    Args:
        analysis: of the run.
        run: with the sheets of its images.
        names: of cases.
        linked: whether images have pages of their own, which the worst cases link to.
    """
    blocks: list[Block] = [Paragraph(_READING)]
    blocks += [Paragraph(text, note=True) for text in _not_measured(analysis)]
    several = len(analysis.classes) > 1
    for name in analysis.classes:
        if several:
            blocks.append(Subheading(name))
        blocks += _class_blocks(analysis, name, run, names, linked)
    return Section("failure-analysis", "Failures", blocks)


def failure_point(analysis: FailureAnalysis) -> tuple[str, str] | None:
    """Return for the first page how many cases failed, by kind; None if nobody can say."""
    known = [one for one in analysis.cases if one.kind is not None]
    if not known:
        return None
    failed = [one for one in known if one.is_failure]
    of_kind = [
        f"{sum(one.kind == kind.name for one in failed)} {kind.title.lower()}"
        for kind in kinds(analysis.limits)
        if any(one.kind == kind.name for one in failed)
    ]
    noun = "case and class" if len(analysis.classes) > 1 else "case"
    total = f"{len(failed)} of {counted(len(known), noun) if noun == 'case' else f'{len(known)} cases and classes'}"
    return "Failures", f"{total} failed{': ' + ', '.join(of_kind) if of_kind else ''}."


def shared_text(one: SharedAttribute) -> str:
    """Return what failures share in words: ``"6 of 8 missed cases are probe: linear; 10 of 40 of all are."``."""
    noun = "failed" if one.kind == ANY_FAILURE else {"off scan": "off-scan", "partly": "partly found"}.get(one.kind)
    return (
        f"{one.failures} {noun or one.kind} {'case' if one.failures.total == 1 else 'cases'} "
        f"{'is' if one.failures.count == 1 else 'are'} {one.attribute}: {one.group}; {one.cases} of all "
        f"{'is' if one.cases.count == 1 else 'are'}."
    )


def _not_measured(analysis: FailureAnalysis) -> Iterator[str]:
    missing = [
        words
        for known, words in (
            (analysis.has_doubled, "whether findings are doubled (an earlier version made it)"),
            (analysis.has_off_scan, "heat off the scan"),
            (analysis.has_doubt, "doubt"),
            (analysis.has_graphics, "the effect of burned-in graphics"),
            (analysis.has_neighbors, f"which cases look alike to the network (that takes {_FEATURES})"),
        )
        if not known
    ]
    if missing:
        yield f"The run did not measure: {', '.join(missing)}. Kinds and groups that need it are empty."


def _class_blocks(
    analysis: FailureAnalysis, name: str, run: FinishedRun, names: Names, linked: bool
) -> Iterator[Block]:
    cases = analysis.of_class(name)
    known = [one for one in cases if one.kind is not None]
    reasons = Counter(one.undefined for one in cases if one.undefined)
    unsorted_cases = Paragraph(f"Not sorted: {reasons_text(reasons)}.")
    if not known:
        yield unsorted_cases
        return
    rows = []
    for kind in kinds(analysis.limits):
        count = sum(one.kind == kind.name for one in known)
        rows.append((kind.title, kind.rule, str(count), percent(count / len(known)).replace("%", " %")))
    yield Table(
        ("kind", "rule", "cases", "share"), tuple(rows), _TEXT, f"Kinds of {counted(len(known), 'case')} of {name}."
    )
    if reasons:
        yield unsorted_cases
    shared = [one for one in analysis.shared if one.class_name == name]
    yield from _shared_blocks(shared)
    worst = analysis.worst.get(name, ())
    if worst:
        failed = sum(one.is_failure for one in known)
        yield Paragraph(
            f"The worst {len(worst)} of {counted(failed, 'failed case')}, from each kind in turn. Of a case with "
            "several images, the one with most frames of its kind is shown."
        )
    yield from _worst_blocks(worst, analysis, run, names, linked)
    nearest = analysis.nearest.get(name, {})
    rows_of_worst = [(one, nearest[one.case]) for one in worst if one.case in nearest]
    if rows_of_worst:
        yield Table(
            ("case", "kind", "nearest cases"),
            tuple(
                (
                    names.case(one.case),
                    str(one.kind),
                    ", ".join(f"{names.case(each.case)} ({each.kind})" for each in others),
                )
                for one, others in rows_of_worst
            ),
            _TEXT | {"case", "nearest cases"},
            "The cases that look most like the worst ones to the network, the nearest first: by the mean of each "
            "channel of its deepest encoder stage. If they failed too, look at what they have in common.",
        )


def _shared_blocks(shared: Sequence[SharedAttribute]) -> Iterator[Block]:
    telling = sorted((one for one in shared if one.excess > 0 and one.failures.count > 1), key=lambda one: -one.excess)
    if telling:
        yield Paragraph(
            "What failures share most, beside all cases. No test is made: of many groups some are frequent among few "
            "failures by chance."
        )
        yield Bullets(tuple(("", shared_text(one)) for one in telling[:_MOST_SHARED]))
    overall = [one for one in shared if one.kind == ANY_FAILURE]
    if overall:
        yield Table(
            ("attribute", "group", "of the failures", "of all cases"),
            tuple((one.attribute, one.group, str(one.failures), str(one.cases)) for one in overall),
            _TEXT,
            "What the failures share; validation_shared.csv has it for each kind.",
            sortable=True,
        )


def _worst_blocks(
    worst: Sequence[SortedCase], analysis: FailureAnalysis, run: FinishedRun, names: Names, linked: bool
) -> Iterator[Block]:
    numbers = {image.name: number for number, image in enumerate(run.images, 1)}
    paths: dict[str, Path | None] = {image.name: image.sheet for image in run.images}
    for kind in kinds(analysis.limits):
        of_kind = [one for one in worst if one.kind == kind.name]
        if not of_kind:
            continue
        yield Subheading(f"{of_kind[0].class_name}: {kind.title.lower()}")
        yield Cards(
            tuple(
                Card(
                    names.case(one.case),
                    f"Dice {score(one.dice)}; {one.counts[kind.name]} of {counted(one.frames, 'frame')}",
                    card_of(paths.get(one.image)),
                    image_anchor(numbers[one.image]) if linked and one.image in numbers else "",
                )
                for one in of_kind
                if one.kind is not None
            )
        )
