"""Memory: how to continue on a device that has too little memory."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from napari_segcam.explanation.passes.recomputation import recomputable_blocks, recomputing
from napari_segcam.network.device import TooLittleMemory
from napari_segcam.network.stages.stage import Stage

_log = logging.getLogger(__name__)


MEMORY_ERRORS = (TooLittleMemory, torch.OutOfMemoryError)
"""What a pass ends with where memory is short: outside of the network's run it is torch's own error."""


def too_little_memory(device: torch.device, what: str) -> TooLittleMemory:
    """Return the error that says what does not fit the device, and what to do."""
    return TooLittleMemory(
        f"{device} has too little memory for {what}. Choose fewer stages, a smaller image size, or the CPU.",
        action="use_cpu",
    )


def in_words(error: TooLittleMemory | torch.OutOfMemoryError, device: torch.device, frames: int) -> TooLittleMemory:
    """Return the error in the user's words, without the traceback, which keeps tensors alive.

    Args:
        error: that a pass ended with.
        device: where it ran.
        frames: how many ran at once.
    """
    if isinstance(error, TooLittleMemory):
        return TooLittleMemory(str(error), action=error.action)
    return too_little_memory(device, f"{frames} frames")


class MemoryFallback:
    """Ways to run a network with less memory, tried one after the other; each stays on for the frames that follow.

    First smaller batches; then the blocks of the network are computed again in the backward pass instead of stored
    (``recomputation``); then the CPU.

    Attributes:
        module: the module that runs now.
        device: where it runs.
        rewritten: whether it is the network's rewritten form.
        largest_batch: the largest batch that may be tried; None until one did not fit.
        measures: taken so far, in words.

    Args:
        module: the module that runs while memory is enough.
        stages: those tapped in it.
        device: where it is.
        sample: small input ``(1, C, H, W)``, on any device.
        rewritten: whether the module is the network's rewritten form.
    """

    def __init__(
        self, module: nn.Module, stages: Sequence[Stage], device: torch.device, sample: torch.Tensor, *, rewritten: bool
    ) -> None:
        self.module = module
        self.device = device
        self.rewritten = rewritten
        self.largest_batch: int | None = None
        self.measures: list[str] = []
        self._stages, self._sample = stages, sample
        self._recomputed_blocks: list[nn.Module] = []

    def context(self) -> AbstractContextManager[object]:
        """Return the context for a pass; only one thread may enter it at a time."""
        return recomputing(self._recomputed_blocks) if self._recomputed_blocks else nullcontext()

    def halve(self, batch: int) -> int:
        """Return the batch size to try after one of this size did not fit."""
        self.largest_batch = batch // 2
        self._note(f"batches of at most {self.largest_batch}, to save memory")
        return self.largest_batch

    def fall_back(self) -> bool:
        """Take the next measure for single frames; return False if there is none left."""
        if not self._recomputed_blocks:
            self._recomputed_blocks = self._find_recomputable_blocks()
            if self._recomputed_blocks:
                self._note("blocks computed again in the backward pass, to save memory")
                return True
        if self.device.type == "cpu":
            return False
        self.module = _copy_on_cpu(self.module)  # a copy: others may use the network on its device
        self.device, self._recomputed_blocks = torch.device("cpu"), []
        self._note("computed on the CPU, as the device has too little memory")
        return True

    def _find_recomputable_blocks(self) -> list[nn.Module]:
        """Return the blocks that can be computed again; none if memory is too short even to look for them."""
        try:
            return recomputable_blocks(self.module, self._stages, self._sample.to(self.device))
        except torch.OutOfMemoryError:
            return []

    def _note(self, measure: str) -> None:
        _log.warning("Memory is short. %s", measure)
        self.measures.append(measure)


def _copy_on_cpu(module: nn.Module) -> nn.Module:
    """Return a copy of a frozen module on the CPU; nothing is copied on its own device, where memory is short."""
    weights = {id(weight): nn.Parameter(weight.cpu(), requires_grad=False) for weight in module.parameters()}
    buffers = {id(buffer): buffer.cpu() for buffer in module.buffers()}
    return copy.deepcopy(module, {**weights, **buffers}).cpu()
