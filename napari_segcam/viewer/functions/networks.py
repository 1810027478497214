"""The networks of the functions: loaded once, and again only when their files have changed."""

from __future__ import annotations

import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_segcam.errors import SegcamError

if TYPE_CHECKING:  # torch comes with it
    from napari_segcam.network.network import Network

KEPT_NETWORKS = 2
"""How many networks are kept, those used last: enough to compare two."""

KEPT_BYTES = 2 * 2**30
"""Size of the files of all networks that are kept. A larger one is kept alone until the next is loaded."""

_MOST_FILES = 1000  # of a checkpoint in a folder; one with more is loaded each time

CHOOSE_FIRST = "Choose a checkpoint first: a file such as best_model.pth."

FilesState = tuple[tuple[str, int, int], ...]  # path, time of the last change in ns, and size of each file


class KeptNetworks:
    """The networks used last, by their files and their device; for any thread."""

    def __init__(self) -> None:
        self._networks: OrderedDict[tuple[FilesState, str], Network] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._networks)

    def get(self, paths: Sequence[Path], device: str, tell: Callable[[str], None]) -> Network:
        """Return the network of a checkpoint, or the ensemble of several, on a device as for ``load_network``.

        ``tell`` is called with each of its warnings if it is loaded now.

        Raises:
            SegcamError: as ``load_network``.
        """
        from napari_segcam.network.device import choose_device
        from napari_segcam.network.loading import load_network

        device = str(choose_device(device))  # "auto" is another one after a change of the preferences
        with self._lock:
            key = (files_state(paths), device)
            network = self._networks.pop(key, None)
            if network is None:
                network = load_network(list(paths) if len(paths) > 1 else paths[0], device)
                for warning in network.warnings:
                    tell(warning)
            if key[0]:
                self._networks[key] = network
                self._drop_oldest()
            return network

    def clear(self) -> None:
        """Free the memory of all networks that nobody else uses."""
        with self._lock:
            self._networks.clear()

    def _drop_oldest(self) -> None:
        while len(self._networks) > KEPT_NETWORKS or (len(self._networks) > 1 and self._bytes() > KEPT_BYTES):
            self._networks.popitem(last=False)

    def _bytes(self) -> int:
        return sum(size for files, _ in self._networks for _, _, size in files)


kept_networks = KeptNetworks()
"""Those of ``segment`` and ``explain``."""


def warn(words: str) -> None:
    """Warn a program, as Python does; napari's window shows such warnings."""
    warnings.warn(words, stacklevel=3)


def network_of(checkpoint: object, device: str, tell: Callable[[str], None]) -> Network:
    """Return the network of a checkpoint.

    Args:
        checkpoint: a path as for ``load_network``, several for an ensemble, or a ``Network``, which stays where it is.
        device: as for ``load_network``.
        tell: called with each of the network's warnings when it is loaded.

    Raises:
        SegcamError: if it is none of these, or as ``load_network``.
    """
    import_torch_safely()
    from napari_segcam.network.network import Network

    if isinstance(checkpoint, Network):
        return checkpoint
    if isinstance(checkpoint, str | Path):
        given: list[str | Path] = [checkpoint]
    elif isinstance(checkpoint, Sequence) and all(isinstance(path, str | Path) for path in checkpoint):
        given = list(checkpoint)
    else:
        raise SegcamError(
            f"A {type(checkpoint).__name__} is no checkpoint: give the path of its file, or a network from "
            "load_network or Network.from_module."
        )
    if not given or any(is_unset(path) for path in given):
        raise SegcamError(CHOOSE_FIRST)
    return kept_networks.get([Path(path) for path in given], device, tell)


def is_unset(checkpoint: str | Path) -> bool:
    """Return whether a path is what a field for a file holds while nobody has chosen one."""
    return str(checkpoint) in ("", ".")


def files_state(paths: Sequence[Path]) -> FilesState:
    """Return the state of all files that a network is loaded from, with cards and members; empty if there are many."""
    state: list[tuple[str, int, int]] = []
    for path in _files(paths):
        try:
            stat = path.stat()
        except OSError:
            continue  # load_network says what is missing
        state.append((str(path.absolute()), stat.st_mtime_ns, stat.st_size))
        if len(state) > _MOST_FILES:
            return ()
    return tuple(state)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    from napari_segcam.network.ensemble.members import member_list
    from napari_segcam.network.model_card import card_path

    members = member_list(list(paths)) if len(paths) > 1 else member_list(paths[0])
    if members is not None and len(paths) == 1:
        yield paths[0]  # the file that names them
    for path in paths if members is None else members.paths:
        yield from sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        yield card_path(path)


def import_torch_safely() -> None:
    """Import torch: in a process with napari's window as its worker does, since there its libraries can clash."""
    if "napari._qt" in sys.modules:
        from napari_segcam.viewer.worker.import_torch import import_torch

        import_torch()
    else:
        import torch  # noqa: F401
