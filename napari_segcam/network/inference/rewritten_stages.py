"""Rewritten stages: those stages of a network that its inference form has too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from napari_segcam.network.inference import InferenceForm
from napari_segcam.network.stages.forward_trace import ForwardTrace, trace_forward
from napari_segcam.network.stages.stage import Stage, find_stages


def rewritten_stages(
    stages: Sequence[Stage],
    seen: ForwardTrace,
    form: InferenceForm,
    input_channels: int,
    size: tuple[int, int] | None = None,
) -> dict[str, Stage]:
    """The stages that give the same in both forms, by name, as they are found in the rewritten one.

    A layer of the same name may by now hold the next one, too: what it gives is compared, by its magnitude.

    Args:
        stages: of the plain network.
        seen: the survey of the plain network.
        form: the rewritten one.
        input_channels: of the image.
        size: as for ``trace_forward``.
    """
    seen_rewritten = trace_forward(form.module, input_channels, size=size)
    found = {stage.name: stage for stage in find_stages(form.module, seen_rewritten)}
    same = {}
    for stage in stages:
        candidate = found.get(stage.name, stage)
        there = seen_rewritten.outputs.get((candidate.layer, candidate.output))
        here = seen.outputs[stage.layer, stage.output]
        if there is not None and math.isclose(here.magnitude, there.magnitude, rel_tol=1e-3):
            same[stage.name] = replace(candidate, overwritten=there.overwritten)
    return same
