"""An explanation in plain values: all that decides what its pictures show, fit for JSON."""

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
    look: OverlayStyle,
    source: CineSource | None = None,
    number: int = 0,
    options: Mapping[str, Any] | None = None,
    correction: Correction | None = None,
    evidence: Evidence | None = None,
) -> dict[str, Any]:
    """Provenance, what was found, and of each stage's heatmap the place and the raw range.

    Args:
        explanation: of a frame.
        look: how it was drawn.
        source: of the frame.
        number: of the frame in its source.
        options: what the user asked for, in plain values.
        correction: of the frame, where a reader has painted one.
        evidence: of the heatmaps, where it was measured.
    """
    provenance = explanation.provenance
    return finite(
        {
            **provenance,
            "versions": {**provenance.get("versions", {}), **_versions()},
            "source": asdict(source) if source else None,
            "frame": number,
            "look": asdict(look),
            "options": dict(options or {}),
            **_found(explanation),
            "correction": None if correction is None else correction.as_dict(),
            "explained_mask": _explained_mask(explanation, correction),
            **(evidence.as_dict() if evidence else {}),
            "heatmaps": {name: _heatmap(heatmap) for name, heatmap in explanation.heatmaps.items()},
        }
    )


def finite(value: Any) -> Any:
    """The same with None for every number that JSON cannot hold: NaN and infinity."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _explained_mask(explanation: Explanation, correction: Correction | None) -> str | None:
    """Whose mask the heatmaps explain; None where their region is another one, which the target tells."""
    if correction is not None and correction.is_explained:
        return "correction"
    return "prediction" if explanation.target.region == "mask" and explanation.no_mask is None else None


def _heatmap(heatmap: Heatmap) -> dict[str, Any]:
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


def _found(explanation: Explanation) -> dict[str, Any]:
    """What the network found: how large each class is, or how likely for the whole frame."""
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
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
