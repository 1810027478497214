"""Stand-outs: the best and the worst images of a run, and the outliers."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.number_format import score, significant
from napari_segcam.reporting.report.attention import reference_place
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
from napari_segcam.reporting.report.measures import Case, Place
from napari_segcam.reporting.report.outliers import FEWEST, LIMIT, Outlier, outliers_of
from napari_segcam.reporting.report.sheets import Sheets
from napari_segcam.reporting.report.text import counted

_CARDS = 4
_OUTLIERS = 40


def extremes_section(cases: Sequence[Case], places: Sequence[Place], sheets: Sheets, linked: bool) -> Section:
    """For each class the images of the lowest and of the highest Dice; without a truth, of the attention ratio."""
    blocks: list[Block] = []
    for name in dict.fromkeys(place.class_name for place in places):
        place = reference_place(places, name)
        scored = [
            (one, case) for case in cases if name in case.found and (one := case.found[name].dice.value) is not None
        ]
        figure, text = "Dice", score
        if not scored:
            scored = [
                (one, case)
                for case in cases
                if place in case.heat and (one := case.heat[place].ratio.value) is not None
            ]
            figure, text = f"attention ratio at {place.stage} ({place.method})", significant
        scored.sort(key=lambda pair: (pair[0], pair[1].number))
        few = min(_CARDS, len(scored) // 2)
        for title, own in (("lowest", scored[:few]), ("highest", scored[::-1][:few])):
            if own:
                blocks.append(Subheading(f"{name}: {title} {figure}"))
                cards = (
                    Card(
                        case.name, f"{figure} {text(one)}", sheets.card(case.image.sheet), case.anchor if linked else ""
                    )
                    for one, case in own
                )
                blocks.append(Cards(tuple(cards)))
    if not blocks:
        blocks.append(Paragraph("There are too few images with a figure to compare them."))
    return Section("extremes", "Best and worst images", blocks)


def outliers_section(cases: Sequence[Case], places: Sequence[Place], linked: bool) -> Section:
    """One row for each image and class with figures far from those of the others."""
    explained = Paragraph(
        "An image is listed where a figure of it lies far from the same figure of the other images: where the "
        f"modified z-score 0.6745 (x − median) / MAD is beyond ±{LIMIT} (Iglewicz & Hoaglin 1993; MAD: median absolute "
        "deviation). Ratios are compared by their logarithm; of Dice only low values count; figures of fewer than "
        f"{FEWEST} images are not judged. With many stages and methods some images are listed by chance. An outlier is "
        "a reason to look, not an error.",
        note=True,
    )
    by_image: dict[tuple[int, str], list[Outlier]] = {}
    for outlier in outliers_of(cases, places):
        by_image.setdefault((outlier.case.number, outlier.class_name), []).append(outlier)
    if not by_image:
        return Section("outliers", "Outliers", [explained, Paragraph("No image is an outlier.")])
    rows = tuple(_row(own, linked) for own in list(by_image.values())[:_OUTLIERS])
    left = len(by_image) - len(rows)
    caption = f"{counted(len(by_image), 'outlier')}, the farthest first." + (
        f" {left} more are not shown." if left else ""
    )
    wordy = frozenset({"image", "class", "why", "likewise"})
    table = Table(("image", "class", "why", "likewise", "z"), rows, wordy, caption, sortable=True)
    return Section("outliers", "Outliers", [explained, table])


def name_cell(case: Case, linked: bool) -> Cell:
    """An image's name, leading to its page where there is one."""
    return Link(case.name, case.anchor) if linked else case.name


def _row(own: Sequence[Outlier], linked: bool) -> tuple[Cell, ...]:
    """The farthest figure of an image in full, the others by name."""
    first, *others = own
    text = score if first.figure == "Dice" else significant
    why = f"{first.figure}: {text(first.value)}, where the median of the run is {text(first.median)}"
    shown = "; ".join(other.figure for other in others[:3]) + (
        f" and {len(others) - 3} more" if len(others) > 3 else ""
    )
    return name_cell(first.case, linked), first.class_name, why, shown or "–", f"{first.score:+.1f}"
