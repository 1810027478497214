"""The channels of the image that a network takes, found by running it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.device import image_like
from napari_segcam.network.running.dry_run import dry_run

_USUAL = (3, 1, 2, 4, 5, 6)


class _Found(Exception):  # noqa: N818 - it is an answer
    """The first convolution has begun."""


@torch.no_grad()
def find_image_channels(module: nn.Module, size: tuple[int, int] | None = None) -> int:
    """How many channels a network's image has: of the likely numbers the first with which it runs.

    The likeliest is what the convolution takes that runs first, whether or not it sees each channel alone; then what
    the first convolution takes in order of definition; then 3.

    Args:
        module: in eval mode, on the CPU.
        size: as for ``dry_run``.
    """
    candidates = list(dict.fromkeys(_candidates(module)))
    for channels in candidates:
        try:
            dry_run(module, channels, module, size=size)
        except SegcamError:
            continue
        return channels
    return candidates[0]


def _candidates(module: nn.Module) -> Iterator[int]:
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    first = _first_to_run(module, convolutions)
    if first is not None:
        yield first.in_channels
    if convolutions:
        yield convolutions[0].in_channels
    # What holds its weights otherwise, as TorchScript does.
    bare = next((weights for weights in module.parameters() if weights.ndim == 4), None)
    if not convolutions and bare is not None:
        yield bare.shape[1]
    yield from _USUAL


def _first_to_run(module: nn.Module, convolutions: list[nn.Conv2d]) -> nn.Conv2d | None:
    met: list[nn.Conv2d] = []

    def meet(part: nn.Conv2d, _inputs: object) -> None:
        met.append(part)
        raise _Found

    handles = [part.register_forward_pre_hook(meet) for part in convolutions]
    parameter = image_like(module)
    try:
        with torch.no_grad():
            module(torch.zeros(1, 3, 256, 256).to(parameter))
    except (Exception, SystemExit):
        pass
    finally:
        for handle in handles:
            handle.remove()
    return met[0] if met else None
