"""Find the stages of a network in its inference form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from napari_segcam.network.inference import InferenceForm
from napari_segcam.network.stages.forward_trace import ForwardTrace, trace_forward
from napari_segcam.network.stages.stage import Stage, find_stages


def rewritten_stages(
    stages: Sequence[Stage],
    trace: ForwardTrace,
    form: InferenceForm,
    input_channels: int,
    size: tuple[int, int] | None = None,
) -> dict[str, Stage]:
    """Return the stages with the same output in both forms, by name, as they are in the inference form.

    A layer of the same name may contain the next layer too, so the magnitudes of the outputs are compared.

    Args:
        stages: of the plain network.
        trace: of the plain network.
        form: the inference form.
        input_channels: of the image.
        size: as for ``trace_forward``.
    """
    rewritten_trace = trace_forward(form.module, input_channels, size=size)
    rewritten = {stage.name: stage for stage in find_stages(form.module, rewritten_trace)}
    same = {}
    for stage in stages:
        candidate = rewritten.get(stage.name, stage)
        rewritten_output = rewritten_trace.outputs.get((candidate.layer, candidate.output))
        output = trace.outputs[stage.layer, stage.output]
        if rewritten_output is not None and math.isclose(output.magnitude, rewritten_output.magnitude, rel_tol=1e-3):
            same[stage.name] = replace(candidate, overwritten=rewritten_output.overwritten)
    return same
