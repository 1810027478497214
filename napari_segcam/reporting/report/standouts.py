"""Stand-out sections: the best and the worst images of a run, and the outliers."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.number_format import UNDEFINED, counted, score, significant
from napari_segcam.reporting.report.attention import reference_key
from napari_segcam.reporting.report.document import (
    Block,
    Card,
    Cards,
    Cell,
    Link,
    Paragraph,
    Section,
    Subheading,
    Table,
)
from napari_segcam.reporting.report.measures import Case, HeatmapKey
from napari_segcam.reporting.report.outliers import FEWEST_VALUES, LIMIT, Outlier, find_outliers
from napari_segcam.reporting.report.sheets import card_of

_CARDS = 4
_MOST_OUTLIERS = 40
_OUTLIER_NOTE = (
    "An image is listed if one of its figures is far from the same figure of the other images: if the modified z-score "
    f"0.6745 (x − median) / MAD is beyond ±{LIMIT} (Iglewicz & Hoaglin 1993; MAD: median absolute deviation). Ratios "
    "are compared by their logarithm; for Dice only low values count; figures of fewer than "
    f"{FEWEST_VALUES} images are not judged. With many stages and methods some images are listed by chance. An outlier "
    "is a reason to look, not an error."
)


def extremes_section(cases: Sequence[Case], keys: Sequence[HeatmapKey]) -> Section:
    """Return the images with the lowest and the highest Dice of each class; without a truth, attention ratio."""
    blocks: list[Block] = []
    for class_name in dict.fromkeys(key.class_name for key in keys):
        reference = reference_key(keys, class_name, cases)
        ranked = [
            (value, case)
            for case in cases
            if class_name in case.findings and (value := case.findings[class_name].dice.value) is not None
        ]
        figure, as_text = "Dice", score
        if not ranked:
            ranked = [
                (value, case)
                for case in cases
                if reference in case.heat and (value := case.heat[reference].ratio.value) is not None
            ]
            figure, as_text = f"attention ratio at {reference.stage} ({reference.method})", significant
        ranked.sort(key=lambda pair: (pair[0], pair[1].number))
        count = min(_CARDS, len(ranked) // 2)
        for title, extremes in (("lowest", ranked[:count]), ("highest", ranked[::-1][:count])):
            if extremes:
                blocks.append(Subheading(f"{class_name}: {title} {figure}"))
                cards = (
                    Card(
                        case.name,
                        f"{figure} {as_text(value)}",
                        card_of(case.image.sheet),
                        case.anchor,
                    )
                    for value, case in extremes
                )
                blocks.append(Cards(tuple(cards)))
    if not blocks:
        blocks.append(Paragraph("There are too few images with a figure to compare them."))
    return Section("extremes", "Best and worst images", blocks)


def outliers_section(cases: Sequence[Case], keys: Sequence[HeatmapKey]) -> Section:
    """Return a table with one row for each image and class that has outlying figures."""
    note = Paragraph(_OUTLIER_NOTE, note=True)
    by_image: dict[tuple[int, str], list[Outlier]] = {}
    for outlier in find_outliers(cases, keys):
        by_image.setdefault((outlier.case.number, outlier.class_name), []).append(outlier)
    if not by_image:
        return Section("outliers", "Outliers", [note, Paragraph("No image is an outlier.")])
    rows = tuple(_row(outliers) for outliers in list(by_image.values())[:_MOST_OUTLIERS])
    not_shown = len(by_image) - len(rows)
    caption = f"{counted(len(by_image), 'outlier')}, the farthest first." + (
        f" {not_shown} more are not shown." if not_shown else ""
    )
    text_columns = frozenset({"image", "class", "why", "also outlying"})
    table = Table(("image", "class", "why", "also outlying", "z"), rows, text_columns, caption, sortable=True)
    return Section("outliers", "Outliers", [note, table])


def name_cell(case: Case) -> Cell:
    """Return the name of an image, linked to its page if there is one."""
    return Link(case.name, case.anchor) if case.anchor else case.name


def _row(outliers: Sequence[Outlier]) -> tuple[Cell, ...]:
    """Return the row of an image: its farthest figure in full, the others by name."""
    first, *others = outliers
    as_text = score if first.figure == "Dice" else significant
    why = f"{first.figure}: {as_text(first.value)}; the median of the run is {as_text(first.median)}"
    names = "; ".join(other.figure for other in others[:3]) + (
        f" and {len(others) - 3} more" if len(others) > 3 else ""
    )
    return name_cell(first.case), first.class_name, why, names or UNDEFINED, f"{first.score:+.1f}"
