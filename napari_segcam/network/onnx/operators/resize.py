"""Resize and Upsample, in all their modes but the cropping one, and grid sampling.

Where torch's own interpolation computes the same it is used; otherwise each axis is resized by itself, by picking or
by a matrix of weights (the operator's definition: https://onnx.ai/onnx/operators/onnx__Resize.html).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from napari_segcam.network.onnx.graph import Node
from napari_segcam.network.onnx.operators.registry import Function, axes_of, operator

Places = NDArray[np.float32]

_COORDINATES = (
    "half_pixel",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "half_pixel_symmetric",
    "tf_half_pixel_for_nn",
)


@operator("Resize", "Upsample", host=(1, 2, 3))
def resize(node: Node) -> Function:
    """A tensor of another size, by scales or to a size."""
    mode = node.text("mode", "nearest")
    coordinates = node.text("coordinate_transformation_mode", "half_pixel")
    has_roi = node.operator == "Resize" and node.version >= 11
    if not has_roi:  # the older operators know no other way
        coordinates = "asymmetric"
    if coordinates not in _COORDINATES:
        raise node.missing(f"coordinate_transformation_mode {coordinates}")
    if mode not in ("nearest", "linear", "cubic") or (node.integer("antialias") and mode != "linear"):
        raise node.missing(f"mode {mode}" + (" and antialias" if node.integer("antialias") else ""))
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.missing("keep_aspect_ratio_policy")
    default_rounding = "round_prefer_floor" if has_roi else "floor"
    resizer = _Resizer(node, mode, coordinates, node.text("nearest_mode", default_rounding))

    def run(x: torch.Tensor, *inputs: Any) -> torch.Tensor:
        scales, sizes = [*inputs, None, None, None][1 if has_roi else 0 :][:2]
        sizes = sizes if has_roi else None
        if scales is None and "scales" in node.attributes:
            scales = np.asarray(node.attributes["scales"])
        axes = [axis % x.ndim for axis in axes_of(node, None) or range(x.ndim)]
        if sizes is not None and np.size(sizes):
            outputs = [int(value) for value in np.asarray(sizes).reshape(-1)]
            factors = [output / x.shape[axis] for axis, output in zip(axes, outputs, strict=True)]
        else:
            factors = [float(value) for value in np.asarray(scales).reshape(-1)]
            outputs = [int(np.floor(x.shape[axis] * factor)) for axis, factor in zip(axes, factors, strict=True)]
        changed = {
            axis: (output, factor)
            for axis, output, factor in zip(axes, outputs, factors, strict=True)
            if factor != 1 or output != x.shape[axis]
        }
        return resizer(x, changed)

    return run


class _Resizer:
    """Resizes axes of a tensor in one of the operator's modes."""

    def __init__(self, node: Node, mode: str, coordinates: str, rounding: str) -> None:
        self._mode, self._coordinates, self._rounding = mode, coordinates, rounding
        self._cubic = node.number("cubic_coeff_a", -0.75)
        self._excludes_outside = bool(node.integer("exclude_outside"))
        self._antialias = bool(node.integer("antialias"))
        self._node = node

    def __call__(self, x: torch.Tensor, changed: dict[int, tuple[int, float]]) -> torch.Tensor:
        if not changed:
            return x
        if x.ndim == 4 and set(changed) <= {2, 3}:
            result = self._by_torch(x, changed)
            if result is not None:
                return result
        if self._antialias:
            raise ValueError(f"{self._node.title} resizes with antialias in a form that is not supported")
        for axis, (size, factor) in changed.items():
            places = self._places(x.shape[axis], size, factor)
            if self._mode == "nearest":
                x = x.index_select(axis, torch.as_tensor(self._rounded(places, x.shape[axis]), device=x.device))
            else:
                weights = torch.as_tensor(self._weights(places, x.shape[axis]), dtype=x.dtype, device=x.device)
                x = (x.movedim(axis, -1) @ weights.T).movedim(-1, axis)
        return x

    def _by_torch(self, x: torch.Tensor, changed: dict[int, tuple[int, float]]) -> torch.Tensor | None:
        """Return what torch's interpolation gives, or None where it computes something else."""
        size = [changed[axis][0] if axis in changed else x.shape[axis] for axis in (2, 3)]
        if self._mode == "nearest":
            for axis, (output, factor) in changed.items():
                chosen = self._rounded(self._places(x.shape[axis], output, factor), x.shape[axis])
                is_whole = output % x.shape[axis] == 0 or x.shape[axis] % output == 0  # else torch rounds as it likes
                if not is_whole or not np.array_equal(chosen, np.arange(output) * x.shape[axis] // output):
                    return None
            return F.interpolate(x, size, mode="nearest")
        if any(abs(factor * x.shape[axis] - output) > 1e-6 * output for axis, (output, factor) in changed.items()):
            return None
        if self._mode == "cubic" and (self._excludes_outside or self._cubic != -0.75):
            return None
        mode = "bilinear" if self._mode == "linear" else "bicubic"
        if self._coordinates == "align_corners" and not self._antialias:
            return F.interpolate(x, size, mode=mode, align_corners=True)
        is_half_pixel = self._coordinates == "half_pixel" or (
            self._coordinates == "pytorch_half_pixel" and min(size) > 1
        )
        if is_half_pixel:
            return F.interpolate(x, size, mode=mode, align_corners=False, antialias=self._antialias)
        return None

    def _places(self, length: int, size: int, factor: float) -> Places:
        """Return the place of each new element among the old ones."""
        # In float32 as in onnxruntime, since it decides which element is nearest.
        new, scale, half = np.arange(size, dtype=np.float32), np.float32(factor), np.float32(0.5)
        match self._coordinates:
            case "align_corners":
                return new * np.float32(length - 1) / np.float32(size - 1) if size > 1 else new * 0
            case "asymmetric":
                return new / scale
            case "tf_half_pixel_for_nn":
                return (new + half) / scale
            case "pytorch_half_pixel" if size == 1:
                return new * 0
            case "half_pixel_symmetric":
                shift = np.float32(length / 2 * (1 - size / (factor * length)))
                return shift + (new + half) / scale - half
        return (new + half) / scale - half

    def _rounded(self, places: Places, length: int) -> NDArray[np.int64]:
        match self._rounding:
            case "floor":
                rounded = np.floor(places)
            case "ceil":
                rounded = np.ceil(places)
            case "round_prefer_ceil":
                rounded = np.floor(places + 0.5)
            case _:
                rounded = np.ceil(places - 0.5)
        return rounded.clip(0, length - 1).astype(np.int64)

    def _weights(self, places: Places, length: int) -> NDArray[np.float64]:
        """Return the share of each old element in each new one, ``(new, old)``."""
        base = np.floor(places).astype(np.int64)
        offsets = (0, 1) if self._mode == "linear" else (-1, 0, 1, 2)
        weights = np.zeros((len(places), length))
        rows = np.arange(len(places))
        for offset in offsets:
            distance = np.abs(places - (base + offset))
            share = 1 - distance if self._mode == "linear" else self._cubic_share(distance)
            index = base + offset
            if self._excludes_outside:
                share = np.where((index >= 0) & (index < length), share, 0.0)
            np.add.at(weights, (rows, index.clip(0, length - 1)), share)
        return weights / weights.sum(1, keepdims=True) if self._excludes_outside else weights

    def _cubic_share(self, distance: Places) -> Places:
        a = self._cubic
        near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
        far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
        return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


@operator("GridSample")
def grid_sample(node: Node) -> Function:
    """Values at places of a map, between its pixels."""
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(node.text("mode", "bilinear"), node.text("mode", "bilinear"))
    outside, corners = node.text("padding_mode", "zeros"), bool(node.integer("align_corners"))
    return lambda x, grid: F.grid_sample(x, grid, mode=mode, padding_mode=outside, align_corners=corners)
