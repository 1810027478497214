"""What the autograd graph of an output tells: what it depends on, and which operation it ends in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

# Operations that move values, or mix each with its neighbors', so that probabilities stay probabilities.
_MOVES = re.compile(
    r"(Upsample\w*|Squeeze|Unsqueeze|View|UnsafeView|Reshape\w*|Permute|Transpose|T|Slice|Select|SelectCopy|SliceCopy"
    r"|Narrow|Expand|Clone|ToCopy|Index|IndexSelect|Gather|Cat|Stack|Split\w*|UnsafeSplit\w*|Unbind|ConstantPadNd|Flip"
    r"|Roll|Alias|AsStrided|Copy|CopyBackwards|CopySlices|AsStridedScatter|SliceScatter|SelectScatter|Mean|Max|Amax|Min"
    r"|Maximum|Minimum|AvgPool2D|MaxPool2DWithIndices|AdaptiveAvgPool2D|GridSampler2D|Where|MaskedFill|Repeat"
    r"|ReflectionPad2D|ReplicationPad2D|NanToNum|PixelShuffle|PixelUnshuffle|Rot90|Clamp|ClampMin|ClampMax|Detach"
    r"|Contiguous|Movedim|Unfold|Im2Col|Col2Im|NativeDropout|Dropout)Backward\w*|CopyBackwards|CopySlices"
)
# Those that scale or shift values, where the other operand is a number or depends on nothing.
_SCALES = re.compile(r"(Mul|Div|Add|Sub|Rsub|Neg)Backward\w*")
# Those that a network's logits usually come from.
_MAKES_LOGITS = re.compile(
    r"(\w*Convolution\w*|Addmm|Mm|Bmm|Baddbmm|Linear|Einsum|NativeBatchNorm|CudnnBatchNorm|MiopenBatchNorm"
    r"|NativeGroupNorm|NativeLayerNorm|_?Matmul|Bilinear)Backward\w*"
)
_DEEPEST_SUM = 16
_ACTS = frozenset(f"{name}Backward0" for name in ("Sigmoid", "Softmax", "LogSoftmax", "LogSigmoid", "Tanh", "Relu"))
_WEIGHTED = re.compile(r"(\w*Convolution\w*|Addmm|Mm|Bmm|Linear)Backward\w*")


@dataclass(frozen=True)
class GraphEnding:
    """How an output ends.

    Attributes:
        operations: names of the last operations that are more than moving or scaling values, such as ``"Sigmoid"``;
            none where there is no graph.
        scaled: whether something is multiplied with their values or added to them.
        clamped: the bounds that the values are brought between, where there are such.
        largest: whether the largest of several channels is taken.
    """

    operations: frozenset[str]
    scaled: bool
    clamped: tuple[float, float] | None
    largest: bool = False

    @property
    def makes_logits(self) -> bool:
        """Whether all of them are operations whose values have no bounds."""
        return bool(self.operations) and all(_MAKES_LOGITS.fullmatch(f"{name}Backward") for name in self.operations)


def find_ending(output: torch.Tensor) -> GraphEnding:
    """What the graph of an output tells of its end."""
    return _ending([] if output.grad_fn is None else [output.grad_fn])


def _ending(steps: Iterable[Any], depth: int = 0) -> GraphEnding:
    found: set[str] = set()
    scaled = False
    clamped = None
    largest = False
    seen: set[Any] = set()
    waiting = list(steps)
    while waiting:
        step = waiting.pop()
        if step in seen:
            continue
        seen.add(step)
        name = _name(step)
        earlier = [one for one, _ in step.next_functions if one is not None]
        if name.startswith("Clamp") and clamped is None:
            clamped = _bounds(step)
        largest = largest or takes_largest(step)
        if earlier and (_MOVES.fullmatch(name) or _smooths(step, name)):
            waiting += earlier
        elif len(earlier) == 1 and _SCALES.fullmatch(name):
            scaled = True
            waiting += earlier
        elif len(earlier) > 1 and name.startswith(("Add", "Sub")) and depth < _DEEPEST_SUM:
            summed = _ending(earlier, depth + 1)  # of logits, or of several networks' probabilities
            scaled, largest = True, largest or summed.largest
            found |= summed.operations if summed.makes_logits or len(summed.operations) == 1 else {"Add"}
        else:
            found.add(re.sub(r"Backward\w*$", "", name))
    return GraphEnding(frozenset(found), scaled, clamped, largest)


def takes_largest(step: Any) -> bool:
    """Whether a step takes the largest of the channels of ``(B, C, H, W)``."""
    name = _name(step)
    sizes: tuple[int, ...]
    dimensions: tuple[int | None, ...]
    if name.startswith("MaxBackward"):
        sizes, dimensions = getattr(step, "_saved_self_sym_sizes", ()), (getattr(step, "_saved_dim", None),)
    elif name.startswith("AmaxBackward"):
        sizes, dimensions = tuple(step._saved_self.shape), tuple(step._saved_dim)
    else:
        return False
    channels = (1, 2**64 - 3, -3)  # counted from the end, torch keeps it as a number without a sign
    return len(sizes) == 4 and sizes[1] > 1 and any(one in channels for one in dimensions)


def _smooths(step: Any, name: str) -> bool:
    """Whether a convolution is a weighted mean, of which probabilities stay probabilities."""
    if not name.startswith("ConvolutionBackward"):
        return False
    weight, bias = getattr(step, "_saved_weight", None), getattr(step, "_saved_bias_sym_sizes_opt", None)
    if weight is None or bias not in (None, (), (0,), [0]) or getattr(step, "_saved_transposed", False):
        return False
    is_mean = (weight >= 0).all() and ((weight.sum((1, 2, 3)) - 1).abs() < 1e-3).all() if weight.ndim == 4 else False
    return bool(is_mean)


def ancestors(steps: Iterable[Any]) -> set[Any]:
    """All steps of an autograd graph that these steps depend on, and themselves."""
    found: set[Any] = set()
    waiting = list(steps)
    while waiting:
        step = waiting.pop()
        if step is not None and step not in found:
            found.add(step)
            waiting.extend(earlier for earlier, _ in step.next_functions)
    return found


def count_weighted(steps: Iterable[Any]) -> int:
    """How many of these steps are layers with weights."""
    return sum(bool(_WEIGHTED.fullmatch(_name(step))) for step in steps)


def skip_moves(step: Any) -> Any:
    """The step before all moves, scalings and activations that follow it one by one."""
    while step is not None:
        earlier = _moved(step)
        if earlier is None:
            return step
        step = earlier
    return None


def width_before_upsampling(step: Any, width: int) -> int:
    """The width of the map that an output of this width was last enlarged from; its own where it was not."""
    while step is not None:
        if _name(step).startswith("Upsample") and hasattr(step, "_saved_self_sym_sizes"):
            return int(step._saved_self_sym_sizes[-1])
        step = _moved(step)
    return width


def _moved(step: Any) -> Any:
    """What a step moves, scales or activates; None where it does more than that."""
    name = _name(step)
    earlier = [one for one, _ in step.next_functions if one is not None]
    is_light = _MOVES.fullmatch(name) or _SCALES.fullmatch(name) or name in _ACTS
    return earlier[0] if len(earlier) == 1 and is_light else None


def _bounds(step: Any) -> tuple[float, float] | None:
    low, high = getattr(step, "_saved_min", None), getattr(step, "_saved_max", None)
    if isinstance(low, int | float) and isinstance(high, int | float):
        return float(low), float(high)
    return None


def _name(step: Any) -> str:
    return step.name().rpartition("::")[2] if callable(getattr(step, "name", None)) else type(step).__name__
