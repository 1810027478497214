"""The Checkpoint widget: which network, where it runs, and what it is."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path

from napari.components import ViewerModel
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import ModelCard, make_card
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.review.losses import ask_before_loading
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.layout import panel
from napari_segcam.viewer.widgets.model_card.architecture_form import ArchitectureForm
from napari_segcam.viewer.widgets.model_card.card_form import CardForm
from napari_segcam.viewer.widgets.model_card.card_saving import save_card_beside
from napari_segcam.viewer.widgets.model_card.card_summary import card_text
from napari_segcam.viewer.widgets.model_card.recent_models import recent_models, remember

_NOTHING = "No network loaded. Drop a checkpoint here, or browse for one."
_TYPES = "Checkpoints (*.pth *.pt *.pt2 *.ckpt *.bin *.safetensors);;All files (*)"


class CheckpointWidget(QWidget):
    """Browse for or drop a checkpoint; see the network's card, set what is assumed in it, and save it."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self._asked: ModelSource | None = None
        self._asked_device = ""
        self._card: ModelCard | None = None  # that was given by hand
        self._card_text = ""
        self.setAcceptDrops(True)
        self.recent = Choice("The models loaded last")
        self.browse_file = QPushButton("File …")
        self.browse_file.setToolTip("A .pth, .pt, .pt2, .ckpt or .safetensors file")
        self.browse_folder = QPushButton("Folder …")
        self.browse_folder.setToolTip("A folder written by save_pretrained of segmentation-models-pytorch")
        self.device = Choice("Where the network runs")
        self.device.offer([("auto", "auto"), ("CUDA", "cuda"), ("MPS", "mps"), ("CPU", "cpu")])
        self.card = QLabel()
        self.card.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.card.setWordWrap(True)
        self.card.setMinimumWidth(1)  # however long the file's name is
        self.form = CardForm()
        self.apply = QPushButton("Apply")
        self.apply.setToolTip("Load the network again with this card; nothing is written")
        self.save = QPushButton("Save card …")
        self.save.setToolTip("Write this card beside the checkpoint, where it is found whenever that is loaded")
        self.by_hand = ArchitectureForm()
        self._lay_out()

        self.recent.chosen.connect(self._load_recent)
        self.browse_file.clicked.connect(self._browse_file)
        self.browse_folder.clicked.connect(self._browse_folder)
        self.device.chosen.connect(self._load_again)
        self.form.edited.connect(self._refresh)
        self.form.recolored.connect(self._recolor)
        self.apply.clicked.connect(self._apply)
        self.save.clicked.connect(self._save)
        self.by_hand.changed.connect(self._load_again)
        self.by_hand.built.connect(self._load)
        self.session.network_changed.connect(self._on_network)
        self.session.job_changed.connect(self._refresh)
        self._on_network()

    def load(self, path: str) -> None:
        """Load a checkpoint with the chosen device and what was given by hand."""
        self._load(replace(self.by_hand.source, path=str(Path(path).absolute())))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        self.load(next(url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()))
        event.acceptProposedAction()

    def _lay_out(self) -> None:
        browse = QHBoxLayout()
        for widget in (self.browse_file, self.browse_folder, QLabel("on"), self.device):
            browse.addWidget(widget)
        buttons = QWidget()
        row = QHBoxLayout(buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.apply)
        row.addWidget(self.save)
        self.editing = QCollapsible("What the network expects")
        self.editing.addWidget(self.form)
        self.editing.addWidget(buttons)
        self.advanced = QCollapsible("If it is not recognized")
        self.advanced.addWidget(self.by_hand)
        inside = QWidget()
        panel(inside, self.recent, browse, self.card, self.editing, self.advanced)
        inside.layout().addStretch()
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)

    # What is loaded

    def _load(self, source: ModelSource, card: ModelCard | None = None) -> None:
        if source.factory is not None and not self.by_hand.confirms(source.factory):
            return
        self.session.question = ask_before_loading(self.session, lambda: self._load_now(source, card))

    def _load_now(self, source: ModelSource, card: ModelCard | None) -> None:
        self._note(source, card)
        self.session.load(
            source.path,
            self.device.value,
            source.architecture,
            source.encoder,
            factory=source.factory,
            output=source.output,
            weights=source.weights,
            card=card,
        )

    def _note(self, source: ModelSource, card: ModelCard | None = None) -> None:
        self._asked, self._asked_device, self._card = source, self.device.value, card
        if source.path is not None:
            self.by_hand.offer_checkpoint(source.path)

    def _load_again(self) -> None:
        """On another device, or by what was given by hand since."""
        if self._asked is None:
            return
        source = replace(self.by_hand.source, path=self._asked.path, factory=self._asked.factory)
        if (source, self.device.value) != (self._asked, self._asked_device):
            self._load(source, self._card)

    def _load_recent(self, source: ModelSource | None) -> None:
        if source is not None:
            self.by_hand.show_source(source)
            self._load(source)

    def _browse_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a checkpoint", self._folder(), _TYPES)
        if path:
            self.load(path)

    def _browse_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "Open a saved network", self._folder()):
            self.load(path)

    def _folder(self) -> str:
        return str(Path(self._asked.path).parent) if self._asked is not None and self._asked.path else ""

    # Its card

    def _apply(self) -> None:
        source, card = self.session.source, self._edited_card()
        if source is not None and card is not None:
            self.by_hand.output.setText(card.output or "")  # the form shows the same, and was touched later
            self._load(replace(source, output=card.output), card)

    def _save(self) -> None:
        source, card = self.session.source, self._edited_card()
        if source is not None and source.path is not None and card is not None:
            save_card_beside(self, self.session, source.path, card, self._on_saved)

    def _on_saved(self) -> None:
        show_info("The model card is saved.")
        if self.form.has_edits:
            self._apply()

    def _edited_card(self) -> ModelCard | None:
        """What is in the form, with what was given by hand; None where that does not go together."""
        source = self.session.source
        given = {"architecture": source.architecture, "encoder": source.encoder} if source is not None else {}
        try:
            return make_card({name: value for name, value in given.items() if value}, self.form.card())
        except SegcamError as fault:
            show_error(str(fault))
            return None

    def _recolor(self) -> None:
        self.session.set_class_colors(self.form.classes.colors())
        self._show_card()

    # What is shown

    def _on_network(self) -> None:
        network, source = self.session.network, self.session.source
        if network is not None:
            self.form.show_card(network, self.session.class_colors)
        self._show_card()
        if source is not None and source == self._asked:
            remember(source)
        elif source is not None:  # it was not this widget that asked for it
            self._note(source)
        self._offer_recent()

    def _offer_recent(self) -> None:
        models = recent_models()
        self.recent.offer([("recent models …", None), *((model.label, model) for model in models)])
        for row, model in enumerate(models, start=1):
            self.recent.setItemData(row, model.path, Qt.ItemDataRole.ToolTipRole)
            self.recent.model().item(row).setEnabled(model.is_there)
        self.recent.setCurrentIndex(1 if models and models[0] == self.session.source else 0)

    def _show_card(self) -> None:
        network = self.session.network
        self._card_text = "" if network is None else card_text(network, self.session.class_colors)
        self._refresh()

    def _refresh(self) -> None:
        job, source = self.session.job, self.session.source
        loading = f"{job.title} …" if job is not None and job.kind == "load" else ""
        text = "<br>".join(filter(None, (escape(loading), self._card_text))) or _NOTHING
        if self.card.text() != text:
            self.card.setText(text)
            self.card.setToolTip("" if source is None else source.path or "")
        self.editing.setEnabled(source is not None and not loading)
        self.apply.setEnabled(self.form.has_edits)
        self.save.setEnabled(source is not None and source.path is not None)
