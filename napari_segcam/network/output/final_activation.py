"""Final activations: networks whose output is probabilities, where logits are wanted.

Masks are cut from the sigmoid or softmax of a network's output. Of an output that is one already, that would be another
one: every pixel above one half. What a network ends in is seen in a dry run: first in the calls and in the graph, and
where these do not tell, in the values that it gives for several quite different images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.output.activation_inverse import OVERSHOOT, Activation, apply_activation
from napari_segcam.network.output.autograd_graph import GraphEnding, find_ending

_CLOSE = 1e-4
# The logarithm of a probability is that of a little more, which keeps it finite.
_LOG_MARGIN = 1e-2
MAXIMUM_RETURNED = (
    "The network returns the largest of the classes' scores at each pixel, not the score of each class. Return what it "
    "takes the largest of."
)
_BENDS_WORDS = """
    Relu LeakyRelu Elu Prelu PreluKernel RreluWithNoise Silu Gelu Softplus Mish Hardswish Threshold
    Hardtanh Celu Tanh
"""
_BENDS = frozenset(_BENDS_WORDS.split())
_TITLES: dict[Activation, str] = {
    "sigmoid": "sigmoid",
    "softmax": "softmax",
    "log_sigmoid": "log-sigmoid",
    "log_softmax": "log-softmax",
    "tanh": "tanh",
}
_SET_IT = "Say in the card what it is: output_activation: none, sigmoid, softmax, log_sigmoid, log_softmax or tanh."


@dataclass(frozen=True)
class FinalActivation:
    """What an output ends in.

    Attributes:
        activation: that it ends in, ``"none"`` where it is logits.
        exact: whether what the activation was given is known.
        assumed: what stands for it where only the values tell, for people; else empty.
        doubt: what the user should know of it, in a sentence; else empty.
    """

    activation: Activation
    exact: bool = False
    assumed: str = ""
    doubt: str = ""

    @property
    def title(self) -> str:
        return _TITLES[self.activation]


def detect_activation(
    output: torch.Tensor,
    before: tuple[Activation, torch.Tensor] | None,
    varied: Callable[[], Sequence[torch.Tensor]],
) -> FinalActivation:
    """What an output ends in.

    Args:
        output: ``(1, C, H, W)``, with its graph.
        before: the activation that was seen to give it, and what that was given.
        varied: makes outputs for quite different images; asked only where the graph does not tell.

    Raises:
        SegcamError: if it ends in an activation, but its values are no probabilities.
    """
    seen = before is not None and _gives(before[1], before[0], output)
    if before is not None and seen and not _misleads(before[0], output):
        return FinalActivation(before[0], exact=True)
    end = find_ending(output)
    if end.makes_logits and end.clamped != (0.0, 1.0):
        return FinalActivation("none")
    values = Values.of([output.detach(), *varied()])
    by_name = _by_name(end, values)
    if by_name is not None:
        return by_name
    return _by_values(end, values)


def check_activation(
    activation: Activation,
    output: torch.Tensor,
    before: tuple[Activation, torch.Tensor] | None,
    varied: Callable[[], Sequence[torch.Tensor]],
) -> FinalActivation:
    """What the user says that an output ends in; the arguments are as above.

    Raises:
        SegcamError: if its values cannot come from that.
    """
    if activation == "none":
        return FinalActivation("none")
    if before is not None and before[0] == activation and _gives(before[1], activation, output):
        return FinalActivation(activation, exact=True)
    values = Values.of([output.detach(), *varied()])
    fits = {
        "sigmoid": values.within(0, 1, OVERSHOOT),
        "softmax": values.within(0, 1, OVERSHOOT) and values.add_up,
        "log_sigmoid": values.high <= OVERSHOOT,
        "log_softmax": values.high <= OVERSHOOT,
        "tanh": values.within(-1, 1, OVERSHOOT),
    }
    if not fits[activation]:
        raise SegcamError(
            f"The model card says output_activation: {activation}, but the network's output, {values.in_words()}, "
            "does not come from that. Correct output_activation in the card."
        )
    return FinalActivation(activation)


@dataclass(frozen=True)
class Values:
    """The values of an output for several images.

    Attributes:
        low: the least.
        high: the greatest.
        channels: of the output.
        add_up: whether the channels of each pixel add up to 1.
        logs_add_up: whether their exponentials do.
        spread_out: whether the pixels of each channel add up to 1.
        vary: whether they are not all the same.
        whole: whether all are whole numbers.
    """

    low: float
    high: float
    channels: int
    add_up: bool
    logs_add_up: bool
    spread_out: bool
    vary: bool
    whole: bool

    @classmethod
    def of(cls, outputs: Sequence[torch.Tensor]) -> Values:
        every = [output.double() for output in outputs if output.isfinite().all()] or [outputs[0].double()]
        several = every[0].shape[1] > 1
        low, high = min(float(one.min()) for one in every), max(float(one.max()) for one in every)
        return cls(
            low,
            high,
            every[0].shape[1],
            several and all(_is_one(one.sum(1)) for one in every),
            several and high < _CLOSE and all(_is_one(one.exp().sum(1)) for one in every),
            every[0][0, 0].numel() > 1 and all(_is_one(one.sum((2, 3))) for one in every),
            high - low > _CLOSE,
            all(bool((one == one.round()).all()) for one in every),
        )

    def within(self, low: float, high: float, margin: float = _CLOSE) -> bool:
        return self.low >= low - margin and self.high <= high + margin

    def in_words(self) -> str:
        return f"from {self.low:.3g} to {self.high:.3g}"


def _by_name(end: GraphEnding, values: Values) -> FinalActivation | None:
    """What it is where the last operation has a name; None where that does not tell."""
    if end.operations in ({"Softmax"}, {"LogSoftmax"}) and values.channels == 1 and not values.vary:
        raise SegcamError(
            "The network ends in a softmax over a single channel, which is 1 everywhere. It should be a sigmoid, or "
            "two channels. To read what it is given, put the network together without it."
        )
    # Bicubic resizing overshoots a little.
    is_probability = values.within(0, 1, _CLOSE if end.scaled else OVERSHOOT)
    if end.largest and values.channels == 1 and end.operations and end.operations <= {"Softmax", "LogSoftmax"}:
        raise SegcamError(MAXIMUM_RETURNED)
    if end.operations <= {"Softmax"} and end.operations:
        if is_probability and values.spread_out and not values.add_up:
            raise SegcamError(
                "The network ends in a softmax over the pixels, not over the classes: that is no segmentation. "
                f"{_SET_IT}"
            )
        if is_probability and values.channels == 1:
            return FinalActivation("sigmoid")
        if is_probability:
            note = "sigmoid: of a softmax not all classes are returned, so each is read by itself"
            return FinalActivation("softmax") if values.add_up else FinalActivation("sigmoid", assumed=note)
        raise _changed("softmax", values)
    if end.operations <= {"Sigmoid", "Hardsigmoid"} and end.operations:
        if is_probability:  # of a background that is what the others leave, all add up to 1
            return FinalActivation("softmax" if values.add_up else "sigmoid")
        raise _changed("sigmoid", values)
    if end.operations == {"Log"} and values.high <= _LOG_MARGIN and values.vary:
        kind: Activation = "log_softmax" if values.logs_add_up else "log_sigmoid"
        return FinalActivation(kind, assumed=f"{kind}, since it ends in a logarithm and stays below 0")
    if end.operations <= {"LogSoftmax", "LogSigmoid"} and end.operations and values.high <= _CLOSE:
        return FinalActivation("log_softmax" if values.logs_add_up else "log_sigmoid")
    if end.operations == {"Tanh"} and end.scaled and is_probability and values.low < 0.05 and values.high > 0.95:
        return FinalActivation("sigmoid")
    if end.operations <= {"Tanh", "Hardtanh"} and end.operations and values.within(-1, 1) and values.low < 0:
        return FinalActivation("tanh", assumed="tanh, 0 of which is a probability of one half")
    return None


def _by_values(end: GraphEnding, values: Values) -> FinalActivation:
    """What it is where only the values tell, if they do."""
    is_bound = not end.operations <= {"Relu"} or not end.operations or end.clamped == (0.0, 1.0)
    if values.whole and values.vary:
        if not values.within(0, 1):
            raise SegcamError(
                "The network returns whole numbers alone: of classes or of gray values, not scores. Return what they "
                "are made from (before argmax or rounding)."
            )
        cut: Activation = "softmax" if values.add_up else "sigmoid"
        return FinalActivation(cut, assumed=f"{cut}: its values are 0 and 1 alone, a mask that is cut already")
    if values.within(0, 1) and values.vary and is_bound:
        activation: Activation = "softmax" if values.add_up else "sigmoid"
        reason = "its values add up to 1" if values.add_up else "its values stay between 0 and 1"
        return FinalActivation(activation, assumed=f"{activation}, since {reason}")
    if values.logs_add_up:
        return FinalActivation("log_softmax", assumed="log_softmax, since its exponentials add up to 1")
    bent = sorted(end.operations & _BENDS)
    if values.low >= 0 and values.vary and values.channels == 1 and not bent:
        doubt = (
            f"The network's output never falls below 0 on noise: it runs {values.in_words()}. It is taken for logits, "
            f"of which that is unusual. {_SET_IT}"
        )
        return FinalActivation("none", doubt=doubt)
    if bent:
        doubt = f"The network ends in {bent[0].lower()}: its output is taken for logits, which it may not be."
        return FinalActivation("none", doubt=doubt)
    return FinalActivation("none")


def _changed(title: str, values: Values) -> SegcamError:
    return SegcamError(
        f"The network ends in a {title}, but its output is no probability: it runs {values.in_words()}. {_SET_IT}"
    )


def _misleads(activation: Activation, output: torch.Tensor) -> bool:
    """Whether what an activation was given tells less than its values: one channel alone is a softmax of 1, and
    sigmoids that add up to 1 are of classes that exclude each other."""
    if activation in ("softmax", "log_softmax"):
        return output.shape[1] == 1
    return activation == "sigmoid" and output.shape[1] > 1 and _is_one(output.detach().float().sum(1))


def _gives(before: torch.Tensor, activation: Activation, output: torch.Tensor) -> bool:
    if before.shape != output.shape:
        return False
    return bool(
        torch.allclose(
            apply_activation(before.detach().float(), activation), output.detach().float(), atol=_CLOSE, equal_nan=True
        )
    )


def _is_one(values: torch.Tensor) -> bool:
    return bool((values - 1).abs().max() <= 1e-3)
