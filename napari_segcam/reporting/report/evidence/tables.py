"""Tables of evidence: stages, maps, burned-in graphics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from napari_segcam.number_format import UNDEFINED, counted
from napari_segcam.reporting.evidence_summary.shares import Share
from napari_segcam.reporting.evidence_summary.summary import EvidenceSummary, MapSummary, OverlaySummary
from napari_segcam.reporting.report.document import Block, Paragraph, Table

_TEXT_COLUMNS = frozenset({"method", "stage", "why", "what"})
_ROUNDED = 0.0005  # smaller figures are shown as zero
_METHODS_IN_TABLE = 6  # more columns do not fit on a page


def stage_table(summary: EvidenceSummary) -> Table:
    """Return which stages take part in how many frames, and which is shown first."""
    rows = tuple(
        (
            stage.stage,
            str(stage.takes_part),
            _percent(stage.takes_part),
            str(stage.unclear),
            _figure(stage.influence),
            str(stage.shown_first.count) if stage.shown_first.total else UNDEFINED,
        )
        for stage in summary.stages
    )
    return Table(
        ("stage", "takes part in", "share", "unclear", "median influence", "shown first in"),
        rows,
        _TEXT_COLUMNS,
        f"Stages, {summary.class_name}, {counted(summary.frames, 'frame')}. A stage takes part in a mask if hiding it "
        "costs the mask 5 % or more (influence: 1 − Dice). Shown first is the deepest encoder stage that takes part "
        "and whose hot places matter more than others; else the deepest that takes part; else the earliest decoder "
        "stage that does.",
    )


def map_table(summary: EvidenceSummary) -> Table:
    """Return how many maps pass, by method and stage."""
    rows = tuple(
        (
            one.method,
            one.stage,
            str(one.passes),
            _percent(one.passes),
            *map(_figure, (one.faithfulness, one.null, one.lift)),
        )
        for one in summary.maps
    )
    return Table(
        ("method", "stage", "p ≤ 0.05 in", "share", "loss", "by chance", "lift"),
        rows,
        _TEXT_COLUMNS,
        f"Whether hot places matter more than others, {summary.class_name}. Loss: mean of 1 − Dice when the hottest 5, "
        "10 and 20 % of the cells are hidden; by chance: the same for the map moved to random places; lift: their "
        f"difference. {_tests(summary)}",
    )


def flag_table(summary: EvidenceSummary) -> Table:
    """Return how many maps have what should make a reader careful, by method and stage."""
    rows = tuple(
        (one.method, one.stage, *map(str, (one.in_out, one.echo, one.sanity, one.off_scan))) for one in summary.maps
    )
    return Table(
        ("method", "stage", "in/out above chance in", "repeats the mask in", "same when untrained in", "off scan in"),
        rows,
        _TEXT_COLUMNS,
        f"What else is known of the maps, {summary.class_name}. In/out above chance: p ≤ 0.05 for the in/out figure of "
        f"the region against the same region at random places, in {counted(_in_out_tests(summary), 'test')}. Repeats "
        "the mask: correlation of 0.9 or more with the probability. Same when untrained: 0.5 or more with the map of "
        "the network with shuffled weights. Off scan: half of the heat or more.",
    )


def method_table(summary: EvidenceSummary) -> Iterator[Table]:
    """Yield methods × stages: in how many frames the map passes, and its mean lift; several tables for many methods."""
    methods = list(dict.fromkeys(one.method for one in summary.maps))
    stages = list(dict.fromkeys(one.stage for one in summary.maps))
    cells = {(one.method, one.stage): one for one in summary.maps}
    for first in range(0, len(methods), _METHODS_IN_TABLE):
        some = methods[first : first + _METHODS_IN_TABLE]
        rows = tuple((stage, *(_pass_cell(cells.get((method, stage))) for method in some)) for stage in stages)
        yield Table(
            ("stage", *some),
            rows,
            _TEXT_COLUMNS,
            f"Maps whose hot places matter more than others (p ≤ 0.05) out of those that were tested, and their mean "
            f"lift in brackets, {summary.class_name}. {_tests(summary)}",
        )


def overlay_blocks(overlays: OverlaySummary, class_name: str) -> Iterator[Block]:
    """Yield what taking burned-in graphics away does to the masks."""
    rows = (
        ("frames", str(overlays.frames)),
        ("frames with graphics, in which it was measured", str(overlays.measured)),
        ("median effect (1 − Dice)", _figure(overlays.effect)),
        ("median effect of as many patches elsewhere", _figure(overlays.null)),
        ("p ≤ 0.05 in", str(overlays.passes)),
        *((f"not measured: {words}", str(count)) for words, count in overlays.undefined.most_common()),
    )
    yield Table(
        ("what", "figure"),
        rows,
        _TEXT_COLUMNS,
        f"Burned-in graphics (text, calipers, markers), {class_name}: how much the mask changes when they are painted "
        "over, beside the same for patches of their sizes and shapes elsewhere in the tissue.",
    )


def untested_table(summary: EvidenceSummary) -> Table | None:
    """Return why maps were not tested; None if all were."""
    rows = tuple(
        (one.method, one.stage, words, str(count)) for one in summary.maps for words, count in one.undefined.items()
    )
    if not rows:
        return None
    caption = f"Maps without a test, {summary.class_name}, and why."
    return Table(("method", "stage", "why", "frames"), rows, _TEXT_COLUMNS, caption)


def verdict_on(summaries: Sequence[EvidenceSummary]) -> list[Block]:
    """Return the verdict on each class as a paragraph."""
    from napari_segcam.reporting.evidence_summary.words import sentences

    return [
        Paragraph((f"{summary.class_name}: " if len(summaries) > 1 else "") + " ".join(sentences(summary)))
        for summary in summaries
    ]


def _tests(summary: EvidenceSummary) -> str:
    tests = summary.tests
    if not tests:
        return "No map was tested."
    return (
        f"There were {counted(tests, 'test')}, and p is as it is, not corrected for their number: by chance, one in "
        "twenty has p ≤ 0.05."
    )


def _in_out_tests(summary: EvidenceSummary) -> int:
    return sum(one.in_out.total for one in summary.maps)


def _pass_cell(one: MapSummary | None) -> str:
    if one is None or not one.passes.total:
        return UNDEFINED
    return f"{one.passes} ({_figure(one.lift)})"


def _percent(share: Share) -> str:
    return UNDEFINED if share.value is None else f"{share.value:.0%}".replace("%", " %")


def _figure(value: float | None) -> str:
    if value is None:
        return UNDEFINED
    return f"{0.0 if abs(value) < _ROUNDED else value:.3f}"  # no minus in front of a zero
