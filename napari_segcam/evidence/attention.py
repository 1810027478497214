"""Attention: how heat is distributed between the explained region and the rest of the frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.imaging.geometry import Geometry

_ROUNDING = 1e-11  # as a share of the largest weight


@dataclass(frozen=True)
class Attention:
    """Figures of one stage's raw heatmap, interpolated to the frame.

    ``mean``, ``std``, ``inside`` and ``outside`` are in the score's own units and can be compared between frames of one
    stage and method, not between stages. Where the region is the predicted mask, a large ratio is partly true by
    construction, most of all in the last decoder stages, which echo the mask.

    Attributes:
        mean: over the part of the frame that the network saw.
        std: over the same part.
        inside: mean over the region; None where the region is empty.
        outside: mean over the rest; None where there is no rest.
        ratio: inside / outside; None where it is undefined.
        undefined: why there is no ratio, in words; None where there is one.
    """

    mean: float
    std: float
    inside: float | None
    outside: float | None
    ratio: float | None
    undefined: str | None

    def as_row(self, heatmap: Heatmap) -> dict[str, float | str | None]:
        """Return the figures for a table row: None, not 0, where the heatmap has no values."""
        has_values = heatmap.reason in (None, Reason.NOTHING_POSITIVE)  # zeros are values, too
        means = {"mean": self.mean, "std": self.std, "inside": self.inside, "outside": self.outside}
        return {
            **(means if has_values else dict.fromkeys(means)),
            "ratio": self.ratio,
            "undefined": self.undefined or "",
        }


def finite_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with None for NaN and infinity, which tables and JSON cannot hold."""
    not_finite = [name for name, value in row.items() if isinstance(value, float) and not math.isfinite(value)]
    finite = {name: None if name in not_finite else value for name, value in row.items()}
    if not_finite and not finite.get("undefined"):
        finite["undefined"] = f"no finite number: {', '.join(not_finite)}"
    return finite


def attention(explanation: Explanation, region: NDArray[np.bool_] | None = None) -> dict[str, Attention]:
    """Return the attention figures of every stage, by stage name.

    Args:
        explanation: of one frame.
        region: ``(Y, X)`` bool that inside and outside refer to, such as a true mask; by default the explained region.

    Examples:
        >>> round(sc.attention(result)["encoder_4"].ratio)  # mean heat inside the mask, as a multiple of that outside
        7

    Raises:
        SegcamError: if the region is not of the frame's shape.
    """
    return attention_to(explanation, [explanation.region if region is None else region])[0]


def attention_to(explanation: Explanation, regions: Sequence[NDArray[np.bool_]]) -> list[dict[str, Attention]]:
    """Return the figures of ``attention`` for each of several regions.

    Raises:
        SegcamError: if a region is not of the frame's shape.
    """
    for region in regions:
        if region.shape != explanation.frame_shape:
            raise SegcamError(f"The region has the shape {region.shape}, but the frame has {explanation.frame_shape}.")
    figures: list[dict[str, Attention]] = [{} for _ in regions]
    geometry = explanation.segmentation.geometry
    window_regions = [_Region(region[geometry.window]) for region in regions]  # there is no heat outside the window
    names_by_grid: dict[tuple[tuple[int, ...], Geometry], list[str]] = {}
    for name, heatmap in explanation.heatmaps.items():
        names_by_grid.setdefault((heatmap.values.shape, heatmap.geometry), []).append(name)
    for (_, geometry), names in names_by_grid.items():
        map_shape = explanation.heatmaps[names[0]].values.shape
        maps = torch.from_numpy(np.stack([explanation.heatmaps[name].values for name in names]))
        if map_shape == geometry.input_shape and geometry.content_shape == geometry.window_shape:
            maps, grid = geometry.to_window(maps).double(), _Grid.of_window(geometry.window_shape)
        else:
            maps, grid = maps.double(), _Grid.interpolated(geometry, map_shape)
        means, region_means = grid.means(maps, window_regions)
        for name, mean, parts, std in zip(names, means, region_means, grid.stds(maps, means), strict=True):
            pairs = zip(parts[::2], parts[1::2], strict=True)
            for by_name, (inside, outside) in zip(figures, pairs, strict=True):
                by_name[name] = _attention(explanation.heatmaps[name], mean, std, inside, outside)
    return [{name: by_name[name] for name in explanation.heatmaps} for by_name in figures]


class _Region:
    """Region within the window that the network saw.

    Attributes:
        size: number of its pixels.
        box: its bounding rows and columns; empty if the region is.
        pixels: within the box, 1 in the region and 0 elsewhere.
    """

    def __init__(self, region: NDArray[np.bool_]) -> None:
        self.size = int(np.count_nonzero(region))
        self.box = _extent(np.any(region, axis=1)), _extent(np.any(region, axis=0))
        self.pixels = torch.from_numpy(region[self.box].astype(np.float64))


