"""The run of a batch: every image of a folder or list examined, by this process or by many."""

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

from napari_segcam.batch.analysis import Analysis
from napari_segcam.batch.cluster import Cluster, processed_on
from napari_segcam.batch.image_job import ImageJob
from napari_segcam.batch.image_processing import Outputs, ProcessedImage, process_image
from napari_segcam.batch.images import BatchImage, images_of, sample
from napari_segcam.batch.model import network_record, versions
from napari_segcam.batch.options import ExplainOptions
from napari_segcam.batch.pairing import with_truths, without_masks
from napari_segcam.batch.run_folder import RunFolder
from napari_segcam.batch.tables import need_parquet
from napari_segcam.batch.true_masks import Color
from napari_segcam.deprecated import renamed_arguments
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.imaging.scan.region import parse_crop
from napari_segcam.network.network import Network
from napari_segcam.network.source import ModelSource
from napari_segcam.reporting.run_format import Row


@dataclass(frozen=True)
class ImageResult:
    """What a batch made of one image.

    Attributes:
        image: its name within the batch.
        rows: its figures, as ``results.csv`` has them; empty where it failed.
        error: why it failed; empty where it did not.
        folder: where its record and its sheet are.
        earlier: whether an earlier start of this run made it.
        notes: what was amiss or had to be assumed when it was read, in sentences.
    """

    image: str
    rows: Sequence[Row]
    error: str
    folder: Path
    earlier: bool = False
    notes: Sequence[str] = ()


