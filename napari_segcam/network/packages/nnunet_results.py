"""Result folders of nnU-Net v2: ``plans.json``, ``dataset.json`` and a folder for each fold.

The plans are read by ``families/nnunet.py``, as for a single checkpoint. Here the fold is chosen.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint
from napari_segcam.network.packages.kinds import NNUNET_CHECKPOINTS, fold_names
from napari_segcam.network.packages.listing import FolderListing
from napari_segcam.network.packages.package import Package, PackageWeights
from napari_segcam.remedies import remedy

_FIRST_FOLD = "The folder holds {count} folds ({names}): {used} is used. {other}"


def fold_checkpoints(folder: str | Path) -> list[Path]:
    """Return the checkpoint of each fold in a result folder of nnU-Net, in order; the final one, else the best.

    Args:
        folder: with ``plans.json``, ``dataset.json`` and ``fold_*``.
    """
    root = Path(folder)
    return [_checkpoint_of(root / fold) for fold in fold_names(FolderListing(root))]


def open_folder(root: Path, choice: str) -> Package:
    """Return the folder as a package, whose weights are its folds.

    Args:
        root: the result folder.
        choice: name of the fold; empty for the first.

    Raises:
        SegcamError: if there is no such fold.
    """
    names = fold_names(FolderListing(root))
    if choice and choice not in names:
        raise SegcamError(f"{root} has no {choice} with a checkpoint. It has: {', '.join(names)}.")
    used = choice or names[0]
    note = (
        _FIRST_FOLD.format(count=len(names), names=", ".join(names), used=used, other=remedy("other_fold"))
        if len(names) > 1
        else ""
    )
    first = PackageWeights(used, partial(read_checkpoint, _checkpoint_of(root / used)), note=note)
    others = (
        PackageWeights(name, partial(read_checkpoint, file))
        for fold in names
        for name, file in _choices(root, fold).items()
        if name != used
    )
    return Package("nnU-Net result folder", (first,), tuple(others))


def _choices(root: Path, fold: str) -> dict[str, Path]:
    """Return the checkpoints of a fold, by the names under which the user may choose them."""
    names = [name for name in NNUNET_CHECKPOINTS if (root / fold / name).is_file()]
    return {fold: root / fold / names[0]} | {f"{fold}/{Path(name).stem}": root / fold / name for name in names}


def _checkpoint_of(fold: Path) -> Path:
    return next(fold / name for name in NNUNET_CHECKPOINTS if (fold / name).is_file())
