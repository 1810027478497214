"""Check that a network returns the same result for an image each time, alone and in a batch.

Some networks still behave as in training: a batch norm without running statistics mixes the images of a batch, and
dropout that stays on gives another mask each time. Their output shows it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from napari_segcam.network.device import image_like
from napari_segcam.network.running.dry_run import dry_run
from napari_segcam.network.stages.forward_trace import logits_of

# Share of the largest logit. Rounding differences between batch sizes are smaller, also on GPUs and in float32.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Repeatability:
    """Result of the check.

    Attributes:
        one_frame_at_a_time: whether frames must run one by one, because frames in a batch change each other's results.
        warnings: for the user.
    """

    one_frame_at_a_time: bool = False
    warnings: tuple[str, ...] = ()


def check_repeatability(
    module: nn.Module, input_channels: int, size: tuple[int, int], *, is_random: bool
) -> Repeatability:
    """Run a network on one image twice, and then on two images together, and compare the results.

    Args:
        module: frozen and in eval mode.
        input_channels: channels of the image.
        size: height and width of an image that the network accepts, in pixels.
        is_random: the result of ``fix_random_numbers``.
    """
    images = torch.randn(2, input_channels, *size, generator=torch.Generator().manual_seed(1))
    images[1] = images[1] / 4 + 1.5  # brighter and flatter, so that mixed statistics show
    images = images.to(image_like(module))
    alone, again = (_logits(module, images[:1]) for _ in range(2))
    warnings: list[str] = []
    if not _agree(alone, again):
        warnings.append(
            "The network returns another result for the same image each time. None of its masks, heatmaps or figures "
            "can be reproduced."
        )
    elif is_random:
        warnings.append(
            f"The network draws random numbers in each run{_in_parentheses(_dropouts(module))} and may return another "
            "mask each time. Here it draws the same numbers each time: the results shown are one possibility of many."
        )
    if warnings:
        return Repeatability(one_frame_at_a_time=True, warnings=tuple(warnings))
    try:
        together = _logits(module, images)[:1]
    except Exception:  # the network takes only one image at a time
        return Repeatability(one_frame_at_a_time=True)
    if _agree(alone, together):
        return Repeatability()
    warnings.append(
        f"The images of a batch change each other's results{_in_parentheses(_batch_norms(module))}. Frames are run one "
        "by one, although the network was trained on batches: its masks may be worse than in training."
    )
    return Repeatability(one_frame_at_a_time=True, warnings=tuple(warnings))


def fix_random_numbers(module: nn.Module, input_channels: int, size: tuple[int, int] | None = None) -> bool:
    """Find out whether a network draws torch's random numbers. If so, make it draw the same ones in each run.

    The random numbers of other code do not change. Copies of the module behave in the same way.

    Args:
        module: in eval mode, on the CPU.
        input_channels: channels of the image.
        size: as for ``dry_run``.

    Returns:
        Whether the network draws random numbers.

    Raises:
        SegcamError: as ``dry_run``.
    """
    if _before_run in module._forward_pre_hooks.values():
        return True

    @torch.no_grad()
    def draws_random_numbers(image: torch.Tensor) -> bool:
        state = torch.get_rng_state()
        module(image)
        return not torch.equal(state, torch.get_rng_state())

    with torch.random.fork_rng(devices=[]):
        is_random = dry_run(module, input_channels, draws_random_numbers, size=size)
    if is_random:
        module.register_forward_pre_hook(_before_run, prepend=True)
        module.register_forward_hook(_after_run, always_call=True)
    return is_random


class _SavedStates(threading.local):
    """For each unfinished run in a thread, oldest first: the states of torch's generators before it."""

    def __init__(self) -> None:
        self.stack: list[list[torch.Tensor]] = []


_SAVED_STATES = _SavedStates()


def _before_run(_module: nn.Module, _inputs: Any) -> None:
    _SAVED_STATES.stack.append(_generator_states())
    torch.manual_seed(0)


def _after_run(_module: nn.Module, _inputs: Any, _output: Any) -> None:
    cpu_state, *gpu_states = _SAVED_STATES.stack.pop()
    torch.set_rng_state(cpu_state)
    if gpu_states:
        torch.cuda.set_rng_state_all(gpu_states)


def _generator_states() -> list[torch.Tensor]:
    gpu_states = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return [torch.get_rng_state(), *gpu_states]


@torch.no_grad()
def _logits(module: nn.Module, images: torch.Tensor) -> torch.Tensor:
    return logits_of(module(images.clone())).float()


def _agree(first: torch.Tensor, second: torch.Tensor) -> bool:
    if first.shape != second.shape:
        return False
    largest = first.abs().amax()
    # Another check reports logits that are not finite.
    return not bool(largest.isfinite()) or bool((first - second).abs().amax() <= _TOLERANCE * largest)


def _dropouts(module: nn.Module) -> list[str]:
    return [name for name, layer in module.named_modules() if isinstance(layer, _DropoutNd) and layer.training]


def _batch_norms(module: nn.Module) -> list[str]:
    return [
        name
        for name, layer in module.named_modules()
        if isinstance(layer, _BatchNorm) and (layer.running_mean is None or layer.training)
    ]


def _in_parentheses(names: list[str]) -> str:
    """Return the first two names in parentheses after a space; empty without names."""
    ellipsis = ", …" if len(names) > 2 else ""
    return f" ({', '.join(names[:2])}{ellipsis})" if names else ""
