"""The PACS of a window: servers, search, pictures, opening and sending, and the threads of all of them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QWidget

from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.pacs.connecting import Connect, Servers, connect_to
from napari_segcam.viewer.pacs.image_names import layer_name
from napari_segcam.viewer.pacs.kept_files import TemporaryFolder
from napari_segcam.viewer.pacs.opening import Opening
from napari_segcam.viewer.pacs.pacs_activity import PacsActivity
from napari_segcam.viewer.pacs.pictures import Pictures
from napari_segcam.viewer.pacs.searching import Criteria, Searching
from napari_segcam.viewer.pacs.sending import Sending
from napari_segcam.viewer.pacs.threads import PacsThreads
from napari_segcam.viewer.review.outputs import last_export
from napari_segcam.viewer.review.session import ReviewSession

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.found import FoundInstance, FoundSeries

NO_IMAGE = "{name} holds no image that can be opened."


class PacsController(QObject):
    """One per session, as its child; found by ``controller_of``. It does nothing until a dock asks for something."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self.threads = threads = PacsThreads(self)
        self.temporary = TemporaryFolder(session.viewer)
        self.servers = Servers(threads.settings, self)
        self.searching = Searching(threads.search, threads.listing, self)
        self.pictures = Pictures(threads.pictures, self)
        self.opening = Opening(session, threads.transfer, self.temporary)
        self.sending = Sending(session, threads.sending)
        self.session = session
        self._to_open: FoundSeries | None = None
        self.searching.listed.connect(self._on_listed)
        PacsActivity(threads, self.searching, self.opening, self.sending, self)
        canvas = canvas_of(session.viewer)
        if canvas is not None:
            end_with(canvas.window(), self)

    def close(self) -> None:
        """End all that is under way, and delete the temporary folder."""
        ending = self.threads.end()
        self.opening.end()
        self.temporary.delete(ending)

    # Finding and opening

    def search(self, criteria: Criteria) -> None:
        """Search the chosen server; the small pictures of an earlier search are no longer loaded."""
        connect = self.connect_chosen()
        if connect is not None:
            self.pictures.begin(connect)
            self.searching.search(connect, criteria)

    def forget_found(self) -> None:
        """Forget what was found, which belongs to another server."""
        self.pictures.stop()
        self.searching.forget()

    def list_instances(self, series: FoundSeries) -> None:
        """Ask for the images of a series."""
        connect = self.connect_chosen()
        if connect is not None:
            self.searching.list_instances(connect, series)

    def open_series(self, series: FoundSeries) -> None:
        """Open all images of a series, once they are known."""
        instances = self.searching.instances.get(series.series_uid)
        if instances is None:
            self._to_open = series
            self.list_instances(series)
        else:
            self.open_instances(series, instances)

    def open_instances(self, series: FoundSeries, instances: Sequence[FoundInstance]) -> None:
        """Open images of a series."""
        connect = self.connect_chosen()
        images = [instance for instance in instances if instance.is_image]
        if not images:
            self.opening.failed.emit(NO_IMAGE.format(name=series.series_description or series.modality))
        elif connect is not None:
            is_only = series.instances == 1 or len(self.searching.instances.get(series.series_uid, images)) == 1
            self.opening.open(connect, [(each, layer_name(series, each, is_only=is_only)) for each in images])

    def _on_listed(self, series: FoundSeries, instances: list[FoundInstance]) -> None:
        if self._to_open is not None and series == self._to_open:
            self._to_open = None
            self.open_instances(series, instances)

    def connect_chosen(self) -> Connect | None:
        """Return what connects to the chosen server; None if there is none."""
        return None if self.servers.chosen is None else connect_to(self.servers.chosen)

    @property
    def last_export(self) -> Path | None:
        """The folder of the last export in this window; None if there was none."""
        return last_export(self.session)


def end_with(window: QWidget, controller: PacsController) -> None:
    """Close a controller when its window is gone; it may be gone before."""
    owner, temporary = weakref.ref(controller), controller.temporary

    def close() -> None:
        if (live := owner()) is not None:
            live.close()
        else:
            temporary.delete()

    window.destroyed.connect(close)
