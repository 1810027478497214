"""Attention: where the heat lies, by method and stage, over all images of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from napari_segcam.reporting.report.document import Block, Paragraph, Plot, Section, Subheading, Table
from napari_segcam.reporting.report.findings import SUMMARY_COLUMNS, summary_cells
from napari_segcam.reporting.report.measures import Case, Distribution, Heat, Measure, Place, values_of
from napari_segcam.reporting.report.plots import BLUE, PANELS, VERMILION, profile, ratio_boxes
from napari_segcam.reporting.report.text import counted

_REGIONS = {"prediction": "ratio", "truth": "truth_ratio"}
_INTRODUCTION = (
    "The attention ratio is the mean raw heat inside a region divided by the mean heat outside: 1 is no preference, 2 "
    "is twice the heat inside. It is taken for the region that was explained (by default the predicted mask) and, "
    "where there is one, for the true mask. Every image counts once: of a cine, the median over its frames."
)


def attention_section(cases: Sequence[Case], places: Sequence[Place]) -> Section:
    """Tables and plots of the attention ratios of every class, and what is undefined."""
    blocks: list[Block] = [Paragraph(_INTRODUCTION)]
    classes = list(dict.fromkeys(place.class_name for place in places))
    for name in classes:
        if len(classes) > 1:
            blocks.append(Subheading(name))
        own = [place for place in places if place.class_name == name]
        regions = [region for region in _REGIONS if any(values_of(_ratios(cases, place, region)) for place in own)]
        for region in regions:
            blocks += _boxes(cases, own, region)
        if regions and len({place.stage for place in own}) > 1:
            blocks += _profiles(cases, own, regions)
        blocks += [_table(cases, own, region) for region in regions]
    blocks.append(_undefined(cases, places))
    return Section("attention", "Where the heat lies", blocks)


def reference_place(places: Sequence[Place], class_name: str) -> Place:
    """The place by which images are compared where one figure must do: the first method's deepest encoder stage.

    The last decoder stages repeat the mask by construction, so that their ratio tells little.
    """
    own = [place for place in places if place.class_name == class_name]
    encoder = [place for place in own if place.method == own[0].method and place.stage.startswith("encoder")]
    return (encoder or own)[-1 if encoder else 0]


def heats_at(cases: Sequence[Case], place: Place) -> list[Heat]:
    """The heat at a place of all images that have it."""
    return [case.heat[place] for case in cases if place in case.heat]


def _ratios(cases: Sequence[Case], place: Place, region: str) -> list[Measure]:
    return [getattr(heat, _REGIONS[region]) for heat in heats_at(cases, place)]


def _by_method(places: Sequence[Place]) -> Iterator[dict[str, list[Place]]]:
    """Places by method, so many methods at a time as fit on a page; every method with all stages, in their order."""
    methods = list(dict.fromkeys(place.method for place in places))
    stages = list(dict.fromkeys(place.stage for place in places))
    for first in range(0, len(methods), PANELS):
        group = methods[first : first + PANELS]
        yield {method: [Place(places[0].class_name, method, stage) for stage in stages] for method in group}


def _boxes(cases: Sequence[Case], places: Sequence[Place], region: str) -> Iterator[Plot]:
    name = places[0].class_name
    for methods in _by_method(places):
        panels = {
            method: {place.stage: values_of(_ratios(cases, place, region)) for place in own}
            for method, own in methods.items()
        }
        zeros = sum(value == 0 for stages in panels.values() for values in stages.values() for value in values)
        left_out = f" {counted(zeros, 'ratio')} of 0 cannot be drawn on a logarithmic axis." if zeros else ""
        yield ratio_boxes(
            panels,
            region,
            BLUE if region == "prediction" else VERMILION,
            f"Box plots of the attention ratio of the {region} by stage, for {name}",
            f"Attention ratio in/out of the {region}, {name}: one point per image; dashed at 1. Box: median and "
            f"quartiles; whiskers: to the farthest value within 1.5 interquartile ranges.{left_out}",
        )


def _profiles(cases: Sequence[Case], places: Sequence[Place], regions: Sequence[str]) -> Iterator[Plot]:
    for methods in _by_method(places):
        panels = {
            method: {
                f"of the {region}": {place.stage: values_of(_ratios(cases, place, region)) for place in own}
                for region in regions
            }
            for method, own in methods.items()
        }
        kinds = [place.stage.partition("_")[0] for place in next(iter(methods.values()))]
        borders = [place for place in range(1, len(kinds)) if kinds[place] != kinds[place - 1]]
        yield profile(
            panels,
            borders,
            f"Median attention ratio along the stages of the network, for {places[0].class_name}",
            f"Profile from encoder to decoder, {places[0].class_name}: median attention ratio of the images, with "
            "their quartiles as a band; vertical lines part encoder, decoder and head. That the last decoder stages "
            "rise is partly so by construction.",
        )


def _table(cases: Sequence[Case], places: Sequence[Place], region: str) -> Table:
    return Table(
        ("method", "stage", *SUMMARY_COLUMNS),
        tuple(
            (place.method, place.stage, *summary_cells(Distribution.of(_ratios(cases, place, region))))
            for place in places
        ),
        wordy=frozenset({"method", "stage"}),
        caption=f"Attention ratio in/out of the {region}, {places[0].class_name}. Ratios are skewed: read the median "
        "before the mean.",
    )


def _undefined(cases: Sequence[Case], places: Sequence[Place]) -> Block:
    rows: list[tuple[str, ...]] = []
    regions = [region for region in _REGIONS if any(values_of(_ratios(cases, place, region)) for place in places)]
    for region in regions:
        rows += _reasons(
            f"ratio of the {region}",
            ((place, getattr(case.heat[place], _REGIONS[region]).reason, case) for case, place in _all(cases, places)),
        )
    rows += _reasons("heatmap is empty", ((place, case.heat[place].empty, case) for case, place in _all(cases, places)))
    if not rows:
        return Paragraph("No ratio is undefined, and no heatmap is empty.")
    return Table(
        ("what", "class", "why", "heatmaps", "of", "images"),
        tuple(rows),
        wordy=frozenset({"what", "class", "why"}),
        caption="What is undefined or empty, and why. Such values are in no mean, median or plot; they are never "
        "counted as 0.",
    )


def _all(cases: Sequence[Case], places: Sequence[Place]) -> Iterator[tuple[Case, Place]]:
    return ((case, place) for case in cases for place in places if place in case.heat)


def _reasons(what: str, found: Iterable[tuple[Place, str, Case]]) -> Iterator[tuple[str, ...]]:
    heatmaps: Counter[tuple[str, str]] = Counter()
    every: Counter[str] = Counter()
    images: dict[tuple[str, str], set[int]] = {}
    for place, reason, case in found:
        every[place.class_name] += 1
        if reason:
            heatmaps[place.class_name, reason] += 1
            images.setdefault((place.class_name, reason), set()).add(case.number)
    for (name, reason), count in heatmaps.most_common():
        yield what, name, reason, str(count), str(every[name]), str(len(images[name, reason]))
