"""Running: perturb the frames of some images, image by image; a run that was stopped goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_segcam.batch.check.checking import images_and_truths, spread_frames
from napari_segcam.batch.color_tables.color_table import Color
from napari_segcam.batch.ground_truth import GroundTruth
from napari_segcam.batch.images import BatchImage, random_sample
from napari_segcam.batch.options import ExplainOptions
from napari_segcam.batch.pipeline import ExplainPipeline
from napari_segcam.batch.provenance import network_record, versions
from napari_segcam.comparing.case_names import case_names
from napari_segcam.csv_list import read_list
from napari_segcam.errors import SegcamError, one_line
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.files import sha256_of
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.scan.region import crop_for, parse_crop
from napari_segcam.network.network import Network
from napari_segcam.perturbing.catalog import find_perturbations
from napari_segcam.perturbing.shares import FrameContext
from napari_segcam.robustness.columns import NO_PERTURBATION
from napari_segcam.robustness.frame_meter import FrameMeter, FramePlace
from napari_segcam.robustness.options import RobustnessOptions
from napari_segcam.robustness.run_file import RowStore, refuse_other_run, was_started, write_record
from napari_segcam.version import __version__

_TRIES = 3  # images that may be damaged


@dataclass(frozen=True)
class RunCost:
    """What a run still costs.

    Attributes:
        runs: how often a frame is explained.
        seconds: about how long that takes; None if nobody knows.
    """

    runs: int
    seconds: float | None


class Robustness:
    """A network on perturbed images. Iterating over it does the work, and gives each image's name and its error.

    Args:
        network: that is measured.
        source: a folder, a CSV list (image, and if you like truth and case), or one image or cine.
        out: the folder that is written to; None to keep the rows in memory alone.
        options: what is perturbed and measured.
        truth: a folder of true masks; for one image its mask.
        colors: of the classes in true masks in color.
        cases: a CSV list with the columns image and case.
        on_runs: called with the number of explained frames since the last call.
        cancelled: asked between two runs of the network whether to stop.

    Attributes:
        images: those that are measured.
        found: how many there were to choose from.
        perturbations: the strengths of each, by name.
        store: the rows so far.
        settings: all that the rows depend on, in plain values.

    Raises:
        SegcamError: if something is wrong with the images, the network or an option, or the folder holds another run.
    """

    def __init__(
        self,
        network: Network,
        source: Path,
        out: Path | None,
        options: RobustnessOptions,
        *,
        truth: Path | None = None,
        colors: Mapping[str, Color] | None = None,
        cases: Path | None = None,
        on_runs: Callable[[int], None] = lambda _runs: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        if not network.segments:
            raise SegcamError("This network classifies whole frames: there is no mask to measure.")
        if options.frames_of_cine < 1:
            raise SegcamError("The number of frames of each cine must be 1 or more.")
        self.network, self.options, self.out = network, options, out
        self.perturbations = find_perturbations(options.perturbations, options.strengths)
        parse_crop(options.crop)
        stages: str | tuple[str, ...] = (options.stage,) if options.stage else "main"
        if network.no_hooks_reason and not options.stage:
            stages = ()
        self._pipeline = ExplainPipeline(
            network,
            ExplainOptions(
                methods=[options.method],
                stages=stages,
                classes=options.classes,
                threshold=options.threshold,
                value_range=options.value_range,
            ),
            cancelled=cancelled,
        )
        found = images_and_truths(source, out or source / "robustness", truth, network)
        self.found, self.images = len(found), random_sample(found, options.limit, options.seed)
        self._cases = case_names(source) | ({} if cases is None else _cases_in(cases))
        if cases is not None and not any(self._case(image) for image in self.images):
            raise SegcamError(f"The list {cases} names none of the images, such as {self.images[0].display_name}.")
        self._colors, self._on_runs, self._cancelled = colors, on_runs, cancelled
        self.settings = self._settings()
        refuse_other_run(out, self.settings)
        self.store = RowStore(out)

    @property
    def class_names(self) -> list[str]:
        """The classes that are measured."""
        return [self.network.class_names[index or 0] for index in self._pipeline.classes]

    @property
    def runs_of_frame(self) -> int:
        """How often each frame is explained."""
        return 1 + sum(map(len, self.perturbations.values()))

    @property
    def unnamed(self) -> list[str]:
        """Images that a list of cases does not name: each is a case of its own."""
        return [image.display_name for image in self.images if self._cases and not self._case(image)]

    def start(self) -> None:
        """Start the run in its folder, or read the rows of the run that was stopped there. The folder is locked.

        Raises:
            SegcamError: if the folder cannot be written to.
        """
        refuse_other_run(self.out, self.settings)
        if not was_started(self.out):
            write_record(self.out, self.settings)
        self.store.load()

    def estimate(self) -> RunCost:
        """Estimate what is left to do, from one trial run of the network on the first image that can be read."""
        runs, frames, trial = 0, 0, None
        for number, image in enumerate(self.images):
            try:
                cine = self._opened(image)
                numbers = spread_frames(len(cine), self.options.frames_of_cine)
                left = [len(self._left(image, frame)) for frame in numbers]
                runs += sum(left)
                frames += sum(map(bool, left))
                if trial is None and any(left) and number < _TRIES and not self._cancelled():
                    trial = self._trial_seconds(cine, numbers[0])
            except Cancelled:
                break
            except Exception:  # a damaged file can make its reader raise anything; the run will say so
                continue
        return RunCost(runs, None if trial is None else trial[0] * frames + trial[1] * runs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Give the name of each image and why it could not be measured; it ends early if cancelled.

        Raises:
            SegcamError: if the rows cannot be written.
        """
        for image in self.images:
            try:
                self._measure(image)
            except Cancelled:
                return
            except _NotWrittenError as error:
                raise SegcamError(str(error)) from error
            except SegcamError as error:
                yield image.display_name, str(error)
            except Exception as error:  # a damaged file can make its reader raise anything
                yield image.display_name, f"{type(error).__name__}: {one_line(error) or 'it cannot be read'}"
            else:
                yield image.display_name, ""

    def _measure(self, image: BatchImage) -> None:
        cine = self._opened(image)
        truth = GroundTruth.of_image(image, self.network, self._colors)
        if truth is not None:
            truth.check(cine)
        crop = crop_for(self.options.crop, cine) or (slice(None), slice(None))
        case = self._case(image) or image.display_name
        for number in spread_frames(len(cine), self.options.frames_of_cine):
            left = self._left(image, number)
            if not left:
                continue
            if self._cancelled():
                raise Cancelled
            masks = [None if truth is None else truth.mask(number, index) for index in self._pipeline.classes]
            meter = FrameMeter(
                self._pipeline,
                FramePlace(case, image.display_name, number, self._context(cine)),
                cine[number][crop],
                [None if mask is None else mask[crop] for mask in masks],
                self.options.stage,
                self._cancelled,
            )
            for name, strength in left:
                if self._cancelled():
                    raise Cancelled
                rows = meter.unperturbed() if name == NO_PERTURBATION else meter.perturbed(name, strength)
                try:
                    self.store.add(rows)
                except SegcamError as error:
                    raise _NotWrittenError(str(error)) from error
                self._on_runs(1)

    def _left(self, image: BatchImage, number: int) -> list[tuple[str, float]]:
        """Return the perturbations and strengths of a frame of which not all rows are there."""
        steps = [(NO_PERTURBATION, 0.0)]
        steps += [(name, strength) for name, strengths in self.perturbations.items() for strength in strengths]
        shown = image.display_name
        return [
            (name, strength)
            for name, strength in steps
            if not all(self.store.has((shown, number, one, name, strength)) for one in self.class_names)
        ]

    def _opened(self, image: BatchImage) -> Cine:
        cine = open_cine(image.path)
        if self.options.value_range is not None:
            cine.set_value_range(*self.options.value_range)
        return cine

    def _context(self, cine: Cine) -> FrameContext:
        return FrameContext(cine.value_range, cine.spacing_mm, cine.pixel_aspect, self.options.seed)

    def _trial_seconds(self, cine: Cine, number: int) -> tuple[float, float]:
        """Return how long it takes to find the stage of a frame, and then to explain a perturbed frame.

        What the first explanation takes to prepare the network is not counted in the second figure.
        """
        place = FramePlace("", "", number, self._context(cine))
        crop = crop_for(self.options.crop, cine) or (slice(None), slice(None))
        unknown = [None] * len(self._pipeline.classes)
        name, strengths = next(iter(self.perturbations.items()))
        start = time.perf_counter()
        meter = FrameMeter(self._pipeline, place, cine[number][crop], unknown, self.options.stage, self._cancelled)
        found = time.perf_counter()
        meter.perturbed(name, strengths[0])
        return found - start, time.perf_counter() - found

    def _case(self, image: BatchImage) -> str:
        """Return the case that a list names for an image, by its name, or by its file name alone; empty for none."""
        return self._cases.get(image.name) or self._cases.get(image.path.name) or ""

    def _settings(self) -> dict[str, Any]:
        options = asdict(self.options)
        for name in ("perturbations", "strengths", "limit", "classes"):
            options.pop(name)
        (explainer,) = self._pipeline.explainers
        images = [
            {
                "image": image.display_name,
                "case": self._case(image) or image.display_name,
                "sha256": _checksum(image),
                "truth_sha256": _truth_checksum(image),
            }
            for image in self.images
        ]
        return {
            "napari_segcam": __version__,
            "model": {**network_record(self.network), "used_threshold": explainer.threshold},
            "perturbations": {name: list(strengths) for name, strengths in self.perturbations.items()},
            "classes": self.class_names,
            **options,
            "value_range": None if self.options.value_range is None else list(self.options.value_range),
            "images": images,
            "versions": versions([self.options.method]),
        }


class _NotWrittenError(Exception):
    """The rows cannot be written, which is no fault of an image."""


def _cases_in(path: Path) -> dict[str, str]:
    table = read_list(path)
    if "case" not in table or "image" not in table:
        raise SegcamError(f"The list {path} needs the columns image and case.")
    return {row["image"]: row["case"] for _, row in table.rows if row.get("case")}


def _checksum(image: BatchImage) -> str | None:
    """Return the checksum of an image; None if it cannot be read, which the run will say."""
    try:
        return sha256_of(image.file)
    except SegcamError:
        return None


def _truth_checksum(image: BatchImage) -> str | None:
    try:
        return image.truth_sha256()
    except SegcamError:
        return None
