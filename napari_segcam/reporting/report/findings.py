"""Findings section: what the network found in the images of a run, beside the truth where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from napari_segcam.number_format import score, significant
from napari_segcam.reporting.report.document import Block, Plot, Section, Table
from napari_segcam.reporting.report.measures import Case, Distribution, Finding, values_of
from napari_segcam.reporting.report.plots import plot_areas, plot_scores

_FEWEST_AREAS = 3

FindingsByClass = Mapping[str, Sequence[Finding]]
"""One finding per image, by class."""


def findings_section(cases: Sequence[Case], class_names: Sequence[str]) -> Section:
    """Return the sizes of each class; with a truth also Dice, IoU, presence and agreement of the sizes."""
    findings = {name: [case.findings[name] for case in cases if name in case.findings] for name in class_names}
    blocks: list[Block] = []
    with_scores = {name: each for name, each in findings.items() if values_of(finding.dice for finding in each)}
    if with_scores:
        blocks += [_score_table(findings), _score_plot(with_scores)]
    if any(values_of(finding.truth_pixels for finding in each) for each in findings.values()):
        blocks.append(_presence_table(findings))
    blocks.append(_size_table(findings))
    for class_name, class_findings in findings.items():
        blocks += _agreement_plot(class_name, class_findings)
    return Section("findings", "What the network found", blocks)


_TEXT_COLUMNS = frozenset({"class", "score", "figure"})
SUMMARY_COLUMNS = ("images", "undefined", "mean", "SD", "median", "quartiles")


def summary_cells(distribution: Distribution, as_text: Callable[[float | None], str] = significant) -> tuple[str, ...]:
    """Return the cells of a distribution, for the columns of ``SUMMARY_COLUMNS``."""
    quartiles = (distribution.lower_quartile, distribution.upper_quartile)
    return (
        str(distribution.count),
        str(sum(distribution.undefined.values())),
        as_text(distribution.mean),
        as_text(distribution.std),
        as_text(distribution.median),
        "–".join(map(as_text, quartiles)) if distribution.count else as_text(None),
    )


def _score_table(findings: FindingsByClass) -> Table:
    rows = []
    for class_name, each in findings.items():
        rows.append((class_name, "Dice", *summary_cells(Distribution.of(finding.dice for finding in each), score)))
        rows.append((class_name, "IoU", *summary_cells(Distribution.of(finding.iou for finding in each), score)))
    return Table(
        ("class", "score", *SUMMARY_COLUMNS),
        tuple(rows),
        text_columns=_TEXT_COLUMNS,
        caption="Overlap of the predicted and the true mask. Where both are empty, Dice and IoU are undefined: such "
        "images are counted under “undefined”, and not as 0 or 1. SD: standard deviation over images.",
    )


def _score_plot(findings: FindingsByClass) -> Plot:
    return plot_scores(
        {
            "Dice": {name: values_of(finding.dice for finding in each) for name, each in findings.items()},
            "IoU": {name: values_of(finding.iou for finding in each) for name, each in findings.items()},
        },
        "Box plots of the Dice and IoU scores of each class",
        "Dice and IoU, one point per image. Box: median and quartiles; whiskers: to the farthest value within 1.5 "
        "interquartile ranges.",
    )


def _presence_table(findings: FindingsByClass) -> Table:
    rows = []
    for class_name, each in findings.items():
        pixels = [(finding.truth_pixels.value, finding.pixels.value) for finding in each]
        presence = [
            (true > 0, predicted > 0) for true, predicted in pixels if true is not None and predicted is not None
        ]
        counts = (presence.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False)))
        rows.append((class_name, *map(str, counts)))
    return Table(
        ("class", "present and found", "present, not found", "absent, but found", "absent, not found"),
        tuple(rows),
        text_columns=_TEXT_COLUMNS,
        caption="Images by whether the class is in the true mask and in the predicted mask, even in a single pixel; "
        "for a cine, in the median frame.",
    )


def _size_table(findings: FindingsByClass) -> Table:
    rows = []
    for class_name, each in findings.items():
        figures = {
            "predicted area, mm²": [finding.area for finding in each],
            "true area, mm²": [finding.truth_area for finding in each],
            "predicted pixels": [finding.pixels for finding in each],
            "true pixels": [finding.truth_pixels for finding in each],
            "mean probability of the predicted pixels": [finding.probability for finding in each],
        }
        for figure, measures in figures.items():
            distribution = Distribution.of(measures)
            if distribution.count:
                rows.append((class_name, figure, *summary_cells(distribution)))
    return Table(
        ("class", "figure", *SUMMARY_COLUMNS),
        tuple(rows),
        text_columns=_TEXT_COLUMNS,
        caption="Sizes. Areas are given for images whose pixel spacing is known.",
    )


def _agreement_plot(class_name: str, findings: Sequence[Finding]) -> Iterator[Plot]:
    in_mm2 = _complete_pairs((finding.truth_area.value, finding.area.value) for finding in findings)
    in_pixels = _complete_pairs((finding.truth_pixels.value, finding.pixels.value) for finding in findings)
    pairs, unit = (in_mm2, "mm²") if len(in_mm2) >= _FEWEST_AREAS else (in_pixels, "pixels")
    if len(pairs) >= _FEWEST_AREAS:
        yield plot_areas(
            pairs,
            unit,
            f"Predicted against true area of {class_name}, and their differences",
            f"Agreement of the areas of {class_name} in {len(pairs)} images. Left: the line is equality. Right, after "
            "Bland & Altman (1986): mean difference (solid) and mean ± 1.96 SD (dashed).",
        )


def _complete_pairs(pairs: Iterator[tuple[float | None, float | None]]) -> list[tuple[float, float]]:
    return [(true, predicted) for true, predicted in pairs if true is not None and predicted is not None]
