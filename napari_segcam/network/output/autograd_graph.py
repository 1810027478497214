"""Read the autograd graph of an output: what it depends on, and which operation it ends in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

# Operations that move values, or average them with neighbors, so that probabilities stay probabilities.
_MOVES = re.compile(
    r"(Upsample\w*|Squeeze|Unsqueeze|View|UnsafeView|Reshape\w*|Permute|Transpose|T|Slice|Select|SelectCopy|SliceCopy"
    r"|Narrow|Expand|Clone|ToCopy|Index|IndexSelect|Gather|Cat|Stack|Split\w*|UnsafeSplit\w*|Unbind|ConstantPadNd|Flip"
    r"|Roll|Alias|AsStrided|Copy|CopyBackwards|CopySlices|AsStridedScatter|SliceScatter|SelectScatter|Mean|Max|Amax|Min"
    r"|Maximum|Minimum|AvgPool2D|MaxPool2DWithIndices|AdaptiveAvgPool2D|GridSampler2D|Where|MaskedFill|Repeat"
    r"|ReflectionPad2D|ReplicationPad2D|NanToNum|PixelShuffle|PixelUnshuffle|Rot90|Clamp|ClampMin|ClampMax|Detach"
    r"|Contiguous|Movedim|Unfold|Im2Col|Col2Im|NativeDropout|Dropout)Backward\w*|CopyBackwards|CopySlices"
)
# Operations that scale or shift values, if the other operand is a constant.
_SCALES = re.compile(r"(Mul|Div|Add|Sub|Rsub|Neg)Backward\w*")
# Operations that usually make a network's logits.
_MAKES_LOGITS = re.compile(
    r"(\w*Convolution\w*|Addmm|Mm|Bmm|Baddbmm|Linear|Einsum|NativeBatchNorm|CudnnBatchNorm|MiopenBatchNorm"
    r"|NativeGroupNorm|NativeLayerNorm|_?Matmul|Bilinear)Backward\w*"
)
_DEEPEST_SUM = 16
_ACTIVATIONS = frozenset(
    f"{name}Backward0" for name in ("Sigmoid", "Softmax", "LogSoftmax", "LogSigmoid", "Tanh", "Relu")
)
_WEIGHTED = re.compile(r"(\w*Convolution\w*|Addmm|Mm|Bmm|Linear)Backward\w*")


@dataclass(frozen=True)
class GraphEnding:
    """How the graph of an output ends.

    Attributes:
        operations: names of the last operations that do more than move or scale values, such as ``"Sigmoid"``; none
            without a graph.
        scaled: whether their values are scaled or shifted.
        clamped: the bounds that the values are clamped to, if any.
        largest: whether the maximum of several channels is taken.
    """

    operations: frozenset[str]
    scaled: bool
    clamped: tuple[float, float] | None
    largest: bool = False

    @property
    def makes_logits(self) -> bool:
        """Whether the values of all operations are unbounded."""
        return bool(self.operations) and all(_MAKES_LOGITS.fullmatch(f"{name}Backward") for name in self.operations)


def find_ending(output: torch.Tensor) -> GraphEnding:
    """Find how the graph of an output ends."""
    return _ending_of([] if output.grad_fn is None else [output.grad_fn])


def _ending_of(steps: Iterable[Any], depth: int = 0) -> GraphEnding:
    operations: set[str] = set()
    scaled = False
    clamped = None
    largest = False
    visited: set[Any] = set()
    pending = list(steps)
    while pending:
        step = pending.pop()
        if step in visited:
            continue
        visited.add(step)
        name = _name(step)
        earlier = [node for node, _ in step.next_functions if node is not None]
        if name.startswith("Clamp") and clamped is None:
            clamped = _bounds(step)
        largest = largest or takes_maximum(step)
        if earlier and (_MOVES.fullmatch(name) or _is_smoothing(step, name)):
            pending += earlier
        elif len(earlier) == 1 and _SCALES.fullmatch(name):
            scaled = True
            pending += earlier
        elif len(earlier) > 1 and name.startswith(("Add", "Sub")) and depth < _DEEPEST_SUM:
            summed = _ending_of(earlier, depth + 1)  # of logits, or of several networks' probabilities
            scaled, largest = True, largest or summed.largest
            operations |= summed.operations if summed.makes_logits or len(summed.operations) == 1 else {"Add"}
        else:
            operations.add(re.sub(r"Backward\w*$", "", name))
    return GraphEnding(frozenset(operations), scaled, clamped, largest)


def takes_maximum(step: Any) -> bool:
    """Whether a step takes the maximum over the channels of ``(B, C, H, W)``."""
    name = _name(step)
    sizes: tuple[int, ...]
    dimensions: tuple[int | None, ...]
    if name.startswith("MaxBackward"):
        sizes, dimensions = getattr(step, "_saved_self_sym_sizes", ()), (getattr(step, "_saved_dim", None),)
    elif name.startswith("AmaxBackward"):
        sizes, dimensions = tuple(step._saved_self.shape), tuple(step._saved_dim)
    else:
        return False
    channels = (1, 2**64 - 3, -3)  # torch keeps a dimension counted from the end as an unsigned number
    return len(sizes) == 4 and sizes[1] > 1 and any(dimension in channels for dimension in dimensions)


def _is_smoothing(step: Any, name: str) -> bool:
    """Whether a convolution is a weighted mean, so that probabilities stay probabilities."""
    if not name.startswith("ConvolutionBackward"):
        return False
    weight, bias = getattr(step, "_saved_weight", None), getattr(step, "_saved_bias_sym_sizes_opt", None)
    if weight is None or bias not in (None, (), (0,), [0]) or getattr(step, "_saved_transposed", False):
        return False
    is_mean = (weight >= 0).all() and ((weight.sum((1, 2, 3)) - 1).abs() < 1e-3).all() if weight.ndim == 4 else False
    return bool(is_mean)


def ancestors(steps: Iterable[Any]) -> set[Any]:
    """All steps of an autograd graph that these steps depend on, and the steps themselves."""
    visited: set[Any] = set()
    pending = list(steps)
    while pending:
        step = pending.pop()
        if step is not None and step not in visited:
            visited.add(step)
            pending.extend(earlier for earlier, _ in step.next_functions)
    return visited


def count_weighted(steps: Iterable[Any]) -> int:
    """Number of these steps that are layers with weights."""
    return sum(bool(_WEIGHTED.fullmatch(_name(step))) for step in steps)


def skip_moves(step: Any) -> Any:
    """The last step before a chain of moves, scalings and activations."""
    while step is not None:
        earlier = _simple_input(step)
        if earlier is None:
            return step
        step = earlier
    return None


def width_before_upsampling(step: Any, width: int) -> int:
    """Width of the map before the last upsampling of an output; the output's own width if there is none."""
    while step is not None:
        if _name(step).startswith("Upsample") and hasattr(step, "_saved_self_sym_sizes"):
            return int(step._saved_self_sym_sizes[-1])
        step = _simple_input(step)
    return width


def _simple_input(step: Any) -> Any:
    """The input of a step that only moves, scales or activates values; else None."""
    name = _name(step)
    earlier = [node for node, _ in step.next_functions if node is not None]
    is_simple = _MOVES.fullmatch(name) or _SCALES.fullmatch(name) or name in _ACTIVATIONS
    return earlier[0] if len(earlier) == 1 and is_simple else None


def _bounds(step: Any) -> tuple[float, float] | None:
    low, high = getattr(step, "_saved_min", None), getattr(step, "_saved_max", None)
    if isinstance(low, int | float) and isinstance(high, int | float):
        return float(low), float(high)
    return None


def _name(step: Any) -> str:
    return step.name().rpartition("::")[2] if callable(getattr(step, "name", None)) else type(step).__name__
