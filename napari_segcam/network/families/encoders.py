"""Encoders: which of SMP's encoders a set of weights belongs to, told by comparing names and shapes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.families.decoders import DecoderSetup, Shapes


@dataclass(frozen=True)
class EncoderMatch:
    """An encoder that has just these weights.

    Attributes:
        name: SMP's, ``"efficientnet-b5"``.
        in_channels: of the image it takes.
        reading: of the decoder, the likeliest that this encoder fits.
    """

    name: str
    in_channels: int
    reading: DecoderSetup


@dataclass(frozen=True)
class EncoderDifference:
    """In how many tensors a set of weights differs from an encoder's."""

    name: str
    total: int
    missing: int
    reshaped: int
    unexpected: int

    @property
    def likeness(self) -> float:
        """The share of the encoder's tensors that are there, 0 to 1."""
        return 1 - (self.missing + self.reshaped) / max(1, self.total)

    def __str__(self) -> str:
        return (
            f"{self.name} ({self.missing} of its {self.total} tensors are missing, {self.reshaped} have another shape, "
            f"{self.unexpected} are unexpected)"
        )


@contextmanager
def empty_weights() -> Iterator[None]:
    """Networks built in here have shapes and no values, which takes milliseconds and no memory."""
    with torch.device("meta"), _NoValues(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SMP and timm warn of names they have since changed
        yield


class _NoValues(TorchFunctionMode):
    """Completes torch's ``meta`` device, where tensors have no values.

    Initializing them is skipped, as it takes seconds in a deep transformer. ``torch.linspace`` stays on the CPU, since
    transformers read their drop rates from it while they are built.
    """

    _initializing = frozenset({"normal_", "uniform_", "erfinv_", "mul_", "add_", "clamp_", "fill_", "zero_"})

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.linspace:
            kwargs.setdefault("device", "cpu")
        elif getattr(func, "__name__", "") in self._initializing and args and args[0].is_meta:
            return args[0]
        return func(*args, **kwargs)


def encoder_name(name: str) -> str:
    """SMP's present name of an encoder, checked against SMP's and timm's own tables and not against the network.

    Raises:
        SegcamError: if there is none; the message lists the closest names.
    """
    import segmentation_models_pytorch as smp
    import timm

    if name in smp.encoders.encoders:
        return name
    if smp.encoders.is_equivalent_to_timm_universal(name):  # SMP's own until 0.4
        name = name.replace("timm-mobilenetv3", "tu-tf_mobilenetv3").replace("timm-", "tu-")
    timm_name = name.removeprefix("tu-")
    # timm would fetch "hf-hub:…" from the network.
    if name.startswith("tu-") and ":" not in timm_name and timm.is_model(timm_name):
        return name
    known = [*smp.encoders.encoders, *(f"tu-{model}" for model in timm.list_models())]
    close = get_close_matches(name, known, n=4, cutoff=0.5) or known[:4]
    raise SegcamError(f"There is no encoder named {name!r}. Closest: {', '.join(close)}.")


def find_encoder(shapes: Shapes, readings: Sequence[DecoderSetup]) -> EncoderMatch | EncoderDifference | None:
    """The one of SMP's own encoders that has exactly these weights and fits the decoder.

    Only encoders whose channels fit the decoder are built, weightless, and each once. In SMP 0.6 no two of them have
    the same weights; were there two, the first in SMP's table would be taken.

    Args:
        shapes: of all the network's weights.
        readings: of its decoder, the likeliest first.

    Returns:
        The encoder; else how the weights differ from the closest one; None where no encoder fits the decoder.
    """
    import segmentation_models_pytorch as smp

    differences = []
    for reading in readings:
        for name, entry in smp.encoders.encoders.items():
            if not _fits(entry["params"]["out_channels"], reading):
                continue
            try:
                found = match_encoder(name, shapes, [reading])
            except SegcamError:  # this one cannot be built so shallow
                continue
            if isinstance(found, EncoderMatch):
                return found
            if found is not None:
                differences.append(found)
    return max(differences, key=lambda difference: difference.likeness, default=None)


def match_encoder(
    name: str, shapes: Shapes, readings: Sequence[DecoderSetup], *, vision_transformer: bool = False
) -> EncoderMatch | EncoderDifference | None:
    """Compare the weights with one encoder. As :func:`find_encoder`, with timm's ``tu-`` encoders too.

    Args:
        name: SMP's, ``"resnet34"`` or ``"tu-convnext_tiny"``.
        shapes: of all the network's weights.
        readings: of its decoder, the likeliest first.
        vision_transformer: built with a class token as DPT wants it, all maps at one stride.

    Raises:
        SegcamError: if this encoder cannot be built as deep as the decoder needs it.
    """
    difference: EncoderDifference | None = None
    fault: SegcamError | None = None
    for reading in readings:
        try:
            expected, out_channels = encoder_shapes(name, reading.depth, vision_transformer)
        except SegcamError as error:
            fault = fault or error
            continue
        if _fits(out_channels, reading):
            found = _compared(name, shapes, expected, reading)
            if isinstance(found, EncoderMatch):
                return found
            difference = difference or found
    if difference is None and fault is not None:
        raise fault
    return difference


@cache
def encoder_shapes(name: str, depth: int, vision_transformer: bool = False) -> tuple[Shapes, tuple[int, ...]]:
    """Shapes of an encoder's weights for three input channels, and the channels of its stages."""
    import segmentation_models_pytorch as smp

    try:
        with empty_weights():
            if vision_transformer:
                encoder = smp.encoders.TimmViTEncoder(name.removeprefix("tu-"), pretrained=False, depth=depth)
            else:
                encoder = smp.encoders.get_encoder(name, depth=depth, weights=None)
    except Exception as error:  # SMP and timm raise many kinds for what an encoder cannot do
        raise SegcamError(f"The encoder {name} cannot be used here: {error_text(error)}") from error
    return shapes_of(encoder.state_dict()), tuple(encoder.out_channels)


def shapes_of(weights: Mapping[str, torch.Tensor]) -> Shapes:
    """Shapes by name, without batch counters: converted and very old weights lack them, and they change nothing."""
    return {name: tuple(tensor.shape) for name, tensor in weights.items() if not name.endswith("num_batches_tracked")}


def _compared(name: str, shapes: Shapes, expected: Shapes, reading: DecoderSetup) -> EncoderMatch | EncoderDifference:
    given = {key.removeprefix("encoder."): shape for key, shape in shapes.items() if key.startswith("encoder.")}
    # SMP's former "timm-" encoders had no "model." before their names; SMP still loads them.
    if all(key.startswith("model.") for key in expected) and not any(key.startswith("model.") for key in given):
        given = {f"model.{key}": shape for key, shape in given.items()}
    in_channels = _input_channels(given, expected)
    if in_channels is not None:
        return EncoderMatch(name, in_channels, reading)
    return EncoderDifference(
        name,
        total=len(expected),
        missing=sum(key not in given for key in expected),
        reshaped=sum(key in given and given[key] != shape for key, shape in expected.items()),
        unexpected=sum(key not in expected for key in given),
    )


def _input_channels(given: Shapes, expected: Shapes) -> int | None:
    """The input channels with which an encoder has these weights; None if it has others."""
    if given.keys() != expected.keys():
        return None
    differing = [key for key, shape in expected.items() if given[key] != shape]
    if not differing:
        return 3
    # Only the convolutions that take the image may differ, and only in their input channels.
    channels = {given[key][1] if len(given[key]) == 4 else 0 for key in differing}
    if len(channels) != 1:
        return None
    in_channels = channels.pop()
    widened = all(given[key] == (expected[key][0], in_channels, *expected[key][2:]) for key in differing)
    return in_channels if widened and all(expected[key][1] == 3 for key in differing) else None


def _fits(out_channels: Sequence[int], reading: DecoderSetup) -> bool:
    # Stage 0 is the image, whose channels are not the encoder's to say.
    return all(
        stages[-1] < len(out_channels) and sum(out_channels[stage] for stage in stages) == channels
        for stages, channels in reading.takes.items()
        if stages != (0,)
    )
