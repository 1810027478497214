"""The encoder of a network of segmentation-models-pytorch in an ONNX file: which values are its feature maps.

SMP's encoders return the image and one map for each time that it is halved. In a file, only those appear that the
decoder takes; the others are found by their size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from napari_segcam.network.onnx.blocks import Announcement, Branch
from napari_segcam.network.onnx.graph import Node

_PARTS = ("encoder", "decoder", "segmentation_head")
_RESNET = ("layer1", "layer2", "layer3", "layer4")
_ASPP = "aspp"  # the part of DeepLab's decoder that takes the last map
_DEEPLAB_DEPTH = 5
NO_MAP = ""
"""Stands for a feature map that the encoder does not make."""


def is_smp(tree: Branch) -> bool:
    """Return whether the network has the three parts of an SMP network."""
    return all(part in tree.parts for part in _PARTS) and not tree.parts["encoder"].is_layer


def encoder_features(
    tree: Branch,
    nodes: Sequence[Node],
    calls: Mapping[int, Sequence[Announcement]],
    widths: Mapping[str, int],
    image: str,
) -> Announcement | None:
    """Return the call of the encoder with the image and its feature maps, in SMP's order; None if it makes none.

    Args:
        tree: of an SMP network.
        nodes: of the graph.
        calls: of the blocks, as ``announcements`` returns them.
        widths: of all maps in one run, by the values' names; that of the image too. Tokens have the width of the
            square that they fill, as a negative number.
        image: name of the image.
    """
    encoder = tree.parts["encoder"]
    called = {call.layer: call.values for several in calls.values() for call in several}
    if encoder.name not in called:
        return None
    inside = encoder.all_nodes()
    made = [name for index in inside for name in nodes[index].outputs if name in widths]
    names = [name for name in made if widths[name] > 0]
    levels = {name: _level(widths[image], widths[name]) for name in names}
    depths = _depths(encoder, nodes, called)
    features = given_features(
        [name for name in called[encoder.name] if levels.get(name)],
        levels,
        is_deeplab=_ASPP in tree.parts["decoder"].parts,
    )
    order = {name: number for number, name in enumerate(names)}
    stages = _resnet_stages(encoder, called)
    if stages:
        features = {level: name for level, name in features.items() if level == 1}
        features |= {level: name for level, name in stages.items() if name in order}
        first = min(order[name] for name in stages.values() if name in order)
        names = [name for name in names if order[name] < first]
    # Dilated layers make several maps of one size, which cannot be distinguished.
    smallest = levels[features[max(features)]] if features else 0
    for level in range(1, smallest):
        if level in features:
            continue
        below = [order[features[deeper]] for deeper in features if deeper > level]
        candidates = [name for name in names if levels[name] == level and order[name] < min(below)]
        if candidates:
            outermost = min(depths[name] for name in candidates)
            features[level] = [name for name in candidates if depths[name] == outermost][-1]
    if not features:
        return None
    # An exporter may merge the last map's change from tokens to a map into the decoder.
    deepest = max(features)
    later = made[made.index(features[deepest]) + 1 :]
    if tokens := [name for name in later if _level(widths[image], -widths[name]) == deepest + 1]:
        features[deepest + 1] = tokens[-1]
    return Announcement(encoder.name, (image, *(features.get(level, NO_MAP) for level in range(1, max(features) + 1))))


def given_features(names: Sequence[str], levels: Mapping[str, int], *, is_deeplab: bool) -> dict[int, str]:
    """Return the maps that an encoder gives to the decoder, by their numbers in SMP.

    The number is that of the halvings, but a dilated layer makes a further map of the same size. DeepLab takes the
    fifth map, whatever its size.
    """
    features: dict[int, str] = {}
    number = 0
    for name in names:
        number = max(levels[name], number + 1)
        features[number] = name
    if is_deeplab and features:
        features[_DEEPLAB_DEPTH] = features.pop(number)
    return features


def _level(image_width: int, width: int) -> int:
    return round(math.log2(image_width / width)) if 1 < width < image_width else 0


def _resnet_stages(encoder: Branch, called: Mapping[str, tuple[str, ...]]) -> dict[int, str]:
    """Return the maps of a ResNet's four layers, which may be of one size; none for other encoders."""
    holder = encoder.parts.get("model", encoder)
    stages: dict[int, str] = {}
    for level, part in enumerate(_RESNET, start=2):
        layer = holder.parts.get(part)
        if layer is None or layer.name not in called:
            break
        stages[level] = called[layer.name][-1]
    return stages if len(stages) > 1 else {}


def _depths(encoder: Branch, nodes: Sequence[Node], called: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Return how deep in the encoder the outermost module is that returns each value."""
    depths: dict[str, int] = {}
    pending = [(encoder, 0)]
    while pending:
        branch, depth = pending.pop()
        for index in branch.nodes:
            for name in nodes[index].outputs:
                depths[name] = min(depths.get(name, depth + 1), depth + 1)
        for name in called.get(branch.name, ()) if depth else ():
            depths[name] = min(depths.get(name, depth), depth)
        for part in branch.parts.values():
            pending.append((part, depth + (not part.is_layer)))
    return depths
