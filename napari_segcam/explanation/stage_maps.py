"""Stage maps: what a method makes of each stage, for all frames of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.attribution import (
    ATTRIBUTIONS,
    Attributed,
    Attribution,
    attribute,
    estimate_attribution,
    score_at,
)
from napari_segcam.explanation.methods import METHODS, GradientMethod
from napari_segcam.explanation.passes.forward_pass import Forward
from napari_segcam.explanation.perturbation import BATCH, PERTURBATIONS, Perturbation, Probe, estimate, perturb
from napari_segcam.explanation.registry import Method, SlowMethod
from napari_segcam.explanation.slow_methods.control import ProgressControl
from napari_segcam.explanation.slow_methods.cost import Cost
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import Stage


@dataclass(frozen=True)
class StageMap:
    """What a method made of one stage.

    Attributes:
        values: ``(B, h, w)``, negative only where the method is signed.
        reacts: of each frame, whether the score depends on the stage there.
        completeness_errors: of each frame, as ``Attributed`` has it; empty where the method has none.
    """

    values: torch.Tensor
    reacts: list[bool]
    completeness_errors: Sequence[float | None] = ()


def find_method(name: str) -> Method:
    """The method of this name, of whatever family.

    Raises:
        SegcamError: if there is none.
    """
    methods: dict[str, Method] = {**METHODS, **PERTURBATIONS, **ATTRIBUTIONS}
    if name not in methods:
        raise SegcamError(f"There is no method {name!r}. Choose from: {', '.join(methods)}.")
    return methods[name]


def gradient_maps(
    method: GradientMethod, run: Forward, stages: Sequence[Stage], objectives: Sequence[Objective], *, keep: bool
) -> dict[str, StageMap]:
    """The maps of all stages from one backward pass; a stage that the score does not depend on is missing.

    Args:
        method: of the CAM family.
        run: the forward pass.
        stages: which were tapped in it.
        objectives: one a frame.
        keep: whether another target of this forward pass follows.

    Raises:
        SegcamError: if a stage gives no feature map.
    """
    gradients: dict[str, torch.Tensor | None] = dict(run.activations)
    if method.needs_gradient:
        one_by_one = zip(objectives, run.logits.split(1), strict=True)
        weights = torch.cat([objective.gradient(logits) for objective, logits in one_by_one])
        gradients = run.gradients(weights, keep=keep)
    maps = {}
    for stage in stages:
        activations, gradient = run.activations.get(stage.name), gradients.get(stage.name)
        if activations is not None and activations.ndim != 4:
            raise SegcamError(f"The layer {stage.layer} gives no feature map, but {tuple(activations.shape)}.")
        if activations is not None and gradient is not None:
            # Half precision is for the network; sums over a whole map need more.
            precise = torch.promote_types(activations.dtype, torch.float32)
            values = method.compute(activations.to(precise), gradient.to(precise))
            reacts = gradient.flatten(1).any(1).tolist()
            maps[stage.name] = StageMap(values if method.signed else values.relu(), reacts)
    return maps


def slow_maps(
    method: SlowMethod,
    module: nn.Module,
    x: torch.Tensor,
    stages: Sequence[Stage],
    objectives: Sequence[Objective],
    control: ProgressControl,
    alone: bool = False,
) -> dict[str, StageMap]:
    """The maps of all stages from many runs of the network, stage by stage and frame by frame.

    Args:
        method: of the perturbations or the attributions.
        module: frozen and in eval mode.
        x: the input ``(B, C, H, W)``.
        stages: to be explained.
        objectives: one a frame.
        patience: how it is watched.
        alone: whether a pass may take no more than one image.

    Raises:
        Cancelled: once the user has stopped it.
        SegcamError: if a stage gives no feature map.
    """
    maps = {}
    for stage in stages:

        def tell(done: int, total: int, stage: Stage = stage) -> None:
            if control.progress is not None:
                control.progress(stage.name, done, total)

        given = [
            _slow_map(method, module, x[i : i + 1], stage, objective, control, alone, tell)
            for i, objective in enumerate(objectives)
        ]
        values = torch.stack([of_frame.values for of_frame in given])
        maps[stage.name] = StageMap(
            values if method.signed else values.relu(),
            [of_frame.reacts for of_frame in given],
            [of_frame.completeness_error for of_frame in given],
        )
    return maps


def slow_cost(
    method: SlowMethod,
    module: nn.Module,
    x: torch.Tensor,
    stages: Sequence[Stage],
    logits: torch.Tensor,
    control: ProgressControl,
    alone: bool = False,
) -> Cost:
    """What ``slow_maps`` would cost for one frame ``(1, C, H, W)`` whose logits are given."""
    objective = Objective(0, torch.zeros(logits.shape[-2:], dtype=torch.bool))
    costs = (
        estimate_attribution(method, score_at(module, x, stage, objective, alone=alone))
        if isinstance(method, Attribution)
        else estimate(_probe(method, module, x, stage, objective, control))
        for stage in stages
    )
    return sum(costs, Cost(0, 0.0))


def _slow_map(
    method: SlowMethod,
    module: nn.Module,
    x: torch.Tensor,
    stage: Stage,
    objective: Objective,
    control: ProgressControl,
    alone: bool,
    progress: Callable[[int, int], None],
) -> Attributed:
    """The map of one stage of one frame, from either family."""
    if isinstance(method, Attribution):
        score = score_at(module, x, stage, objective, alone=alone)
        return attribute(method, score, progress=progress, cancelled=control.cancelled)
    probe = _probe(method, module, x, stage, objective, control)
    given = perturb(probe, batch=1 if alone else BATCH, progress=progress, cancelled=control.cancelled)
    return Attributed(given.values, reacts=bool(given.weights.any()))


def _probe(
    method: SlowMethod, module: nn.Module, x: torch.Tensor, stage: Stage, objective: Objective, control: ProgressControl
) -> Probe:
    assert isinstance(method, Perturbation)
    options = {"preview": control.preview} if method.has_preview else {}
    return method.probe(module, x, stage, objective, **options)
