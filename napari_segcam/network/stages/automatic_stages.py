"""Find the encoder and decoder stages of any network by the sizes of its maps in a dry run.

Maps become smaller in the encoder and larger again in the decoder. Each half has one stage for every size: the output
of the last block of that size.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from torch import nn

from napari_segcam.network.keras.graph import KerasLayer
from napari_segcam.network.stages.forward_trace import ForwardTrace, trace_forward
from napari_segcam.network.stages.stage import Stage, StageKind, stage_at
from napari_segcam.network.whole_network import FunctionCall

# Large enough that the deepest maps of common networks have several pixels, unlike maps that are pooled to one.
_SIDE = 128


@dataclass(frozen=True)
class _Map:
    """A map that a layer returned.

    Attributes:
        layer: dotted name.
        order: position in the order of execution.
        level: how many times the image was halved.
        channels: of the map.
        state: equal for the same tensor in the same state, also when several layers return it.
    """

    layer: str
    order: int
    level: int
    channels: int
    state: tuple[int, int]

    def is_inside(self, container: str) -> bool:
        return self.layer.startswith(f"{container}.")


def automatic_stages(module: nn.Module, input_channels: int, size: tuple[int, int] | None = None) -> tuple[Stage, ...]:
    """Return the stages of any network whose layers return maps: ``encoder_1 …``, ``decoder_1 …`` and ``seg_head``.

    Layers that the output does not depend on, such as heads for training, are ignored.

    Args:
        module: in eval mode; it is not changed.
        input_channels: of the image.
        size: as for ``trace_forward``.

    Raises:
        SegcamError: if the network does not run.
    """
    trace = trace_forward(copy.deepcopy(module), input_channels, begin=_SIDE, trace=True, size=size)
    halves = _Halves(module, trace)
    parts: tuple[tuple[StageKind, list[_Map]], ...] = (("encoder", halves.encoder), ("decoder", halves.decoder))
    stages = [
        _stage(trace, f"{kind}_{number}", kind, feature_map)
        for kind, half in parts
        for number, feature_map in enumerate(halves.stages(half), start=1)
    ]
    return (*stages, *(_stage(trace, "seg_head", "head", feature_map) for feature_map in halves.head))


def _stage(trace: ForwardTrace, name: str, kind: StageKind, feature_map: _Map) -> Stage:
    stage = stage_at(trace, name, kind, feature_map.layer)
    # Layers without padding lose some pixels at the border, which is not a stride.
    is_exact = trace.size[1] % trace.outputs[feature_map.layer, None].shape[-1] == 0
    return stage if is_exact else replace(stage, stride=2**feature_map.level)


class _Halves:
    """The maps of a network in order of execution, split where the encoder ends."""

    def __init__(self, module: nn.Module, trace: ForwardTrace) -> None:
        self._module, self._trace = module, trace
        self._maps = [
            feature_map for feature_map in _maps(trace) if not _makes_no_map(module.get_submodule(feature_map.layer))
        ]
        self._head = self._head_order()

    @cached_property
    def _body(self) -> list[_Map]:
        """The maps before the head."""
        return [feature_map for feature_map in self._maps if feature_map.order < self._head]

    @cached_property
    def _bottom(self) -> _Map | None:
        """The first map of the smallest size."""
        deepest = max((feature_map.level for feature_map in self._body), default=0)
        return next((feature_map for feature_map in self._body if feature_map.level == deepest), None)

    @cached_property
    def _end(self) -> float:
        """The order at which the encoder ends: where the maps become larger, or after the backbone with the bottom."""
        bottom = self._bottom
        if bottom is None or not self._trace.segments:
            return math.inf
        larger = (
            feature_map.order
            for feature_map in self._body
            if feature_map.order > bottom.order and feature_map.level < bottom.level
        )
        end: float = next(larger, math.inf)
        backbone = self._backbone(bottom)
        if backbone is not None:
            orders = (feature_map.order for feature_map in self._maps if feature_map.is_inside(backbone))
            end = min(end, 1 + max(orders))
        return end

    @property
    def encoder(self) -> list[_Map]:
        return [feature_map for feature_map in self._body if feature_map.order < self._end]

    @property
    def decoder(self) -> list[_Map]:
        return [
            feature_map
            for feature_map in self._body
            if feature_map.order >= self._end
            and not self._contains_the_bottom(feature_map)
            and not self._makes_scores(feature_map)
            and not (self._bottom and feature_map.level == self._bottom.level and self._is_inner(feature_map))
        ]

    @property
    def head(self) -> list[_Map]:
        """The map of the logits; empty if the logits are not a map."""
        return [feature_map for feature_map in self._maps if feature_map.order == self._head]

    def stages(self, half: list[_Map]) -> Iterator[_Map]:
        """Yield one map for each size, in order of execution.

        A layer inside a block that changes the size is used only if there is no other of that size. Containers come
        before single layers. The last of several candidates is used.
        """
        chosen = []
        for level in {feature_map.level for feature_map in half}:
            candidates = [feature_map for feature_map in half if feature_map.level == level]
            candidates = [candidate for candidate in candidates if not self._is_inner(candidate)] or candidates
            candidates = [candidate for candidate in candidates if self._is_container(candidate)] or candidates
            chosen.append(_maker(self._without_skip(candidates[-1], half), half))
        yield from sorted(chosen, key=lambda feature_map: feature_map.order)

    def _head_order(self) -> float:
        """Return the order of the last layer with weights, which makes the scores."""
        weighted = [
            output.order
            for (layer, index), output in self._trace.outputs.items()
            if index is None and output.is_used and layer and _has_own_weights(self._module.get_submodule(layer))
        ]
        return max(weighted, default=math.inf) if self._trace.segments else math.inf

    def _backbone(self, bottom: _Map) -> str | None:
        """Return the part of the network around the bottom that makes maps smaller several times and never larger."""
        for container in _containers(bottom.layer):
            inner = [feature_map for feature_map in self._body if feature_map.is_inside(container)]
            levels = [feature_map.level for feature_map in inner]
            outside = [
                feature_map
                for feature_map in self._body
                if not feature_map.is_inside(container) and feature_map.layer != container
            ]
            later = [feature_map for feature_map in outside if feature_map.order > inner[-1].order]
            if levels == sorted(levels) and len(set(levels)) > 2 and later:
                return container
        return None

    def _contains_the_bottom(self, feature_map: _Map) -> bool:
        return self._bottom is not None and self._bottom.is_inside(feature_map.layer)

    def _makes_scores(self, feature_map: _Map) -> bool:
        """Whether a single layer returns one map for each class, as one of several heads does."""
        return feature_map.channels == self._trace.classes and _has_own_weights(
            self._module.get_submodule(feature_map.layer)
        )

    def _is_inner(self, feature_map: _Map) -> bool:
        """Whether the layer is inside a block that returns another size, and the block has no third size."""
        for container in _containers(feature_map.layer):
            container_map = next((other for other in self._maps if other.layer == container), None)
            if container_map is not None and container_map.level != feature_map.level:
                levels = {other.level for other in self._maps if other.is_inside(container)}
                if len(levels) <= 2:
                    return True
        return False

    def _is_container(self, feature_map: _Map) -> bool:
        return any(True for _ in _parts(self._module.get_submodule(feature_map.layer)))

    def _without_skip(self, feature_map: _Map, half: Iterable[_Map]) -> _Map:
        """Return the only part of a wrapper that concatenates its input with the part's output, or the map itself."""
        parts = list(_parts(self._module.get_submodule(feature_map.layer)))
        if len(parts) != 1:
            return feature_map
        part = next((other for other in half if other.layer == f"{feature_map.layer}.{parts[0]}"), None)
        if part is None or part.level != feature_map.level or part.channels >= feature_map.channels:
            return feature_map
        return self._without_skip(part, half)


