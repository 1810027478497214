"""The plot of risk against coverage, and the section with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_segcam.reporting.report.document import Block, Paragraph, Plot, Section, Subheading
from napari_segcam.reporting.report.plots import BLUE, GRAY, VERMILION, new_figure, save_plot
from napari_segcam.validating.failures.doubt_curve import DoubtCurve, doubt_curve, doubt_text
from napari_segcam.validating.figures import Frame

_HEIGHT = 2.6
_DOTS_PER_INCH = 300
_NONE = (
    "The run has no doubt, or no two cases with a doubt and a Dice, so nobody can say whether the doubtful masks are "
    "the bad ones. batch --evidence measures doubt."
)


def doubt_section(frames: Mapping[str, Sequence[Frame]]) -> tuple[Section, dict[str, Plot]]:
    """Return the section on doubt over cases, and its plots by file name.

    Args:
        frames: by class.
    """
    blocks: list[Block] = []
    plots: dict[str, Plot] = {}
    for number, (name, each) in enumerate(frames.items(), 1):
        if len(frames) > 1:
            blocks.append(Subheading(name))
        curve = doubt_curve(each)
        if curve is None:
            blocks.append(Paragraph(_NONE))
            continue
        plot = plot_doubt(curve)
        plots["validation_risk_coverage" + (f"_{number}" if len(frames) > 1 else "")] = plot
        blocks += [Paragraph(doubt_text(curve)), plot]
    return Section("doubt-over-cases", "Doubt over cases", blocks), plots


def plot_doubt(curve: DoubtCurve) -> Plot:
    """Plot the mean risk, 1 − Dice, of the least doubtful cases against the share of cases that is kept."""
    count = len(curve.risks)
    coverage = [100 * kept / count for kept in range(1, count + 1)]
    with new_figure(_HEIGHT) as figure:
        axis = figure.subplots()
        axis.axhline(curve.area.random, color=GRAY, linewidth=0.9, linestyle=(0, (4, 3)), label="random order")
        axis.plot(coverage, curve.perfect, color=BLUE, linewidth=1.1, label="perfect order")
        axis.plot(coverage, curve.risks, color=VERMILION, linewidth=1.6, label="order of doubt")
        axis.set_xlim(0, 100)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("coverage: least doubtful cases that are kept, %")
        axis.set_ylabel("mean of 1 − Dice")
        axis.grid()
        axis.legend()
        caption = (
            f"Risk and coverage of {count} cases of {curve.class_name} (Geifman & El-Yaniv 2017). Doubt is of use "
            "where its curve is below the dashed line. Cases of equal doubt share their risk."
        )
        words = f"Mean of 1 − Dice of {curve.class_name} against the share of the least doubtful cases that is kept"
        return save_plot(figure, _HEIGHT, words, caption, dots_per_inch=_DOTS_PER_INCH)
