"""A worker: a process, here or on another machine, that processes images for a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from napari_segcam.batch.color_tables.color_table import Color
from napari_segcam.batch.color_tables.named_classes import with_names_of
from napari_segcam.batch.image_processing import OutputOptions, ProcessedImage, process_image
from napari_segcam.batch.images import BatchImage
from napari_segcam.batch.options import ExplainOptions
from napari_segcam.batch.pipeline import ExplainPipeline
from napari_segcam.batch.provenance import metrics_record, network_record, versions
from napari_segcam.errors import SegcamError
from napari_segcam.logs import ensure_log
from napari_segcam.network.source import ModelSource

_pipelines: dict[str, ExplainPipeline] = {}


@dataclass(frozen=True)
class WorkerSetup:
    """All that a worker needs to process images as the process that started the run would.

    Attributes:
        model: where the network is loaded from.
        options: how frames are explained.
        outputs: what is written besides figures.
        colors: of the classes in true masks in color.
        threads: of torch.
        network_record: the worker's network must be the same, so that results of two networks are never mixed.
        versions: of packages, which must be the same too.
        metrics: as ``metrics_record``, which must be the same too; empty if there is no true mask.
    """

    model: ModelSource
    options: ExplainOptions
    outputs: OutputOptions
    colors: Mapping[str, Color] | None
    threads: int
    network_record: Mapping[str, Any]
    versions: Mapping[str, str]
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """A checksum: the same for equal setups, in every process."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def process_in_worker(setup: WorkerSetup, image: BatchImage, worker_number: int = 0) -> ProcessedImage:
    """Process an image in this process, which keeps the network for the next image.

    Args:
        setup: of the run.
        image: read at its path, which must be valid in this process.
        worker_number: of this process on its machine; it chooses among several GPUs.

    Raises:
        SegcamError: if the network or the version of a package is not that of the run.
    """
    if setup.token not in _pipelines:
        ensure_log()
        _pipelines.clear()  # at most one network is in memory
        _pipelines[setup.token] = _prepared_pipeline(setup, worker_number)
    torch.set_num_threads(setup.threads)  # loading a network sets those of the preferences
    processed = process_image(image, _pipelines[setup.token], setup.outputs, setup.colors)
    assert processed is not None  # nothing cancels it
    return processed


def _prepared_pipeline(setup: WorkerSetup, worker_number: int) -> ExplainPipeline:
    installed = versions(setup.options.methods)
    for package, version in setup.versions.items():
        if installed[package] != version:
            raise SegcamError(
                f"A worker has {package} {installed[package]}, but this run uses {version}: install the same version."
            )
    if setup.metrics and (own := metrics_record(setup.options.tolerance)) != dict(setup.metrics):
        ours, theirs = (record["surface_distances"] or "no MONAI" for record in (own, setup.metrics))
        raise SegcamError(f"A worker has {ours}, but this run uses {theirs}: install the same version.")
    network = with_names_of(setup.model.load(_device(setup.model.device, worker_number)), setup.colors)
    if network_record(network) != dict(setup.network_record):
        raise SegcamError(
            f"A worker has another network than this run ({network.name}, on {network.device}): it must find the same "
            "checkpoint and model card at the same path, and the same kind of device."
        )
    return ExplainPipeline(network, setup.options)


def _device(device: str, worker_number: int) -> str:
    """Return the GPU of a process: each has the next one, unless the user names one."""
    gpus = torch.cuda.device_count()
    return f"cuda:{worker_number % gpus}" if device in ("auto", "cuda") and gpus > 1 else device
