"""What a blinded reading hides, and until when."""

from __future__ import annotations

from typing import Literal

from napari_segcam.review.log.state import ReadingState

HideHeatmaps = Literal["never", "until verdict", "always"]


def hides_prediction(state: ReadingState, hide_prediction: bool) -> bool:
    """Return whether the prediction must not be seen: the rater has given no first answer yet.

    What was seen in this reading once stays visible.

    Args:
        state: of the reading.
        hide_prediction: whether the project hides the prediction at first.
    """
    return hide_prediction and state.answer is None and not any(shown.prediction for shown in state.shown)


def hides_heatmaps(state: ReadingState, hide_heatmaps: HideHeatmaps) -> bool:
    """Return whether the heatmaps must not be seen: for a first verdict on the mask, or at all.

    What was seen in this reading once stays visible, also where the verdict is undone.

    Args:
        state: of the reading.
        hide_heatmaps: how the project hides them.
    """
    if hide_heatmaps != "until verdict":
        return hide_heatmaps == "always"
    has_verdict = any(verdict.about == "mask" and verdict.value is not None for verdict in state.given)
    return not has_verdict and not any(shown.heatmaps for shown in state.shown)
