"""Stage maps: the map of each stage by any method, for all frames of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.attribution import (
    ATTRIBUTIONS,
    AttributedMap,
    Attribution,
    attribute,
    estimate_attribution,
    score_at,
)
from napari_segcam.explanation.external import (
    ExternalMethod,
    estimate_external,
    external_map,
    external_methods,
    find_external,
)
from napari_segcam.explanation.methods import METHODS, GradientMethod
from napari_segcam.explanation.passes.forward_pass import ForwardPass
from napari_segcam.explanation.perturbation import (
    BATCH_SIZE,
    PERTURBATIONS,
    Perturbation,
    Probe,
    estimate_perturbation,
    perturb,
)
from napari_segcam.explanation.registry import Method, SlowMethod
from napari_segcam.explanation.slow_methods.control import ProgressControl
from napari_segcam.explanation.slow_methods.cost import Cost
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.network.stages.stage import Stage


@dataclass(frozen=True)
class StageMap:
    """Maps of one stage for all frames of a batch.

    Attributes:
        values: ``(B, h, w)``, negative only where the method is signed.
        score_depends: for each frame, whether the score depends on the stage.
        completeness_errors: for each frame, as in ``AttributedMap``; empty where the method has none.
        failures: for each frame, why another package gave no map; empty where no other package is used.
        covered: rows and columns of the pixels that the map covers; None where they are the input's.
    """

    values: torch.Tensor
    score_depends: list[bool]
    completeness_errors: Sequence[float | None] = ()
    failures: Sequence[str] = ()
    covered: tuple[int, int] | None = None

    def placed(self, geometry: Geometry) -> Geometry:
        """Return where the frame is in the pixels that the map covers, for the geometry of the input."""
        return geometry if self.covered is None else replace(geometry, input_shape=self.covered)


def find_method(name: str) -> Method:
    """Return the method of this name, from any family; ``"grad-cam:fem"`` is one of another package.

    Raises:
        SegcamError: if there is none, or its package is not installed.
    """
    if ":" in name:
        return find_external(name)
    methods: dict[str, Method] = {**METHODS, **PERTURBATIONS, **ATTRIBUTIONS}
    if name not in methods:
        raise SegcamError(f"There is no method {name!r}. Choose from: {', '.join([*methods, *external_methods()])}.")
    return methods[name]


def gradient_maps(
    method: GradientMethod,
    forward_pass: ForwardPass,
    stages: Sequence[Stage],
    objectives: Sequence[Objective],
    *,
    retain_graph: bool,
) -> dict[str, StageMap]:
    """Return the maps of all stages from one backward pass, without stages that the score does not depend on.

    Args:
        method: a CAM method.
        forward_pass: the forward pass.
        stages: those tapped in it.
        objectives: one a frame.
        retain_graph: whether another target of this forward pass follows.

    Raises:
        SegcamError: if a stage gives no feature map.
    """
    gradients: dict[str, torch.Tensor | None] = dict(forward_pass.activations)
    if method.needs_gradient:
        frames = zip(objectives, forward_pass.logits.split(1), strict=True)
        weights = torch.cat([objective.gradient(logits) for objective, logits in frames])
        gradients = forward_pass.gradients(weights, retain_graph=retain_graph)
    maps = {}
    for stage in stages:
        activations, gradient = forward_pass.activations.get(stage.name), gradients.get(stage.name)
        if activations is not None and activations.ndim != 4:
            raise SegcamError(f"The layer {stage.layer} gives no feature map, but {tuple(activations.shape)}.")
        if activations is not None and gradient is not None:
            # Half precision is enough for the network, but not for sums over a map.
            precise = torch.promote_types(activations.dtype, torch.float32)
            values = method.compute(activations.to(precise), gradient.to(precise))
            score_depends = gradient.flatten(1).any(1).tolist()
            maps[stage.name] = StageMap(values if method.signed else values.relu(), score_depends)
    return maps


def slow_maps(
    method: SlowMethod,
    module: nn.Module,
    x: torch.Tensor,
    stages: Sequence[Stage],
    objectives: Sequence[Objective],
    control: ProgressControl,
    one_by_one: bool = False,
) -> dict[str, StageMap]:
    """Return the maps of all stages from many runs of the network, stage by stage and frame by frame.

    Args:
        method: a perturbation, an attribution, or a method of another package.
        module: frozen and in eval mode.
        x: the input ``(B, C, H, W)``.
        stages: the stages to explain.
        objectives: one a frame.
        control: previews, reports progress and cancels.
        one_by_one: whether a pass may have only one image.

    Raises:
        Cancelled: if the user cancels it.
        SegcamError: if a stage gives no feature map.
    """
    maps = {}
    for stage in stages:

        def report_progress(done: int, total: int, stage: Stage = stage) -> None:
            if control.progress is not None:
                control.progress(stage.name, done, total)

        frame_maps = [
            _slow_map(method, module, x[i : i + 1], stage, objective, control, one_by_one, report_progress)
            for i, objective in enumerate(objectives)
        ]
        values = torch.stack([frame_map.values for frame_map in frame_maps])
        maps[stage.name] = StageMap(
            values if method.signed else values.relu(),
            [frame_map.score_depends for frame_map in frame_maps],
            [frame_map.completeness_error for frame_map in frame_maps],
            [frame_map.failure for frame_map in frame_maps],
        )
    return maps


def slow_cost(
    method: SlowMethod,
    module: nn.Module,
    x: torch.Tensor,
    stages: Sequence[Stage],
    logits: torch.Tensor,
    control: ProgressControl,
    one_by_one: bool = False,
) -> Cost:
    """Estimate what ``slow_maps`` costs for one frame ``(1, C, H, W)`` with these logits."""
    objective = Objective(0, torch.zeros(logits.shape[-2:], dtype=torch.bool, device=logits.device))

    def cost_of(stage: Stage) -> Cost:
        if isinstance(method, ExternalMethod):
            return estimate_external(method, module, x, stage, objective)
        if isinstance(method, Attribution):
            return estimate_attribution(method, score_at(module, x, stage, objective, one_by_one=one_by_one))
        return estimate_perturbation(_probe(method, module, x, stage, objective, control))

    return sum(map(cost_of, stages), Cost(0, 0.0))


def _slow_map(
    method: SlowMethod,
    module: nn.Module,
    x: torch.Tensor,
    stage: Stage,
    objective: Objective,
    control: ProgressControl,
    one_by_one: bool,
    progress: Callable[[int, int], None],
) -> AttributedMap:
    """Return the map of one stage of one frame, from any family."""
    if isinstance(method, ExternalMethod):
        external = external_map(
            method,
            module,
            x,
            stage,
            objective,
            one_by_one=one_by_one,
            progress=progress,
            cancelled=control.cancelled,
        )
        return AttributedMap(external.values, score_depends=external.score_depends, failure=external.failure)
    if isinstance(method, Attribution):
        score = score_at(module, x, stage, objective, one_by_one=one_by_one)
        return attribute(method, score, progress=progress, cancelled=control.cancelled)
    probe = _probe(method, module, x, stage, objective, control)
    perturbed = perturb(
        probe, batch_size=1 if one_by_one else BATCH_SIZE, progress=progress, cancelled=control.cancelled
    )
    return AttributedMap(perturbed.values, score_depends=bool(perturbed.weights.any()))


def _probe(
    method: SlowMethod, module: nn.Module, x: torch.Tensor, stage: Stage, objective: Objective, control: ProgressControl
) -> Probe:
    assert isinstance(method, Perturbation)
    options = {"preview": control.preview} if method.has_preview else {}
    return method.probe(module, x, stage, objective, **options)
