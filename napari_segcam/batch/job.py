"""The job: all that a process elsewhere needs to examine images as this one would."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from napari_segcam.batch.analysis import Analysis
from napari_segcam.batch.image_processing import Examined, Outputs, examine
from napari_segcam.batch.images import BatchImage
from napari_segcam.batch.model import described, versions
from napari_segcam.batch.options import Wishes
from napari_segcam.batch.true_masks import Colour
from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource

_ready: dict[str, Analysis] = {}


@dataclass(frozen=True)
class Job:
    """What is done to every image, and with what.

    Attributes:
        model: where the network is loaded from.
        wishes: what is wanted of every frame.
        outputs: what is wanted besides figures.
        colours: of true masks that are painted.
        threads: of torch.
        described: the network as it must be, lest results of two are mixed.
        versions: of the packages, likewise.
    """

    model: ModelSource
    wishes: Wishes
    outputs: Outputs
    colours: Mapping[str, Colour] | None
    threads: int
    described: Mapping[str, Any]
    versions: Mapping[str, str]

    @property
    def token(self) -> str:
        """The same for equal jobs, in every process."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def do(job: Job, image: BatchImage, worker: int = 0) -> Examined:
    """Examine an image in this process, which keeps the network for the next one.

    Args:
        job: what to do.
        image: to be read at its path, which must be the same as where the job was made.
        worker: number of this process on its machine, which decides among several GPUs.

    Raises:
        SegcamError: if the network or a package is another one than where the job was made.
    """
    torch.set_num_threads(job.threads)
    if job.token not in _ready:
        _ready.clear()  # at most one network is in memory
        _ready[job.token] = _prepared(job, worker)
    examined = examine(image, _ready[job.token], job.outputs, job.colours)
    assert examined is not None  # nothing cancels it
    return examined


def _prepared(job: Job, worker: int) -> Analysis:
    here = versions()
    for package, there in job.versions.items():
        if here[package] != there:
            raise SegcamError(f"A worker has {package} {here[package]}, but {there} is wanted: install the same.")
    network = job.model.load(_device(job.model.device, worker))
    if described(network) != dict(job.described):
        raise SegcamError(
            f"A worker has another network than this run ({network.name}, on {network.device}): it must find the same "
            "checkpoint and model card at the same path, and the same kind of device."
        )
    return Analysis(network, job.wishes)


def _device(device: str, worker: int) -> str:
    """One GPU for each process of a machine, in turn, unless the user names one."""
    gpus = torch.cuda.device_count()
    return f"cuda:{worker % gpus}" if device in ("auto", "cuda") and gpus > 1 else device
