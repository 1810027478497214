"""Undo a final activation: exactly, by recording its input, or by its inverse function.

While the network runs, the input of each sigmoid or softmax is recorded together with its output. Operations that only
move values, such as a squeeze or a slice, are applied to both. If the network's output has such a recorded input, that
is read: these are the exact logits, however the activation is written in code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

Activation = Literal["none", "sigmoid", "softmax", "log_sigmoid", "log_softmax", "tanh"]

_ACTIVATIONS: dict[str, Activation] = {
    **dict.fromkeys(("sigmoid", "sigmoid_", "special_expit", "expit"), "sigmoid"),
    **dict.fromkeys(("softmax", "_softmax", "special_softmax", "_safe_softmax"), "softmax"),
    **dict.fromkeys(("log_softmax", "_log_softmax", "special_log_softmax"), "log_softmax"),
    **dict.fromkeys(("logsigmoid", "log_sigmoid"), "log_sigmoid"),
}
_MOVES_WORDS = """
    squeeze unsqueeze view _unsafe_view view_as reshape permute transpose movedim moveaxis swapaxes
    swapdims t contiguous clone to _to_copy float double half bfloat16 type flatten unflatten
    __getitem__ narrow select slice index_select chunk split split_with_sizes unbind flip alias expand
    cat concat concatenate stack detach upsample_nearest2d
"""
_MOVES = frozenset(_MOVES_WORDS.split())
_BOUNDS = frozenset(("clamp", "clip", "clamp_", "clip_"))
# Networks clamp probabilities this far from 0 and 1 for their loss.
_MARGIN = 1e-2

# Smallest distance of a probability from 0 and from 1. Near 0 float32 is much finer, but the next number below 1 is
# 6e-8 away.
_SMALLEST, _GAP = 1e-30, 6e-8
# Largest overshoot of bicubic resizing.
OVERSHOOT = 0.4


@dataclass(frozen=True)
class _RecordedInput:
    """Input of an activation, after the moves since; and the version of its output."""

    activation: Activation
    before: torch.Tensor
    version: int


class ActivationTracker(TorchFunctionMode):
    """Context manager that records the input of each activation.

    Args:
        copies: let activations return copies, so that changes in place do not break the backward pass.
    """

    def __init__(self, *, copies: bool = False) -> None:
        super().__init__()
        self._copies = copies
        self._recorded: Any = WeakTensorKeyDictionary()

    def before(self, tensor: torch.Tensor) -> tuple[Activation, torch.Tensor] | None:
        """Return the activation that made this tensor, and its input; None if no activation made it."""
        recorded = self._recorded.get(tensor)
        if recorded is None or recorded.version != tensor._version:  # changed in place since
            return None
        if tensor.requires_grad and not recorded.before.requires_grad:
            return None
        return recorded.activation, recorded.before

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = str(getattr(func, "__name__", "")).partition(".")[0]
        activation = _ACTIVATIONS.get(name)
        if activation is not None:
            return self._activated(activation, name, func, args, kwargs)
        follows = self._recorded and self._follows(name, func, args, kwargs)
        result = func(*args, **kwargs)
        if follows:
            self._follow(result, follows)
        return result

    def _activated(
        self, activation: Activation, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        before = args[0] if args else kwargs.get("input", kwargs.get("self"))
        in_place = name.endswith("_") or kwargs.get("out") is not None
        if isinstance(before, torch.Tensor) and in_place:
            before = before.clone()
        result = func(*args, **kwargs)
        if self._copies and isinstance(result, torch.Tensor) and result.requires_grad and not in_place:
            result = result.clone()
        if isinstance(before, torch.Tensor) and isinstance(result, torch.Tensor):
            self._recorded[result] = _RecordedInput(activation, before, result._version)
        return result

    def _follows(
        self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Activation, Callable[[], Any]] | None:
        """How to get what the result of an operation had been before the activation; None where that is unknown."""
        if name in _BOUNDS:
            entry = self.before(args[0]) if args and isinstance(args[0], torch.Tensor) else None
            if entry is None or entry[0] not in ("sigmoid", "softmax") or not _is_near_0_and_1(*args[1:], **kwargs):
                return None
            return entry[0], lambda: entry[1]
        if name not in _MOVES and not (name == "interpolate" and _is_nearest(*args[1:], **kwargs)):
            return None
        tensors = [tensor for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, torch.Tensor)]
        recorded = [self.before(tensor) for tensor in tensors if tensor.is_floating_point()]
        kinds = {None if entry is None else entry[0] for entry in recorded}
        if len(kinds) != 1 or None in kinds:
            return None

        def with_input(tensor: Any) -> Any:
            entry = self.before(tensor) if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() else None
            return tensor if entry is None else entry[1]

        input_args, input_kwargs = tree_map(with_input, args), tree_map(with_input, kwargs)
        return next(entry[0] for entry in recorded if entry), lambda: func(*input_args, **input_kwargs)

    def _follow(self, result: Any, follows: tuple[Activation, Callable[[], Any]]) -> None:
        activation, befores = follows
        for after, before in zip(tree_leaves(result), tree_leaves(befores()), strict=True):
            if isinstance(after, torch.Tensor):
                self._recorded[after] = _RecordedInput(activation, before, after._version)


def apply_activation(logits: torch.Tensor, activation: Activation) -> torch.Tensor:
    """Apply an activation to logits ``(B, C, H, W)``."""
    match activation:
        case "sigmoid":
            return logits.sigmoid()
        case "softmax":
            return logits.softmax(1)
        case "log_sigmoid":
            return F.logsigmoid(logits)
        case "log_softmax":
            return logits.log_softmax(1)
        case "tanh":
            return (logits / 2).tanh()
    return logits


def can_come_from(output: torch.Tensor, activation: Activation) -> bool:
    """Whether an output is in the range of an activation, up to rounding and resizing."""
    if activation == "none" or not output.numel():
        return True
    low, high = output.detach().aminmax()
    least, greatest = {"tanh": (-1.0, 1.0), "log_sigmoid": (None, 0.0), "log_softmax": (None, 0.0)}.get(
        activation, (0.0, 1.0)
    )
    too_low = least is not None and bool(low < least - OVERSHOOT)
    return not too_low and not bool(high > greatest + OVERSHOOT)


def invert_activation(output: torch.Tensor, activation: Activation) -> torch.Tensor:
    """Return the logits ``(B, C, H, W)`` for which an activation returns this output.

    The logit of a probability that rounds to 1 is unknown: it becomes 16.6.
    """
    if activation in ("none", "log_softmax"):  # the softmax of log-softmax is the softmax
        return output
    output = output.float() if output.dtype in (torch.float16, torch.bfloat16) else output
    match activation:
        case "softmax":
            return output.clamp_min(_SMALLEST).log()
        case "log_sigmoid":
            return output - (-torch.expm1(output.clamp_max(-_GAP))).log()
        case "tanh":
            output = (output + 1) / 2
    return output.clamp_min(_SMALLEST).log() - torch.log1p(-output.clamp(0, 1 - _GAP))


def _is_near_0_and_1(low: Any = None, high: Any = None, *, min: Any = None, max: Any = None, out: Any = None) -> bool:
    low, high = low if min is None else min, high if max is None else max
    near = (low is None or (isinstance(low, int | float) and low <= _MARGIN)) and (
        high is None or (isinstance(high, int | float) and high >= 1 - _MARGIN)
    )
    return near and out is None


def _is_nearest(*args: Any, mode: str = "nearest", **_kwargs: Any) -> bool:
    return (args[2] if len(args) > 2 else mode) in ("nearest", "nearest-exact")
