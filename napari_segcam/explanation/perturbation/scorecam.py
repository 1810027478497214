"""Score-CAM."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from napari_segcam.explanation.perturbation.probe import Probe, perturbation
from napari_segcam.explanation.perturbation.sampling import predicted, spread_sample
from napari_segcam.explanation.slow_methods.feature_maps import feature_map, never_runs
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import Stage
from napari_segcam.network.stages.survey import logits_of

Masks = Callable[[torch.Tensor, tuple[int, int]], torch.Tensor]

# Fewer runs than this teach too little to predict from.
_LEAST_SAMPLE = 32


@perturbation("scorecam", "Score-CAM", paper="Wang et al., arXiv:1910.01279", year=2020, has_preview=True)
class ScoreCam(Probe):
    """Channels weighted by the score of the input seen through each: s_k = y(x ∘ M_k) (Wang et al. 2020).

    The paper's weights are a softmax over the s_k, class scores that differ by a few units. The score of a region does
    not: as a sum of logits it differs by thousands and the softmax picks one channel; as a mean it hardly differs and
    all channels weigh the same. So the scores are standardized first, w = softmax((s − mean s) / std s): a channel one
    standard deviation above the mean weighs e times as much as the mean one, whatever the size of the region. Where
    all scores are equal they tell nothing of the channels, and all weights are zero.

    The preview runs the channels whose masks differ most, then those that these let expect the highest scores, an
    eighth of all together, and predicts the other scores from theirs (``sampling``). A stage of few channels has no
    preview: all are run.

    Args:
        module, x, stage, objective: as for ``Probe``; the module runs once here, and once per batch of channels later.
        preview: run a sample of the channels.
        weighting: ``"softmax"`` leaves the standardizing out, as the packages grad-cam and torch-cam do.
        masks: how maps ``(K, h, w)`` become masks ``(K, 1, H, W)`` in [0, 1].

    Raises:
        SegcamError: if the stage never runs or gives no feature map.
    """

    def __init__(
        self,
        module: nn.Module,
        x: torch.Tensor,
        stage: Stage,
        objective: Objective,
        *,
        preview: bool = False,
        weighting: Literal["standardized", "softmax"] = "standardized",
        masks: Masks | None = None,
    ) -> None:
        super().__init__(module, x, stage, objective)
        self.activations = _activations(module, x, stage)
        self._weighting, self._masks = weighting, masks or channel_masks
        self._sample = min(self.count, max(_LEAST_SAMPLE, self.count // 8)) if preview else self.count

    @property
    def runs(self) -> int:
        return self._sample

    def to_run(self, scores: torch.Tensor, known: torch.Tensor) -> list[int]:
        if self._sample == self.count:
            return super().to_run(scores, known)
        if not known.any():
            return spread_sample(_scaled(self.activations), math.ceil(self._sample * 2 / 3))
        expected = predicted(_scaled(self.activations), scores, known).masked_fill(known, -torch.inf)
        return expected.argsort(descending=True)[: self._sample - int(known.sum())].tolist()

    @torch.no_grad()
    def scores(self, perturbations: Sequence[int]) -> torch.Tensor:
        masks = self._masks(self.activations[list(perturbations)], (self.x.shape[-2], self.x.shape[-1]))
        seen = (self.x * masks).contiguous(memory_format=torch.channels_last)
        return self.objective(logits_of(self.module(seen)))

    def weights(self, scores: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        if not known.all():
            scores = predicted(_scaled(self.activations), scores, known)
        if self._weighting == "softmax":
            return scores.softmax(0)
        spread = scores.std(unbiased=False)
        if spread == 0:
            return torch.zeros_like(scores)
        return ((scores - scores.mean()) / spread).softmax(0)


def channel_masks(activations: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Each map ``(K, h, w)`` scaled to [0, 1] and brought to the input's size: ``(K, 1, H, W)``.

    They are laid on the input by pixel centers, as heatmaps are on the frame. The paper brings them to size first and
    scales then, which differs where the size's own pixels miss a map's extremes.
    """
    scaled = _scaled(activations)[:, None]
    if scaled.shape[-1] > size[1]:
        return F.interpolate(scaled, size, mode="area")
    return F.interpolate(scaled, size, mode="bilinear", align_corners=False)


def _scaled(activations: torch.Tensor) -> torch.Tensor:
    lowest, highest = activations.amin((1, 2), keepdim=True), activations.amax((1, 2), keepdim=True)
    return (activations - lowest) / (highest - lowest + 1e-8)


def _activations(module: nn.Module, x: torch.Tensor, stage: Stage) -> torch.Tensor:
    given: list[Any] = []

    def keep(_layer: nn.Module, _inputs: Any, output: Any) -> None:
        output = output if stage.output is None else output[stage.output]
        given[:] = [output.clone() if isinstance(output, torch.Tensor) else output]  # what follows may work in place

    handle = module.get_submodule(stage.layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            module(x)
    finally:
        handle.remove()
    if not given:
        raise never_runs(stage)
    return feature_map(stage, given[0], x)
