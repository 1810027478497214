"""The runs of a function over all frames of an image, with progress."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.functions.given_image import GivenImage

if TYPE_CHECKING:  # torch comes with these
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.explanation.slow_methods.control import ProgressControl
    from napari_segcam.explanation.targets.target import Target
    from napari_segcam.network.network import Network

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class FunctionRequest:
    """What a function computes of each frame.

    Attributes:
        stages: as for ``Explainer``; empty for the mask alone.
        method: as for ``Explainer``.
        class_name: name or number of the class; empty for the first that is not the background.
        region: ``"mask"``, ``"image"``, or pixels ``(Y, X)`` or ``(T, Y, X)``, as an array or a Labels layer.
        threshold: as for ``Explainer``.
        input_region: ``"all"``, or ``"scan"`` for the part of the frames that shows the scan.
    """

    stages: Any = ()
    method: str = "gradcam"
    class_name: str | int = ""
    region: Any = "mask"
    threshold: float | None = None
    input_region: str = "all"


def explanations(
    image: GivenImage, network: Network, request: FunctionRequest, control: ProgressControl | None = None
) -> Iterator[Explanation]:
    """Yield the explanation of each frame, computed one at a time as in the workspace: the numbers are the same.

    Args:
        image: the frames.
        network: that runs.
        request: what is computed.
        control: progress within a frame, and cancelling.

    Raises:
        SegcamError: as ``Explainer``, or if the region does not fit the frames.
        Cancelled: if ``control`` cancels it.
    """
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.imaging.scan.region import find_scan_region

    cine = image.cine
    explainer = Explainer(network, request.method, _stages(request.stages), request.threshold, control)
    if request.input_region not in ("all", "scan"):
        raise SegcamError(f"There is no input region {request.input_region!r}: choose 'all' or 'scan'.")
    crop = find_scan_region(cine).crop if request.input_region == "scan" else None
    targets = _targets(image, network, request)
    for number in range(len(cine)):
        yield explainer(cine[number], targets(number), cine.value_range, crop, cine.pixel_aspect)


def finish(work: Generator[int, None, Result], total: int, words: str) -> Result:
    """Do all work at once and return its result; with a progress bar in napari's activity dock, or in the terminal.

    Args:
        work: yields the number of frames that are done.
        total: number of frames; a single one has no bar.
        words: what is computed.
    """
    has_bar = total > 1 and threading.current_thread() is threading.main_thread()  # napari's bar is a widget
    if has_bar:
        from napari.utils import progress
    with progress(total=total, desc=words) if has_bar else nullcontext() as bar:
        while True:
            try:
                next(work)
            except StopIteration as end:
                result: Result = end.value
                return result
            if bar is not None:
                bar.update(1)


def class_of(network: Network, class_name: str | int) -> int:
    """Return the output channel of a class, given by name or by number, also as text; empty for the default.

    Raises:
        SegcamError: if there is no such class.
    """
    if class_name == "":
        return network.class_index(None)
    is_number = isinstance(class_name, str) and class_name.isdecimal() and class_name not in network.class_names
    return network.class_index(int(class_name) if is_number else class_name)


def _stages(stages: Any) -> Any:
    """Return the stages, with those of one text separated, as on the command line."""
    if isinstance(stages, str) and "," in stages:
        return tuple(name.strip() for name in stages.split(",") if name.strip())
    if isinstance(stages, str) and stages not in ("all", "main", "encoder", "decoder"):
        return (stages,) if stages else ()
    return stages


def _targets(image: GivenImage, network: Network, request: FunctionRequest) -> Any:
    """Return a function that gives the target of each frame.

    Raises:
        SegcamError: if the region does not fit the frames.
    """
    from napari_segcam.explanation.targets.target import Target

    index = class_of(network, request.class_name)
    region = request.region
    if isinstance(region, str):
        target = Target(index, region)  # type: ignore[arg-type]  # it says which there are
        return lambda _number: target
    pixels = _pixels(region, image)

    def target_of(number: int) -> Target:
        return Target(index, pixels if pixels.ndim == 2 else pixels[number])

    return target_of


def _pixels(region: Any, image: GivenImage) -> NDArray[np.bool_]:
    """Return the pixels of a region, the same for all frames or one set for each."""
    pixels = np.asarray(region.data if isinstance(region, Labels) else region)
    shape, frames = tuple(image.cine.frame_shape[:2]), len(image.cine)
    if pixels.shape not in (shape, (frames, *shape)) or pixels.dtype.kind not in "bui":
        raise SegcamError(
            f"The region must be 'mask', 'image', or pixels of the shape {shape} or {(frames, *shape)}, but it is "
            f"{pixels.dtype} of the shape {pixels.shape}."
        )
    return pixels.astype(bool)
