"""Summary: the evidence of a class in many frames, by stage, by map, of the overlays and of the doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from napari_segcam.reporting.evidence_summary.shares import Share, at_least, at_most, mean, middle, number, numbers
from napari_segcam.reporting.run_format import Row

PASSES = 0.05
"""Largest p of faithfulness with which a map passes, as in the statement of a stage."""

_ECHO, _SANITY, _OFF_SCAN = 0.9, 0.5, 0.5  # as in the statement of a stage


@dataclass(frozen=True)
class StageSummary:
    """One stage in all frames.

    Attributes:
        stage: its name.
        takes_part: in how many of the frames in which that is clear.
        unclear: number of frames in which it is not.
        influence: median; None if it was not measured.
        shown_first: in how many frames it is the stage to look at first.
    """

    stage: str
    takes_part: Share
    unclear: int
    influence: float | None
    shown_first: Share


@dataclass(frozen=True)
class MapSummary:
    """The maps of one method at one stage in all frames.

    Attributes:
        method, stage: of the maps.
        passes: how many have p ≤ 0.05 in the test of faithfulness, out of how many tests.
        faithfulness: mean loss when the hot places are hidden.
        null: mean loss when as many other places are hidden.
        in_out: how many have p ≤ 0.05 for their in / out figure.
        echo, sanity, off_scan: how many repeat the mask, are much the same in a network that has learned nothing, or
            have half of their heat or more off the scan.
        undefined: reasons why there is no test, with their counts.
    """

    method: str
    stage: str
    passes: Share
    faithfulness: float | None
    null: float | None
    in_out: Share
    echo: Share
    sanity: Share
    off_scan: Share
    undefined: Counter[str]

    @property
    def lift(self) -> float | None:
        """Mean difference between both losses."""
        return None if self.faithfulness is None or self.null is None else self.faithfulness - self.null


@dataclass(frozen=True)
class OverlaySummary:
    """The effect of burned-in graphics on the mask.

    Attributes:
        frames: in which the effect was to be measured.
        measured: in how many it could be: those with graphics that are not everywhere.
        effect: median of 1 − Dice between the masks with and without the graphics.
        null: median of the same for patches elsewhere.
        passes: in how many frames p ≤ 0.05.
        undefined: reasons why there is no figure, with their counts.
    """

    frames: int
    measured: int
    effect: float | None
    null: float | None
    passes: Share
    undefined: Counter[str]


@dataclass(frozen=True)
class EvidenceSummary:
    """The evidence of one class.

    Attributes:
        class_name: of the class.
        frames: number of frames.
        empty: in how many of them nothing of the class was found, so that they say nothing about stages.
        stages: in the order of the network.
        maps: by method, then stage.
        overlays: None if their effect was not measured.
    """

    class_name: str
    frames: int
    empty: int
    stages: tuple[StageSummary, ...]
    maps: tuple[MapSummary, ...]
    overlays: OverlaySummary | None

    @property
    def tests(self) -> int:
        """How many tests of faithfulness there were."""
        return sum(one.passes.total for one in self.maps)

    @property
    def first(self) -> StageSummary | None:
        """The stage that is shown first in most frames; of several, the earliest. None if none ever is."""
        best = max(self.stages, key=lambda stage: stage.shown_first.count, default=None)
        return best if best and best.shown_first.count else None


def has_evidence(rows: Iterable[Row]) -> bool:
    """Return whether rows are of a run that measured evidence."""
    return any("statement" in row for row in rows)


def summaries(rows: Sequence[Row]) -> list[EvidenceSummary]:
    """Return the evidence of each class in rows of results, in their order."""
    classes = dict.fromkeys(str(row["class"]) for row in rows)
    return [_summary(name, [row for row in rows if row["class"] == name]) for name in classes]


def of_frames(rows: Iterable[Row]) -> list[Row]:
    """Return one row for each frame and class, for figures that are the same in all of their rows."""
    firsts: dict[tuple[object, object, object], Row] = {}
    for row in rows:
        firsts.setdefault((row.get("image"), row["frame"], row["class"]), row)
    return list(firsts.values())


def reason(row: Row, column: str) -> str:
    """Return why a figure of evidence is undefined, in words; empty if no reason is given."""
    for part in str(row.get("evidence_undefined") or "").split("; "):
        name, separator, words = part.partition(": ")
        if separator and name == column:
            return words
    return ""


def _summary(class_name: str, rows: Sequence[Row]) -> EvidenceSummary:
    methods = list(dict.fromkeys(str(row["method"]) for row in rows))
    stages = list(dict.fromkeys(str(row["stage"]) for row in rows))
    frames = of_frames(rows)
    first_method = [row for row in rows if row["method"] == methods[0]]
    return EvidenceSummary(
        class_name,
        len(frames),
        sum(map(_is_empty, frames)),
        tuple(_stage(stage, first_method, frames) for stage in stages if _of(first_method, stage=stage)),
        tuple(
            _map(method, stage, chosen)
            for method in methods
            for stage in stages
            if (chosen := _of(rows, method=method, stage=stage))
        ),
        _overlays(frames),
    )


def _of(rows: Iterable[Row], **values: str) -> list[Row]:
    return [row for row in rows if all(row[column] == value for column, value in values.items())]


def _stage(stage: str, rows: Sequence[Row], frames: Sequence[Row]) -> StageSummary:
    of_stage = [row for row in _of(rows, stage=stage) if not _is_empty(row)]
    words = [row.get("takes_part") for row in of_stage]
    return StageSummary(
        stage,
        Share.of(word == "yes" for word in words if word in ("yes", "no")),
        words.count("unclear"),
        middle(numbers(of_stage, "influence")),
        Share.of(
            row.get("shown_first") == stage
            for row in frames
            if number(row, "influence") is not None and not _is_empty(row)
        ),
    )


def _is_empty(row: Row) -> bool:
    """Return whether the mask is empty with and without the stage: hiding it cannot cost the mask anything."""
    return number(row, "pixels") == 0 and number(row, "influence") == 0


def _map(method: str, stage: str, rows: Sequence[Row]) -> MapSummary:
    tested = [row for row in rows if number(row, "faithfulness_p") is not None]
    reasons = (reason(row, "faithfulness") for row in rows if number(row, "faithfulness_p") is None)
    return MapSummary(
        method,
        stage,
        at_most(rows, "faithfulness_p", PASSES),
        mean(numbers(tested, "faithfulness")),
        mean(numbers(tested, "faithfulness_null")),
        at_most(rows, "ratio_p", PASSES),
        at_least(rows, "echo", _ECHO),
        at_least(rows, "sanity", _SANITY),
        at_least(rows, "off_scan", _OFF_SCAN),
        Counter(words for words in reasons if words),
    )


def _overlays(frames: Sequence[Row]) -> OverlaySummary | None:
    measured = [row for row in frames if number(row, "overlay_effect") is not None]
    reasons = Counter(words for row in frames if (words := reason(row, "overlay_effect")))
    if not measured and not reasons:
        return None
    return OverlaySummary(
        len(frames),
        len(measured),
        middle(numbers(measured, "overlay_effect")),
        middle(numbers(measured, "overlay_effect_null")),
        at_most(measured, "overlay_effect_p", PASSES),
        reasons,
    )
