"""The rule that says whether an image runs in tiles.

It looks at the network, the size of the image and the user's memory budget only, not at the memory that happens to be
free, the method or the stages: the same image gives the same mask every time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from napari_segcam.budget import PASS_BYTES
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.tiles.layout import TileLayout
from napari_segcam.network.network import Network
from napari_segcam.preferences.memory import within_budget

_BY_MEMORY_SIDE, _BY_MEMORY_OVERLAP = 1024, 0.25
_ASSUMED_BYTES = 1000  # for each pixel, of a network whose layers cannot be seen
_FEWEST_LAYERS = 3

_bytes_per_pixel: WeakKeyDictionary[nn.Module, float] = WeakKeyDictionary()


def tiles_for(network: Network, input_shape: tuple[int, int]) -> TileLayout | None:
    """Return the tiles in which an input of this shape runs; None if it runs whole.

    They are those of the model card. Without tiles there, an image runs in tiles if the network's feature maps of the
    whole image would take more than ``budget.PASS_BYTES``, or than the user's memory budget.

    Raises:
        SegcamError: if there would be too many tiles, or the network has one score for the whole image.
    """
    size = network.card.size
    if size.rule == "tiles" and size.fixed is not None:
        if not network.segments:
            raise SegcamError(
                "The model card asks for tiles, but this network has one score for the whole image. Give the card "
                "another size rule."
            )
        if input_shape == size.fixed:
            return None
        reason = "the model card asks for it"
        return TileLayout(input_shape, size.fixed, size.tile_overlap, reason, is_exact=not looks_at_all(network))
    pixels, limit = math.prod(input_shape), within_budget(PASS_BYTES)
    if not network.segments or size.fixed is not None or pixels * most_bytes_per_pixel(network) <= limit:
        return None
    if pixels * bytes_per_pixel(network) <= limit:
        return None
    side = math.ceil(_BY_MEMORY_SIDE / network.stride) * network.stride
    while side > 2 * network.stride and side**2 * bytes_per_pixel(network) > limit / 3:
        side = math.ceil(side / 2 / network.stride) * network.stride
    tile = (min(side, input_shape[0]), min(side, input_shape[1]))
    if tile == input_shape:
        return None
    needed = pixels * bytes_per_pixel(network) / 2**30
    return TileLayout(
        input_shape,
        tile,
        _BY_MEMORY_OVERLAP,
        f"the whole image would take about {needed:.0f} GB, and more than {limit / 2**30:.3g} GB are not used",
        is_exact=not looks_at_all(network),
        smallest_weight=0.0,
        even_grid=network.stride,
    )


def parts_of(network: Network, x: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield what the network sees of an input ``(1, C, H, W)`` at a time: its tiles, or the whole of it."""
    tiles = tiles_for(network, (x.shape[-2], x.shape[-1]))
    if tiles is None:
        yield x
    else:
        for tile in tiles:
            yield x[(..., *tiles.window(tile))]


def looks_at_all(network: Network) -> bool:
    """Return whether layers of a network look at all of its input: they return one value, or tokens, for all of it.

    A network whose layers cannot be seen is taken for one.
    """
    smallest = min(network.trace.size) // network.stride
    shapes = [output.shape for output in network.trace.outputs.values() if output.is_used]
    pools = any(len(shape) == 4 and shape[-2:] == (1, 1) for shape in shapes) and smallest > 1
    return bool(network.no_hooks_reason) or pools or any(len(shape) == 3 for shape in shapes)


def most_bytes_per_pixel(network: Network) -> float:
    """Return more than ``bytes_per_pixel``, without a run: all that the layers of the plain module return."""
    return max(network.trace.values_per_pixel * network.dtype.itemsize, _ASSUMED_BYTES)


def bytes_per_pixel(network: Network) -> float:
    """Return the bytes of all feature maps of a network for each pixel of its input, from one run on a small input.

    They are the outputs of the layers of the module that runs: about what it keeps for a backward pass.
    """
    module = network.form.module
    if module not in _bytes_per_pixel:
        _bytes_per_pixel[module] = _ASSUMED_BYTES if network.no_hooks_reason else _measured(network, module)
    return _bytes_per_pixel[module]


@torch.no_grad()
def _measured(network: Network, module: nn.Module) -> float:
    sizes: list[int] = []

    def add_size(_layer: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            sizes.append(output.nbytes)

    layers = [layer for layer in module.modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(add_size) for layer in layers]
    x = torch.zeros(1, network.card.input_channels, *network.trace.size, dtype=network.dtype, device=network.device)
    try:
        module(x)
    finally:
        for handle in handles:
            handle.remove()
    measured = sum(sizes) / math.prod(network.trace.size)
    return measured if len(sizes) >= _FEWEST_LAYERS else max(measured, _ASSUMED_BYTES)
