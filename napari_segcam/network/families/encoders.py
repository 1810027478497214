"""Recognize which of SMP's encoders weights belong to, by their names and shapes."""

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
    """An encoder that has exactly these weights.

    Attributes:
        name: in SMP, such as ``"efficientnet-b5"``.
        in_channels: of the image.
        setup: the likeliest setup of the decoder that this encoder fits.
    """

    name: str
    in_channels: int
    setup: DecoderSetup


@dataclass(frozen=True)
class EncoderDifference:
    """Counts of the tensors in which weights differ from those of an encoder."""

    name: str
    total: int
    missing: int
    reshaped: int
    unexpected: int

    @property
    def similarity(self) -> float:
        """Share of the encoder's tensors that the weights have, 0 to 1."""
        return 1 - (self.missing + self.reshaped) / max(1, self.total)

    def __str__(self) -> str:
        return (
            f"{self.name} ({self.missing} of its {self.total} tensors are missing, {self.reshaped} have another shape, "
            f"{self.unexpected} are unexpected)"
        )


@contextmanager
def empty_weights() -> Iterator[None]:
    """Build networks in this context without values, which takes milliseconds and no memory."""
    with torch.device("meta"), _NoValues(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SMP and timm warn about names that they have changed
        yield


class _NoValues(TorchFunctionMode):
    """Skip operations that torch's ``meta`` device, where tensors have no values, runs slowly or not at all.

    Initializing is skipped, since it takes seconds in a deep transformer. Values that are given or counted stay on the
    CPU, since networks read their layout from them while they are built, such as drop rates and widths.
    """

    _given = frozenset({torch.arange, torch.linspace, torch.tensor})

    _initializing = frozenset({"normal_", "uniform_", "erfinv_", "mul_", "add_", "clamp_", "fill_", "zero_"})

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in self._given:
            kwargs.setdefault("device", "cpu")
        elif getattr(func, "__name__", "") in self._initializing and args and args[0].is_meta:
            return args[0]
        return func(*args, **kwargs)


def encoder_name(name: str) -> str:
    """Return the current name of an encoder in SMP, looked up in the tables of SMP and timm and not on the internet.

    Raises:
        SegcamError: if there is no such encoder; the message lists the closest names.
    """
    import segmentation_models_pytorch as smp
    import timm

    if name in smp.encoders.encoders:
        return name
    if smp.encoders.is_equivalent_to_timm_universal(name):  # part of SMP until 0.4
        name = name.replace("timm-mobilenetv3", "tu-tf_mobilenetv3").replace("timm-", "tu-")
    timm_name = name.removeprefix("tu-")
    # timm would download "hf-hub:…".
    if name.startswith("tu-") and ":" not in timm_name and timm.is_model(timm_name):
        return name
    names = [*smp.encoders.encoders, *(f"tu-{model}" for model in timm.list_models())]
    close = get_close_matches(name, names, n=4, cutoff=0.5) or names[:4]
    raise SegcamError(f"There is no encoder named {name!r}. Closest: {', '.join(close)}.")


def find_encoder(shapes: Shapes, setups: Sequence[DecoderSetup]) -> EncoderMatch | EncoderDifference | None:
    """Find the encoder of SMP that has exactly these weights and fits the decoder; timm's are not searched.

    Only encoders whose channels fit the decoder are built, without values and each once. If several have the same
    weights, the first in SMP's table is returned; SMP 0.6 has no such encoders.

    Args:
        shapes: of all weights of the network.
        setups: of its decoder, the likeliest first.

    Returns:
        The encoder; otherwise the differences from the closest one; None if no encoder fits the decoder.
    """
    import segmentation_models_pytorch as smp

    differences = []
    for setup in setups:
        for name, entry in smp.encoders.encoders.items():
            if not _fits(entry["params"]["out_channels"], setup):
                continue
            try:
                match = match_encoder(name, shapes, [setup])
            except SegcamError:  # this encoder cannot be built with so few stages
                continue
            if isinstance(match, EncoderMatch):
                return match
            if match is not None:
                differences.append(match)
    return max(differences, key=lambda difference: difference.similarity, default=None)


def match_encoder(
    name: str, shapes: Shapes, setups: Sequence[DecoderSetup], *, vision_transformer: bool = False
) -> EncoderMatch | EncoderDifference | None:
    """Compare the weights with one encoder of SMP or timm.

    Args:
        name: in SMP, such as ``"resnet34"`` or ``"tu-convnext_tiny"``.
        shapes: of all weights of the network.
        setups: of its decoder, the likeliest first.
        vision_transformer: build the encoder as DPT does, with a class token and all maps at one stride.

    Returns:
        As ``find_encoder``.

    Raises:
        SegcamError: if this encoder cannot be built with as many stages as the decoder needs.
    """
    difference: EncoderDifference | None = None
    first_error: SegcamError | None = None
    for setup in setups:
        try:
            expected, out_channels = encoder_shapes(name, setup.depth, vision_transformer)
        except SegcamError as error:
            first_error = first_error or error
            continue
        if _fits(out_channels, setup):
            match = _compare(name, shapes, expected, setup)
            if isinstance(match, EncoderMatch):
                return match
            difference = difference or match
    if difference is None and first_error is not None:
        raise first_error
    return difference


@cache
def encoder_shapes(name: str, depth: int, vision_transformer: bool = False) -> tuple[Shapes, tuple[int, ...]]:
    """Return the shapes of an encoder's weights for three input channels, and the channels of its stages."""
    import segmentation_models_pytorch as smp

    try:
        with empty_weights():
            if vision_transformer:
                encoder = smp.encoders.TimmViTEncoder(name.removeprefix("tu-"), pretrained=False, depth=depth)
            else:
                encoder = smp.encoders.get_encoder(name, depth=depth, weights=None)
    except Exception as error:  # SMP and timm raise many types of errors
        raise SegcamError(f"The encoder {name} cannot be used here: {error_text(error)}") from error
    return shapes_of(encoder.state_dict()), tuple(encoder.out_channels)


def shapes_of(weights: Mapping[str, torch.Tensor]) -> Shapes:
    """Return the shapes by name without batch counters, which do not matter and which some weights lack."""
    return {name: tuple(tensor.shape) for name, tensor in weights.items() if not name.endswith("num_batches_tracked")}


def _compare(name: str, shapes: Shapes, expected: Shapes, setup: DecoderSetup) -> EncoderMatch | EncoderDifference:
    encoder_weights = {
        key.removeprefix("encoder."): shape for key, shape in shapes.items() if key.startswith("encoder.")
    }
    # The names of SMP's older "timm-" encoders have no "model." in front; SMP still loads them.
    if all(key.startswith("model.") for key in expected) and not any(
        key.startswith("model.") for key in encoder_weights
    ):
        encoder_weights = {f"model.{key}": shape for key, shape in encoder_weights.items()}
    in_channels = _input_channels(encoder_weights, expected)
    if in_channels is not None:
        return EncoderMatch(name, in_channels, setup)
    return EncoderDifference(
        name,
        total=len(expected),
        missing=sum(key not in encoder_weights for key in expected),
        reshaped=sum(key in encoder_weights and encoder_weights[key] != shape for key, shape in expected.items()),
        unexpected=sum(key not in expected for key in encoder_weights),
    )


def _input_channels(shapes: Shapes, expected: Shapes) -> int | None:
    """Return the input channels with which an encoder has these weights; None if it has other weights."""
    if shapes.keys() != expected.keys():
        return None
    differing = [key for key, shape in expected.items() if shapes[key] != shape]
    if not differing:
        return 3
    # Only convolutions of the image may differ, and only in their input channels.
    channels = {shapes[key][1] if len(shapes[key]) == 4 else 0 for key in differing}
    if len(channels) != 1:
        return None
    in_channels = channels.pop()
    differ_in_channels_only = all(
        shapes[key] == (expected[key][0], in_channels, *expected[key][2:]) for key in differing
    )
    return in_channels if differ_in_channels_only and all(expected[key][1] == 3 for key in differing) else None


def _fits(out_channels: Sequence[int], setup: DecoderSetup) -> bool:
    # Stage 0 is the image, whose channels do not depend on the encoder.
    return all(
        stages[-1] < len(out_channels) and sum(out_channels[stage] for stage in stages) == channels
        for stages, channels in setup.encoder_channels.items()
        if stages != (0,)
    )
