"""Steps from finding to finding: runs of frames in which the mask is not empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.cine_record import FrameState
from napari_segcam.viewer.layers.frame_names import frame_in_words, frame_word

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


def step_finding(session: ReviewSession, direction: int) -> None:
    """Go to the first frame of the next finding (1), or of this one or the one before (-1)."""
    record = session.record
    if record is None:
        session.viewer.status = "Open a cine and explain it first: then you can step through its findings."
        return
    frame = next_finding(record.findings(), session.current_frame(), direction)
    if frame is not None:
        session.go_to(frame)
        session.viewer.status = f"Finding in {frame_in_words(session.image, frame)}"
        return
    word = frame_word(session.image)
    missing = int((record.states < FrameState.DONE).sum())
    side = "after" if direction > 0 else "before"
    missing_words = f"; {missing} {word}s are not computed yet" if missing else ""
    session.viewer.status = f"No finding {side} this {word}{missing_words}."


def next_finding(findings: NDArray[np.bool_], frame: int, direction: int) -> int | None:
    """Return the first frame of the nearest finding in this direction, other than ``frame`` itself.

    Args:
        findings: ``(T,)``; neighboring frames that are True are one finding.
        frame: where to start from.
        direction: 1 for later ones, -1 for earlier ones.
    """
    starts = [run.start for run in runs(findings)]
    if direction > 0:
        return next((start for start in starts if start > frame), None)
    return next((start for start in reversed(starts) if start < frame), None)


def runs(flags: NDArray[np.bool_]) -> list[slice]:
    """Return where each unbroken run of True begins and ends."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [slice(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