class _Grid:
    """Figures of maps of one shape after interpolation to the window of the frame that the network saw.

    The interpolation of a map m is linear, R m Cᵀ, so the figures do not need the interpolated map: the sum over pixels
    with the weights p is the sum over the map with the weights Rᵀ p C, and the sum of squares is that of
    RᵀR m ⊙ m CᵀC. All of it is float64 and in torch, as NumPy's threads and torch's would wait for each other.

    Args:
        size: pixels of the window.
        everywhere: ``(h, w)``, the weight of each pixel of a map in the sum over the window.
        matrices: R, ``(Y, h)``, and C, ``(X, w)``; None if the maps are on the frame's grid already.
    """

    def __init__(
        self, size: int, everywhere: torch.Tensor, matrices: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> None:
        self._size, self._everywhere, self._matrices = size, everywhere, matrices
        self._rounding = _ROUNDING * float(everywhere.max())
        self._gram = None if matrices is None else (_gram_bands(matrices[0]), _gram_bands(matrices[1]))

    @classmethod
    @lru_cache(maxsize=2)
    def of_window(cls, shape: tuple[int, int]) -> _Grid:
        """Return the grid of maps that have the frame's pixels."""
        return cls(shape[0] * shape[1], torch.ones(shape, dtype=torch.float64))

    @classmethod
    @lru_cache(maxsize=16)  # the same six for frame after frame
    def interpolated(cls, geometry: Geometry, map_shape: tuple[int, int]) -> _Grid:
        """Return the grid of maps of this shape, which cover the whole input."""
        rows, columns = geometry.interpolation(map_shape, torch.float64)
        return cls(len(rows) * len(columns), torch.outer(rows.sum(0), columns.sum(0)), (rows, columns))

    def means(self, maps: torch.Tensor, regions: Sequence[_Region]) -> tuple[list[float], list[list[float | None]]]:
        """Return the means of maps ``(N, h, w)``: everywhere, and for each region inside and outside of it.

        Inside and outside are None where there is no pixel.
        """
        weights, sizes = [self._everywhere], []
        for region in regions:
            inside = self._inside(region)
            weights += [inside, self._everywhere - inside]
            sizes += [region.size, self._size - region.size]
        # Rounding errors count as 0: where all heat is inside, the heat outside is exactly 0, and the other way round.
        rounded = F.hardshrink(torch.stack(weights), self._rounding)
        sums = (maps.flatten(1) @ rounded.flatten(1).T).tolist()
        return [row[0] / self._size for row in sums], [
            [total / size if size else None for total, size in zip(row[1:], sizes, strict=True)] for row in sums
        ]

    def stds(self, maps: torch.Tensor, means: Sequence[float]) -> list[float]:
        """Return the standard deviations everywhere of maps ``(N, h, w)`` with these means."""
        # Centered before squaring, or close values would lose their digits.
        centered = maps - maps.new_tensor(means)[:, None, None]
        if self._gram is None:
            squares = centered.square_()
        else:
            row_bands, column_bands = self._gram
            squares = _times_gram(centered.mT, row_bands).mT * _times_gram(centered, column_bands)
        return (squares.sum((1, 2)).clamp_(min=0) / self._size).sqrt().tolist()

    def _inside(self, region: _Region) -> torch.Tensor:
        """Return the weight of each pixel of a map in the sum over a region, ``(h, w)``."""
        if self._matrices is None:
            inside = torch.zeros_like(self._everywhere)
            inside[region.box] = region.pixels
            return inside
        rows, columns = self._matrices
        return rows[region.box[0]].T @ region.pixels @ columns[region.box[1]]


def _gram_bands(matrix: torch.Tensor) -> torch.Tensor:
    """Return the diagonal of MᵀM and the band beside it, ``(2, h)``, for an interpolation matrix M; the rest is 0.

    A pixel of the frame is interpolated from at most two pixels of the map, which are neighbors.
    """
    return torch.stack([matrix.square().sum(0), F.pad((matrix[:, :-1] * matrix[:, 1:]).sum(0), (0, 1))])


def _times_gram(maps: torch.Tensor, bands: torch.Tensor) -> torch.Tensor:
    """Multiply the rows of maps ``(N, h, w)`` by MᵀM."""
    diagonal, beside = bands[0], bands[1, :-1]
    product = maps * diagonal
    product[..., 1:] += beside * maps[..., :-1]
    product[..., :-1] += beside * maps[..., 1:]
    return product


def _extent(row: NDArray[np.bool_]) -> slice:
    """Return the range from the first to the last True value; empty if there is none."""
    indices = np.flatnonzero(row)
    return slice(int(indices[0]), int(indices[-1]) + 1) if len(indices) else slice(0, 0)


def _attention(heatmap: Heatmap, mean: float, std: float, inside: float | None, outside: float | None) -> Attention:
    ratio, undefined = None, None
    if heatmap.reason is not None:
        undefined = heatmap.reason.value
    elif inside is None:
        undefined = "the region is empty"
    elif outside is None:
        undefined = "the region is the whole frame"
    elif outside == 0:
        undefined = "there is no heat outside the region"
    elif inside < 0 or outside < 0:  # of a signed map
        undefined = "the mean evidence inside or outside the region is negative"
    else:
        ratio = inside / outside
    return Attention(mean, std, inside, outside, ratio, undefined)
