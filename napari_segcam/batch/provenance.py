"""Provenance of a run: what identifies its network and its packages, so that results of two are never mixed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.external import ExternalMethod
from napari_segcam.explanation.stage_maps import find_method
from napari_segcam.mask_metrics.surfaces import surface_implementation
from napari_segcam.network.ensemble.ensemble import Ensemble
from napari_segcam.network.network import Network

_PACKAGES = ("napari-segcam", "torch", "segmentation-models-pytorch", "numpy", "pillow")


def network_record(network: Network) -> dict[str, Any]:
    """Return, in plain values, all of a network that its results depend on."""
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
        **_members(network),
    }


def _members(network: Network) -> dict[str, Any]:
    """Return the members of an ensemble, each with its weight; nothing for one network."""
    if not isinstance(network, Ensemble):
        return {}
    members = zip(network.members, network.weights, strict=True)
    return {"members": [{"weight": weight, **network_record(member)} for member, weight in members]}


def versions(methods: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of the packages that the last digits of a result depend on.

    Args:
        methods: of the run; some are those of another package.
    """
    found = [find_method(name) for name in methods]
    others = [method.distribution for method in found if isinstance(method, ExternalMethod)]
    return {package: version(package) for package in (*_PACKAGES, *others)}


def metrics_record(tolerance: float) -> dict[str, Any]:
    """Return, in plain values, what the metrics of a mask beside a true one depend on.

    Args:
        tolerance: as in ``ExplainOptions``.

    Raises:
        SegcamError: if it is negative, or no number.
    """
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise SegcamError(f"The tolerance {tolerance} is no distance: give 0 or more, in mm.")
    return {"tolerance": tolerance, "surface_distances": surface_implementation()}


def _weights_sha256(network: Network) -> str:
    """Return the checksum of the weights of a network that has no file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.module.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
