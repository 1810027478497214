"""Attention: how a heatmap's heat is spread between the region it explains and the rest of the frame."""

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

_ROUNDING = 1e-11  # of the largest weight


@dataclass(frozen=True)
class Attention:
    """Figures of one stage's raw heatmap, interpolated to the frame.

    ``mean``, ``std``, ``inside`` and ``outside`` are in the score's own units and can be compared between frames of one
    stage and method, not between stages. A large ratio is partly true by construction where the region is the
    predicted mask, the more so in the last decoder stages, which echo the mask.

    Attributes:
        mean: over what the network saw of the frame.
        std: over the same.
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

    def of_map(self, heatmap: Heatmap) -> dict[str, float | str | None]:
        """The figures as tables have them: None where there was no map to take them of, rather than 0."""
        there_is_one = heatmap.reason in (None, Reason.NOTHING_POSITIVE)  # a map of zeros is one
        means = {"mean": self.mean, "std": self.std, "inside": self.inside, "outside": self.outside}
        return {
            **(means if there_is_one else dict.fromkeys(means)),
            "ratio": self.ratio,
            "undefined": self.undefined or "",
        }


def finite_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of figures without NaN and infinity, which are undefined (None) and stop no table or record."""
    bad = [name for name, value in row.items() if isinstance(value, float) and not math.isfinite(value)]
    finite = {name: None if name in bad else value for name, value in row.items()}
    if bad and not finite.get("undefined"):
        finite["undefined"] = f"no finite number: {', '.join(bad)}"
    return finite


def attention(explanation: Explanation, region: NDArray[np.bool_] | None = None) -> dict[str, Attention]:
    """The attention figures of every stage, by stage name.

    Args:
        explanation: of one frame.
        region: ``(Y, X)`` bool, that inside and outside refer to, such as a true mask; by default the explained region.

    Raises:
        SegcamError: if the region is not of the frame's shape.
    """
    return attention_to(explanation, [explanation.region if region is None else region])[0]


def attention_to(explanation: Explanation, regions: Sequence[NDArray[np.bool_]]) -> list[dict[str, Attention]]:
    """The attention figures of every stage as of ``attention``, for each of several regions.

    Raises:
        SegcamError: if a region is not of the frame's shape.
    """
    for region in regions:
        if region.shape != explanation.frame_shape:
            raise SegcamError(f"The region has the shape {region.shape}, but the frame {explanation.frame_shape}.")
    figures: list[dict[str, Attention]] = [{} for _ in regions]
    geometry = explanation.segmentation.geometry
    shown = [_Region(region[geometry.window]) for region in regions]  # where the network did not look there is no heat
    alike: dict[tuple[int, int], list[str]] = {}
    for name, heatmap in explanation.heatmaps.items():
        alike.setdefault(heatmap.values.shape, []).append(name)
    for map_shape, names in alike.items():
        maps = torch.from_numpy(np.stack([explanation.heatmaps[name].values for name in names]))
        if map_shape == geometry.input_shape and geometry.content_shape == geometry.window_shape:
            maps, frame = geometry.to_window(maps).double(), _Grid.of(geometry.window_shape)
        else:
            maps, frame = maps.double(), _Grid.interpolated(geometry, map_shape)
        means, of_regions = frame.means(maps, shown)
        for name, mean, of_parts, std in zip(names, means, of_regions, frame.stds(maps, means), strict=True):
            pairs = zip(of_parts[::2], of_parts[1::2], strict=True)
            for of_region, (inside, outside) in zip(figures, pairs, strict=True):
                of_region[name] = _attention(explanation.heatmaps[name], mean, std, inside, outside)
    return [{name: of_region[name] for name in explanation.heatmaps} for of_region in figures]


class _Region:
    """A region of what the network saw.

    Attributes:
        size: its pixels.
        box: the rows and columns that it reaches; empty where it is.
        pixels: 1 where it is and 0 elsewhere, within the box.
    """

    def __init__(self, region: NDArray[np.bool_]) -> None:
        self.size = int(np.count_nonzero(region))
        self.box = _extent(np.any(region, axis=1)), _extent(np.any(region, axis=0))
        self.pixels = torch.from_numpy(region[self.box].astype(np.float64))


