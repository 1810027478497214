"""Read how a MONAI bundle prepares images, and turn it into the steps of a model card.

Source: MONAI's transforms ``ScaleIntensity…``, ``NormalizeIntensity`` and ``Resize`` and their dictionary forms. The
readers of MONAI give images with the columns (x) first, so that ``LoadImage`` does more than load.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_segcam.network.packages.bioimageio.description import Axis, Step, Tensor
from napari_segcam.network.packages.monai_bundle.config import Expression

# Transforms that change neither values nor pixels, or only on the way to the network's input.
_NEUTRAL = (
    *("EnsureChannelFirst", "AddChannel", "AsChannelFirst", "EnsureType", "ToTensor", "CastToType", "SelectItems"),
    *("DeleteItems", "ToDevice", "Identity", "DivisiblePad", "RepeatChannel", "SqueezeDim", "EnsureSameShape"),
)
_READ = (
    *("LoadImage", "ScaleIntensity", "ScaleIntensityRange", "ScaleIntensityRangePercentiles"),
    *("NormalizeIntensity", "Resize", "Transpose"),
)
_SMALLEST_TILE = 8
_WHITES = (1.0, 255.0, 65535.0)


@dataclass
class Preparation:
    """How images are prepared.

    Attributes:
        steps: on the values, as bioimage.io writes them.
        white: the stored value of white.
        size: of the resized image, along the first and the second axis of MONAI's image.
        window: size along the two axes, and overlap, of the tiles that the network runs on; None if it runs on whole
            images.
        is_transposed: whether the first axis runs along x.
        not_done: transforms that have no place on a model card, in words.
    """

    steps: list[Step] = field(default_factory=list)
    white: float = 255.0
    size: tuple[int, int] | None = None
    window: tuple[tuple[int, int], float] | None = None
    is_transposed: bool = False
    not_done: list[str] = field(default_factory=list)

    def as_tensor(self) -> Tensor:
        """Return the steps as those of a tensor."""
        axes = tuple(Axis(kind) for kind in ("batch", "channel", "y", "x"))
        return Tensor("image", axes, "float32", (None, None), tuple(self.steps), None)


def read_transforms(transforms: Iterable[Any], image_key: str) -> Preparation:
    """Return how a list of transforms prepares the image.

    Args:
        transforms: as in the configuration, resolved.
        image_key: of the dictionary that the transforms work on.

    Raises:
        TypeError, ValueError, KeyError: if arguments make no sense.
    """
    preparation = Preparation()
    for transform in transforms:
        if isinstance(transform, Expression):
            preparation.not_done.append(f"an expression that is not run: {transform.text}")
        elif isinstance(transform, Mapping) and transform.get("_disabled_") is not True:
            _take(transform, image_key, preparation)
    return preparation


def read_window(inferer: Any) -> tuple[tuple[int, int], float] | None:
    """Return size and overlap of the window of MONAI's ``SlidingWindowInferer``; None for other inferers."""
    if not isinstance(inferer, Mapping) or not str(inferer.get("_target_", "")).endswith("SlidingWindowInferer"):
        return None
    size, overlap = inferer.get("roi_size"), inferer.get("overlap", 0.25)
    sides = [size, size] if isinstance(size, int) else size
    if not isinstance(sides, list | tuple) or len(sides) != 2 or not isinstance(overlap, int | float):
        return None
    if not all(isinstance(side, int) and side >= _SMALLEST_TILE for side in sides) or not 0 <= overlap <= 0.9:
        return None
    return (sides[0], sides[1]), float(overlap)


def _take(transform: Mapping[str, Any], image_key: str, preparation: Preparation) -> None:
    name = _base_name(str(transform.get("_target_", "")))
    keys = transform.get("keys", image_key)
    if isinstance(keys, str | list) and image_key not in ([keys] if isinstance(keys, str) else keys):
        return
    if name in _NEUTRAL:
        return
    if name not in _READ:
        preparation.not_done.append(name)
        return
    if unclear := [value.text for value in transform.values() if isinstance(value, Expression)]:
        preparation.not_done.append(f"{name} with an expression that is not run: {unclear[0]}")
        return
    if name == "LoadImage":
        preparation.is_transposed = _gives_columns_first(transform)
    elif name == "Transpose":
        _transpose(transform, preparation)
    elif name == "Resize":
        _resize(transform, preparation)
    else:
        _scale(name, transform, preparation)


