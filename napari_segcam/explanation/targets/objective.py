"""The objective: the scalar y that is explained, as a function of a network's logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from napari_segcam.explanation.targets.classes import probabilities_of
from napari_segcam.explanation.targets.target import Score, Target
from napari_segcam.network.device import has_float64


@dataclass(frozen=True, eq=False)
class Objective:
    """The explained score y = Σ_{p ∈ M} s_class(p) of one frame, and its gradient.

    Where the class is explained against others, y = Σ_{p ∈ M} (s_class(p) − γ · mean of the others' s(p)).

    It keeps the region, the class and the kind of score, so that it can compute the score of any logits, not only an
    approximation around the first ones.

    Attributes:
        class_index: the explained output channel.
        region: M ``(H, W)`` bool on the grid of the logits, frozen from the original prediction.
        score: what is summed over M.
        classes_overlap: whether each class has its own probability, as ``Network.classes_overlap``.
        against: output channels that the class is explained against.
        gamma: γ, as ``Target.gamma``.
    """

    class_index: int
    region: torch.Tensor
    score: Score = "logit"
    classes_overlap: bool = False
    against: tuple[int, ...] = ()
    gamma: float = 0.0

    @classmethod
    def of(cls, target: Target, region: torch.Tensor, *, classes_overlap: bool) -> Objective:
        """Return the objective of a resolved target whose region is M ``(H, W)`` on the grid of the logits."""
        return cls(
            target.class_index or 0, region, target.score, classes_overlap, target.reference_classes, target.gamma
        )

    @property
    def pixels(self) -> int:
        """Number of pixels of M; 1 if it is empty, so that one can divide by it."""
        return max(1, int(self.region.sum()))

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """Return y of each image ``(B,)`` in float64, for logits ``(B, C, H, W)``.

        In single precision, probabilities near 1 and sums of many pixels have too few digits for small differences.
        """
        logits = _to_double(logits)
        scores = logits if self.score == "logit" else probabilities_of(logits, overlap=self.classes_overlap)
        explained = scores[:, self.class_index]
        if self.against:
            explained = explained - self.gamma * scores[:, list(self.against)].mean(1)
        return (explained * self.region.to(scores)).sum((1, 2))

    def gradient(self, logits: torch.Tensor) -> torch.Tensor:
        """Return ∂y/∂logits ``(B, C, H, W)``, in the precision of the logits."""
        with torch.enable_grad():
            leaf = logits.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self(leaf).sum(), leaf)
        return gradient


def _to_double(values: torch.Tensor) -> torch.Tensor:
    return (values if has_float64(values.device) else values.cpu()).double()
