"""The Checkpoint widget: which network, where it runs, and what it is."""

from __future__ import annotations

from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget
from superqt import QCollapsible

from napari_segcam.viewer.parts import Choice, form, panel
from napari_segcam.viewer.session import ReviewSession

_ARCHITECTURES = (
    *("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet"),
    *("DeepLabV3", "DeepLabV3Plus", "PAN", "UPerNet", "Segformer", "DPT"),
)
_NOTHING = "No network loaded. Drop a checkpoint here, or browse for one."


class CheckpointWidget(QWidget):
    """Browse for or drop a checkpoint; see the network's card."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = ReviewSession.of(napari_viewer)
        self.setAcceptDrops(True)
        self.browse_file = QPushButton("File …")
        self.browse_file.setToolTip("A .pth, .pt, .ckpt or .safetensors file")
        self.browse_folder = QPushButton("Folder …")
        self.browse_folder.setToolTip("A folder written by save_pretrained of segmentation-models-pytorch")
        self.device = Choice("Where the network runs")
        self.device.offer([("auto", "auto"), ("CUDA", "cuda"), ("MPS", "mps"), ("CPU", "cpu")])
        self.architecture = Choice("Needed only where the weights do not tell")
        self.architecture.offer([("recognised", None), *((name, name) for name in _ARCHITECTURES)])
        self.encoder = QLineEdit()
        self.encoder.setPlaceholderText("recognised")
        self.encoder.setToolTip("Needed only where the weights do not tell, for example efficientnet-b5")
        self.card = QLabel()
        self.card.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.card.setWordWrap(True)
        self._path: str | None = None

        browse = QHBoxLayout()
        for widget in (self.browse_file, self.browse_folder, QLabel("on"), self.device):
            browse.addWidget(widget)
        given = QWidget()
        given.setLayout(form(("architecture", self.architecture), ("encoder", self.encoder)))
        self.overrides = QCollapsible("If it is not recognised")
        self.overrides.addWidget(given)
        panel(self, browse, self.card, self.overrides)

        self.browse_file.clicked.connect(self._browse_file)
        self.browse_folder.clicked.connect(self._browse_folder)
        self.device.chosen.connect(lambda _device: self._load_again())
        self.architecture.chosen.connect(lambda _name: self._load_again())
        self.encoder.editingFinished.connect(self._load_again)
        self.session.network_changed.connect(self._show)
        self.session.job_changed.connect(self._show)
        self._show()

    def load(self, path: str) -> None:
        """Load a checkpoint with the chosen device and what was given by hand."""
        self._path, self._loaded_with = path, self._given()
        self.session.load(path, *self._given())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        self.load(event.mimeData().urls()[0].toLocalFile())
        event.acceptProposedAction()

    def _given(self) -> tuple[str, str | None, str | None]:
        return self.device.value, self.architecture.value, self.encoder.text().strip() or None

    def _load_again(self) -> None:
        if self._path is not None and self._given() != self._loaded_with:
            self.load(self._path)

    def _browse_file(self) -> None:
        types = "Checkpoints (*.pth *.pt *.ckpt *.bin *.safetensors);;All files (*)"
        path, _ = QFileDialog.getOpenFileName(self, "Open a checkpoint", self._folder(), types)
        if path:
            self.load(path)

    def _browse_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "Open a saved network", self._folder()):
            self.load(path)

    def _folder(self) -> str:
        return str(Path(self._path).parent) if self._path else ""

    def _show(self) -> None:
        network, job = self.session.network, self.session.job
        if job is not None and job.kind == "load":
            self.card.setText(f"{job.title} …")
        elif network is None:
            self.card.setText(_NOTHING)
        else:
            counts = {kind: sum(stage.kind == kind for stage in network.stages) for kind in ("encoder", "decoder")}
            size = network.card.size
            lines = [
                f"<b>{network.architecture}</b> / <b>{network.encoder or 'own encoder'}</b> on {network.device}",
                f"{network.name}",
                f"input: {network.card.input_channels} channels, {size.rule}"
                + (f" to {size.height}×{size.width}" if size.height else f" to ×{network.stride}")
                + f", {network.card.normalisation}",
                f"classes: {', '.join(network.class_names)}",
                f"stages: {counts['encoder']} encoder, {counts['decoder']} decoder",
            ]
            self.card.setText("<br>".join(lines))
