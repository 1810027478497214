"""The plot of subgroups: each figure with its interval, below the figure of all cases."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.reporting.report.document import Plot
from napari_segcam.reporting.report.plots import BLUE, GRAY, VERMILION, new_figure, save_plot
from napari_segcam.reporting.report.text import drawable, shorten_middle
from napari_segcam.validating.subgroups import Subgroup
from napari_segcam.validating.summaries import Summary

_LONGEST_NAME = 34
_DOTS_PER_INCH = 300
_PALE = "#b8bec6"


def plot_subgroups(whole: Summary, subgroups: Sequence[Subgroup], caption: str) -> Plot:
    """Plot one metric of one class in all cases and in each subgroup, with intervals.

    Small subgroups are gray. The band is the interval of all cases.

    Args:
        whole: the metric over all cases.
        subgroups: the same metric and class in the groups of each attribute, in order.
        caption: below the plot.
    """
    lines: list[tuple[str, Summary | None, str]] = [("all cases", whole, VERMILION)]
    attribute = ""
    for one in subgroups:
        if one.attribute != attribute:
            attribute = one.attribute
            lines.append((attribute, None, ""))
        lines.append((one.group, one.summary, _PALE if one.is_small else BLUE))
    height = 0.9 + 0.2 * len(lines)
    title = whole.metric.title + (f", {whole.unit}" if whole.unit else "")
    with new_figure(height) as figure:
        axis = figure.subplots()
        interval = whole.interval
        if interval.low is not None and interval.high is not None:
            axis.axvspan(interval.low, interval.high, color=VERMILION, alpha=0.12, linewidth=0)
        if interval.value is not None:
            axis.axvline(interval.value, color=VERMILION, linewidth=0.9)
        for place, (_, summary, color) in enumerate(lines):
            if summary is None or summary.interval.value is None:
                continue
            low, high = summary.interval.low, summary.interval.high
            if low is not None and high is not None:
                axis.plot((low, high), (place, place), color=color, linewidth=1.6, solid_capstyle="butt")
            axis.plot(summary.interval.value, place, "s", color=color, markersize=4.5)
        names = [_name(name, summary) for name, summary, _ in lines]
        axis.set_yticks(range(len(lines)), names)
        for label, (_, summary, color) in zip(axis.get_yticklabels(), lines, strict=True):
            label.set_fontweight("bold" if summary is None else "normal")
            label.set_color(GRAY if color == _PALE else "#111827")
        axis.tick_params(axis="y", length=0)
        axis.set_ylim(len(lines) - 0.4, -0.6)
        axis.set_xlabel(drawable(title))
        axis.grid(axis="x")
        words = f"{whole.metric.title} of {whole.class_name} in all cases and in each subgroup, with intervals"
        return save_plot(figure, height, words, caption, dots_per_inch=_DOTS_PER_INCH)


def _name(name: str, summary: Summary | None) -> str:
    text = shorten_middle(drawable(name), _LONGEST_NAME)
    return text if summary is None else f"{text} ({summary.cases})"
