"""The model of a batch: where its network comes from, so that any process can load it, and by what it is known."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from napari_segcam.network.loading import load_network
from napari_segcam.network.network import Network

_PACKAGES = ("napari-segcam", "torch", "segmentation-models-pytorch", "numpy", "pillow")


@dataclass(frozen=True)
class ModelSource:
    """Where a network comes from; the attributes are those of ``load_network``.

    Attributes:
        image_size: as for ``Network.with_image_size``; None leaves it to the card.
    """

    checkpoint: str | None = None
    device: str = "auto"
    architecture: str | None = None
    encoder: str | None = None
    factory: str | None = None
    image_size: int | None = None

    def load(self, device: str | None = None) -> Network:
        """Load the network, on another device if one is given.

        Raises:
            SegcamError: as ``load_network``, or if the image size does not go with the network.
        """
        path = Path(self.checkpoint) if self.checkpoint is not None else None
        network = load_network(
            path, device or self.device, architecture=self.architecture, encoder=self.encoder, factory=self.factory
        )
        return network if self.image_size is None else network.with_image_size(self.image_size)

    def anywhere(self) -> ModelSource:
        """The same, with a path that means the same in every process."""
        return replace(self, checkpoint=os.path.abspath(self.checkpoint)) if self.checkpoint is not None else self


def described(network: Network) -> dict[str, Any]:
    """A network in plain values: all of it that decides what it says of an image."""
    return {
        "checkpoint": network.name,
        "sha256": network.sha256 or _weights_sha256(network),
        "architecture": network.architecture,
        "encoder": network.encoder,
        "classes": list(network.class_names),
        "segments": network.segments,
        "model_card": network.card.model_dump(mode="json"),
        "device": network.device.type,
        "precision": str(network.dtype).removeprefix("torch."),
        "rewrites": list(network.form.applied),
    }


def versions() -> dict[str, str]:
    """The packages whose versions decide the last digits of a result."""
    return {package: version(package) for package in _PACKAGES}


def _weights_sha256(network: Network) -> str:
    """Of a network that came without a file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.module.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
