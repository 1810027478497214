"""Cost: how long an explanation takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Cost:
    """Estimated cost of an explanation.

    Attributes:
        forwards: runs of the network, or of the part of it that the method runs.
        seconds: for all of them, estimated from one.
    """

    forwards: int
    seconds: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.forwards + other.forwards, self.seconds + other.seconds)


def wait_for(device: torch.device) -> None:
    """Wait until a device has finished its queued work, so that time can be measured."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
