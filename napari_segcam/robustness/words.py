"""What a run says, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.number_format import counted
from napari_segcam.perturbing.catalog import PERTURBATIONS
from napari_segcam.robustness.columns import NO_PERTURBATION
from napari_segcam.robustness.frame_meter import TRUTH
from napari_segcam.robustness.summary import StrengthSummary, curves
from napari_segcam.statistics.interval import FEW_CASES, Interval

_SMALL = 0.02  # a difference of Dice that is not worth a sentence of its own
_UNLIKE = 0.5  # a rank correlation below this


def strength_words(name: str, strength: float, unit: str) -> str:
    """Return a strength in words, such as ``"a gain 6 dB lower"``."""
    size = f"{abs(strength):g}"
    directions = {"gain": ("lower", "higher"), "contrast": ("smaller", "larger")}
    if name in directions:
        title = "a gain" if name == "gain" else "a dynamic range"
        return f"{title} {size} {unit} {directions[name][strength > 0]}"
    texts = {
        "speckle": f"speckle noise of {size} dB SNR",
        "blur": f"a blur of {size} {unit}",
        "shadow": f"a shadow of {size} dB",
        "shadow_width": f"a shadow over {size} % of the width",
        "rotation": f"a rotation of {strength:g}°",
        "crop": f"a crop of {size} % of the sides",
        "jpeg": f"JPEG quality {size}",
        "resolution": f"a resolution {size} times coarser",
        "graphics": f"{counted(round(abs(strength)), 'burned-in mark')}",
    }
    return texts[name]


def interval_words(interval: Interval) -> str:
    """Return the interval and its cases, for brackets."""
    cases = counted(interval.cases, "case")
    if interval.low is None or interval.high is None:
        return f"{cases}, no interval"
    return f"95 % interval {interval.low:.2f} to {interval.high:.2f}; {cases}"


def sentences(summaries: Sequence[StrengthSummary]) -> list[str]:
    """Return what to know first: a sentence for each perturbation of each class, and what to doubt."""
    classes = {one.class_name for one in summaries}
    found = []
    for (class_name, against, name, _), points in curves(summaries).items():
        of_class = f" of {class_name}" if len(classes) > 1 else ""
        found.append(_sentence(name, points, against, of_class))
    cases = max((one.cases for one in summaries), default=0)
    if 0 < cases < FEW_CASES:
        verb = "is" if cases == 1 else "are"
        found.append(
            f"{counted(cases, 'case')} {verb} few: an interval over fewer than {FEW_CASES} cases means little."
        )
    if any(one.against != TRUTH for one in summaries):
        found.append(
            "Without true masks, the Dice is that with the mask of the unperturbed frame: it says how much the mask "
            "changes, not whether it is right."
        )
    return found


def _sentence(name: str, points: Sequence[StrengthSummary], against: str, of_class: str) -> str:
    own = next((one for one in points if one.perturbation == NO_PERTURBATION), None)
    known = [one for one in points if one.perturbation != NO_PERTURBATION and one.dice.value is not None]
    title = PERTURBATIONS[name].title
    if not known or own is None or own.dice.value is None:
        undefined = f"{title}: the Dice{of_class} is undefined at every strength, or without a perturbation."
        return undefined + (_false_masks(own, points) if own is not None else "")
    worst = min(known, key=lambda one: one.dice.value or 0.0)
    assert worst.dice.value is not None
    at = strength_words(name, worst.strength, worst.unit)
    reference = "" if against == TRUTH else " with the unperturbed mask"
    before, after = f"{own.dice.value:.2f}", f"{worst.dice.value:.2f}"
    if own.dice.value - worst.dice.value < _SMALL:
        text = f"{title}: the median Dice{of_class}{reference} stays at {before}; it is {after} at {at}"
    else:
        text = f"At {at} the median Dice{of_class}{reference} falls from {before} to {after}"
    text += f" ({interval_words(worst.dice)})."
    correlation = worst.heatmap_correlation.value
    if correlation is not None:
        if correlation >= _UNLIKE:
            text += f" The heatmap stays similar: its rank correlation with the unperturbed one is {correlation:.2f}."
        else:
            text += f" The heatmap is another one: its rank correlation with the unperturbed one is {correlation:.2f}."
    return text + _false_masks(own, points)


def _false_masks(own: StrengthSummary, points: Sequence[StrengthSummary]) -> str:
    """Return at which strength masks appear most in frames with nothing to find; empty if they hardly do."""
    known = [one for one in points if one.perturbation != NO_PERTURBATION and one.false_masks.value is not None]
    before = own.false_masks.value
    if not known or before is None:
        return ""
    worst = max(known, key=lambda one: one.false_masks.value or 0.0)
    share = worst.false_masks.value or 0.0
    if share - before < _SMALL:
        return ""
    at = strength_words(worst.perturbation, worst.strength, worst.unit)
    shares = [f"{100 * value:.0f} %" for value in (share, before)]
    return f" At {at} a mask appears in {shares[0]} of the frames with nothing to find; unperturbed, in {shares[1]}."