def _base_name(target: str) -> str:
    """Return the name of a transform without the ending of its dictionary form."""
    name = target.rpartition(".")[2]
    for ending in ("Dict", "d", "D"):
        if name.endswith(ending) and name.removesuffix(ending) in (*_NEUTRAL, *_READ):
            return name.removesuffix(ending)
    return name


def _gives_columns_first(transform: Mapping[str, Any]) -> bool:
    reader, reverses = str(transform.get("reader") or ""), transform.get("reverse_indexing")
    if "NumpyReader" in reader:
        return False
    return not reverses if "ITKReader" in reader else reverses is not False


def _transpose(transform: Mapping[str, Any], preparation: Preparation) -> None:
    indices = list(transform.get("indices") or ())
    if indices in ([0, 2, 1], [1, 0]):
        preparation.is_transposed = not preparation.is_transposed
    elif indices not in ([0, 1, 2], [0, 1]):
        preparation.not_done.append("Transpose")


def _resize(transform: Mapping[str, Any], preparation: Preparation) -> None:
    size = transform["spatial_size"]
    sides = list(size) if isinstance(size, list | tuple) else [size, size]
    if len(sides) == 2 and all(isinstance(side, int) and side > 0 for side in sides) and _resizes_all(transform):
        preparation.size = (sides[0], sides[1])
    else:
        preparation.not_done.append("Resize to a size that depends on the image")


def _resizes_all(transform: Mapping[str, Any]) -> bool:
    return transform.get("size_mode", "all") == "all"


def _scale(name: str, transform: Mapping[str, Any], preparation: Preparation) -> None:
    steps = preparation.steps
    if name == "NormalizeIntensity":
        mean, std = transform.get("subtrahend"), transform.get("divisor")
        if mean is None and std is None:
            each = transform.get("channel_wise")
            axes = ["y", "x"] if each else ["channel", "y", "x"]
            steps.append(Step("zero_mean_unit_variance", {"axes": axes}))
            if transform.get("nonzero"):
                preparation.not_done.append("NormalizeIntensity of pixels that are not 0 alone")
        else:
            arguments = {"mode": "fixed", "mean": 0.0 if mean is None else mean, "std": 1.0 if std is None else std}
            steps.append(Step("zero_mean_unit_variance", arguments))
        return
    if name == "ScaleIntensity":
        if transform.get("factor") is not None:
            steps.append(Step("scale_linear", {"gain": 1 + float(transform["factor"])}))
            return
        steps.append(Step("scale_range", {}))
        _to_range(transform.get("minv", 0.0), transform.get("maxv", 1.0), steps)
        return
    if name == "ScaleIntensityRangePercentiles":
        percents = {"min_percentile": float(transform["lower"]), "max_percentile": float(transform["upper"])}
        steps.append(Step("scale_range", percents))
    else:
        _from_range(float(transform["a_min"]), float(transform["a_max"]), preparation)
    if transform.get("clip"):
        steps.append(Step("clip", {"min": 0.0, "max": 1.0}))
    _to_range(transform.get("b_min"), transform.get("b_max"), steps)


def _from_range(low: float, high: float, preparation: Preparation) -> None:
    if not low < high:
        raise ValueError(f"the range from {low:g} to {high:g} is empty")
    if low < 0 or high > _WHITES[-1]:
        preparation.not_done.append(
            f"ScaleIntensityRange of stored values from {low:g} to {high:g}: give these as black and white"
        )
        preparation.white = 1.0
        return
    preparation.white = next(white for white in _WHITES if high <= white)
    preparation.steps.append(Step("scale_linear", {"gain": 1 / (high - low), "offset": -low / (high - low)}))


def _to_range(low: Any, high: Any, steps: list[Step]) -> None:
    if low is None or high is None:
        return
    if (low, high) != (0, 1):
        steps.append(Step("scale_linear", {"gain": float(high) - float(low), "offset": float(low)}))
