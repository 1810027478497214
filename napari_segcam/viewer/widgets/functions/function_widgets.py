"""The Segment and Explain widgets: the functions ``segment`` and ``explain`` as forms, run by the session's worker."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from magicgui.widgets import FunctionGui
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.types import LayerDataTuple
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QProgressBar, QPushButton, QWidget

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.drawing.colormaps import class_colormap
from napari_segcam.viewer.functions.explaining import empty_words, explain, explain_frames
from napari_segcam.viewer.functions.frame_runs import FunctionRequest
from napari_segcam.viewer.functions.given_image import GivenImage, given_image
from napari_segcam.viewer.functions.networks import CHOOSE_FIRST, is_unset, network_of
from napari_segcam.viewer.functions.segmenting import segment, segment_frames
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.mendable_errors import show_error, show_warning
from napari_segcam.viewer.review.requirements import missing_image
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.functions.form_page import FormPage
from napari_segcam.viewer.widgets.layout import row
from napari_segcam.viewer.worker.background import Progress
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with these
    from napari_segcam.explanation.slow_methods.control import ProgressControl
    from napari_segcam.network.network import Network

Work = Callable[[GivenImage, "Network", FunctionRequest, "ProgressControl"], Generator[int, None, list[LayerDataTuple]]]

_DETAIL_MS = 500


class _Text:
    """Every text of the widgets."""

    SEGMENT, EXPLAIN, STOP = "Segment", "Explain", "Stop"
    SEGMENTING, EXPLAINING = "Segmenting {name}", "Explaining {name}"
    DONE, DETAIL = "{done} of {total}", "{stage}: {done} of {total} runs of the network"
    LOADING = "Loading {name} …"
    BUSY = "Something is still running: wait, or stop it."
    ADDED = "{count} layers added over {name}."
    ADDED_ONE = "One layer added over {name}."
    ALONE = "Masks and maps as layers of their own. The workspace also follows the cine and keeps corrections."


class FunctionWidget(FunctionGui[..., None]):
    """A function as a form, with its progress and Stop; results become layers over the chosen image.

    Args:
        viewer: that shows the image.
        function: whose parameters the form has.
        title: of a run; ``{name}`` is the image's.
        verb: of the button.
        work: computes the layers.
    """

    def __init__(self, viewer: ViewerModel, function: Callable[..., Any], title: str, verb: str, work: Work) -> None:
        self.session = session = session_of(viewer)
        self._title, self._work = title, work
        self._page: FormPage | None = None
        self._job: Job | None = None
        self._run_now: _Run | None = None
        self._added: WeakKeyDictionary[Layer, int] = WeakKeyDictionary()
        super().__init__(_form_of(function, self._run), call_button=verb)
        image: Any = self["image"]
        image.choices = lambda _widget: session.choices.images()  # napari's own choice includes our heatmaps
        self.progress = QProgressBar()
        self.stop = QPushButton(_Text.STOP)
        self.message = Words(_Text.ALONE)
        self._running = row(self.progress, self.stop)
        form = self.native
        layout = form.layout()
        layout.addWidget(self._running)
        layout.addWidget(self.message)
        layout.addStretch(1)
        self._running.setVisible(False)
        self._page = FormPage(form)
        self._timer = QTimer(self._running)  # within a frame that takes minutes, the worker reports no results
        self._timer.setInterval(_DETAIL_MS)
        self._timer.timeout.connect(self._show_detail)
        self.stop.clicked.connect(session.background.cancel)
        session.background.changed.connect(self._on_background)
        session.layers_changed.connect(self.reset_choices)

    @property
    def native(self) -> QWidget:
        """The widget for a window."""
        return self._page if self._page is not None else super().native

    def _run(self, **values: Any) -> None:
        """Start a run with the values of the form, and show why if that is not possible."""
        image, heat = values.pop("image"), "stages" in values
        try:
            if (missing := self._missing(image, heat=heat)) is not None:
                raise SegcamError(missing)
            if is_unset(values["checkpoint"]):
                raise SegcamError(CHOOSE_FIRST)
            given = given_image(image)
        except SegcamError as fault:
            show_error(str(fault))
            self.message.setText(str(fault))
            return
        checkpoint, device = values.pop("checkpoint"), values.pop("device")
        run = _Run(given, checkpoint, device, FunctionRequest(**values) if heat else FunctionRequest((), **values))

        def create_job(cancelled: Callable[[], bool]) -> Job:
            title = self._title.format(name=given.name)
            self._run_now = run
            self._job = Job("function", title, lambda: run.steps(self._work, cancelled), len(given.cine))
            return self._job

        if self.session.background.job is None:
            self.message.setText(_Text.LOADING.format(name=checkpoint.name))
        self.session.background.start(create_job, lambda: self._add(run))

    def _missing(self, image: Image | None, *, heat: bool) -> str | None:
        """Return why the image cannot be used now, in words; None if it can."""
        hiding = self.session.reviews.hiding
        hidden = hiding.reason_of_heat(image) if heat else hiding.reason(image)
        return hidden or missing_image(image)

    def _on_background(self) -> None:
        """Show the progress of this widget's run, and how it ended."""
        background = self.session.background
        is_running = self._job is not None and background.job is self._job
        self._running.setVisible(is_running)
        (self._timer.start if is_running else self._timer.stop)()
        set_usable(self.call_button.native, None if background.job is None else _Text.BUSY)
        progress = background.progress
        if is_running and progress is not None:
            self.progress.setRange(0, progress.total)
            self.progress.setValue(progress.done)
        if progress is not None and self._job is not None and (is_running or background.job is None):
            self.message.setText(progress.words)
        if background.job is None:
            self._job = self._run_now = None

    def _show_detail(self) -> None:
        if self._run_now is not None and self._run_now.detail:
            self.message.setText(self._run_now.detail)

    def _add(self, run: _Run) -> None:
        """Add the layers of a run over its image."""
        viewer, image = self.session.viewer, run.image.layer
        for words in run.notes:
            show_warning(words)
        below = viewer.layers.index(image) + 1 if image in viewer.layers else len(viewer.layers)
        for data, attributes, kind in run.layers:
            self._drop_earlier(attributes["name"])
            layer = Layer.create(data, dict(attributes), kind)
            with keep_selection(viewer.layers):
                viewer.layers.insert(min(below, len(viewer.layers)), layer)
            below += 1
            self._added[layer] = _checksum(layer)

    def _drop_earlier(self, name: str) -> None:
        """Remove the layer of an earlier run; one that somebody has changed stays, and napari numbers the new one."""
        layers = self.session.viewer.layers
        for layer in [layer for layer in layers if layer.name == name and layer in self._added]:
            if self._added[layer] == _checksum(layer):
                layers.remove(layer)


