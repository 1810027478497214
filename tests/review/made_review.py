"""A review with three planted raters: eight stills and a cine of four frames, and what each rater did with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile
from batches import write_checkpoint, write_images
from numpy.typing import NDArray

from napari_segcam.review.creating import create_project
from napari_segcam.review.log.events import (
    Answer,
    CaseDone,
    CaseLeft,
    CaseOpened,
    Grade,
    Note,
    Shown,
    Verdict,
)
from napari_segcam.review.log.rater_log import RaterLog
from napari_segcam.review.project import ReviewProject
from napari_segcam.review.project_file import Settings
from napari_segcam.review.readings import Reading

SIDE = 64
STILLS = 8
FRAMES = 4
CINE = "cine"
CLASS = "foreground"  # as the network names its one class

A, C, R = "accept", "correct", "reject"

VERDICTS: dict[str, list[str | None]] = {
    "anna": [A, A, A, A, A, C, C, R],
    "ben": [A, A, A, R, A, C, R, R],
    "chen": [A, C, A, A, None, C, C, None],
}
"""Of each rater on each still."""

GRADES: dict[str, list[int | None]] = {
    "anna": [5, 4, 4, 3, 5, 2, 2, 1],
    "ben": [4, 4, 5, 2, 5, 2, 1, 1],
    "chen": [None] * 8,
}

SECONDS = {"anna": [10, 12, 14, 20, 30, 11, 13, 40], "ben": [8] * 8, "chen": [5] * 6}


def square(top: int, left: int, side: int) -> NDArray[np.uint8]:
    """Return a mask ``(Y, X)`` with one square."""
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[top : top + side, left : left + side] = 1
    return labels


PREDICTED = square(10, 10, 20)
"""What corrections of stills began with: 400 pixels."""

PAINTED = {"anna": square(10, 10, 22), "ben": square(12, 10, 20), "chen": square(10, 10, 20)}
"""What each rater made of it."""


@dataclass
class Rater:
    """Writes what a rater does through the log."""

    project: ReviewProject
    name: str
    log: RaterLog = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.project.open_log(self.name)

    def __enter__(self) -> Rater:
        return self

    def __exit__(self, *_error: object) -> None:
        assert self.log.close()

    def case(self, name: str) -> str:
        return next(case.id for case in self.project.cases if case.name.startswith(name))

    def open(self, name: str, repeat: int = 1) -> None:
        self.log.append(CaseOpened(case=self.case(name), repeat=repeat))

    def judge(self, name: str, value: str, repeat: int = 1, **more: object) -> Verdict:
        verdict = Verdict.model_validate({"case": self.case(name), "repeat": repeat, "value": value, **more})
        return self.log.append(verdict)

    def see(self, name: str, *, prediction: bool = True, heatmaps: bool = False, repeat: int = 1) -> None:
        stages = ("encoder_5",) if heatmaps else ()
        self.log.append(
            Shown(
                case=self.case(name),
                repeat=repeat,
                frame=0,
                prediction=prediction,
                heatmaps=stages,
                threshold=0.5,
            )
        )

    def paint(
        self,
        name: str,
        labels: NDArray[np.uint8],
        started_from: NDArray[np.uint8] | None = PREDICTED,
        frame: int = 0,
        repeat: int = 1,
    ) -> None:
        self.log.correct(
            Reading(self.case(name), repeat),
            frame,
            labels,
            started_from=started_from,
            names={1: CLASS},
            threshold=0.5,
        )

    def grade(self, name: str, value: int) -> None:
        self.log.append(Grade(case=self.case(name), value=value))

    def note(self, name: str, text: str) -> None:
        self.log.append(Note(case=self.case(name), text=text))

    def answer(self, name: str, found: bool | None) -> None:
        self.log.append(Answer(case=self.case(name), found=found))

    def leave(self, name: str, seconds: float, repeat: int = 1, *, done: bool = True) -> None:
        case = self.case(name)
        if done:
            self.log.append(CaseDone(case=case, repeat=repeat))
        self.log.append(CaseLeft(case=case, repeat=repeat, active_seconds=seconds))


def write_cases(folder: Path) -> Path:
    """Write ``image_0.png`` to ``image_7.png`` and a cine, ``cine.tif``, of four frames."""
    write_images(folder, STILLS)
    frames = np.random.default_rng(9).integers(0, 255, (FRAMES, SIDE, SIDE), dtype=np.uint8)
    tifffile.imwrite(folder / f"{CINE}.tif", frames, photometric="minisblack")
    return folder


def new_project(root: Path, settings: Settings | None = None, classes: int = 1) -> ReviewProject:
    """Return a project of these images with a small network, before anybody has read it."""
    images = write_cases(root / "images")
    checkpoint = write_checkpoint(root / "unet.pth", classes)
    return create_project(root / "study.segcam-review", images, [checkpoint], settings or Settings())


def read_by_three(project: ReviewProject) -> ReviewProject:
    """Let the three planted raters read a project.

    Anna gives the first verdict on stills 0 to 3 before she sees the heatmap, and changes those on 1 and 2.
    Each correction paints ``PAINTED``. Of the cine, anna and ben judge frames, chen the whole.
    """
    for name, verdicts in VERDICTS.items():
        with Rater(project, name) as rater:
            for number, verdict in enumerate(verdicts):
                if verdict is not None:
                    _read_still(rater, number, verdict)
            _read_cine(rater)
    return project


def _read_still(rater: Rater, number: int, verdict: str) -> None:
    image = f"image_{number}"
    rater.open(image)
    rater.see(image, heatmaps=rater.name != "anna" or number > 3)
    if rater.name == "anna" and number <= 3:
        rater.judge(image, R if number in (1, 2) else verdict, saw_heatmap=False)
        rater.see(image, heatmaps=True)
        if number in (1, 2):
            rater.judge(image, verdict)
    else:
        reasons = {"reasons": ("false positive",)} if verdict == R else {}
        rater.judge(image, verdict, **reasons)
    if verdict == C:
        rater.paint(image, PAINTED[rater.name])
    if (grade := GRADES[rater.name][number]) is not None:
        rater.grade(image, grade)
    if number < len(SECONDS[rater.name]):
        rater.leave(image, SECONDS[rater.name][number])


def _read_cine(rater: Rater) -> None:
    rater.open(CINE)
    rater.note(CINE, f"=note of {rater.name}")
    if rater.name == "chen":
        rater.judge(CINE, R, reasons=("missed", "wrong extent"))
        return
    rater.judge(CINE, A, first=0, last=1)
    rater.judge(CINE, C, first=2, last=2)
    rater.paint(CINE, PAINTED[rater.name], frame=2)
    if rater.name == "anna":
        rater.judge(CINE, R, first=3, last=3, reasons=("missed",))
