"""Stages: the named layers of a network whose feature maps are explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from segmentation_models_pytorch.encoders.timm_vit import TimmViTEncoder
from torch import nn

from napari_segcam.network.stages.forward_trace import ForwardTrace, LayerOutput
from napari_segcam.network.stages.layout import MAP, Layout, map_shape
from napari_segcam.network.whole_network import FunctionCall

StageKind = Literal["encoder", "decoder", "head", "layer"]


@dataclass(frozen=True)
class Stage:
    """A layer of the network whose output is explained.

    Attributes:
        name: for users, such as ``"encoder_5"``; for any other layer its dotted name.
        kind: ``"encoder"``, ``"decoder"``, ``"head"``, or ``"layer"`` if it is chosen by its dotted name.
        stride: pixels of the network's input per pixel of the map.
        channels: of the feature map.
        layer: dotted name of the module whose output is tapped.
        output: index of the output if the module returns several; otherwise None.
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


# The network's input, for methods that do not look into the network. Its stride is that of the heatmap.
INPUT = Stage(name="input", kind="layer", stride=16, channels=1, layer="")


def stage_at(trace: ForwardTrace, name: str, kind: StageKind, layer: str, output: int | None = None) -> Stage:
    """Return the stage at a layer whose output in the trace is a map."""
    layer_output = trace.outputs[layer, output]
    shape = map_shape(layer_output.shape, trace.size)
    assert shape is not None
    return Stage(
        name=name,
        kind=kind,
        stride=max(1, round(trace.size[1] / shape.width)),
        channels=shape.channels,
        layer=layer,
        output=output,
        overwritten=layer_output.overwritten,
        layout=shape.layout,
    )


def find_stages(module: nn.Module, trace: ForwardTrace, output: str = "") -> tuple[Stage, ...]:
    """Return the stages of a network with an ``encoder``, a ``decoder`` and a ``segmentation_head``, as SMP's have.

    ``encoder_1 … encoder_5`` are the encoder's outputs, ``decoder_…`` the decoder's nodes under their names, and
    ``seg_head`` the logits. A network that describes its stages has an attribute ``stage_layers``: name, kind and layer
    of each, in order of execution. They hold only if ``main_output`` is the ``output`` that is read. Other networks
    have no stages here: see ``automatic_stages``.
    """
    described = getattr(module, "stage_layers", None)
    if isinstance(described, tuple) and output == getattr(module, "main_output", ""):
        found = [(name, kind, layer, _main_output(layer, trace)) for name, kind, layer in described]
        return tuple(
            stage_at(trace, name, kind, layer, index) for name, kind, layer, (is_map, index) in found if is_map
        )
    head = trace.outputs.get(("segmentation_head", None))
    if head is None or map_shape(head.shape, trace.size) is None:
        return ()
    return (
        *_encoder_stages(module, trace),
        *_decoder_stages(module, trace),
        stage_at(trace, "seg_head", "head", "segmentation_head"),
    )


def _main_output(layer: str, trace: ForwardTrace) -> tuple[bool, int | None]:
    """Return whether a layer's output is a map, and its index if the layer returns several: it is the first then."""
    for index in (None, 0):
        output = trace.outputs.get((layer, index))
        if output is not None:
            return map_shape(output.shape, trace.size) is not None, index
    return False, None


def _encoder_stages(module: nn.Module, trace: ForwardTrace) -> Iterator[Stage]:
    encoder = getattr(module, "encoder", None)
    if isinstance(encoder, TimmViTEncoder):  # it returns lists of maps, copied from the tokens of its blocks
        layers = set(trace.layers())
        for index, block in enumerate(encoder._output_indices, start=1):
            layer = f"encoder.model.{encoder.model.feature_info[block]['module']}"
            if layer in layers:
                yield stage_at(trace, f"encoder_{index}", "encoder", layer)
        return
    features = [(index, output) for (layer, index), output in trace.outputs.items() if layer == "encoder" and index]
    for index, feature in features:
        if map_shape(feature.shape, trace.size):  # some transformers return an empty map at stride 2
            yield stage_at(trace, f"encoder_{index}", "encoder", *_source_of(feature, index, trace))


def _source_of(feature: LayerOutput, index: int, trace: ForwardTrace) -> tuple[str, int | None]:
    """Return the layer that made this tensor in this state, so that the graph can begin inside the encoder.

    The state matters: before an in-place ReLU, the batch norm returned the same tensor with other values. The order
    matters too: a later layer that only passes the tensor on (an ``nn.Identity`` in the next block) is not on every
    path from the tensor to the output.
    """
    layers = sorted(
        (output.order, layer)
        for (layer, number), output in trace.outputs.items()
        if number is None
        and layer.startswith("encoder.")
        and output.identity == feature.identity
        and output.version == feature.version
    )
    if not layers:
        return "encoder", index
    maker = layers[0][1]
    return min((layer for _, layer in layers if f"{maker}.".startswith(f"{layer}.")), key=len), None


def _decoder_stages(module: nn.Module, trace: ForwardTrace) -> Iterator[Stage]:
    decoder = getattr(module, "decoder", None)
    if not isinstance(decoder, nn.Module):
        return
    nodes = sorted(
        (trace.outputs[f"decoder.{name}", None].order, name)
        for name in _called_children(decoder, "", trace)
        if trace.outputs[f"decoder.{name}", None].is_map
    )
    for _, name in nodes:
        node_name = name.removeprefix("blocks.").replace(".", "_")
        yield stage_at(trace, f"decoder_{node_name}", "decoder", f"decoder.{name}")


def _called_children(parent: nn.Module, prefix: str, trace: ForwardTrace) -> Iterator[str]:
    """Yield the nearest descendants that ran. A container that the network only indexes does not run itself."""
    for name, child in parent.named_children():
        path = prefix + name
        if isinstance(child, nn.Identity | nn.modules.dropout._DropoutNd | FunctionCall):
            continue
        if (f"decoder.{path}", None) in trace.outputs:
            yield path
        else:
            yield from _called_children(child, f"{path}.", trace)


def main_stages(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Return the encoder stages and the last decoder node at each stride: ten stages for U-Net++."""
    last_at_stride = {stage.stride: stage for stage in stages if stage.kind == "decoder"}
    chosen = {stage.name for stage in last_at_stride.values()}
    return tuple(stage for stage in stages if stage.kind == "encoder" or stage.name in chosen)


def stage_aliases(stages: tuple[Stage, ...]) -> dict[str, str]:
    """Return the names that ``encoder_early``, ``encoder_mid``, ``encoder_last`` and ``decoder_last`` stand for."""
    encoder = [stage.name for stage in stages if stage.kind == "encoder"]
    decoder = [stage.name for stage in stages if stage.kind == "decoder"]
    aliases: dict[str, str] = {}
    if encoder:
        aliases |= {
            "encoder_early": encoder[0],
            "encoder_mid": encoder[(len(encoder) - 1) // 2],
            "encoder_last": encoder[-1],
        }
    if decoder:
        aliases["decoder_last"] = decoder[-1]
    return aliases
