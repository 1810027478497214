"""A new review project: the dialog that asks for it, and the job that makes it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QObject
from qtpy.QtWidgets import (
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_segcam.review.project_file import SUFFIX
from napari_segcam.viewer.layers.frame_names import SOURCE
from napari_segcam.viewer.project.opening import ProjectPlan
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController
from napari_segcam.viewer.widgets.cases.rater import offered_rater, rater_problem, remember_rater
from napari_segcam.viewer.widgets.fitting.fitted_dialog import FittedDialog
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.vertical_scroll import VerticalScroll
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.layout import column, form, panel, row
from napari_segcam.viewer.widgets.verdicts.blinding_form import BlindingForm


class _Text:
    """Every text of the dialog."""

    TITLE = "New review project"
    FOLDER = "All images in a folder:"
    OPEN = "The images that are open ({count})"
    NONE_OPEN = "No image is open that is kept on disk."
    NOT_FILES = "{count} of the open images are not kept on disk and cannot be part of a review."
    BROWSE = "Browse …"
    NETWORK = "Checkpoint"
    NO_NETWORK = "none"
    LOAD_FIRST = "Load a checkpoint first, in the Checkpoint widget: the review belongs to it."
    SAVE_IN = "Project folder"
    RATER = "Your name"
    IMAGES_TITLE = "The folder of images to review"
    SAVE_TITLE = "The folder to make the project in"
    NO_IMAGES = "Choose a folder of images."
    NO_FOLDER = "Say where the project is saved."
    EXISTS = "{name} is there already. Choose another name, or open it."


class NewProjectDialog(FittedDialog):
    """Asks for the images, the folder of the project and the rater's name.

    Args:
        open_images: files of the images that are open.
        unusable: how many open images are no files.
        network: the loaded checkpoint, in words; empty if there is none.
        parent: the window.
    """

    opens_whole = True

    def __init__(self, open_images: list[Path], unusable: int, network: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(_Text.TITLE)
        self.setMinimumWidth(520)
        self._open_images = open_images
        self._network = network
        self._has_named = False
        self.from_folder = QRadioButton(_Text.FOLDER)
        self.from_open = QRadioButton(_Text.OPEN.format(count=len(open_images)))
        set_usable(self.from_open, None if open_images else _Text.NONE_OPEN)
        (self.from_open if open_images else self.from_folder).setChecked(True)
        self.images = QLineEdit()
        self.browse_images = QPushButton(_Text.BROWSE)
        self.folder = QLineEdit()
        self.browse_folder = QPushButton(_Text.BROWSE)
        self.rater = QLineEdit(offered_rater())
        self.reading = BlindingForm()
        self.hint = Words()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        contents = [self.from_folder, row(self.images, self.browse_images), self.from_open]
        if unusable:
            contents.append(Words(_Text.NOT_FILES.format(count=unusable)))
        checkpoint = Words(network or _Text.NO_NETWORK)
        checkpoint.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        content = QWidget()
        panel(
            content,
            column(*contents),
            form(
                (_Text.NETWORK, checkpoint),
                (_Text.SAVE_IN, row(self.folder, self.browse_folder)),
                (_Text.RATER, self.rater),
            ),
            self.reading,
        )
        layout = QVBoxLayout(self)
        layout.addWidget(VerticalScroll(content), 1)
        layout.addWidget(self.hint)
        layout.addWidget(self.buttons)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.browse_images.clicked.connect(self._browse_images)
        self.browse_folder.clicked.connect(self._browse_folder)
        self.folder.textEdited.connect(self._on_named)
        for edit in (self.images, self.folder, self.rater):
            edit.textChanged.connect(self._check)
        self.from_folder.toggled.connect(self._check)
        self.images.textChanged.connect(self._suggest)
        self.images.textEdited.connect(lambda _text: self.from_folder.setChecked(True))
        self.reading.changed.connect(self._check)
        self._suggest()
        self._check()

    def chosen_images(self) -> Path | list[Path]:
        """Return the folder, or the files of the images that are open."""
        return self._open_images if self.from_open.isChecked() else Path(self.images.text().strip()).expanduser()

    def chosen_folder(self) -> Path:
        """Return the folder of the project, with its suffix."""
        path = Path(self.folder.text().strip()).expanduser()
        return path if path.name.endswith(SUFFIX) else path.with_name(path.name + SUFFIX)

    def problem(self) -> str:
        """Return what is missing or wrong, in words; empty if nothing is."""
        if not self._network:
            return _Text.LOAD_FIRST
        if self.from_folder.isChecked() and not Path(self.images.text().strip() or "-").is_dir():
            return _Text.NO_IMAGES
        if not Path(self.folder.text().strip()).name:
            return _Text.NO_FOLDER
        if self.chosen_folder().exists():
            return _Text.EXISTS.format(name=self.chosen_folder().name)
        return rater_problem(self.rater.text()) or self.reading.problem()

    def _check(self) -> None:
        problem = self.problem()
        self.hint.setText(problem)
        set_usable(self.buttons.button(QDialogButtonBox.StandardButton.Ok), problem)

    def _on_named(self) -> None:
        self._has_named = True

    def _suggest(self) -> None:
        """Offer a project beside the images, as long as the user has named none."""
        if self._has_named:
            return
        images = self.images.text().strip()
        place = Path(images) if images else self._open_images[0].parent if self._open_images else None
        if place is not None and place.name:
            self.folder.setText(str(place.with_name(f"{place.name}{SUFFIX}")))

    def _browse_images(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, _Text.IMAGES_TITLE, self.images.text()):
            self.images.setText(folder)
            self.from_folder.setChecked(True)

    def _browse_folder(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, _Text.SAVE_TITLE, self.folder.text(), f"Reviews (*{SUFFIX})")
        if path:
            self.folder.setText(path)
            self._has_named = True


class NewProject(QObject):
    """Asks for a new project, and makes it.

    Attributes:
        dialog: the last one.
    """

    def __init__(self, session: ReviewSession, controller: ProjectController, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self._controller = controller
        self._parent = parent
        self.dialog: NewProjectDialog | None = None

    def ask(self) -> None:
        """Open the dialog; the window can be used meanwhile."""
        paths = [image_file(layer.metadata, layer.source.path) for layer in self._session.choices.images()]
        files = list(dict.fromkeys(path for path in paths if path is not None))
        source = self._session.source
        network = "" if source is None or source.path is None else source.title
        dialog = self.dialog = NewProjectDialog(files, paths.count(None), network, self._parent.window())
        dialog.accepted.connect(lambda: self._make(dialog))
        dialog.open()

    def _make(self, dialog: NewProjectDialog) -> None:
        rater = dialog.rater.text().strip()
        remember_rater(rater)
        session, second = self._session, controller_of(self._session, SecondController)
        models = [(session.source, session.network), (second.source, second.network)]
        loaded = [(source, network.card) for source, network in models if source is not None and network is not None]
        if session.source is not None and loaded:
            sources, cards = zip(*loaded, strict=True)
            new = ProjectPlan(dialog.chosen_folder(), dialog.chosen_images(), sources, dialog.reading.settings(), cards)
            self._controller.create(new, rater)


def image_file(metadata: dict[str, object], opened_from: str | None) -> Path | None:
    """Return the file or folder of an image layer; None if it is not one on disk that stays there."""
    source = metadata.get(SOURCE)
    if isinstance(source, dict) and source.get("is_temporary"):  # it came from a PACS, and goes with the window
        return None
    path = (source.get("path") if isinstance(source, dict) else None) or opened_from
    return Path(str(path)) if path and Path(str(path)).exists() else None
