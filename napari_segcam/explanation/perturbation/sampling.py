"""Sampling: predict the scores of all channels from a sample of them, for previews of perturbation methods.

The masks of a stage's channels are small, similar maps, and the score changes smoothly from mask to mask. So Gaussian
process regression (Rasmussen & Williams 2006, chapter 2) learns it from a sample of masks; the marginal likelihood
(chapter 5) selects its length scale and noise.
"""

from __future__ import annotations

import torch

# As shares of the median distance between masks and of the scores' variance.
_LENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)
_NOISES = (1e-3, 1e-2, 1e-1, 3e-1)


def spread_sample(masks: torch.Tensor, count: int) -> list[int]:
    """Return the numbers of the ``count`` masks of ``(K, …)`` that differ most: each is farthest from all before."""
    points = masks.flatten(1).cpu()
    chosen = [int((points - points.mean(0)).square().sum(1).argmin())]
    nearest = (points - points[chosen[0]]).square().sum(1)
    while len(chosen) < min(count, len(points)):
        nearest[chosen[-1]] = -1  # below the distance of equal masks, so that none is chosen twice
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (points - points[chosen[-1]]).square().sum(1))
    return chosen


def predict_scores(masks: torch.Tensor, scores: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """Return the scores ``(K,)`` of all masks ``(K, …)``: as they are where ``measured`` ``(K,)``, else the likeliest.

    Args:
        masks: ``(K, …)``.
        scores: ``(K,)``, valid where measured.
        measured: ``(K,)`` bool.
    """
    # On the CPU: these are small, and not every device has float64.
    points, values, sample = masks.flatten(1).cpu().double(), scores[measured].cpu().double(), measured.cpu()
    mean, spread = values.mean(), values.std(unbiased=False)
    if not spread > 0:  # all equal, or not finite: the others are the same
        return torch.where(measured, scores, mean.to(scores))
    standardized = (values - mean) / spread
    distances = torch.cdist(points, points[sample])
    unit = distances[sample].median().clamp_min(1e-12)
    length, alpha = _fit(distances[sample] / unit, standardized)
    predicted = mean + spread * (_kernel(distances / unit, length) @ alpha)
    return torch.where(measured, scores, predicted.to(scores))


def _kernel(distances: torch.Tensor, length: float) -> torch.Tensor:
    return torch.exp(-0.5 * (distances / length).square())


def _fit(distances: torch.Tensor, values: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Return the likeliest length, and the weight of each measured mask: the inverse covariance times the values."""
    best: tuple[float, float, torch.Tensor] | None = None
    identity = torch.eye(len(values), dtype=values.dtype, device=values.device)
    for length in _LENGTHS:
        covariance = _kernel(distances, length)
        for noise in _NOISES:
            factor = torch.linalg.cholesky(covariance + noise * identity)
            alpha = torch.cholesky_solve(values[:, None], factor)[:, 0]
            # The part of the log marginal likelihood, at the best overall variance, that depends on length and noise.
            likelihood = -0.5 * len(values) * float((values @ alpha / len(values)).log()) - float(
                factor.diagonal().log().sum()
            )
            if best is None or likelihood > best[0]:
                best = likelihood, length, alpha
    assert best is not None
    return best[1], best[2]
