"""Stages: the named places in a network whose feature maps are explained, found by watching one small dry run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal

import torch
from torch import nn

from napari_segcam.errors import SegcamError

StageKind = Literal["encoder", "decoder", "head", "layer"]

# Sides of the dry run's square input, tried in turn: the first that the network accepts is enough.
_DRY_RUN_SIDES = (64, 128, 224, 256, 384, 512)


@dataclass(frozen=True)
class Stage:
    """A place in the network whose output is explained.

    Attributes:
        name: what users call it, ``"encoder_5"``; for any other layer its dotted name.
        kind: ``"encoder"``, ``"decoder"``, ``"head"``, or ``"layer"`` for one asked for by its dotted name.
        stride: pixels of the network's input per pixel of the map.
        channels: of the feature map.
        layer: dotted name of the module whose output is tapped.
        output: which output, where the module returns several; else None.
        overwritten: whether the network later changes this output in place, so that a tap must keep a copy.
    """

    name: str
    kind: StageKind
    stride: int
    channels: int
    layer: str
    output: int | None = None
    overwritten: bool = False


@dataclass(frozen=True)
class _Output:
    """One tensor that a layer gave in the dry run."""

    order: int
    tensor: torch.Tensor
    version: int

    @property
    def is_map(self) -> bool:
        return self.tensor.ndim == 4 and self.tensor.numel() > 0


@dataclass(frozen=True)
class Survey:
    """What a dry run saw: every layer's last output, in order of execution.

    Attributes:
        side: of the square input that was used, pixels.
        classes: channels of the network's output.
    """

    side: int
    classes: int
    outputs: Mapping[tuple[str, int | None], _Output]

    def stage(self, name: str, kind: StageKind, layer: str, output: int | None = None) -> Stage:
        seen = self.outputs[layer, output]
        return Stage(
            name=name,
            kind=kind,
            stride=max(1, round(self.side / seen.tensor.shape[-1])),
            channels=seen.tensor.shape[1],
            layer=layer,
            output=output,
            overwritten=seen.tensor._version != seen.version,
        )

    def layers(self) -> list[str]:
        """Dotted names of the layers that give one spatial map, in order of execution."""
        maps = [(seen.order, layer) for (layer, index), seen in self.outputs.items() if index is None and seen.is_map]
        return [layer for _, layer in sorted(maps) if layer]


def logits_of(output: object) -> torch.Tensor:
    """The segmentation logits in whatever a network returns: a tensor, the first of several, or ``"out"`` of a dict.

    Raises:
        SegcamError: if there is no ``(B, C, H, W)`` tensor in it.
    """
    if isinstance(output, Mapping):
        output = output.get("out", next(iter(output.values()), None))
    elif isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, torch.Tensor) or output.ndim != 4:
        raise SegcamError(
            "This network does not return a segmentation: a (batch, classes, height, width) tensor was expected, "
            f"but it gave {_described(output)}."
        )
    return output


def survey(module: nn.Module, input_channels: int) -> Survey:
    """Run the network once on a small black image and note what every layer gives.

    Raises:
        SegcamError: if the network accepts no input of a usual size.
    """
    parameter = next(module.parameters(), torch.zeros(()))
    failure: Exception | None = None
    for side in _DRY_RUN_SIDES:
        x = torch.zeros(1, input_channels, side, side, device=parameter.device, dtype=parameter.dtype)
        try:
            return _watched_run(module, x)
        except (RuntimeError, ValueError, AssertionError, IndexError) as error:
            failure = error
    raise SegcamError(
        f"The network does not run on images with {input_channels} channels of any size from {_DRY_RUN_SIDES[0]} "
        f"to {_DRY_RUN_SIDES[-1]} pixels: {' '.join(str(failure).split())}"
    )


def _watched_run(module: nn.Module, x: torch.Tensor) -> Survey:
    outputs: dict[tuple[str, int | None], _Output] = {}
    order = count()

    def watch(layer: str, output: object) -> None:
        several = isinstance(output, tuple | list)
        for index, tensor in enumerate(output) if several else [(None, output)]:  # type: ignore[arg-type]
            if isinstance(tensor, torch.Tensor):
                outputs[layer, index] = _Output(next(order), tensor, tensor._version)

    handles = [
        part.register_forward_hook(lambda _module, _inputs, output, layer=layer: watch(layer, output))
        for layer, part in module.named_modules()
    ]
    try:
        # no_grad and not inference_mode: the latter keeps no version counters, which show what is overwritten.
        with torch.no_grad():
            logits = logits_of(module(x))
    finally:
        for handle in handles:
            handle.remove()
    return Survey(side=x.shape[-1], classes=logits.shape[1], outputs=outputs)


def find_stages(module: nn.Module, seen: Survey) -> tuple[Stage, ...]:
    """The stages of a network with an ``encoder`` that returns a list of maps and a ``decoder``, as all SMP networks.

    ``encoder_1 … encoder_5`` are the encoder's own outputs; ``decoder_…`` the decoder's nodes under their own names;
    ``seg_head`` the logits. A network of another form has none: its layers are explained by their dotted names.
    """
    return (*_encoder_stages(seen), *_decoder_stages(module, seen), *_head_stage(seen))


def _encoder_stages(seen: Survey) -> Iterator[Stage]:
    features = [(index, output) for (layer, index), output in seen.outputs.items() if layer == "encoder" and index]
    for index, feature in features:
        if feature.is_map:  # some transformers give an empty map at stride 2
            yield seen.stage(f"encoder_{index}", "encoder", *_source_of(feature, index, seen))


def _source_of(feature: _Output, index: int, seen: Survey) -> tuple[str, int | None]:
    """The layer that made this very tensor, in this very state: tapped there, the graph can begin inside the encoder.

    The state counts, since before an in-place ReLU the batch norm gave the same tensor with other values. So does who
    came first, since a layer that only hands it on (an ``nn.Identity`` in the next block) misses the ways around it.
    """
    handed_on = sorted(
        (output.order, layer)
        for (layer, number), output in seen.outputs.items()
        if number is None
        and layer.startswith("encoder.")
        and output.tensor is feature.tensor
        and output.version == feature.version
    )
    if not handed_on:
        return "encoder", index
    maker = handed_on[0][1]
    return min((layer for _, layer in handed_on if f"{maker}.".startswith(f"{layer}.")), key=len), None


def _decoder_stages(module: nn.Module, seen: Survey) -> Iterator[Stage]:
    decoder = getattr(module, "decoder", None)
    if not isinstance(decoder, nn.Module):
        return
    nodes = sorted(
        (seen.outputs[f"decoder.{name}", None].order, name)
        for name in _called_children(decoder, "", seen)
        if seen.outputs[f"decoder.{name}", None].is_map
    )
    for _, name in nodes:
        own_name = name.removeprefix("blocks.").replace(".", "_")
        yield seen.stage(f"decoder_{own_name}", "decoder", f"decoder.{name}")


def _called_children(parent: nn.Module, prefix: str, seen: Survey) -> Iterator[str]:
    """The nearest descendants that ran: a container that is only indexed does not run itself."""
    for name, child in parent.named_children():
        path = prefix + name
        if isinstance(child, nn.Identity | nn.modules.dropout._DropoutNd):
            continue
        if (f"decoder.{path}", None) in seen.outputs:
            yield path
        else:
            yield from _called_children(child, f"{path}.", seen)


def _head_stage(seen: Survey) -> Iterator[Stage]:
    if ("segmentation_head", None) in seen.outputs:
        yield seen.stage("seg_head", "head", "segmentation_head")


def main_stages(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The encoder stages and, of the decoder, the last node at each stride: ten for U-Net++."""
    last_at_stride = {stage.stride: stage for stage in stages if stage.kind == "decoder"}
    chosen = {stage.name for stage in last_at_stride.values()}
    return tuple(stage for stage in stages if stage.kind == "encoder" or stage.name in chosen)


def aliases(stages: tuple[Stage, ...]) -> dict[str, str]:
    """``encoder_early``, ``encoder_mid``, ``encoder_last``, ``decoder_last`` → the names they stand for."""
    encoder = [stage.name for stage in stages if stage.kind == "encoder"]
    decoder = [stage.name for stage in stages if stage.kind == "decoder"]
    named: dict[str, str] = {}
    if encoder:
        named |= {
            "encoder_early": encoder[0],
            "encoder_mid": encoder[(len(encoder) - 1) // 2],
            "encoder_last": encoder[-1],
        }
    if decoder:
        named["decoder_last"] = decoder[-1]
    return named


def _described(output: object) -> str:
    if isinstance(output, torch.Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    return f"a {type(output).__name__}"
