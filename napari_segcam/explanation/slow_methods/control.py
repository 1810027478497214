"""Control of a long computation: preview, progress and cancelling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class Cancelled(Exception):  # noqa: N818 - it is not an error
    """The user cancelled a running computation."""


@dataclass(frozen=True)
class ProgressControl:
    """Preview, progress and cancelling of an explanation.

    Attributes:
        preview: do only a part of the runs and predict the rest, where the method can.
        progress: called with the stage, the number of runs done and their total.
        cancelled: called between runs of the network and before a backward pass; True stops the explanation.
    """

    preview: bool = False
    progress: Callable[[str, int, int], None] | None = None
    cancelled: Callable[[], bool] | None = None
