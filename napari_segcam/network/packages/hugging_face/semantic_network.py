"""Networks of transformers as plain modules: an image in, one map of logits for each class out."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from napari_segcam.network.packages.hugging_face.stage_layers import StageLayer

_SMALLEST_SCORE = 1e-6


class SemanticNetwork(nn.Module):
    """A network that returns logits for each pixel, often at a quarter of the image's size.

    As transformers does for a segmentation, the logits are enlarged to the image, bilinearly.
    """

    def __init__(self, model: nn.Module, stage_layers: tuple[StageLayer, ...] = ()) -> None:
        """Wrap a network of transformers; ``stage_layers`` as in ``find_stages``, if they are known."""
        super().__init__()
        self.model = model
        if stage_layers:
            self.stage_layers = stage_layers

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(B, classes, H, W)`` of images ``(B, channels, H, W)``."""
        logits: torch.Tensor = self.model(pixel_values=image, return_dict=True).logits
        return _enlarged(logits, image)


class QueryNetwork(nn.Module):
    """A network of the MaskFormer kind, which returns queries: for each, scores of the classes and a mask.

    As transformers does for a semantic segmentation, the score of a class at a pixel is the sum over the queries of the
    query's probability of the class times the sigmoid of its mask (Cheng et al. 2021, arXiv:2107.06278). The logits
    are the logarithms of these scores: their softmax are the scores as shares of their sum, and the likeliest class is
    the same.
    """

    def __init__(self, model: nn.Module, stage_layers: tuple[StageLayer, ...] = (), *, enlarges_masks: bool) -> None:
        """Wrap a network.

        Args:
            model: of transformers.
            stage_layers: as in ``find_stages``, if they are known.
            enlarges_masks: whether the masks are enlarged to the image before their sigmoid, as for Mask2Former, and
                not the scores.
        """
        super().__init__()
        self.model = model
        if stage_layers:
            self.stage_layers = stage_layers
        self.enlarges_masks = enlarges_masks

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(B, classes, H, W)`` of images ``(B, channels, H, W)``."""
        output: Any = self.model(pixel_values=image, return_dict=True)
        classes = output.class_queries_logits.softmax(-1)[..., :-1]  # the last one stands for no object
        masks = output.masks_queries_logits
        if self.enlarges_masks:
            masks = _enlarged(masks, image)
        scores = torch.einsum("bqc,bqhw->bchw", classes, masks.sigmoid())
        return _enlarged(scores, image).clamp_min(_SMALLEST_SCORE).log()


def _enlarged(maps: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    if maps.shape[-2:] == image.shape[-2:]:
        return maps
    return F.interpolate(maps, image.shape[-2:], mode="bilinear", align_corners=False)
