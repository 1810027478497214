"""The model of a batch: by what its network and the packages are known, lest results of two are mixed."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import Any

from napari_segcam.network.network import Network

_PACKAGES = ("napari-segcam", "torch", "segmentation-models-pytorch", "numpy", "pillow")


def network_record(network: Network) -> dict[str, Any]:
    """A network in plain values: all of it that decides what it says of an image."""
    return {
        "checkpoint": network.name,
        "sha256": network.sha256 or _weights_sha256(network),
        "architecture": network.architecture,
        "encoder": network.encoder,
        "classes": list(network.class_names),
        "classes_overlap": network.classes_overlap,
        "segments": network.segments,
        "output": network.output.as_dict(),
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
