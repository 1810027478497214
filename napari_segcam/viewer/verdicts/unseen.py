"""Whether the reader can judge a mask: it must be computed, and it must have been visible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.review.log.state import ReadingState
from napari_segcam.viewer.frames.cine_record import CineRecord, FrameState
from napari_segcam.viewer.layers.frame_names import frame_in_words, frame_word
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.verdicts.shown_log import visible_now
from napari_segcam.viewer.verdicts.target import Target

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class _Text:
    """Why a mask cannot be judged; ``{here}`` is "Frame 12", an image's name or "This image"."""

    NO_NETWORK = "No network is loaded, so there is no mask to judge. Load the checkpoint of this review."
    SOON = "{here} is not computed yet: its mask can be judged once it is."
    NOT_RUN = "{here} is not computed, so it has no mask to judge. Run Segmentation first."
    FAILED = "{here} could not be computed, so it has no mask to judge."
    HIDDEN = "The mask of {here} is not visible: show it before you judge it."
    SOME_SOON = "{count} of these {total} {word}s are not computed yet: their masks can be judged once they are."
    SOME_NOT_RUN = "{count} of these {total} {word}s are not computed. Run Segmentation on all {word}s first."
    SOME_FAILED = "{here} could not be computed, so it has no mask to judge. Leave it out of the range."
    NONE_SEEN = "The masks of these {word}s were not visible so far: look at one before you judge them."
    NO_HEAT = "{count} of these {total} {word}s have no heatmap of {stage} yet: they can be judged once they have."


def why_unseen(session: ReviewSession, state: ReadingState, target: Target) -> str:
    """Return why the mask of a target cannot be judged, in words; empty if it can.

    A range or a case must be computed in every frame, and visible in one: a verdict is carried over the others. Frames
    of a case that failed have no mask, and do not count.

    Args:
        session: that shows the case.
        state: of its reading.
        target: of the verdict.
    """
    review = session.review
    if review is None or session.network is None:
        return _Text.NO_NETWORK
    frames = _frames_of(review, target)
    is_known = known_masks(review.record)[frames]
    has_failed = (review.record.states[frames] == FrameState.FAILED) & ~is_known
    if len(frames) == 1:
        words = _one(review, int(frames[0]), bool(is_known[0]), bool(has_failed[0]))
    else:
        words = _several(review, frames, is_known, has_failed, is_case=target.first is None)
    if words:
        return words
    visible = visible_now(session)
    seen = {shown.frame for shown in state.shown if shown.prediction} | (
        {visible.frame} if visible.prediction else set()
    )
    if seen.isdisjoint(frames.tolist()):
        one = _here(review, int(frames[0]), in_sentence=True)
        return (_Text.HIDDEN if len(frames) == 1 else _Text.NONE_SEEN).format(here=one, word=frame_word(review.image))
    return ""


def why_no_heat(review: Review, target: Target, stage: str) -> str:
    """Return why a stage's heatmap cannot be judged in all frames of a target, in words; empty if it can.

    Args:
        review: of the case.
        target: of the verdict.
        stage: whose heatmap is visible in the frame in view.
    """
    frames, results = _frames_of(review, target), review.results
    is_known = known_masks(review.record)
    without = [
        frame
        for frame in frames.tolist()
        if not is_known[frame] or (results.segmentation(frame) is not None and stage not in results.heatmaps(frame))
    ]
    without = [
        frame for frame in without if target.first is not None or review.record.states[frame] != FrameState.FAILED
    ]
    if not without:
        return ""
    word = frame_word(review.image)
    return _Text.NO_HEAT.format(count=len(without), total=len(frames), word=word, stage=stage)


def known_masks(record: CineRecord) -> NDArray[np.bool_]:
    """Return the frames whose masks were computed, ``(T,)``, whether or not they are still held in memory."""
    return np.isfinite(record.curves[CineRecord.AREA])


def _frames_of(review: Review, target: Target) -> NDArray[np.intp]:
    if target.first is None or target.last is None:
        return np.arange(len(review.record))
    return np.arange(target.first, min(target.last + 1, len(review.record)))


def _one(review: Review, frame: int, is_known: bool, has_failed: bool) -> str:
    here = _here(review, frame)
    if is_known:
        return ""
    if has_failed:
        return _Text.FAILED.format(here=here)
    return (_Text.SOON if review.schedule.is_pending(frame) else _Text.NOT_RUN).format(here=here)


def _several(
    review: Review,
    frames: NDArray[np.intp],
    is_known: NDArray[np.bool_],
    has_failed: NDArray[np.bool_],
    *,
    is_case: bool,
) -> str:
    word = frame_word(review.image)
    if has_failed.any() and (not is_case or not is_known.any()):
        return _Text.SOME_FAILED.format(here=_here(review, int(frames[has_failed][0])))
    missing = frames[~is_known & ~has_failed]
    if not len(missing):
        return ""
    text = _Text.SOME_SOON if review.schedule.pending_count() >= len(missing) else _Text.SOME_NOT_RUN
    return text.format(count=len(missing), total=len(frames), word=word)


def _here(review: Review, frame: int, *, in_sentence: bool = False) -> str:
    words = "this image" if len(review.record) == 1 else frame_in_words(review.image, frame)
    return words if in_sentence else f"{words[:1].upper()}{words[1:]}"
