"""Automatic stages: the encoder and the decoder of any network, found in a dry run by the sizes of its maps.

Maps become smaller through the encoder, and larger again through the decoder. Of each half one stage stands for every
size: the last block's output.
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

# So large that the deepest maps of usual networks still have several pixels, unlike what is pooled to one.
_SIDE = 128


@dataclass(frozen=True)
class _Map:
    """A square map that a layer gave.

    Attributes:
        layer: dotted name.
        order: when it was given.
        level: how often the image was halved for it.
        channels: of the map.
        state: equal for the same tensor in the same state, handed on by several layers.
    """

    layer: str
    order: int
    level: int
    channels: int
    state: tuple[int, int]

    def lies_in(self, container: str) -> bool:
        return self.layer.startswith(f"{container}.")


def automatic_stages(module: nn.Module, input_channels: int, size: tuple[int, int] | None = None) -> tuple[Stage, ...]:
    """The stages of any network whose layers give maps, ``encoder_1 …``, ``decoder_1 …`` and ``seg_head``.

    Only what the output depends on counts, so that heads for training have no part in it.

    Args:
        module: in eval mode; it is not changed.
        input_channels: of the image.
        size: as for ``trace_forward``.

    Raises:
        SegcamError: if the network does not run.
    """
    seen = trace_forward(copy.deepcopy(module), input_channels, begin=_SIDE, trace=True, size=size)
    halves = _Halves(module, seen)
    parts: tuple[tuple[StageKind, list[_Map]], ...] = (("encoder", halves.encoder), ("decoder", halves.decoder))
    stages = [
        _stage(seen, f"{kind}_{number}", kind, found)
        for kind, half in parts
        for number, found in enumerate(halves.stages(half), start=1)
    ]
    return (*stages, *(_stage(seen, "seg_head", "head", found) for found in halves.head))


def _stage(seen: ForwardTrace, name: str, kind: StageKind, found: _Map) -> Stage:
    stage = stage_at(seen, name, kind, found.layer)
    # Layers without padding lose some pixels on the way, which is no stride.
    exact = seen.size[1] % seen.outputs[found.layer, None].shape[-1] == 0
    return stage if exact else replace(stage, stride=2**found.level)


class _Halves:
    """The maps of a network in order of execution, cut where the encoder ends."""

    def __init__(self, module: nn.Module, seen: ForwardTrace) -> None:
        self._module, self._seen = module, seen
        self._maps = [found for found in _maps(seen) if not _makes_no_map(module.get_submodule(found.layer))]
        self._head = self._head_order()

    @cached_property
    def _body(self) -> list[_Map]:
        """The maps before the head."""
        return [found for found in self._maps if found.order < self._head]

    @cached_property
    def _bottom(self) -> _Map | None:
        """The first map of the smallest size."""
        deepest = max((found.level for found in self._body), default=0)
        return next((found for found in self._body if found.level == deepest), None)

    @cached_property
    def _end(self) -> float:
        """When the encoder has ended: where the maps become larger, or with the backbone that holds the bottom."""
        bottom = self._bottom
        if bottom is None or not self._seen.segments:
            return math.inf
        larger = (found.order for found in self._body if found.order > bottom.order and found.level < bottom.level)
        end: float = next(larger, math.inf)
        backbone = self._backbone(bottom)
        if backbone is not None:
            end = min(end, 1 + max(found.order for found in self._maps if found.lies_in(backbone)))
        return end

    @property
    def encoder(self) -> list[_Map]:
        return [found for found in self._body if found.order < self._end]

    @property
    def decoder(self) -> list[_Map]:
        return [
            found
            for found in self._body
            if found.order >= self._end
            and not self._holds_the_bottom(found)
            and not self._makes_scores(found)
            and not (self._bottom and found.level == self._bottom.level and self._is_inner(found))
        ]

    @property
    def head(self) -> list[_Map]:
        """The layer that gives the logits, where they are a map."""
        return [found for found in self._maps if found.order == self._head]

    def stages(self, half: list[_Map]) -> Iterator[_Map]:
        """One map for each size, in order of execution.

        What lies inside a block that changes the size belongs to that block and is taken only where there is nothing
        else; containers go before single layers, and of several what was given last.
        """
        chosen = []
        for level in {found.level for found in half}:
            candidates = [found for found in half if found.level == level]
            candidates = [found for found in candidates if not self._is_inner(found)] or candidates
            candidates = [found for found in candidates if self._is_container(found)] or candidates
            chosen.append(_maker(self._without_skip(candidates[-1], half), half))
        yield from sorted(chosen, key=lambda found: found.order)

    def _head_order(self) -> float:
        """When the last layer with weights gives its output: it makes the scores."""
        weighted = [
            output.order
            for (layer, index), output in self._seen.outputs.items()
            if index is None and output.is_used and layer and _has_own_weights(self._module.get_submodule(layer))
        ]
        return max(weighted, default=math.inf) if self._seen.segments else math.inf

    def _backbone(self, bottom: _Map) -> str | None:
        """The network's own part that makes the maps smaller several times and never larger again."""
        for container in _containers(bottom.layer):
            inner = [found for found in self._body if found.lies_in(container)]
            levels = [found.level for found in inner]
            outside = [found for found in self._body if not found.lies_in(container) and found.layer != container]
            later = [found for found in outside if found.order > inner[-1].order]
            if levels == sorted(levels) and len(set(levels)) > 2 and later:
                return container
        return None

    def _holds_the_bottom(self, found: _Map) -> bool:
        return self._bottom is not None and self._bottom.lies_in(found.layer)

    def _makes_scores(self, found: _Map) -> bool:
        """Whether it is a bare layer that gives one map for each class: one of several heads."""
        return found.channels == self._seen.classes and _has_own_weights(self._module.get_submodule(found.layer))

    def _is_inner(self, found: _Map) -> bool:
        """Whether it lies in a block that makes maps of another size out of this one's, and of no third."""
        for container in _containers(found.layer):
            own = next((other for other in self._maps if other.layer == container), None)
            if own is not None and own.level != found.level:
                levels = {other.level for other in self._maps if other.lies_in(container)}
                if len(levels) <= 2:
                    return True
        return False

    def _is_container(self, found: _Map) -> bool:
        return any(True for _ in self._module.get_submodule(found.layer).children())

    def _without_skip(self, found: _Map, half: Iterable[_Map]) -> _Map:
        """For a wrapper that joins its input to what its only part gives, that part: the input was seen before."""
        parts = [name for name, _ in self._module.get_submodule(found.layer).named_children()]
        if len(parts) != 1:
            return found
        part = next((other for other in half if other.layer == f"{found.layer}.{parts[0]}"), None)
        if part is None or part.level != found.level or part.channels >= found.channels:
            return found
        return self._without_skip(part, half)


