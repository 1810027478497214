"""Steps: how many runs of the network the measures of a frame take."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from napari_segcam.evidence import overlay_effect, sanity
from napari_segcam.evidence.faithfulness import SHARES
from napari_segcam.evidence.views import VIEWS
from napari_segcam.explanation.explanation import Explanation


def steps_of(
    explanation: Explanation,
    measures: Collection[str],
    draws: int,
    references: Sequence[str] = ("mean",),
    *,
    has_graphics: bool = True,
) -> dict[str, int]:
    """Return the runs of the network, or of a part of it, for each measure that takes any.

    The overlay effect takes none where there are no burned-in graphics.

    Args:
        explanation: of the frame.
        measures: those to take.
        draws: of the null of faithfulness.
        references: for influence.
        has_graphics: whether the frame may have burned-in graphics.
    """
    heatmaps = explanation.heatmaps.values()
    defined = sum(heatmap.reason is None for heatmap in heatmaps)
    steps = {
        "influence": len(heatmaps) * len({"mean", *references}),
        "faithfulness": defined * len(SHARES) * (draws + 1),
        "sanity": sanity.DRAWS,
        "stability": len(VIEWS) - 1,
        "overlay_effect": has_graphics * (1 + overlay_effect.DRAWS),
    }
    return {measure: count for measure, count in steps.items() if measure in measures and count}
