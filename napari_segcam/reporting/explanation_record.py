"""Explanation record: an explanation in plain values, for ``explanation.json``."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from napari_segcam.evidence.measuring import Evidence
from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.reporting.cine_source import CineSource
from napari_segcam.reporting.correction import Correction
from napari_segcam.reporting.overlay_style import OverlayStyle

_PACKAGES = ("numpy", "scipy", "timm", "pillow", "cmap", "pydicom", "tifffile")


def explanation_record(
    explanation: Explanation,
    style: OverlayStyle,
    source: CineSource | None = None,
    number: int = 0,
    options: Mapping[str, Any] | None = None,
    correction: Correction | None = None,
    evidence: Evidence | None = None,
) -> dict[str, Any]:
    """Return provenance, finding, and the position and raw range of each stage's heatmap, as values for JSON.

    Args:
        explanation: of a frame.
        style: how it was drawn.
        source: of the frame.
        number: of the frame in its source.
        options: the user's options, in plain values.
        correction: of the frame, if a reader painted one.
        evidence: of the heatmaps, if it was measured.
    """
    provenance = explanation.provenance
    return replace_nonfinite(
        {
            **provenance,
            "versions": {**provenance.get("versions", {}), **_versions()},
            "source": asdict(source) if source else None,
            "frame": number,
            "look": asdict(style),
            "options": dict(options or {}),
            **_finding(explanation),
            **(explanation.disagreement.as_dict() if explanation.disagreement else {}),
            "correction": None if correction is None else correction.as_dict(),
            "explained_mask": _explained_mask_owner(explanation, correction),
            **(evidence.as_dict() if evidence else {}),
            "heatmaps": {name: _heatmap_record(heatmap) for name, heatmap in explanation.heatmaps.items()},
        }
    )


def replace_nonfinite(value: Any) -> Any:
    """Return the value with None for each NaN and infinity in it, which JSON cannot hold."""
    if isinstance(value, Mapping):
        return {key: replace_nonfinite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [replace_nonfinite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _explained_mask_owner(explanation: Explanation, correction: Correction | None) -> str | None:
    """Return whose mask the heatmaps explain; None where they explain another region, which is in the target."""
    if correction is not None and correction.is_explained:
        return "correction"
    return "prediction" if explanation.target.region == "mask" and explanation.no_mask is None else None


def _heatmap_record(heatmap: Heatmap) -> dict[str, Any]:
    values = heatmap.values
    return {
        "shape": list(values.shape),
        "stride": heatmap.stage.stride,
        "layer": heatmap.stage.layer,
        "scale": list(heatmap.scale),
        "translate": list(heatmap.translate),
        "signed": heatmap.signed,
        "raw_min": float(values.min()),
        "raw_max": float(values.max()),
        "raw_mean": float(values.mean(dtype=np.float64)),
        "empty_because": heatmap.reason.value if heatmap.reason else None,
    }


def _finding(explanation: Explanation) -> dict[str, Any]:
    """Return the size of each class; of a network that classifies the whole frame, the probability of each."""
    if explanation.no_mask is not None:
        return {"no_mask_because": explanation.no_mask, "class_probabilities": explanation.class_probabilities}
    return {
        "mask_pixels": {
            name: int(np.count_nonzero(explanation.class_mask(index)))
            for index, name in enumerate(explanation.class_names)
        },
        "region_pixels": int(np.count_nonzero(explanation.region)),
    }


@cache
def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
