"""Trace a network: record the outputs of every layer in one small dry run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.output.autograd_graph import ancestors
from napari_segcam.network.running.dry_run import dry_run
from napari_segcam.network.stages.layout import map_shape


@dataclass(frozen=True)
class LayerOutput:
    """One tensor that a layer gave in the dry run; what is kept of it is not its values.

    Attributes:
        order: when it was given, counted from 0.
        shape: its own.
        identity: equal for the same tensor, handed on by several layers.
        version: raised by each change in place, when the layer gave it.
        overwritten: whether it was changed in place after that.
        magnitude: Euclidean norm of its values, when the layer gave it.
        is_used: whether the network's output depends on it; True where that was not looked into.
    """

    order: int
    shape: tuple[int, ...]
    identity: int
    version: int
    overwritten: bool
    magnitude: float
    is_used: bool = True

    @property
    def is_map(self) -> bool:
        return len(self.shape) == 4 and 0 not in self.shape


@dataclass(frozen=True)
class ForwardTrace:
    """Last output of every layer in a dry run, in order of execution.

    Attributes:
        size: of the input that was used, height and width in pixels.
        classes: channels of the network's output.
        segments: whether that is a map; else it is one score per class for the whole image.
    """

    size: tuple[int, int]
    classes: int
    segments: bool
    outputs: Mapping[tuple[str, int | None], LayerOutput]

    def layers(self) -> list[str]:
        """Dotted names of the layers that give one spatial map, in whatever layout, in order of execution."""
        maps = [
            (seen.order, layer)
            for (layer, index), seen in self.outputs.items()
            if index is None and map_shape(seen.shape, self.size) is not None
        ]
        return [layer for _, layer in sorted(maps) if layer]


def logits_of(output: torch.Tensor) -> torch.Tensor:
    """The logits ``(B, C, H, W)`` that a network gave; the scores ``(B, C)`` of classes as maps of a single pixel.

    Args:
        output: of a module that returns one of these, as each does for which ``read_output`` has been called.

    Raises:
        SegcamError: if it is something else.
    """
    if isinstance(output, torch.Tensor) and output.ndim == 2:
        return output[:, :, None, None]
    if not isinstance(output, torch.Tensor) or output.ndim != 4:
        raise SegcamError("This network's output is not read yet: make a Network of it (Network.from_module).")
    return output


def trace_forward(
    module: nn.Module,
    input_channels: int,
    *,
    begin: int = 64,
    trace: bool = False,
    size: tuple[int, int] | None = None,
) -> ForwardTrace:
    """Run the network once on a small image of noise, always the same, and note what every layer gives.

    Args:
        module: in eval mode.
        input_channels: of the image.
        begin: side of the image that is tried first, pixels; then larger ones, then smaller ones.
        trace: look into which outputs the network's own output depends on. The module may hold on to tensors of this
            run that cannot be copied: it should be a copy itself.
        size: of the images that the network is fed with, which is tried where it takes no usual one.

    Raises:
        SegcamError: if the network accepts no input of a usual size.
    """

    def watched(x: torch.Tensor) -> ForwardTrace:
        return _watched_run(module, x.requires_grad_(trace))

    return dry_run(module, input_channels, watched, begin=begin, size=size)


def _watched_run(module: nn.Module, x: torch.Tensor) -> ForwardTrace:
    # The tensors are kept until the run has ended, so that each has an identity of its own.
    given: dict[tuple[str, int | None], _Given] = {}
    order = count()

    def watch(layer: str, output: object) -> None:
        several = isinstance(output, tuple | list)
        for index, tensor in enumerate(output) if several else [(None, output)]:  # type: ignore[arg-type]
            if isinstance(tensor, torch.Tensor):
                magnitude = float(tensor.detach().float().norm())
                given[layer, index] = _Given(next(order), tensor, tensor._version, magnitude, tensor.grad_fn)

    handles = [
        part.register_forward_hook(lambda _module, _inputs, output, layer=layer: watch(layer, output))
        for layer, part in module.named_modules()
        if not isinstance(part, torch.jit.ScriptModule)  # which refuse hooks
    ]
    try:
        # Without a graph no_grad and not inference_mode: the latter keeps no version counters, which show what is
        # overwritten. With one the image is a copy, since a leaf of the graph cannot be changed in place.
        with torch.set_grad_enabled(x.requires_grad):
            logits = logits_of(module(x.clone()))
    finally:
        for handle in handles:
            handle.remove()
    used = ancestors([logits.grad_fn])
    outputs = {
        place: LayerOutput(
            order=one.order,
            shape=tuple(one.tensor.shape),
            identity=id(one.tensor),
            version=one.version,
            overwritten=one.tensor._version != one.version,
            magnitude=one.magnitude,
            is_used=not used or one.step in used,
        )
        for place, one in given.items()
    }
    return ForwardTrace((x.shape[-2], x.shape[-1]), logits.shape[1], logits.shape[-2:] != (1, 1), outputs)


@dataclass(frozen=True, eq=False)
class _Given:
    """A tensor as a layer gave it: it may be changed in place afterwards, and then belongs to a later step."""

    order: int
    tensor: torch.Tensor
    version: int
    magnitude: float
    step: Any
