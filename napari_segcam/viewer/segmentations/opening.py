"""Opening files that belong to an image over it: among the open layers, near the file, or where the user says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog

from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.viewer.layers.cine_layer_data import layer_data_with_notes
from napari_segcam.viewer.mendable_errors import show_error, show_info, show_warning
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.napari_internals.proxies import without_proxy
from napari_segcam.viewer.review.question import Answer, ask
from napari_segcam.viewer.segmentations.file_object import AddLayers, FileObject, unrelated
from napari_segcam.viewer.segmentations.finding_source import OpenImage, files_near, open_images, open_source
from napari_segcam.viewer.worker.activity_bar import Activity, ActivityBar
from napari_segcam.viewer.worker.worker import Job, Worker

ReadObject = Callable[[Path], FileObject]


@dataclass(frozen=True)
class _OverLayers:
    """The layers to add over images that are open, and how many others of the file's images are not."""

    added: list[tuple[Image, AddLayers]]
    missing: int


@dataclass(frozen=True)
class _OverCine:
    """The layers to add over an image that is opened for them."""

    cine: Cine
    data: tuple[Any, dict[str, Any], str]
    add: AddLayers


@dataclass(frozen=True)
class _Left:
    """A file that is not opened, and why."""

    words: str


@dataclass(frozen=True)
class _NotFound:
    """The image is not there, or the one that the user chose is another one, and why."""

    file_object: FileObject
    reason: str = ""


class Openings:
    """The files that a viewer is to open over their images, one after the other, in a thread of their own.

    The session's worker is not used: it may be computing, and a viewer that only shows files need not load torch.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._waiting: deque[tuple[Path, ReadObject, bool]] = deque()
        self._worker: Worker | None = None
        self._job: Job | None = None
        self._bar: ActivityBar | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a file is being opened, or a question about it waits for its answer."""
        return self._worker is not None

    def open(self, path: Path, read: ReadObject, *, over_open_images: bool = False) -> None:
        """Open a file after those that were asked for before.

        Args:
            path: of the file.
            read: reads it, in the worker.
            over_open_images: whether to leave it, with a message, if its image is not open.
        """
        self._waiting.append((path, read, over_open_images))
        if self._worker is None:
            self._worker = Worker()
            self._bar = ActivityBar(self._worker, self._activity)
            _busy.add(self)
            QTimer.singleShot(0, self._open_next)  # after images that are dropped together with it

    def _open_next(self) -> None:
        if not self._waiting or not self._is_open:
            self._end()
            return
        path, read, over_open_images = self._waiting.popleft()
        images = open_images(self._viewer)
        self._start(path, lambda: _look_for_image(path, read, images, only_there=over_open_images))

    def _start(self, path: Path, work: Callable[[], Iterator[Any]]) -> None:
        assert self._worker is not None
        title = f"Opening {path.name}"
        outcome: list[Any] = []

        def take(result: Any) -> None:
            if isinstance(result, str):
                self._viewer.status = result
            else:
                outcome.append(result)

        self._job = Job("open", title, work, on_result=take, on_done=lambda error: self._on_done(path, outcome, error))
        self._worker.submit(self._job)
        self._follow()

    def _activity(self) -> Activity | None:
        return None if self._job is None else Activity(self._job.title, self._job.cancel)

    def _follow(self) -> None:
        if self._bar is not None:
            self._bar.follow()

    def _on_done(self, path: Path, outcome: list[Any], error: str | None) -> None:
        self._job = None
        self._follow()
        self._viewer.status = "Ready"
        if not self._is_open:
            self._end()
            return
        if error is not None:
            show_error(error)
        elif outcome and isinstance(outcome[0], _NotFound):
            self._ask(outcome[0])
            return
        elif outcome and isinstance(outcome[0], _Left):
            show_info(outcome[0].words)
        elif outcome:
            self._add(path, outcome[0])
        self._open_next()

    def _add(self, path: Path, outcome: _OverLayers | _OverCine) -> None:
        viewer = self._viewer
        if isinstance(outcome, _OverCine):
            data, attributes, _ = outcome.data
            image = Image(data, **attributes)
            viewer.add_layer(image)
            show_info(f"{path.name} belongs to {outcome.cine.name}, which was opened with it.")
            if outcome.cine.notes:
                show_warning(f"{outcome.cine.name}: {' '.join(outcome.cine.notes)}")
            outcome.add(viewer, image)
            return
        for image, add in outcome.added:
            if image in viewer.layers:
                add(viewer, image)
            else:
                show_warning(f"{image.name} was removed meanwhile: open {path.name} again.")
        if outcome.missing:
            show_info(f"{path.name} is also about {outcome.missing} images that are not open.")

    def _ask(self, not_found: _NotFound) -> None:
        """Ask for the image of a file."""
        file_object = not_found.file_object
        text = not_found.reason or f"The image that {file_object.path.name} belongs to is not open, nor near it."
        facts = [f"{file_object.path.name} is a {file_object.kind}, drawn over the image that it was made of"]
        if file_object.patient_id:
            facts.append(f"patient ID {file_object.patient_id}")
        if file_object.size:
            facts.append(f"frames of {file_object.size} pixels")
        answers = [
            Answer("Do not open it", self._open_next),
            Answer("Choose the image …", lambda: self._choose(file_object)),
        ]
        if ask(self._viewer, text, facts, answers) is None:
            show_warning(f"{text} Open the image first.")
            self._open_next()

    def _choose(self, file_object: FileObject) -> None:
        canvas, folder = canvas_of(self._viewer), str(file_object.path.parent)
        chosen, _ = QFileDialog.getOpenFileName(canvas, f"The image of {file_object.path.name}", folder)
        if not chosen:
            self._open_next()
            return
        self._start(file_object.path, lambda: _look_at_chosen(file_object, Path(chosen)))

    @property
    def _is_open(self) -> bool:
        return not hasattr(self._viewer, "window") or canvas_of(self._viewer) is not None

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.stop()
        self._worker = None
        self._waiting.clear()
        _busy.discard(self)


