"""Trace a network: record the outputs of every layer in one small dry run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
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
    """Description of one tensor that a layer returned in the dry run, without its values.

    Attributes:
        order: position in the order of execution, from 0.
        shape: of the tensor.
        identity: equal for the same tensor, also when several layers return it.
        version: count of changes in place until the layer returned it.
        overwritten: whether it was changed in place after that.
        magnitude: Euclidean norm of its values when the layer returned it.
        is_used: whether the network's output depends on it; True if that was not traced.
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
    """The last output of every layer in a dry run.

    Attributes:
        size: of the input that was used, height and width in pixels.
        classes: channels of the network's output.
        segments: whether that output is a map; otherwise it is one score per class for the image.
        outputs: by dotted name of the layer and, if it returned several, index.
    """

    size: tuple[int, int]
    classes: int
    segments: bool
    outputs: Mapping[tuple[str, int | None], LayerOutput]

    @cached_property
    def values_per_pixel(self) -> float:
        """How many values all layers return together, for each pixel of the input."""
        return sum(math.prod(output.shape) for output in self.outputs.values()) / math.prod(self.size)

    def layers(self) -> list[str]:
        """Return the dotted names of the layers that return one map in any layout, in order of execution."""
        maps = [
            (output.order, layer)
            for (layer, index), output in self.outputs.items()
            if index is None and map_shape(output.shape, self.size) is not None
        ]
        return [layer for _, layer in sorted(maps) if layer]


def logits_of(output: torch.Tensor) -> torch.Tensor:
    """Return logits ``(B, C, H, W)`` from a network's output; class scores ``(B, C)`` become maps of one pixel.

    Args:
        output: of a module. After ``read_output`` every module returns one of the two.

    Raises:
        SegcamError: if it is neither.
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
    """Run the network once on a small image of fixed noise, and record what every layer returns.

    Args:
        module: in eval mode.
        input_channels: of the image.
        begin: side in pixels of the image that is tried first. Larger ones follow, then smaller ones.
        trace: find out which layers' outputs the network's output depends on. The module may keep tensors of this
            run that cannot be copied, so pass a copy of the network.
        size: of the images that the network gets, tried if it accepts none of the common sizes.

    Raises:
        SegcamError: if the network accepts no input of a common size.
    """

    def run(x: torch.Tensor) -> ForwardTrace:
        return _traced_run(module, x.requires_grad_(trace))

    return dry_run(module, input_channels, run, begin=begin, size=size)


def _traced_run(module: nn.Module, x: torch.Tensor) -> ForwardTrace:
    # The tensors are kept until the run has ended, so that no two of them share an id.
    recorded: dict[tuple[str, int | None], _RecordedTensor] = {}
    order = count()

    def record_output(layer: str, output: object) -> None:
        is_sequence = isinstance(output, tuple | list)
        for index, tensor in enumerate(output) if is_sequence else [(None, output)]:  # type: ignore[arg-type]
            if isinstance(tensor, torch.Tensor):
                magnitude = float(tensor.detach().float().norm())
                recorded[layer, index] = _RecordedTensor(
                    next(order), tensor, tensor._version, magnitude, tensor.grad_fn
                )

    handles = [
        part.register_forward_hook(lambda _module, _inputs, output, layer=layer: record_output(layer, output))
        for layer, part in module.named_modules()
        if not isinstance(part, torch.jit.ScriptModule)  # script modules refuse hooks
    ]
    try:
        # Not inference_mode: it keeps no version counters, which show what is overwritten. The image is copied, since
        # a leaf of a graph cannot be changed in place.
        with torch.set_grad_enabled(x.requires_grad):
            logits = logits_of(module(x.clone()))
    finally:
        for handle in handles:
            handle.remove()
    used = ancestors([logits.grad_fn])
    outputs = {
        layer_and_index: LayerOutput(
            order=record.order,
            shape=tuple(record.tensor.shape),
            identity=id(record.tensor),
            version=record.version,
            overwritten=record.tensor._version != record.version,
            magnitude=record.magnitude,
            is_used=not used or record.step in used,
        )
        for layer_and_index, record in recorded.items()
    }
    return ForwardTrace((x.shape[-2], x.shape[-1]), logits.shape[1], logits.shape[-2:] != (1, 1), outputs)


@dataclass(frozen=True, eq=False)
class _RecordedTensor:
    """A tensor as a layer returned it. A later change in place makes it the result of a later step of the graph."""

    order: int
    tensor: torch.Tensor
    version: int
    magnitude: float
    step: Any
