"""Dry runs: run a network once on a small image of the first usual size that it accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from napari_segcam.budget import INPUT_CHANNELS, INPUT_PIXELS
from napari_segcam.errors import SegcamError, one_line
from napari_segcam.network.device import image_like
from napari_segcam.network.whole_network import WholeNetwork

Result = TypeVar("Result")

# Sides of the square input, tried in turn until the network accepts one.
_SIDES = (64, 128, 224, 256, 384, 512)


def dry_run(
    module: nn.Module,
    input_channels: int,
    run: Callable[[torch.Tensor], Result],
    *,
    begin: int = _SIDES[0],
    size: tuple[int, int] | None = None,
) -> Result:
    """Call ``run`` with a small image of fixed noise, of the first size that the network accepts.

    Args:
        module: in eval mode.
        input_channels: of the image.
        run: runs the network on the image ``(1, C, H, W)``.
        begin: first side to try, pixels; then larger ones, then smaller ones.
        size: height and width of the network's images, tried if it accepts no usual size.

    Raises:
        SegcamError: if the network accepts no input of a usual size, or ``run`` raises it.
    """
    parameter = image_like(module)
    if input_channels > INPUT_CHANNELS:
        raise SegcamError(
            f"The network takes {input_channels:,} channels, more than the {INPUT_CHANNELS:,} that are supported."
        )
    fixed_size = module.image_size if isinstance(module, WholeNetwork) else None
    if fixed_size and fixed_size[0] * fixed_size[1] > INPUT_PIXELS:
        raise SegcamError(
            f"The network takes images of {fixed_size[0]}×{fixed_size[1]} pixels only, which is too large."
        )
    failure: BaseException | None = None
    sides = sorted(_SIDES, key=lambda side: (side < begin, side))
    usual = [(side, side) for side in sides]
    for image_size in [fixed_size] if fixed_size else [*usual, *([size] if size and size not in usual else [])]:
        x = torch.randn(1, input_channels, *image_size, generator=torch.Generator().manual_seed(0)).to(parameter)
        try:
            return run(x)
        except (SegcamError, torch.OutOfMemoryError):  # of a full device, another size says nothing
            raise
        except (Exception, SystemExit) as error:  # the network's own code may raise anything
            failure = error
    raise SegcamError(
        f"The network does not run on images with {input_channels} channels of any size from {_SIDES[0]} "
        f"to {_SIDES[-1]} pixels: {failure_in_words(failure)}"
    )


def failure_in_words(failure: BaseException | None) -> str:
    """Return why a network's code failed, in one line; for common errors without their type."""
    try:
        text = one_line(failure)
    except Exception:  # the error's text may fail too
        text = ""
    is_common = isinstance(failure, RuntimeError | ValueError | AssertionError)
    return text if is_common and text else f"{type(failure).__name__} {text}".strip()
