"""Memory: how explaining goes on where a device has too little of it."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.passes.recomputation import recomputing, repeatable_blocks
from napari_segcam.network.stages.stage import Stage

_log = logging.getLogger(__name__)


class TooLittleMemory(SegcamError):  # noqa: N818 - named for what users read, as every SegcamError
    """The device's memory does not hold a pass."""


class MemoryFallback:
    """What is done to get by, one measure after the other, each kept for the frames that follow.

    First smaller batches; then the blocks of the network are computed again on the way back instead of kept
    (``recomputation``); then the CPU does the work.

    Attributes:
        module: what runs now.
        device: where it runs.
        rewritten: whether it is the network's rewritten form.
        largest_batch: that is known to fit; None as long as any has.
        measures: that were taken, in words.

    Args:
        module: what runs as long as memory suffices.
        stages: that are tapped in it.
        device: where it is.
        sample: of an input ``(1, C, H, W)``, small, on any device.
        rewritten: whether it is the network's rewritten form.
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
        self._repeated: list[nn.Module] = []

    def context(self) -> AbstractContextManager[object]:
        """To be entered around a pass, by one thread at a time."""
        return recomputing(self._repeated) if self._repeated else nullcontext()

    def halve(self, batch: int) -> int:
        """The batch to go on with after one of this size did not fit."""
        self.largest_batch = batch // 2
        self._say(f"batches of at most {self.largest_batch}, for want of memory")
        return self.largest_batch

    def fall_back(self) -> bool:
        """Take the next measure for single frames; False where there is none left."""
        if not self._repeated:
            self._repeated = repeatable_blocks(self.module, self._stages, self._sample.to(self.device))
            if self._repeated:
                self._say("blocks computed again on the way back, for want of memory")
                return True
        if self.device.type == "cpu":
            return False
        self.module = copy.deepcopy(self.module).cpu()  # a copy: the network's owner may have a use for it there
        self.device, self._repeated = torch.device("cpu"), []
        self._say("computed on the CPU, for want of memory on the device")
        return True

    def _say(self, measure: str) -> None:
        _log.warning("%s", measure)
        self.measures.append(measure)
