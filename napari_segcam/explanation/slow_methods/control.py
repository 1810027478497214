"""Control: how a computation that takes long is followed and stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class Cancelled(Exception):  # noqa: N818 - it is no error
    """The user stopped a computation that was under way."""


@dataclass(frozen=True)
class ProgressControl:
    """How an explanation is watched.

    Attributes:
        preview: run a part of what the whole map takes and predict the rest, where the method can.
        progress: told of each stage how many runs of the network are done, and of how many.
        cancelled: asked between runs of the network, and before the backward pass of the methods that have one.
    """

    preview: bool = False
    progress: Callable[[str, int, int], None] | None = None
    cancelled: Callable[[], bool] | None = None
