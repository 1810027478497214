"""Dry runs: a network run once on a small image, of the first usual size that it accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from napari_segcam.budget import INPUT_CHANNELS, INPUT_PIXELS
from napari_segcam.errors import SegcamError, one_line
from napari_segcam.network.device import image_like
from napari_segcam.network.graphs.graph_network import GraphNetwork
from napari_segcam.network.keras.keras_network import KerasNetwork

Given = TypeVar("Given")

# Sides of the dry run's square input, tried in turn: the first that the network accepts is enough.
_SIDES = (64, 128, 224, 256, 384, 512)


def dry_run(
    module: nn.Module,
    input_channels: int,
    run: Callable[[torch.Tensor], Given],
    *,
    begin: int = _SIDES[0],
    size: tuple[int, int] | None = None,
) -> Given:
    """Call ``run`` with a small image of noise, always the same, of the first size that the network accepts.

    Args:
        module: in eval mode.
        input_channels: of the image.
        run: given the image ``(1, C, H, W)``; runs the network on it.
        begin: side of the image that is tried first, pixels; then larger ones, then smaller ones.
        size: of the images that the network is fed with, which is tried where it takes no usual one.

    Raises:
        SegcamError: if the network accepts no input of a usual size, or ``run`` raises it.
    """
    parameter = image_like(module)
    if input_channels > INPUT_CHANNELS:
        raise SegcamError(
            f"The network takes {input_channels:,} channels, more than the {INPUT_CHANNELS:,} it is given."
        )
    only = module.image_size if isinstance(module, GraphNetwork | KerasNetwork) else None
    if only and only[0] * only[1] > INPUT_PIXELS:
        raise SegcamError(f"The network takes images of {only[0]}×{only[1]} pixels alone, which is too large.")
    failure: BaseException | None = None
    sides = sorted(_SIDES, key=lambda side: (side < begin, side))
    usual = [(side, side) for side in sides]
    for tried in [only] if only else [*usual, *([size] if size and size not in usual else [])]:
        x = torch.randn(1, input_channels, *tried, generator=torch.Generator().manual_seed(0)).to(parameter)
        try:
            return run(x)
        except SegcamError:
            raise
        except (Exception, SystemExit) as error:  # a network's own code may raise anything
            failure = error
    raise SegcamError(
        f"The network does not run on images with {input_channels} channels of any size from {_SIDES[0]} "
        f"to {_SIDES[-1]} pixels: {failure_in_words(failure)}"
    )


def failure_in_words(failure: BaseException | None) -> str:
    """Why somebody's code failed, in one line; of a usual error its text alone."""
    try:
        text = one_line(failure)
    except Exception:  # the error's own text may fail too
        text = ""
    usual = isinstance(failure, RuntimeError | ValueError | AssertionError)
    return text if usual and text else f"{type(failure).__name__} {text}".strip()
