"""Kinds of packages, known by the names of their files. Nothing here imports torch: the viewer asks for any file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_segcam.network.packages.listing import FolderListing, Listing, list_files
from napari_segcam.network.settings_text import read_json

Kind = Literal["bioimage.io", "MONAI bundle", "Hugging Face", "nnU-Net"]

BIOIMAGEIO_NAMES = ("rdf.yaml", "bioimageio.yaml", "model.yaml", "model.rdf.yaml")
BIOIMAGEIO_ENDINGS = (".bioimageio.yaml", ".rdf.yaml")
HUGGING_FACE_WEIGHTS = (
    *("model.safetensors", "model.safetensors.index.json"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
NNUNET_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth", "checkpoint_latest.pth")
MONAI_METADATA = "configs/metadata.json"

_DEEPEST = 2  # levels of folders above a nnU-Net result folder that are looked into


@dataclass(frozen=True)
class FoundPackage:
    """A package, not opened yet.

    Attributes:
        kind: which description it has.
        path: the folder or zip archive.
        inside: folder in it that holds the description, with its slash; empty for the package itself.
        choice: name of the weights, if the user named their file; empty otherwise.
    """

    kind: Kind
    path: Path
    inside: str = ""
    choice: str = ""


def find_package(path: str | Path) -> FoundPackage | None:
    """Return the package that a path is, or None if it is something else, such as a plain checkpoint.

    The path may be a folder or zip archive, the file in it that describes it, or its weights file.
    """
    path = Path(path)
    if path.is_file() and (found := _by_part(path)) is not None:
        return found
    listing = list_files(path) if path.exists() else None
    if listing is None:
        return None
    for kind, find in _FINDERS.items():
        if (inside := find(listing)) is not None:
            return FoundPackage(kind, path, inside)
    if path.is_dir() and path.name.startswith("fold_") and _is_nnunet(FolderListing(path.parent), ""):
        return FoundPackage("nnU-Net", path.parent, choice=path.name)
    return None


def is_package(path: str | Path) -> bool:
    """Return whether a path is a package. Only names of files and one small file are read."""
    return find_package(path) is not None


def _by_part(path: Path) -> FoundPackage | None:
    """Return the package that a file describes, or whose weights it holds."""
    name, folder = path.name.lower(), path.parent
    if name in BIOIMAGEIO_NAMES or name.endswith(BIOIMAGEIO_ENDINGS):
        return FoundPackage("bioimage.io", folder, choice="")
    if name in ("config.json", *HUGGING_FACE_WEIGHTS) and _is_hugging_face(FolderListing(folder)):
        return FoundPackage("Hugging Face", folder)
    if name in ("plans.json", "dataset.json") and _is_nnunet(FolderListing(folder), ""):
        return FoundPackage("nnU-Net", folder)
    if folder.name in ("models", "configs") and (folder.parent / MONAI_METADATA).is_file():
        choice = path.name if folder.name == "models" else ""
        return FoundPackage("MONAI bundle", folder.parent, choice=choice)
    return None


def bioimageio_description(listing: Listing) -> str | None:
    """Return the name of the file that describes a bioimage.io model; None if there is none."""
    for name in listing.files():
        if name.lower() in BIOIMAGEIO_NAMES or name.lower().endswith(BIOIMAGEIO_ENDINGS):
            return name
    return None


def _bioimageio(listing: Listing) -> str | None:
    return None if bioimageio_description(listing) is None else ""


def _monai(listing: Listing) -> str | None:
    return "" if listing.has(MONAI_METADATA) else None


def _hugging_face(listing: Listing) -> str | None:
    return "" if _is_hugging_face(listing) else None


def _is_hugging_face(listing: Listing) -> bool:
    """Return whether a folder is one of Hugging Face's. SMP's folders have the same names, and other settings."""
    if not listing.has("config.json") or not any(map(listing.has, HUGGING_FACE_WEIGHTS)):
        return False
    if not isinstance(listing, FolderListing):
        return True  # it is looked at once it is unpacked
    try:
        settings = read_json(listing.root / "config.json")
    except Exception:  # the reader of SMP's folders says what is wrong with it
        return False
    return isinstance(settings, dict) and "model_type" in settings and "_model_class" not in settings


def _nnunet(listing: Listing) -> str | None:
    """Return the result folder of nnU-Net's two-dimensional configuration, in a folder of several results too."""
    level = [""]
    for _ in range(_DEEPEST + 1):
        results = [folder for folder in level if _is_nnunet(listing, folder)]
        flat = [folder for folder in results if folder.rstrip("/").endswith("2d")]
        if results:
            return (flat or results)[0]
        level = [inner for folder in level[:50] for inner in listing.folders(folder)]
    return None


def _is_nnunet(listing: Listing, inside: str) -> bool:
    if not (listing.has(f"{inside}plans.json") and listing.has(f"{inside}dataset.json")):
        return False
    return bool(fold_names(listing, inside))


def fold_names(listing: Listing, inside: str = "") -> list[str]:
    """Return the names of the folds with a checkpoint in a result folder of nnU-Net, such as ``"fold_0"``."""
    folds = (folder for folder in listing.folders(inside) if folder.removeprefix(inside).startswith("fold_"))
    has_checkpoint = [fold for fold in folds if any(listing.has(fold + name) for name in NNUNET_CHECKPOINTS)]
    return [fold.removeprefix(inside).rstrip("/") for fold in has_checkpoint]


_FINDERS: dict[Kind, Callable[[Listing], str | None]] = {
    "bioimage.io": _bioimageio,
    "MONAI bundle": _monai,
    "nnU-Net": _nnunet,
    "Hugging Face": _hugging_face,
}