def _maker(found: _Map, half: list[_Map]) -> _Map:
    """The layer that made this map, with what it lies in, and not one elsewhere that only hands it on."""
    same = [other for other in half if other.state == found.state]
    holding = [other for other in same if f"{same[0].layer}.".startswith(f"{other.layer}.")]
    return min(holding, key=lambda other: len(other.layer))


def _maps(seen: ForwardTrace) -> list[_Map]:
    """The maps of the image's shape, of more than one pixel, that the output depends on; none with channels last."""
    found = []
    for (layer, index), output in seen.outputs.items():
        if layer and index is None and output.is_map and output.is_used:
            height, width = output.shape[-2:]
            levels = [round(math.log2(whole / side)) for whole, side in zip(seen.size, (height, width), strict=True)]
            is_square = seen.size[0] == seen.size[1]
            fits = height == width if is_square else levels[0] == levels[1]
            if fits and 1 < width <= seen.size[1]:
                level = levels[1]
                state = output.identity, output.version
                found.append(_Map(layer, output.order, level, output.shape[1], state))
    return sorted(found, key=lambda one: one.order)


def _containers(layer: str) -> Iterator[str]:
    """Names of what a layer lies in, from the outermost inwards."""
    parts = layer.split(".")
    for length in range(1, len(parts)):
        yield ".".join(parts[:length])


def _makes_no_map(part: nn.Module) -> bool:
    """Whether a layer only hands its map on, or brings it to a size that has nothing to do with the image's."""
    return (isinstance(part, KerasLayer) and part.only_prepares) or isinstance(
        part,
        nn.Identity
        | nn.modules.dropout._DropoutNd
        | nn.modules.pooling._AdaptiveAvgPoolNd
        | nn.modules.pooling._AdaptiveMaxPoolNd,
    )


def _has_own_weights(part: nn.Module) -> bool:
    return any(True for _ in part.parameters(recurse=False))
