"""Cost: what an explanation takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Cost:
    """What an explanation takes.

    Attributes:
        forwards: runs of the network, or of the part of it that the method runs.
        seconds: all of them together, judged by one of them.
    """

    forwards: int
    seconds: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.forwards + other.forwards, self.seconds + other.seconds)


def wait_for(device: torch.device) -> None:
    """Wait until a device has done all that it was told, so that time can be taken."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
