"""The review session: what the widgets of one viewer share, and the only way from them to the worker."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.layers import ExplanationLayers, frame_count, is_ours
from napari_segcam.viewer.libraries import import_torch
from napari_segcam.viewer.work import Explained, Frames, Request, explain_frames
from napari_segcam.viewer.worker import Job, Worker

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.network.network import Network

WhichFrames = Literal["this", "all"]


class ReviewSession(QObject):
    """One per viewer. All of it is used from the UI thread; only jobs run elsewhere.

    Attributes:
        network: the loaded network, or None.
        image: the chosen image layer, or None.
        threshold: that cuts the probability of a single class.
        job: what the worker is at, or None.
        done: how many results the job has given.
        outcomes: how the last job of each kind (``"load"``, ``"segment"``, ``"explain"``) ended, in words.
        figures: attention figures of the frame explained last, by stage name.
    """

    network_changed = Signal()
    image_changed = Signal()
    layers_changed = Signal()
    job_changed = Signal()
    explained = Signal()

    _sessions: ClassVar[weakref.WeakValueDictionary[int, ReviewSession]] = weakref.WeakValueDictionary()

    @classmethod
    def of(cls, viewer: ViewerModel) -> ReviewSession:
        """The session of a viewer, the same for all of its widgets; it lives as long as one of them."""
        viewer = getattr(viewer, "__wrapped__", viewer)  # widgets are given a proxy
        session = cls._sessions.get(id(viewer))
        if session is None:
            session = cls._sessions[id(viewer)] = cls(viewer)
        return session

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.network: Network | None = None
        self.image: Image | None = None
        self.threshold = 0.5
        self.job: Job | None = None
        self.done = 0
        self.outcomes: dict[str, str] = {}
        self.figures: Mapping[str, Attention] = {}
        self._layers: dict[Any, ExplanationLayers] = {}
        self._worker = Worker(import_torch)
        weakref.finalize(self, self._worker.stop)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.reordered):
            event.connect(self._on_layers_changed)
        self._on_layers_changed()

    # What there is to choose from

    def images(self) -> list[Image]:
        """The image layers that can be explained."""
        return [layer for layer in self.viewer.layers if isinstance(layer, Image) and not is_ours(layer)]

    def regions(self) -> list[Labels]:
        """The Labels layers whose painted pixels can be the region: those that lie on the image's own grid."""
        if self.image is None:
            return []
        shape = self.image.data.shape[: self.image.ndim]
        return [layer for layer in self.viewer.layers if isinstance(layer, Labels) and layer.data.shape == shape]

    def choose_image(self, image: Image | None) -> None:
        """Work on this layer from now on."""
        if image is not self.image:
            self.cancel()
            self.image = image
            self.image_changed.emit()

    def layers(self) -> ExplanationLayers | None:
        """The layers of the chosen image."""
        if self.image is None:
            return None
        return self._layers.setdefault(self.image.unique_id, ExplanationLayers(self.viewer, self.image))

    def missing(self) -> str | None:
        """What must be done before anything can be run, in words; None if nothing."""
        if self.network is None:
            return "Load a checkpoint first: Plugins ▸ napari-segcam ▸ Checkpoint."
        if self.image is None:
            return "Open an ultrasound image or cine first: File ▸ Open, or File ▸ Open Sample."
        if self.image.ndim > 3:
            return (
                f"{self.image.name} has {self.image.ndim} dimensions. Stills (Y, X) and cines (T, Y, X) are supported."
            )
        return None

    # What can be done

    def load(
        self, path: str, device: str = "auto", architecture: str | None = None, encoder: str | None = None
    ) -> None:
        """Load a checkpoint; if that fails, the earlier network stays."""

        def work() -> Iterator[Network]:
            from napari_segcam.network.loading import load_network

            yield load_network(path, device, architecture=architecture, encoder=encoder)

        self._start(Job("load", f"Loading {Path(path).name}", work, on_result=self.use))

    def use(self, network: Network) -> None:
        """Review with this network from now on."""
        self.network = network
        self.threshold = network.card.threshold
        for warning in network.warnings:
            show_warning(warning)
        self.network_changed.emit()

    def run(self, request: Request, frames: WhichFrames) -> None:
        """Segment, and explain if stages are asked for, the frame in view or all frames."""
        if (missing := self.missing()) is not None:
            show_warning(missing)
            return
        network, image, layers = self.network, self.image, self.layers()
        assert network is not None
        assert image is not None
        assert layers is not None
        count = frame_count(image)
        numbers: list[int | None] = [None] if count is None else list(range(count))
        if frames == "this" and count is not None:
            numbers = [self.current_frame()]
        asked = Frames.of(image, numbers, request.region)
        settings = (network, self.threshold, layers.only_label, request if request.stages is not None else None)
        layers.begin(request.stages, settings)
        threshold = self.threshold

        def on_result(result: Explained) -> None:
            number, explanation, figures = result
            if image not in self.viewer.layers:
                self.cancel()
                return
            layers.show(explanation, number)
            self.figures = figures
            self.explained.emit()

        kind, verb = ("segment", "Segmenting") if request.stages is None else ("explain", "Explaining")
        what = "the image" if count is None else f"frame {numbers[0]}" if frames == "this" else f"{count} frames"
        job = Job(
            kind,
            f"{verb} {what}",
            lambda: explain_frames(network, asked, request, threshold, lambda: job.cancelled),
            len(numbers),
            on_result,
        )
        self._start(job)

    def cancel(self) -> None:
        """Stop the job before its next frame."""
        if self.job is not None:
            self.job.cancel()

    def current_frame(self) -> int:
        """The number of the chosen cine's frame in view."""
        assert self.image is not None
        at = round(self.image.world_to_data(self.viewer.dims.point)[0])
        return min(max(int(at), 0), (frame_count(self.image) or 1) - 1)

    # What comes back

    def _start(self, job: Job) -> None:
        self.cancel()
        on_result, on_done = job.on_result, job.on_done
        job.on_result = lambda result: self._on_result(job, on_result, result)
        job.on_done = lambda error: self._on_done(job, on_done, error)
        self.job, self.done, self._started = job, 0, time.perf_counter()
        self._worker.submit(job)
        self.job_changed.emit()

    def _on_result(self, job: Job, tell: Callable[[Any], None], result: Any) -> None:
        if job.cancelled or job is not self.job:
            return
        self.done += 1
        tell(result)
        self.job_changed.emit()

    def _on_done(self, job: Job, tell: Callable[[str | None], None], error: str | None) -> None:
        if job is self.job:
            self.job = None
            seconds = time.perf_counter() - self._started
            how = "failed" if error else f"cancelled after {self.done} of {job.total}" if job.cancelled else "done"
            pace = f"{seconds / max(1, self.done):.2f} s" + " per frame" * (job.total > 1)
            self.outcomes[job.kind] = f"{job.title}: {how}, {pace}"
        tell(error)
        if error is not None:
            show_error(error)
        self.job_changed.emit()

    def _on_layers_changed(self, _event: Any = None) -> None:
        images = self.images()
        if self.image not in images:
            self.choose_image(images[-1] if images else None)
        self.layers_changed.emit()
