"""The members of an ensemble: which checkpoints a path stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.budget import ENSEMBLE_MEMBERS
from napari_segcam.errors import SegcamError
from napari_segcam.network.ensemble.ensemble_file import ENSEMBLE_SUFFIX, is_ensemble_file, read_ensemble_file
from napari_segcam.network.model_card import ModelCard


@dataclass(frozen=True)
class MemberList:
    """What an ensemble is loaded from.

    Attributes:
        paths: of the checkpoints.
        weights: of each in the mean; None if all count the same.
        card: fields that hold for all members, from the ensemble's file.
        name: to show to users; empty for one made from the members.
    """

    paths: tuple[Path, ...]
    weights: tuple[float, ...] | None = None
    card: ModelCard | None = None
    name: str = ""


def member_list(path: str | Path | Sequence[str | Path] | None) -> MemberList | None:
    """Return the members that a path stands for: those of an ensemble file, or of several paths; None for one network.

    Raises:
        SegcamError: if an ensemble file cannot be read, or there are too many members.
    """
    if path is None:
        return None
    if isinstance(path, str | Path):
        path = Path(path)
        if not is_ensemble_file(path):
            return None
        members, weights, card = read_ensemble_file(path)
        return MemberList(tuple(members), weights, card, path.name.removesuffix(ENSEMBLE_SUFFIX))
    paths = tuple(map(Path, path))
    if len(paths) == 1:
        return member_list(paths[0]) or MemberList(paths)
    if not paths:
        raise SegcamError("There is nothing to load: the list of checkpoints is empty.")
    if len(paths) > ENSEMBLE_MEMBERS:
        raise SegcamError(f"An ensemble has at most {ENSEMBLE_MEMBERS} members, but {len(paths)} are given.")
    if ensembles := [path for path in paths if is_ensemble_file(path)]:
        raise SegcamError(f"{ensembles[0]} is an ensemble itself: name its members instead, or load it alone.")
    return MemberList(paths)
