"""Making a review project: the cases are listed and their checksums taken, the network is loaded once."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from napari_segcam.batch.images import images_of, is_review_project
from napari_segcam.errors import SegcamError, error_text, one_line
from napari_segcam.files import natural_key, replace_file, sha256_of
from napari_segcam.imaging.file_part import file_part
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.source import ModelSource
from napari_segcam.review.project import ReviewProject, open_project, source_options
from napari_segcam.review.project_file import (
    SUFFIX,
    Case,
    Checkpoint,
    ProjectContent,
    Settings,
    write_project_file,
)

_LONGEST_NAME = 200

Progress = Callable[[int, int], bool]
"""Called with how many cases are listed, and how many there are; returns whether to go on."""


class CancelledError(SegcamError):
    """The user has stopped the making of a project; nothing of it is left."""


def create_project(
    folder: str | Path,
    images: str | Path | Sequence[str | Path],
    models: Sequence[ModelSource | str | Path],
    settings: Settings | None = None,
    *,
    cards: Sequence[ModelCard | None] = (),
    title: str = "",
    folders_are_cines: bool = False,
    progress: Progress = lambda _done, _total: True,
) -> ReviewProject:
    """Make a review project.

    Args:
        folder: of the project, which must not exist or must be empty. The usual ending is ``.segcam-review``.
        images: a folder of images and cines with its subfolders, a CSV list with a column ``image``, or paths.
        models: the checkpoint, and a second one to compare it with.
        settings: how the cases are read.
        cards: of the checkpoints; by default those beside the files.
        title: for the raters; by default the name of the folder.
        folders_are_cines: whether each folder with stills in it is one case, and not each still.
        progress: see ``Progress``.

    Raises:
        SegcamError: if there is no image, a checkpoint cannot be loaded, or the folder cannot be written.
    """
    folder = Path(os.path.abspath(folder))
    _refuse_used(folder)
    if not 1 <= len(models) <= 2:
        raise SegcamError("A review needs a checkpoint, and can have a second one to compare it with.")
    root, paths = _listed(images, folder, folders_are_cines=folders_are_cines)
    settings = settings or Settings()
    checkpoints = tuple(
        _checkpoint(name, ModelSource.of(model).anywhere(), folder, settings, card)
        for name, model, card in zip("AB", models, [*cards, None, None], strict=False)
    )
    cases = []
    for number, path in enumerate(paths, start=1):
        if not progress(number - 1, len(paths)):
            raise CancelledError(f"{folder} is not made: you stopped it.")
        cases.append(_case(f"c{number:0{max(4, len(str(len(paths))))}}", path, root))
    progress(len(paths), len(paths))
    content = ProjectContent(
        id=uuid.uuid4().hex,
        title=one_line(title or folder.name.removesuffix(SUFFIX), _LONGEST_NAME),
        images=_relative(root, folder),
        cases=tuple(cases),
        checkpoints=checkpoints,
        settings=settings,
    )
    temporary = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        write_project_file(temporary, content)
        if folder.exists():
            folder.rmdir()  # empty, see above
        replace_file(temporary, folder)
    except OSError as error:
        raise SegcamError(f"{folder} cannot be made: {error_text(error)}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return open_project(folder)


def _refuse_used(folder: Path) -> None:
    if is_review_project(folder):
        raise SegcamError(f"{folder} is a review project already: open it, or choose another folder.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SegcamError(f"{folder} exists and is not empty: choose another folder for the review.")


def _listed(
    images: str | Path | Sequence[str | Path], project: Path, *, folders_are_cines: bool
) -> tuple[Path, list[Path]]:
    """Return the folder of the images, and the path of each case, all absolute."""
    if not isinstance(images, str | Path):
        paths = [Path(os.path.abspath(path)) for path in images]
        if not paths:
            raise SegcamError("A review needs images.")
        if len(set(paths)) < len(paths):
            raise SegcamError("An image is listed twice.")
        return _common_folder(paths), paths
    source = Path(os.path.abspath(images))
    if source.is_file() and source.suffix.lower() != ".csv":
        return source.parent, [source]
    paths = [image.path for image in images_of(source, project)]
    if folders_are_cines:
        if not source.is_dir():
            raise SegcamError(f"{source} is a list: each of its lines is a case already.")
        paths = sorted({path.parent for path in paths}, key=lambda path: natural_key(path.as_posix()))
    root = source if source.is_dir() else source.parent
    return root, [Path(os.path.normpath(path)) for path in paths]


def _common_folder(paths: Sequence[Path]) -> Path:
    try:
        return Path(os.path.commonpath([file_part(path).path.parent for path in paths]))
    except ValueError:  # on different drives
        return file_part(paths[0]).path.parent


def _case(case_id: str, path: Path, root: Path) -> Case:
    from napari_segcam.imaging.opening import open_cine

    relative = _relative(path, root)
    name = one_line(path.name if relative == "." else relative, _LONGEST_NAME)
    try:
        frames = len(open_cine(path))
        sha256 = sha256_of(file_part(path).path)
    except SegcamError as error:
        return Case(id=case_id, name=name, path=relative, problem=str(error))
    return Case(id=case_id, name=name, path=relative, sha256=sha256, frames=frames)


def _checkpoint(name: str, source: ModelSource, folder: Path, settings: Settings, card: ModelCard | None) -> Checkpoint:
    from napari_segcam.explanation.explainer import Explainer

    if source.path is None or source.factory is not None:
        raise SegcamError(
            "A review needs a checkpoint file that opens by itself: a network from a function of yours would have to "
            "run code each time the project is opened."
        )
    network = source.load("cpu", card)
    Explainer(network, method=settings.method, stages=settings.stages)  # refuses what the network does not have
    return Checkpoint(
        name=name,
        paths=tuple(_relative(Path(path), folder) for path in source.paths),
        sha256=tuple(sha256_of(Path(path)) for path in source.paths),
        options=source_options(source),
        card=network.card.model_dump(mode="json", exclude_unset=True, exclude_none=True),
    )


def _relative(path: Path, folder: Path) -> str:
    """Return a path from a folder, with slashes; an absolute one where there is no way, as between Windows' drives."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.as_posix()
