"""A comparison in plain sentences."""

from __future__ import annotations

from napari_segcam.comparing.summary import ClassSummary
from napari_segcam.number_format import UNDEFINED, counted, score, significant
from napari_segcam.statistics.interval import BCA, EQUAL, FEW_CASES, Interval


def sentences(summary: ClassSummary) -> list[str]:
    """Return what the figures of a class say: against the truth first, then A and B, then what is undefined."""
    said = [*_against_truth(summary), _between(summary), *_areas(summary), *_empty(summary)]
    cases = summary.dice_difference.cases if summary.truth_cases else summary.cases
    if cases < FEW_CASES:
        said.append(
            f"{counted(cases, 'case')} {'is' if cases == 1 else 'are'} few: an interval over fewer than {FEW_CASES} "
            "cases means little."
        )
    return said


def interval_text(interval: Interval, digits: int = 3) -> str:
    """Return an interval as ``"−0.012 to 0.034"``; a dash where there is none."""
    if interval.low is None or interval.high is None:
        return UNDEFINED
    return f"{signed(interval.low, digits)} to {signed(interval.high, digits)}"


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign, with so many decimals; a dash where it is undefined."""
    if value is None:
        return UNDEFINED
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text[1:] if float(f"{value:.{digits}f}") == 0 else text


def area_text(value: float | None) -> str:
    """Return a difference of areas with its sign and three significant digits."""
    if value is None:
        return UNDEFINED
    sign = "" if value == 0 else "+" if value > 0 else "−"
    return f"{sign}{significant(abs(value))}" if value else "0"


def method_text(interval: Interval) -> str:
    """Return how an interval was found, in words."""
    if interval.undefined:
        return f"no interval: {interval.undefined}"
    if interval.method == EQUAL:
        return "all cases have this value"
    return "95 % interval, BCa bootstrap" if interval.method == BCA else "95 % interval, percentile bootstrap"


def _against_truth(summary: ClassSummary) -> list[str]:
    difference = summary.dice_difference
    if difference.value is None:
        return (
            ["No case has a Dice of both A and B against the truth, so there is no paired difference."]
            if (summary.truth_frames)
            else []
        )
    over = f"over {counted(difference.cases, 'case')}"
    means = f"Dice against the truth: A {score(summary.dice_a)}, B {score(summary.dice_b)} (mean {over})."
    if difference.value == 0 and difference.low == 0 and difference.high == 0:
        return [means, f"A and B have the same Dice in each case: the difference is exactly 0 {over}."]
    higher = "higher" if difference.value > 0 else "lower"
    size = "as high" if difference.value == 0 else f"{score(abs(difference.value))} {higher}"
    found = f"B's Dice is {size} than A's on average" if difference.value else "On average B's Dice equals A's"
    ties = difference.cases - summary.better_a - summary.better_b
    counts = f"B is better in {summary.better_b}, A in {summary.better_a}" + (f", equal in {ties}" if ties else "")
    if difference.low is None:
        return [means, f"{found}. There is no interval: {difference.undefined}."]
    meaning = (
        "It excludes 0: by these cases, the difference is more than chance"
        if difference.excludes_zero
        else "It includes 0: these cases do not tell which of the two is better"
    )
    interval = f"({method_text(difference)}: {interval_text(difference)})"
    return [means, f"{found} {interval}. {meaning}.", f"Of {counted(difference.cases, 'case')}: {counts}."]


def _between(summary: ClassSummary) -> str:
    if summary.identical == summary.frames:
        found = summary.frames - summary.both_empty
        ones = f"Dice is exactly 1 in the {counted(found, 'frame')} with a finding, and " if found else ""
        frames = counted(summary.frames, "frame")
        return f"A and B give the same mask in each of the {frames}: {ones}all differences are 0."
    dice = summary.dice
    if dice.value is None:
        return "A and B find nothing in any frame, so there is no Dice of A and B."
    interval = f" ({method_text(dice)}: {score(dice.low)} to {score(dice.high)})" if dice.low is not None else ""
    return (
        f"The Dice of A and B is {score(dice.value)} on average over {counted(dice.cases, 'case')}{interval}; the "
        f"masks are the same in {summary.identical - summary.both_empty} of "
        f"{counted(summary.frames - summary.both_empty, 'frame')} with a finding."
    )


def _areas(summary: ClassSummary) -> list[str]:
    said = []
    for unit, area in summary.areas.items():
        if area.value:
            ends = (
                f" ({method_text(area)}: {area_text(area.low)} to {area_text(area.high)} {unit})"
                if area.low is not None
                else ""
            )
            size = f"{significant(abs(area.value))} {unit} {'larger' if area.value > 0 else 'smaller'}"
            note = ", which are not calibrated" if unit == "pixels" else ""
            said.append(f"B's mask is {size} than A's on average over {counted(area.cases, 'case')}{note}{ends}.")
    return said


def _empty(summary: ClassSummary) -> list[str]:
    said = []
    if summary.both_empty:
        said.append(
            f"Neither finds anything in {summary.both_empty} of {counted(summary.frames, 'frame')}: their Dice is "
            "undefined and counts nowhere."
        )
    if summary.only_a or summary.only_b:
        said.append(
            f"A alone finds something in {counted(summary.only_a, 'frame')}, B alone in "
            f"{counted(summary.only_b, 'frame')}: their Dice is 0."
        )
    if summary.empty_truth:
        said.append(
            f"The truth has nothing in {counted(summary.empty_truth, 'frame')}: A finds something in "
            f"{summary.false_a} of them, B in {summary.false_b}."
        )
    if summary.truth_undefined:
        said.append(
            f"{counted(summary.truth_undefined, 'frame')} with a true mask "
            f"{'has' if summary.truth_undefined == 1 else 'have'} no difference of Dice: the truth has nothing, and A "
            "or B nothing either."
        )
    return said
