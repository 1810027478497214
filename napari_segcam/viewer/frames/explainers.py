"""The explainers of an image in the worker: shared by its plans, and keeping the forward pass of one frame."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_segcam.viewer.frames.plan import Plan

if TYPE_CHECKING:  # torch comes with these: they are imported where the work is done
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.explanation.held_frame import HeldFrame
    from napari_segcam.explanation.slow_methods.cost import Cost
    from napari_segcam.explanation.targets.target import Target

_IDLE_SECONDS = 20.0  # a forward pass with its graph takes up to gigabytes


class Explainers:
    """One explainer for each method, threshold and choice of stages of one network.

    The forward pass of the frame in view can be kept, so that another question about it costs a backward pass only. It
    is released before another frame is computed, with the network, and when it was not used for some time.

    Attributes:
        cancelled: called during frames that take long; returns whether to stop.
        on_progress: called during such a frame with a stage, the runs of the network that are done, and their total.
        idle_seconds: after which a forward pass is released.
    """

    def __init__(self) -> None:
        self.cancelled: Callable[[], bool] = lambda: False
        self.on_progress: Callable[[str, int, int], None] = lambda _stage, _done, _total: None
        self.idle_seconds = _IDLE_SECONDS
        self._explainers: dict[tuple[object, ...], Explainer] = {}
        self._network: object = None
        self._held: HeldFrame | None = None
        self._held_key: tuple[object, ...] = ()
        self._timer: threading.Timer | None = None

    def explain(self, plan: Plan, frame: int, stages: tuple[str, ...], target: Target, *, hold: bool) -> Explanation:
        """Explain a frame.

        Args:
            plan: by which it is explained.
            frame: its number.
            stages: names of the stages.
            target: what is explained.
            hold: whether to keep the forward pass for other targets.

        Raises:
            Cancelled: if it was cancelled meanwhile.
            SegcamError: if the frame cannot be read, or does not fit the network.
        """
        explainer, source = self._explainer(plan, stages), plan.source
        key = (explainer, source, frame)
        held = self._held
        if held is None or key != self._held_key:
            self.release()  # first, so that there are never two
            cine = source.cine
            if not hold:
                return explainer(cine[frame], target, cine.value_range, source.crop, cine.pixel_aspect)
            held = explainer.hold(cine[frame], cine.value_range, source.crop, cine.pixel_aspect)
            self._held_key, self._held = key, held
        try:
            return held.explain(target)
        finally:
            self._release_later(held)

    def tiles(self, plan: Plan) -> str:
        """Return the tiles in which a frame runs, in words; empty if it runs whole.

        Raises:
            SegcamError: if frames do not fit the network.
        """
        from napari_segcam.explanation.prediction import tiles_of

        cine = plan.source.cine
        tiles = tiles_of(plan.network, cine.frame_shape, plan.source.crop, cine.pixel_aspect)
        if tiles is None:
            return ""
        return tiles.words if tiles.is_exact else f"{tiles.words} (masks can differ from the whole image's)"

    def estimate(self, plan: Plan, frame: int, stages: tuple[str, ...]) -> Cost:
        """Return what a frame costs.

        Raises:
            SegcamError: if it cannot be computed at all.
        """
        source, cine = plan.source, plan.source.cine
        return self._explainer(plan, stages).estimate(cine[frame], cine.value_range, source.crop, cine.pixel_aspect)

    def release(self) -> None:
        """Free the memory of the forward pass that is kept; for any thread."""
        held, self._held = self._held, None
        if held is not None:
            held.release()
        if self._timer is not None:
            self._timer.cancel()

    def _release_later(self, held: HeldFrame) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(self.idle_seconds, held.release)
        self._timer.daemon = True
        self._timer.start()

    def _explainer(self, plan: Plan, stages: tuple[str, ...]) -> Explainer:
        from napari_segcam.explanation.explainer import Explainer
        from napari_segcam.explanation.slow_methods.control import ProgressControl

        if plan.network is not self._network:
            self.release()
            self._explainers, self._network = {}, plan.network
        request = plan.request
        key = (request.method, request.preview, plan.threshold, stages)
        if key not in self._explainers:
            # Both callbacks change from job to job, so they are looked up on this object at each call.
            control = ProgressControl(
                request.preview,
                progress=lambda stage, done, total: self.on_progress(stage, done, total),
                cancelled=lambda: self.cancelled(),
            )
            self._explainers[key] = Explainer(plan.network, request.method, stages, plan.threshold, control)
        return self._explainers[key]
