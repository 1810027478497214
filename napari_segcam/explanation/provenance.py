"""Provenance: what an explanation was computed from, in plain values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.explanation.external import ExternalMethod
from napari_segcam.explanation.prediction import Prediction
from napari_segcam.explanation.runner import Runner
from napari_segcam.explanation.targets.target import Target


def provenance_of(
    runner: Runner, prediction: Prediction, *, target: Target, preview: bool, heatmaps: Mapping[str, Heatmap]
) -> dict[str, Any]:
    """Return everything that determines an explanation, ready for JSON.

    Args:
        runner: that ran the network.
        prediction: of the frame.
        target: what is explained.
        preview: whether only a part of the runs was made.
        heatmaps: by stage name.
    """
    network, method, geometry, tiles = prediction.network, runner.method, prediction.geometry, prediction.tiles
    memory_fallback, autocast, threshold = runner.memory_fallback, runner.autocast, prediction.threshold
    is_rewritten = memory_fallback.rewritten
    errors = {name: heatmap.completeness_error for name, heatmap in heatmaps.items()}
    return {
        "checkpoint": network.name,
        "sha256": network.sha256,
        "architecture": network.architecture,
        "encoder": network.encoder,
        "output": network.output.as_dict(),
        "model_card": network.card.model_dump(mode="json"),
        "method": method.name,
        **({"method_package": method.as_dict()} if isinstance(method, ExternalMethod) else {}),
        "preview": preview,
        "stages": [stage.name for stage in runner.stages],
        "target": target.as_dict(network.class_names),
        "threshold": threshold,
        "classes_overlap": network.classes_overlap,
        "frame_shape": list(geometry.frame_shape),
        "crop": list(geometry.crop) if geometry.crop else None,
        "pixel_aspect": geometry.pixel_aspect,
        "content_shape": list(geometry.content_shape),
        "input_shape": list(geometry.input_shape),
        "tiles": tiles.as_dict() if tiles is not None else None,
        "device": str(memory_fallback.device),
        "precision": "bfloat16 autocast" if autocast else str(network.dtype).removeprefix("torch."),
        "rewrites": list(network.form.applied) if is_rewritten else [],
        "rewrites_largest_difference": network.form.largest_difference if is_rewritten else 0.0,
        "memory": list(memory_fallback.measures),
        "completeness_error": {name: error for name, error in errors.items() if error is not None},
        "versions": _versions(),
    }


@cache
def _versions() -> dict[str, str]:
    return {package: version(package) for package in ("napari-segcam", "torch", "segmentation-models-pytorch")}
