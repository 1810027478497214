"""The job: all that a process elsewhere needs to examine images as this one would."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from napari_segcam.batch.analysis import Analysis
from napari_segcam.batch.image_processing import Outputs, ProcessedImage, process_image
from napari_segcam.batch.images import BatchImage
from napari_segcam.batch.model import network_record, versions
from napari_segcam.batch.options import ExplainOptions
from napari_segcam.batch.true_masks import Color
from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource

_ready: dict[str, Analysis] = {}


@dataclass(frozen=True)
class ImageJob:
    """What is done to every image, and with what.

    Attributes:
        model: where the network is loaded from.
        wishes: what is wanted of every frame.
        outputs: what is wanted besides figures.
        colors: of true masks that are painted.
        threads: of torch.
        network_record: the network as it must be, lest results of two are mixed.
        versions: of the packages, likewise.
    """

    model: ModelSource
    options: ExplainOptions
    outputs: Outputs
    colors: Mapping[str, Color] | None
    threads: int
    network_record: Mapping[str, Any]
    versions: Mapping[str, str]

    @property
    def token(self) -> str:
        """The same for equal jobs, in every process."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def do(job: ImageJob, image: BatchImage, worker: int = 0) -> ProcessedImage:
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
    examined = process_image(image, _ready[job.token], job.outputs, job.colors)
    assert examined is not None  # nothing cancels it
    return examined


def _prepared(job: ImageJob, worker: int) -> Analysis:
    here = versions()
    for package, there in job.versions.items():
        if here[package] != there:
            raise SegcamError(f"A worker has {package} {here[package]}, but {there} is wanted: install the same.")
    network = job.model.load(_device(job.model.device, worker))
    if network_record(network) != dict(job.network_record):
        raise SegcamError(
            f"A worker has another network than this run ({network.name}, on {network.device}): it must find the same "
            "checkpoint and model card at the same path, and the same kind of device."
        )
    return Analysis(network, job.options)


def _device(device: str, worker: int) -> str:
    """One GPU for each process of a machine, in turn, unless the user names one."""
    gpus = torch.cuda.device_count()
    return f"cuda:{worker % gpus}" if device in ("auto", "cuda") and gpus > 1 else device
