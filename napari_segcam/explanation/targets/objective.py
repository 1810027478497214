"""The objective: the scalar y that is explained, as a function of a network's logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from napari_segcam.explanation.targets.classes import probabilities_of
from napari_segcam.explanation.targets.target import Score


@dataclass(frozen=True, eq=False)
class Objective:
    """y = Σ_{p ∈ M} s_class(p) of one frame: whatever needs the score or its gradient takes it from here.

    The region, the class and the kind of score stay apart, so that the score is worked out from new logits, too, and
    not from what it was like around the first ones.

    Attributes:
        class_index: the explained output channel.
        region: M ``(H, W)`` bool on the grid of the logits, frozen from the original prediction.
        score: what is summed over M.
        classes_overlap: whether each class has a probability of its own, as ``Network.classes_overlap``.
    """

    class_index: int
    region: torch.Tensor
    score: Score = "logit"
    classes_overlap: bool = False

    @property
    def pixels(self) -> int:
        """How many pixels M has; 1 where it has none, so that it can divide."""
        return max(1, int(self.region.sum()))

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """y of each image ``(B,)`` in float64, for logits ``(B, C, H, W)``.

        Probabilities near 1 and sums of many pixels leave single precision too few digits for small differences.
        """
        precise = _precise(logits)
        scores = precise if self.score == "logit" else probabilities_of(precise, overlap=self.classes_overlap)
        return (scores[:, self.class_index] * self.region.to(scores)).sum((1, 2))

    def gradient(self, logits: torch.Tensor) -> torch.Tensor:
        """∂y/∂logits ``(B, C, H, W)``, in the precision of the logits."""
        with torch.enable_grad():
            at = logits.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self(at).sum(), at)
        return gradient


def _precise(values: torch.Tensor) -> torch.Tensor:
    # Apple's GPUs have no float64.
    return (values.cpu() if values.device.type == "mps" else values).double()
