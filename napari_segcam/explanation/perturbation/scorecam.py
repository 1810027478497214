"""Score-CAM."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from napari_segcam.explanation.perturbation.probe import Probe, perturbation
from napari_segcam.explanation.perturbation.sampling import predict_scores, spread_sample
from napari_segcam.explanation.slow_methods.feature_maps import feature_map, never_runs
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.forward_trace import logits_of
from napari_segcam.network.stages.stage import Stage

Masks = Callable[[torch.Tensor, tuple[int, int]], torch.Tensor]

# Fewer runs than this are too few to predict from.
_MIN_SAMPLE = 32


@perturbation("scorecam", "Score-CAM", paper="Wang et al., arXiv:1910.01279", year=2020, has_preview=True)
class ScoreCam(Probe):
    """Channels weighted by the score of the input masked by each: s_k = y(x ∘ M_k) (Wang et al. 2020).

    The paper's weights are a softmax over the s_k, class scores that differ by a few units. Scores of a region do not:
    as sums of logits they differ by thousands and the softmax selects one channel; as means they hardly differ and all
    channels have the same weight. So the scores are standardized first, w = softmax((s − mean s) / std s): a channel
    one standard deviation above the mean has e times the weight of the mean one, for a region of any size. Where all
    scores are equal they carry no information, and all weights are zero.

    The preview runs the channels whose masks differ most, then those with the highest expected scores, together an
    eighth of all, and predicts the other scores from these (``sampling``). A stage of few channels has no preview:
    all are run.

    Args:
        module, x, stage, objective: as for ``Probe``; the module runs once here, and once per batch of channels later.
        preview: run a sample of the channels.
        weighting: ``"softmax"`` does not standardize, as in the packages grad-cam and torch-cam.
        masks: turns maps ``(K, h, w)`` into masks ``(K, 1, H, W)`` in [0, 1].

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
        self.activations = _record_activations(module, x, stage)
        self._weighting, self._masks = weighting, masks or channel_masks
        self._runs = min(self.count, max(_MIN_SAMPLE, self.count // 8)) if preview else self.count

    @property
    def runs(self) -> int:
        return self._runs

    def next_runs(self, scores: torch.Tensor, measured: torch.Tensor) -> list[int]:
        if self._runs == self.count:
            return super().next_runs(scores, measured)
        if not measured.any():
            return spread_sample(_scale_to_unit(self.activations), math.ceil(self._runs * 2 / 3))
        expected = predict_scores(_scale_to_unit(self.activations), scores, measured).masked_fill(measured, -torch.inf)
        return expected.argsort(descending=True)[: self._runs - int(measured.sum())].tolist()

    @torch.no_grad()
    def scores(self, perturbations: Sequence[int]) -> torch.Tensor:
        masks = self._masks(self.activations[list(perturbations)], (self.x.shape[-2], self.x.shape[-1]))
        masked = (self.x * masks).contiguous(memory_format=torch.channels_last)
        return self.objective(logits_of(self.module(masked)))

    def weights(self, scores: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
        if not measured.all():
            scores = predict_scores(_scale_to_unit(self.activations), scores, measured)
        if self._weighting == "softmax":
            return scores.softmax(0)
        spread = scores.std(unbiased=False)
        if spread == 0:
            return torch.zeros_like(scores)
        return ((scores - scores.mean()) / spread).softmax(0)


def channel_masks(activations: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Scale each map ``(K, h, w)`` to [0, 1] and resize it to the input: ``(K, 1, H, W)``.

    They are placed on the input by pixel centers, as heatmaps on the frame. The paper resizes first and then scales,
    which differs where the resized pixels miss a map's extremes.
    """
    scaled = _scale_to_unit(activations)[:, None]
    if scaled.shape[-1] > size[1]:
        return F.interpolate(scaled, size, mode="area")
    return F.interpolate(scaled, size, mode="bilinear", align_corners=False)


def _scale_to_unit(activations: torch.Tensor) -> torch.Tensor:
    lowest, highest = activations.amin((1, 2), keepdim=True), activations.amax((1, 2), keepdim=True)
    return (activations - lowest) / (highest - lowest + 1e-8)


def _record_activations(module: nn.Module, x: torch.Tensor, stage: Stage) -> torch.Tensor:
    outputs: list[Any] = []

    def record(_layer: nn.Module, _inputs: Any, output: Any) -> None:
        output = output if stage.output is None else output[stage.output]
        outputs[:] = [output.clone() if isinstance(output, torch.Tensor) else output]  # later layers may work in place

    handle = module.get_submodule(stage.layer).register_forward_hook(record)
    try:
        with torch.no_grad():
            module(x)
    finally:
        handle.remove()
    if not outputs:
        raise never_runs(stage)
    return feature_map(stage, outputs[0], x)
