"""Comparing: two networks on the same frames of some images, image by image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.check.checking import images_and_truths, spread_frames
from napari_segcam.batch.color_tables.color_table import Color
from napari_segcam.batch.images import BatchImage, random_sample
from napari_segcam.comparing.case_names import case_names
from napari_segcam.comparing.class_pairs import ClassPair, pair_classes
from napari_segcam.comparing.mask_comparison import Row, compare_masks
from napari_segcam.comparing.ranking import DifferentFrame, DifferentFrames
from napari_segcam.comparing.truth import SharedTruth, truth_reader
from napari_segcam.errors import SegcamError, one_line
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.files import sha256_of
from napari_segcam.imaging.cine import ArrayCine, Cine, Frame
from napari_segcam.imaging.geometry import Crop
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.scan.region import crop_for, parse_crop
from napari_segcam.network.network import Network

_FRAMES_AT_ONCE = 8


@dataclass(frozen=True)
class CompareOptions:
    """How two networks are compared.

    Attributes:
        classes: which to compare, as for ``pair_classes``; empty pairs them by name.
        crop: as for ``parse_crop``.
        value_range: the values that are black and white in every image; None is what each file says or suggests.
        threshold: of both networks; None is that of each one's model card.
        frames_of_cine: the most frames of each cine, evenly spread; None for all.
        limit: the most images; a random sample if there are more. None for all.
        seed: of the sample and of the bootstrap.
    """

    classes: Sequence[str] = ()
    crop: str = "none"
    value_range: tuple[float, float] | None = None
    threshold: float | None = None
    frames_of_cine: int | None = None
    limit: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class ComparedImage:
    """The comparison of one image.

    Attributes:
        name: of the image.
        rows: of its frames and classes, as in ``comparison.csv``.
        record: what the image is, in plain values.
        error: why it could not be compared; empty if it could.
    """

    name: str
    rows: list[Row] = field(default_factory=list)
    record: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


class Comparing:
    """Two networks on some images. Iterating over it does the work, and gives the comparison of each image.

    Args:
        a: the first network.
        b: the second network.
        source: a folder, a CSV list (image, and if you like truth and case), or one image or cine.
        out: the folder that will be written to; images in it do not count.
        options: how to compare.
        truth: a folder of true masks; for one image its mask.
        colors: of the classes in true masks in color.
        on_frames: called with the frames of the image that are done, and their total.
        cancelled: asked between two runs of a network whether to stop.

    Attributes:
        images: those that are compared.
        found: how many there were to choose from.
        pairs: the classes.
        notes: sentences on how classes were paired.
        different: the frames that differ most, of the images so far.

    Raises:
        SegcamError: if something is wrong with the images, a network or an option.
    """

    def __init__(
        self,
        a: Network,
        b: Network,
        source: Path,
        out: Path | None,
        options: CompareOptions,
        *,
        truth: Path | None = None,
        colors: Mapping[str, Color] | None = None,
        on_frames: Callable[[int, int], None] = lambda _done, _total: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self.a, self.b, self.options = a, b, options
        paired = pair_classes(a, b, options.classes)
        self.pairs, self.notes = paired.pairs, paired.notes
        parse_crop(options.crop)
        if options.value_range is not None:  # a wrong option is refused once, not for every image
            ArrayCine(np.zeros((1, 1), np.uint8)).set_value_range(*options.value_range)
        control = ProgressControl(cancelled=cancelled)
        self._explainers = [Explainer(network, "gradcam", (), options.threshold, control) for network in (a, b)]
        found = images_and_truths(source, out or source / "comparison", truth, truth_reader(a, b))
        self.found, self.images = len(found), random_sample(found, options.limit, options.seed)
        self._cases = case_names(source)
        self._colors, self._on_frames, self._cancelled = colors, on_frames, cancelled
        self.different = DifferentFrames()

    @property
    def thresholds(self) -> tuple[float, float]:
        """The thresholds of A and B."""
        first, second = self._explainers
        return first.threshold, second.threshold

    def __iter__(self) -> Iterator[ComparedImage]:
        """Give the comparison of each image; it ends early, without the image that it was at, if cancelled."""
        for image in self.images:
            try:
                yield self._compared(image)
            except Cancelled:
                return
            except SegcamError as error:
                yield ComparedImage(image.display_name, error=str(error))
            except Exception as error:  # a damaged file can make its reader raise anything
                reason = one_line(error) or "it cannot be read"
                yield ComparedImage(image.display_name, error=f"{type(error).__name__}: {reason}")

    def _compared(self, image: BatchImage) -> ComparedImage:
        checksums = _checksums(image)
        cine = open_cine(image.path)
        if self.options.value_range is not None:
            cine.set_value_range(*self.options.value_range)
        truth = SharedTruth(image, self.a, self.b, self._colors)
        truth.check(cine)
        crop = crop_for(self.options.crop, cine)
        case = self._cases.get(image.name) or image.display_name
        numbers = spread_frames(len(cine), self.options.frames_of_cine or len(cine))
        rows: list[Row] = []
        different = DifferentFrames()
        for start in range(0, len(numbers), _FRAMES_AT_ONCE):
            chunk = numbers[start : start + _FRAMES_AT_ONCE]
            frames = [cine[number] for number in chunk]
            masks_a, masks_b = self._masks(cine, frames, crop)
            for number, frame, of_a, of_b in zip(chunk, frames, masks_a, masks_b, strict=True):
                for pair, a, b in zip(self.pairs, of_a, of_b, strict=True):
                    true_mask = truth.mask(number, pair)
                    key = {"case": case, "image": image.display_name, "frame": number, "class": pair.name}
                    row = key | compare_masks(a, b, true_mask, cine.spacing_mm)
                    rows.append(row)
                    aspect = cine.pixel_aspect
                    different.add(DifferentFrame(row, frame, cine.value_range, aspect, a, b, true_mask))
            self._on_frames(start + len(chunk), len(numbers))
        if _checksums(image) != checksums:
            raise SegcamError("The image or its true mask changed while it was read.")
        self.different.add_all(different)
        record = {
            "image": image.display_name,
            "case": case,
            **checksums,
            "truth": image.truth_name or None,
            "frames": len(cine),
            "frames_compared": len(numbers),
            "shape": list(cine.frame_shape[:2]),
            "spacing_mm": cine.spacing_mm,
            "value_range": list(cine.value_range),
            "notes": list(cine.notes),
        }
        return ComparedImage(image.display_name, rows, record)

    def _masks(
        self, cine: Cine, frames: Sequence[Frame], crop: Crop | None
    ) -> tuple[list[list[NDArray[np.bool_]]], list[list[NDArray[np.bool_]]]]:
        """Return for each frame the mask of each pair's class, by A and by B: both get the same pixels."""

        def masks(explainer: Explainer, index_of: Callable[[ClassPair], int]) -> list[list[NDArray[np.bool_]]]:
            found = []
            results = explainer.each(frames, value_range=cine.value_range, crop=crop, pixel_aspect=cine.pixel_aspect)
            for result in results:
                if self._cancelled():
                    raise Cancelled
                found.append([result.class_mask(index_of(pair)) for pair in self.pairs])
            return found

        first, second = self._explainers
        return masks(first, lambda pair: pair.index_a), masks(second, lambda pair: pair.index_b)


def _checksums(image: BatchImage) -> dict[str, str | None]:
    return {"sha256": sha256_of(image.file), "truth_sha256": image.truth_sha256()}
