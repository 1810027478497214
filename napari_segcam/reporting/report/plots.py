"""Plots of a run, drawn by matplotlib without windows, in the color-blind safe colors of Okabe & Ito."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_segcam.reporting.report.document import Plot
from napari_segcam.reporting.report.text import drawable, shorten_middle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

BLUE, VERMILION, GRAY = "#0072B2", "#D55E00", "#6b7280"
PANELS = 4
"""Number of panels, one below the other, that fit on a page."""

_WIDTH = 7.2
_DOTS_PER_INCH = 160
_MANY_POINTS = 1500
_LONGEST_NAME = 28
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # names may contain dollar signs
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa3ad",
    "axes.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.color": "#374151",
    "ytick.color": "#374151",
    "grid.color": "#e3e7eb",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "napari-segcam",
}

Panels = Mapping[str, Mapping[str, Sequence[float]]]
"""Values by panel, such as a method, and by heading, such as a stage."""


def plot_ratios(panels: Panels, region: str, color: str, alternative: str, caption: str) -> Plot:
    """Plot a box and its values for each stage, one panel per method; logarithmic if no value is negative."""
    height = 0.7 + 1.9 * len(panels)
    with new_figure(height) as figure:
        axes = figure.subplots(len(panels), squeeze=False, sharex=True)[:, 0]
        for axis, (title, stages) in zip(axes, panels.items(), strict=True):
            axis.set_title(drawable(title))
            drawn = _on_ratio_scale(axis, stages.values())
            _boxes(axis, drawn, color)
            axis.axhline(1, color=GRAY, linewidth=0.8, linestyle=(0, (4, 3)))
            axis.set_ylabel(f"inside / outside\nof the {region}")
            axis.grid(axis="y")
        _stage_names(axes[-1], list(next(iter(panels.values()))))
        return save_plot(figure, height, alternative, caption)


def plot_profile(
    panels: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]],
    borders: Sequence[int],
    alternative: str,
    caption: str,
) -> Plot:
    """Plot median and quartiles along the stages, one panel per method, one line per region (at most two).

    Args:
        panels: by method, then by region, then by stage.
        borders: numbers of the stages at which another kind of stage begins.
        alternative: text for readers who cannot see the plot.
        caption: below the plot.
    """
    height = 0.8 + 1.8 * len(panels)
    with new_figure(height) as figure:
        axes = figure.subplots(len(panels), squeeze=False, sharex=True)[:, 0]
        for axis, (title, lines) in zip(axes, panels.items(), strict=True):
            axis.set_title(drawable(title))
            _on_ratio_scale(axis, [values for stages in lines.values() for values in stages.values()])
            for (label, stages), color, marker in zip(lines.items(), (BLUE, VERMILION), "os", strict=False):
                _profile_line(axis, list(stages.values()), label, color, marker)
            for border in borders:
                axis.axvline(border - 0.5, color=GRAY, linewidth=0.8)
            axis.axhline(1, color=GRAY, linewidth=0.8, linestyle=(0, (4, 3)))
            axis.set_ylabel("inside / outside")
            axis.grid(axis="y")
        if len(next(iter(panels.values()))) > 1:
            axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
        _stage_names(axes[-1], list(next(iter(next(iter(panels.values())).values()))))
        return save_plot(figure, height, alternative, caption)


def plot_scores(panels: Panels, alternative: str, caption: str) -> Plot:
    """Plot horizontal boxes of scores from 0 to 1, one panel per score, one box per class."""
    classes = list(next(iter(panels.values())))
    height = 0.9 + 0.42 * len(classes)
    with new_figure(height) as figure:
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for axis, (title, scores) in zip(axes, panels.items(), strict=True):
            axis.set_title(drawable(title))
            _boxes(axis, list(scores.values()), BLUE, horizontal=True)
            axis.set_xlim(-0.02, 1.02)
            axis.grid(axis="x")
        axes[0].set_yticks(range(len(classes)), [shorten_middle(drawable(name), _LONGEST_NAME) for name in classes])
        axes[0].set_ylim(len(classes) - 0.4, -0.6)
        return save_plot(figure, height, alternative, caption)


def plot_areas(pairs: Sequence[tuple[float, float]], unit: str, alternative: str, caption: str) -> Plot:
    """Plot predicted against true area with the line of equality, and their difference against their mean.

    The second panel is after Bland & Altman (1986): mean difference and limits of agreement, mean ± 1.96 SD.

    Args:
        pairs: true and predicted area of each image, at least two.
        unit: of the areas.
        alternative: text for readers who cannot see the plot.
        caption: below the plot.
    """
    height = 3.1
    true, predicted = np.asarray(pairs, dtype=np.float64).T
    difference = predicted - true
    mean, spread = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
    with new_figure(height) as figure:
        left, right = figure.subplots(1, 2)
        style = {"s": 12, "color": BLUE, "alpha": 0.55, "linewidths": 0, "rasterized": len(pairs) > _MANY_POINTS}
        left.scatter(true, predicted, **style)
        left.axline((0, 0), slope=1, color=GRAY, linewidth=0.8)
        left.set(title="Predicted and true area", xlabel=f"true, {unit}", ylabel=f"predicted, {unit}")
        right.scatter((true + predicted) / 2, difference, **style)
        for level, line in ((mean, "-"), (mean - spread, (0, (4, 3))), (mean + spread, (0, (4, 3)))):
            right.axhline(level, color=VERMILION, linewidth=1, linestyle=line)
        right.axhline(0, color=GRAY, linewidth=0.8)
        right.set(title="Predicted − true", xlabel=f"mean of both, {unit}", ylabel=f"difference, {unit}")
        for axis in (left, right):
            axis.locator_params(axis="x", nbins=5)
            axis.grid()
        return save_plot(figure, height, alternative, caption)


@contextmanager
def new_figure(height: float) -> Iterator[Figure]:
    """Give a figure as wide as the page, in the style of all plots.

    Args:
        height: in inches.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(_WIDTH, height), layout="constrained")


