"""Detect the final activation of networks that return probabilities instead of logits.

Masks are the thresholded sigmoid or softmax of a network's output. A second sigmoid would put every pixel above one
half. A dry run shows what a network ends in: first its calls and its graph, and if these do not decide, the values
that it returns for several quite different images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.output.activation_inverse import OVERSHOOT, Activation, apply_activation
from napari_segcam.network.output.autograd_graph import GraphEnding, find_ending

_CLOSE = 1e-4
# Networks add a little to a probability before its logarithm, to keep it finite.
_LOG_MARGIN = 1e-2
MAXIMUM_RETURNED = (
    "The network returns the maximum of the classes' scores at each pixel, not the score of each class. Return what it "
    "takes the maximum of."
)
_NONLINEAR_WORDS = """
    Relu LeakyRelu Elu Prelu PreluKernel RreluWithNoise Silu Gelu Softplus Mish Hardswish Threshold
    Hardtanh Celu Tanh
"""
_NONLINEAR = frozenset(_NONLINEAR_WORDS.split())
_TITLES: dict[Activation, str] = {
    "sigmoid": "sigmoid",
    "softmax": "softmax",
    "log_sigmoid": "log-sigmoid",
    "log_softmax": "log-softmax",
    "tanh": "tanh",
}
_SET_IT = "Set it in the card: output_activation: none, sigmoid, softmax, log_sigmoid, log_softmax or tanh."


@dataclass(frozen=True)
class FinalActivation:
    """The activation that an output ends in.

    Attributes:
        activation: its name; ``"none"`` if the output is logits.
        exact: whether the input of the activation is known.
        assumed: what is assumed and why, to show to users, if only the values decide; else empty.
        doubt: a warning for the user, in a sentence; else empty.
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
    """Detect the activation that an output ends in.

    Args:
        output: ``(1, C, H, W)``, with its graph.
        before: the recorded activation that made the output, and its input.
        varied: computes outputs for quite different images; called only if the graph does not decide.

    Raises:
        SegcamError: if the output ends in an activation, but its values are not probabilities.
    """
    is_recorded = before is not None and _reproduces(before[1], before[0], output)
    if before is not None and is_recorded and not _is_misleading(before[0], output):
        return FinalActivation(before[0], exact=True)
    end = find_ending(output)
    if end.makes_logits and end.clamped != (0.0, 1.0):
        return FinalActivation("none")
    values = OutputStatistics.of([output.detach(), *varied()])
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
    """Check the activation that the user set; the other arguments are those of ``detect_activation``.

    Raises:
        SegcamError: if the values cannot come from it.
    """
    if activation == "none":
        return FinalActivation("none")
    if before is not None and before[0] == activation and _reproduces(before[1], activation, output):
        return FinalActivation(activation, exact=True)
    values = OutputStatistics.of([output.detach(), *varied()])
    possible = {
        "sigmoid": values.within(0, 1, OVERSHOOT),
        "softmax": values.within(0, 1, OVERSHOOT) and values.add_up,
        "log_sigmoid": values.high <= OVERSHOOT,
        "log_softmax": values.high <= OVERSHOOT,
        "tanh": values.within(-1, 1, OVERSHOOT),
    }
    if not possible[activation]:
        raise SegcamError(
            f"The model card says output_activation: {activation}, but the network's output, {values.in_words()}, "
            "cannot come from that. Correct output_activation in the card."
        )
    return FinalActivation(activation)


