"""A run over many images, in this process or shared by several."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_segcam.batch.cluster import Cluster, processed_on
from napari_segcam.batch.color_tables.color_table import Color
from napari_segcam.batch.color_tables.named_classes import check_colors, with_names_of
from napari_segcam.batch.estimating import evidence_seconds
from napari_segcam.batch.evidence import measure_names
from napari_segcam.batch.image_processing import OutputOptions, ProcessedImage, process_image
from napari_segcam.batch.images import BatchImage, images_of, random_sample
from napari_segcam.batch.options import ExplainOptions
from napari_segcam.batch.pairing import with_truths, without_masks
from napari_segcam.batch.pipeline import ExplainPipeline
from napari_segcam.batch.provenance import metrics_record, network_record, versions
from napari_segcam.batch.run_folder import RunFolder
from napari_segcam.batch.tables import check_parquet
from napari_segcam.batch.worker import WorkerSetup
from napari_segcam.deprecated import renamed_arguments
from napari_segcam.errors import SegcamError
from napari_segcam.files import is_within
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.imaging.scan.region import parse_crop
from napari_segcam.network.network import Network
from napari_segcam.network.source import ModelSource
from napari_segcam.remedies import remedy
from napari_segcam.reporting.run_format import Row

_EVIDENCE_OPTIONS = {"measures": "", "draws": "_draws", "references": "_references", "seed": "_seed"}
"""Names in ``run.json`` to the ends of the names in ``ExplainOptions``."""


@dataclass(frozen=True)
class ImageResult:
    """The results of one image.

    Attributes:
        image: its name within the batch.
        rows: its figures, as in ``results.csv``; empty if it failed.
        error: why it failed; empty if it did not.
        folder: the folder of its record and its sheet.
        earlier: whether it was finished before this run was resumed.
        notes: sentences on what was wrong, or had to be assumed, when it was read.
    """

    image: str
    rows: Sequence[Row]
    error: str
    folder: Path
    earlier: bool = False
    notes: Sequence[str] = ()


class Batch:
    """A run over many images, in a folder from which it can be resumed.

    Making it lists the images, loads the network, and starts the run in its folder or resumes it. Iterating over it
    does the work, and gives the results of each image as they are finished; those that were finished before come
    first. Close the iterator to stop early. When the run is resumed, images that failed, or whose files have changed,
    are processed again.

    Args:
        source: a folder of images, DICOM cines and videos, or a CSV list with a column ``image`` and, optionally,
            ``truth``.
        out: the folder of the run.
        model: the checkpoint, several that form an ensemble, or another source of the network. A loaded network cannot
            be used with a cluster.
        options: how frames are explained.
        loaded: the network, if it has been loaded from ``model`` already.
        truth: a folder of true masks that have the names of their images.
        truth_colors: as ``read_colors`` returns them; they also name the classes where the card does not.
        num_samples: size of a random sample of the images; None takes all.
        seed: of the sample.
        outputs: what to write besides figures.
        parquet: whether to write the results as Parquet too.
        cluster: processes or machines that share the work; None does it in this process.
        threads: of torch in each process. The last digits of results depend on it, so a resumed run keeps its number.
            By default torch's own choice, as for a single image.
        cancelled: asked between two runs of the network whether to stop.

    Attributes:
        images: all images of the run, in the order of the results.
        earlier: how many of them were finished before.
        network: the loaded network.

    Raises:
        SegcamError: if something is wrong with the images, the network, an option or the folder, or the folder holds
            another run.
    """

    @renamed_arguments(wishes="options", truth_colours="truth_colors")
    def __init__(
        self,
        source: str | Path,
        out: str | Path,
        model: ModelSource | Network | str | Path | Sequence[str | Path],
        options: ExplainOptions | None = None,
        *,
        loaded: Network | None = None,
        truth: str | Path | None = None,
        truth_colors: Mapping[str, Color] | None = None,
        num_samples: int | None = None,
        seed: int = 0,
        outputs: OutputOptions | None = None,
        parquet: bool = False,
        cluster: Cluster | None = None,
        threads: int | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        if parquet:
            check_parquet()
        if cluster is not None:
            cluster.check()
        source, out, truth = Path(source), Path(out), Path(truth) if truth is not None else None
        self.options, self.outputs = options or ExplainOptions(), outputs or OutputOptions()
        images = list_images(source, out, truth)
        self.folder = RunFolder(out)
        earlier_threads = (self.folder.settings() or {}).get("compute", {}).get("threads")
        self._threads = threads or earlier_threads or torch.get_num_threads()
        self._colors, self._parquet, self._cluster, self._cancelled = truth_colors, parquet, cluster, cancelled
        with _torch_threads(self._threads):
            network, self._model = _load(model, cluster, loaded)
            self.network = with_names_of(network, truth_colors)
            self._pipeline = ExplainPipeline(self.network, self.options, cancelled=cancelled)
        images = with_true_masks(images, source, truth, self.network)
        self.images = random_sample(images, num_samples, seed)
        has_truth = any(image.truth_files for image in self.images)
        if self.options.needs_truth and not has_truth:
            raise SegcamError(f"The region {self.options.region} needs true masks: {remedy('true_masks')}.")
        any_cine = ArrayCine(np.zeros((1, 1), np.uint8))  # a wrong option is refused once, not for every image
        parse_crop(self.options.crop)
        if self.options.value_range is not None:
            any_cine.set_value_range(*self.options.value_range)
        if self.options.evidence:
            measure_names(",".join(self.options.evidence))
        check_colors(truth_colors, self.network, self._pipeline.classes)
        self._metrics = metrics_record(self.options.tolerance) if has_truth else {}
        data = {
            "source": str(source),
            "count": len(self.images),
            "found": len(images),
            "num_samples": num_samples,
            "seed": seed,
            "truth": str(truth) if truth is not None else None,
            "truth_colors": dict(truth_colors) if truth_colors else None,
            "images_sha256": _names_sha256(self.images),
        }
        with self.folder.locked():
            self.folder.start(self._settings(data))
        self._done = {image.name for image in self.images if self.folder.is_done(image)}

    @property
    def earlier(self) -> int:
        """How many images were finished in an earlier start of the same run."""
        return len(self._done)

    def __len__(self) -> int:
        return len(self.images)

    def evidence_seconds(self) -> float | None:
        """Return about how long the evidence of one frame takes; None if none is wanted, or nobody knows."""
        remaining = [image for image in self.images if image.name not in self._done]
        with _torch_threads(self._threads):
            return evidence_seconds(remaining, self._pipeline, self._colors, self._cancelled)

    def __iter__(self) -> Generator[ImageResult, None, None]:
        """Give the results of each image as they are finished.

        Raises:
            SegcamError: if the folder cannot be written to, another batch is running in it, or the cluster does not
                work.
        """
        with self.folder.locked():
            yield from self._results()

    def _results(self) -> Iterator[ImageResult]:
        for image in self.images:
            if image.name in self._done:
                record = self.folder.record(image) or {"rows": []}
                yield ImageResult(image.display_name, record["rows"], "", self.folder.path / "images" / image.key, True)
        remaining = [image for image in self.images if image.name not in self._done]
        errors: dict[str, str] = {}
        saved = set(self._done)
        results = self._processed(remaining)
        try:
            for image, processed in results:
                if processed.record is None:
                    errors[image.name] = processed.error
                else:
                    self.folder.save(image, processed)
                    saved.add(image.name)
                record = processed.record or {"rows": []}
                folder = self.folder.path / "images" / image.key
                notes = record.get("notes", ())
                yield ImageResult(image.display_name, record["rows"], processed.error, folder, notes=notes)
        finally:
            results.close()  # also ends the processes that share the work
            self.folder.write_tables(self.images, errors, done=saved, parquet=self._parquet)

    def _processed(self, images: Sequence[BatchImage]) -> Generator[tuple[BatchImage, ProcessedImage], None, None]:
        for image in images:
            self.folder.delete(image)
        if self._cluster is not None and images:
            assert self._model is not None
            setup = WorkerSetup(
                model=self._model,
                options=self.options,
                outputs=self.outputs,
                colors=self._colors,
                threads=self._threads,
                network_record=network_record(self.network),
                versions=versions(self.options.methods),
                metrics=self._metrics,
            )
            yield from processed_on(self._cluster, setup, images, self._cancelled)
            return
        for image in images:
            with _torch_threads(self._threads):
                processed = process_image(image, self._pipeline, self.outputs, self._colors, self._cancelled)
            if processed is None:
                return
            yield image, processed

    def _settings(self, data: Mapping[str, Any]) -> dict[str, Any]:
        options = asdict(self.options)
        del options["tolerance"]  # it is in the metrics
        evidence = {name: options.pop(f"evidence{suffix}") for name, suffix in _EVIDENCE_OPTIONS.items()}
        return {
            "model": network_record(self.network),
            "given": _command_arguments(self._model),
            "options": options,
            **({"evidence": evidence} if self.options.evidence else {}),
            **({"metrics": self._metrics} if self._metrics else {}),
            "data": dict(data),
            "outputs": self.outputs.as_dict(),
            "compute": {"threads": self._threads},
            "versions": versions(self.options.methods),
        }


@renamed_arguments(wishes="options")
def run_batch(
    source: str | Path,
    out: str | Path,
    model: ModelSource | Network | str | Path | Sequence[str | Path],
    options: ExplainOptions | None = None,
    **arguments: Any,
) -> Generator[ImageResult, None, None]:
    """Explain many images and give the results of each as they are finished; all are written to a folder too.

    Examples:
        >>> options = sc.ExplainOptions(stages=["encoder_4"])
        >>> for result in sc.run_batch("images", "run", "best_model.safetensors", options, truth="masks"):
        ...     print(result.image, result.error or result.rows[0]["dice"])
        sweep_38.png 1.0

    The arguments are those of ``Batch``. The same call resumes a run that was stopped. Close the iterator, or leave the
    loop, to stop.

    Raises:
        SegcamError: as ``Batch``.
    """
    return iter(Batch(source, out, model, options, **arguments))


def list_images(source: Path, out: Path, truth: Path | None) -> list[BatchImage]:
    """Return the images of a folder or list, without the results in ``out`` and without true masks.

    Raises:
        SegcamError: as ``images_of``, or if the results would be written among the images.
    """
    if source.is_dir() and is_within(out, source) and is_within(source, out):
        other = f"give another {remedy('out')}"
        raise SegcamError(f"The results cannot be written to the folder of the images, {source}: {other}.")
    truths = [truth] if truth is not None and not is_within(source, truth) else []
    return without_masks(images_of(source, out, *truths))


def with_true_masks(
    images: Sequence[BatchImage], source: Path, truth: Path | None, network: Network
) -> list[BatchImage]:
    """Return the images with their true masks, and without masks that were listed as images.

    Raises:
        SegcamError: if the truth is given twice, or does not suit the images.
    """
    names = network.class_names if network.classes_overlap and network.segments else ()
    images = without_masks(images, names)
    if truth is None:
        return images
    if any(image.truth for image in images):
        raise SegcamError(f"{source} has a column of true masks already: leave out the folder, or that column.")
    return with_truths(images, truth, names)


def _load(
    model: ModelSource | Network | str | Path | Sequence[str | Path], cluster: Cluster | None, loaded: Network | None
) -> tuple[Network, ModelSource | None]:
    if isinstance(model, Network):
        if cluster is not None:
            raise SegcamError("Other processes cannot share a loaded network: give the path of the checkpoint.")
        return model, None
    source = ModelSource.of(model)
    return loaded or source.load(), source


def _command_arguments(source: ModelSource | None) -> dict[str, Any]:
    """Return the user's arguments on the model, for the command that repeats the run; none for a loaded network."""
    if source is None:
        return {}
    names = [Path(path).name for path in source.paths]
    return {
        "model": names[0] if len(names) == 1 else names or None,
        "architecture": source.architecture,
        "encoder": source.encoder,
        "network_factory": source.factory,
        "classes_overlap": source.classes_overlap,
        "output": source.output,
        "weights": source.weights,
    }


def _names_sha256(images: Sequence[BatchImage]) -> str:
    """Return the checksum of the names of images and masks."""
    return hashlib.sha256(json.dumps([(image.name, image.truth_name) for image in images]).encode()).hexdigest()


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads, and afterwards as many as before."""
    previous_count = torch.get_num_threads()
    if previous_count == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(previous_count)
