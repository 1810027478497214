"""Check that a network returns the same for an image each time, whatever else is in the batch.

Networks that are trained on are not as they are used: a batch norm without running statistics mixes the images of a
batch, and dropout that stays on gives another mask each time. It shows in what the network gives.
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

# Of the largest logit. Rounding that depends on the size of the batch is less, in single precision and on GPUs too.
_SAME = 0.01


@dataclass(frozen=True)
class Repeatability:
    """What was seen.

    Attributes:
        one_frame_at_a_time: whether frames must run one by one, as those of a batch would change each other's results.
        warnings: what the user should know.
    """

    one_frame_at_a_time: bool = False
    warnings: tuple[str, ...] = ()


def check_repeatability(
    module: nn.Module, input_channels: int, size: tuple[int, int], *, is_random: bool
) -> Repeatability:
    """Run a network on two images, alone, again, and together.

    Args:
        module: frozen and in eval mode.
        input_channels: of the image.
        size: of an image that it accepts, height and width in pixels.
        is_random: what ``fix_random_numbers`` gave.
    """
    images = torch.randn(2, input_channels, *size, generator=torch.Generator().manual_seed(1))
    images[1] = images[1] / 4 + 1.5  # brighter and flatter: what is mixed shows
    images = images.to(image_like(module))
    alone, again = (_logits(module, images[:1]) for _ in range(2))
    warnings: list[str] = []
    if not _same(alone, again):
        warnings.append(
            "The network gives another answer each time it is asked, for the same image. No mask, heatmap or figure of "
            "it can be repeated."
        )
    elif is_random:
        warnings.append(
            f"The network draws random numbers at each run{_named(_dropouts(module))}, and may give another mask each "
            "time. Here it draws the same ones every time: what is shown is one answer of many."
        )
    if warnings:
        return Repeatability(one_frame_at_a_time=True, warnings=tuple(warnings))
    try:
        together = _logits(module, images)[:1]
    except Exception:  # it takes one image at a time
        return Repeatability(one_frame_at_a_time=True)
    if _same(alone, together):
        return Repeatability()
    warnings.append(
        f"The images of a batch change each other's results{_named(_batch_norms(module))}. Frames are run one by one, "
        "which is not how the network was trained: its masks may be worse than in training."
    )
    return Repeatability(one_frame_at_a_time=True, warnings=tuple(warnings))


def fix_random_numbers(module: nn.Module, input_channels: int, size: tuple[int, int] | None = None) -> bool:
    """See whether a network draws torch's random numbers; if so, let it draw the same ones at each run from now on.

    Afterwards others' numbers are as if it had drawn none. Copies of the module behave alike.

    Args:
        module: in eval mode, on the CPU.
        input_channels: of the image.
        size: as for ``dry_run``.

    Returns:
        Whether it draws any.

    Raises:
        SegcamError: as ``dry_run``.
    """
    if _begin in module._forward_pre_hooks.values():
        return True

    @torch.no_grad()
    def draws(x: torch.Tensor) -> bool:
        before = torch.get_rng_state()
        module(x)
        return not torch.equal(before, torch.get_rng_state())

    with torch.random.fork_rng(devices=[]):
        is_random = dry_run(module, input_channels, draws, size=size)
    if is_random:
        module.register_forward_pre_hook(_begin, prepend=True)
        module.register_forward_hook(_end, always_call=True)
    return is_random


class _Runs(threading.local):
    """Of the runs that are under way in a thread, the latest last, the states of torch's generators before it."""

    def __init__(self) -> None:
        self.before: list[list[torch.Tensor]] = []


_RUNS = _Runs()


def _begin(_module: nn.Module, _inputs: Any) -> None:
    _RUNS.before.append(_generators())
    torch.manual_seed(0)


def _end(_module: nn.Module, _inputs: Any, _output: Any) -> None:
    on_cpu, *on_gpu = _RUNS.before.pop()
    torch.set_rng_state(on_cpu)
    if on_gpu:
        torch.cuda.set_rng_state_all(on_gpu)


def _generators() -> list[torch.Tensor]:
    on_gpu = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return [torch.get_rng_state(), *on_gpu]


@torch.no_grad()
def _logits(module: nn.Module, images: torch.Tensor) -> torch.Tensor:
    return logits_of(module(images.clone())).float()


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape:
        return False
    largest = one.abs().amax()
    # What is not finite is told elsewhere.
    return not bool(largest.isfinite()) or bool((one - other).abs().amax() <= _SAME * largest)


def _dropouts(module: nn.Module) -> list[str]:
    return [name for name, part in module.named_modules() if isinstance(part, _DropoutNd) and part.training]


def _batch_norms(module: nn.Module) -> list[str]:
    return [
        name
        for name, part in module.named_modules()
        if isinstance(part, _BatchNorm) and (part.running_mean is None or part.training)
    ]


def _named(names: list[str]) -> str:
    more = ", …" if len(names) > 2 else ""
    return f" ({', '.join(names[:2])}{more})" if names else ""
