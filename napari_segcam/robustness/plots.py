"""Curves of a run: Dice, findings and heatmaps against the strength of a perturbation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_segcam.perturbing.catalog import PERTURBATIONS
from napari_segcam.reporting.report.document import Plot
from napari_segcam.reporting.report.plots import BLUE, VERMILION, new_figure, save_plot
from napari_segcam.reporting.report.text import drawable
from napari_segcam.robustness.frame_meter import TRUTH
from napari_segcam.robustness.summary import StrengthSummary
from napari_segcam.statistics.interval import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DOTS_PER_INCH = 300
_HEIGHT = 2.6
_GREEN = "#009E73"


def plot_curve(name: str, points: Sequence[StrengthSummary], caption: str) -> Plot:
    """Plot the figures of a perturbation against its strength, with intervals; strengths are equally far apart.

    Args:
        name: of the perturbation.
        points: its strengths and the unperturbed frames, in order.
        caption: below the plot.
    """
    perturbation = PERTURBATIONS[name]
    form = "+g" if any(one.strength < 0 for one in points) else "g"
    labels = [format(one.strength, form) if one.strength else "none" for one in points]
    unit = next((one.unit for one in points if one.strength), "")
    with new_figure(_HEIGHT) as figure:
        left, right = figure.subplots(1, 2, sharex=True)
        against = "true mask" if points[0].against == TRUTH else "unperturbed mask"
        _line(left, [one.dice for one in points], BLUE, "o", f"Dice with the {against}")
        _line(left, [one.detected for one in points], _GREEN, "^", "share of frames detected")
        _line(left, [one.false_masks for one in points], VERMILION, "x", "share of other frames with a false mask")
        _line(right, [one.heatmap_correlation for one in points], VERMILION, "s", "rank correlation")
        _line(right, [one.heatmap_overlap for one in points], _GREEN, "D", "overlap of the hottest tenth")
        for axis, title in ((left, "Masks"), (right, "Heatmaps beside the unperturbed one")):
            axis.set_title(title)
            axis.set_xticks(range(len(points)), labels)
            axis.set_xlabel(drawable(f"{perturbation.title}, {unit}" if unit else perturbation.title))
            axis.grid(axis="y")
            axis.legend(loc="best", fontsize=7)
        left.set_ylim(-0.03, 1.03)
        low = min((one.heatmap_correlation.low or 0 for one in points), default=0)
        right.set_ylim(min(-0.03, low - 0.03), 1.03)
        worst = min((one.dice.value for one in points if one.dice.value is not None), default=None)
        words = f"{perturbation.title}: figures at {len(points)} strengths; the lowest Dice is "
        words += "undefined" if worst is None else f"{worst:.2f}"
        return save_plot(figure, _HEIGHT, words, caption, dots_per_inch=_DOTS_PER_INCH)


def _line(axis: Axes, intervals: Sequence[Interval], color: str, marker: str, label: str) -> None:
    """Draw the figures that are defined, and their intervals as bars."""
    drawn = [(place, one.value) for place, one in enumerate(intervals) if one.value is not None]
    if not drawn:
        return
    axis.plot(*zip(*drawn, strict=True), color=color, marker=marker, markersize=3.5, linewidth=1.3, label=label)
    for place, one in enumerate(intervals):
        if one.low is not None and one.high is not None:
            axis.plot((place, place), (one.low, one.high), color=color, linewidth=0.9, alpha=0.7)
