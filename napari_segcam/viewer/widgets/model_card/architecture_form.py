"""What is given by hand where a checkpoint alone does not do: its architecture, its encoder, or code of one's own."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QLineEdit, QMessageBox, QPushButton, QVBoxLayout, QWidget

from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.layout import form

_ARCHITECTURES = (
    *("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet"),
    *("DeepLabV3", "DeepLabV3Plus", "PAN", "UPerNet", "Segformer", "DPT"),
)
_WIDTH = 130  # of a file name in a narrow dock, pixels
_YES, _NO = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No


class ArchitectureForm(QWidget):
    """Asks for it; code of one's own is run only once the user has confirmed that.

    ``built`` carries what makes the network and, where they are to be put in it, the weights.
    """

    changed = Signal()
    built = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._confirmed: set[str] = set()
        self._checkpoint: str | None = None
        self.architecture = Choice("Needed only where the weights do not tell")
        self.architecture.offer([("recognized", None), *((name, name) for name in _ARCHITECTURES)])
        self.encoder = QLineEdit()
        self.encoder.setPlaceholderText("recognized")
        self.encoder.setToolTip("Needed only where the weights do not tell, for example efficientnet-b5")
        self.output = QLineEdit()
        self.output.setPlaceholderText("chosen by evidence")
        self.output.setToolTip("Of a network that returns several, the name of the one that is read, as mask or 0")
        self.weights = QLineEdit()
        self.weights.setPlaceholderText("the only ones")
        self.weights.setToolTip("Of a checkpoint that holds several networks, the one that is meant, as teacher")
        self.factory = QLineEdit()
        self.factory.setPlaceholderText("package.module:function")
        self.factory.setToolTip("A function of yours that takes nothing and returns a torch.nn.Module")
        self.with_weights = QCheckBox()
        self.with_weights.setChecked(True)
        self.build = QPushButton("Build with my own code …")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(
            form(
                ("architecture", self.architecture),
                ("encoder", self.encoder),
                ("output", self.output),
                ("weights", self.weights),
                ("own code", self.factory),
            )
        )
        layout.addWidget(self.with_weights)
        layout.addWidget(self.build)

        self.architecture.chosen.connect(lambda _name: self.changed.emit())
        self.encoder.editingFinished.connect(self.changed)
        self.output.editingFinished.connect(self.changed)
        self.weights.editingFinished.connect(self.changed)
        self.factory.textChanged.connect(lambda text: self.build.setEnabled(bool(text.strip())))
        self.build.clicked.connect(self._build)
        self.build.setEnabled(False)
        self.offer_checkpoint(None)

    @property
    def source(self) -> ModelSource:
        """What is given of architecture, encoder, output and weights."""
        lines = (self.encoder, self.output, self.weights)
        encoder, output, weights = (line.text().strip() or None for line in lines)
        return ModelSource(None, self.architecture.value, encoder, output=output, weights=weights)

    def show_source(self, source: ModelSource) -> None:
        """Show what was given for another model."""
        self.architecture.setCurrentIndex(max(self.architecture.findData(source.architecture), 0))
        self.encoder.setText(source.encoder or "")
        self.output.setText(source.output or "")
        self.weights.setText(source.weights or "")
        self.factory.setText(source.factory or "")

    def offer_checkpoint(self, path: str | None) -> None:
        """Let its weights be put into the network that own code makes."""
        self._checkpoint = path
        self.with_weights.setVisible(path is not None)
        if path is not None:
            name = self.fontMetrics().elidedText(Path(path).name, Qt.TextElideMode.ElideMiddle, _WIDTH)
            self.with_weights.setText(f"with the weights of {name}")
            self.with_weights.setToolTip(path)

    def confirms(self, factory: str) -> bool:
        """Whether the user lets code of theirs run; asked once for each."""
        if factory not in self._confirmed:
            package = factory.partition(":")[0]
            question = (
                f"This runs code from {package} on your computer:\n{factory}\n"
                "It can do whatever you can do here. Run it only if you know where it comes from."
            )
            if QMessageBox.question(self, "Run code of your own", question, _YES | _NO, _NO) != _YES:
                return False
            self._confirmed.add(factory)
        return True

    def _build(self) -> None:
        checkpoint = self._checkpoint if self.with_weights.isChecked() else None
        given = self.source
        factory = self.factory.text().strip()
        self.built.emit(ModelSource(checkpoint, factory=factory, output=given.output, weights=given.weights))
