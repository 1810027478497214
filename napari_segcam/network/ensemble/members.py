"""The members of an ensemble: which checkpoints a path stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.budget import ENSEMBLE_MEMBERS
from napari_segcam.errors import SegcamError
from napari_segcam.network.ensemble.ensemble_file import ENSEMBLE_SUFFIX, is_ensemble_file, read_ensemble_file
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.packages.nnunet_results import fold_checkpoints

ALL_FOLDS = "all"
"""The name of weights that stands for all folds of a result folder of nnU-Net."""


@dataclass(frozen=True)
class MemberList:
    """What an ensemble is loaded from.

    Attributes:
        paths: of the checkpoints.
        weights: of each in the mean; None if all count the same.
        card: fields that hold for all members, from the ensemble's file.
        name: to show to users; empty for one made from the members.
        weights_name: as ``weights`` of ``load_network``, for each member.
    """

    paths: tuple[Path, ...]
    weights: tuple[float, ...] | None = None
    card: ModelCard | None = None
    name: str = ""
    weights_name: str | None = None


def member_list(path: str | Path | Sequence[str | Path] | None, weights_name: str | None = None) -> MemberList | None:
    """Return the members that a path stands for; None for one network.

    Args:
        path: several paths, an ensemble file, or with ``ALL_FOLDS`` a result folder of nnU-Net.
        weights_name: as ``weights`` of ``load_network``.

    Raises:
        SegcamError: if an ensemble file cannot be read, there are too many members, or a folder has no folds.
    """
    if path is None:
        return None
    if isinstance(path, str | Path):
        path = Path(path)
        if weights_name == ALL_FOLDS and path.is_dir():
            return _folds(path)
        if not is_ensemble_file(path):
            return None
        members, weights, card = read_ensemble_file(path)
        return MemberList(tuple(members), weights, card, path.name.removesuffix(ENSEMBLE_SUFFIX), weights_name)
    paths = tuple(map(Path, path))
    if len(paths) == 1:
        return member_list(paths[0], weights_name) or MemberList(paths, weights_name=weights_name)
    if not paths:
        raise SegcamError("There is nothing to load: the list of checkpoints is empty.")
    if len(paths) > ENSEMBLE_MEMBERS:
        raise SegcamError(f"An ensemble has at most {ENSEMBLE_MEMBERS} members, but {len(paths)} are given.")
    if ensembles := [path for path in paths if is_ensemble_file(path)]:
        raise SegcamError(f"{ensembles[0]} is an ensemble itself: name its members instead, or load it alone.")
    return MemberList(paths, weights_name=weights_name)


def _folds(folder: Path) -> MemberList:
    """Return the folds of a result folder of nnU-Net."""
    checkpoints = fold_checkpoints(folder)
    if not checkpoints:
        raise SegcamError(
            f"{folder} has no folders fold_0, fold_1 … with a checkpoint. Name the checkpoints of the ensemble instead."
        )
    return MemberList(tuple(checkpoints), name=f"{folder.name}, all folds")
