"""A survey: one small dry run that notes what every layer of a network gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

import torch
from torch import nn

from napari_segcam.errors import SegcamError

# Sides of the dry run's square input, tried in turn: the first that the network accepts is enough.
_DRY_RUN_SIDES = (64, 128, 224, 256, 384, 512)


@dataclass(frozen=True)
class Output:
    """One tensor that a layer gave in the dry run; what is kept of it is not its values.

    Attributes:
        order: when it was given, counted from 0.
        shape: its own.
        identity: equal for the same tensor, handed on by several layers.
        version: raised by each change in place, when the layer gave it.
        overwritten: whether it was changed in place after that.
        magnitude: Euclidean norm of its values, when the layer gave it.
    """

    order: int
    shape: tuple[int, ...]
    identity: int
    version: int
    overwritten: bool
    magnitude: float

    @property
    def is_map(self) -> bool:
        return len(self.shape) == 4 and 0 not in self.shape


@dataclass(frozen=True)
class Survey:
    """What a dry run saw: every layer's last output, in order of execution.

    Attributes:
        side: of the square input that was used, pixels.
        classes: channels of the network's output.
    """

    side: int
    classes: int
    outputs: Mapping[tuple[str, int | None], Output]

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
    """Run the network once on a small image of noise, always the same, and note what every layer gives.

    Raises:
        SegcamError: if the network accepts no input of a usual size.
    """
    parameter = next(module.parameters(), torch.zeros(()))
    failure: Exception | None = None
    for side in _DRY_RUN_SIDES:
        x = torch.randn(1, input_channels, side, side, generator=torch.Generator().manual_seed(0)).to(parameter)
        try:
            return _watched_run(module, x)
        except (RuntimeError, ValueError, AssertionError, IndexError) as error:
            failure = error
    raise SegcamError(
        f"The network does not run on images with {input_channels} channels of any size from {_DRY_RUN_SIDES[0]} "
        f"to {_DRY_RUN_SIDES[-1]} pixels: {' '.join(str(failure).split())}"
    )


def _watched_run(module: nn.Module, x: torch.Tensor) -> Survey:
    # The tensors are kept until the run has ended, so that each has an identity of its own.
    given: dict[tuple[str, int | None], tuple[int, torch.Tensor, int, float]] = {}
    order = count()

    def watch(layer: str, output: object) -> None:
        several = isinstance(output, tuple | list)
        for index, tensor in enumerate(output) if several else [(None, output)]:  # type: ignore[arg-type]
            if isinstance(tensor, torch.Tensor):
                given[layer, index] = (next(order), tensor, tensor._version, float(tensor.float().norm()))

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
    outputs = {
        place: Output(number, tuple(tensor.shape), id(tensor), version, tensor._version != version, magnitude)
        for place, (number, tensor, version, magnitude) in given.items()
    }
    return Survey(side=x.shape[-1], classes=logits.shape[1], outputs=outputs)


def _described(output: object) -> str:
    if isinstance(output, torch.Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    return f"a {type(output).__name__}"
