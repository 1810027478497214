"""Source of a network: what it is loaded from, in plain values that can be stored and sent to any process."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_segcam.network.ensemble.member_names import ensemble_title, unique_names

if TYPE_CHECKING:  # these import torch, which only load() needs
    from napari_segcam.network.model_card import ModelCard
    from napari_segcam.network.network import Network

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelSource:
    """Where a network comes from; the attributes are those of ``load_network``.

    Attributes:
        image_size: as for ``Network.with_image_size``; with None, the card decides.
        others: paths of further checkpoints, which form an ensemble with the first.
        tiles: side of the tiles, as for ``Network.with_tiles``; with None, the card decides.
        tile_overlap: as for ``Network.with_tiles``.
    """

    path: str | None = None
    architecture: str | None = None
    encoder: str | None = None
    factory: str | None = None
    device: str = "auto"
    image_size: int | None = None
    classes_overlap: bool | None = None
    output: str | None = None
    weights: str | None = None
    accept_structure: int = 0
    others: tuple[str, ...] = ()
    tiles: int | None = None
    tile_overlap: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "others", tuple(self.others))  # a list, where it was stored as JSON

    @classmethod
    def of(cls, model: ModelSource | str | Path | Sequence[str | Path]) -> ModelSource:
        """Return the source for a path, or for several that form an ensemble; a source stays as it is."""
        if isinstance(model, ModelSource):
            return model
        paths = [str(path) for path in ([model] if isinstance(model, str | Path) else model)]
        return cls(paths[0] if paths else None, others=tuple(paths[1:]))

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of all checkpoints; empty without one."""
        return () if self.path is None else (self.path, *self.others)

    @property
    def title(self) -> str:
        """Name to show to users."""
        checkpoint = None if self.path is None else Path(self.path).name
        if self.others:
            checkpoint = ensemble_title(unique_names(self.paths))
        names = (self.factory, checkpoint, self.weights)
        return " with ".join(name for name in names if name)

    @property
    def label(self) -> str:
        """Name and folder, since checkpoints in different folders may have the same name."""
        return self.title if self.path is None else f"{self.title} – {Path(self.path).parent.name}"

    @property
    def is_there(self) -> bool:
        """Whether all checkpoints still exist."""
        return all(Path(path).exists() for path in self.paths)

    def load(self, device: str | None = None, card: ModelCard | None = None) -> Network:
        """Load the network.

        Args:
            device: used instead of the source's device.
            card: used instead of the card beside the checkpoint.

        Raises:
            SegcamError: as ``load_network``, or if the image size does not fit the network.
        """
        from napari_segcam.network.loading import load_network

        start = time.perf_counter()
        network = load_network(
            list(self.paths) if self.others else self.path,
            device or self.device,
            architecture=self.architecture,
            encoder=self.encoder,
            factory=self.factory,
            card=card,
            classes_overlap=self.classes_overlap,
            output=self.output,
            weights=self.weights,
            accept_structure=self.accept_structure,
        )
        _log.info("A network was loaded in %.2f s, for %s", time.perf_counter() - start, network.device.type)
        if self.image_size is not None:
            network = network.with_image_size(self.image_size)
        return network if self.tiles is None else network.with_tiles(self.tiles, self.tile_overlap)

    def anywhere(self) -> ModelSource:
        """Return the same source with absolute paths, which are valid in every process."""
        if self.path is None:
            return self
        return replace(self, path=os.path.abspath(self.path), others=tuple(map(os.path.abspath, self.others)))
