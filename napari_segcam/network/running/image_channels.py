"""Find how many channels a network's image has, by running it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.device import image_like
from napari_segcam.network.running.dry_run import dry_run

_USUAL = (3, 1, 2, 4, 5, 6)


class _FirstConvolutionRuns(Exception):  # noqa: N818 - not an error
    """The first convolution begins to run."""


@torch.no_grad()
def find_image_channels(module: nn.Module, size: tuple[int, int] | None = None) -> int:
    """Return the number of channels of a network's image: the first likely number with which it runs.

    First comes the number of channels of the convolution that runs first, whether or not it is depthwise; then that of
    the convolution that is defined first; then 3.

    Args:
        module: in eval mode, on the CPU.
        size: as for ``dry_run``.
    """
    likely = list(dict.fromkeys(_candidates(module)))
    for channels in likely:
        try:
            dry_run(module, channels, module, size=size)
        except SegcamError:
            continue
        return channels
    return likely[0]


def _candidates(module: nn.Module) -> Iterator[int]:
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    first = _first_to_run(module, convolutions)
    if first is not None:
        yield first.in_channels
    if convolutions:
        yield convolutions[0].in_channels
    # TorchScript, for example, has weights but no layers.
    weights_without_layer = next((weights for weights in module.parameters() if weights.ndim == 4), None)
    if not convolutions and weights_without_layer is not None:
        yield weights_without_layer.shape[1]
    yield from _USUAL


def _first_to_run(module: nn.Module, convolutions: list[nn.Conv2d]) -> nn.Conv2d | None:
    reached: list[nn.Conv2d] = []

    def stop(part: nn.Conv2d, _inputs: object) -> None:
        reached.append(part)
        raise _FirstConvolutionRuns

    handles = [part.register_forward_pre_hook(stop) for part in convolutions]
    parameter = image_like(module)
    try:
        with torch.no_grad():
            module(torch.zeros(1, 3, 256, 256).to(parameter))
    except (Exception, SystemExit):
        pass
    finally:
        for handle in handles:
            handle.remove()
    return reached[0] if reached else None
