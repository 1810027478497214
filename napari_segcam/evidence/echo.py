"""Echo: how much a heatmap repeats the mask."""

from __future__ import annotations

from napari_segcam.evidence.ranks import spearman
from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.imaging.geometry import Crop

ECHO = 0.9


def echo(explanation: Explanation, heatmap: Heatmap, scan: Crop | None = None) -> float | None:
    """Return Spearman's correlation of the heatmap on the frame with the probability of the explained class.

    The last decoder stages repeat the mask by construction: a map with 0.9 or more is called an echo.

    Args:
        explanation: of the frame.
        heatmap: one of the explanation's.
        scan: rows and columns that show the scan; by default the part that the network saw.

    Returns:
        None where the map is empty or flat, or the network gives no probability per pixel.
    """
    if heatmap.reason is not None or explanation.no_mask is not None:
        return None
    window = scan or explanation.segmentation.geometry.window
    probability = explanation.probabilities[explanation.target.class_index or 0]
    return spearman(heatmap.raw_on_frame()[window], probability[window])
