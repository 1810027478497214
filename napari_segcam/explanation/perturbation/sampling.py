"""Scores of channels that were never run, from those that were: what makes a preview of a perturbation method.

The masks that a stage's channels make are maps of few pixels, much alike, and the score changes smoothly from mask to
mask. So it is learnt from a sample of masks by Gaussian process regression (Rasmussen & Williams 2006, chapter 2), its
length and noise chosen by the marginal likelihood (chapter 5).
"""

from __future__ import annotations

import torch

# Of the median distance between masks, and of the scores' variance.
_LENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)
_NOISES = (1e-3, 1e-2, 1e-1, 3e-1)


def spread_sample(masks: torch.Tensor, count: int) -> list[int]:
    """The numbers of ``count`` masks of ``(K, …)`` that differ most: each next one is farthest from all before."""
    points = masks.flatten(1).cpu()
    chosen = [int((points - points.mean(0)).square().sum(1).argmin())]
    nearest = (points - points[chosen[0]]).square().sum(1)
    while len(chosen) < min(count, len(points)):
        nearest[chosen[-1]] = -1  # equal masks are as near as can be, but none is taken twice
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (points - points[chosen[-1]]).square().sum(1))
    return chosen


def predicted(masks: torch.Tensor, scores: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """The scores ``(K,)`` of all masks ``(K, …)``: where ``known`` ``(K,)`` as they are, elsewhere as is likeliest."""
    # On the CPU: these are small, and not every device has float64.
    points, values, were_run = masks.flatten(1).cpu().double(), scores[known].cpu().double(), known.cpu()
    mean, spread = values.mean(), values.std(unbiased=False)
    if not spread > 0:  # all equal, or not finite: what is unknown is the same
        return torch.where(known, scores, mean.to(scores))
    standardized = (values - mean) / spread
    distances = torch.cdist(points, points[were_run])
    unit = distances[were_run].median().clamp_min(1e-12)
    length, alpha = _fitted(distances[were_run] / unit, standardized)
    guessed = mean + spread * (_kernel(distances / unit, length) @ alpha)
    return torch.where(known, scores, guessed.to(scores))


def _kernel(distances: torch.Tensor, length: float) -> torch.Tensor:
    return torch.exp(-0.5 * (distances / length).square())


def _fitted(distances: torch.Tensor, values: torch.Tensor) -> tuple[float, torch.Tensor]:
    """The likeliest length, and the weight of each known mask: the inverse of the covariance times the values."""
    best: tuple[float, float, torch.Tensor] | None = None
    identity = torch.eye(len(values), dtype=values.dtype, device=values.device)
    for length in _LENGTHS:
        covariance = _kernel(distances, length)
        for noise in _NOISES:
            factor = torch.linalg.cholesky(covariance + noise * identity)
            alpha = torch.cholesky_solve(values[:, None], factor)[:, 0]
            # Of the marginal likelihood with the best overall variance, what depends on length and noise.
            fit = -0.5 * len(values) * float((values @ alpha / len(values)).log()) - float(
                factor.diagonal().log().sum()
            )
            if best is None or fit > best[0]:
                best = fit, length, alpha
    assert best is not None
    return best[1], best[2]