@dataclass(frozen=True)
class OutputStatistics:
    """Statistics of an output for several images.

    Attributes:
        low: smallest value.
        high: largest value.
        channels: of the output.
        add_up: whether the channels of each pixel add up to 1.
        logs_add_up: whether the exponentials of the channels do.
        spread_out: whether the pixels of each channel add up to 1.
        vary: whether the values differ.
        whole: whether all values are integers.
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
    def of(cls, outputs: Sequence[torch.Tensor]) -> OutputStatistics:
        finite = [output.double() for output in outputs if output.isfinite().all()] or [outputs[0].double()]
        has_channels = finite[0].shape[1] > 1
        low, high = min(float(output.min()) for output in finite), max(float(output.max()) for output in finite)
        return cls(
            low,
            high,
            finite[0].shape[1],
            has_channels and all(_is_one(output.sum(1)) for output in finite),
            has_channels and high < _CLOSE and all(_is_one(output.exp().sum(1)) for output in finite),
            finite[0][0, 0].numel() > 1 and all(_is_one(output.sum((2, 3))) for output in finite),
            high - low > _CLOSE,
            all(bool((output == output.round()).all()) for output in finite),
        )

    def within(self, low: float, high: float, margin: float = _CLOSE) -> bool:
        return self.low >= low - margin and self.high <= high + margin

    def in_words(self) -> str:
        return f"from {self.low:.3g} to {self.high:.3g}"


def _by_name(end: GraphEnding, values: OutputStatistics) -> FinalActivation | None:
    """The activation by the name of the last operation; None if that does not decide."""
    if end.operations in ({"Softmax"}, {"LogSoftmax"}) and values.channels == 1 and not values.vary:
        raise SegcamError(
            "The network ends in a softmax over a single channel, which is 1 everywhere. It should be a sigmoid, or "
            "two channels. To read its input, build the network without it."
        )
    # Bicubic resizing overshoots a little.
    is_probability = values.within(0, 1, _CLOSE if end.scaled else OVERSHOOT)
    if end.largest and values.channels == 1 and end.operations and end.operations <= {"Softmax", "LogSoftmax"}:
        raise SegcamError(MAXIMUM_RETURNED)
    if end.operations <= {"Softmax"} and end.operations:
        if is_probability and values.spread_out and not values.add_up:
            raise SegcamError(
                "The network ends in a softmax over the pixels, not over the classes: that is not a segmentation. "
                f"{_SET_IT}"
            )
        if is_probability and values.channels == 1:
            return FinalActivation("sigmoid")
        if is_probability:
            note = "sigmoid: not all classes of a softmax are returned, so each is read by itself"
            return FinalActivation("softmax") if values.add_up else FinalActivation("sigmoid", assumed=note)
        raise _not_probabilities("softmax", values)
    if end.operations <= {"Sigmoid", "Hardsigmoid"} and end.operations:
        if is_probability:  # with the background as 1 minus the others, all add up to 1
            return FinalActivation("softmax" if values.add_up else "sigmoid")
        raise _not_probabilities("sigmoid", values)
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


def _by_values(end: GraphEnding, values: OutputStatistics) -> FinalActivation:
    """The activation by the values, if they decide."""
    is_bounded = not end.operations <= {"Relu"} or not end.operations or end.clamped == (0.0, 1.0)
    if values.whole and values.vary:
        if not values.within(0, 1):
            raise SegcamError(
                "The network returns only whole numbers: class indices or gray values, not scores. Return what they "
                "are computed from (before argmax or rounding)."
            )
        mask_activation: Activation = "softmax" if values.add_up else "sigmoid"
        return FinalActivation(
            mask_activation,
            assumed=f"{mask_activation}: its values are only 0 and 1, a mask that is thresholded already",
        )
    if values.within(0, 1) and values.vary and is_bounded:
        activation: Activation = "softmax" if values.add_up else "sigmoid"
        reason = "its values add up to 1" if values.add_up else "its values stay between 0 and 1"
        return FinalActivation(activation, assumed=f"{activation}, since {reason}")
    if values.logs_add_up:
        return FinalActivation("log_softmax", assumed="log_softmax, since its exponentials add up to 1")
    nonlinear = sorted(end.operations & _NONLINEAR)
    if values.low >= 0 and values.vary and values.channels == 1 and not nonlinear:
        doubt = (
            f"The network's output never falls below 0 on noise: it runs {values.in_words()}. It is read as logits, "
            f"which are rarely so. {_SET_IT}"
        )
        return FinalActivation("none", doubt=doubt)
    if nonlinear:
        doubt = f"The network ends in {nonlinear[0].lower()}: its output is read as logits, which may be wrong."
        return FinalActivation("none", doubt=doubt)
    return FinalActivation("none")


def _not_probabilities(title: str, values: OutputStatistics) -> SegcamError:
    return SegcamError(
        f"The network ends in a {title}, but its output is not a probability: it runs {values.in_words()}. {_SET_IT}"
    )


def _is_misleading(activation: Activation, output: torch.Tensor) -> bool:
    """Whether the name of an activation is misleading.

    A softmax over one channel is 1, and sigmoids that add up to 1 are of classes that exclude each other.
    """
    if activation in ("softmax", "log_softmax"):
        return output.shape[1] == 1
    return activation == "sigmoid" and output.shape[1] > 1 and _is_one(output.detach().float().sum(1))


def _reproduces(before: torch.Tensor, activation: Activation, output: torch.Tensor) -> bool:
    if before.shape != output.shape:
        return False
    return bool(
        torch.allclose(
            apply_activation(before.detach().float(), activation), output.detach().float(), atol=_CLOSE, equal_nan=True
        )
    )


def _is_one(values: torch.Tensor) -> bool:
    return bool((values - 1).abs().max() <= 1e-3)
