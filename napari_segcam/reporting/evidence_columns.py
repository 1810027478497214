"""The columns of evidence, in ``evidence.csv`` and in the results of a batch."""

from __future__ import annotations

EVIDENCE_COLUMNS: dict[str, type] = {
    "frame": int,
    "class": str,
    "method": str,
    "stage": str,
    "influence": float,
    "influence_on_score": float,
    "influence_blur": float,
    "influence_other_frame": float,
    "takes_part": str,
    "faithfulness": float,
    "faithfulness_null": float,
    "faithfulness_p": float,
    "ratio": float,
    "ratio_null": float,
    "ratio_p": float,
    "share": float,
    "share_null": float,
    "share_p": float,
    "echo": float,
    "sanity": float,
    "stability": float,
    "off_scan": float,
    "off_scan_ring": float,
    "agreement": float,
    "overlay_effect": float,
    "overlay_effect_null": float,
    "overlay_effect_p": float,
    "doubt": float,
    "doubt_measure": str,
    "undefined": str,
    "shown_first": str,
    "statement": str,
}
"""The columns of ``evidence.csv``, in order, each with the type of its defined values.

``takes_part`` is yes, no or unclear; ``shown_first`` is the stage to look at first in the frame.
"""
