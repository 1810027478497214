"""Undoing a final activation: exactly, by taking what it was given, or by its inverse.

While the network runs, each sigmoid or softmax is seen as it is called, and what it was given is kept beside what it
gave. Operations that only move values, as a squeeze or a slice, are done to both. An output that has such a value
beside it in the end is read by that: these are the very logits, however the activation was written down.
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
# A network that keeps its probabilities this far from 0 and 1 does so for its loss.
_MARGIN = 1e-2

# No probability is taken for nearer to 0 or 1 than this: the least number of float32 is far below, but below 1 the next
# number is 6e-8 away.
_LEAST, _GAP = 1e-30, 6e-8
# What bicubic resizing overshoots by, at most.
OVERSHOOT = 0.4


@dataclass(frozen=True)
class _Given:
    """What an activation was given, after the moves that were made since; and the state of what it gave."""

    activation: Activation
    before: torch.Tensor
    version: int


class ActivationTracker(TorchFunctionMode):
    """While it is entered, it notes what each activation is given.

    Args:
        copies: let activations give copies, which can be overwritten without harm to the way back.
    """

    def __init__(self, *, copies: bool = False) -> None:
        super().__init__()
        self._copies = copies
        self._given: Any = WeakTensorKeyDictionary()

    def before(self, tensor: torch.Tensor) -> tuple[Activation, torch.Tensor] | None:
        """The activation that gave this tensor, and what it was given for it; None where there is no such thing."""
        given = self._given.get(tensor)
        if given is None or given.version != tensor._version:  # it was changed in place since
            return None
        if tensor.requires_grad and not given.before.requires_grad:
            return None
        return given.activation, given.before

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = str(getattr(func, "__name__", "")).partition(".")[0]
        activation = _ACTIVATIONS.get(name)
        if activation is not None:
            return self._activated(activation, name, func, args, kwargs)
        follows = self._given and self._follows(name, func, args, kwargs)
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
            self._given[result] = _Given(activation, before, result._version)
        return result

    def _follows(
        self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Activation, Callable[[], Any]] | None:
        """How to get what the result of an operation had been before the activation; None where that is unknown."""
        if name in _BOUNDS:
            found = self.before(args[0]) if args and isinstance(args[0], torch.Tensor) else None
            if found is None or found[0] not in ("sigmoid", "softmax") or not _is_near_0_and_1(*args[1:], **kwargs):
                return None
            return found[0], lambda: found[1]
        if name not in _MOVES and not (name == "interpolate" and _is_nearest(*args[1:], **kwargs)):
            return None
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        givens = [self.before(one) for one in tensors if one.is_floating_point()]
        kinds = {None if given is None else given[0] for given in givens}
        if len(kinds) != 1 or None in kinds:
            return None

        def exchanged(one: Any) -> Any:
            found = self.before(one) if isinstance(one, torch.Tensor) and one.is_floating_point() else None
            return one if found is None else found[1]

        others, named = tree_map(exchanged, args), tree_map(exchanged, kwargs)
        return next(given[0] for given in givens if given), lambda: func(*others, **named)

    def _follow(self, result: Any, follows: tuple[Activation, Callable[[], Any]]) -> None:
        activation, befores = follows
        for after, before in zip(tree_leaves(result), tree_leaves(befores()), strict=True):
            if isinstance(after, torch.Tensor):
                self._given[after] = _Given(activation, before, after._version)


def apply_activation(logits: torch.Tensor, activation: Activation) -> torch.Tensor:
    """What an activation gives for ``(B, C, H, W)``."""
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
    """Whether the values of an output can come from an activation; a little beside it is rounding or resizing."""
    if activation == "none" or not output.numel():
        return True
    low, high = output.detach().aminmax()
    least, greatest = {"tanh": (-1.0, 1.0), "log_sigmoid": (None, 0.0), "log_softmax": (None, 0.0)}.get(
        activation, (0.0, 1.0)
    )
    too_low = least is not None and bool(low < least - OVERSHOOT)
    return not too_low and not bool(high > greatest + OVERSHOOT)


def invert_activation(output: torch.Tensor, activation: Activation) -> torch.Tensor:
    """The logits ``(B, C, H, W)`` for which an activation gives this output.

    Those of probabilities that round to 1 are not known: 16.6 is taken for them.
    """
    if activation in ("none", "log_softmax"):  # which is what its own softmax would come from
        return output
    output = output.float() if output.dtype in (torch.float16, torch.bfloat16) else output
    match activation:
        case "softmax":
            return output.clamp_min(_LEAST).log()
        case "log_sigmoid":
            return output - (-torch.expm1(output.clamp_max(-_GAP))).log()
        case "tanh":
            output = (output + 1) / 2
    return output.clamp_min(_LEAST).log() - torch.log1p(-output.clamp(0, 1 - _GAP))


def _is_near_0_and_1(low: Any = None, high: Any = None, *, min: Any = None, max: Any = None, out: Any = None) -> bool:
    low, high = low if min is None else min, high if max is None else max
    near = (low is None or (isinstance(low, int | float) and low <= _MARGIN)) and (
        high is None or (isinstance(high, int | float) and high >= 1 - _MARGIN)
    )
    return near and out is None


def _is_nearest(*args: Any, mode: str = "nearest", **_kwargs: Any) -> bool:
    return (args[2] if len(args) > 2 else mode) in ("nearest", "nearest-exact")