def openings_of(viewer: ViewerModel) -> Openings:
    """Return the openings of a viewer, always the same while one is busy."""
    viewer = without_proxy(viewer)
    openings = _openings.get(id(viewer))
    if openings is None:
        openings = _openings[id(viewer)] = Openings(viewer)
    return openings


_openings: WeakValueDictionary[int, Openings] = WeakValueDictionary()
_busy: set[Openings] = set()  # a file that is being opened keeps them alive


def _look_for_image(path: Path, read: ReadObject, images: list[OpenImage], *, only_there: bool) -> Iterator[Any]:
    """Read a file, and find its image: among the open ones, or near it; runs in the worker."""
    yield f"Reading {path.name} …"
    file_object = read(path)
    added: list[tuple[Image, AddLayers]] = []
    covered: set[str] = set()
    for image in images:
        source = image.source()
        uids = set() if source is None else {uid for uid in file_object.uids if source.numbers_of(uid) is not None}
        if source is None or not uids - covered:  # another image, or the same one in a second layer
            continue
        covered |= uids
        _refuse(file_object, image.layer.name, source)
        add = yield from _laid(file_object, source)
        added.append((image.layer, add))
    if added:
        yield _OverLayers(added, len(set(file_object.uids) - covered))
    elif only_there:
        yield _Left(f"{path.name} is about an image that is not in its folder: open it by itself.")
    else:
        yield from _look_near(file_object, path)


def _look_near(file_object: FileObject, path: Path, reason: str = "") -> Iterator[Any]:
    found = yield from files_near(file_object.uids, path, file_object.path.name)
    if not found:
        yield _NotFound(file_object, reason)
        return
    cine, source = open_source(set(found.values()))
    _refuse(file_object, cine.name, source)
    yield from _over_cine(file_object, cine, source)


def _look_at_chosen(file_object: FileObject, chosen: Path) -> Iterator[Any]:
    """Take the image that the user chose, or one near it."""
    yield f"Reading {chosen.name} …"
    try:
        cine, source = open_source({chosen})
        reason = unrelated(file_object, chosen.name, source)
    except SegcamError as fault:
        reason = str(fault)
    if reason:
        yield from _look_near(file_object, chosen, reason)
    else:
        yield from _over_cine(file_object, cine, source)


def _over_cine(file_object: FileObject, cine: Cine, source: SourceImages) -> Iterator[Any]:
    data = layer_data_with_notes(cine)
    add = yield from _laid(file_object, source)
    yield _OverCine(cine, data, add)


def _laid(file_object: FileObject, source: SourceImages) -> Generator[str, None, AddLayers]:
    """Prepare the layers of a file, step by step."""
    for add in file_object.lay(source):
        if add is not None:
            return add
        yield f"Reading {file_object.path.name} …"
    raise AssertionError("The layers of a file were not prepared to the end.")


def _refuse(file_object: FileObject, name: str, source: SourceImages) -> None:
    if reason := unrelated(file_object, name, source):
        raise SegcamError(f"{file_object.path.name} is not opened: {reason}")
