"""Opening a project away from the window's thread: its file, its checkpoints and the log of its rater."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.source import ModelSource
from napari_segcam.review.log.rater_log import RaterLog
from napari_segcam.review.project import ReviewProject, open_project
from napari_segcam.review.project_file import Settings
from napari_segcam.viewer.worker.worker import Job


@dataclass(frozen=True)
class OpenedProject:
    """A project that was opened.

    Attributes:
        project: as it is on disk.
        log: of the rater, which is locked.
        changed_checkpoints: why the checkpoint is not the one of the project, in words; empty if it is.
        warnings: what the user should know.
    """

    project: ReviewProject
    log: RaterLog
    changed_checkpoints: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def open_job(folder: Path, rater: str, images: Path | None, then: Callable[[OpenedProject], None]) -> Job:
    """Return a job that opens a project.

    Args:
        folder: of the project.
        rater: who reads.
        images: the folder of its images, if they were moved.
        then: called with what was opened.
    """

    def work() -> Iterator[OpenedProject]:
        project = open_project(folder, images)
        problems = [project.checkpoint_problem(checkpoint.name) for checkpoint in project.checkpoints[:1]]
        log = project.open_log(rater)
        try:
            yield OpenedProject(project, log, tuple(filter(None, problems)))
        except GeneratorExit:
            if job.cancelled:
                log.close()
            raise

    def take(opened: OpenedProject) -> None:
        if job.cancelled:
            opened.log.close()
        else:
            then(opened)

    job = Job("project", f"Opening {folder.name}", work, on_result=take)
    return job


@dataclass(frozen=True)
class ProjectPlan:
    """A project to be made.

    Attributes:
        folder: of the project, which must not exist.
        images: a folder of images, or single files.
        models: the checkpoints.
        settings: how the cases are read.
        cards: of the checkpoints, where they differ from those beside the files.
    """

    folder: Path
    images: Path | Sequence[Path]
    models: Sequence[ModelSource]
    settings: Settings
    cards: Sequence[ModelCard | None] = ()


def create_job(new: ProjectPlan, on_progress: Callable[[str], None], then: Callable[[], None]) -> Job:
    """Return a job that makes a project; a cancelled one leaves nothing behind.

    Args:
        new: what to make.
        on_progress: called in the job's thread with how far it is, in words.
        then: called when the project is there.
    """
    name = new.folder.name

    def work() -> Iterator[None]:
        from napari_segcam.review.creating import CancelledError, create_project

        def progress(done: int, total: int) -> bool:
            on_progress(f"Making {name}: {done} of {total} cases")
            return not job.cancelled

        on_progress(f"Making {name}: loading the checkpoint")
        try:
            create_project(new.folder, new.images, new.models, new.settings, cards=new.cards, progress=progress)
        except CancelledError:
            return
        yield

    job = Job("project", f"Making {name}", work, on_result=lambda _result: then())
    return job
