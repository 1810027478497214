"""Open a package of any kind."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.loaded_module import LoadedModule
from napari_segcam.network.packages.kinds import find_package
from napari_segcam.network.packages.package import Package
from napari_segcam.network.packages.unpacking import unpacked

# Kind → the module with its ``open_folder``. Each is imported when it is needed.
_READERS = {
    "bioimage.io": "bioimageio",
    "MONAI bundle": "monai_bundle",
    "Hugging Face": "hugging_face",
    "nnU-Net": "nnunet_results",
}


@contextmanager
def open_package(path: str | Path | None, weights: str | None = None) -> Iterator[Package | None]:
    """Yield the package that a path is, with its files there while the context lasts; None if it is none.

    Args:
        path: folder, zip archive, or a file of the package; None is no package.
        weights: which of its weights to use, by name. A name that the package does not know belongs to a network within
            the weights file.

    Raises:
        SegcamError: if the package is damaged, or what it describes cannot be opened here; the message says what.
    """
    found = None if path is None else find_package(path)
    if found is None:
        yield None
        return
    reader = importlib.import_module(f"napari_segcam.network.packages.{_READERS[found.kind]}")
    with unpacked(found.path) as root:
        package: Package = reader.open_folder(root / found.inside, found.choice)
        yield package.choosing(weights)


def load_from_package(
    package: Package, weights: str | None, load: Callable[[Checkpoint], LoadedModule]
) -> tuple[Checkpoint, LoadedModule]:
    """Load the first of a package's weights that can be opened, and say why those before it cannot.

    Args:
        package: opened.
        weights: name that the user chose.
        load: loads weights of which the package does not say how the network is built.

    Raises:
        SegcamError: if none can be opened; the message says why for each.
    """
    names = [entry.name for entry in (*package.weights, *package.others)]
    choices = f" Weights in this {package.title}: {', '.join(names)}." if weights not in (None, *names) else ""
    refusals: list[tuple[str, SegcamError]] = []
    for entry in package.weights:
        try:
            checkpoint = entry.read(None if entry.name == weights else weights)
            loaded = load(checkpoint) if entry.build is None else entry.build(checkpoint)
        except SegcamError as error:
            refusals.append((entry.name, error))
            continue
        notes = [entry.note] if entry.note else []
        notes += [f"The package's weights {name} were not used: {error}" for name, error in refusals]
        return checkpoint, package.completed(loaded, tuple(notes))
    offers = [error for _, error in refusals if type(error) is not SegcamError]  # an offer says how to go on
    if len(refusals) == 1 or offers:
        refusal = (offers or [refusals[0][1]])[0]
        raise refusal if offers or not choices else SegcamError(f"{refusal}{choices}") from refusal
    reasons = " ".join(f"{name}: {error}" for name, error in refusals)
    raise SegcamError(f"None of the weights in this {package.title} can be opened. {reasons}{choices}")
