"""A run in words: what was requested, how far it is and how it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from napari_segcam.viewer.frames.cine_record import CineRecord, FrameState
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.frames.schedule import Scope


@dataclass
class RunSummary:
    """A run that the user has started.

    Attributes:
        request: what to compute for each frame.
        scope: which frames.
        frame_count: how many the image has.
        frame: what the frame that was in view at the start is called, for example "frame 12".
        frame_word: what a frame is called: "frame", or "image" in a folder of stills.
        members: of an ensemble that runs, in words, such as "3 members"; empty for one network.
        is_cancelled: whether the user has stopped the run.
    """

    request: RunRequest
    scope: Scope
    frame_count: int
    frame: str
    frame_word: str
    members: str = ""
    is_cancelled: bool = False
    _started: float = field(default_factory=time.perf_counter)

    @property
    def kind(self) -> str:
        """``"segment"`` or ``"explain"``."""
        return "segment" if self.request.stages is None else "explain"

    @property
    def title(self) -> str:
        """What the run does, in words."""
        verb = "Segmenting" if self.request.stages is None else "Explaining"
        verb += f" with {self.members}:" if self.members else ""
        if self.frame_count == 1:
            return f"{verb} the image"
        return f"{verb} {self.frame}" if self.scope == "current" else f"{verb} {self.frame_count} {self.frame_word}s"

    def outcome(self, record: CineRecord, how: str = "") -> str:
        """Return how the run ended, in words.

        Args:
            record: of the frames.
            how: the last frame ran, in words, where that is not whole and at once.
        """
        done = int(np.count_nonzero(record.states == FrameState.DONE))
        failed = int(np.count_nonzero(record.states == FrameState.FAILED))
        seconds = time.perf_counter() - self._started
        if self.is_cancelled:
            outcome = f"stopped, {done} of {self.frame_count} done"
        elif failed:
            outcome = f"{failed} failed" if self.frame_count > 1 else "failed"
        else:
            outcome = f"done in {seconds:.1f} s{f', {how}' if how else ''}"
        return f"{self.title}: {outcome}"
