"""Plots of a review."""

from __future__ import annotations

from collections.abc import Iterator

from napari_segcam.reporting.report.document import Plot
from napari_segcam.reporting.report.plots import new_figure, save_plot
from napari_segcam.reporting.report.text import drawable, shorten_middle
from napari_segcam.review.report.ratings import CATEGORIES
from napari_segcam.review.report.review_numbers import ReviewNumbers
from napari_segcam.review.report.rows import Number

# Okabe & Ito's colors, which differ in lightness too.
_COLORS = {"accept": "#009E73", "correct": "#E69F00", "reject": "#D55E00"}
_WORDS = {"accept": "accepted", "correct": "corrected", "reject": "rejected"}
_LONGEST_NAME = 28
_MOST_RATERS = 40


def verdict_plots(numbers: ReviewNumbers) -> Iterator[Plot]:
    """Yield for each checkpoint a bar a rater, with the shares of the verdicts on the masks of cases."""
    for checkpoint in numbers.review.checkpoints:
        bars = {
            work.rater: shares
            for work in numbers.review.raters
            if (shares := _shares(numbers.rate_numbers, work.rater, checkpoint))
        }
        if bars:
            yield _plot(dict(list(bars.items())[:_MOST_RATERS]), checkpoint, len(numbers.review.checkpoints) > 1)


def _shares(numbers: list[Number], rater: str, checkpoint: str) -> dict[str, Number]:
    """Return the share of each verdict by a rater; empty without a verdict."""
    return {
        number.category: number
        for number in numbers
        if (number.rater, number.checkpoint, number.about, number.scope) == (rater, checkpoint, "mask", "case")
        and number.category in CATEGORIES["mask"]
        and number.estimate.value is not None
    }


def _plot(bars: dict[str, dict[str, Number]], checkpoint: str, is_named: bool) -> Plot:
    height = 0.75 + 0.34 * len(bars)
    with new_figure(height) as figure:
        axis = figure.subplots()
        for position, shares in enumerate(bars.values()):
            left = 0.0
            for category, number in shares.items():
                share = number.estimate.value or 0.0
                axis.barh(position, share, left=left, color=_COLORS[category], height=0.62)
                if share > 0.06:
                    count = round(share * number.estimate.n)
                    axis.text(left + share / 2, position, str(count), ha="center", va="center", color="black")
                left += share
        names = [
            f"{shorten_middle(drawable(rater), _LONGEST_NAME)} ({next(iter(shares.values())).estimate.n})"
            for rater, shares in bars.items()
        ]
        axis.set_yticks(range(len(bars)), names)
        axis.set_ylim(len(bars) - 0.5, -0.5)
        axis.set_xlim(0, 1)
        axis.xaxis.set_major_formatter(lambda value, _position: f"{value:.0%}")
        for category, color in _COLORS.items():
            axis.barh(0, 0, color=color, label=_WORDS[category])
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.2)
        of = f" of checkpoint {checkpoint}" if is_named else ""
        return save_plot(
            figure,
            height,
            f"Bars with the shares of accepted, corrected and rejected masks{of}, one a rater",
            f"Verdicts on the masks{of}, by case. In brackets: how many cases each rater gave a verdict on.",
        )
