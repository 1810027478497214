"""Memory: how explaining goes on where a device has too little of it."""

from __future__ import annotations

import copy
import logging
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from napari_segcam.errors import SegcamError

_log = logging.getLogger(__name__)


class TooLittleMemory(SegcamError):  # noqa: N818 - named for what users read, as every SegcamError
    """The device's memory does not hold a pass."""


class Thrift:
    """What is done to get by, one measure after the other, each kept for the frames that follow.

    First smaller batches; then what the backward pass needs is kept in the computer's memory instead of the
    device's (``torch.autograd.graph.save_on_cpu``); then the CPU does the work.

    Attributes:
        module: what runs now.
        device: where it runs.
        rewritten: whether it is the network's rewritten form.
        largest_batch: that is known to fit; None as long as any has.
        measures: that were taken, in words.
    """

    def __init__(self, module: nn.Module, device: torch.device, *, rewritten: bool) -> None:
        self.module = module
        self.device = device
        self.rewritten = rewritten
        self.largest_batch: int | None = None
        self.measures: list[str] = []
        self._offload = False

    def context(self) -> AbstractContextManager[object]:
        """To be entered around a pass."""
        return torch.autograd.graph.save_on_cpu(pin_memory=True) if self._offload else nullcontext()

    def halve(self, batch: int) -> int:
        """The batch to go on with after one of this size did not fit."""
        self.largest_batch = batch // 2
        self._say(f"batches of at most {self.largest_batch}, for want of memory")
        return self.largest_batch

    def relieve(self) -> bool:
        """Take the next measure for single frames; False where there is none left."""
        if self.device.type == "cpu":
            return False
        if not self._offload:
            self._offload = True
            self._say("activations kept in main memory, for want of memory on the device")
        else:
            self.module = copy.deepcopy(self.module).cpu()  # a copy: the network's owner may have a use for it there
            self.device, self._offload = torch.device("cpu"), False
            self._say("computed on the CPU, for want of memory on the device")
        return True

    def _say(self, measure: str) -> None:
        self.measures.append(measure)
        _log.warning("%s", measure)
