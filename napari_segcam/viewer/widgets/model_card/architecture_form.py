"""The architecture form: what the user enters if a network is not recognized from its checkpoint."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QMessageBox, QPushButton, QVBoxLayout, QWidget

from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.fitting.hinted_field import HintedField
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.layout import form

_ARCHITECTURES = (
    *("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet"),
    *("DeepLabV3", "DeepLabV3Plus", "PAN", "UPerNet", "Segformer", "DPT"),
)
_NAME_WIDTH = 130  # pixels for a file name in a narrow dock
_YES, _NO = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No


class _Text:
    """Every text of the form."""

    ARCHITECTURE = "Architecture"
    ARCHITECTURE_TIP = "Needed only if it is not recognized from the weights"
    RECOGNIZED = "Recognized"
    ENCODER = "Encoder"
    ENCODER_TIP = "Needed only if it is not recognized from the weights, for example efficientnet-b5"
    OUTPUT = "Output"
    OUTPUT_TIP = "If the network returns several outputs: the name or number of the one to use, for example mask or 0"
    OUTPUT_HINT = "Detected"
    WEIGHTS = "Weights"
    WEIGHTS_TIP = "If the checkpoint holds several networks: the name of the one to load, for example teacher"
    WEIGHTS_HINT = "The only ones"
    FACTORY = "Your code"
    FACTORY_TIP = "A function of yours that takes no arguments and returns a torch.nn.Module"
    FACTORY_HINT = "package.module:function"
    WITH_WEIGHTS = "With the weights of {name}"
    BUILD = "Build with my code …"
    BUILD_TIP = "Asks before your code runs"
    NAME_FIRST = "Enter the function under Your code first, as package.module:function."
    CONFIRM_TITLE = "Run your own code"
    CONFIRM = (
        "This runs code from {package} on your computer:\n{factory}\n"
        "It can do whatever you can do here. Run it only if you know where it comes from."
    )


class ArchitectureForm(QWidget):
    """Asks for the architecture, or for the user's own code, which runs only after a confirmation.

    ``built`` carries the function that makes the network and, if chosen, the checkpoint whose weights are loaded.
    """

    changed = Signal()
    built = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._confirmed: set[str] = set()
        self._checkpoint: str | None = None
        self.architecture = Choice(_Text.ARCHITECTURE_TIP)
        self.architecture.offer([(_Text.RECOGNIZED, None), *((name, name) for name in _ARCHITECTURES)])
        self.encoder = HintedField()
        self.encoder.setPlaceholderText(_Text.RECOGNIZED)
        self.encoder.setToolTip(_Text.ENCODER_TIP)
        self.output = HintedField()
        self.output.setPlaceholderText(_Text.OUTPUT_HINT)
        self.output.setToolTip(_Text.OUTPUT_TIP)
        self.weights = HintedField()
        self.weights.setPlaceholderText(_Text.WEIGHTS_HINT)
        self.weights.setToolTip(_Text.WEIGHTS_TIP)
        self.factory = HintedField()
        self.factory.setPlaceholderText(_Text.FACTORY_HINT)
        self.factory.setToolTip(_Text.FACTORY_TIP)
        self.with_weights = QCheckBox()
        self.with_weights.setChecked(True)
        self.build = QPushButton(_Text.BUILD)
        self.build.setToolTip(_Text.BUILD_TIP)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(
            form(
                (_Text.ARCHITECTURE, self.architecture),
                (_Text.ENCODER, self.encoder),
                (_Text.OUTPUT, self.output),
                (_Text.WEIGHTS, self.weights),
                (_Text.FACTORY, self.factory),
            )
        )
        layout.addWidget(self.with_weights)
        layout.addWidget(self.build)

        self.architecture.chosen.connect(lambda _name: self.changed.emit())
        self.encoder.editingFinished.connect(self.changed)
        self.output.editingFinished.connect(self.changed)
        self.weights.editingFinished.connect(self.changed)
        self.factory.textChanged.connect(self._refresh)
        self.build.clicked.connect(self._build)
        self._refresh()
        self.offer_checkpoint(None)

    @property
    def source(self) -> ModelSource:
        """The architecture, encoder, output and weights entered; without a path."""
        lines = (self.encoder, self.output, self.weights)
        encoder, output, weights = (line.text().strip() or None for line in lines)
        return ModelSource(None, self.architecture.value, encoder, output=output, weights=weights)

    def show_source(self, source: ModelSource) -> None:
        """Show the entries made for another model."""
        self.architecture.setCurrentIndex(max(self.architecture.findData(source.architecture), 0))
        self.encoder.setText(source.encoder or "")
        self.output.setText(source.output or "")
        self.weights.setText(source.weights or "")
        self.factory.setText(source.factory or "")

    def offer_checkpoint(self, path: str | None) -> None:
        """Offer to load the weights of this checkpoint into the network that the user's code makes."""
        self._checkpoint = path
        self.with_weights.setVisible(path is not None)
        if path is not None:
            name = self.fontMetrics().elidedText(Path(path).name, Qt.TextElideMode.ElideMiddle, _NAME_WIDTH)
            self.with_weights.setText(_Text.WITH_WEIGHTS.format(name=name))
            self.with_weights.setToolTip(path)

    def confirms(self, factory: str) -> bool:
        """Return whether the user agrees to run their code; each function is asked about once."""
        if factory not in self._confirmed:
            package = factory.partition(":")[0]
            question = _Text.CONFIRM.format(package=package, factory=factory)
            if QMessageBox.question(self, _Text.CONFIRM_TITLE, question, _YES | _NO, _NO) != _YES:
                return False
            self._confirmed.add(factory)
        return True

    def _refresh(self) -> None:
        set_usable(self.build, None if self.factory.text().strip() else _Text.NAME_FIRST)

    def _build(self) -> None:
        checkpoint = self._checkpoint if self.with_weights.isChecked() else None
        source = self.source
        factory = self.factory.text().strip()
        self.built.emit(ModelSource(checkpoint, factory=factory, output=source.output, weights=source.weights))
