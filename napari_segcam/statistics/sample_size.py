"""How many cases an interval of a wanted width takes, from the width that it has."""

from __future__ import annotations

import math

from napari_segcam.statistics.interval import FEW_CASES, Interval


def cases_for(interval: Interval, half_width: float) -> int | None:
    """Return about how many cases like these give an interval of ± ``half_width``; None if nobody can say.

    The width of an interval falls with the square root of the number of cases. It is an estimate from this very study:
    with few cases it may be far off.

    Args:
        interval: of the study.
        half_width: that is wanted, in the unit of the figure.

    Raises:
        ValueError: if the width is not positive.
    """
    if not half_width > 0:
        raise ValueError("the wanted half width must be above 0")
    if not interval.half_width or interval.cases < FEW_CASES:
        return None
    needed = interval.cases * (interval.half_width / half_width) ** 2
    return _rounded_up(max(needed, FEW_CASES))


def _rounded_up(count: float) -> int:
    """Return a count rounded up to two digits: the estimate has no more."""
    step = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return math.ceil(count / step - 1e-9) * step