def save_plot(
    figure: Figure, height: float, alternative: str, caption: str, *, dots_per_inch: int = _DOTS_PER_INCH
) -> Plot:
    """Return a figure of ``new_figure`` as a block of a report; the other arguments are those of ``Plot``."""
    svg, png = io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", dpi=dots_per_inch, metadata={"Date": None, "Creator": None})
    figure.set_layout_engine("none")  # the layout is done
    figure.savefig(png, format="png", dpi=dots_per_inch, metadata={"Software": None})
    return Plot(svg.getvalue(), png.getvalue(), _WIDTH, height, alternative, caption)


def _on_ratio_scale(axis: Axes, groups: Iterable[Sequence[float]]) -> list[list[float]]:
    """Choose the scale of an axis of ratios; return the values that can be drawn on it."""
    all_values = [list(group) for group in groups]
    if any(value < 0 for group in all_values for value in group):  # signed maps
        axis.set_yscale("symlog", linthresh=1)
        return all_values
    drawn = [[value for value in group if value > 0] for group in all_values]
    values = [value for group in drawn for value in group] or [1.0]
    axis.set_yscale("log")
    axis.set_ylim(min(*values, 0.8) / 1.2, max(*values, 1.25) * 1.2)
    axis.yaxis.set_major_formatter(lambda value, _position: f"{value:g}")
    if max(values) / min(values) < 300:
        axis.yaxis.set_major_locator(_ones_twos_fives())
    axis.yaxis.set_minor_formatter(lambda _value, _position: "")
    return drawn


def _ones_twos_fives() -> LogLocator:
    from matplotlib.ticker import LogLocator

    return LogLocator(subs=(1, 2, 5))


def _boxes(axis: Axes, groups: Sequence[Sequence[float]], color: str, horizontal: bool = False) -> None:
    """Draw median, quartiles and whiskers to 1.5 interquartile ranges (Tukey), and the values as points."""
    jitter = np.random.default_rng(0)
    many = sum(map(len, groups)) > _MANY_POINTS
    for position, group in enumerate(groups):
        if not group:
            continue
        across = position + jitter.uniform(-0.22, 0.22, len(group))
        x, y = (group, across) if horizontal else (across, group)
        axis.scatter(x, y, s=5, color=color, alpha=0.3, linewidths=0, rasterized=many)
        axis.boxplot(
            [group],
            positions=[position],
            widths=0.55,
            orientation="horizontal" if horizontal else "vertical",
            showfliers=False,
            manage_ticks=False,
            medianprops={"color": "#111827", "linewidth": 1.6},
            boxprops={"color": "#374151", "linewidth": 0.8},
            whiskerprops={"color": "#374151", "linewidth": 0.8},
            capprops={"color": "#374151", "linewidth": 0.8},
        )


def _profile_line(axis: Axes, stages: Sequence[Sequence[float]], label: str, color: str, marker: str) -> None:
    positions = [position for position, values in enumerate(stages) if len(values)]
    if not positions:
        return
    low, middle, high = np.array([np.percentile(stages[position], (25, 50, 75)) for position in positions]).T
    axis.fill_between(positions, low, high, color=color, alpha=0.16, linewidth=0)
    axis.plot(positions, middle, color=color, marker=marker, markersize=4, linewidth=1.4, label=label)


def _stage_names(axis: Axes, names: Sequence[str]) -> None:
    axis.set_xlim(-0.6, len(names) - 0.4)
    is_tilted = len(names) > 6 or any(len(name) > 12 for name in names)
    axis.set_xticks(
        range(len(names)),
        [shorten_middle(drawable(name), _LONGEST_NAME) for name in names],
        rotation=40 if is_tilted else 0,
        ha="right" if is_tilted else "center",
        rotation_mode="anchor" if is_tilted else "default",
    )
