"""The PACS widget: search a server, see small pictures, open a cine as it comes, and send results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.components import ViewerModel
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QTabWidget,
    QWidget,
)

from napari_segcam.viewer.pacs.pacs_controller import PacsController
from napari_segcam.viewer.pacs.searching import Criteria
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.layout import Line, form, panel, row, scrolled_panel
from napari_segcam.viewer.widgets.pacs.image_list import ImageList
from napari_segcam.viewer.widgets.pacs.search_form import SearchForm
from napari_segcam.viewer.widgets.pacs.send_panel import SendPanel
from napari_segcam.viewer.widgets.pacs.series_table import SeriesTable
from napari_segcam.viewer.widgets.pacs.server_dialog import ServerDialog

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.found import FoundInstance, FoundSeries
    from napari_segcam.imaging.dicomweb.servers import Server


class _Text:
    """Every text of the widget."""

    NO_SERVER = (
        "No PACS is configured. No network connection is made until you configure a server.\n\n"
        "You need the address of its DICOMweb services, such as https://pacs.example.org/dicom-web."
    )
    READING = "Looking for configured servers …"
    ADD_FIRST = "Add a PACS …"
    SERVER = "Server"
    SERVER_TIP = "The PACS that is searched, and that results are sent to"
    ADD = "Add …"
    EDIT = "Edit …"
    OF_ENVIRONMENT = "This server is configured by environment variables (NAPARI_SEGCAM_PACS_URL)"
    FIND = "Find"
    SEND = "Send"
    IMAGES = "{count} images. Select some of them, or open all."
    OPEN = "Open"
    OPEN_SOME = "Open {count}"
    OPEN_ALL = "Open all {count}"
    SELECT_FIRST = "Select a series in the list first."
    OPEN_TIP = "Open the selected series; its frames can be seen as they come (double click, Enter)"
    KEEP = "Keep in"
    KEEP_TIP = "Where the files of opened images go"
    TEMPORARY = "temporary folder"
    CHOOSE = "Choose a folder …"
    KEEP_TITLE = "Keep the files of opened images in"
    STOP = "Stop"
    STOPPED = "Stopped. An image that had not come completely is not kept."
    OPENED = "{name} is open."


class PacsWidget(QWidget):
    """Search, open and send; everything that takes time happens in threads."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self.controller = controller = controller_of(self.session, PacsController)
        self.dialog: ServerDialog | None = None
        self.server = Choice(_Text.SERVER_TIP)
        self.add, self.edit = QPushButton(_Text.ADD), QPushButton(_Text.EDIT)
        self.add_first = QPushButton(_Text.ADD_FIRST)
        self.first_words = Words(_Text.READING)
        self.form = SearchForm()
        self.found = Line()
        self.table = SeriesTable(controller.pictures)
        self.count = QLabel()
        self.images = ImageList(controller.pictures)
        self.open = QPushButton(_Text.OPEN)
        self.open.setToolTip(_Text.OPEN_TIP)
        self.keep = Choice(_Text.KEEP_TIP)
        self._offer_folders(None)
        self.progress = QProgressBar()
        self.progress_words = Line()
        self.stop = QPushButton(_Text.STOP)
        self._progress_row = row(self.progress, self.stop)
        self.send_panel = SendPanel(controller)
        self.tabs = QTabWidget()
        self.tabs.addTab(self._find_page(), _Text.FIND)
        self.tabs.addTab(self.send_panel, _Text.SEND)
        self.message = Words(selectable=True)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._first_page())
        self._pages.addWidget(self._main_page())
        contents = scrolled_panel(self, self._pages, self.message)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        contents.setStretch(0, 1)
        self._connect()
        self._show_servers()
        self._show_series()
        self._show_opening()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        super().showEvent(event)
        if not self.controller.servers.is_read:
            self.controller.servers.read()

    # Layout

    def _first_page(self) -> QWidget:
        page = QWidget()
        panel(page, self.first_words, self.add_first)
        page.layout().addStretch(1)
        return page

    def _find_page(self) -> QWidget:
        page = QWidget()
        panel(
            page,
            self.form,
            self.found,
            self.table,
            self.count,
            self.images,
            row(self.open, QLabel(_Text.KEEP), self.keep),
            self.progress_words,
            self._progress_row,
        )
        page.layout().setStretch(2, 1)
        return page

    def _main_page(self) -> QWidget:
        page = QWidget()
        panel(page, form((_Text.SERVER, row(self.server, self.edit, self.add))), self.tabs)
        page.layout().setContentsMargins(0, 0, 0, 0)
        page.layout().setStretch(1, 1)
        return page

    def _connect(self) -> None:
        controller = self.controller
        self.add_first.clicked.connect(lambda: self._ask_server(None))
        self.add.clicked.connect(lambda: self._ask_server(None))
        self.edit.clicked.connect(lambda: self._ask_server(controller.servers.chosen))
        self.server.chosen.connect(self._choose_server)
        self.form.searched.connect(self._search)
        self.form.stopped.connect(controller.searching.cancel)
        self.table.current_changed.connect(self._on_series)
        self.table.chosen.connect(self._open_series)
        self.images.chosen.connect(lambda instance: self._open([instance]))
        self.images.itemSelectionChanged.connect(self._show_open)
        self.open.clicked.connect(self._open_selected)
        self.keep.chosen.connect(self._choose_folder)
        self.stop.clicked.connect(controller.opening.cancel)
        for seen in (self.table.seen, self.images.seen):
            seen.connect(self._want_pictures)
        controller.servers.changed.connect(self._show_servers)
        controller.searching.found.connect(self._show_series)
        controller.searching.changed.connect(self._show_search)
        controller.searching.listed.connect(self._on_listed)
        controller.opening.changed.connect(self._show_opening)
        controller.opening.opened.connect(lambda image: self._say(_Text.OPENED.format(name=image.name)))
        for said in (controller.sending.sent, controller.servers.said, controller.searching.said):
            said.connect(self._say)
        controller.opening.stopped.connect(lambda: self._say(_Text.STOPPED))
        for part in (controller.servers, controller.searching, controller.opening, controller.sending):
            part.failed.connect(self._fail)

    # Servers

    def _ask_server(self, server: Server | None) -> None:
        dialog = self.dialog = ServerDialog(server, self.window())
        servers = self.controller.servers
        dialog.entered.connect(servers.save)
        dialog.removed.connect(servers.remove)
        servers.saved.connect(dialog.accept)
        servers.failed.connect(dialog.say)
        dialog.open()

    def _choose_server(self, name: str) -> None:
        self.controller.servers.choose(name)
        self.controller.forget_found()
        self._say("")

    def _show_servers(self) -> None:
        servers = self.controller.servers
        self._pages.setCurrentIndex(1 if servers.known else 0)
        self.first_words.setText(_Text.NO_SERVER if servers.is_read else _Text.READING)
        self.add_first.setVisible(servers.is_read)
        chosen = None if servers.chosen is None else servers.chosen.name
        self.server.offer([(server.name, server.name) for server in servers.known], chosen)
        if servers.chosen is not None:
            self.server.setToolTip(f"{_Text.SERVER_TIP}\n{servers.chosen.url}")
            is_own = servers.chosen.source == "settings"
            set_usable(self.edit, None if is_own else _Text.OF_ENVIRONMENT)

    # Finding

    def _search(self, criteria: Criteria) -> None:
        self._say("")
        self.controller.search(criteria)

    def _show_search(self) -> None:
        searching = self.controller.searching
        self.form.show_busy(is_busy=searching.is_searching)
        self.found.set_text(searching.words)
        self.found.setToolTip(searching.words)

    def _show_series(self) -> None:
        self.table.show_series(self.controller.searching.series)
        self._show_search()

    def _on_series(self) -> None:
        """Ask for the images of the selected series, if it has several."""
        series = self.table.current
        known = None if series is None else self.controller.searching.instances.get(series.series_uid)
        if series is not None and known is None and series.instances != 1:
            self.controller.list_instances(series)
        self._show_images(known or [])

    def _on_listed(self, series: FoundSeries, instances: list[FoundInstance]) -> None:
        if series == self.table.current:
            self._show_images(instances)

    def _show_images(self, instances: list[FoundInstance]) -> None:
        several = len(instances) > 1
        self.count.setVisible(several)
        self.images.setVisible(several)
        self.count.setText(_Text.IMAGES.format(count=len(instances)))
        self.images.show_instances(instances if several else [])
        self._show_open()

    def _show_open(self) -> None:
        selected, count = self.images.selected(), len(self.images.instances)
        words = _Text.OPEN_SOME.format(count=len(selected)) if selected else _Text.OPEN_ALL.format(count=count)
        self.open.setText(words if count > 1 else _Text.OPEN)
        set_usable(self.open, _Text.SELECT_FIRST if self.table.current is None else None)

    def _want_pictures(self) -> None:
        images = [(instance.uid, instance) for instance in self.images.in_sight()]
        series = [(series.series_uid, series) for series in self.table.in_sight()]
        self.controller.pictures.want([*images, *series])

    # Opening

    def _open_selected(self) -> None:
        selected = self.images.selected()
        if selected:
            self._open(selected)
        elif self.table.current is not None:
            self._open_series(self.table.current)

    def _open_series(self, series: FoundSeries) -> None:
        self._say("")
        self.controller.open_series(series)

    def _open(self, instances: list[FoundInstance]) -> None:
        self._say("")
        if self.table.current is not None:
            self.controller.open_instances(self.table.current, instances)

    def _show_opening(self) -> None:
        opening = self.controller.opening
        here, total = opening.frames
        self.progress_words.set_text(opening.words)
        self.progress_words.setToolTip(opening.words)
        self.progress_words.setVisible(bool(opening.words))
        self._progress_row.setVisible(opening.is_busy)
        self.progress.setRange(0, total)
        self.progress.setValue(here)

    def _offer_folders(self, folder: Path | None) -> None:
        kept = [] if folder is None else [(folder.name or str(folder), str(folder))]
        self.keep.offer([(_Text.TEMPORARY, ""), *kept, (_Text.CHOOSE, None)], "" if folder is None else str(folder))
        self.keep.setToolTip(f"{_Text.KEEP_TIP}: {_Text.TEMPORARY if folder is None else folder}")

    def _choose_folder(self, value: str | None) -> None:
        opening = self.controller.opening
        if value is None:
            value = QFileDialog.getExistingDirectory(self, _Text.KEEP_TITLE) or str(opening.folder or "")
        opening.folder = Path(value) if value else None
        self._offer_folders(opening.folder)

    # Words

    def _fail(self, words: str) -> None:
        self._say(f"⚠ {words}")

    def _say(self, words: str) -> None:
        self.message.setText(words)
        self.message.setVisible(bool(words))
