"""The held frame: one frame after its forward pass, of which each further target costs a backward pass only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakSet

from napari_segcam.explanation.explanation import Explanation, Segmentation
from napari_segcam.explanation.passes.memory import MEMORY_ERRORS, MemoryFallback
from napari_segcam.explanation.prediction import Prediction
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.targets.target import Target
from napari_segcam.network.running.full_precision import RunLock

Result = TypeVar("Result")


class HeldFrame:
    """One frame whose forward pass is kept, from ``Explainer.hold``.

    The explanations are those of the explainer, bit for bit. The first one runs the network, and the forward pass with
    its graph stays in memory until ``release``; after that, the next explanation runs the network again. It is released
    by itself where memory falls short.

    Args:
        predict: runs the forward pass.
        explain: explains one target of it, and keeps its graph.
        explain_alone: explains one target with a forward pass of its own, and with less memory if need be.
        lock: held while the network runs.
        memory_fallback: of the module that runs.
        control: cancels slow methods.
    """

    def __init__(
        self,
        predict: Callable[[], Prediction],
        explain: Callable[[Prediction, Target], Explanation],
        explain_alone: Callable[[Target], Explanation],
        lock: RunLock,
        memory_fallback: MemoryFallback,
        control: ProgressControl,
    ) -> None:
        self._predict, self._explain, self._explain_alone = predict, explain, explain_alone
        self._lock, self._memory_fallback, self._control = lock, memory_fallback, control
        self._prediction: Prediction | None = None
        self._measures: tuple[str, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether the forward pass is in memory."""
        return self._prediction is not None

    def explain(self, target: Target | None = None) -> Explanation:
        """Explain a target of the frame; the target is as for the explainer.

        Raises:
            SegcamError: if the frame does not fit the network, or the target does not fit the frame.
            Cancelled: if the explainer's control cancels it.
        """
        explanation = self._with_prediction(lambda prediction: self._explain(prediction, target or Target()))
        if explanation is None:  # outside the handler, whose traceback would keep the tensors that did not fit alive
            release_held_frames()
            explanation = self._explain_alone(target or Target())
        return explanation

    def segment(self) -> Segmentation:
        """Return the probabilities of the frame; its forward pass is then in memory.

        Raises:
            SegcamError: if the frame does not fit the network.
            Cancelled: if the explainer's control cancels it.
        """
        segmentation = self._with_prediction(lambda prediction: prediction.segmentations[0])
        if segmentation is None:
            release_held_frames()
            segmentation = self._explain_alone(Target(region="image")).segmentation
        return segmentation

    def release(self) -> None:
        """Free the memory of the forward pass; may be called in any thread."""
        self._prediction = None

    def _with_prediction(self, use: Callable[[Prediction], Result]) -> Result | None:
        """Use the forward pass, which is made if it is not held; None if that takes too much memory."""
        try:
            with self._lock, self._memory_fallback.context():
                measures = tuple(self._memory_fallback.measures)
                if measures != self._measures:  # the network now runs in another way, or on another device
                    self._prediction, self._measures = None, measures
                prediction = self._prediction
                if prediction is None:
                    prediction = self._prediction = self._predict()
                    with _lock:
                        _held_frames.add(self)
                if self._control.cancelled is not None and self._control.cancelled():
                    raise Cancelled
                return use(prediction)
        except MEMORY_ERRORS:
            return None


_held_frames: WeakSet[HeldFrame] = WeakSet()
_lock = threading.Lock()


def release_held_frames() -> bool:
    """Release all held frames, to free their memory; return whether there were any."""
    with _lock:
        held_frames = [held_frame for held_frame in _held_frames if held_frame.is_held]
        _held_frames.clear()
    for held_frame in held_frames:
        held_frame.release()
    return bool(held_frames)
