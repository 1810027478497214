"""Heatmaps: the maps of all stages as results, each with the reason why it is empty if it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from napari_segcam.explanation.emptiness import why_empty
from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.explanation.prediction import Prediction, ResolvedTargets
from napari_segcam.explanation.registry import Method
from napari_segcam.explanation.stage_maps import StageMap
from napari_segcam.network.stages.stage import Stage


def heatmaps_of(
    method: Method,
    stages: Sequence[Stage],
    maps: Mapping[str, StageMap],
    prediction: Prediction,
    resolved: ResolvedTargets,
) -> list[dict[str, Heatmap]]:
    """Return the heatmaps of each frame by stage name.

    Args:
        method: that made the maps.
        stages: those explained.
        maps: by stage name; a stage is missing where the score does not depend on it.
        prediction: of the frames.
        resolved: one target a frame.
    """
    geometry = prediction.geometry
    heatmaps: list[dict[str, Heatmap]] = [{} for _ in resolved.targets]
    for stage in stages:
        stage_map = maps.get(stage.name)
        batch_values = None if stage_map is None else stage_map.values.float().cpu().numpy()
        for i, target in enumerate(resolved.targets):
            values = None if batch_values is None else batch_values[i]
            region = resolved.input_regions[i] if method.knows_target else None
            score_depends = stage_map is not None and stage_map.score_depends[i]
            failure = stage_map.failures[i] if stage_map is not None and stage_map.failures else ""
            reason = why_empty(target, values, score_depends, prediction.forward_pass.logits[i], region, failure)
            if values is None or reason is not None:
                values = np.zeros((1, 1) if values is None else values.shape, np.float32)
            errors = () if stage_map is None else stage_map.completeness_errors
            heatmaps[i][stage.name] = Heatmap(
                stage=stage,
                values=values,
                geometry=geometry if stage_map is None else stage_map.placed(geometry),
                reason=reason,
                signed=method.signed,
                has_outliers=method.has_outliers,
                completeness_error=errors[i] if errors else None,
            )
    return heatmaps
