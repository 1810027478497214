"""A review project that is open: its cases, checkpoints and settings, and the logs of its raters."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_segcam.errors import SegcamError
from napari_segcam.files import sha256_of
from napari_segcam.imaging.file_part import file_part
from napari_segcam.network.source import ModelSource
from napari_segcam.review.log.rater_log import LOG_FILE, MASK_FOLDER, RaterLog
from napari_segcam.review.log.reading import LogContent, read_log
from napari_segcam.review.project_file import Case, Checkpoint, ProjectContent, Settings, read_project_file
from napari_segcam.review.raters import rater_folder, raters_in
from napari_segcam.review.readings import Reading, reading_order

if TYPE_CHECKING:  # torch comes with it
    from napari_segcam.network.model_card import ModelCard


class ReviewProject:
    """A review project; nothing of it changes while it is open but the logs.

    Args:
        folder: of the project.
        content: of its file.
        images: folder of the images, if they were moved.

    Attributes:
        folder: as above.
        content: as above.
        images: folder of the images.

    Examples:
        >>> project = sc.create_project("fibroids", images="images", models=["best_model.safetensors"])
        >>> [case.name for case in sc.open_project("fibroids").cases]
        ['sweep_38.png']
    """

    def __init__(self, folder: Path, content: ProjectContent, images: Path | None = None) -> None:
        self.folder = folder
        self.content = content
        self.images = images or Path(os.path.normpath(folder / content.images))
        self._cases = {case.id: case for case in content.cases}

    @property
    def title(self) -> str:
        """For the raters."""
        return self.content.title

    @property
    def cases(self) -> tuple[Case, ...]:
        """All cases, in the order of the project."""
        return self.content.cases

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """The checkpoints, ``A`` first."""
        return self.content.checkpoints

    @property
    def settings(self) -> Settings:
        """How the cases are read."""
        return self.content.settings

    def case(self, case_id: str) -> Case:
        """Return a case by its identifier.

        Raises:
            SegcamError: if the project has no such case.
        """
        if case_id not in self._cases:
            raise SegcamError(f"{self.folder} has no case {case_id}.")
        return self._cases[case_id]

    def checkpoint(self, name: str = "A") -> Checkpoint:
        """Return a checkpoint by its name.

        Raises:
            SegcamError: if the project has no such checkpoint.
        """
        found = next((checkpoint for checkpoint in self.checkpoints if checkpoint.name == name), None)
        if found is None:
            raise SegcamError(f"{self.folder} has no checkpoint {name}.")
        return found

    def image_path(self, case: Case) -> Path:
        """Return where a case is read, as ``open_cine`` takes it."""
        return self.images / case.path

    def image_problem(self, case: Case) -> str:
        """Return why a case cannot be read as it was when the project was made, in words; empty if it can.

        It reads the whole file.
        """
        path = file_part(self.image_path(case)).path
        if not path.exists():
            return (
                f"{path} is missing. If the images were moved, open the project with the folder in which they are now."
            )
        try:
            is_same = case.sha256 is None or sha256_of(path) == case.sha256
        except SegcamError as error:
            return str(error)
        return "" if is_same else f"{path} has changed since the project was made: its checksum differs."

    def model_source(self, name: str = "A") -> ModelSource:
        """Return what a checkpoint is loaded from, with absolute paths."""
        checkpoint = self.checkpoint(name)
        paths = [os.path.normpath(self.folder / path) for path in checkpoint.paths]
        options: dict[str, Any] = dict(checkpoint.options)
        return ModelSource(path=paths[0], others=tuple(paths[1:]), **options).anywhere()

    def model_card(self, name: str = "A") -> ModelCard:
        """Return the card of a checkpoint, as it was when the project was made.

        Raises:
            SegcamError: if it is damaged.
        """
        from napari_segcam.network.model_card import make_card

        return make_card(self.checkpoint(name).card)

    def checkpoint_problem(self, name: str = "A") -> str:
        """Return why a checkpoint is not the one of the project, in words; empty if it is. It reads the whole file."""
        checkpoint = self.checkpoint(name)
        for path, sha256 in zip(self.model_source(name).paths, checkpoint.sha256, strict=True):
            if not Path(path).exists():
                return f"The checkpoint {path} is missing."
            if sha256_of(Path(path)) != sha256:
                return f"The checkpoint {path} has changed since the project was made: its checksum differs."
        return ""

    # Raters

    def raters(self) -> list[str]:
        """Return the names of all raters with work in the project."""
        return raters_in(self.folder)

    def readings(self, rater: str) -> list[Reading]:
        """Return the readings of a rater in their order."""
        name = rater_folder(self.folder, rater).name.casefold()
        settings = self.settings
        return reading_order([case.id for case in self.cases], name, settings.shuffle_seed, settings.repeats)

    def open_log(self, rater: str) -> RaterLog:
        """Open the log of a rater to work in it; close it in the end.

        Raises:
            SegcamError: if another program has it open, it cannot be read or written, or the name is not possible.
        """
        folder = rater_folder(self.folder, rater)
        return RaterLog(folder, folder.name)

    def read_log(self, rater: str) -> LogContent:
        """Return the events of a rater, who may be at work.

        Raises:
            SegcamError: if they cannot be read.
        """
        return read_log(rater_folder(self.folder, rater) / LOG_FILE)

    def mask_folder(self, rater: str) -> Path:
        """Return the folder of a rater's masks, for ``read_mask``."""
        return rater_folder(self.folder, rater) / MASK_FOLDER


def open_project(folder: str | Path, images: str | Path | None = None) -> ReviewProject:
    """Open a review project; no image is read.

    Args:
        folder: of the project.
        images: the folder in which the images are now, if they were moved.

    Raises:
        SegcamError: if the folder holds no project, it is damaged, or a later version has written it.
    """
    folder = Path(os.path.abspath(folder))
    if images is not None and not Path(images).is_dir():
        raise SegcamError(f"There is no folder {images}.")
    return ReviewProject(folder, read_project_file(folder), None if images is None else Path(os.path.abspath(images)))


def source_options(source: ModelSource) -> dict[str, Any]:
    """Return the options of a source that a project keeps: those that differ from their defaults, without paths."""
    plain, defaults = asdict(source), asdict(ModelSource())
    return {
        name: value
        for name, value in plain.items()
        if name not in ("path", "others", "device") and value != defaults[name]
    }
