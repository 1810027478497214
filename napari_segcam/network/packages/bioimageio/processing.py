"""Processing steps of bioimage.io: what they compute, and the model card that does the same.

Source: the specification of pre- and post-processing, with its default percentiles and its epsilon of 1e-6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.network.packages.bioimageio.description import Step, Tensor
from napari_segcam.network.packages.linear_values import linear_fields

_EPSILON = 1e-6
_WHITES = {"uint8": 255.0, "uint16": 65535.0}
_UNSAID = ("ensure_dtype",)


def process(values: NDArray[Any], tensor: Tensor) -> NDArray[np.float64]:
    """Return a tensor after its steps.

    Args:
        values: with the axes of the tensor.
        tensor: its description.

    Raises:
        ValueError: if a step is not known here.
    """
    values = values.astype(np.float64)
    for step in tensor.steps:
        values = _processed(values, step, tensor)
    return values


def _processed(values: NDArray[np.float64], step: Step, tensor: Tensor) -> NDArray[np.float64]:
    arguments = step.arguments
    axes = _axes(step, tensor)
    epsilon = float(arguments.get("eps", _EPSILON))
    if step.name in _UNSAID:
        return values
    if step.name == "scale_linear":
        return values * _along(arguments.get("gain", 1.0), tensor) + _along(arguments.get("offset", 0.0), tensor)
    if step.name == "zero_mean_unit_variance" and arguments.get("mode") == "fixed":
        return (values - _along(arguments["mean"], tensor)) / _along(arguments["std"], tensor)
    if step.name == "zero_mean_unit_variance":
        mean, std = values.mean(axes, keepdims=True), values.std(axes, keepdims=True)
        normalized: NDArray[np.float64] = (values - mean) / (std + epsilon)
        return normalized
    if step.name == "scale_range":
        low, high = (
            np.percentile(values, percent, axes, keepdims=True)
            for percent in (arguments.get("min_percentile", 0.0), arguments.get("max_percentile", 100.0))
        )
        scaled: NDArray[np.float64] = (values - low) / (high - low + epsilon)
        return scaled
    if step.name == "clip":
        return np.clip(values, arguments.get("min"), arguments.get("max"))
    if step.name == "binarize":
        return (values > _along(arguments["threshold"], tensor)).astype(np.float64)
    if step.name == "sigmoid":
        return 1 / (1 + np.exp(-values))
    if step.name == "softmax":
        shifted = np.exp(values - values.max(_channel(tensor), keepdims=True))
        return np.asarray(shifted / shifted.sum(_channel(tensor), keepdims=True))
    raise ValueError(f"the step {step.name!r} is not known")


def _axes(step: Step, tensor: Tensor) -> tuple[int, ...]:
    """Return over which axes a step computes its statistics; by default over all of one image."""
    named = step.arguments.get("axes")
    if named is None:
        return tuple(index for index, axis in enumerate(tensor.axes) if axis.kind != "batch")
    kinds = {str(name)[0] if str(name) != "batch" else "b" for name in named}
    return tuple(index for index, axis in enumerate(tensor.axes) if axis.kind[0] in kinds)


def _channel(tensor: Tensor) -> int:
    return next((index for index, axis in enumerate(tensor.axes) if axis.kind == "channel"), 0)


def _along(number: Any, tensor: Tensor) -> Any:
    """Return a number, or one for each channel, so that it fits the axes of the tensor."""
    if not isinstance(number, list | tuple):
        return float(number)
    shape = [1] * len(tensor.axes)
    shape[_channel(tensor)] = -1
    return np.array(number, np.float64).reshape(shape)


@dataclass
class CardSteps:
    """The steps of a model's input as fields of a model card, gathered step by step.

    Attributes:
        channels: of the image.
        white: the stored value of white.
        fields: of the card.
        unsaid: steps that a card cannot hold, in words.
    """

    channels: int
    white: float
    fields: dict[str, Any] = field(default_factory=lambda: {"normalization": "unit"})
    unsaid: list[str] = field(default_factory=list)
    _gains: list[float] = field(default_factory=list)
    _offsets: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._gains, self._offsets = [self.white] * self.channels, [0.0] * self.channels

    def read(self, tensor: Tensor) -> None:
        """Take the steps of a tensor over."""
        for step in tensor.steps:
            if not self._take(step, tensor):
                self.unsaid.append(step.name)
        base = self.fields["normalization"]
        identity = all(gain == 1 for gain in self._gains) and not any(self._offsets)
        if base == "zscore":
            if not identity:
                self.unsaid.append("a scaling after the z-score")
        elif base != "percentile" or not identity:
            linear = linear_fields(self._gains, self._offsets, has_names=base != "percentile")
            self.fields |= linear if base != "percentile" else {name: linear[name] for name in ("mean", "std")}

    def _take(self, step: Step, tensor: Tensor) -> bool:
        """Take one step over; return whether the card can hold it."""
        arguments = step.arguments
        if step.name in _UNSAID:
            return True
        if step.name == "scale_linear":
            return self._scale(arguments.get("gain", 1.0), arguments.get("offset", 0.0))
        if step.name == "zero_mean_unit_variance" and arguments.get("mode") == "fixed":
            means, stds = self._numbers(arguments["mean"]), self._numbers(arguments["std"])
            gains = [1 / std for std in stds]
            return self._scale(gains, [-mean / std for mean, std in zip(means, stds, strict=True)])
        statistics = {"zero_mean_unit_variance": "zscore", "scale_range": "percentile"}
        if statistics.get(step.name) == "zscore" and self.fields["normalization"] == "percentile":
            if "clip" in self.fields:
                return False
            self.fields = {"normalization": "unit"}  # a z-score is the same after any scaling
        if step.name in statistics and self.fields["normalization"] == "unit":
            if self.channels > 1 and not any(axis.kind == "channel" for axis in _of(step, tensor)):
                self.unsaid.append(f"{step.name} of each channel by itself: here all channels have the same numbers")
            self.fields["normalization"] = statistics[step.name]
            self._gains, self._offsets = [1.0] * self.channels, [0.0] * self.channels
            if step.name == "scale_range":
                low, high = arguments.get("min_percentile", 0.0), arguments.get("max_percentile", 100.0)
                if (low, high) != (0, 100):
                    self.fields["percentiles"] = (float(low), float(high))
            return arguments.get("mode", "per_sample") != "per_dataset" and not arguments.get("reference_tensor")
        if step.name == "clip":
            return self._clip(arguments.get("min"), arguments.get("max"))
        return False

    def _scale(self, gain: Any, offset: Any) -> bool:
        gains, offsets = self._numbers(gain), self._numbers(offset)
        self._offsets = [old * gain + offset for old, gain, offset in zip(self._offsets, gains, offsets, strict=True)]
        self._gains = [old * gain for old, gain in zip(self._gains, gains, strict=True)]
        return True

    def _clip(self, low: Any, high: Any) -> bool:
        """Limit the values; limits are on the card before the scaling, so they must be the same for all channels."""
        pairs = list(zip(self._gains, self._offsets, strict=True))
        limits = {
            tuple(default if limit is None else (float(limit) - offset) / gain for limit, default in ends)
            for gain, offset in pairs
            for ends in [((low, -1e5), (high, 1e5))]
        }
        if len(limits) != 1 or self.fields["normalization"] == "zscore" or "clip" in self.fields:
            return False
        lowest, highest = limits.pop()
        if self.fields["normalization"] == "unit" and lowest <= 1e-6 and highest >= 1 - 1e-6:
            return True  # pixels are from 0 to 1 already
        self.fields["clip"] = (lowest, highest)
        return True

    def _numbers(self, value: Any) -> list[float]:
        numbers = [float(number) for number in value] if isinstance(value, list | tuple) else [float(value)]
        if len(numbers) == 1:
            return numbers * self.channels
        if len(numbers) != self.channels:
            raise ValueError(f"there are {len(numbers)} numbers for {self.channels} channels")
        return numbers


def _of(step: Step, tensor: Tensor) -> list[Any]:
    return [tensor.axes[index] for index in _axes(step, tensor)]


def white_of(tensor: Tensor, sample: NDArray[Any] | None) -> tuple[float, bool]:
    """Return the stored value of white, and whether it is assumed: by the type, the stated range, or a test image."""
    low, high = tensor.value_range
    if high is not None and high > 0 and not low:
        return high, False
    if tensor.dtype in _WHITES:
        return _WHITES[tensor.dtype], False
    if not _needs_white(tensor.steps):
        return 1.0, False
    if sample is not None and sample.size and float(sample.min()) >= 0:
        largest = float(sample.max())
        return next((white for white in (1.0, 255.0, 65535.0) if largest <= white), 1.0), True
    return 255.0, True


def _needs_white(steps: Sequence[Step]) -> bool:
    """Return whether the result depends on the stored values: not after statistics of the image itself."""
    for step in steps:
        if step.name in _UNSAID or step.name == "scale_linear":
            continue
        return not (
            step.name == "scale_range"
            or (step.name == "zero_mean_unit_variance" and step.arguments.get("mode") != "fixed")
        )
    return True