class _Grid:
    """Figures of maps of one shape, as they are once they are interpolated to what the network saw of the frame.

    The interpolation of a map m is linear, R m Cᵀ, and so none of them needs it done: the sum over pixels with the
    weights p is the sum over the map with the weights Rᵀ p C, and the sum of squares is that of RᵀR m ⊙ m CᵀC.
    All is in float64, and the products in torch: NumPy's threads and torch's would wait for each other.

    Args:
        size: pixels of what the network saw.
        everywhere: ``(h, w)``, how much each pixel of a map counts in the sum over these.
        matrices: R, ``(Y, h)``, and C, ``(X, w)``; None where the maps lie on the frame's grid already.
    """

    def __init__(
        self, size: int, everywhere: torch.Tensor, matrices: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> None:
        self._size, self._everywhere, self._matrices = size, everywhere, matrices
        self._rounding = _ROUNDING * float(everywhere.max())
        self._blending = None if matrices is None else (_blending(matrices[0]), _blending(matrices[1]))

    @classmethod
    @lru_cache(maxsize=2)
    def of(cls, shape: tuple[int, int]) -> _Grid:
        """Of maps on the frame's grid."""
        return cls(shape[0] * shape[1], torch.ones(shape, dtype=torch.float64))

    @classmethod
    @lru_cache(maxsize=16)  # the same six for frame after frame
    def interpolated(cls, geometry: Geometry, map_shape: tuple[int, int]) -> _Grid:
        """Of maps of this shape of the whole input."""
        rows, columns = geometry.interpolation(map_shape, torch.float64)
        return cls(len(rows) * len(columns), torch.outer(rows.sum(0), columns.sum(0)), (rows, columns))

    def means(self, maps: torch.Tensor, regions: Sequence[_Region]) -> tuple[list[float], list[list[float | None]]]:
        """For each of ``(N, h, w)`` maps the mean everywhere, and for each region that inside and that outside.

        The latter are None where there is no pixel.
        """
        weights, sizes = [self._everywhere], []
        for region in regions:
            inside = self._inside(region)
            weights += [inside, self._everywhere - inside]
            sizes += [region.size, self._size - region.size]
        # What is left by rounding is none: where all heat lies inside, that outside is exactly 0, and the other way.
        shares = F.hardshrink(torch.stack(weights), self._rounding)
        sums = (maps.flatten(1) @ shares.flatten(1).T).tolist()
        return [row[0] / self._size for row in sums], [
            [one / size if size else None for one, size in zip(row[1:], sizes, strict=True)] for row in sums
        ]

    def stds(self, maps: torch.Tensor, means: Sequence[float]) -> list[float]:
        """The standard deviation everywhere of each of ``(N, h, w)`` maps, whose means are these."""
        # Before squaring, or close values would lose their digits.
        centered = maps - maps.new_tensor(means)[:, None, None]
        if self._blending is None:
            squares = centered.square_()
        else:
            by_rows, by_columns = self._blending
            squares = _blended(centered.mT, by_rows).mT * _blended(centered, by_columns)
        return (squares.sum((1, 2)).clamp_(min=0) / self._size).sqrt().tolist()

    def _inside(self, region: _Region) -> torch.Tensor:
        """``(h, w)``: how much each pixel of a map counts in the sum over a region."""
        if self._matrices is None:
            inside = torch.zeros_like(self._everywhere)
            inside[region.box] = region.pixels
            return inside
        rows, columns = self._matrices
        return rows[region.box[0]].T @ region.pixels @ columns[region.box[1]]


def _blending(matrix: torch.Tensor) -> torch.Tensor:
    """``(2, h)`` of a matrix of interpolation M: the diagonal of MᵀM, and what stands beside it; all else is 0.

    A pixel of the frame blends no more than two pixels of the map, which lie beside each other.
    """
    return torch.stack([matrix.square().sum(0), F.pad((matrix[:, :-1] * matrix[:, 1:]).sum(0), (0, 1))])


def _blended(maps: torch.Tensor, blending: torch.Tensor) -> torch.Tensor:
    """The products of the rows of ``(N, h, w)`` maps with MᵀM."""
    own, beside = blending[0], blending[1, :-1]
    product = maps * own
    product[..., 1:] += beside * maps[..., :-1]
    product[..., :-1] += beside * maps[..., 1:]
    return product


def _extent(row: NDArray[np.bool_]) -> slice:
    """From the first to the last of a row that is set; empty if none is."""
    places = np.flatnonzero(row)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


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
        undefined = "the evidence inside or outside of the region is negative on the whole"
    else:
        ratio = inside / outside
    return Attention(mean, std, inside, outside, ratio, undefined)