class _Run:
    """One run: what it works on, and the layers that it makes in the worker.

    Attributes:
        image: the frames.
        layers: empty until the end.
        notes: what the user should know of the network and the results.
        detail: how far a method that runs the network many times is within a frame, in words.
    """

    def __init__(self, image: GivenImage, checkpoint: Any, device: str, request: FunctionRequest) -> None:
        self.image, self._request = image, request
        self._checkpoint, self._device = checkpoint, device
        self.layers: list[LayerDataTuple] = []
        self.notes: list[str] = []
        self.detail = ""

    def steps(self, work: Work, cancelled: Callable[[], bool]) -> Iterator[Progress]:
        """Do the work in the worker, and yield the progress after each frame."""
        from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl

        network = network_of(self._checkpoint, self._device, self.notes.append)
        total, frames = (
            len(self.image.cine),
            work(self.image, network, self._request, ProgressControl(progress=self._on_detail, cancelled=cancelled)),
        )
        yield Progress(0, total, _Text.DONE.format(done=0, total=total))
        try:
            while True:
                done = next(frames)
                self.detail = ""
                yield Progress(done, total, _Text.DONE.format(done=done, total=total))
        except StopIteration as end:
            self.layers = end.value
        except Cancelled:
            return
        words = _Text.ADDED_ONE if len(self.layers) == 1 else _Text.ADDED
        self.notes += empty_words([layer for layer in self.layers if layer[2] == "image"])
        yield Progress(total, total, words.format(count=len(self.layers), name=self.image.name))

    def _on_detail(self, stage: str, done: int, total: int) -> None:
        self.detail = _Text.DETAIL.format(stage=stage, done=done, total=total)


class SegmentWidget(FunctionWidget):
    """``segment`` as a form."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer, segment, _Text.SEGMENTING, _Text.SEGMENT, _segment)


class ExplainWidget(FunctionWidget):
    """``explain`` as a form."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer, explain, _Text.EXPLAINING, _Text.EXPLAIN, explain_frames)


def _segment(
    image: GivenImage, network: Network, request: FunctionRequest, control: ProgressControl
) -> Generator[int, None, list[LayerDataTuple]]:
    """Segment all frames; return the mask as a layer with the colors of the workspace."""
    labels = yield from segment_frames(image, network, request, control)
    one_class = network.classes_overlap and network.classes > 1
    name = f"{image.name} segmentation"
    if request.class_name != "":
        name += f" {request.class_name}"
    attributes = {
        "name": name,
        "colormap": class_colormap(1 if one_class else network.classes, () if one_class else network.card.class_colors),
        **image.transform((1.0, 1.0), (0.0, 0.0)),
    }
    return [LayerDataTuple((labels, attributes, "labels"))]


def _form_of(function: Callable[..., Any], run: Callable[..., None]) -> Callable[..., None]:
    """Return a function with the name, parameters and docstring of another that passes its arguments on by name."""

    def form(*args: Any, **kwargs: Any) -> None:
        run(**signature.bind(*args, **kwargs).arguments)

    signature = inspect.signature(function).replace(return_annotation=None)
    form.__name__, form.__doc__ = function.__name__, function.__doc__
    form.__signature__ = signature  # type: ignore[attr-defined]
    form.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return form


def _checksum(layer: Layer) -> int:
    return zlib.crc32(np.ascontiguousarray(layer.data).data)