def _maker(feature_map: _Map, half: list[_Map]) -> _Map:
    """Return the outermost layer around the one that made this map; layers elsewhere may only pass the map on."""
    same = [other for other in half if other.state == feature_map.state]
    containers = [other for other in same if f"{same[0].layer}.".startswith(f"{other.layer}.")]
    return min(containers, key=lambda container: len(container.layer))


def _maps(trace: ForwardTrace) -> list[_Map]:
    """Return the maps with the image's shape and more than one pixel that the output depends on; no channels-last."""
    maps = []
    for (layer, index), output in trace.outputs.items():
        if layer and index is None and output.is_map and output.is_used:
            height, width = output.shape[-2:]
            levels = [round(math.log2(pixels / side)) for pixels, side in zip(trace.size, (height, width), strict=True)]
            is_square = trace.size[0] == trace.size[1]
            has_shape_of_image = height == width if is_square else levels[0] == levels[1]
            if has_shape_of_image and 1 < width <= trace.size[1]:
                level = levels[1]
                state = output.identity, output.version
                maps.append(_Map(layer, output.order, level, output.shape[1], state))
    return sorted(maps, key=lambda feature_map: feature_map.order)


def _containers(layer: str) -> Iterator[str]:
    """Yield the names of the modules around a layer, the outermost first."""
    parts = layer.split(".")
    for length in range(1, len(parts)):
        yield ".".join(parts[:length])


def _makes_no_map(part: nn.Module) -> bool:
    """Whether a layer only passes its map on, pools it to a size that does not depend on the image's, or is none."""
    if isinstance(part, FunctionCall):
        return not _has_own_weights(part)
    return (isinstance(part, KerasLayer) and part.only_prepares) or isinstance(
        part,
        nn.Identity
        | nn.modules.dropout._DropoutNd
        | nn.modules.pooling._AdaptiveAvgPoolNd
        | nn.modules.pooling._AdaptiveMaxPoolNd,
    )


def _parts(container: nn.Module) -> Iterator[str]:
    """Yield the names of the layers in a module, without operations in its code."""
    return (name for name, child in container.named_children() if not isinstance(child, FunctionCall))


def _has_own_weights(part: nn.Module) -> bool:
    return any(True for _ in part.parameters(recurse=False))