class Batch:
    """Many images examined alike, into a folder that remembers what is done.

    It is ready when it is made: the images are listed, the network is loaded, and the folder belongs to this run, begun
    or gone on with. Iterating over it does the work and gives each image's result as it comes, those that an earlier
    start has made first. Close the iterator to stop early. Images that failed are tried again by the next start, and so
    are those whose file has changed since.

    Args:
        source: a folder of images, DICOM cines and videos, or a CSV list with the columns ``image`` and, if wanted,
            ``truth``.
        out: the folder of the run.
        model: the checkpoint, or where else the network comes from. A network that is loaded already serves only
            without a cluster.
        loaded: the network that has been loaded from ``model``, which then is not loaded again.
        wishes: what is wanted of every frame.
        truth: a folder of true masks, named as their images.
        truth_colors: red, green and blue by class name, of true masks that are painted.
        num_samples: how many of the images to draw; None takes all.
        seed: of the draw.
        outputs: what to write besides figures.
        parquet: whether to write the results as Parquet too.
        cluster: processes or machines to share the work; None does it here.
        threads: of torch in each process. They decide the last digits, so that a run keeps those it was begun with; by
            default torch's own choice, as for a single image.
        cancelled: asked between two runs of the network whether to stop.

    Attributes:
        images: all of the run, in the order of the results.
        earlier: how many of them an earlier start has done.
        network: that was loaded.

    Raises:
        SegcamError: if the images, the network, a wish or the folder is not right, or the folder holds another run.
    """

    @renamed_arguments(wishes="options", truth_colours="truth_colors")
    def __init__(
        self,
        source: str | Path,
        out: str | Path,
        model: ModelSource | Network | str | Path,
        options: ExplainOptions | None = None,
        *,
        loaded: Network | None = None,
        truth: str | Path | None = None,
        truth_colors: Mapping[str, Color] | None = None,
        num_samples: int | None = None,
        seed: int = 0,
        outputs: Outputs | None = None,
        parquet: bool = False,
        cluster: Cluster | None = None,
        threads: int | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        if parquet:
            need_parquet()
        if cluster is not None:
            cluster.check()
        source, out, truth = Path(source), Path(out), Path(truth) if truth is not None else None
        self.options, self.outputs = options or ExplainOptions(), outputs or Outputs()
        found = _listed(source, out, truth)
        self.folder = RunFolder(out)
        begun = (self.folder.settings() or {}).get("compute", {}).get("threads")
        self._threads = threads or begun or torch.get_num_threads()
        self._colors, self._parquet, self._cluster, self._cancelled = truth_colors, parquet, cluster, cancelled
        with _torch_threads(self._threads):
            self.network, self._model = _loaded(model, cluster, loaded)
            self._analysis = Analysis(self.network, self.options, cancelled=cancelled)
        any_cine = ArrayCine(np.zeros((1, 1), np.uint8))  # what is wrong is refused once, not for every image
        found = _with_truths(found, source, truth, self.network)
        self.images = sample(found, num_samples, seed)
        if self.options.needs_truth and not any(image.truth_files for image in self.images):
            raise SegcamError(f"The region {self.options.region} needs true masks: give their folder with --truth.")
        parse_crop(self.options.crop)
        if self.options.value_range is not None:
            any_cine.set_value_range(*self.options.value_range)
        _check_colors(truth_colors, self._analysis)
        data = {
            "source": str(source),
            "count": len(self.images),
            "found": len(found),
            "num_samples": num_samples,
            "seed": seed,
            "truth": str(truth) if truth is not None else None,
            "truth_colors": dict(truth_colors) if truth_colors else None,
            "images_sha256": _names_sha256(self.images),
        }
        with self.folder.locked():
            self.folder.begin(self._settings(data))
        self._done = {image.name for image in self.images if self.folder.done(image)}

    @property
    def earlier(self) -> int:
        return len(self._done)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Generator[ImageResult, None, None]:
        """Each image's result as it comes.

        Raises:
            SegcamError: if the folder cannot be written to, another batch is at work in it, or the cluster does not
                work.
        """
        with self.folder.locked():
            yield from self._results()

    def _results(self) -> Iterator[ImageResult]:
        for image in self.images:
            if image.name in self._done:
                record = self.folder.record(image) or {"rows": []}
                yield ImageResult(image.printed, record["rows"], "", self.folder.path / "images" / image.key, True)
        waiting = [image for image in self.images if image.name not in self._done]
        errors: dict[str, str] = {}
        kept = set(self._done)
        results = self._processed(waiting)
        try:
            for image, examined in results:
                if examined.record is None:
                    errors[image.name] = examined.error
                else:
                    self.folder.keep(image, examined)
                    kept.add(image.name)
                record = examined.record or {"rows": []}
                folder = self.folder.path / "images" / image.key
                notes = record.get("notes", ())
                yield ImageResult(image.printed, record["rows"], examined.error, folder, notes=notes)
        finally:
            results.close()  # and with it the processes that share the work
            self.folder.assemble(self.images, errors, done=kept, parquet=self._parquet)

    def _processed(self, images: Sequence[BatchImage]) -> Generator[tuple[BatchImage, ProcessedImage], None, None]:
        for image in images:
            self.folder.forget(image)
        if self._cluster is not None and images:
            assert self._model is not None
            job = ImageJob(
                model=self._model,
                options=self.options,
                outputs=self.outputs,
                colors=self._colors,
                threads=self._threads,
                network_record=network_record(self.network),
                versions=versions(),
            )
            yield from processed_on(self._cluster, job, images, self._cancelled)
            return
        for image in images:
            with _torch_threads(self._threads):
                examined = process_image(image, self._analysis, self.outputs, self._colors, self._cancelled)
            if examined is None:
                return
            yield image, examined

    def _settings(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "model": network_record(self.network),
            "given": _given(self._model),
            "wishes": asdict(self.options),
            "data": dict(data),
            "outputs": asdict(self.outputs),
            "compute": {"threads": self._threads},
            "versions": versions(),
        }


@renamed_arguments(wishes="options")
def run_batch(
    source: str | Path,
    out: str | Path,
    model: ModelSource | Network | str | Path,
    options: ExplainOptions | None = None,
    **more: Any,
) -> Generator[ImageResult, None, None]:
    """Examine many images and give each one's result as it comes; all is also written to a folder.

    Example:
        >>> for result in run_batch("images", "run", "best_model.pth", ExplainOptions(stages="encoder"), truth="masks"):
        ...     print(result.image, result.error or result.rows[0]["dice"])

    The arguments are those of ``Batch``. Called again with the same ones it goes on where it was stopped. Close the
    iterator, or leave the loop, to stop.

    Raises:
        SegcamError: as ``Batch``.
    """
    return iter(Batch(source, out, model, options, **more))


def _listed(source: Path, out: Path, truth: Path | None) -> list[BatchImage]:
    if source.is_dir() and out.resolve() == source.resolve():
        raise SegcamError(f"The results need another folder than that of the images, {source}: give --out.")
    leave_out = [out]
    if truth is not None and not source.resolve().is_relative_to(truth.resolve()):
        leave_out.append(truth)
    return without_masks(images_of(source, *leave_out))


def _with_truths(images: Sequence[BatchImage], source: Path, truth: Path | None, network: Network) -> list[BatchImage]:
    """The images with their true masks, which may be named for the network's classes, and without those masks."""
    names = network.class_names if network.classes_overlap and network.segments else ()
    images = without_masks(images, names)
    if truth is None:
        return images
    if any(image.truth for image in images):
        raise SegcamError(f"{source} has a column of true masks already: leave --truth out, or that column.")
    return with_truths(images, truth, names)


def _loaded(
    model: ModelSource | Network | str | Path, cluster: Cluster | None, loaded: Network | None
) -> tuple[Network, ModelSource | None]:
    if isinstance(model, Network):
        if cluster is not None:
            raise SegcamError("Other processes cannot share a network that is loaded: give the checkpoint's path.")
        return model, None
    source = model if isinstance(model, ModelSource) else ModelSource(str(model))
    return loaded or source.load(), source


def _given(source: ModelSource | None) -> dict[str, str | bool | None]:
    """What the user gave of the model, for the command that repeats the run; empty for a network that was loaded."""
    if source is None:
        return {}
    return {
        "model": Path(source.path).name if source.path is not None else None,
        "architecture": source.architecture,
        "encoder": source.encoder,
        "network_factory": source.factory,
        "classes_overlap": source.classes_overlap,
        "output": source.output,
        "weights": source.weights,
    }


def _check_colors(colors: Mapping[str, Color] | None, analysis: Analysis) -> None:
    """Refuse a table without a class that is wished for, once instead of for every image."""
    if colors is None:
        return
    for index in analysis.classes:
        name = analysis.network.class_names[index or 0]
        if index is not None and name not in colors:
            raise SegcamError(f"The color table has no class {name!r}: it has {', '.join(colors)}.")


def _names_sha256(images: Sequence[BatchImage]) -> str:
    """Of the images' and masks' names: what the run is about."""
    return hashlib.sha256(json.dumps([(image.name, image.truth_name) for image in images]).encode()).hexdigest()


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Let torch compute with so many threads, and as before afterwards."""
    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
