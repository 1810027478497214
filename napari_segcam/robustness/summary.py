"""The summary of a run: for each perturbation and strength, figures over cases with their intervals."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from napari_segcam.perturbing.catalog import PERTURBATIONS
from napari_segcam.robustness.columns import NO_PERTURBATION, Row
from napari_segcam.statistics.interval import Interval, bootstrap_interval

RULE = (
    "Each figure of a case is the median over its frames in which it is defined, and each figure here is the median "
    "over cases. Dice is that of frames with something to find, before and after, so that both are of the same frames; "
    "detected is the share of these frames in which it is found, and false masks the share of the other frames in "
    "which a mask appears. For both shares whole cases are drawn. The difference is that of each case to its own "
    "unperturbed frames."
)

SUMMARY_COLUMNS: dict[str, type] = {
    "class": str,
    "perturbation": str,
    "strength": float,
    "unit": str,
    "against": str,
    "cases": int,
    "frames": int,
    "dice": float,
    "dice_low": float,
    "dice_high": float,
    "dice_difference": float,
    "dice_difference_low": float,
    "dice_difference_high": float,
    "detected": float,
    "detected_low": float,
    "detected_high": float,
    "false_masks": float,
    "false_masks_low": float,
    "false_masks_high": float,
    "heatmap_correlation": float,
    "heatmap_correlation_low": float,
    "heatmap_correlation_high": float,
    "heatmap_overlap": float,
    "heatmap_overlap_low": float,
    "heatmap_overlap_high": float,
    "undefined": str,
}
"""The columns of ``robustness_summary.csv``, with the type of a defined value."""


@dataclass(frozen=True)
class StrengthSummary:
    """The figures of one strength of a perturbation, for one class, over cases.

    Attributes:
        class_name: the class.
        perturbation: its name; ``"none"`` for unperturbed frames.
        strength: of it.
        unit: of the strength.
        against: what the masks are compared with.
        cases: that have rows.
        frames: that have rows.
        dice: of the masks in frames with something to find.
        dice_difference: to the unperturbed frames of the same case.
        detected: share of the frames with a finding in which one is found.
        false_masks: share of the frames without a finding in which something is predicted.
        heatmap_correlation: of the heatmaps with the unperturbed ones.
        heatmap_overlap: of their hottest tenths.
        undefined: why some have no figure, with counts of frames.
    """

    class_name: str
    perturbation: str
    strength: float
    unit: str
    against: str
    cases: int
    frames: int
    dice: Interval
    dice_difference: Interval
    detected: Interval
    false_masks: Interval
    heatmap_correlation: Interval
    heatmap_overlap: Interval
    undefined: str

    def as_row(self) -> Row:
        """Return the row of ``robustness_summary.csv``."""
        row: Row = {
            "class": self.class_name,
            "perturbation": self.perturbation,
            "strength": self.strength,
            "unit": self.unit,
            "against": self.against,
            "cases": self.cases,
            "frames": self.frames,
            "undefined": self.undefined,
        }
        names = ("dice", "dice_difference", "detected", "false_masks", "heatmap_correlation", "heatmap_overlap")
        for name in names:
            interval: Interval = getattr(self, name)
            row |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
        return {column: row[column] for column in SUMMARY_COLUMNS}


def summarize(rows: Sequence[Row], seed: int = 0) -> list[StrengthSummary]:
    """Return the summary of each class, perturbation and strength, in the order of the rows, small strengths first."""
    groups: dict[tuple[str, str, str, str, float], list[Row]] = {}
    for row in rows:
        key = (row["class"], row["against"], row["perturbation"], row["unit"], row["strength"])
        groups.setdefault(key, []).append(row)
    own = {
        (class_name, against): _medians(_with_finding(group), "dice")
        for (class_name, against, name, _, _), group in groups.items()
        if name == NO_PERTURBATION
    }
    order = {key[:4]: number for number, key in reversed(list(enumerate(groups)))}
    ranked = sorted(groups, key=lambda key: (order[key[:4]], key[4]))
    return [_summary(groups[key], own.get(key[:2], {}), seed) for key in ranked]


def _summary(rows: Sequence[Row], own: Mapping[str, float], seed: int) -> StrengthSummary:
    first = rows[0]
    dice = _medians(_with_finding(rows), "dice")
    differences = [value - own[case] for case, value in dice.items() if case in own]

    def over_cases(values: Iterable[float]) -> Interval:
        return bootstrap_interval(list(values), "median", seed)

    empty = [row for row in rows if row["findings"] == 0]
    return StrengthSummary(
        first["class"],
        first["perturbation"],
        first["strength"],
        first["unit"],
        first["against"],
        len({row["case"] for row in rows}),
        len(rows),
        over_cases(dice.values()),
        over_cases(differences),
        _share(_by_case(rows, "detected").values(), "detected", seed, "no finding"),
        _share(_by_case(empty, "pixels").values(), "pixels", seed, "a finding in every frame"),
        over_cases(_medians(rows, "heatmap_correlation").values()),
        over_cases(_medians(rows, "heatmap_overlap").values()),
        _reasons(rows),
    )


def _with_finding(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of frames with something to find.

    In others every mask has a Dice of 0 and no mask has none, so a false mask would change which frames have a Dice.
    """
    return [row for row in rows if row["findings"]]


def _share(cases: Collection[Sequence[Row]], column: str, seed: int, undefined: str) -> Interval:
    """Return the share of the frames of all cases in which a figure is not 0."""
    if not cases:
        return Interval(None, None, None, 0, undefined=undefined)
    return bootstrap_interval([(sum(bool(row[column]) for row in rows), len(rows)) for rows in cases], "share", seed)


def _by_case(rows: Sequence[Row], column: str) -> dict[str, list[Row]]:
    """Return the rows of each case that have a figure."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row[column] is not None:
            groups.setdefault(row["case"], []).append(row)
    return groups


def _medians(rows: Sequence[Row], column: str) -> dict[str, float]:
    return {case: float(median(row[column] for row in group)) for case, group in _by_case(rows, column).items()}


def _reasons(rows: Sequence[Row]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        for title, column in (("Dice", "dice_undefined"), ("heatmap", "heatmap_undefined")):
            if row[column]:
                text = f"{title}: {row[column]}"
                counts[text] = counts.get(text, 0) + 1
    return "; ".join(f"{text} ({count} of {len(rows)} frames)" for text, count in counts.items())


def curves(summaries: Sequence[StrengthSummary]) -> dict[tuple[str, str, str, str], list[StrengthSummary]]:
    """Return the strengths of each class, reference, perturbation and unit, the unperturbed frames at strength 0.

    They are from the smallest strength to the largest; where a smaller strength is stronger, from the largest to the
    smallest, after the unperturbed frames.
    """
    own: dict[tuple[str, str], StrengthSummary] = {}
    found: dict[tuple[str, str, str, str], list[StrengthSummary]] = {}
    for one in summaries:
        if one.perturbation == NO_PERTURBATION:
            own[one.class_name, one.against] = one
        else:
            found.setdefault((one.class_name, one.against, one.perturbation, one.unit), []).append(one)
    for (class_name, against, name, _), points in found.items():
        if (class_name, against) in own:
            points.append(own[class_name, against])
        falls = PERTURBATIONS[name].falls
        points.sort(key=lambda one: (one.strength != 0, -one.strength) if falls else (False, one.strength))
    return found


def as_records(summaries: Sequence[StrengthSummary]) -> list[dict[str, Any]]:
    """Return summaries in plain values, ready for JSON."""
    return [one.as_row() for one in summaries]
