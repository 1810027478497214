"""Stages: the named places in a network whose feature maps are explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from segmentation_models_pytorch.encoders.timm_vit import TimmViTEncoder
from torch import nn

from napari_segcam.network.stages.forward_trace import ForwardTrace, LayerOutput
from napari_segcam.network.stages.layout import MAP, Layout, map_shape

StageKind = Literal["encoder", "decoder", "head", "layer"]


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
        layout: how the output holds the map.
    """

    name: str
    kind: StageKind
    stride: int
    channels: int
    layer: str
    output: int | None = None
    overwritten: bool = False
    layout: Layout = MAP


# The network's input itself, for what is explained without looking into the network; its stride is that of the map.
INPUT = Stage(name="input", kind="layer", stride=16, channels=1, layer="")


def stage_at(seen: ForwardTrace, name: str, kind: StageKind, layer: str, output: int | None = None) -> Stage:
    """The stage at a place where the survey saw a map."""
    given = seen.outputs[layer, output]
    found = map_shape(given.shape, seen.size)
    assert found is not None
    return Stage(
        name=name,
        kind=kind,
        stride=max(1, round(seen.size[1] / found.width)),
        channels=found.channels,
        layer=layer,
        output=output,
        overwritten=given.overwritten,
        layout=found.layout,
    )


def find_stages(module: nn.Module, seen: ForwardTrace) -> tuple[Stage, ...]:
    """The stages of a network with an ``encoder``, a ``decoder`` and a ``segmentation_head``, as all SMP networks.

    ``encoder_1 … encoder_5`` are the encoder's own outputs; ``decoder_…`` the decoder's nodes under their own names;
    ``seg_head`` the logits. A network of another form has none here: see ``automatic_stages``.
    """
    if ("segmentation_head", None) not in seen.outputs:
        return ()
    return (
        *_encoder_stages(module, seen),
        *_decoder_stages(module, seen),
        stage_at(seen, "seg_head", "head", "segmentation_head"),
    )


def _encoder_stages(module: nn.Module, seen: ForwardTrace) -> Iterator[Stage]:
    encoder = getattr(module, "encoder", None)
    if isinstance(encoder, TimmViTEncoder):  # gives its maps in lists, copied from the tokens of its blocks
        layers = set(seen.layers())
        for index, block in enumerate(encoder._output_indices, start=1):
            layer = f"encoder.model.{encoder.model.feature_info[block]['module']}"
            if layer in layers:
                yield stage_at(seen, f"encoder_{index}", "encoder", layer)
        return
    features = [(index, output) for (layer, index), output in seen.outputs.items() if layer == "encoder" and index]
    for index, feature in features:
        if feature.is_map:  # some transformers give an empty map at stride 2
            yield stage_at(seen, f"encoder_{index}", "encoder", *_source_of(feature, index, seen))


def _source_of(feature: LayerOutput, index: int, seen: ForwardTrace) -> tuple[str, int | None]:
    """The layer that made this very tensor, in this very state: tapped there, the graph can begin inside the encoder.

    The state counts, since before an in-place ReLU the batch norm gave the same tensor with other values. So does who
    came first, since a layer that only hands it on (an ``nn.Identity`` in the next block) misses the ways around it.
    """
    handed_on = sorted(
        (output.order, layer)
        for (layer, number), output in seen.outputs.items()
        if number is None
        and layer.startswith("encoder.")
        and output.identity == feature.identity
        and output.version == feature.version
    )
    if not handed_on:
        return "encoder", index
    maker = handed_on[0][1]
    return min((layer for _, layer in handed_on if f"{maker}.".startswith(f"{layer}.")), key=len), None


def _decoder_stages(module: nn.Module, seen: ForwardTrace) -> Iterator[Stage]:
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
        yield stage_at(seen, f"decoder_{own_name}", "decoder", f"decoder.{name}")


def _called_children(parent: nn.Module, prefix: str, seen: ForwardTrace) -> Iterator[str]:
    """The nearest descendants that ran: a container that is only indexed does not run itself."""
    for name, child in parent.named_children():
        path = prefix + name
        if isinstance(child, nn.Identity | nn.modules.dropout._DropoutNd):
            continue
        if (f"decoder.{path}", None) in seen.outputs:
            yield path
        else:
            yield from _called_children(child, f"{path}.", seen)


def main_stages(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The encoder stages and, of the decoder, the last node at each stride: ten for U-Net++."""
    last_at_stride = {stage.stride: stage for stage in stages if stage.kind == "decoder"}
    chosen = {stage.name for stage in last_at_stride.values()}
    return tuple(stage for stage in stages if stage.kind == "encoder" or stage.name in chosen)


def stage_aliases(stages: tuple[Stage, ...]) -> dict[str, str]:
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
