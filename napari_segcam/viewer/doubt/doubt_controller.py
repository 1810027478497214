"""The doubt about the masks of the chosen image: measured in the worker, and entered into the record as a curve."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_segcam.evidence.doubt.measures import DEFAULT_MEASURE, DOUBT_MEASURES
from napari_segcam.viewer.doubt.doubt_jobs import FrameDoubt, NetworkDoubt, masks_doubt
from napari_segcam.viewer.doubt.doubt_ranking import ranked_frames
from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.layers.frame_names import file_names, frame_in_words
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_MASKS_PER_JOB = 16  # of measures that need no run of the network
_APART = 3  # frames of a cine that are closer look alike
_DELAY_MS = 200
OFFERED = [name for name, measure in DOUBT_MEASURES.items() if measure.needs in ("mask", "network", "cine")]


@dataclass
class _Measured:
    """What is measured of one image.

    Attributes:
        key: what the doubt depends on besides the frame.
        doubts: by frame.
        job: runs the network, for measures that do.
    """

    key: Hashable = None
    doubts: dict[int, FrameDoubt] = field(default_factory=dict)
    job: NetworkDoubt | None = None


class DoubtController(QObject):
    """One per session, as its child; found by ``controller_of``.

    Attributes:
        measure: its name in ``DOUBT_MEASURES``; empty to measure nothing.
    """

    changed = Signal()

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self.measure = DEFAULT_MEASURE
        self._session = session
        self._measured: WeakKeyDictionary[Review, _Measured] = WeakKeyDictionary()
        self._job: Job | None = None
        self._rank = 0
        self._gone_to: tuple[Review, int] | None = None
        self._throttle = Throttle(self.catch_up, self, _DELAY_MS)
        session.record_changed.connect(self._throttle.ask)
        session.image_changed.connect(self._throttle.ask)

    def choose(self, measure: str) -> None:
        """Measure the doubt of all masks in this way; empty measures nothing."""
        self.measure = measure
        self._gone_to = None
        self.catch_up()

    def stop(self) -> None:
        """Measure no more, as if *Off* was chosen."""
        if self._job is not None:
            self._job.cancel()
        self.choose("")
        self.changed.emit()

    def progress_text(self) -> str:
        """Return how much is measured, or why nothing is, in words."""
        review = self._session.review
        if review is None or review.plan is None or not self.measure:
            return ""
        doubts = self._of(review).doubts
        reasons = [doubt.reason for doubt in doubts.values() if doubt.value is None and doubt.reason]
        if reasons and all(doubt.value is None for doubt in doubts.values()):
            return f"None: {reasons[0]}"
        values = review.record.curves.get(CineRecord.DOUBT, np.empty(0))
        known = int(np.isfinite(values).sum())
        return f"{int(review.record.doubtful().sum())} doubtful of {known} measured"

    # Measuring

    def catch_up(self) -> None:
        """Enter what is measured into the record of the chosen image, and measure the next frames."""
        review = self._session.review
        plan = None if review is None else review.plan
        if review is None:
            return
        if plan is None or not self.measure or not plan.network.segments:
            if review.record.curves.pop(CineRecord.DOUBT, None) is not None:
                self.changed.emit()
            return
        measured = self._of(review)
        record, known = review.record, DOUBT_MEASURES[self.measure]
        record.doubtful_from = known.doubtful_from
        if known.needs == "cine":
            self._enter_of_cine(record)
            return
        curve = np.full(len(record), np.nan)
        for frame, doubt in measured.doubts.items():
            if doubt.value is not None:
                curve[frame] = doubt.value
        before = record.curves.get(CineRecord.DOUBT)
        if before is None or not np.array_equal(before, curve, equal_nan=True):
            record.curves[CineRecord.DOUBT] = curve
            self.changed.emit()
        self._start(review, plan, measured)

    def _of(self, review: Review) -> _Measured:
        """Return what is measured of an image under its present settings; what was measured under others is dropped."""
        measured = self._measured.setdefault(review, _Measured())
        plan = review.plan
        assert plan is not None
        # A new record means that all results were dropped.
        key = (review.record, plan.mask_key, plan.class_index, review.frame_jobs.mask_threshold, self.measure)
        if measured.key != key:
            job = None
            if self.measure and DOUBT_MEASURES[self.measure].needs == "network":
                job = NetworkDoubt(plan, review.frame_jobs.mask_threshold, self.measure)
            measured = self._measured[review] = _Measured(key, {}, job)
        return measured

    def _enter_of_cine(self, record: CineRecord) -> None:
        from napari_segcam.evidence.doubt.in_a_cine import jumps, outliers

        dice, area = record.curves[CineRecord.DICE], record.curves[CineRecord.AREA]
        curve = jumps(dice) if self.measure == "jump" else outliers(area)
        before = record.curves.get(CineRecord.DOUBT)
        if before is None or not np.array_equal(before, curve, equal_nan=True):
            record.curves[CineRecord.DOUBT] = curve
            self.changed.emit()

    def _start(self, review: Review, plan: Plan, measured: _Measured) -> None:
        """Measure the frames that are needed most of those that have a mask, if nothing is being measured."""
        if self._job is not None:
            return
        distances = review.schedule.distances()
        missing = sorted(set(review.results.frames()) - measured.doubts.keys(), key=lambda frame: distances[frame])
        if not missing:
            return
        if measured.job is not None:
            work: Callable[[], Iterator[FrameDoubt | None]] = partial(measured.job.measure, missing[0])
        else:
            stored = [(frame, review.results.segmentation(frame)) for frame in missing[:_MASKS_PER_JOB]]
            segmentations = [(frame, found.segmentation) for frame, found in stored if found is not None]
            threshold = review.frame_jobs.mask_threshold
            work = partial(masks_doubt, segmentations, plan.class_index, threshold, self.measure)
        job = self._job = Job("doubt", "Measuring doubt", work, in_background=measured.job is not None, stop=self.stop)
        job.on_result = lambda doubt: self._on_result(review, measured, doubt)
        job.on_done = lambda error: self._on_done(review, measured, missing[0], error)
        self._session.submit(job)

    def _on_result(self, review: Review, measured: _Measured, doubt: FrameDoubt | None) -> None:
        if doubt is not None:
            measured.doubts[doubt.frame] = doubt
        elif self._job is not None and self._measured.get(review) is not measured:
            self._job.cancel()  # its settings are of the past

    def _on_done(self, review: Review, measured: _Measured, frame: int, error: str | None) -> None:
        self._job = None
        if error is not None:
            measured.doubts.setdefault(frame, FrameDoubt(frame, None, error))
        self._throttle.ask()  # the curve follows a moment later, for several frames at once
        plan = review.plan
        if review is self._session.review and plan is not None and self._of(review) is measured:
            self._start(review, plan, measured)

    # Steps

    def step(self, direction: int) -> None:
        """Go to the most doubtful frame; from there to the next most doubtful (1), or back (-1)."""
        session, review = self._session, self._session.review
        curve = None if review is None else review.record.curves.get(CineRecord.DOUBT)
        if review is None or curve is None or not np.isfinite(curve).any():
            session.viewer.status = "No doubt is measured yet: segment a cine, and choose a measure of doubt."
            return
        frames = ranked_frames(curve, 1 if file_names(session.image) else _APART)
        goes_on = self._gone_to is not None and self._gone_to == (review, session.current_frame())
        self._rank = min(max(self._rank + direction, 0), len(frames) - 1) if goes_on else 0
        frame = frames[self._rank]
        self._gone_to = (review, frame)
        session.go_to(frame)
        where = frame_in_words(session.image, frame)
        session.viewer.status = f"Doubt {curve[frame]:.2f} in {where}: number {self._rank + 1} of {len(frames)}"
