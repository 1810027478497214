"""Attention section: where the heat is, by method and stage, over all images of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from napari_segcam.number_format import UNDEFINED, counted, significant
from napari_segcam.reporting.evidence_summary.summary import of_frames
from napari_segcam.reporting.report.document import Block, Paragraph, Plot, Section, Subheading, Table
from napari_segcam.reporting.report.findings import SUMMARY_COLUMNS, summary_cells
from napari_segcam.reporting.report.measures import Case, Distribution, HeatmapKey, Measure, values_of
from napari_segcam.reporting.report.plots import BLUE, PANELS, VERMILION, plot_profile, plot_ratios

_PASSES = 0.05
_REGIONS = {"prediction": "ratio", "truth": "truth_ratio"}
_INTRODUCTION = (
    "The attention ratio is the mean raw heat inside a region divided by the mean heat outside: 1 is no preference, 2 "
    "is twice the heat inside. It is computed for the explained region (by default the predicted mask) and, if there "
    "is one, for the true mask. A region of the same size and shape anywhere else has a ratio too: it stands beside "
    "it, by chance. A ratio says nothing about whether the stage takes part in the mask at all; batch --evidence "
    "measures that. Every image counts once; a cine counts as the median over its frames."
)


def attention_section(cases: Sequence[Case], keys: Sequence[HeatmapKey]) -> Section:
    """Return tables and plots of the attention ratios of each class, and a table of the undefined ratios."""
    blocks: list[Block] = [Paragraph(_INTRODUCTION)]
    class_names = list(dict.fromkeys(key.class_name for key in keys))
    for class_name in class_names:
        if len(class_names) > 1:
            blocks.append(Subheading(class_name))
        class_keys = [key for key in keys if key.class_name == class_name]
        regions = _regions_with_values(cases, class_keys)
        for region in regions:
            blocks += _box_plots(cases, class_keys, region)
        if regions and len({key.stage for key in class_keys}) > 1:
            blocks += _profiles(cases, class_keys, regions)
        blocks += [_table(cases, class_keys, region) for region in regions]
    blocks.append(_undefined(cases, keys))
    return Section("attention", "Where the heat is", blocks)


def reference_key(keys: Sequence[HeatmapKey], class_name: str, cases: Sequence[Case] = ()) -> HeatmapKey:
    """Return the heatmap by which images are compared: that of the first method at the stage to show first.

    It is the stage that is shown first in most frames of the cases. Where that was not measured, it is the deepest
    encoder stage, as the last decoder stages repeat the mask by construction.
    """
    class_keys = [key for key in keys if key.class_name == class_name]
    first = measured_stage(cases, class_name)
    for key in class_keys:
        if key.stage == first and key.method == class_keys[0].method:
            return key
    encoder = [key for key in class_keys if key.method == class_keys[0].method and key.stage.startswith("encoder")]
    return encoder[-1] if encoder else class_keys[0]


def measured_stage(cases: Sequence[Case], class_name: str) -> str | None:
    """Return the stage that is shown first in most frames; None if that was not measured."""
    firsts = Counter(
        first
        for case in cases
        for row in of_frames(row for row in case.image.rows if row["class"] == class_name)
        if (first := row.get("shown_first"))
    )
    return str(firsts.most_common(1)[0][0]) if firsts else None


def _regions_with_values(cases: Sequence[Case], keys: Sequence[HeatmapKey]) -> list[str]:
    return [region for region in _REGIONS if any(values_of(_ratios(cases, key, region)) for key in keys)]


def _ratios(cases: Sequence[Case], key: HeatmapKey, region: str) -> list[Measure]:
    return [getattr(case.heat[key], _REGIONS[region]) for case in cases if key in case.heat]


def _pages_of_methods(keys: Sequence[HeatmapKey]) -> Iterator[dict[str, list[HeatmapKey]]]:
    """Yield the keys by method, as many methods at a time as fit on a page; each method with all stages in order."""
    methods = list(dict.fromkeys(key.method for key in keys))
    stages = list(dict.fromkeys(key.stage for key in keys))
    for first in range(0, len(methods), PANELS):
        yield {
            method: [HeatmapKey(keys[0].class_name, method, stage) for stage in stages]
            for method in methods[first : first + PANELS]
        }


def _box_plots(cases: Sequence[Case], keys: Sequence[HeatmapKey], region: str) -> Iterator[Plot]:
    class_name = keys[0].class_name
    for methods in _pages_of_methods(keys):
        panels = {
            method: {key.stage: values_of(_ratios(cases, key, region)) for key in method_keys}
            for method, method_keys in methods.items()
        }
        zeros = sum(value == 0 for stages in panels.values() for values in stages.values() for value in values)
        not_drawn = f" {counted(zeros, 'ratio')} of 0 cannot be drawn on a logarithmic axis." if zeros else ""
        yield plot_ratios(
            panels,
            region,
            BLUE if region == "prediction" else VERMILION,
            f"Box plots of the attention ratio of the {region} by stage, for {class_name}",
            f"Attention ratio in/out of the {region}, {class_name}: one point per image; dashed line at 1. Box: median "
            f"and quartiles; whiskers: to the farthest value within 1.5 interquartile ranges.{not_drawn}",
        )


def _profiles(cases: Sequence[Case], keys: Sequence[HeatmapKey], regions: Sequence[str]) -> Iterator[Plot]:
    for methods in _pages_of_methods(keys):
        panels = {
            method: {
                f"of the {region}": {key.stage: values_of(_ratios(cases, key, region)) for key in method_keys}
                for region in regions
            }
            for method, method_keys in methods.items()
        }
        kinds = [key.stage.partition("_")[0] for key in next(iter(methods.values()))]
        borders = [number for number in range(1, len(kinds)) if kinds[number] != kinds[number - 1]]
        yield plot_profile(
            panels,
            borders,
            f"Median attention ratio along the stages of the network, for {keys[0].class_name}",
            f"Profile from encoder to decoder, {keys[0].class_name}: median attention ratio of the images, with "
            "their quartiles as a band; vertical lines separate encoder, decoder and head. The rise at the last "
            "decoder stages is partly by construction.",
        )


def _table(cases: Sequence[Case], keys: Sequence[HeatmapKey], region: str) -> Table:
    return Table(
        ("method", "stage", *SUMMARY_COLUMNS, "by chance", "p ≤ 0.05 in"),
        tuple(
            (
                key.method,
                key.stage,
                *summary_cells(Distribution.of(_ratios(cases, key, region))),
                *_null_cells(cases, key, region),
            )
            for key in keys
        ),
        text_columns=frozenset({"method", "stage"}),
        caption=f"Attention ratio in/out of the {region}, {keys[0].class_name}. Ratios are skewed: read the median "
        "before the mean. By chance: the median over the images of the mean ratio for the same region at random places "
        "of the scan; p: the share of places with no less, not corrected for the number of tests.",
    )


def _null_cells(cases: Sequence[Case], key: HeatmapKey, region: str) -> tuple[str, str]:
    """Return the median null of a ratio, and in how many images p is 0.05 or less."""
    name = _REGIONS[region]
    heats = [case.heat[key] for case in cases if key in case.heat]
    nulls: list[Measure] = [getattr(heat, f"{name}_null") for heat in heats]
    ps = values_of(getattr(heat, f"{name}_p") for heat in heats)
    passed = f"{sum(p <= _PASSES for p in ps)} of {len(ps)}" if ps else UNDEFINED
    return significant(Distribution.of(nulls).median), passed


def _undefined(cases: Sequence[Case], keys: Sequence[HeatmapKey]) -> Block:
    pairs = [(case, key) for case in cases for key in keys if key in case.heat]
    rows: list[tuple[str, ...]] = []
    for region in _regions_with_values(cases, keys):
        reasons = ((key, getattr(case.heat[key], _REGIONS[region]).reason, case) for case, key in pairs)
        rows += _count_reasons(f"ratio of the {region}", reasons)
    rows += _count_reasons("heatmap is empty", ((key, case.heat[key].empty, case) for case, key in pairs))
    if not rows:
        return Paragraph("No ratio is undefined, and no heatmap is empty.")
    return Table(
        ("what", "class", "why", "heatmaps", "of", "images"),
        tuple(rows),
        text_columns=frozenset({"what", "class", "why"}),
        caption="What is undefined or empty, and why. Such values are in no mean, median or plot; they are never "
        "counted as 0.",
    )


def _count_reasons(what: str, reasons: Iterable[tuple[HeatmapKey, str, Case]]) -> Iterator[tuple[str, ...]]:
    """Yield one row per class and reason, the most frequent first; an empty reason counts only in the total."""
    heatmaps: Counter[tuple[str, str]] = Counter()
    totals: Counter[str] = Counter()
    images: dict[tuple[str, str], set[int]] = {}
    for key, reason, case in reasons:
        totals[key.class_name] += 1
        if reason:
            heatmaps[key.class_name, reason] += 1
            images.setdefault((key.class_name, reason), set()).add(case.number)
    for (class_name, reason), count in heatmaps.most_common():
        yield what, class_name, reason, str(count), str(totals[class_name]), str(len(images[class_name, reason]))
