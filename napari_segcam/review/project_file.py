"""The project file: cases, checkpoints and settings of a review, as ``project.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from napari_segcam.budget import MIB, PROJECT_BYTES
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import json_bytes, refuse_no_file, whole_file
from napari_segcam.network.source import ModelSource
from napari_segcam.remedies import remedy
from napari_segcam.review.log.events import Sha256, Text, Word
from napari_segcam.review.versions import refuse_later_version

PROJECT_FILE = "project.json"
SUFFIX = ".segcam-review"
FORMAT = "segcam-review"
VERSION = 1

REASONS = ("false positive", "missed", "wrong extent", "artifact", "not assessable")
"""Why a mask is rejected, unless the project has a list of its own."""

PathText = Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Case(_Part):
    """A still, a cine or a folder of stills that is read as one.

    Attributes:
        id: its identifier in the logs.
        name: for the rater.
        path: below the folder of the images, with slashes.
        sha256: of the file, or of the folder's files and their names.
        frames: how many it has; None if it could not be opened.
        problem: why it could not be opened when the project was made; empty if it could.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,60}$")]
    name: Word
    path: PathText
    sha256: Sha256 | None = None
    frames: Annotated[int, Field(ge=1)] | None = None
    problem: Text = ""


class Checkpoint(_Part):
    """A network of the review.

    Attributes:
        name: ``A`` for the first, ``B`` for the second.
        paths: of its file, or of all files of an ensemble, from the project's folder.
        sha256: of each of them.
        options: of ``ModelSource``, without paths and device.
        card: how its images are prepared and its output is read, when the project was made.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Z]$")]
    paths: Annotated[tuple[PathText, ...], Field(min_length=1, max_length=64)]
    sha256: tuple[Sha256, ...]
    options: dict[str, Any] = Field(default_factory=dict)
    card: dict[str, Any]

    @model_validator(mode="after")
    def _check_counts(self) -> Checkpoint:
        if len(self.paths) != len(self.sha256):
            raise ValueError("each path has one checksum")
        allowed = asdict(ModelSource()).keys() - {"path", "others", "device", "factory"}
        if unknown := self.options.keys() - allowed:  # a factory runs code: never from a file
            raise ValueError(f"unknown options: {', '.join(sorted(unknown))}")
        return self


class Settings(_Part):
    """How the cases are read.

    Attributes:
        reasons: that a rejection may have.
        hide_prediction: whether the prediction is hidden until the rater has drawn or answered.
        hide_heatmaps: whether the heatmaps are hidden: never, until there is a verdict on the mask, or always.
        shuffle_seed: of the order of the cases; None keeps theirs.
        repeats: how many cases are mixed in a second time.
        threshold: of the masks; None for that of the model card.
        method: of the heatmaps.
        stages: that are explained: ``all``, ``main``, ``encoder``, ``decoder`` or names.
    """

    reasons: Annotated[tuple[Word, ...], Field(min_length=1, max_length=40)] = REASONS
    hide_prediction: bool = False
    hide_heatmaps: Literal["never", "until verdict", "always"] = "never"
    shuffle_seed: int | None = None
    repeats: Annotated[int, Field(ge=0, le=10_000)] = 0
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    method: Word = "gradcam"
    stages: Word | tuple[Word, ...] = "main"

    @model_validator(mode="after")
    def _check_reasons(self) -> Settings:
        if len({reason.strip().casefold() for reason in self.reasons} - {""}) < len(self.reasons):
            raise ValueError("a reason is empty or is there twice")
        return self


class ProjectContent(_Part):
    """All of ``project.json``.

    Attributes:
        id: of the project.
        title: for the raters.
        created: UTC.
        images: folder of the images, from the project's folder.
        cases, checkpoints, settings: as above.
    """

    format: Literal["segcam-review"] = "segcam-review"
    version: Annotated[int, Field(ge=1, le=VERSION)] = VERSION
    id: Word
    title: Word
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    images: PathText
    cases: tuple[Case, ...]
    checkpoints: Annotated[tuple[Checkpoint, ...], Field(min_length=1, max_length=26)]
    settings: Settings = Settings()

    @model_validator(mode="after")
    def _check_names(self) -> ProjectContent:
        for what, names in (
            ("case", [case.id for case in self.cases]),
            ("checkpoint", [checkpoint.name for checkpoint in self.checkpoints]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"two of the {what}s have the same name")
        return self


def make_settings(**fields: Any) -> Settings:
    """Return settings with these fields.

    Raises:
        SegcamError: if one is out of its range.
    """
    try:
        return Settings.model_validate(fields)
    except ValidationError as error:
        place, message = _first_problem(error)
        raise SegcamError(f"The setting {place or 'reasons'} of the review is not possible: {message}.") from error


def _first_problem(error: ValidationError) -> tuple[str, str]:
    """Return where the first problem is, and what it is."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return ".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, ")


def read_project_file(folder: Path) -> ProjectContent:
    """Return the content of a project's file.

    Raises:
        SegcamError: if the folder is no project, its file is damaged, or a later version has written it.
    """
    path = folder / PROJECT_FILE
    if not path.exists():
        where = "There is no folder" if not folder.exists() else "This is no review project:"
        raise SegcamError(f"{where} {folder}. {remedy('new_project')}")
    refuse_no_file(path)
    try:
        if path.stat().st_size > PROJECT_BYTES:
            raise SegcamError(f"{path} is larger than the {PROJECT_BYTES // MIB} MB that are read.")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SegcamError(f"{path} cannot be read: {error_text(error)}.") from error
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise SegcamError(f"{path} is not the file of a review project.")
    refuse_later_version(path, content.get("version"), VERSION)
    try:
        return ProjectContent.model_validate(content)
    except ValidationError as error:
        place, message = _first_problem(error)
        raise SegcamError(f"{path} is damaged: {place or 'its content'}: {message}.") from error


def write_project_file(folder: Path, content: ProjectContent) -> None:
    """Write a project's file, completely or not at all.

    Raises:
        SegcamError: if it cannot be written.
    """
    with whole_file(folder / PROJECT_FILE) as temporary:
        temporary.write_bytes(json_bytes(content.model_dump(mode="json"), indent=1))
