"""Reasons: why a measure of a heatmap that was taken gives no figure."""

from __future__ import annotations

from collections.abc import Collection

from napari_segcam.evidence.off_scan import OffScan
from napari_segcam.explanation.explanation import Explanation, Heatmap

_FLAT = "the map or the probability is the same everywhere"
_NOTHING_LEARNED = "no network with shuffled weights gives a map to compare with, or the map is the same everywhere"
_NO_VIEW = "no other view of the frame gives a map to compare with, or the map is the same everywhere"
_NO_SCAN = "it is not known where in the frame the scan is"


def why_undefined(
    explanation: Explanation,
    heatmap: Heatmap,
    measures: Collection[str],
    *,
    echo: float | None,
    sanity: float | None,
    stability: float | None,
    off_scan: OffScan | None,
    no_sanity: str = "",
) -> dict[str, str]:
    """Return the reason for each of these measures that was taken and has no figure, by its name.

    Args:
        explanation: of the frame.
        heatmap: one of the explanation's.
        measures: those that were taken.
        echo, sanity, stability, off_scan: the figures.
        no_sanity: why sanity could not be measured at all; empty if it could.
    """
    empty = "" if heatmap.reason is None else heatmap.reason.value
    reasons: dict[str, str] = {}
    if "echo" in measures and echo is None:
        reasons["echo"] = empty or explanation.no_mask or _FLAT
    if "sanity" in measures and sanity is None:
        reasons["sanity"] = empty or no_sanity or _NOTHING_LEARNED
    if "stability" in measures and stability is None:
        reasons["stability"] = empty or _NO_VIEW
    if "off_scan" in measures and (off_scan is None or off_scan.outside is None):
        reasons["off_scan"] = empty or _NO_SCAN
    return reasons
