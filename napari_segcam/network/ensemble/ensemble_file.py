"""The ensemble file: a small YAML file that names the members of an ensemble, so that one path stands for all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from napari_segcam.budget import CARD_BYTES, ENSEMBLE_MEMBERS
from napari_segcam.errors import SegcamError, error_text, printable
from napari_segcam.files import whole_file
from napari_segcam.network.model_card import ModelCard, make_card
from napari_segcam.network.settings_text import parse_yaml, read_text
from napari_segcam.remedies import remedy

ENSEMBLE_SUFFIX = ".segcam-ensemble.yaml"


class EnsembleFile(BaseModel):
    """Content of the file.

    Attributes:
        members: paths of the checkpoints, relative to the folder of the file.
        weights: of each in the mean; empty if all count the same.
        card: fields that hold for all members, such as the threshold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    members: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=4096)], ...],
        Field(min_length=1, max_length=ENSEMBLE_MEMBERS),
    ]
    weights: tuple[Annotated[float, Field(gt=0)], ...] = ()
    card: dict[str, Any] = Field(default_factory=dict)


def is_ensemble_file(path: Path) -> bool:
    """Return whether a path is named as an ensemble file."""
    return path.name.endswith(ENSEMBLE_SUFFIX)


def ensemble_path(name: str | Path) -> Path:
    """Return the path of an ensemble file for a name, to which the suffix is added if it is missing."""
    path = Path(name)
    return path if is_ensemble_file(path) else path.with_name(path.name + ENSEMBLE_SUFFIX)


def read_ensemble_file(path: Path) -> tuple[list[Path], tuple[float, ...] | None, ModelCard | None]:
    """Return the paths of the members, their weights, and the fields of a card that hold for all of them.

    Raises:
        SegcamError: if the file cannot be read, is not YAML, or a field is unknown or out of range, or a member is an
            ensemble itself.
    """
    try:
        content = parse_yaml(read_text(path, CARD_BYTES))
    except (OSError, UnicodeDecodeError) as error:
        raise SegcamError(f"The ensemble {path} cannot be read: {error_text(error)}.") from error
    except ValueError as error:
        raise SegcamError(f"The ensemble {path} is not valid YAML: {error}.") from error
    try:
        file = EnsembleFile.model_validate(content or {})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = ".".join(str(part)[:100] for part in problem["loc"])
        raise SegcamError(
            f"The ensemble {path} has errors: {printable(f'{field}: ' if field else '')}{problem['msg'].lower()}. It "
            "consists of members, a list of paths, and if you like weights and card."
        ) from error
    if any(name.endswith(ENSEMBLE_SUFFIX) for name in file.members):
        raise SegcamError(f"The ensemble {path} names another ensemble as a member. Name the members of that one.")
    members = [path.parent / name for name in file.members]
    return members, file.weights or None, make_card(file.card) if file.card else None


def write_ensemble_file(
    path: str | Path,
    members: Sequence[str | Path],
    weights: Sequence[float] | None = None,
    card: ModelCard | None = None,
    *,
    force: bool = False,
) -> Path:
    """Write an ensemble file and return its path.

    Args:
        path: of the file; the suffix ``.segcam-ensemble.yaml`` is added if it is missing.
        members: paths of the checkpoints. They are written relative to the folder of the file.
        weights: of each in the mean; by default all count the same.
        card: fields that hold for all members.
        force: whether to replace an existing file.

    Raises:
        SegcamError: if there is such a file already, or it cannot be written.
    """
    path = ensemble_path(path)
    if path.exists() and not force:
        raise SegcamError(f"There is an ensemble already: {path}. {remedy('replace')}")
    content: dict[str, Any] = {"members": [_relative(member, path.parent) for member in members]}
    if weights is not None:
        content["weights"] = [float(weight) for weight in weights]
    if card is not None:
        content["card"] = card.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    with whole_file(path) as file:
        file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def _relative(member: str | Path, folder: Path) -> str:
    """Return the path of a member as seen from a folder; as it is where that is impossible, on another drive."""
    try:
        return Path(os.path.relpath(member, folder)).as_posix()
    except ValueError:
        return os.path.abspath(member)
