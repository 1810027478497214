"""Shortcuts: cases whose mask hangs on burned-in graphics, such as calipers and text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_segcam.reporting.evidence_summary.summary import PASSES
from napari_segcam.validating.figures import Frame, figures_of
from napari_segcam.validating.metrics import Metric
from napari_segcam.validating.rows import Rows

CARRIES = 0.05
"""Smallest effect of graphics on a mask that counts, as in the words of the report on evidence."""

SHORTCUT_COLUMNS: dict[str, type] = {
    "case": str,
    "class": str,
    "overlay_effect": float,
    "overlay_effect_null": float,
    "overlay_effect_p": float,
}
"""The columns of the shortcuts, with the type of a defined value."""

_FIGURES = tuple(Metric(name, name, (name,), "low") for name in tuple(SHORTCUT_COLUMNS)[2:])


def shortcut_rows(frames: Mapping[str, Sequence[Frame]]) -> Rows:
    """Return the cases whose mask changes by 5 % or more without burned-in graphics, and more than by chance.

    Each figure is the median over the frames of the case; the case counts if the effect is above its null with
    p ≤ 0.05. The largest effect comes first.

    Args:
        frames: by class.
    """
    found = []
    for name, each in frames.items():
        effects, nulls, chances = (figures_of(figure, each) for figure in _FIGURES)
        for effect, null, chance in zip(effects, nulls, chances, strict=True):
            values = (effect.value, null.value, chance.value)
            if effect.value is None or null.value is None or chance.value is None:
                continue
            if effect.value >= CARRIES and effect.value > null.value and chance.value <= PASSES:
                found.append(dict(zip(SHORTCUT_COLUMNS, (effect.case, name, *values), strict=True)))
    return Rows(SHORTCUT_COLUMNS, sorted(found, key=lambda row: -float(row["overlay_effect"])))
