"""Plots of a comparison: one point for each case, and the mean with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_segcam.reporting.report.document import Plot
from napari_segcam.reporting.report.plots import BLUE, GRAY, VERMILION, new_figure, save_plot
from napari_segcam.reporting.report.text import drawable, shorten_middle
from napari_segcam.statistics.interval import Interval

_MOST_NAMED = 40
_LONGEST_NAME = 30


def plot_cases(names: Sequence[str], values: Sequence[float], interval: Interval, label: str, caption: str) -> Plot:
    """Plot a figure of each case, the lowest at the top, over its mean and the interval of the mean.

    Args:
        names: of the cases.
        values: of the cases; where they can be negative, a line marks 0.
        interval: of the mean.
        label: of the axis.
        caption: below the plot.
    """
    order = np.argsort(values, kind="stable")
    is_named = len(values) <= _MOST_NAMED
    height = 1.0 + (0.17 * len(values) if is_named else 3.2)
    places = np.arange(len(values))
    with new_figure(height) as figure:
        axis = figure.subplots()
        if interval.low is not None and interval.high is not None:
            axis.axvspan(interval.low, interval.high, color=VERMILION, alpha=0.18, linewidth=0)
        if interval.value is not None:
            axis.axvline(interval.value, color=VERMILION, linewidth=1.2)
        if min(values) <= 0 <= max(values) or label.endswith("(B − A)"):
            axis.axvline(0, color=GRAY, linewidth=0.9, linestyle=(0, (4, 3)))
        axis.scatter(np.asarray(values)[order], places, s=14, color=BLUE, linewidths=0, zorder=3)
        if is_named:
            axis.set_yticks(places, [shorten_middle(drawable(names[index]), _LONGEST_NAME) for index in order])
        else:
            axis.set_yticks([])
            axis.set_ylabel(f"{len(values)} cases")
        axis.set_ylim(len(values) - 0.4, -0.6)
        axis.set_xlabel(label)
        axis.grid(axis="x")
        mean = "no value" if interval.value is None else f"{interval.value:.3g}"
        return save_plot(figure, height, f"{label} of {len(values)} cases; the mean is {mean}.", caption)
