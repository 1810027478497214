"""Findings: what the network found in the images of a run, beside the truth where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from napari_segcam.number_format import score, significant
from napari_segcam.reporting.report.document import Block, Plot, Section, Table
from napari_segcam.reporting.report.measures import Case, Distribution, Found, values_of
from napari_segcam.reporting.report.plots import areas, score_boxes

_FEWEST_AREAS = 3

OfClass = Mapping[str, Sequence[Found]]
"""What was found, by class: one for each image."""


def findings_section(cases: Sequence[Case], classes: Sequence[str]) -> Section:
    """Sizes of every class; with a truth Dice, IoU, presence and agreement of the sizes as well."""
    found = {name: [case.found[name] for case in cases if name in case.found] for name in classes}
    blocks: list[Block] = []
    scored = {name: own for name, own in found.items() if values_of(one.dice for one in own)}
    if scored:
        blocks += [_scores(found), _score_plot(scored)]
    if any(values_of(one.truth_pixels for one in own) for own in found.values()):
        blocks.append(_presence(found))
    blocks.append(_sizes(found))
    for name, own in found.items():
        blocks += _agreement(name, own)
    return Section("findings", "What the network found", blocks)


_WORDY = frozenset({"class", "score", "figure"})
SUMMARY_COLUMNS = ("images", "undefined", "mean", "SD", "median", "quartiles")


def summary_cells(distribution: Distribution, text: Callable[[float | None], str] = significant) -> tuple[str, ...]:
    """A distribution under the headings of ``SUMMARY_COLUMNS``."""
    quartiles = (distribution.lower_quartile, distribution.upper_quartile)
    return (
        str(distribution.count),
        str(sum(distribution.undefined.values())),
        text(distribution.mean),
        text(distribution.std),
        text(distribution.median),
        "–".join(map(text, quartiles)) if distribution.count else text(None),
    )


def _scores(found: OfClass) -> Table:
    rows = []
    for name, own in found.items():
        rows.append((name, "Dice", *summary_cells(Distribution.of(one.dice for one in own), score)))
        rows.append((name, "IoU", *summary_cells(Distribution.of(one.iou for one in own), score)))
    return Table(
        ("class", "score", *SUMMARY_COLUMNS),
        tuple(rows),
        wordy=_WORDY,
        caption="Overlap of the predicted with the true mask. Where both are empty, Dice and IoU are undefined: such "
        "images are counted under “undefined”, and not as 0 or 1. SD: standard deviation over images.",
    )


def _score_plot(scored: OfClass) -> Plot:
    return score_boxes(
        {
            "Dice": {name: values_of(one.dice for one in own) for name, own in scored.items()},
            "IoU": {name: values_of(one.iou for one in own) for name, own in scored.items()},
        },
        "Box plots of the Dice and IoU scores of every class",
        "Dice and IoU, one point per image. Box: median and quartiles; whiskers: to the farthest value within 1.5 "
        "interquartile ranges.",
    )


def _presence(found: OfClass) -> Table:
    rows = []
    for name, own in found.items():
        pairs = [(one.truth_pixels.value, one.pixels.value) for one in own]
        known = [(truth > 0, pixels > 0) for truth, pixels in pairs if truth is not None and pixels is not None]
        counts = (known.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False)))
        rows.append((name, *map(str, counts)))
    return Table(
        ("class", "there and found", "there, not found", "not there, but found", "not there, none found"),
        tuple(rows),
        wordy=_WORDY,
        caption="Images by whether the class is in the true mask and in the predicted one, in however few pixels; of a "
        "cine, in the median frame.",
    )


def _sizes(found: OfClass) -> Table:
    rows = []
    for name, own in found.items():
        figures = {
            "predicted area, mm²": [one.area for one in own],
            "true area, mm²": [one.truth_area for one in own],
            "predicted pixels": [one.pixels for one in own],
            "true pixels": [one.truth_pixels for one in own],
            "mean probability of the predicted pixels": [one.probability for one in own],
        }
        for figure, measures in figures.items():
            distribution = Distribution.of(measures)
            if distribution.count:
                rows.append((name, figure, *summary_cells(distribution)))
    return Table(
        ("class", "figure", *SUMMARY_COLUMNS),
        tuple(rows),
        wordy=_WORDY,
        caption="Sizes. Areas are given for images whose pixel spacing is known.",
    )


def _agreement(name: str, found: Sequence[Found]) -> Iterator[Plot]:
    in_mm2 = _pairs((one.truth_area.value, one.area.value) for one in found)
    in_pixels = _pairs((one.truth_pixels.value, one.pixels.value) for one in found)
    pairs, unit = (in_mm2, "mm²") if len(in_mm2) >= _FEWEST_AREAS else (in_pixels, "pixels")
    if len(pairs) >= _FEWEST_AREAS:
        yield areas(
            pairs,
            unit,
            f"Predicted against true area of {name}, and their differences",
            f"Agreement of the areas of {name} in {len(pairs)} images. Left: the line is equality. Right, after Bland "
            "& Altman (1986): mean difference (solid) and mean ± 1.96 SD (dashed).",
        )


def _pairs(values: Iterator[tuple[float | None, float | None]]) -> list[tuple[float, float]]:
    return [(true, predicted) for true, predicted in values if true is not None and predicted is not None]
