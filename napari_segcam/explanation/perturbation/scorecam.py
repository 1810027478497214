"""Score-CAM."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from napari_segcam.explanation.perturbation.probe import Probe, feature_map, never_runs, perturbation, region_score
from napari_segcam.network.stages import Stage
from napari_segcam.network.survey import logits_of

Masks = Callable[[torch.Tensor, tuple[int, int]], torch.Tensor]


@perturbation("scorecam", "Score-CAM", paper="Wang et al., arXiv:1910.01279", year=2020)
class ScoreCam(Probe):
    """Channels weighted by the score of the input seen through each: s_k = y(x ∘ M_k) (Wang et al. 2020).

    The paper's weights are a softmax over the s_k, class scores that differ by a few units. The score of a region does
    not: as a sum of logits it differs by thousands and the softmax picks one channel; as a mean it hardly differs and
    all channels weigh the same. So the scores are standardised first, w = softmax((s − mean s) / std s): a channel one
    standard deviation above the mean weighs e times as much as the mean one, whatever the size of the region. Where
    all scores are equal they tell nothing of the channels, and all weights are zero.

    Args:
        module: frozen and in eval mode; it runs once here, and once per batch of channels later.
        x: the input ``(1, C, H, W)``.
        stage: whose channels are the masks.
        region: M ``(1, C, H, W)``, frozen from the original prediction.
        preview: take the scores at half the resolution, for about a quarter of the time.
        multiple: of what the sides of an input must be, pixels; the preview keeps to it.
        weighting: ``"softmax"`` leaves the standardising out, as the packages grad-cam and torch-cam do.
        masks: how maps ``(K, h, w)`` become masks ``(K, 1, H, W)`` in [0, 1].

    Raises:
        SegcamError: if the stage never runs or gives no feature map.
    """

    def __init__(
        self,
        module: nn.Module,
        x: torch.Tensor,
        stage: Stage,
        region: torch.Tensor,
        *,
        preview: bool = False,
        multiple: int = 32,
        weighting: Literal["standardised", "softmax"] = "standardised",
        masks: Masks | None = None,
    ) -> None:
        self.activations = _activations(module, x, stage)
        self.preview = preview
        if preview:
            half = tuple(math.ceil(side / 2 / multiple) * multiple for side in x.shape[-2:])
            x, region = F.interpolate(x, half, mode="area"), F.interpolate(region, half, mode="area")
        self._module, self._x, self._region = module, x, region
        self._weighting, self._masks = weighting, masks or channel_masks

    @torch.no_grad()
    def scores(self, channels: range) -> torch.Tensor:
        height, width = self._x.shape[-2:]
        masks = self._masks(self.activations[channels.start : channels.stop], (height, width))
        seen = (self._x * masks).contiguous(memory_format=torch.channels_last)
        return region_score(logits_of(self._module(seen)), self._region)

    def weights(self, scores: torch.Tensor) -> torch.Tensor:
        if self._weighting == "softmax":
            return scores.softmax(0)
        spread = scores.std(unbiased=False)
        if spread == 0:
            return torch.zeros_like(scores)
        return ((scores - scores.mean()) / spread).softmax(0)


def channel_masks(activations: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Each map ``(K, h, w)`` scaled to [0, 1] and brought to the input's size: ``(K, 1, H, W)``.

    They are laid on the input by pixel centres, as heatmaps are on the frame. The paper brings them to size first and
    scales then, which differs where the size's own pixels miss a map's extremes.
    """
    lowest, highest = activations.amin((1, 2), keepdim=True), activations.amax((1, 2), keepdim=True)
    scaled = ((activations - lowest) / (highest - lowest + 1e-8))[:, None]
    if scaled.shape[-1] > size[1]:
        return F.interpolate(scaled, size, mode="area")
    return F.interpolate(scaled, size, mode="bilinear", align_corners=False)


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
    return feature_map(stage, given[0])
