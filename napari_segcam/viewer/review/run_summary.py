"""A run as people speak of it: what was asked for, and how it went."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from napari_segcam.viewer.frames.cine_record import CineRecord, State
from napari_segcam.viewer.frames.plan import Request
from napari_segcam.viewer.frames.schedule import Scope


@dataclass
class RunSummary:
    """What was asked for.

    Attributes:
        request: what of each frame.
        scope: of which frames.
        frames: how many the image has.
        at: the frame that was in view.
        is_cancelled: whether the user has stopped it.
    """

    request: Request
    scope: Scope
    frames: int
    at: int
    is_cancelled: bool = False
    _started: float = field(default_factory=time.perf_counter)

    @property
    def kind(self) -> str:
        return "segment" if self.request.stages is None else "explain"

    @property
    def title(self) -> str:
        """What is being done, in words."""
        verb = "Segmenting" if self.request.stages is None else "Explaining"
        if self.frames == 1:
            return f"{verb} the image"
        return f"{verb} frame {self.at}" if self.scope == "this" else f"{verb} {self.frames} frames"

    def outcome(self, record: CineRecord) -> str:
        """How it ended, in words."""
        done = int(np.count_nonzero(record.states == State.DONE))
        failed = int(np.count_nonzero(record.states == State.FAILED))
        seconds = time.perf_counter() - self._started
        if self.is_cancelled:
            how = f"stopped, {done} of {self.frames} done"
        elif failed:
            how = f"{failed} failed" if self.frames > 1 else "failed"
        else:
            how = f"done in {seconds:.1f} s"
        return f"{self.title}: {how}"
