"""The Checkpoint widget: load a network, choose its device, see and edit its model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton, QWidget

from napari_segcam.errors import SegcamError
from napari_segcam.files import natural_key
from napari_segcam.network.ensemble.ensemble_file import is_ensemble_file
from napari_segcam.network.model_card import ModelCard, make_card
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.drawing.theme_colors import highlight
from napari_segcam.viewer.dropped_files.file_drops import accept_drag, open_dropped
from napari_segcam.viewer.functions.parameters import CHECKPOINT_FILES
from napari_segcam.viewer.jobs.color_table_job import color_table_job
from napari_segcam.viewer.jobs.load_offer import Candidate
from napari_segcam.viewer.mendable_errors import show_error, show_info
from napari_segcam.viewer.questions.offers_controller import OffersController
from napari_segcam.viewer.questions.questions_controller import QuestionsController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.losses import ask_before_loading
from napari_segcam.viewer.review.requirements import LOAD_FIRST
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.device_choice import DeviceChoice
from napari_segcam.viewer.widgets.fitting.foldout import Foldout
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.vertical_scroll import VerticalScroll
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.layout import fill, panel, row
from napari_segcam.viewer.widgets.model_card.architecture_form import ArchitectureForm
from napari_segcam.viewer.widgets.model_card.card_form import CardForm
from napari_segcam.viewer.widgets.model_card.card_saving import save_card_beside
from napari_segcam.viewer.widgets.model_card.card_summary import card_text
from napari_segcam.viewer.widgets.model_card.ensembles import confirms_ensemble, save_ensemble
from napari_segcam.viewer.widgets.model_card.recent_models import recent_models, remember
from napari_segcam.viewer.widgets.questions.offer_panel import OfferPanel
from napari_segcam.viewer.widgets.questions.questions_panel import QuestionsPanel
from napari_segcam.viewer.widgets.second_checkpoint.second_panel import SecondPanel

_LAYOUT_MS = 60  # until a form that was opened is laid out
_TABLES = "Color tables (*.csv *.txt *.label *.lbl *.json);;All files (*)"


class _Text:
    """Every text of the widget."""

    NO_NETWORK = "No network loaded. Drop a checkpoint here, or browse for one."
    RECENT = "Recent models …"
    RECENT_TIP = "The models loaded last"
    FILE = "File …"
    FILE_TIP = (
        "A .pth, .pt, .pt2, .ckpt, .safetensors, .onnx or .keras file, or a package as a .zip.\n"
        "Several files can be one network, whose members are averaged."
    )
    FOLDER = "Folder …"
    FOLDER_TIP = "A folder of save_pretrained, bioimage.io, MONAI, Hugging Face or nnU-Net"
    DEVICE = "on"
    TO_CONFIRM = "To confirm: {count}"
    CONFIRMED = "Nothing to confirm"
    EXPECTS = "What the network expects"
    APPLY = "Apply"
    APPLY_TIP = "Load the network again with these settings. Nothing is written to disk."
    SAVE = "Save card …"
    SAVE_TIP = "Write these settings to a file beside the checkpoint. They are used each time it is loaded."
    NO_EDIT = "Change a setting above first."
    NO_FILE = "A card is saved beside a checkpoint file, and this network has none."
    SAVED = "The model card is saved."
    NOT_RECOGNIZED = "If it is not recognized"
    OPEN_FILE = "Open a checkpoint"
    OPEN_TABLE = "Open a color table"
    OPEN_FOLDER = "Open a saved network"
    LOADING = "{title} …"


class CheckpointWidget(QWidget):
    """Browse for or drop a checkpoint; see the network's card, edit it, and save it."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self._requested: ModelSource | None = None  # the last model that was asked for
        self._requested_device = ""
        self._edited: ModelCard | None = None  # the card it was asked for with, if the user edited it
        self._card_text = ""
        self._soon: list[str] = []  # files that were dropped together
        self.setAcceptDrops(True)
        self.recent = Choice(_Text.RECENT_TIP)
        self.browse_file = QPushButton(_Text.FILE)
        self.browse_file.setToolTip(_Text.FILE_TIP)
        self.browse_folder = QPushButton(_Text.FOLDER)
        self.browse_folder.setToolTip(_Text.FOLDER_TIP)
        self.device = DeviceChoice(self.session, lambda: self._load(self._requested, self._edited))
        self.card = Words(selectable=True)
        self.form = CardForm()
        self.apply = QPushButton(_Text.APPLY)
        self.apply.setToolTip(_Text.APPLY_TIP)
        self.save = QPushButton(_Text.SAVE)
        self.save.setToolTip(_Text.SAVE_TIP)
        self.architecture_form = ArchitectureForm()
        questions = controller_of(self.session, QuestionsController)
        self.questions = QuestionsPanel(questions)
        self.offer = OfferPanel(controller_of(self.session, OffersController))
        self.second = SecondPanel(self.session, CHECKPOINT_FILES, lambda: str(self.device.value))
        self._lay_out()

        self.recent.chosen.connect(self._load_recent)
        self.browse_file.clicked.connect(self._browse_file)
        self.browse_folder.clicked.connect(self._browse_folder)
        self.device.chosen.connect(self._load_again)
        self.form.edited.connect(self._refresh)
        self.form.recolored.connect(self._recolor)
        self.form.color_table.clicked.connect(self._browse_color_table)
        self.apply.clicked.connect(self._apply)
        self.save.clicked.connect(self._save)
        self.architecture_form.changed.connect(self._load_again)
        self.architecture_form.built.connect(self._load)
        self.offer.accepted.connect(self._take_candidate)
        self.offer.dismissed.connect(lambda: self.advanced.expand())
        questions.answered.connect(self._on_answer)
        self.questions.counted.connect(self._count_questions)
        self.questions.typed.connect(self._show_field)
        self.session.network_changed.connect(self._on_network)
        self.session.job_changed.connect(self._refresh)
        self._on_network()

    def load(self, path: str) -> None:
        """Load a checkpoint on the chosen device, with the entries of the architecture form."""
        self._load(replace(self.architecture_form.source, path=str(Path(path).absolute())))

    def load_all(self, paths: Sequence[str]) -> None:
        """Load a checkpoint, or several as one network if the user agrees."""
        if len(paths) == 1:
            self.load(paths[0])
        elif paths and confirms_ensemble(self, paths):
            first, *others = [str(Path(path).absolute()) for path in sorted(paths, key=natural_key)]
            self._load(replace(self.architecture_form.source, path=first, others=tuple(others)))

    def load_soon(self, path: str) -> None:
        """Load a checkpoint together with others that are asked for at once, such as files that are dropped."""
        if not self._soon:
            QTimer.singleShot(0, self._load_dropped)
        self._soon = list(dict.fromkeys([*self._soon, path]))  # one that is dropped twice is no ensemble

    def _load_dropped(self) -> None:
        paths, self._soon = self._soon, []
        self.load_all(paths)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        accept_drag(self, event)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        open_dropped(self.session.viewer, event, self.load_soon)

    def _lay_out(self) -> None:
        browse = row(self.browse_file, self.browse_folder, QLabel(_Text.DEVICE), self.device)
        self.asking = Foldout(_Text.CONFIRMED)
        self.asking.addWidget(self.questions)
        self.editing = Foldout(_Text.EXPECTS)
        self.editing.addWidget(self.form)
        self.editing.addWidget(self.apply)
        self.advanced = Foldout(_Text.NOT_RECOGNIZED)
        self.advanced.addWidget(self.architecture_form)
        content = QWidget()
        asked = (self.offer, self.card, self.second, self.asking)
        panel(content, self.recent, browse, *asked, self.editing, self.save, self.advanced)
        content.layout().addStretch()
        self._area = VerticalScroll(content)
        fill(self, self._area)

    # Loading

    def _load(self, source: ModelSource | None, card: ModelCard | None = None) -> None:
        if source is None or (source.factory is not None and not self.architecture_form.confirms(source.factory)):
            return
        self.session.question = ask_before_loading(self.session, lambda: self._load_now(source, card))

    def _load_now(self, source: ModelSource, card: ModelCard | None) -> None:
        self._remember_request(source, card)
        self.session.load(source, self.device.value, card)

    def _remember_request(self, source: ModelSource, card: ModelCard | None = None) -> None:
        self._requested, self._requested_device, self._edited = source, self.device.value, card
        if source.path is not None:
            self.architecture_form.offer_checkpoint(source.path)

    def _load_again(self) -> None:
        """Load the same model again if the device or the architecture form has changed."""
        if self._requested is None:
            return
        requested = self._requested
        source = replace(
            self.architecture_form.source,
            path=requested.path,
            factory=requested.factory,
            others=requested.others,
            accept_structure=requested.accept_structure,
        )
        if (source, self.device.value) != (self._requested, self._requested_device):
            self._load(source, self._edited)

    def _load_recent(self, source: ModelSource | None) -> None:
        if source is not None:
            self.architecture_form.show_source(source)
            self._load(source)

    def _browse_file(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, _Text.OPEN_FILE, self._folder(), CHECKPOINT_FILES)
        self.load_all(paths)

    def _browse_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, _Text.OPEN_FOLDER, self._folder()):
            self.load(path)

    def _folder(self) -> str:
        return str(Path(self._requested.path).parent) if self._requested is not None and self._requested.path else ""

    # The card

    def _apply(self) -> None:
        source, card = self.session.source, self._edited_card()
        if source is not None and card is not None:
            self.architecture_form.output.setText(card.output or "")  # the card was edited last
            self._load(replace(source, output=card.output), card)

    def _save(self) -> None:
        source, card = self.session.source, self._edited_card()
        if source is None or source.path is None or card is None:
            return
        if source.others or is_ensemble_file(Path(source.path)):
            save_ensemble(self, self.session, source, card, self._on_saved)
        else:
            save_card_beside(self, self.session, source.path, card, self._on_saved)

    def _on_saved(self) -> None:
        show_info(_Text.SAVED)
        if self.form.has_edits:
            self._apply()

    def _edited_card(self) -> ModelCard | None:
        """Return the card in the form, with the network's architecture; if it is invalid, show why and return None."""
        source = self.session.source
        fields = {"architecture": source.architecture, "encoder": source.encoder} if source is not None else {}
        try:
            return make_card({name: value for name, value in fields.items() if value}, self.form.card())
        except SegcamError as error:
            show_error(str(error))
            return None

    def _browse_color_table(self) -> None:
        network = self.session.network
        path, _ = QFileDialog.getOpenFileName(self, _Text.OPEN_TABLE, self._folder(), _TABLES)
        if path and network is not None:
            self.session.start_job(color_table_job(network, Path(path), self._take_table))

    def _take_table(self, fields: dict[str, Any]) -> None:
        """Show the names and colors of a table in the form; *Apply* and *Save card* use them."""
        self.form.classes.rename(fields["class_names"], fields.get("class_colors", ()))

    def _recolor(self) -> None:
        self.session.set_class_colors(self.form.classes.colors())
        self._show_card()

    # The questions

    def _on_answer(self, card: ModelCard) -> None:
        self._edited = card  # it stays if the network is loaded again, for example on another device
        self.architecture_form.output.setText(card.output or "")

    def _take_candidate(self, candidate: Candidate) -> None:
        """Load the file in the way that the user has chosen."""
        self.architecture_form.output.setText(candidate.source.output or "")
        self._load(candidate.source, self._edited)

    def _count_questions(self, count: int) -> None:
        """Open the questions while there are any without an answer."""
        self.asking.setText(_Text.TO_CONFIRM.format(count=count) if count else _Text.CONFIRMED)
        if count:
            self.asking.expand()
        else:
            self.asking.collapse()

    def _show_field(self, name: str) -> None:
        """Show the field of the form in which a question is answered."""
        self.editing.expand()
        self.form.field(name).setFocus(Qt.FocusReason.OtherFocusReason)
        QTimer.singleShot(_LAYOUT_MS, self._scroll_to_focus)  # a method: Qt forgets it if the widget is closed

    def _scroll_to_focus(self) -> None:
        if (field := self.focusWidget()) is not None:
            self._area.ensureWidgetVisible(field)

    # Showing

    def _on_network(self) -> None:
        network, source = self.session.network, self.session.source
        if network is not None:
            self.form.show_card(network, self.session.class_colors)
        self._show_card()
        if source is not None and source == self._requested:
            remember(replace(source, accept_structure=0))  # it is asked again unless the card says it
        elif source is not None:  # it was not loaded by this widget
            self._remember_request(source)
        self._offer_recent()

    def _offer_recent(self) -> None:
        models = recent_models()
        self.recent.offer([(_Text.RECENT, None), *((model.label, model) for model in models)])
        for index, model in enumerate(models, start=1):
            self.recent.setItemData(index, model.path, Qt.ItemDataRole.ToolTipRole)
            self.recent.model().item(index).setEnabled(model.is_there)
        source = self.session.source
        is_first = bool(models) and source is not None and models[0] == replace(source, accept_structure=0)
        self.recent.setCurrentIndex(int(is_first))

    def _show_card(self) -> None:
        network = self.session.network
        colors = self.session.class_colors
        self._card_text = "" if network is None else card_text(network, colors, highlight(self).name())
        self._refresh()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self.session.network is not None:
            self._show_card()  # in the colors of another theme

    def _refresh(self) -> None:
        job, source = self.session.job, self.session.source
        loading = _Text.LOADING.format(title=job.title) if job is not None and job.kind == "load" else ""
        text = "<br>".join(filter(None, (escape(loading), self._card_text))) or _Text.NO_NETWORK
        if self.card.text() != text:
            self.card.setText(text)
            self.card.setToolTip("" if source is None else source.path or "")
        self.asking.setVisible(self.session.network is not None)
        missing = loading or (LOAD_FIRST if source is None else None)
        set_usable(self.editing, missing)
        set_usable(self.apply, missing or (None if self.form.has_edits else _Text.NO_EDIT))
        no_file = None if source is not None and source.path else _Text.NO_FILE
        set_usable(self.save, missing or no_file)
